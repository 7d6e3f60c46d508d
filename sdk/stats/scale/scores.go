package scale

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// ScoreMethod is a way to estimate factor scores.
type ScoreMethod string

const (
	Thurstone ScoreMethod = "thurstone" // regression: W = R^-1 Lambda Phi (Thurstone 1935)
	Bartlett  ScoreMethod = "bartlett"  // W = U^-2 Lambda (Lambda' U^-2 Lambda)^-1 (Bartlett 1937)
	// TenBerge keeps the factors' correlations: W = R^-1/2 C Phi^1/2 with C the
	// orthonormal part of R^-1/2 Lambda Phi^1/2 (ten Berge et al. 1999).
	TenBerge ScoreMethod = "tenberge"
)

// ScoreOptions says how to score.
type ScoreOptions struct {
	Method ScoreMethod
	// Factored takes R of the weights from the matrix that was factored, as
	// psych::fa does. Otherwise it is Pearson's, pairwise, of the baseline
	// answers that are then weighted, as psych::factor.scores of data does:
	// regression scores are then least-squares predictions from the answers as
	// they are, also where the loadings are polychoric.
	Factored bool
	// Standardise divides scores by their mean and standard deviation on the
	// baseline; otherwise only the answers are standardised, and regression
	// scores keep their variance, the squared multiple correlation.
	Standardise bool
	// MaxMissing is the most missing answers of a row that still gets a score;
	// each then counts as the item's baseline mean.
	MaxMissing int
}

// Scorer turns answers into factor scores with what it learned on a baseline.
type Scorer struct {
	Names    []string
	Mean, SD []float64 // of each item on the baseline, n-1
	Weights  *mat.Dense
	// R2 is the squared correlation of each score with its factor under the
	// model, (w'Lambda phi)^2 / (w'R w) with R the matrix that was factored: for
	// regression weights from R, the squared multiple correlation (determinacy).
	R2 []float64
	// ScoreMean and ScoreSD are on the baseline, nil unless standardised.
	ScoreMean, ScoreSD []float64
	Baseline           int // rows that the standardisation of scores, or else of items, rests on
	MaxMissing         int
	Notes              []string
}

// Scorer estimates weights and standardisation on the baseline.
func (s *Solution) Scorer(baseline *Items, o ScoreOptions) (*Scorer, error) {
	items, err := baseline.Pick(s.Names)
	if err != nil {
		return nil, err
	}
	if o.MaxMissing < 0 || o.MaxMissing >= len(s.Names) {
		return nil, fmt.Errorf("at most %d missing answers of %d items: allow 0 to %d", o.MaxMissing, len(s.Names), len(s.Names)-1)
	}
	sc := &Scorer{Names: s.Names, Baseline: items.answered(), MaxMissing: o.MaxMissing}
	for j, column := range items.Columns {
		if reason := unusable(column); reason != "" {
			return nil, fmt.Errorf("item %q can't be standardised on the baseline: %s", s.Names[j], reason)
		}
		m, sd := moments(column)
		sc.Mean, sc.SD = append(sc.Mean, m), append(sc.SD, sd)
	}
	r := s.R
	if !o.Factored {
		c, err := Correlate(items, CorrelationOptions{Method: Pearson, Smooth: true})
		if err != nil {
			return nil, err
		}
		if err := c.Usable(); err != nil {
			return nil, err
		}
		r = c.R
		if c.Smoothed != nil {
			sc.Notes = append(sc.Notes, "the baseline's Pearson correlations: "+c.Smoothed.String())
		}
	}
	if sc.Weights, err = s.weights(r, o.Method); err != nil {
		return nil, err
	}
	for k := range s.Factors() {
		w := sc.Weights.ColView(k)
		with := mat.Dot(w, s.Structure.ColView(k))
		r2 := with * with / mat.Inner(w, s.R, w)
		if with <= 0 || !(r2 <= 1+1e-6) {
			return nil, fmt.Errorf("the weights of factor %d are not proper: the factors' loadings do not fit the correlations (a Heywood case, or a matrix close to singular); use fewer factors", k+1)
		}
		sc.R2 = append(sc.R2, math.Min(1, r2))
	}
	if o.Standardise {
		return sc, sc.standardise(items)
	}
	return sc, nil
}

func (sc *Scorer) standardise(baseline *Items) error {
	scores, _ := sc.Score(baseline)
	for k, column := range scores {
		n := present(column)
		if reason := unusable(column); reason != "" {
			return fmt.Errorf("the scores of factor %d can't be standardised on the baseline: %s", k+1, reason)
		}
		m, sd := moments(column)
		sc.ScoreMean, sc.ScoreSD, sc.Baseline = append(sc.ScoreMean, m), append(sc.ScoreSD, sd), n
	}
	return nil
}

// moments are mean and standard deviation (n-1) of the answers there are.
func moments(column []float64) (m, sd float64) {
	var x []float64
	for _, v := range column {
		if !math.IsNaN(v) {
			x = append(x, v)
		}
	}
	m = mean(x)
	for _, v := range x {
		sd += (v - m) * (v - m)
	}
	return m, math.Sqrt(sd / float64(len(x)-1))
}

func (s *Solution) weights(r *mat.SymDense, method ScoreMethod) (*mat.Dense, error) {
	w := new(mat.Dense)
	switch method {
	case Thurstone:
		inverse, _, err := inverseOf(r, "the correlation matrix")
		if err != nil {
			return nil, err
		}
		w.Mul(inverse, s.Structure)
		return w, nil
	case Bartlett:
		if len(s.Heywood) > 0 {
			return nil, fmt.Errorf("scores of Bartlett divide by uniquenesses, and item %q has next to none: use thurstone, or leave the item out", s.Heywood[0])
		}
		p, m := s.Loadings.Dims()
		scaled := mat.NewDense(p, m, nil)
		for i := range p {
			for k := range m {
				scaled.Set(i, k, s.Loadings.At(i, k)/s.Uniqueness[i])
			}
		}
		var inner mat.Dense
		inner.Mul(s.Loadings.T(), scaled)
		inverse, _, err := inverseOf(symmetric(&inner), "the matrix of weighted loadings")
		if err != nil {
			return nil, err
		}
		w.Mul(scaled, inverse)
		return w, nil
	case TenBerge:
		return s.tenBerge(r)
	}
	return nil, fmt.Errorf("there are no scores %q; there are thurstone, bartlett, tenberge", method)
}

func (s *Solution) tenBerge(r *mat.SymDense) (*mat.Dense, error) {
	half, err := power(r, -0.5)
	if err != nil {
		return nil, fmt.Errorf("ten Berge scores: %w", err)
	}
	phi, err := power(s.Phi, 0.5)
	if err != nil {
		return nil, fmt.Errorf("ten Berge scores, factor correlations: %w", err)
	}
	var l, rl, inner, c, w mat.Dense
	l.Mul(s.Loadings, phi)
	rl.Mul(half, &l)
	inner.Mul(rl.T(), &rl)
	root, err := power(symmetric(&inner), -0.5)
	if err != nil {
		return nil, fmt.Errorf("ten Berge scores: %w", err)
	}
	c.Mul(&rl, root)
	w.Mul(half, &c)
	w.Mul(&w, phi)
	return &w, nil
}

// Score returns scores[factor][row], NaN where a row has more missing answers
// than MaxMissing, and each row's count of missing answers. items must have
// the Scorer's items in its order (see Items.Pick).
func (sc *Scorer) Score(items *Items) (scores [][]float64, missing []int) {
	_, m := sc.Weights.Dims()
	scores = make([][]float64, m)
	for k := range scores {
		scores[k] = make([]float64, items.Rows())
	}
	missing = make([]int, items.Rows())
	z := make([]float64, len(sc.Names))
	for i := range items.Rows() {
		for j := range z {
			z[j] = 0
			if v := items.Columns[j][i]; math.IsNaN(v) {
				missing[i]++
			} else {
				z[j] = (v - sc.Mean[j]) / sc.SD[j]
			}
		}
		for k := range scores {
			if missing[i] > sc.MaxMissing {
				scores[k][i] = math.NaN()
				continue
			}
			f := 0.0
			for j, v := range z {
				f += v * sc.Weights.At(j, k)
			}
			if sc.ScoreSD != nil {
				f = (f - sc.ScoreMean[k]) / sc.ScoreSD[k]
			}
			scores[k][i] = f
		}
	}
	return scores, missing
}
