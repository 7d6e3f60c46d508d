package emm

import (
	"fmt"
	"math"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/dist"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"gonum.org/v1/gonum/floats"
)

// Report says how a set is estimated.
type Report struct {
	Level  float64 // of the intervals; 0 is 0.95
	Adjust string  // none (also ""), tukey, sidak, or a method of estimate.Adjust; within each group
}

// Result is a row's estimate. Where NotEstimable is set it says why there is
// none, and the numbers are NaN.
type Result struct {
	estimate.Estimate          // P is the raw p
	Adjusted          float64  // P corrected; P itself without a correction
	Levels            []string // of the set's Variables
	Group             []string // of the set's By
	NotEstimable      string
}

// Adjustments are the corrections that Estimates knows.
func Adjustments() []string { return append(estimate.Methods(), "tukey", "sidak") }

// Estimates estimates every function of the set. P-values and intervals are
// corrected within each group of by. Intervals of "tukey" (all pairs of a
// group's members) and "sidak" are those of the method; stepwise and false
// discovery rate methods have none, and get Bonferroni's, as in emmeans.
func (s *Set) Estimates(o Report) ([]Result, error) {
	if o.Level == 0 {
		o.Level = 0.95
	}
	method := strings.ToLower(o.Adjust)
	if method != "tukey" && method != "sidak" && estimate.CheckMethod(o.Adjust) != nil {
		return nil, fmt.Errorf("no correction %q: %s", o.Adjust, frame.Choices(o.Adjust, Adjustments()))
	}
	if method == "tukey" && !s.tukey {
		return nil, fmt.Errorf("the correction tukey is for all pairs of the means of a group: use Pairwise, or another correction (%s)", strings.Join(Adjustments(), ", "))
	}
	out := make([]Result, len(s.Rows))
	for i, r := range s.Rows {
		out[i] = Result{Levels: r.Levels, Group: r.Group, NotEstimable: s.estimable(r)}
		if out[i].NotEstimable == "" && floats.Norm(r.l, 1) < 1e-12 {
			out[i].NotEstimable = "the model gives 0 whatever its coefficients: no term of it makes this difference"
		}
		if out[i].NotEstimable != "" {
			nan := math.NaN()
			out[i].Estimate = estimate.Estimate{Label: r.Label, Estimate: nan, SE: nan, DF: nan, Lower: nan, Upper: nan, Statistic: nan, P: nan}
			out[i].Adjusted = nan
			continue
		}
		est, se, df, err := s.model.Contrast(kept(s.model.Design(), r.l))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Label, err)
		}
		if out[i].Estimate, err = estimate.New(r.Label, est+r.shift, se, df, o.Level); err != nil {
			return nil, err
		}
	}
	for _, rows := range s.groups() {
		if err := s.adjust(out, rows, method, o); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// adjust corrects the results of one group.
func (s *Set) adjust(out []Result, rows []int, method string, o Report) error {
	p := make([]float64, len(rows))
	n := 0.0
	for i, k := range rows {
		p[i] = out[k].P
		if !math.IsNaN(p[i]) {
			n++
		}
	}
	adjusted := p
	if method != "tukey" && method != "sidak" {
		adjusted = estimate.Adjust(p, o.Adjust)
	}
	for i, k := range rows {
		r := &out[k]
		if math.IsNaN(r.P) {
			continue
		}
		r.Adjusted = adjusted[i]
		var critical float64
		switch method {
		case "tukey":
			d, err := dist.NewStudentizedRange(float64(s.members), r.DF)
			if err != nil {
				return fmt.Errorf("%s: %w", r.Label, err)
			}
			r.Adjusted = d.Survival(math.Sqrt2 * math.Abs(r.Statistic))
			critical = d.Quantile(o.Level) / math.Sqrt2
		case "sidak":
			r.Adjusted = -math.Expm1(n * math.Log1p(-r.P))
			critical = estimate.Quantile(1-(1-math.Pow(o.Level, 1/n))/2, r.DF)
		case "", "none":
			continue
		default:
			critical = estimate.Quantile(1-(1-o.Level)/(2*n), r.DF)
		}
		r.Lower, r.Upper = r.Estimate.Estimate-critical*r.SE, r.Estimate.Estimate+critical*r.SE
	}
	return nil
}
