package proportion

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/mathext"
)

// Method is a way to make confidence limits of one proportion.
type Method uint8

const (
	// Wilson inverts the score test (Wilson 1927).
	Wilson Method = iota
	// WilsonCorrected is Wilson with a continuity correction of 1/(2n), as R's
	// prop.test (Newcombe 1998, method 4).
	WilsonCorrected
	// Wald is p +- z sqrt(p(1-p)/n); it collapses at 0 and n events.
	Wald
	// AgrestiCoull is Wald about (x + z^2/2)/(n + z^2) (Agresti & Coull 1998).
	AgrestiCoull
	// ClopperPearson inverts the exact binomial test, tail by tail (1934).
	ClopperPearson
	// Jeffreys takes the quantiles of Beta(x + 1/2, n - x + 1/2), with limit 0
	// at x = 0 and 1 at x = n (Brown, Cai & DasGupta 2001).
	Jeffreys
)

var methodNames = [...]string{"wilson", "wilson-corrected", "wald", "agresti-coull", "clopper-pearson", "jeffreys"}

func (m Method) String() string {
	if int(m) < len(methodNames) {
		return methodNames[m]
	}
	return fmt.Sprintf("Method(%d)", uint8(m))
}

// ParseMethod reads the name of a method; "exact" is clopper-pearson.
func ParseMethod(s string) (Method, error) {
	if s == "exact" {
		return ClopperPearson, nil
	}
	for i, n := range methodNames {
		if s == n {
			return Method(i), nil
		}
	}
	return 0, fmt.Errorf("unknown interval method %q (valid: %s, exact)", s, strings.Join(methodNames[:], ", "))
}

// Limits is the two-sided confidence interval of a proportion.
func (s Sample) Limits(m Method, level float64) (Interval, error) {
	return s.OneSided(m, level, TwoSided)
}

// OneSided is the confidence interval that belongs to an alternative: Less
// gives an upper limit only (from 0), Greater a lower limit only (to 1).
func (s Sample) OneSided(m Method, level float64, a Alternative) (Interval, error) {
	if err := s.check(); err != nil {
		return Interval{}, err
	}
	if err := checkLevel(level); err != nil {
		return Interval{}, err
	}
	z, n, x := zOf(level, a), float64(s.N), float64(s.Events)
	p := x / n
	var i Interval
	switch m {
	case Wilson:
		i = wilson(p, n, z, 0)
	case WilsonCorrected:
		i = wilson(p, n, z, 0.5)
	case Wald:
		h := z * math.Sqrt(p*(1-p)/n)
		i = Interval{p - h, p + h}
	case AgrestiCoull:
		nt := n + z*z
		pt := (x + z*z/2) / nt
		h := z * math.Sqrt(pt*(1-pt)/nt)
		i = Interval{pt - h, pt + h}
	case ClopperPearson, Jeffreys:
		tail := 1 - level
		if a == TwoSided {
			tail /= 2
		}
		i = betaLimits(x, n, tail, m == Jeffreys)
	default:
		return Interval{}, fmt.Errorf("unknown interval method %v (valid: %s)", m, strings.Join(methodNames[:], ", "))
	}
	i.Lower, i.Upper = math.Max(i.Lower, 0), math.Min(i.Upper, 1)
	switch a {
	case Less:
		i.Lower = 0
	case Greater:
		i.Upper = 1
	}
	return i, nil
}

// wilson solves |p - pi| - c/n = z sqrt(pi (1 - pi) / n) for pi: with
// p' = p -+ c/n,
//
//	pi = (p' + z^2/2n -+ z sqrt(p'(1-p')/n + z^2/4n^2)) / (1 + z^2/n).
func wilson(p, n, z, c float64) Interval {
	h := z * z / (2 * n)
	root := func(q float64) float64 { return z * math.Sqrt(q*(1-q)/n+h/(2*n)) }
	i := Interval{0, 1}
	if q := p + c/n; q < 1 {
		i.Upper = (q + h + root(q)) / (1 + 2*h)
	}
	if q := p - c/n; q > 0 {
		i.Lower = (q + h - root(q)) / (1 + 2*h)
	}
	return i
}

// betaLimits uses P(X >= x | pi) = I_pi(x, n-x+1), so that the exact limits are
// quantiles of beta distributions.
func betaLimits(x, n, tail float64, jeffreys bool) Interval {
	i := Interval{0, 1}
	if jeffreys {
		if x > 0 {
			i.Lower = mathext.InvRegIncBeta(x+0.5, n-x+0.5, tail)
		}
		if x < n {
			i.Upper = 1 - mathext.InvRegIncBeta(n-x+0.5, x+0.5, tail)
		}
		return i
	}
	if x > 0 {
		i.Lower = mathext.InvRegIncBeta(x, n-x+1, tail)
	}
	if x < n {
		i.Upper = 1 - mathext.InvRegIncBeta(n-x, x+1, tail)
	}
	return i
}
