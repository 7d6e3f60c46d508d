package main

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/glm"
	"github.com/seed-4012077a/flow/sdk/stats/proportion"
)

// logistic fits cbind(correct, wrong) ~ terms to a benchmark's rows; the
// terms' values are by row.
func (t *benchmarks) logistic(b *benchmark, terms []string, values [][]float64) (*glm.Model, error) {
	correct, wrong := make([]float64, len(b.counts)), make([]float64, len(b.counts))
	for i, c := range b.counts {
		correct[i], wrong[i] = float64(c.correct), float64(c.n-c.correct)
	}
	data := frame.New(len(b.counts))
	err := errors.Join(data.AddNumeric("correct", correct), data.AddNumeric("wrong", wrong))
	text := "cbind(correct, wrong) ~ 1"
	for k, name := range terms {
		err = errors.Join(err, data.AddNumeric(name, values[k]))
		text += " + " + formula.Quote(name)
	}
	if err != nil {
		return nil, err
	}
	f, err := formula.Parse(text)
	if err != nil {
		return nil, err
	}
	d, err := f.Design(data, formula.Options{})
	if err != nil {
		return nil, err
	}
	if len(d.Aliased) > 0 {
		return nil, fmt.Errorf("%v can't be told apart from the other terms", d.Aliased)
	}
	family := glm.Binomial()
	family.Quasi = t.Overdispersion
	return glm.Fit(d, family, glm.Options{Exact: true})
}

// term is the estimate of a model's coefficient.
func (t *benchmarks) term(m *glm.Model, name string) (estimate.Estimate, error) {
	l := make([]float64, len(m.Design().Names))
	k := slices.Index(m.Design().Names, formula.Quote(name))
	if k < 0 {
		if k = slices.Index(m.Design().Names, name); k < 0 {
			return estimate.Estimate{}, fmt.Errorf("the model has no coefficient of %s", name)
		}
	}
	l[k] = 1
	return estimate.Of(m, name, l, t.Level)
}

// pearson is the dispersion X^2 / (n - p), NaN for a saturated model.
func pearson(m *glm.Model) float64 {
	r, err := m.Residuals(glm.PearsonResidual)
	if err != nil || m.DFResidual == 0 {
		return math.NaN()
	}
	x := 0.0
	for _, v := range r {
		x += v * v
	}
	return x / float64(m.DFResidual)
}

func (b *benchmark) values(of func(c counted) float64) []float64 {
	out := make([]float64, len(b.counts))
	for i, c := range b.counts {
		out[i] = of(c)
	}
	return out
}

func byLambda(c counted) float64 { return c.lambda }

// trends writes the Cochran-Armitage trend and the logistic slope.
func (t *benchmarks) trends(out *sdk.Outputs) {
	type trend struct {
		g          int
		dispersion float64
		tested
	}
	methods := map[string][]trend{}
	for g, b := range t.found {
		lambdas, samples := b.at()
		ca := trend{g: g, dispersion: math.NaN(), tested: tested{method: "Cochran-Armitage", note: b.note()}}
		if len(lambdas) < 2 {
			ca.err = fmt.Errorf("no trend: answers at %d lambdas", len(lambdas))
		} else {
			var test proportion.Test
			test, ca.err = proportion.Trend(samples, lambdas, proportion.TwoSided)
			// z, with the sign of the slope.
			ca.Estimate = estimate.Estimate{Estimate: test.Estimate, SE: math.NaN(), DF: math.NaN(), Statistic: math.Copysign(math.Sqrt(test.Statistic), test.Estimate), P: test.P, Lower: math.NaN(), Upper: math.NaN()}
		}
		methods[ca.method] = append(methods[ca.method], ca)
		lo := trend{g: g, dispersion: math.NaN(), tested: tested{method: "logistic", note: b.note(), err: ca.err}}
		if ca.err == nil {
			var m *glm.Model
			if m, lo.err = t.logistic(b, []string{"lambda"}, [][]float64{b.values(byLambda)}); lo.err == nil {
				lo.Estimate, lo.err = t.term(m, "lambda")
				lo.dispersion = pearson(m)
			}
		}
		methods[lo.method] = append(methods[lo.method], lo)
	}
	rows := out.Port("trends")
	for _, method := range []string{"Cochran-Armitage", "logistic"} {
		all := make([]tested, len(methods[method]))
		for i, r := range methods[method] {
			all[i] = r.tested
		}
		p := correct(all, t.Adjust)
		for i, r := range methods[method] {
			odds := math.NaN()
			if r.method == "logistic" && r.err == nil {
				odds = math.Exp(r.Estimate.Estimate)
			}
			t.keys.Copy(rows, r.g)
			result.Put(rows, "method", r.method, "p_adjusted", p[i], "odds_ratio", odds, "dispersion", r.dispersion)
			result.PutEstimate(rows, r.Estimate, r.err, r.note)
		}
	}
}

// effects writes each benchmark's effects without and with the covariate.
func (t *benchmarks) effects(out *sdk.Outputs, covariate *benchmark) {
	name := t.CovariateColumn
	rate := map[float64]float64{}
	if covariate != nil {
		name = covariate.label
		lambdas, samples := covariate.at()
		for k, l := range lambdas {
			rate[l] = samples[k].P()
		}
	}
	for g, b := range t.found {
		if b == covariate {
			continue
		}
		cov := b.values(func(c counted) float64 {
			if covariate == nil {
				return c.covariate
			}
			if v, ok := rate[c.lambda]; ok {
				return v
			}
			return math.NaN()
		})
		// Both models are of the rows that have the covariate.
		used := &benchmark{label: b.label}
		var kept []float64
		for i, v := range cov {
			if !math.IsNaN(v) {
				used.counts = append(used.counts, b.counts[i])
				kept = append(kept, v)
			}
		}
		note := b.note()
		if dropped := len(b.counts) - len(kept); dropped > 0 {
			note = result.Notes(note, fmt.Sprintf("%d rows without %s are left out", dropped, name))
		}
		t.effect(out, g, used, "lambda", used.values(byLambda), name, kept, note)
		t.effect(out, g, used, "high", used.values(func(c counted) float64 {
			if c.lambda >= t.High {
				return 1
			}
			return 0
		}), name, kept, note)
	}
}

func (t *benchmarks) effect(out *sdk.Outputs, g int, b *benchmark, effect string, x []float64, covariate string, z []float64, note string) {
	answers := 0
	for _, c := range b.counts {
		answers += c.n
	}
	r := b.correlation(x, z)
	write := func(adjustedFor, term string, e estimate.Estimate, err error) {
		rows := out.Port("effects")
		odds := math.NaN()
		if err == nil {
			odds = math.Exp(e.Estimate)
		}
		t.keys.Copy(rows, g)
		result.Put(rows, "effect", effect, "adjusted_for", adjustedFor, "term", term, "odds_ratio", odds, "correlation", r, "n", answers)
		result.PutEstimate(rows, e, err, note)
	}
	if len(b.counts) == 0 {
		err := errors.New("no row has the covariate")
		write("", effect, estimate.Estimate{}, err)
		write(covariate, effect, estimate.Estimate{}, err)
		return
	}
	m, err := t.logistic(b, []string{effect}, [][]float64{x})
	var e estimate.Estimate
	if err == nil {
		e, err = t.term(m, effect)
	}
	write("", effect, e, err)
	term := covariate
	if term == effect || term == "correct" || term == "wrong" {
		term += " (covariate)"
	}
	m, err = t.logistic(b, []string{effect, term}, [][]float64{x, z})
	for _, name := range []string{effect, term} {
		e, errTerm := estimate.Estimate{}, err
		if err == nil {
			e, errTerm = t.term(m, name)
		}
		write(covariate, name, e, errTerm)
	}
}

// correlation of two terms over the rows, weighted by their answers.
func (b *benchmark) correlation(x, z []float64) float64 {
	var n, mx, mz, xx, zz, xz float64
	for i, c := range b.counts {
		n += float64(c.n)
		mx += float64(c.n) * x[i]
		mz += float64(c.n) * z[i]
	}
	mx, mz = mx/n, mz/n
	for i, c := range b.counts {
		w := float64(c.n)
		xx += w * (x[i] - mx) * (x[i] - mx)
		zz += w * (z[i] - mz) * (z[i] - mz)
		xz += w * (x[i] - mx) * (z[i] - mz)
	}
	return xz / math.Sqrt(xx*zz)
}
