package glm

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Link is the function g of the mean that is linear in the coefficients.
type Link uint8

const (
	// Identity: eta = mu.
	Identity Link = iota
	// Logit: eta = log(mu / (1 - mu)).
	Logit
	// Probit: eta is the standard normal quantile of mu.
	Probit
	// CLogLog: eta = log(-log(1 - mu)).
	CLogLog
	// Log: eta = log mu.
	Log
	// Inverse: eta = 1 / mu.
	Inverse
	// Sqrt: eta = sqrt mu.
	Sqrt
)

var linkNames = [...]string{"identity", "logit", "probit", "cloglog", "log", "inverse", "sqrt"}

func (l Link) String() string {
	if int(l) < len(linkNames) {
		return linkNames[l]
	}
	return fmt.Sprintf("Link(%d)", uint8(l))
}

// eps keeps a probability away from 0 and 1, where its weight and its deviance
// would no longer be numbers; R uses the same.
const eps = 2.220446049250313e-16

func probability(mu float64) float64 { return math.Min(math.Max(mu, eps), 1-eps) }

// Eta is g(mu).
func (l Link) Eta(mu float64) float64 {
	switch l {
	case Logit:
		return math.Log(mu) - math.Log1p(-mu)
	case Probit:
		return distuv.UnitNormal.Quantile(mu)
	case CLogLog:
		return math.Log(-math.Log1p(-mu))
	case Log:
		return math.Log(mu)
	case Inverse:
		return 1 / mu
	case Sqrt:
		return math.Sqrt(mu)
	default:
		return mu
	}
}

// Mu is the mean at eta, the inverse of the link: what takes estimates and their
// limits back to the response's scale.
func (l Link) Mu(eta float64) float64 {
	switch l {
	case Logit:
		if eta < 0 {
			e := math.Exp(eta)
			return probability(e / (1 + e))
		}
		return probability(1 / (1 + math.Exp(-eta)))
	case Probit:
		return probability(0.5 * math.Erfc(-eta/math.Sqrt2))
	case CLogLog:
		return probability(-math.Expm1(-math.Exp(eta)))
	case Log:
		return math.Max(math.Exp(eta), eps)
	case Inverse:
		return 1 / eta
	case Sqrt:
		return eta * eta
	default:
		return eta
	}
}

// Derivative is d mu / d eta.
func (l Link) Derivative(eta float64) float64 {
	switch l {
	case Logit:
		e := math.Exp(-math.Abs(eta))
		return math.Max(e/((1+e)*(1+e)), eps)
	case Probit:
		return math.Max(math.Exp(-eta*eta/2)/math.Sqrt(2*math.Pi), eps)
	case CLogLog:
		e := math.Min(eta, 700)
		return math.Max(math.Exp(e-math.Exp(e)), eps)
	case Log:
		return math.Max(math.Exp(eta), eps)
	case Inverse:
		return -1 / (eta * eta)
	case Sqrt:
		return 2 * eta
	default:
		return 1
	}
}
