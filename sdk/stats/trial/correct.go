package trial

import (
	"math"

	"github.com/seed-4012077a/flow/sdk/stats/estimate"
)

// set is the set of tests that a kind is corrected with: changes over time and
// how effects change are one, effects at one level or time are not corrected.
func set(kind string) string {
	switch kind {
	case temporalMain:
		return temporalInter
	case simpleEffect, temporalSimple, "failed":
		return ""
	}
	return kind
}

// correct fills in the corrected p-values of the primary spec: those of one
// set, in one study, together (global), and apart for each family (local).
func (a *analysis) correct() {
	type family struct{ study, set, family string }
	members := map[family][]int{}
	for i, r := range a.result.Rows {
		s := set(r.Kind)
		if s == "" || r.Spec != "primary" || math.IsNaN(r.P) {
			continue
		}
		for _, k := range []family{{r.Study, s, "local " + r.Family}, {r.Study, s, "global"}} {
			members[k] = append(members[k], i)
		}
	}
	for k, rows := range members {
		p := make([]float64, len(rows))
		for j, i := range rows {
			p[j] = a.result.Rows[i].P
		}
		for j, q := range estimate.Adjust(p, "BH") {
			if k.family == "global" {
				a.result.Rows[rows[j]].Global = q
			} else {
				a.result.Rows[rows[j]].Local = q
			}
		}
	}
}
