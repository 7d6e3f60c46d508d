package scale

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// reference is what R printed (testdata/scale.R).
type reference struct {
	Names             []string
	X                 [][]*float64
	Thresholds        []oneOrMore
	PolyItem          [][]float64 `json:"poly_item"`
	PolyPair          [][]float64 `json:"poly_pair"`
	PolyPairPsych     [][]float64 `json:"poly_pair_psych"`
	Polycor12         struct{ Rho, SE float64 }
	Pearson, Spearman [][]float64
	PearsonComplete   [][]float64 `json:"pearson_complete"`
	Minres            struct {
		Unrotated   [][]float64
		Communality []float64
		Fit         fitReference
	}
	ML struct {
		Uniqueness []float64
		Unrotated  [][]float64
		Fit        fitReference
	}
	Rotations map[string]struct {
		Loadings, Phi [][]float64
		F             float64
	}
	Promax       struct{ Loadings, Phi [][]float64 } `json:"promax_of_kaiser_varimax"`
	PsychOblimin struct {
		Loadings, Phi, Structure [][]float64
		SS, Complexity           []float64
	} `json:"psych_oblimin"`
	Adequacy struct {
		KMO, Chi, P float64
		Items       []float64
		DF          int
	}
	Scores struct {
		Baseline                              int
		Thurstone, Tenberge, Bartlett, Scores [][]*float64
		ThurstonePoly                         [][]*float64 `json:"thurstone_poly"`
		R2                                    []float64
	}
	Alpha struct {
		Raw, Std, Lower, Upper float64
		MeanR                  float64   `json:"mean_r"`
		MedianR                float64   `json:"median_r"`
		DropRaw                []float64 `json:"drop_raw"`
		DropStd                []float64 `json:"drop_std"`
		RDrop                  []float64 `json:"r_drop"`
		Mean, SD               []float64
	}
	OrdinalAlpha float64 `json:"ordinal_alpha"`
	OmegaTotal   float64 `json:"omega_total"`
	Omega        struct{ H, Total, ECV float64 }
	Smooth       struct{ R, Out [][]float64 }
	Parallel     struct {
		Mean, Q95, SD []float64
		N             int
	}
	Heywood struct {
		R        [][]float64
		Loadings []float64
	}
	RMSEA struct {
		X, DF, Upper float64
		F            []float64
	} `json:"rmsea_ncp"`
}

type fitReference struct {
	DF                                      int
	Objective, Chi, P, RMSEA, TLI, BIC, RMS float64
}

// fitReference's rmsea is psych's estimate, lower, upper and level.
func (f *fitReference) UnmarshalJSON(data []byte) error {
	var raw struct {
		DF                               int
		Objective, Chi, P, TLI, BIC, RMS float64
		RMSEA                            []float64
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*f = fitReference{raw.DF, raw.Objective, raw.Chi, raw.P, raw.RMSEA[0], raw.TLI, raw.BIC, raw.RMS}
	return nil
}

// oneOrMore reads a vector that R writes as a number where it has length 1.
type oneOrMore []float64

func (o *oneOrMore) UnmarshalJSON(data []byte) error {
	var one float64
	if json.Unmarshal(data, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(data, (*[]float64)(o))
}

func load(t *testing.T) (reference, *Items) {
	t.Helper()
	data, err := os.ReadFile("testdata/scale.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref reference
	if err := json.Unmarshal(data, &ref); err != nil {
		t.Fatal(err)
	}
	columns := make([][]float64, len(ref.Names))
	for _, row := range ref.X {
		for j, v := range row {
			x := math.NaN()
			if v != nil {
				x = *v
			}
			columns[j] = append(columns[j], x)
		}
	}
	items, err := NewItems(ref.Names, columns)
	if err != nil {
		t.Fatal(err)
	}
	return ref, items
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %.12g, want %.12g (off by %.2g, allowed %.1g)", what, got, want, got-want, tolerance)
	}
}

func nearAll(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	worst, at := 0.0, 0
	for i := range got {
		if d := math.Abs(got[i] - want[i]); !(d <= worst) {
			worst, at = d, i
		}
	}
	if !(worst <= tolerance) {
		t.Errorf("%s: number %d is %.12g, want %.12g (off by %.2g, allowed %.1g)", what, at, got[at], want[at], worst, tolerance)
	}
}

// largest difference of two matrices.
func farthest(t *testing.T, got mat.Matrix, want [][]float64) float64 {
	t.Helper()
	r, c := got.Dims()
	if r != len(want) || c != len(want[0]) {
		t.Fatalf("%d by %d, want %d by %d", r, c, len(want), len(want[0]))
	}
	worst := 0.0
	for i := range r {
		for j := range c {
			d := math.Abs(got.At(i, j) - want[i][j])
			if math.IsNaN(d) {
				return d
			}
			worst = math.Max(worst, d)
		}
	}
	return worst
}

func nearMatrix(t *testing.T, what string, got mat.Matrix, want [][]float64, tolerance float64) {
	t.Helper()
	d := farthest(t, got, want)
	if !(d <= tolerance) {
		t.Errorf("%s: off by %.2g, allowed %.1g", what, d, tolerance)
	}
	t.Logf("%s: off by %.2g", what, d)
}

// aligned gives want's columns the order and signs of got's that fit best, and
// phi's rows and columns with them.
func aligned(got mat.Matrix, want, phi [][]float64) (loadings, turned [][]float64) {
	p, m := got.Dims()
	from, sign := make([]int, m), make([]float64, m)
	taken := make([]bool, m)
	for k := range m {
		best := -1.0
		for l := range m {
			dot := 0.0
			for i := range p {
				dot += got.At(i, k) * want[i][l]
			}
			if math.Abs(dot) > best && !taken[l] {
				best, from[k], sign[k] = math.Abs(dot), l, math.Copysign(1, dot)
			}
		}
		taken[from[k]] = true
	}
	for i := range p {
		row := make([]float64, m)
		for k := range m {
			row[k] = sign[k] * want[i][from[k]]
		}
		loadings = append(loadings, row)
	}
	for k := range m {
		row := make([]float64, m)
		for l := range m {
			if phi != nil {
				row[l] = sign[k] * sign[l] * phi[from[k]][from[l]]
			}
		}
		turned = append(turned, row)
	}
	return loadings, turned
}

func dense(rows [][]float64) *mat.Dense {
	out := mat.NewDense(len(rows), len(rows[0]), nil)
	for i, r := range rows {
		out.SetRow(i, r)
	}
	return out
}

func given(names []string, r [][]float64, rows int) *Correlation {
	return &Correlation{Method: Polychoric, Names: names, R: symmetric(dense(r)), Rows: rows}
}

func TestCorrelationsAgainstR(t *testing.T) {
	ref, items := load(t)
	o := Defaults()
	o.Smooth = false
	c, err := Correlate(items, o)
	if err != nil {
		t.Fatal(err)
	}
	nearMatrix(t, "polychoric, thresholds by item", c.R, ref.PolyItem, 1e-6)
	for j, want := range ref.Thresholds {
		nearAll(t, "thresholds of "+ref.Names[j], c.Thresholds[j], want, 1e-13)
	}
	o.PairThresholds = true
	if c, err = Correlate(items, o); err != nil {
		t.Fatal(err)
	}
	nearMatrix(t, "polychoric, thresholds by pair, corrected", c.R, ref.PolyPair, 1e-6)
	nearMatrix(t, "psych's own", c.R, ref.PolyPairPsych, 1e-4)
	// polycor maximises numerically; it corrects no cell, and this pair has
	// none that is empty.
	near(t, "polycor's rho", c.R.At(0, 1), ref.Polycor12.Rho, 1e-4)
	near(t, "polycor's standard error", c.SE.At(0, 1)/ref.Polycor12.SE, 1, 0.02) // observed information there

	for _, x := range []struct {
		method   Method
		complete bool
		want     [][]float64
	}{{Pearson, false, ref.Pearson}, {Spearman, false, ref.Spearman}, {Pearson, true, ref.PearsonComplete}} {
		c, err := Correlate(items, CorrelationOptions{Method: x.method, Complete: x.complete})
		if err != nil {
			t.Fatal(err)
		}
		nearMatrix(t, string(x.method), c.R, x.want, 1e-13)
	}
}

func checkFit(t *testing.T, what string, f Fit, want fitReference, tolerance float64) {
	t.Helper()
	if f.DF != want.DF || !f.Tested || !f.Indexed {
		t.Errorf("%s: df %d (want %d), notes %v", what, f.DF, want.DF, f.Note)
	}
	near(t, what+" objective", f.Objective, want.Objective, tolerance)
	near(t, what+" chi-squared", f.ChiSquared, want.Chi, 400*tolerance)
	near(t, what+" p", f.P, want.P, 10*tolerance)
	near(t, what+" RMSEA", f.RMSEA, want.RMSEA, 10*tolerance)
	near(t, what+" TLI", f.TLI, want.TLI, 10*tolerance)
	near(t, what+" BIC", f.BIC, want.BIC, 400*tolerance)
	near(t, what+" RMSR", f.RMSR, want.RMS, tolerance)
	if !(f.RMSEALower <= f.RMSEA && f.RMSEA <= f.RMSEAUpper) {
		t.Errorf("%s: RMSEA %g outside [%g, %g]", what, f.RMSEA, f.RMSEALower, f.RMSEAUpper)
	}
}

func TestExtractionsAgainstPsychAndFactanal(t *testing.T) {
	ref, _ := load(t)
	c := given(ref.Names, ref.PolyItem, 400)
	o := FactorDefaults(3)
	o.Rotation.Rotation = Unrotated
	s, err := Factor(c, o)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := aligned(s.Loadings, ref.Minres.Unrotated, nil)
	nearMatrix(t, "minres", s.Loadings, want, 5e-4)
	nearAll(t, "communalities", s.Communality, ref.Minres.Communality, 5e-4)
	checkFit(t, "minres", s.Fit, ref.Minres.Fit, 1e-6)

	o.Extraction = ML
	if s, err = Factor(c, o); err != nil {
		t.Fatal(err)
	}
	want, _ = aligned(s.Loadings, ref.ML.Unrotated, nil)
	nearMatrix(t, "ML", s.Loadings, want, 5e-4)
	nearAll(t, "factanal's uniquenesses", s.Uniqueness, ref.ML.Uniqueness, 2e-5)
	checkFit(t, "ML", s.Fit, ref.ML.Fit, 1e-6)
	near(t, "noncentrality", noncentrality(ref.RMSEA.X, ref.RMSEA.DF, 0.95), ref.RMSEA.Upper, 1e-6)
	near(t, "F quantile", fQuantile(.975, 399, 1197), ref.RMSEA.F[0], 1e-9)
	near(t, "F quantile", fQuantile(.025, 399, 1197), ref.RMSEA.F[1], 1e-9)
}

// A minimum has no gradient: dF/dpsi by central differences of F itself, and
// the Hessian by those of the gradient.
func TestDiscrepancyDerivatives(t *testing.T) {
	ref, _ := load(t)
	r := symmetric(dense(ref.PolyItem))
	for _, ml := range []bool{false, true} {
		d := discrepancy{r: r, m: 3, ml: ml}
		x := make([]float64, 12)
		for i := range x {
			x[i] = 0.3 + 0.03*float64(i)
			if ml {
				x[i] = math.Log(x[i])
			}
		}
		at := func(i int, h float64) state {
			y := append([]float64(nil), x...)
			y[i] += h
			s, err := d.at(y)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		g, hessian, _ := d.derivatives(at(0, 0))
		const h = 1e-5
		for i := range x {
			up, down := at(i, h), at(i, -h)
			near(t, "gradient", g[i], (up.f-down.f)/(2*h), 1e-8)
			gu, _, _ := d.derivatives(up)
			gd, _, _ := d.derivatives(down)
			for j := range x {
				near(t, "Hessian", hessian.At(i, j), (gu[j]-gd[j])/(2*h), 1e-7)
			}
		}
	}
}

func TestRotationsAgainstGPArotation(t *testing.T) {
	ref, _ := load(t)
	a := dense(ref.Minres.Unrotated)
	for name, o := range map[string]RotationOptions{
		"oblimin": {Rotation: Oblimin}, "oblimin_kaiser": {Rotation: Oblimin, Kaiser: true}, "oblimin_gamma": {Rotation: Oblimin, Gamma: -1},
		"quartimin": {Rotation: Quartimin}, "varimax": {Rotation: Varimax}, "varimax_kaiser": {Rotation: Varimax, Kaiser: true}, "quartimax": {Rotation: Quartimax},
	} {
		for _, starts := range []int{1, 8} {
			o.Starts, o.Rand = starts, rand.New(rand.NewPCG(1, 2))
			got, err := Rotate(a, o)
			if err != nil {
				t.Fatal(err)
			}
			want := ref.Rotations[name]
			loadings, phi := aligned(got.Loadings, want.Loadings, want.Phi)
			nearMatrix(t, name, got.Loadings, loadings, 2e-6)
			nearMatrix(t, name+" Phi", got.Phi, phi, 2e-6)
			near(t, name+" criterion", got.Criterion, want.F, 1e-10)
			if !got.Converged {
				t.Errorf("%s did not converge", name)
			}
		}
	}
	got, err := Rotate(a, RotationOptions{Rotation: Promax, Kaiser: false})
	if err != nil {
		t.Fatal(err)
	}
	if !got.Converged {
		t.Error("promax did not converge")
	}
	// R's promax takes loadings that varimax has already scaled back, so give
	// it the same start: the rows unscaled.
	kaiser, err := Rotate(a, RotationOptions{Rotation: Varimax, Kaiser: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err = promaxTarget(&Rotated{Loadings: kaiser.Loadings, Converged: true}, 4)
	if err != nil {
		t.Fatal(err)
	}
	loadings, phi := aligned(got.Loadings, ref.Promax.Loadings, ref.Promax.Phi)
	nearMatrix(t, "promax", got.Loadings, loadings, 2e-6)
	nearMatrix(t, "promax Phi", got.Phi, phi, 2e-6)
}

func TestSolutionAgainstPsych(t *testing.T) {
	ref, _ := load(t)
	s, err := Factor(given(ref.Names, ref.PolyItem, 400), FactorDefaults(3))
	if err != nil {
		t.Fatal(err)
	}
	// Order and signs are psych's: nothing to align.
	nearMatrix(t, "loadings", s.Loadings, ref.PsychOblimin.Loadings, 5e-4)
	nearMatrix(t, "Phi", s.Phi, ref.PsychOblimin.Phi, 5e-4)
	nearMatrix(t, "structure", s.Structure, ref.PsychOblimin.Structure, 5e-4)
	nearAll(t, "sums of squares", s.SS, ref.PsychOblimin.SS, 1e-3)
	nearAll(t, "complexity", s.Complexity, ref.PsychOblimin.Complexity, 1e-3)
	a, err := given(ref.Names, ref.PolyItem, 400).Adequate(0)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "KMO", a.KMO, ref.Adequacy.KMO, 1e-12)
	nearAll(t, "KMO by item", a.Items, ref.Adequacy.Items, 1e-12)
	near(t, "Bartlett's chi-squared", a.ChiSquared, ref.Adequacy.Chi, 1e-8)
	near(t, "its log p", math.Log(a.P), math.Log(ref.Adequacy.P), 1e-6)
	if a.DF != ref.Adequacy.DF {
		t.Errorf("df %d", a.DF)
	}
}

func rows(m [][]*float64) [][]float64 {
	out := make([][]float64, len(m))
	for i, r := range m {
		for _, v := range r {
			x := math.NaN()
			if v != nil {
				x = *v
			}
			out[i] = append(out[i], x)
		}
	}
	return out
}

func TestScoresAgainstPsych(t *testing.T) {
	ref, items := load(t)
	loadings, phi := dense(ref.PsychOblimin.Loadings), symmetric(dense(ref.PsychOblimin.Phi))
	s := &Solution{Names: ref.Names, R: symmetric(dense(ref.PolyItem)), Loadings: loadings, Phi: phi, Structure: new(mat.Dense)}
	s.Structure.Mul(loadings, phi)
	var model mat.Dense
	model.Mul(s.Structure, loadings.T())
	for i := range ref.Names {
		s.Uniqueness = append(s.Uniqueness, 1-model.At(i, i))
	}
	var first []int
	for i := range ref.Scores.Baseline {
		first = append(first, i)
	}
	baseline := items.Select(first)
	for _, x := range []struct {
		method   ScoreMethod
		factored bool
		want     [][]*float64
	}{{Thurstone, false, ref.Scores.Thurstone}, {TenBerge, false, ref.Scores.Tenberge}, {Bartlett, false, ref.Scores.Bartlett}, {Thurstone, true, ref.Scores.ThurstonePoly}} {
		sc, err := s.Scorer(baseline, ScoreOptions{Method: x.method, Factored: x.factored})
		if err != nil {
			t.Fatal(err)
		}
		nearMatrix(t, string(x.method)+" weights", sc.Weights, rows(x.want), 1e-10)
		if x.method != Thurstone || x.factored {
			continue
		}
		scores, missing := sc.Score(items)
		for i, row := range rows(ref.Scores.Scores) {
			for k, want := range row {
				if math.IsNaN(want) != (missing[i] > 0) || math.IsNaN(want) != math.IsNaN(scores[k][i]) {
					t.Fatalf("row %d: %g of %d missing, want %g", i, scores[k][i], missing[i], want)
				}
				if !math.IsNaN(want) {
					near(t, "score", scores[k][i], want, 1e-10)
				}
			}
		}
	}
	sc, err := s.Scorer(baseline, ScoreOptions{Method: Thurstone, Factored: true})
	if err != nil {
		t.Fatal(err)
	}
	nearAll(t, "R2", sc.R2, ref.Scores.R2, 1e-10)
	sc, err = s.Scorer(baseline, ScoreOptions{Method: Thurstone, Standardise: true, MaxMissing: 2})
	if err != nil {
		t.Fatal(err)
	}
	scores, _ := sc.Score(baseline)
	for k := range scores {
		m, sd := moments(scores[k])
		near(t, "standardised mean", m, 0, 1e-12)
		near(t, "standardised sd", sd, 1, 1e-12)
	}
}

func TestReliabilityAgainstPsych(t *testing.T) {
	ref, items := load(t)
	turned, err := items.Reverse([]string{"q8"})
	if err != nil {
		t.Fatal(err)
	}
	part, err := turned.Pick(ref.Names[4:8])
	if err != nil {
		t.Fatal(err)
	}
	a, err := CronbachAlpha(part, CorrelationOptions{Method: Pearson}, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	want := ref.Alpha
	near(t, "alpha", a.Raw, want.Raw, 1e-12)
	near(t, "standardised", a.Standardised, want.Std, 1e-12)
	near(t, "lower", a.Lower, want.Lower, 1e-9)
	near(t, "upper", a.Upper, want.Upper, 1e-9)
	near(t, "mean r", a.MeanR, want.MeanR, 1e-12)
	near(t, "median r", a.MedianR, want.MedianR, 1e-12)
	for j, e := range a.Each {
		near(t, "without", e.WithoutRaw, want.DropRaw[j], 1e-12)
		near(t, "without, standardised", e.WithoutStandardised, want.DropStd[j], 1e-12)
		near(t, "r drop", e.RDrop, want.RDrop[j], 1e-12)
		near(t, "mean", e.Mean, want.Mean[j], 1e-12)
		near(t, "sd", e.SD, want.SD[j], 1e-12)
	}
	if len(a.Notes) > 0 {
		t.Errorf("notes %v", a.Notes)
	}
	ordinal, err := CronbachAlpha(part, Defaults(), 0.95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "ordinal alpha", ordinal.Standardised, ref.OrdinalAlpha, 1e-5)
	if ordinal.HasRaw {
		t.Error("ordinal alpha has no raw alpha")
	}

	r := symmetric(dense(ref.PolyItem))
	h, err := SchmidLeiman(&Correlation{Names: ref.Names, R: r, Rows: 400}, 3)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "omega hierarchical", h.OmegaH, ref.Omega.H, 5e-4)
	near(t, "omega total", h.OmegaTotal, ref.Omega.Total, 5e-4)
	near(t, "ECV", h.ECV, ref.Omega.ECV, 5e-4)
	if len(h.Reversed) != 1 || h.Reversed[0] != "q8" {
		t.Errorf("reversed %v", h.Reversed)
	}
	o, err := McDonaldOmega(&Correlation{Names: ref.Names[:6], R: symmetric(r.SliceSym(0, 6)), Rows: 400})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "omega", o.Total, ref.OmegaTotal, 5e-4)
}

func TestSmoothAgainstPsych(t *testing.T) {
	ref, _ := load(t)
	got, s, err := Smooth(symmetric(dense(ref.Smooth.R)))
	if err != nil || s == nil || s.Smallest >= 0 {
		t.Fatal(s, err)
	}
	nearMatrix(t, "smoothed", got, ref.Smooth.Out, 1e-12)
	again, s, err := Smooth(got)
	if err != nil || s != nil || again != got {
		t.Errorf("a positive definite matrix was smoothed: %v %v", s, err)
	}
}

// Means and percentiles of simulated eigenvalues, within simulation error.
func TestParallelAgainstBruteForce(t *testing.T) {
	ref, _ := load(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	names, columns := []string{"a", "b", "c", "d", "e"}, make([][]float64, 5)
	for range ref.Parallel.N {
		trait := rnd.NormFloat64()
		for j := range columns {
			columns[j] = append(columns[j], trait+rnd.NormFloat64())
		}
	}
	items, err := NewItems(names, columns)
	if err != nil {
		t.Fatal(err)
	}
	for _, reference := range []Reference{Normal, Permuted} {
		const draws = 4000
		out, _, err := ParallelAnalysis(items, ParallelOptions{Reference: reference, Iterations: draws, Percentile: 0.95, Correlation: CorrelationOptions{Method: Pearson}, Rand: rnd}, Components, SMC, CommonFactors)
		if err != nil {
			t.Fatal(err)
		}
		for i := range names {
			// Five standard errors of the difference of two simulated means;
			// a percentile's is about twice a mean's.
			se := 5 * ref.Parallel.SD[i] * math.Sqrt(2.0/draws)
			near(t, string(reference)+" mean", out[0].Mean[i], ref.Parallel.Mean[i], se)
			near(t, string(reference)+" 95%", out[0].Percentile[i], ref.Parallel.Q95[i], 2.2*se)
		}
		for _, p := range out {
			if p.Retain != 1 {
				t.Errorf("%s: %d %s of one trait", reference, p.Retain, p.Roots)
			}
		}
	}
}

func TestHeywoodIsNamed(t *testing.T) {
	ref, _ := load(t)
	s, err := Factor(given([]string{"a", "b", "c", "d"}, ref.Heywood.R, 100), FactorDefaults(1))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Heywood) == 0 || s.Heywood[0] != "a" {
		t.Errorf("Heywood cases %v", s.Heywood)
	}
	// At the bound psych's search ends early: it follows the gradient of ULS
	// but checks the sum off the diagonal, which part there.
	nearAll(t, "loadings", mat.Col(nil, 0, s.Loadings), ref.Heywood.Loadings, 0.02)
}
