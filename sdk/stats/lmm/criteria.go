package lmm

import "math"

// Parameters counts the fixed effects, the entries of theta and sigma.
func (m *Model) Parameters() int { return m.q.p + len(m.q.pars) + 1 }

// Criterion is the minimised deviance: -2 log L, or lme4's REML criterion.
func (m *Model) Criterion() float64 { return m.pt.dev }

// LogLik is the logarithm of the likelihood (restricted under REML).
func (m *Model) LogLik() float64 { return -m.pt.dev / 2 }

// AIC is Akaike's criterion. Under REML it compares models with the same fixed
// effects only.
func (m *Model) AIC() float64 { return m.pt.dev + 2*float64(m.Parameters()) }

// AICc is AIC with Hurvich and Tsai's correction for few observations; +Inf
// where there are too few for it.
func (m *Model) AICc() float64 {
	k, n := float64(m.Parameters()), float64(m.q.n)
	if n-k-1 <= 0 {
		return math.Inf(1)
	}
	return m.AIC() + 2*k*(k+1)/(n-k-1)
}

// BIC is Schwarz's criterion with the number of observations.
func (m *Model) BIC() float64 {
	return m.pt.dev + math.Log(float64(m.q.n))*float64(m.Parameters())
}
