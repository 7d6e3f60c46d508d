package main

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what the page's tables show. results.json has all of it.
const (
	maxTableRows = 400
	openRows     = 12 // candidates above the fold
)

type tableView struct {
	Head []cellView
	Rows [][]cellView
	Rest *tableView // rows to unfold
	More int        // rows not shown
}

type cellView struct {
	Text   string
	Number bool
	Strong bool
}

// Long says whether a cell holds words enough to be set in lines.
func (c cellView) Long() bool { return !c.Number && len(c.Text) > 24 }

// tableOf shows a table as it is, less the columns without any value.
func tableOf(f *frame) *tableView {
	if f.rows() == 0 {
		return nil
	}
	rows := make([]int, f.rows())
	for i := range rows {
		rows[i] = i
	}
	return tableFrom(f, f.names, rows)
}

// tableFrom shows some columns and rows, numbers of a column with the same
// decimals. A column without any value is left out.
func tableFrom(f *frame, names []string, rows []int) *tableView {
	t := &tableView{More: max(0, len(rows)-maxTableRows)}
	rows = rows[:min(len(rows), maxTableRows)]
	t.Rows = make([][]cellView, len(rows))
	for _, name := range names {
		cells := f.column(name)
		if !slices.ContainsFunc(rows, func(i int) bool { return cells[i] != nil }) {
			continue
		}
		write, isNumber := writer(name, cells)
		t.Head = append(t.Head, cellView{Text: human(name), Number: isNumber})
		for r, i := range rows {
			_, finite := number(cells, i)
			if _, written := cells[i].(numeral); written || isNumber && cells[i] == nil {
				finite = true
			}
			t.Rows[r] = append(t.Rows[r], cellView{Text: write(cells[i]), Number: finite})
		}
	}
	return t
}

// writer writes the cells of a column; it says whether they are numbers.
func writer(name string, cells []any) (write func(any) string, isNumber bool) {
	var low, high float64
	whole := true
	for i := range cells {
		if _, written := cells[i].(numeral); written {
			isNumber = true
		}
		v, ok := number(cells, i)
		if !ok {
			continue
		}
		isNumber = true
		whole = whole && v == math.Trunc(v)
		high = max(high, math.Abs(v))
		if v != 0 && (low == 0 || math.Abs(v) < low) {
			low = math.Abs(v)
		}
	}
	if isP(name) {
		return func(v any) string {
			if x, ok := v.(float64); ok {
				return pValue(x)
			}
			return text(v)
		}, isNumber
	}
	digits := decimals(high)
	for digits > 0 && exact(cells, digits-1) {
		digits--
	}
	// Where the digits that the largest number needs would blot out the
	// smallest, every cell has its own.
	if whole || low*math.Pow(10, float64(digits)) < 1 {
		return text, isNumber
	}
	return func(v any) string {
		if x, ok := v.(float64); ok && !math.IsNaN(x) && !math.IsInf(x, 0) {
			return fixed(x, digits)
		}
		return text(v)
	}, isNumber
}

// exact says whether so many decimals show all of every number.
func exact(cells []any, digits int) bool {
	unit := math.Pow(10, float64(digits))
	for i := range cells {
		if v, ok := number(cells, i); ok && math.Abs(v*unit-math.Round(v*unit)) > 1e-9*max(1, math.Abs(v*unit)) {
			return false
		}
	}
	return true
}

// decimals is how many decimals show a number of this size to about three
// significant digits, or four above 1.
func decimals(high float64) int {
	if high == 0 {
		return 0
	}
	e := int(math.Floor(math.Log10(high)))
	if e >= 0 {
		return max(0, 3-e)
	}
	return min(8, 2-e)
}

// digitsFor is how many decimals an estimate with this interval deserves: as
// many as show half its width to two or three significant digits.
func digitsFor(low, high float64) int {
	half := (high - low) / 2
	if !(half > 0) || math.IsInf(half, 0) {
		return 4
	}
	return min(8, max(0, 2-int(math.Floor(math.Log10(half)))))
}

func fixed(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Trim(s, "-0.") == "" {
		s = strings.TrimPrefix(s, "-")
	}
	return minus(s)
}

func isP(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "p", "p_value", "pvalue", "p_raw", "p_local", "p_global", "q_value":
		return true
	}
	return strings.HasPrefix(name, "p_adj")
}

// pValue writes a p value to three decimals, as journals want it.
func pValue(p float64) string {
	switch {
	case math.IsNaN(p):
		return "–"
	case p < 0.001:
		return "<0.001"
	}
	return fixed(p, 3)
}

// human is a column's name in words.
func human(name string) string {
	known := map[string]string{"ci_lower": "CI, low", "ci_upper": "CI, high", "ci_low": "CI, low", "ci_high": "CI, high", "ci_method": "Interval", "n": "n",
		"df": "df", "p_value": "p", "p": "p", "se": "SE", "sd": "SD", "lambda": "λ", "pareto": "On the front", "n_clusters": "Clusters",
		"p_raw": "p", "p_local": "p (family)", "p_global": "p (study)", "lower_cl": "CI, low", "upper_cl": "CI, high", "interval": "Confidence interval", "spec": "Analysis",
		"chi_sq": "χ²", "cramers_v": "Cramér’s V", "log_lik": "Log-likelihood", "aic": "AIC", "aicc": "AICc", "bic": "BIC", "sigma": "Residual SD", "sd_cor": "SD or correlation"}
	if s, ok := known[name]; ok {
		return s
	}
	words := strings.Fields(strings.ReplaceAll(name, "_", " "))
	if len(words) > 1 && words[0] == "z" {
		return "z of " + strings.Join(upper(words[1:]), " ")
	}
	s := strings.Join(upper(words), " ")
	if s == "" {
		return name
	}
	r := []rune(s)
	return strings.ToUpper(string(r[0])) + string(r[1:])
}

// upper writes the abbreviations among words as such.
func upper(words []string) []string {
	for i, w := range words {
		switch w {
		case "auc", "ci", "se", "sd":
			words[i] = strings.ToUpper(w)
		}
	}
	return words
}

// candidatesTable lists candidates by rank, the winner strong, what the
// ranking is about first.
func candidatesTable(p params, f *frame) *tableView {
	if f.rows() == 0 {
		return nil
	}
	rows := make([]int, f.rows())
	for i := range rows {
		rows[i] = i
	}
	rank := f.column("rank")
	slices.SortStableFunc(rows, func(a, b int) int {
		x, okX := number(rank, a)
		y, okY := number(rank, b)
		switch {
		case okX && okY:
			return cmp.Compare(x, y)
		case okX:
			return -1
		case okY:
			return 1
		}
		return 0
	})
	var order []string
	for _, name := range append([]string{"rank", "layer", "epoch", p.Quality, p.Effect}, f.names...) {
		if f.column(name) != nil && !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	t := tableFrom(f, order, rows)
	for r := range t.Rows {
		if truth(f.column("winner"), rows[r]) {
			for c := range t.Rows[r] {
				t.Rows[r][c].Strong = true
			}
		}
	}
	if len(t.Rows) > openRows {
		t.Rest = &tableView{Head: t.Head, Rows: t.Rows[openRows:], More: t.More}
		t.Rows, t.More = t.Rows[:openRows], 0
	}
	return t
}

// testsTable lists statistical tests: what was tested in words, and the
// interval in one column.
func testsTable(f *frame) *tableView {
	if f.rows() == 0 {
		return nil
	}
	low, high := f.column("ci_low", "ci_lower"), f.column("ci_high", "ci_upper")
	shown, heading := &frame{}, intervalHeading(f)
	_, known := level(f)
	for c, name := range f.names {
		switch name {
		case "level":
			if !known {
				shown.names, shown.cells = append(shown.names, name), append(shown.cells, f.cells[c])
			}
		case "test":
			shown.names, shown.cells = append(shown.names, name), append(shown.cells, testNames(f))
		case "term":
			if f.column("test") == nil {
				shown.names, shown.cells = append(shown.names, name), append(shown.cells, f.cells[c])
			}
		case "ci_low", "ci_lower":
			if high == nil {
				shown.names, shown.cells = append(shown.names, name), append(shown.cells, f.cells[c])
				continue
			}
			shown.names, shown.cells = append(shown.names, heading), append(shown.cells, intervals(f, low, high))
		case "ci_high", "ci_upper":
			if low == nil {
				shown.names, shown.cells = append(shown.names, name), append(shown.cells, f.cells[c])
			}
		default:
			shown.names, shown.cells = append(shown.names, name), append(shown.cells, f.cells[c])
		}
	}
	// What the rows are about, which a matrix adds at the end, comes first.
	if i := slices.Index(shown.names, "metric"); i > 0 {
		cells := shown.cells[i]
		shown.names = slices.Insert(slices.Delete(shown.names, i, i+1), 0, "metric")
		shown.cells = slices.Insert(slices.Delete(shown.cells, i, i+1), 0, cells)
	}
	return tableOf(shown)
}

// intervalHeading names a column of intervals, with their level where it is
// known.
func intervalHeading(f *frame) string {
	return strings.ReplaceAll(levelWords(f), " ", "_") + "confidence_interval"
}

// intervals writes "low to high" with the decimals of the estimates.
func intervals(f *frame, low, high []any) []any {
	write, _ := writer("", slices.Concat(f.column("estimate"), low, high))
	cells := make([]any, f.rows())
	for i := range cells {
		if low[i] != nil && high[i] != nil {
			cells[i] = numeral(write(low[i]) + " to " + write(high[i]))
		}
	}
	return cells
}

// testNames says in words what each row tests; a test it does not know keeps
// its name and term.
func testNames(f *frame) []any {
	test, term := f.column("test"), f.column("term")
	cells := make([]any, f.rows())
	for i := range cells {
		name, of := text(test[i]), ""
		if term != nil && term[i] != nil {
			of = text(term[i])
		}
		switch {
		case name == "slope" && of == "lambda":
			cells[i] = "Slope: change of the score per unit of λ"
		case name == "trend" && of == "lambda":
			cells[i] = "Monotone trend over λ (rank correlation)"
		case name == "contrast":
			cells[i] = contrastName(of)
		case of == "":
			cells[i] = name
		default:
			cells[i] = name + ": " + of
		}
	}
	return cells
}

// contrastName turns "1 - -1" into words; other names stay.
func contrastName(term string) string {
	high, low, ok := strings.Cut(term, " - ")
	if !ok {
		return strings.TrimSuffix("Contrast: "+term, ": ")
	}
	for _, side := range []*string{&high, &low} {
		v, err := strconv.ParseFloat(*side, 64)
		if err != nil {
			return "Contrast: " + term
		}
		*side = "λ = " + signed(v)
	}
	return "Difference: mean at " + high + " less mean at " + low
}
