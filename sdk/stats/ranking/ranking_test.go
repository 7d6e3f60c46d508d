package ranking

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

type estimates struct {
	Coef, SE, Other []float64
	OtherSE         []float64 `json:"other_se"`
	LogLik          float64
}

type ranked struct {
	Rankings []struct {
		Places [][]int
		Below  []int
		W      float64
	}
	estimates
}

type reference struct {
	BT struct {
		First, Second, Win      []int
		Plain, Order, Covariate estimates
		Z, Quasi                []float64
	}
	PL, Ties ranked
	Davidson struct {
		Tie []int
		estimates
	}
	Pseudo struct{ Coef, SE []float64 }
}

var names = strings.Fields("a b c d e f")

func load(t *testing.T) reference {
	t.Helper()
	b, err := os.ReadFile("testdata/reference.json")
	must(t, err)
	var r reference
	must(t, json.Unmarshal(b, &r))
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-8*math.Max(1, math.Abs(want))) {
		t.Errorf("%s: got %.12g, want %.12g", what, got, want)
	}
}

func (e estimates) check(t *testing.T, what string, m *Model) {
	t.Helper()
	for i, v := range e.Coef {
		near(t, what+" log-worth of "+m.Items[i], m.LogWorth[i], v)
		near(t, what+" SE of "+m.Items[i], math.Sqrt(m.Covariance.At(i, i)), e.SE[i])
	}
	if len(m.Other) != len(e.Other) {
		t.Fatalf("%s: other parameters %+v, want %v", what, m.Other, e.Other)
	}
	for i, v := range e.Other {
		near(t, what+" "+m.Other[i].Name, m.Other[i].Estimate, v)
		near(t, what+" SE of "+m.Other[i].Name, m.Other[i].SE, e.OtherSE[i])
	}
	near(t, what+" log-likelihood", m.LogLik, e.LogLik)
}

func (r reference) comparisons(ties bool) []Comparison {
	var out []Comparison
	for i := range r.BT.First {
		c := Comparison{First: r.BT.First[i], Second: r.BT.Second[i], Outcome: SecondWins}
		if r.BT.Win[i] == 1 {
			c.Outcome = FirstWins
		}
		if ties && r.Davidson.Tie[i] == 1 {
			c.Outcome = Tie
		}
		out = append(out, c)
	}
	return out
}

func (r ranked) rankings() []Ranking {
	var out []Ranking
	for _, v := range r.Rankings {
		out = append(out, Ranking{v.Places, v.Below, v.W})
	}
	return out
}

func TestBradleyTerryAgainstGlm(t *testing.T) {
	r := load(t)
	first := Options{Constraint: ReferenceItem}
	m, err := Compare(names, r.comparisons(false), first)
	must(t, err)
	r.BT.Plain.check(t, "plain", m)
	se, worst, err := m.QuasiSE()
	must(t, err)
	for i, v := range r.BT.Quasi {
		if math.Abs(se[i]-v) > 1e-5 {
			t.Errorf("quasi-SE of %s: got %v, want %v", names[i], se[i], v)
		}
	}
	want := 0.0
	for i := range names {
		for j := range i {
			d, err := m.Difference(i, j, 0.95)
			must(t, err)
			want = math.Max(want, math.Abs(math.Hypot(r.BT.Quasi[i], r.BT.Quasi[j])/d.SE-1))
		}
	}
	if math.Abs(worst-want) > 1e-4 {
		t.Errorf("the worst miss of a difference's SE is %v, by R's quasi-SEs %v", worst, want)
	}
	first.Order = true
	m, err = Compare(names, r.comparisons(false), first)
	must(t, err)
	r.BT.Order.check(t, "order", m)
	m, err = Compare(names, r.comparisons(false), Options{Covariates: mat.NewDense(6, 1, r.BT.Z), CovariateNames: []string{"z"}})
	must(t, err)
	r.BT.Covariate.check(t, "covariate", m)
	m, err = Compare(names, r.comparisons(true), Options{Constraint: ReferenceItem})
	must(t, err)
	r.Davidson.check(t, "Davidson", m)
}

func TestPlackettLuceAgainstListedSets(t *testing.T) {
	r := load(t)
	o := Options{Constraint: ReferenceItem}
	m, err := Rank(names, r.PL.rankings(), o)
	must(t, err)
	r.PL.check(t, "rankings", m)
	m, err = Rank(names, r.Ties.rankings(), o)
	must(t, err)
	r.Ties.check(t, "ties", m)
	few := r.PL.rankings()[:3]
	m, err = Rank(names, few, Options{Pseudo: 0.5})
	must(t, err)
	for i, v := range r.Pseudo.Coef {
		near(t, "pseudo log-worth", m.LogWorth[i], v)
		near(t, "pseudo SE", math.Sqrt(m.Covariance.At(i, i)), r.Pseudo.SE[i])
	}
}

// Constraints change the level and nothing else; equal worths are the null.
func TestConstraintsAndTests(t *testing.T) {
	r := load(t)
	a, err := Rank(names, r.Ties.rankings(), Options{})
	must(t, err)
	b, err := Rank(names, r.Ties.rankings(), Options{Constraint: ReferenceItem, Reference: 3})
	must(t, err)
	sum, worth := 0.0, 0.0
	for i := range names {
		sum += a.LogWorth[i]
		worth += b.Worths()[i]
		near(t, "worth", a.Worths()[i], b.Worths()[i])
	}
	near(t, "sum of log-worths", sum, 0)
	near(t, "sum of worths", worth, 1)
	near(t, "reference", b.LogWorth[3], 0)
	da, err := a.Difference(0, 4, 0.95)
	must(t, err)
	db, err := b.Difference(0, 4, 0.95)
	must(t, err)
	near(t, "difference", da.Estimate, db.Estimate)
	near(t, "its SE", da.SE, db.SE)
	stat, df, p, err := a.Equal()
	must(t, err)
	if df != 5 || !(stat > 20) || !(p < 1e-3) || stat > -2*a.NullLogLik {
		t.Errorf("test of equal worths: %v on %v, p %v", stat, df, p)
	}
	// Without ties the null log-likelihood is -log of the number of orders.
	c, err := Rank(names[:3], []Ranking{{Places: [][]int{{0}, {1}, {2}}}, {Places: [][]int{{1}, {2}, {0}}}, {Places: [][]int{{2}, {0}, {1}}, Weight: 2}}, Options{})
	must(t, err)
	near(t, "null", c.NullLogLik, -4*math.Log(6))
	near(t, "choices", c.Choices, 8)
}

func TestUnconnectedItemsAreNamed(t *testing.T) {
	var e *ConnectionError
	_, err := Rank(names, []Ranking{{Places: [][]int{{0}, {1}}}, {Places: [][]int{{1}, {0}}}, {Places: [][]int{{2}, {3}, {4}, {5}}}}, Options{})
	if !errors.As(err, &e) || !e.Apart || fmt.Sprint(e.Groups) != "[[a b] [c d e f]]" && fmt.Sprint(e.Groups) != "[[c d e f] [a b]]" {
		t.Errorf("apart: got %v", err)
	}
	_, err = Rank(names[:4], []Ranking{{Places: [][]int{{2}, {3}}}, {Places: [][]int{{3}, {2}}}, {Places: [][]int{{2}, {0, 1}}}}, Options{})
	if !errors.As(err, &e) || e.Apart || fmt.Sprint(e.Groups) != "[[c d] [a b]]" {
		t.Errorf("one way: got %v", err)
	}
	if !strings.Contains(err.Error(), "{c, d} {a, b}") {
		t.Errorf("the message does not name the groups: %v", err)
	}
	if _, err = Rank(names[:4], []Ranking{{Places: [][]int{{2}, {3}}}}, Options{Pseudo: 0.5}); err != nil {
		t.Errorf("pseudo-comparisons: %v", err)
	}
}

func TestBadInputNamesTheCause(t *testing.T) {
	one := []Comparison{{First: 0, Second: 1}}
	for _, c := range []struct {
		want string
		call func() error
	}{
		{"at least two items", func() error { _, err := Rank(names[:1], []Ranking{{Places: [][]int{{0}}}}, Options{}); return err }},
		{"nothing was compared", func() error { _, err := Rank(names, []Ranking{{Places: [][]int{{2}}}}, Options{}); return err }},
		{"ranking 1: item 9 does not exist", func() error { _, err := Rank(names, []Ranking{{Places: [][]int{{9}, {1}}}}, Options{}); return err }},
		{"item 1 occurs twice", func() error { _, err := Rank(names, []Ranking{{Places: [][]int{{1}, {1}}}}, Options{}); return err }},
		{"compared with itself", func() error { _, err := Compare(names, []Comparison{{}}, Options{}); return err }},
		{"every comparison is a tie", func() error {
			_, err := Compare(names[:2], []Comparison{{First: 0, Second: 1, Outcome: Tie}}, Options{})
			return err
		}},
		{"same for all items", func() error {
			_, err := Compare(names[:2], one, Options{Covariates: mat.NewDense(2, 1, []float64{4, 4}), CovariateNames: []string{"z"}})
			return err
		}},
		{"no finite estimates", func() error {
			_, err := Compare(names[:2], one, Options{Covariates: mat.NewDense(2, 1, []float64{4, 5}), CovariateNames: []string{"z"}})
			return err
		}},
		{"rank of item 2 is -1", func() error { _, err := FromRanks([]float64{1, -1}); return err }},
	} {
		if err := c.call(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestFromRanks(t *testing.T) {
	r, err := FromRanks([]float64{3, 1, math.NaN(), 1, 0, 7})
	must(t, err)
	if got := fmt.Sprint(r.Places); got != "[[1 3] [0] [5]]" {
		t.Errorf("got %s", got)
	}
}

func FuzzRank(f *testing.F) {
	f.Add([]byte{1, 2, 3, 3, 2, 1}, 0.5)
	f.Fuzz(func(t *testing.T, b []byte, pseudo float64) {
		if len(b) > 64 {
			t.Skip()
		}
		var all []Ranking
		for ; len(b) >= 3; b = b[3:] {
			r, err := FromRanks([]float64{float64(b[0] % 5), float64(b[1] % 5), float64(b[2] % 5)})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
		m, err := Rank(names[:3], all, Options{Pseudo: pseudo})
		if err != nil {
			return
		}
		for i, v := range m.LogWorth {
			if math.IsNaN(v) || math.IsInf(v, 0) || !(m.Covariance.At(i, i) >= 0) {
				t.Errorf("log-worth %v with variance %v", v, m.Covariance.At(i, i))
			}
		}
	})
}
