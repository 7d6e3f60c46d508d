package proportion

import (
	"fmt"
	"math"
)

// Table is an r x c contingency table. Labels may be nil.
type Table struct {
	Rows, Cols []string
	Counts     [][]int
}

// Cross counts pairs of codes (code -1 is missing) into a table with a row for
// each row level and a column for each column level, and returns the number of
// pairs left out because one of the two is missing. Levels that never occur are
// left out of the table, as a test could not use them.
func Cross(rows, cols []int32, rowLevels, colLevels []string) (t *Table, missing int, err error) {
	if len(rows) != len(cols) {
		return nil, 0, fmt.Errorf("a table needs as many row codes as column codes; got %d and %d", len(rows), len(cols))
	}
	full := make([][]int, len(rowLevels))
	for i := range full {
		full[i] = make([]int, len(colLevels))
	}
	colUsed := make([]bool, len(colLevels))
	for i, r := range rows {
		c := cols[i]
		if r < 0 || c < 0 {
			missing++
			continue
		}
		if int(r) >= len(rowLevels) || int(c) >= len(colLevels) {
			return nil, 0, fmt.Errorf("row %d: codes %d and %d lie outside the %d row levels and %d column levels", i+1, r, c, len(rowLevels), len(colLevels))
		}
		full[r][c]++
		colUsed[c] = true
	}
	t = &Table{}
	for j, u := range colUsed {
		if u {
			t.Cols = append(t.Cols, colLevels[j])
		}
	}
	for i, row := range full {
		var kept []int
		sum := 0
		for j, u := range colUsed {
			if u {
				kept = append(kept, row[j])
				sum += row[j]
			}
		}
		if sum > 0 {
			t.Rows = append(t.Rows, rowLevels[i])
			t.Counts = append(t.Counts, kept)
		}
	}
	return t, missing, nil
}

// margins checks the table and returns its sums. needTwo asks for two rows and
// two columns, without which nothing can depend on anything.
func (t *Table) margins() (row, col []float64, n float64, err error) {
	if len(t.Counts) < 2 || len(t.Counts[0]) < 2 {
		c := 0
		if len(t.Counts) > 0 {
			c = len(t.Counts[0])
		}
		return nil, nil, 0, fmt.Errorf("the table is %d x %d; a test of independence needs at least two rows and two columns with counts", len(t.Counts), c)
	}
	row, col = make([]float64, len(t.Counts)), make([]float64, len(t.Counts[0]))
	for i, r := range t.Counts {
		if len(r) != len(col) {
			return nil, nil, 0, fmt.Errorf("row %s has %d columns, the first row has %d", label(t.Rows, i), len(r), len(col))
		}
		for j, k := range r {
			if k < 0 {
				return nil, nil, 0, fmt.Errorf("count %d in row %s, column %s is negative", k, label(t.Rows, i), label(t.Cols, j))
			}
			row[i] += float64(k)
			col[j] += float64(k)
			n += float64(k)
		}
	}
	for i, s := range row {
		if s == 0 {
			return nil, nil, 0, fmt.Errorf("row %s of the table is empty; leave it out", label(t.Rows, i))
		}
	}
	for j, s := range col {
		if s == 0 {
			return nil, nil, 0, fmt.Errorf("column %s of the table is empty; leave it out", label(t.Cols, j))
		}
	}
	return row, col, n, nil
}

func label(names []string, i int) string {
	if i < len(names) {
		return fmt.Sprintf("%q", names[i])
	}
	return fmt.Sprint(i + 1)
}

// Independence is a test of independence of rows and columns. Its matrices are
// shaped as the table.
type Independence struct {
	Test
	Expected    [][]float64 // row sum x column sum / n
	MinExpected float64     // below 5 the chi-squared approximation is in doubt
	Residuals   [][]float64 // Pearson: (O - E) / sqrt(E)
	Adjusted    [][]float64 // Residuals / sqrt((1 - row/n)(1 - col/n)): standard normal under the null
	CramerV     float64     // sqrt(X^2 / (n (min(r, c) - 1))), from the uncorrected X^2
	N           int
}

// ChiSquared is Pearson's test, as R's chisq.test: correct applies Yates's
// correction min(1/2, |O - E|) to 2 x 2 tables and to no others.
func (t *Table) ChiSquared(correct bool) (*Independence, error) {
	r, err := t.independence()
	if err != nil {
		return nil, err
	}
	two := len(t.Counts) == 2 && len(t.Counts[0]) == 2
	r.Method = "Pearson's chi-squared test"
	var c float64
	if correct && two {
		c = 0.5
		t.each(func(i, j int, o float64) { c = math.Min(c, math.Abs(o-r.Expected[i][j])) })
		r.Method += " with Yates' continuity correction"
	}
	t.each(func(i, j int, o float64) {
		d := math.Abs(o-r.Expected[i][j]) - c
		r.Statistic += d * d / r.Expected[i][j]
	})
	r.Corrected = c
	r.P = chiSquareUpper(r.Statistic, r.DF)
	return r, nil
}

// G is the likelihood-ratio test of independence, G = 2 sum O log(O / E).
func (t *Table) G() (*Independence, error) {
	r, err := t.independence()
	if err != nil {
		return nil, err
	}
	r.Method = "G test (likelihood ratio) of independence"
	t.each(func(i, j int, o float64) {
		if o > 0 {
			r.Statistic += 2 * o * math.Log(o/r.Expected[i][j])
		}
	})
	r.Statistic = math.Max(r.Statistic, 0)
	r.P = chiSquareUpper(r.Statistic, r.DF)
	return r, nil
}

func (t *Table) independence() (*Independence, error) {
	row, col, n, err := t.margins()
	if err != nil {
		return nil, err
	}
	r := &Independence{MinExpected: math.Inf(1), N: int(n)}
	r.DF = float64((len(row) - 1) * (len(col) - 1))
	r.Estimate, r.Interval = math.NaN(), Interval{math.NaN(), math.NaN()}
	x2 := 0.0
	for i, counts := range t.Counts {
		e, res, adj := make([]float64, len(col)), make([]float64, len(col)), make([]float64, len(col))
		for j, o := range counts {
			e[j] = row[i] * col[j] / n
			res[j] = (float64(o) - e[j]) / math.Sqrt(e[j])
			adj[j] = res[j] / math.Sqrt((1-row[i]/n)*(1-col[j]/n))
			x2 += res[j] * res[j]
			r.MinExpected = math.Min(r.MinExpected, e[j])
		}
		r.Expected, r.Residuals, r.Adjusted = append(r.Expected, e), append(r.Residuals, res), append(r.Adjusted, adj)
	}
	r.CramerV = math.Sqrt(x2 / (n * float64(min(len(row), len(col))-1)))
	return r, nil
}

func (t *Table) each(f func(i, j int, o float64)) {
	for i, r := range t.Counts {
		for j, o := range r {
			f(i, j, float64(o))
		}
	}
}

// GoodnessOfFit tests counts against probabilities p (nil: all equal), as R's
// chisq.test(counts, p = p); df is the number of cells less one.
func GoodnessOfFit(counts []int, p []float64) (Test, error) {
	if len(counts) < 2 {
		return Test{}, fmt.Errorf("a goodness-of-fit test needs at least two cells; got %d", len(counts))
	}
	if p == nil {
		p = make([]float64, len(counts))
		for i := range p {
			p[i] = 1 / float64(len(counts))
		}
	}
	if len(p) != len(counts) {
		return Test{}, fmt.Errorf("%d cells but %d probabilities", len(counts), len(p))
	}
	var n, sum float64
	for i, k := range counts {
		if k < 0 {
			return Test{}, fmt.Errorf("count %d in cell %d is negative", k, i+1)
		}
		if !(p[i] > 0) {
			return Test{}, fmt.Errorf("the probability of cell %d is %v; each must be positive", i+1, p[i])
		}
		n += float64(k)
		sum += p[i]
	}
	if math.Abs(sum-1) > 1e-8 {
		return Test{}, fmt.Errorf("the probabilities sum to %v, not to 1", sum)
	}
	if n == 0 {
		return Test{}, fmt.Errorf("all counts are zero")
	}
	t := Test{
		Method: "chi-squared test for given probabilities", DF: float64(len(counts) - 1),
		Estimate: math.NaN(), Interval: Interval{math.NaN(), math.NaN()},
	}
	for i, k := range counts {
		d := float64(k) - n*p[i]
		t.Statistic += d * d / (n * p[i])
	}
	t.P = chiSquareUpper(t.Statistic, t.DF)
	return t, nil
}
