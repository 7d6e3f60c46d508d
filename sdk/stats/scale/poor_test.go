package scale

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

var nan = math.NaN()

func repeat(n int, pattern ...float64) []float64 {
	var out []float64
	for len(out) < n {
		out = append(out, pattern...)
	}
	return out[:n]
}

// answers are items of one trait, in four categories.
func answers(rows, items int, seed uint64) *Items {
	rnd := rand.New(rand.NewPCG(seed, 9))
	it := &Items{}
	for j := range items {
		it.Names = append(it.Names, string(rune('a'+j)))
		it.Columns = append(it.Columns, make([]float64, rows))
	}
	for i := range rows {
		trait := rnd.NormFloat64()
		for j := range items {
			it.Columns[j][i] = math.Max(0, math.Min(3, math.Round(1.5+0.8*trait+0.7*rnd.NormFloat64())))
		}
	}
	return it
}

func TestItemsThatCannotBeUsedAreNamed(t *testing.T) {
	it := answers(60, 4, 1)
	it.Names = append(it.Names, "constant", "empty", "single")
	single := repeat(60, nan)
	single[7] = 2
	it.Columns = append(it.Columns, repeat(60, 3), repeat(60, nan), single)
	for _, m := range []Method{Polychoric, Pearson, Spearman} {
		o := Defaults()
		o.Method = m
		c, err := Correlate(it, o)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Names) != 4 || len(c.Excluded) != 3 {
			t.Fatalf("%v, excluded %v", c.Names, c.Excluded)
		}
		for i, want := range []string{`"constant" is left out: all 60 answers are 3`, `"empty" is left out: no row`, `"single" is left out: only one row`} {
			if got := c.Excluded[i].String(); !strings.Contains(got, want) {
				t.Errorf("%s: %s, want %s", m, got, want)
			}
		}
		finite(t, c.R)
	}
}

func finite(t *testing.T, m mat.Matrix) {
	t.Helper()
	r, c := m.Dims()
	for i := range r {
		for j := range c {
			if v := m.At(i, j); math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("entry %d, %d is %g", i, j, v)
			}
		}
	}
}

func TestPairsWithoutACorrelationAreNamed(t *testing.T) {
	it := answers(40, 3, 2)
	for i := range 40 { // a and b are never both answered
		it.Columns[i%2][i] = nan
	}
	c, err := Correlate(it, Defaults())
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Undefined) != 1 || c.Undefined[0].Text != "0 rows answer both" || !math.IsNaN(c.R.At(0, 1)) {
		t.Fatalf("undefined %v", c.Undefined)
	}
	_, err = Factor(c, FactorDefaults(1))
	if err == nil || !strings.Contains(err.Error(), `"a" with "b"`) {
		t.Errorf("factoring it: %v", err)
	}
	if _, err := CronbachAlpha(it, CorrelationOptions{Method: Pearson}, 0.95); err == nil || !strings.Contains(err.Error(), `"a" with "b"`) {
		t.Errorf("alpha: %v", err)
	}
	o := Defaults()
	o.Complete = true
	if _, err := Correlate(it, o); err == nil || !strings.Contains(err.Error(), `0 of 40 rows answer every item, and complete rows were asked for: leave an item out (fewest answers: "a", 20)`) {
		t.Errorf("complete rows: %v", err)
	}
}

func TestErrorsOfCorrelations(t *testing.T) {
	it := answers(50, 3, 3)
	wide := &Items{Names: []string{"age", "b"}, Columns: [][]float64{make([]float64, 50), it.Columns[1]}}
	for i := range wide.Columns[0] {
		wide.Columns[0][i] = float64(i)
	}
	for _, x := range []struct {
		items *Items
		edit  func(*CorrelationOptions)
		want  string
	}{
		{it, func(o *CorrelationOptions) { o.Method = "kendall" }, "polychoric, pearson, spearman"},
		{it, func(o *CorrelationOptions) { o.Correct = -1 }, "correction"},
		{it, func(o *CorrelationOptions) { o.MaxCategories = 1 }, "at most 1"},
		{wide, func(*CorrelationOptions) {}, `"age" has 50 different answers`},
		{&Items{Names: []string{"x", "y"}, Columns: [][]float64{repeat(9, 1), repeat(9, 1, 2)}}, func(*CorrelationOptions) {}, `"x" is left out`},
	} {
		o := Defaults()
		x.edit(&o)
		if _, err := Correlate(x.items, o); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("error %v, want %q", err, x.want)
		}
	}
	for _, x := range []struct {
		names   []string
		columns [][]float64
		want    string
	}{{nil, nil, "no items"}, {[]string{"a", "a"}, [][]float64{{1}, {1}}, "twice"}, {[]string{"a", "b"}, [][]float64{{1}, {}}, "rows"}, {[]string{"a"}, [][]float64{{math.Inf(1)}}, "infinite"}} {
		if _, err := NewItems(x.names, x.columns); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("error %v, want %q", err, x.want)
		}
	}
}

// Two items that agree perfectly have no maximum inside (-1, 1): corrected and
// noted, or undefined.
func TestBoundaryIsSaid(t *testing.T) {
	it := &Items{Names: []string{"a", "b"}, Columns: [][]float64{repeat(60, 1, 2, 3), repeat(60, 1, 2, 3)}}
	o := Defaults()
	c, err := Correlate(it, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.PairNotes) != 1 || !strings.Contains(strings.Join(c.Notes(), " "), `"a" with "b": empty cells count 0.5`) || c.R.At(0, 1) < 0.9 || c.R.At(0, 1) >= 1 {
		t.Errorf("r %g, notes %v", c.R.At(0, 1), c.Notes())
	}
	o.Correct = 0
	if c, err = Correlate(it, o); err != nil {
		t.Fatal(err)
	}
	if len(c.Undefined) != 1 || !strings.Contains(c.Undefined[0].Text, "no maximum inside") {
		t.Errorf("undefined %v", c.Undefined)
	}
}

func TestErrorsOfFactoring(t *testing.T) {
	it := answers(200, 5, 4)
	c, err := Correlate(it, Defaults())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		edit func(*FactorOptions)
		want string
	}{
		{func(o *FactorOptions) { o.Factors = 0 }, "ask for 1 or more"},
		{func(o *FactorOptions) { o.Factors = 3 }, "at most 2"},
		{func(o *FactorOptions) { o.Extraction = "pa" }, "minres, ml"},
		{func(o *FactorOptions) { o.Factors, o.Rotation.Rotation = 2, "equamax" }, "none, varimax, quartimax"},
	} {
		o := FactorDefaults(1)
		x.edit(&o)
		if _, err := Factor(c, o); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("error %v, want %q", err, x.want)
		}
	}
	// ML can't do without a positive definite matrix.
	bad := mat.NewSymDense(3, []float64{1, .9, .2, .9, 1, .9, .2, .9, 1})
	o := FactorDefaults(1)
	o.Extraction = ML
	if _, err := Factor(&Correlation{Names: []string{"a", "b", "c"}, R: bad, Rows: 50}, o); err == nil || !strings.Contains(err.Error(), "not positive definite") {
		t.Errorf("error %v", err)
	}
	// No degrees of freedom: no index, and it says so.
	three, err := Correlate(answers(200, 3, 4), Defaults())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Factor(three, FactorDefaults(1))
	if err != nil || s.Fit.Indexed || len(s.Fit.Note) == 0 || s.Fit.DF != 0 {
		t.Errorf("fit %+v, error %v", s.Fit, err)
	}
	if MostFactors(6) != 3 || MostFactors(3) != 1 || MostFactors(25) != 18 {
		t.Errorf("most factors %d %d %d", MostFactors(6), MostFactors(3), MostFactors(25))
	}
	if _, err := Rotate(s.Unrotated, RotationOptions{Rotation: "x"}); err != nil {
		t.Errorf("one factor is not rotated, whatever the rotation: %v", err)
	}
	if _, err := oneFactor(t, c).Scorer(it.Select([]int{0, 0, 0}), ScoreOptions{Method: Thurstone}); err == nil || !strings.Contains(err.Error(), `item "a" can't be standardised`) {
		t.Errorf("constant baseline: %v", err)
	}
}

// oneFactor is c's one-factor solution.
func oneFactor(t *testing.T, c *Correlation) *Solution {
	t.Helper()
	s, err := Factor(c, FactorDefaults(1))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A criterion without a minimum is an error, not endless loadings.
func TestRotationWithoutMinimum(t *testing.T) {
	ref, _ := load(t)
	if got, err := Rotate(dense(ref.Minres.Unrotated), RotationOptions{Rotation: Oblimin, Gamma: 3}); err == nil && got.Converged {
		t.Errorf("gamma 3 gave a converged solution with criterion %g", got.Criterion)
	}
}

func TestAlphaOfItemsKeyedApart(t *testing.T) {
	it := answers(100, 4, 5)
	turned, err := it.Reverse([]string{"b"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := CronbachAlpha(turned, CorrelationOptions{Method: Pearson}, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(a.Notes, " "), `item "b" goes against the others`) {
		t.Errorf("notes %v", a.Notes)
	}
	back, err := turned.Reverse([]string{"b"})
	if err != nil {
		t.Fatal(err)
	}
	nearAll(t, "reversed twice", back.Columns[1], it.Columns[1], 0)
	if _, err := it.Reverse([]string{"z"}); err == nil || !strings.Contains(err.Error(), "a, b, c, d") {
		t.Errorf("error %v", err)
	}
	opposite := &Items{Names: []string{"a", "b"}, Columns: [][]float64{repeat(8, 1, 2), repeat(8, 2, 1)}}
	if _, err := CronbachAlpha(opposite, CorrelationOptions{Method: Pearson}, 0.95); err == nil || !strings.Contains(err.Error(), "no variance") {
		t.Errorf("error %v", err)
	}
}

func TestParallelIsSeeded(t *testing.T) {
	it := answers(80, 4, 6)
	run := func(seed uint64) []Parallel {
		out, _, err := ParallelAnalysis(it, ParallelOptions{Reference: Permuted, Iterations: 5, Percentile: 0.95, Correlation: Defaults(), Rand: rand.New(rand.NewPCG(seed, 1))}, Components)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	nearAll(t, "the same seed", run(1)[0].Mean, run(1)[0].Mean, 0)
	if run(1)[0].Mean[0] == run(2)[0].Mean[0] {
		t.Error("another seed gives the same")
	}
	for _, o := range []ParallelOptions{{Reference: Normal, Iterations: 0, Percentile: .95, Rand: rand.New(rand.NewPCG(1, 1))}, {Reference: "x", Iterations: 9, Percentile: .95, Rand: rand.New(rand.NewPCG(1, 1))}, {Reference: Normal, Iterations: 9, Percentile: 1, Rand: rand.New(rand.NewPCG(1, 1))}} {
		o.Correlation = Defaults()
		if _, _, err := ParallelAnalysis(it, o, Components); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

// Whatever the answers: a finite correlation in (-1, 1) or a reason.
func FuzzPolychoric(f *testing.F) {
	f.Add([]byte("\x00\x11\x22\x12\x21"), true, 0.5)
	f.Add([]byte("\x00\x10\x20\x01\xf1\x02\x22"), false, 0.0)
	f.Add([]byte("\x00X779B!"), true, 0.05)
	f.Fuzz(func(t *testing.T, data []byte, byPair bool, correct float64) {
		it := &Items{Names: []string{"a", "b"}, Columns: make([][]float64, 2)}
		for _, b := range data {
			for j, v := range []byte{b >> 4, b & 15} {
				x := float64(v)
				if v == 15 {
					x = nan
				}
				it.Columns[j] = append(it.Columns[j], x)
			}
		}
		o := Defaults()
		o.PairThresholds, o.Correct, o.MaxCategories = byPair, correct, 16
		c, err := Correlate(it, o)
		if err != nil {
			return
		}
		r := c.R.At(0, 1)
		if len(c.Undefined) > 0 {
			if !math.IsNaN(r) || c.Undefined[0].Text == "" {
				t.Fatalf("undefined, and %g", r)
			}
			return
		}
		if !(math.Abs(r) < 1) {
			t.Fatalf("correlation %g", r)
		}
	})
}

func BenchmarkParallelFactors(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		if _, err := roots(wishart(25, 2799, rnd), CommonFactors); err != nil {
			b.Fatal(err)
		}
	}
}
