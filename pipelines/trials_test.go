package pipelines_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestKirk2025Trial runs the plans on the released trials and looks up every
// contrast that the study's authors printed. (The numbers are held to the last
// digit where they are made, in sdk/stats/trial.)
func TestKirk2025Trial(t *testing.T) {
	if testing.Short() {
		t.Skip(tooLong)
	}
	needData(t)
	for _, c := range []struct {
		plan, printed string
		n             int
	}{{"attachment", "attachment_contrasts", 231}, {"attachment", "attachment_contrasts_cs", 27}, {"psychosocial", "psychosocial_contrasts", 20}} {
		f := newFlow(t)
		f.run("run", "pipelines/kirk2025-trial.toml", "--set", "vars.data="+released, "--set", "vars.plan=pipelines/kirk2025-trial/"+c.plan+".toml")
		contrasts := f.show("contrasts")
		at := map[string]int{}
		for i := range contrasts.rows {
			key := ""
			for _, column := range []string{"study_type", "outcome", "test_type", "test", "spec"} {
				key += contrasts.at(i, column) + "|"
			}
			at[key] = i
		}
		data, err := os.ReadFile(filepath.Join(study, "expected", c.printed+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Contrasts []map[string]any `json:"contrasts"`
		}
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		if len(doc.Contrasts) != c.n {
			t.Fatalf("%s has %d contrasts, %d are known of", c.printed, len(doc.Contrasts), c.n)
		}
		for _, want := range doc.Contrasts {
			for _, spec := range []string{"primary", "coarsened", "narrow", "full"} {
				numbers, _ := want[spec].(map[string]any)
				if len(numbers) == 0 {
					continue
				}
				key := ""
				for _, column := range []string{"study_type", "outcome", "test_type", "test"} {
					key += want[column].(string) + "|"
				}
				i, ok := at[key+spec+"|"]
				if !ok {
					t.Errorf("%s: no row %s%s", c.printed, key, spec)
					continue
				}
				for _, name := range []string{"estimate", "lower_cl", "upper_cl", "p_raw", "p_local", "p_global"} {
					if v, ok := numbers[name].(float64); ok && math.Abs(contrasts.number(i, name)-v) > 0.53e-4 {
						t.Errorf("%s: %s%s: %s is %v, printed %v", c.printed, key, spec, name, contrasts.at(i, name), v)
					}
				}
			}
		}
	}
}

// TestSimulatedTrial runs the pipeline that needs no data: what it gives is
// marked as simulated, the primary effect is near what was put in, and power
// grows with the participants.
func TestSimulatedTrial(t *testing.T) {
	if testing.Short() {
		t.Skip(tooLong)
	}
	f := newFlow(t)
	f.run("run", "pipelines/simulated-trial.toml", "--set", "vars.replicates=40", "--set", "vars.sizes=[40, 160]")
	list := f.show("assignment")
	if len(list.rows) < 240 {
		t.Errorf("a list of %d places for two sites of 120", len(list.rows))
	}
	trial := f.show("trial")
	for i := range trial.rows {
		if trial.at(i, "simulated") != "simulated" {
			t.Fatalf("row %d is not marked", i)
		}
	}
	contrasts := f.show("contrasts")
	found := false
	for i := range contrasts.rows {
		if contrasts.at(i, "outcome") == "attachment" && contrasts.at(i, "test_type") == "main_effect_RS" && contrasts.at(i, "spec") == "primary" {
			found = true
			// 1.5 x (2 + 0.8 x 2.5 weeks) = 6, before the scale's ends cut some off.
			if lower, upper := contrasts.number(i, "lower_cl"), contrasts.number(i, "upper_cl"); lower > 6 || upper < 5 {
				t.Errorf("the primary contrast's interval is %v to %v", lower, upper)
			}
		}
	}
	if !found {
		t.Error("there is no primary contrast of attachment")
	}
	power := f.show("power")
	var sizes []int
	var shares []float64
	for i := range power.rows {
		if strings.HasPrefix(power.at(i, "test"), "RS") && power.at(i, "spec") == "primary" {
			n, _ := strconv.Atoi(power.at(i, "participants"))
			sizes, shares = append(sizes, n), append(shares, power.number(i, "power"))
		}
		if power.at(i, "simulated") != "simulated" || power.at(i, "trials") != "40" {
			t.Errorf("row %d: %v", i, power.rows[i])
		}
	}
	if !slices.Equal(sizes, []int{40, 160}) || !(shares[0] < shares[1]) {
		t.Errorf("power %v at %v participants", shares, sizes)
	}
}
