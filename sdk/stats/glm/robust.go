package glm

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/mat"
)

// HC is a kind of heteroscedasticity-consistent covariance: how a row's score
// s_i x_i is weighted in the sandwich B (sum m_i s_i^2 x_i x_i') B, B = (X'WX)^{-1}.
type HC uint8

const (
	// HC0: m = 1 (Huber 1967, White 1980).
	HC0 HC = iota
	// HC1: m = n / (n - p).
	HC1
	// HC2: m = 1 / (1 - h), h the leverage of the row.
	HC2
	// HC3: m = 1 / (1 - h)^2.
	HC3
)

var hcNames = [...]string{"HC0", "HC1", "HC2", "HC3"}

func (h HC) String() string {
	if int(h) < len(hcNames) {
		return hcNames[h]
	}
	return fmt.Sprintf("HC(%d)", uint8(h))
}

// ParseHC reads "HC0" to "HC3".
func ParseHC(s string) (HC, error) {
	for i, n := range hcNames {
		if strings.EqualFold(n, s) {
			return HC(i), nil
		}
	}
	return 0, fmt.Errorf("unknown robust covariance %q (valid: %s)", s, strings.Join(hcNames[:], ", "))
}

// WithRobust is the model with a sandwich covariance in place of its own, as R's
// sandwich::vcovHC; contrasts and tests use it, profile intervals do not.
func (m *Model) WithRobust(kind HC) (*Model, error) {
	n, p := float64(len(m.beta)+m.DFResidual), float64(len(m.beta))
	meat := mat.NewSymDense(len(m.beta), nil)
	for i, s := range m.ownScore() {
		if m.problem.w[i] == 0 {
			continue
		}
		a := 1.0
		switch kind {
		case HC0:
		case HC1:
			if n <= p {
				return nil, fmt.Errorf("HC1 needs more rows than coefficients; there are %v rows for %v", n, p)
			}
			a = n / (n - p)
		case HC2, HC3:
			left := 1 - m.leverages[i]
			if left < 1e-10 {
				return nil, fmt.Errorf("row %d has leverage 1, at which %v does not exist; use HC0 or HC1", rowOf(m.design, i), kind)
			}
			a = 1 / left
			if kind == HC3 {
				a /= left
			}
		default:
			return nil, fmt.Errorf("unknown robust covariance %v (valid: %s)", kind, strings.Join(hcNames[:], ", "))
		}
		_, cols := m.problem.x.Dims()
		meat.SymRankOne(meat, a*s*s, mat.NewVecDense(cols, m.problem.x.RawRowView(i)))
	}
	return m.sandwich(meat, kind.String()), nil
}

// WithCluster is the model with a covariance robust to dependence within
// clusters, the sandwich over the clusters' summed scores (Liang & Zeger 1986),
// times G/(G-1) for G clusters and, under HC1, (n-1)/(n-p): R's sandwich::vcovCL
// of type HC0 or HC1. cluster has a code a row of the design.
func (m *Model) WithCluster(kind HC, cluster []int32) (*Model, error) {
	if len(cluster) != len(m.problem.y) {
		return nil, fmt.Errorf("%d cluster codes for %d rows of the model", len(cluster), len(m.problem.y))
	}
	if kind != HC0 && kind != HC1 {
		return nil, fmt.Errorf("a cluster-robust covariance has no kind %v (valid: HC0, HC1)", kind)
	}
	p := len(m.beta)
	sums := map[int32][]float64{}
	var order []int32 // a fixed order of summation, so that results repeat to the bit
	for i, s := range m.ownScore() {
		if m.problem.w[i] == 0 {
			continue
		}
		c := cluster[i]
		if c < 0 {
			return nil, fmt.Errorf("row %d has no cluster; drop it from the data or give it one", rowOf(m.design, i))
		}
		if sums[c] == nil {
			sums[c] = make([]float64, p)
			order = append(order, c)
		}
		for j, x := range m.problem.x.RawRowView(i) {
			sums[c][j] += s * x
		}
	}
	g := float64(len(order))
	if g < 2 {
		return nil, fmt.Errorf("a cluster-robust covariance needs at least two clusters; there is %v", g)
	}
	a := g / (g - 1)
	if kind == HC1 {
		if m.DFResidual <= 0 {
			return nil, fmt.Errorf("HC1 needs more rows than coefficients")
		}
		a *= float64(m.DFResidual+p-1) / float64(m.DFResidual)
	}
	meat := mat.NewSymDense(p, nil)
	for _, c := range order {
		meat.SymRankOne(meat, a, mat.NewVecDense(p, sums[c]))
	}
	return m.sandwich(meat, fmt.Sprintf("cluster-robust %s (%d clusters)", kind, len(order))), nil
}

// ownScore is dl/deta of each row without Firth's addition (times phi).
func (m *Model) ownScore() []float64 {
	out := make([]float64, len(m.problem.y))
	for i, w := range m.problem.w {
		if w > 0 {
			d := m.Family.Link.Derivative(m.Eta[i])
			out[i] = w * (m.problem.y[i] - m.Fitted[i]) * d / m.Family.Variance(m.Fitted[i])
		}
	}
	return out
}

func (m *Model) sandwich(meat *mat.SymDense, name string) *Model {
	var half, full mat.Dense
	half.Mul(m.unscaled, meat)
	full.Mul(&half, m.unscaled)
	r := *m
	p := len(m.beta)
	r.cov, r.Robust = mat.NewSymDense(p, nil), name
	for i := range p {
		for j := i; j < p; j++ {
			r.cov.SetSym(i, j, (full.At(i, j)+full.At(j, i))/2)
		}
	}
	return &r
}

// Leverages are the diagonal of the hat matrix W^{1/2} X (X'WX)^{-1} X' W^{1/2} (n).
func (m *Model) Leverages() []float64 { return append([]float64(nil), m.leverages...) }

// Residual is a kind of residual.
type Residual uint8

const (
	// DevianceResidual is sign(y - mu) sqrt(w d(y, mu)).
	DevianceResidual Residual = iota
	// PearsonResidual is (y - mu) sqrt(w / V(mu)).
	PearsonResidual
	// ResponseResidual is y - mu.
	ResponseResidual
	// WorkingResidual is (y - mu) deta/dmu.
	WorkingResidual
)

// Residuals of every row (n).
func (m *Model) Residuals(kind Residual) ([]float64, error) {
	out := make([]float64, len(m.problem.y))
	for i, y := range m.problem.y {
		w, mu := m.problem.w[i], m.Fitted[i]
		switch kind {
		case DevianceResidual:
			out[i] = math.Copysign(math.Sqrt(math.Max(w*m.Family.Deviance(y, mu), 0)), y-mu)
		case PearsonResidual:
			out[i] = (y - mu) * math.Sqrt(w/m.Family.Variance(mu))
		case ResponseResidual:
			out[i] = y - mu
		case WorkingResidual:
			out[i] = (y - mu) / m.Family.Link.Derivative(m.Eta[i])
		default:
			return nil, fmt.Errorf("unknown kind of residual %d", kind)
		}
	}
	return out, nil
}
