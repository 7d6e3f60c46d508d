package trial

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
)

// dose is how lambda enters a model: a polynomial of some degree, or the
// factor of its sign (degree 0).
type dose int

const bySign dose = 0

func (d dose) String() string {
	if d == bySign {
		return "sign"
	}
	return forms[d-1]
}

// degree is the dose of a form's name.
func degree(form string) dose {
	for i, f := range forms {
		if f == form {
			return dose(i + 1)
		}
	}
	return bySign
}

// power is lambda^k as a formula has it, and as the model matrix names it.
func (p *Plan) power(k int) string {
	l := formula.Quote(p.Lambda.Column)
	if k == 1 {
		return l
	}
	return fmt.Sprintf("I(%s^%d)", l, k)
}

// terms are P, lambda's own terms, and L, the one that enters interactions:
// only the linear term does, so that an interaction is one number a factor.
func (p *Plan) terms(d dose) (own []string, interacting string) {
	if d == bySign {
		s := formula.Quote(p.sign())
		return []string{s}, s
	}
	for k := 1; k <= int(d); k++ {
		own = append(own, p.power(k))
	}
	return own, own[0]
}

// formula writes the model of one outcome; see the package's comment.
func (p *Plan) formula(r *rows, d dose, interactions bool, covariates []string) string {
	own, lambda := p.terms(d)
	terms := own
	var factors []string
	for _, f := range p.Factors {
		factors = append(factors, formula.Quote(f.Column))
	}
	terms = append(terms, factors...)
	time := formula.Quote(p.Time.Column)
	if r.repeated {
		terms = append(terms, time)
	}
	if r.baseline != "" {
		terms = append(terms, formula.Quote(r.baseline))
	}
	for _, c := range covariates {
		if !p.inEvery(r, c) {
			terms = append(terms, formula.Quote(c))
		}
	}
	if interactions {
		for _, f := range factors {
			terms = append(terms, lambda+":"+f)
		}
		if r.repeated {
			for _, x := range append([]string{lambda}, factors...) {
				terms = append(terms, x+":"+time)
			}
		}
	}
	if r.items {
		item := formula.Quote(p.item())
		terms = append(terms, item)
		if r.repeated {
			for _, x := range append(append([]string{lambda}, factors...), time) {
				terms = append(terms, item+":"+x)
			}
		}
	}
	if random := p.random(r); random != "" {
		terms = append(terms, random)
	}
	return formula.Quote(r.y) + " ~ " + strings.Join(terms, " + ")
}

// inEvery reports whether a column is in every model of the outcome already.
func (p *Plan) inEvery(r *rows, column string) bool {
	return column == p.Lambda.Column || column == r.baseline || r.timed && column == p.Time.Column ||
		slices.ContainsFunc(p.Factors, func(f Factor) bool { return f.Column == column })
}

// random is the random part.
func (p *Plan) random(r *rows) string {
	group := formula.Quote(p.Participant)
	switch r.random {
	case "slope":
		return "(1 + " + formula.Quote(p.Time.Column) + " | " + group + ")"
	case "intercept":
		return "(1 | " + group + ")"
	}
	return ""
}
