package proportion

import (
	"fmt"
	"math"
)

// McNemar tests whether the two margins of a k x k table of paired categories
// agree, as R's mcnemar.test (for k > 2 Bowker's test of symmetry): the sum over
// pairs i < j of (n_ij - n_ji)^2 / (n_ij + n_ji), df = k (k-1) / 2. correct takes
// 1 from |n_12 - n_21| of a 2 x 2 table. The estimate of a 2 x 2 table is the
// paired odds ratio n_12 / n_21, its limits those of the exact binomial
// n_12 of n_12 + n_21, turned into odds.
func (t *Table) McNemar(correct bool, level float64) (Test, error) {
	off, err := t.discordant()
	if err != nil {
		return Test{}, err
	}
	if err := checkLevel(level); err != nil {
		return Test{}, err
	}
	r := Test{
		Method: "McNemar's chi-squared test", Estimate: math.NaN(), Interval: Interval{math.NaN(), math.NaN()},
		DF: float64(len(t.Counts) * (len(t.Counts) - 1) / 2),
	}
	differ := 0
	for _, p := range off {
		differ += p[0] + p[1]
	}
	if differ == 0 {
		return Test{}, fmt.Errorf("no discordant pair: both members of every pair have the same category, so nothing can be tested")
	}
	for _, p := range off {
		sum := float64(p[0] + p[1])
		if sum == 0 {
			// R drops the 0/0 of a pair never seen but keeps its degree of freedom:
			// it gives NaN there. The pair says nothing, so it counts for nothing.
			r.DF--
			continue
		}
		d := math.Abs(float64(p[0] - p[1]))
		if correct && len(t.Counts) == 2 && d > 0 {
			d--
			r.Corrected = 1
		}
		r.Statistic += d * d / sum
	}
	if r.Corrected > 0 {
		r.Method += " with continuity correction"
	}
	r.P = chiSquareUpper(r.Statistic, r.DF)
	if len(t.Counts) == 2 {
		if err := r.pairedOdds(off[0], level); err != nil {
			return Test{}, err
		}
	}
	return r, nil
}

// McNemarExact is the two-sided (or one-sided) binomial test that a discordant
// pair of a 2 x 2 table falls either way with probability 1/2.
func (t *Table) McNemarExact(a Alternative, level float64) (Test, error) {
	off, err := t.discordant()
	if err != nil {
		return Test{}, err
	}
	if len(t.Counts) != 2 {
		return Test{}, fmt.Errorf("the exact McNemar test is for 2 x 2 tables; this one is %d x %d", len(t.Counts), len(t.Counts))
	}
	s := Sample{off[0][0], off[0][0] + off[0][1]}
	if s.N == 0 {
		return Test{}, fmt.Errorf("no discordant pair: both members of every pair have the same category, so nothing can be tested")
	}
	r, err := Exact(s, 0.5, a, level)
	if err != nil {
		return Test{}, err
	}
	r.Method = "exact McNemar test"
	r.Estimate, r.Lower, r.Upper = odds(s.P()), odds(r.Lower), odds(r.Upper)
	return r, nil
}

func (r *Test) pairedOdds(p [2]int, level float64) error {
	s := Sample{p[0], p[0] + p[1]}
	i, err := s.Limits(ClopperPearson, level)
	if err != nil {
		return err
	}
	r.Estimate, r.Interval = odds(s.P()), Interval{odds(i.Lower), odds(i.Upper)}
	return nil
}

func odds(p float64) float64 { return p / (1 - p) }

// discordant lists (n_ij, n_ji) for i < j.
func (t *Table) discordant() ([][2]int, error) {
	k := len(t.Counts)
	if k < 2 {
		return nil, fmt.Errorf("a table of pairs needs at least two categories; got %d", k)
	}
	for i, r := range t.Counts {
		if len(r) != k {
			return nil, fmt.Errorf("a table of pairs must be square with the same categories in rows and columns; it has %d rows and %d columns in row %s", k, len(r), label(t.Rows, i))
		}
		for j, n := range r {
			if n < 0 {
				return nil, fmt.Errorf("count %d in row %s, column %s is negative", n, label(t.Rows, i), label(t.Cols, j))
			}
		}
	}
	var off [][2]int
	for i := range k {
		for j := i + 1; j < k; j++ {
			off = append(off, [2]int{t.Counts[i][j], t.Counts[j][i]})
		}
	}
	return off, nil
}
