package lmm

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Simulate draws responses from the fitted model, each with new random effects
// and residuals: sets x n. The same seed gives the same draws.
func (m *Model) Simulate(sets int, seed uint64) ([][]float64, error) {
	if sets < 1 {
		return nil, fmt.Errorf("%d sets of responses: ask for one or more", sets)
	}
	r := rand.New(rand.NewPCG(seed, 0x6c6d6d))
	base := m.population()
	out := make([][]float64, sets)
	for s := range out {
		out[s] = m.draw(r, base)
	}
	return out, nil
}

// draw is one response: base + Zb + e.
func (m *Model) draw(r *rand.Rand, base []float64) []float64 {
	y := append([]float64(nil), base...)
	b := make([][]float64, len(m.q.factors))
	for i, f := range m.q.factors {
		k, l := f.k, m.pt.lambda[i]
		b[i] = make([]float64, len(f.levels)*k)
		u := make([]float64, k)
		for g := range f.levels {
			for c := range u {
				u[c] = r.NormFloat64()
			}
			for c := range u {
				b[i][g*k+c] = m.sigma * dot(u[:c+1], l[c*k:]) / f.scale[c]
			}
		}
	}
	m.addEffects(y, b)
	for i := range y {
		e := m.sigma * r.NormFloat64()
		if m.q.root != nil {
			e /= m.q.root[i]
		}
		y[i] += e
	}
	return y
}

// Bootstrap is a parametric bootstrap: the statistics of fits to simulated
// responses, one row a set. A set whose fit fails is left out and counted.
func (m *Model) Bootstrap(sets int, seed uint64, statistic func(*Model) ([]float64, error)) (rows [][]float64, failed int, err error) {
	if sets < 1 {
		return nil, 0, fmt.Errorf("%d bootstrap sets: ask for one or more", sets)
	}
	r := rand.New(rand.NewPCG(seed, 0x6c6d6d))
	base := m.population()
	var last error
	for s := 0; s < sets; s++ {
		next, err := m.Refit(m.draw(r, base))
		if err == nil {
			var row []float64
			if row, err = statistic(next); err == nil {
				rows = append(rows, row)
				continue
			}
		}
		failed++
		last = err
	}
	if len(rows) == 0 {
		return nil, failed, fmt.Errorf("every one of %d bootstrap fits failed; the last: %w", sets, last)
	}
	return rows, failed, nil
}

// BootstrapTest is a parametric bootstrap of a likelihood-ratio test: the share
// of sets drawn from the smaller model whose statistic is at least the observed
// one, (1 + exceeding)/(1 + sets). It needs no chi-squared distribution, also
// where a variance is tested. Both models are fitted by maximum likelihood.
func BootstrapTest(null, larger *Model, sets int, seed uint64) (observed Comparison, p float64, err error) {
	if null, err = null.ML(); err != nil {
		return observed, 0, err
	}
	if larger, err = larger.ML(); err != nil {
		return observed, 0, err
	}
	if null.Parameters() > larger.Parameters() {
		null, larger = larger, null
	}
	if observed, err = Compare(null, larger); err != nil {
		return observed, 0, err
	}
	exceed, done := 0, 0
	r := rand.New(rand.NewPCG(seed, 0x6c6d6d))
	base := null.population()
	for s := 0; s < sets; s++ {
		y := null.draw(r, base)
		a, errA := null.Refit(y)
		b, errB := larger.Refit(y)
		if errA != nil || errB != nil {
			continue
		}
		done++
		if math.Max(0, a.pt.dev-b.pt.dev) >= observed.ChiSquared {
			exceed++
		}
	}
	if done == 0 {
		return observed, 0, fmt.Errorf("none of %d bootstrap sets could be fitted", sets)
	}
	return observed, float64(1+exceed) / float64(1+done), nil
}
