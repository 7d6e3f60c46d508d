package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/nullable"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/design"
	"github.com/seed-4012077a/flow/sdk/stats/trial"
)

func replicatesOperator() sdk.Operator {
	return sdk.Operator{
		Name: "replicates", Kind: sdk.Source,
		Doc: `The simulated trials of a power calculation: a row for each number of participants and replicate, with a seed of its own.`,
		Outputs: []sdk.Port{{Name: "replicates", Doc: "one row a trial to simulate", Columns: []sdk.ColumnSpec{
			{Name: "participants", Type: "int64"}, {Name: "replicate", Type: "int64", Doc: "from 1"}, {Name: "seed", Type: "uint64"}}}},
		Params: `{"type": "object", "additionalProperties": false, "required": ["participants"], "properties": {
			"participants": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "description": "numbers of participants to try"},
			"replicates": {"type": "integer", "minimum": 1, "maximum": 1000000, "default": 500, "description": "simulated trials for each"}}}`,
		Open: openReplicates,
	}
}

type replicates struct {
	sdk.NoProcess
	Participants []int `json:"participants"`
	Replicates   int   `json:"replicates"`
	opening      sdk.Opening
	at           int
}

func openReplicates(o sdk.Opening) (sdk.Task, error) {
	t := &replicates{opening: o}
	if err := o.Decode(t); err != nil {
		return nil, err
	}
	for i, n := range t.Participants {
		if slices.Contains(t.Participants[:i], n) {
			return nil, sdk.ParamError(fmt.Sprintf("participants.%d", i), "%d participants are given twice: the same trials would count twice", n)
		}
	}
	o.Output("replicates", sdk.Schema{Fields: []sdk.Field{{Name: "participants", Type: sdk.Int64}, {Name: "replicate", Type: sdk.Int64}, {Name: "seed", Type: sdk.Uint64}}})
	return t, nil
}

func (t *replicates) Next(out *sdk.Outputs) (bool, error) {
	total := len(t.Participants) * t.Replicates
	rows := out.Port("replicates")
	for end := min(t.at+8192, total); t.at < end; t.at++ {
		n, k := t.Participants[t.at/t.Replicates], t.at%t.Replicates
		rows.Col("participants").Int(int64(n))
		rows.Col("replicate").Int(int64(k) + 1)
		rows.Col("seed").Uint(t.opening.Rand(uint64(n), uint64(k)).Uint64())
	}
	return t.at < total, nil
}

func testOperator() sdk.Operator {
	return sdk.Operator{
		Name: "simulate_and_test", Kind: sdk.Map,
		Doc: `Simulates one trial for each row, with its participants and seed, and analyses it as an analysis plan states, on as many processors as there are.
The trial is that of the operator simulate, the plan that of trial#analyse without tables and files: the simulated rows are its one table. Every row of the result is marked simulated.`,
		Inputs: []sdk.Port{{Name: "replicates", Columns: []sdk.ColumnSpec{{Name: "participants", Type: "integer"}, {Name: "replicate", Type: "integer"}, {Name: "seed", Type: "integer"}}}},
		Outputs: []sdk.Port{{Name: "results", Doc: "one row a simulated trial and test", Columns: []sdk.ColumnSpec{
			{Name: "participants", Type: "int64"}, {Name: "replicate", Type: "int64"}, {Name: "study_type", Type: "utf8"}, {Name: "outcome", Type: "utf8"}, {Name: "test", Type: "utf8"}, {Name: "spec", Type: "utf8"},
			{Name: "estimate", Type: "float64"}, {Name: "lower_cl", Type: "float64"}, {Name: "upper_cl", Type: "float64"}, {Name: "p_raw", Type: "float64"}, {Name: "p_local", Type: "float64", Doc: "corrected within the family"},
			{Name: "note", Type: "utf8"}, {Name: design.Simulated, Type: "utf8"}}}},
		Params: `{"type": "object", "additionalProperties": false, "required": ["trial", "plan"], "properties": {
			"trial": {"x-flow": "table", "description": "the trial: a table, or the name of a TOML file; its number of participants gives way to the rows'", ` + trialSchema + `},
			"plan": {"x-flow": "table", "type": "object", "description": "the analysis plan: a table, or the name of a TOML file (see trial#analyse)"}}}`,
		Open: openTest,
	}
}

type simulateAndTest struct {
	sdk.NoFinish
	trial design.Trial
	plan  *trial.Plan
}

func openTest(o sdk.Opening) (sdk.Task, error) {
	var p struct {
		Trial json.RawMessage `json:"trial"`
		Plan  json.RawMessage `json:"plan"`
	}
	if err := o.Decode(&p); err != nil {
		return nil, err
	}
	t := &simulateAndTest{}
	if err := json.Unmarshal(p.Trial, &t.trial); err != nil {
		return nil, sdk.ParamError("trial", "%v", err)
	}
	var err error
	if t.plan, err = trial.Parse(p.Plan); err != nil {
		return nil, sdk.ParamError(trial.PathOf(err, "plan"), "%v", err)
	}
	switch {
	case len(t.plan.Tables) > 0:
		return nil, sdk.ParamError("plan.tables", "it has tables: a simulated trial is one table, so leave tables out")
	case len(t.plan.Outcomes) == 0:
		return nil, sdk.ParamError("plan", "it has no outcomes: associations alone are not tested here")
	}
	example, err := exampleOf(t.trial, maxExample).Simulate(0)
	if err != nil {
		return nil, sdk.ParamError("trial", "%v", err)
	}
	if err := t.plan.CheckColumns(example.Names()); err != nil {
		return nil, sdk.ParamError(trial.PathOf(err, "plan"), "%v", err)
	}
	o.Output("results", sdk.Schema{Fields: slices.Concat(
		[]sdk.Field{{Name: "participants", Type: sdk.Int64}, {Name: "replicate", Type: sdk.Int64}},
		nullable.Texts("study_type", "outcome", "test", "spec"), nullable.Floats("estimate", "lower_cl", "upper_cl", "p_raw", "p_local"),
		nullable.Texts("note"), []sdk.Field{{Name: design.Simulated, Type: sdk.Utf8}})})
	return t, nil
}

func (t *simulateAndTest) Process(_ string, in *sdk.Batch, out *sdk.Outputs) error {
	rows := out.Port("results")
	for i := range in.Len() {
		n, replicate := in.Col("participants").Int(i), in.Col("replicate").Int(i)
		one := t.trial
		one.Participants = int(n)
		data, err := one.Simulate(seedOf(in.Col("seed"), i))
		if err != nil {
			return sdk.ParamError("trial", "%v", err)
		}
		results, err := trial.Contrasts(t.plan, data)
		if err != nil {
			return sdk.ParamError(trial.PathOf(err, "plan"), "%v", err)
		}
		for _, r := range results {
			rows.Col("participants").Int(n)
			rows.Col("replicate").Int(replicate)
			for name, v := range map[string]string{"study_type": r.Study, "outcome": r.Outcome, "test": r.Test, "spec": r.Spec, "note": r.Note} {
				nullable.Text(rows.Col(name), v)
			}
			for name, v := range map[string]float64{"estimate": r.Estimate.Estimate, "lower_cl": r.Lower, "upper_cl": r.Upper, "p_raw": r.P, "p_local": r.Local} {
				nullable.Float(rows.Col(name), v)
			}
			rows.Col(design.Simulated).Str(design.Simulated)
		}
	}
	return nil
}

// seedOf reads a seed of any integer type.
func seedOf(c *sdk.Column, i int) uint64 { return uint64(c.Int(i)) }

func powerOperator() sdk.Operator {
	return sdk.Operator{
		Name: "power", Kind: sdk.Table,
		Doc: `Power of each test at each number of participants: the share of simulated trials whose p-value is below alpha, with Wilson limits of its Monte Carlo error.
Trials without an estimate are counted as failed and left out; the note is the first one's. With p_local, tests that are not corrected are left out.`,
		Inputs: []sdk.Port{{Name: "results", Doc: "as simulate_and_test gives them", Columns: []sdk.ColumnSpec{
			{Name: "participants", Type: "integer"}, {Name: "study_type", Type: "utf8"}, {Name: "outcome", Type: "utf8"}, {Name: "test", Type: "utf8"}, {Name: "spec", Type: "utf8"},
			{Name: "estimate", Type: "number"}, {Name: "lower_cl", Type: "number"}, {Name: "upper_cl", Type: "number"}, {Name: "p_raw", Type: "number"}, {Name: "p_local", Type: "number", Optional: true}, {Name: "note", Type: "utf8"}}}},
		Outputs: []sdk.Port{{Name: "power", Doc: "one row a number of participants, outcome, test and spec", Columns: []sdk.ColumnSpec{
			{Name: "participants", Type: "int64"}, {Name: "study_type", Type: "utf8"}, {Name: "outcome", Type: "utf8"}, {Name: "test", Type: "utf8"}, {Name: "spec", Type: "utf8"},
			{Name: "trials", Type: "int64"}, {Name: "failed", Type: "int64"}, {Name: "power", Type: "float64"}, {Name: "ci_lower", Type: "float64"}, {Name: "ci_upper", Type: "float64"},
			{Name: "mean_estimate", Type: "float64"}, {Name: "sd_estimate", Type: "float64"}, {Name: "mean_width", Type: "float64", Doc: "of the confidence intervals"}, {Name: "note", Type: "utf8"}, {Name: design.Simulated, Type: "utf8"}}}},
		Params: `{"type": "object", "additionalProperties": false, "properties": {
			"alpha": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.05, "description": "level of the tests"},
			"confidence": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95, "description": "of the limits of the power"},
			"p": {"enum": ["p_raw", "p_local"], "default": "p_raw", "description": "raw p-values, or corrected ones (of the primary spec only)"}}}`,
		Open: openPower,
	}
}

type power struct {
	Alpha      float64 `json:"alpha"`
	Confidence float64 `json:"confidence"`
	P          string  `json:"p"`
	keys       []powerKey
	index      map[powerKey]int
	raw        map[powerKey]bool // tests that have p-values, and none of the kind that is asked for
	results    []design.Result
}

type powerKey struct {
	participants               int64
	study, outcome, test, spec string
}

func openPower(o sdk.Opening) (sdk.Task, error) {
	t := &power{index: map[powerKey]int{}, raw: map[powerKey]bool{}}
	if err := o.Decode(t); err != nil {
		return nil, err
	}
	if in := o.Input("results"); !slices.Contains(in.Names(), t.P) {
		return nil, sdk.ParamError("p", "the results have no column %q", t.P)
	}
	o.Output("power", sdk.Schema{Fields: slices.Concat(
		[]sdk.Field{{Name: "participants", Type: sdk.Int64}}, nullable.Texts("study_type", "outcome", "test", "spec"), nullable.Ints("trials", "failed"),
		nullable.Floats("power", "ci_lower", "ci_upper", "mean_estimate", "sd_estimate", "mean_width"), nullable.Texts("note"), []sdk.Field{{Name: design.Simulated, Type: sdk.Utf8}})})
	return t, nil
}

func (t *power) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error {
	textAt := func(name string, i int) string {
		if c := in.Col(name); !c.IsNull(i) {
			return c.Str(i)
		}
		return ""
	}
	numberAt := func(name string, i int) float64 {
		if c := in.Col(name); !c.IsNull(i) {
			return c.Float(i)
		}
		return math.NaN()
	}
	for i := range in.Len() {
		k := powerKey{in.Col("participants").Int(i), textAt("study_type", i), textAt("outcome", i), textAt("test", i), textAt("spec", i)}
		at, ok := t.index[k]
		if !ok {
			at = len(t.keys)
			k = powerKey{k.participants, strings.Clone(k.study), strings.Clone(k.outcome), strings.Clone(k.test), strings.Clone(k.spec)}
			t.index[k], t.keys = at, append(t.keys, k)
		}
		p := numberAt(t.P, i)
		if math.IsNaN(p) && !math.IsNaN(numberAt("p_raw", i)) {
			t.raw[t.keys[at]] = true
		}
		r := design.Result{Test: fmt.Sprint(at), Estimate: numberAt("estimate", i), Lower: numberAt("lower_cl", i), Upper: numberAt("upper_cl", i), P: p}
		if math.IsNaN(r.Estimate) || math.IsNaN(r.P) {
			r.Fault = strings.Clone(textAt("note", i))
		}
		t.results = append(t.results, r)
	}
	return nil
}

func (t *power) Finish(out *sdk.Outputs) error {
	all, err := design.Summarise(t.results, t.Alpha, t.Confidence)
	if err != nil {
		return sdk.Errorf("%v", err)
	}
	t.spread(all)
	rows := out.Port("power")
	for i, p := range all { // in the order of the keys: both are of first sight
		k := t.keys[i]
		if p.Trials == 0 && t.raw[k] || p.Trials+p.Failed == 0 {
			continue // not corrected, or spread over the outcome's tests
		}
		rows.Col("participants").Int(k.participants)
		for name, v := range map[string]string{"study_type": k.study, "outcome": k.outcome, "test": k.test, "spec": k.spec, "note": p.Fault} {
			nullable.Text(rows.Col(name), v)
		}
		rows.Col("trials").Int(int64(p.Trials))
		rows.Col("failed").Int(int64(p.Failed))
		for name, v := range map[string]float64{"power": p.Power, "ci_lower": p.Lower, "ci_upper": p.Upper, "mean_estimate": p.Mean, "sd_estimate": p.SD, "mean_width": p.Width} {
			nullable.Float(rows.Col(name), v)
		}
		rows.Col(design.Simulated).Str(design.Simulated)
	}
	return nil
}

// spread counts the trials in which an outcome could not be analysed at all, a
// row of the test "all", as failures of each of its tests: of all specs where
// the primary analysis failed, else of its own. Where there are no other tests
// the row stays.
func (t *power) spread(all []design.Power) {
	for i, k := range t.keys {
		if k.test != "all" || all[i].Trials > 0 {
			continue
		}
		found := false
		for j, other := range t.keys {
			if other.test == "all" || other.participants != k.participants || other.study != k.study || other.outcome != k.outcome || k.spec != "primary" && other.spec != k.spec {
				continue
			}
			found = true
			all[j].Failed += all[i].Failed
			all[j].Fault = cmp.Or(all[j].Fault, all[i].Fault)
		}
		if found {
			all[i].Failed = 0
		}
	}
}
