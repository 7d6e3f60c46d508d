package glm

import (
	"fmt"
	"math"
	"strings"
)

// Distribution is the response's distribution.
type Distribution uint8

const (
	// GaussianDist has V = 1.
	GaussianDist Distribution = iota
	// BinomialDist has V = mu (1 - mu).
	BinomialDist
	// PoissonDist has V = mu.
	PoissonDist
	// GammaDist has V = mu^2.
	GammaDist
)

var distributionNames = [...]string{"gaussian", "binomial", "poisson", "Gamma"}

// links that each distribution admits, the canonical one first.
var admitted = [...][]Link{
	GaussianDist: {Identity, Log, Inverse},
	BinomialDist: {Logit, Probit, CLogLog},
	PoissonDist:  {Log, Identity, Sqrt},
	GammaDist:    {Inverse, Log, Identity},
}

// Family is a distribution with its link. Quasi estimates the dispersion of a
// binomial or Poisson family from the data, and then there is no likelihood.
type Family struct {
	Distribution Distribution
	Link         Link
	Quasi        bool
}

// Gaussian, Binomial, Poisson and Gamma are the families with canonical links.
func Gaussian() Family { return Family{GaussianDist, Identity, false} }

// Binomial has the logit link.
func Binomial() Family { return Family{BinomialDist, Logit, false} }

// Poisson has the log link.
func Poisson() Family { return Family{PoissonDist, Log, false} }

// Gamma has the inverse link.
func Gamma() Family { return Family{GammaDist, Inverse, false} }

// With is the family with another link; Fit refuses a link it does not admit.
func (f Family) With(l Link) Family { f.Link = l; return f }

// ParseFamily reads a family as R writes it: "binomial", "binomial(probit)",
// "quasibinomial", "poisson", "quasipoisson", "gaussian", "Gamma(log)".
func ParseFamily(s string) (Family, error) {
	name, link := s, ""
	if i := strings.IndexByte(s, '('); i >= 0 && strings.HasSuffix(s, ")") {
		name, link = s[:i], strings.TrimSpace(s[i+1:len(s)-1])
		link = strings.Trim(strings.TrimSpace(strings.TrimPrefix(link, "link =")), `"`)
	}
	name = strings.TrimSpace(name)
	f := Family{}
	if rest, ok := strings.CutPrefix(name, "quasi"); ok && (rest == "binomial" || rest == "poisson") {
		f.Quasi, name = true, rest
	}
	for i, n := range distributionNames {
		if strings.EqualFold(n, name) {
			f.Distribution = Distribution(i)
			f.Link = admitted[i][0]
			if link == "" {
				return f, nil
			}
			for _, l := range admitted[i] {
				if l.String() == link {
					f.Link = l
					return f, nil
				}
			}
			return Family{}, fmt.Errorf("family %s has no link %q (valid: %s)", n, link, linkList(f.Distribution))
		}
	}
	return Family{}, fmt.Errorf("unknown family %q (valid: binomial, quasibinomial, poisson, quasipoisson, gaussian, Gamma, each with a link in brackets if not its own, as in binomial(probit))", s)
}

func linkList(d Distribution) string {
	var names []string
	for _, l := range admitted[d] {
		names = append(names, l.String())
	}
	return strings.Join(names, ", ")
}

func (f Family) String() string {
	if int(f.Distribution) >= len(distributionNames) {
		return fmt.Sprintf("Family(%d)", f.Distribution)
	}
	s := distributionNames[f.Distribution]
	if f.Quasi {
		s = "quasi" + s
	}
	return s + "(" + f.Link.String() + ")"
}

func (f Family) check() error {
	if int(f.Distribution) >= len(admitted) {
		return fmt.Errorf("unknown distribution %d", f.Distribution)
	}
	for _, l := range admitted[f.Distribution] {
		if l == f.Link {
			return nil
		}
	}
	return fmt.Errorf("family %s has no link %q (valid: %s)", distributionNames[f.Distribution], f.Link, linkList(f.Distribution))
}

// Estimated says whether the dispersion is estimated, so that tests use t and F.
func (f Family) Estimated() bool {
	return f.Quasi || f.Distribution == GaussianDist || f.Distribution == GammaDist
}

// Variance is V(mu).
func (f Family) Variance(mu float64) float64 {
	switch f.Distribution {
	case BinomialDist:
		return mu * (1 - mu)
	case PoissonDist:
		return mu
	case GammaDist:
		return mu * mu
	default:
		return 1
	}
}

// slope is V'(mu).
func (f Family) slope(mu float64) float64 {
	switch f.Distribution {
	case BinomialDist:
		return 1 - 2*mu
	case PoissonDist:
		return 1
	case GammaDist:
		return 2 * mu
	default:
		return 0
	}
}

// Deviance is the unit deviance d(y, mu) >= 0; a row adds w d.
func (f Family) Deviance(y, mu float64) float64 {
	switch f.Distribution {
	case BinomialDist:
		return 2 * (yLog(y, mu) + yLog(1-y, 1-mu))
	case PoissonDist:
		return 2 * (yLog(y, mu) - (y - mu))
	case GammaDist:
		return -2 * (math.Log(y/mu) - (y-mu)/mu)
	default:
		return (y - mu) * (y - mu)
	}
}

// yLog is y log(y/mu), 0 at y = 0.
func yLog(y, mu float64) float64 {
	if y == 0 {
		return 0
	}
	return y * math.Log(y/mu)
}

// start is the mean that the iterations begin from, as R's mustart.
func (f Family) start(y, w float64) float64 {
	switch f.Distribution {
	case BinomialDist:
		return (w*y + 0.5) / (w + 1)
	case PoissonDist:
		return y + 0.1
	default:
		return y
	}
}

// valid says whether a mean can be one of this family's.
func (f Family) valid(mu float64) bool {
	switch {
	case math.IsNaN(mu) || math.IsInf(mu, 0):
		return false
	case f.Distribution == BinomialDist:
		return mu > 0 && mu < 1
	case f.Distribution == PoissonDist || f.Distribution == GammaDist:
		return mu > 0
	}
	return true
}

// checkResponse names the first value that the family cannot have.
func (f Family) checkResponse(y, w float64) error {
	switch {
	case math.IsNaN(y) || math.IsInf(y, 0):
		return fmt.Errorf("is %v", y)
	case f.Distribution == BinomialDist && (y < 0 || y > 1):
		return fmt.Errorf("is %v; a binomial response is 0, 1 or a proportion with the number of trials as its weight", y)
	case f.Distribution == PoissonDist && y < 0:
		return fmt.Errorf("is %v; a Poisson response is a count, 0 or more", y)
	case f.Distribution == GammaDist && y <= 0:
		return fmt.Errorf("is %v; a Gamma response is positive", y)
	case f.Distribution == GaussianDist && y <= 0 && f.Link == Log && w > 0:
		return fmt.Errorf("is %v; a log link needs positive values to start from", y)
	case f.Distribution == GaussianDist && y == 0 && f.Link == Inverse && w > 0:
		return fmt.Errorf("is 0; an inverse link needs values other than 0 to start from")
	}
	return nil
}

// LogLik is the log-likelihood at mu, as R's logLik.glm: for Gaussian at the
// maximum-likelihood variance, for Gamma at dispersion deviance / sum w. Weights
// of a binomial row are its trials. Where some are not whole numbers (inverse
// probability weights) the binomial constants are left out, and the sum is a
// weighted pseudo-likelihood; R rounds the counts there and warns.
func (f Family) LogLik(y, mu, w []float64) float64 {
	switch f.Distribution {
	case BinomialDist:
		return binomialLogLik(y, mu, w)
	case PoissonDist:
		s := 0.0
		for i := range y {
			g, _ := math.Lgamma(y[i] + 1)
			s += w[i] * (xLog(y[i], mu[i]) - mu[i] - g)
		}
		return s
	}
	var dev, sum, logw, n float64
	for i := range y {
		if w[i] > 0 {
			n++
			logw += math.Log(w[i])
			sum += w[i]
			dev += w[i] * f.Deviance(y[i], mu[i])
		}
	}
	if f.Distribution == GaussianDist {
		return -0.5 * (n*(math.Log(2*math.Pi*dev/n)+1) - logw)
	}
	phi := dev / sum
	g, _ := math.Lgamma(1 / phi)
	s := 0.0
	for i := range y {
		s += w[i] * ((1/phi-1)*math.Log(y[i]) - y[i]/(mu[i]*phi) - math.Log(mu[i]*phi)/phi - g)
	}
	return s
}

func binomialLogLik(y, mu, w []float64) float64 {
	whole := true
	for i := range y {
		k := w[i] * y[i]
		whole = whole && w[i] == math.Round(w[i]) && math.Abs(k-math.Round(k)) < 1e-7
	}
	s := 0.0
	for i := range y {
		s += w[i] * (xLog(y[i], mu[i]) + xLog(1-y[i], 1-mu[i]))
		if whole && w[i] > 1 {
			k := math.Round(w[i] * y[i])
			a, _ := math.Lgamma(w[i] + 1)
			b, _ := math.Lgamma(k + 1)
			c, _ := math.Lgamma(w[i] - k + 1)
			s += a - b - c
		}
	}
	return s
}

// xLog is x log(mu), 0 at x = 0.
func xLog(x, mu float64) float64 {
	if x == 0 {
		return 0
	}
	return x * math.Log(mu)
}
