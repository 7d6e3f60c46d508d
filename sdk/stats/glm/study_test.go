package glm

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// The polynomial contrasts of the study's binary outcome as its authors printed
// them: estimate, SE, limits and p to four decimals.
func TestStudyPolynomial(t *testing.T) {
	var file struct {
		Contrasts []struct {
			Outcome string
			Type    string `json:"test_type"`
			Primary struct {
				Estimate, SE float64
				Lower        float64 `json:"lower_cl"`
				Upper        float64 `json:"upper_cl"`
				P            float64 `json:"p_raw"`
			}
		}
	}
	must(t, json.Unmarshal(shared(t, "kirk2025/expected/attachment_contrasts.json"), &file))
	var y, lambda []float64
	var domain, personal []string
	for _, line := range bytes.Split(bytes.TrimSpace(shared(t, "kirk2025/trial/goodbye.jsonl")), []byte("\n")) {
		var r struct {
			Study           string `json:"study_id"`
			Multiplier      float64
			Domain          string
			Personalisation string
			Action          *float64 `json:"goodbye_action"`
		}
		must(t, json.Unmarshal(line, &r))
		if r.Study != "longitudinal" {
			continue
		}
		v := math.NaN()
		if r.Action != nil {
			v = *r.Action
		}
		y, lambda, domain, personal = append(y, v), append(lambda, r.Multiplier), append(domain, r.Domain), append(personal, r.Personalisation)
	}
	fr := frame.New(len(y))
	must(t, fr.AddNumeric("goodbye", y))
	must(t, fr.AddNumeric("lambda", lambda))
	must(t, fr.AddStrings("domain", domain, nil))
	must(t, fr.AddStrings("personalisation", personal, nil))
	m, err := Fit(design(t, fr, "goodbye ~ lambda + I(lambda^2) + I(lambda^3) + personalisation + domain", ""), Binomial(), Options{})
	must(t, err)
	es, err := estimate.Coefficients(m, 0.95)
	must(t, err)
	j := 0
	for _, c := range file.Contrasts {
		if c.Outcome != "goodbye_action" || c.Type != "dose_response" {
			continue
		}
		j++
		lo, hi, err := m.InterpolatedInterval(j, 0.95)
		must(t, err)
		want := []float64{c.Primary.Estimate, c.Primary.SE, c.Primary.Lower, c.Primary.Upper, c.Primary.P}
		for k, got := range []float64{es[j].Estimate, es[j].SE, lo, hi, es[j].P} {
			if math.Abs(got-want[k]) > 5.1e-5 {
				t.Errorf("%s: got %.6f, want %.4f", es[j].Label, got, want[k])
			}
		}
		xl, xh, err := m.ProfileInterval(unit(len(es), j), 0.95)
		must(t, err)
		t.Logf("%s: %.5f to %.5f; as R interpolates: %.5f to %.5f", es[j].Label, xl, xh, lo, hi)
	}
	if j != 3 {
		t.Errorf("%d polynomial contrasts of the outcome, want 3", j)
	}
}
