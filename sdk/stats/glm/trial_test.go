package glm

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

type row struct {
	Term                  string
	Estimate, SE, Stat, P float64
}

// The simulated trial of the shared references: its dropout model, the weights
// made of it, a weighted quasi-binomial fit and profile limits, as R printed them.
func TestSharedTrial(t *testing.T) {
	var ref struct {
		Goodbye struct {
			Full struct {
				Formula string
				Coef    []row
			}
			ProfileCI [][]float64 `json:"profile_ci"`
		}
		IPW struct {
			Dropout struct {
				Formula string
				Coef    []row
				AIC     float64
			} `json:"dropout_model"`
			Quasi struct {
				Coef       []row
				Dispersion float64
			} `json:"glm_quasi"`
		}
	}
	must(t, json.Unmarshal(shared(t, "stats/ref/end_of_study.json"), &ref))
	fr := treated(t)
	o := formula.Options{Reference: map[string]string{"domain": "political", "ai_use": "never"}}
	fit := func(text string, family Family, o formula.Options, fr *frame.Frame) *Model {
		f, err := formula.Parse(text)
		must(t, err)
		d, err := f.Design(fr, o)
		must(t, err)
		m, err := Fit(d, family, Options{})
		must(t, err)
		return m
	}
	same := func(m *Model, want []row) {
		t.Helper()
		at := map[string]int{}
		for j, n := range m.Design().Names {
			at[n] = j
		}
		for _, r := range want {
			j, ok := at[r.Term]
			if !ok {
				t.Fatalf("no coefficient %s among %v", r.Term, m.Design().Names)
			}
			near(t, r.Term, m.Coefficients()[j], r.Estimate, 1e-7)
			near(t, "SE of "+r.Term, diagonal(m)[j], r.SE, 1e-7)
		}
	}
	m := fit(ref.IPW.Dropout.Formula, Binomial(), o, fr)
	same(m, ref.IPW.Dropout.Coef)
	near(t, "AIC", m.AIC(), ref.IPW.Dropout.AIC, 1e-9)
	w, _, err := DropoutWeights(m, false, Truncation{Max: 10})
	must(t, err)
	full := make([]float64, fr.Rows())
	for i := range full {
		full[i] = math.NaN() // dropped from the dropout model, so without a weight
	}
	for i, r := range m.Design().Rows {
		full[r] = w[i]
	}
	pid, _ := fr.Column("pid")
	for i, line := range strings.Split(strings.TrimSpace(string(shared(t, "stats/ref/ipw_weights.csv"))), "\n")[1:] {
		v := strings.Split(line, ",")
		var want float64
		if json.Unmarshal([]byte(v[2]), &want) == nil && full[i] != 0 {
			if pid.Levels[pid.Codes[i]] != v[0] {
				t.Fatalf("row %d is %s, want %s", i, pid.Levels[pid.Codes[i]], v[0])
			}
			near(t, "weight of "+v[0], full[i], want, 1e-8)
		}
	}
	g := fit(ref.Goodbye.Full.Formula, Binomial(), o, fr)
	same(g, ref.Goodbye.Full.Coef)
	for _, c := range ref.Goodbye.Full.Coef[1:2] {
		lo, hi, err := g.InterpolatedInterval(1, 0.95)
		must(t, err)
		near(t, c.Term+" lower", lo, ref.Goodbye.ProfileCI[1][0], 1e-5)
		near(t, c.Term+" upper", hi, ref.Goodbye.ProfileCI[1][1], 1e-5)
	}
	must(t, fr.AddNumeric("w", full))
	o.Weights = "w"
	q := fit("goodbye ~ lambda + I(lambda^2) + I(lambda^3) + personalised + domain + lambda:personalised + lambda:domain", Family{BinomialDist, Logit, true}, o, fr)
	same(q, ref.IPW.Quasi.Coef)
	near(t, "dispersion", q.Dispersion, ref.IPW.Quasi.Dispersion, 1e-7)
}

// treated are the participants of the trial's arms, columns coded as R's script
// has them.
func treated(t *testing.T) *frame.Frame {
	t.Helper()
	all := csv(t, shared(t, "stats/sim/participants.csv"), "domain", "gender", "ethnicity", "education", "ai_use", "pref_cluster", "pid")
	col, _ := all.Column("treated")
	var keep []int
	for i, v := range col.Num {
		if v == 1 {
			keep = append(keep, i)
		}
	}
	sub := all.Select(keep)
	fr := frame.New(sub.Rows())
	for _, name := range sub.Names() {
		c, _ := sub.Column(name)
		switch name {
		case "personalised":
			codes := make([]int32, len(c.Num))
			for i, v := range c.Num {
				codes[i] = int32(v)
			}
			must(t, fr.AddFactor(name, codes, []string{"no", "yes"}))
		case "gender", "ethnicity":
			text, miss, white := make([]string, len(c.Codes)), make([]bool, len(c.Codes)), make([]float64, len(c.Codes))
			for i, k := range c.Codes {
				miss[i] = k < 0 || c.Levels[k] == "other"
				if k >= 0 {
					text[i] = c.Levels[k]
				}
				if text[i] == "white" {
					white[i] = 1
				}
			}
			if name == "gender" {
				must(t, fr.AddStrings(name, text, miss))
			} else {
				must(t, fr.AddNumeric("white", white))
			}
		default:
			if c.Kind == frame.Numeric {
				must(t, fr.AddNumeric(name, c.Num))
			} else {
				must(t, fr.AddFactor(name, c.Codes, c.Levels))
			}
		}
	}
	return fr
}
