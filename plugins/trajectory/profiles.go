package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/proportion"
	"github.com/seed-4012077a/flow/sdk/stats/trajectory"
)

func profileColumns() []result.Column {
	return []result.Column{result.Text("participant", ""), result.Number("liking", "slope of liking"), result.Number("wanting", "slope of wanting"),
		result.Text("profile", "null where a slope is missing"), result.Note()}
}

func countColumns() []result.Column {
	return []result.Column{result.Text("by", "column that the arms are of; several joined by \" x \"; null: all participants"), result.Text("arm", "its value"),
		result.Text("profile", ""), result.Count("n", ""), result.Count("total", "participants of the arm with a profile"),
		result.Number("share", "n / total"), result.Number("ci_lower", "Wilson"), result.Number("ci_upper", "Wilson"), result.Note()}
}

func profilesOperator() sdk.Operator {
	return sdk.Operator{
		Name: "profiles", Kind: sdk.Table,
		Doc: `Participants by two slopes: which of liking and wanting rise (are above their thresholds). A participant needs both slopes; the others keep a row, with the reason.
Arm columns are joined from the participants table. counts has each profile's share in all participants, in each arm, and in each combination of arms. Arms are compared by the operator compare.`,
		Inputs: []sdk.Port{
			{Name: "liking", Doc: "slopes of liking, one row a participant", Columns: []sdk.ColumnSpec{{Name: "{participant}", Type: "any"}, {Name: "{liking_slope}", Type: "number"}}},
			{Name: "wanting", Doc: "slopes of wanting, one row a participant", Columns: []sdk.ColumnSpec{{Name: "{participant}", Type: "any"}, {Name: "{wanting_slope}", Type: "number"}}},
			{Name: "participants", Optional: true, Doc: "the participants' arms", Columns: []sdk.ColumnSpec{{Name: "{participant}", Type: "any"}, {Name: "{arms}", Type: "any"}}}},
		Outputs: []sdk.Port{
			{Name: "profiles", Doc: "one row a participant with a slope, with the arm columns", Columns: specs(profileColumns())},
			result.Port("counts", "one row an arm and profile", countColumns())},
		Params: `{"type": "object", "additionalProperties": false, "required": ["participant"], "properties": {
			"participant": {"type": "string", "minLength": 1, "description": "column that identifies participants, in every input"},
			"liking_slope": {"type": "string", "minLength": 1, "default": "slope", "description": "column of the slope of liking"},
			"wanting_slope": {"type": "string", "minLength": 1, "default": "slope", "description": "column of the slope of wanting"},
			"liking_above": {"type": "number", "default": 0, "description": "liking rises where its slope is above this"},
			"wanting_above": {"type": "number", "default": 0, "description": "wanting rises where its slope is above this"},
			"arms": {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": true, "default": [], "description": "columns of the participants table to join, as lambda and domain"},
			"names": {"type": "object", "additionalProperties": false, "description": "names of the profiles", "properties": {
				"both": {"type": "string", "minLength": 1, "default": "Aligned Engagement", "description": "liking and wanting rise"},
				"liking": {"type": "string", "minLength": 1, "default": "Decoupled Satiation", "description": "liking alone rises"},
				"wanting": {"type": "string", "minLength": 1, "default": "Decoupled Dependency", "description": "wanting alone rises"},
				"neither": {"type": "string", "minLength": 1, "default": "Aligned Disengagement", "description": "neither rises"}},
				"default": {"both": "Aligned Engagement", "liking": "Decoupled Satiation", "wanting": "Decoupled Dependency", "neither": "Aligned Disengagement"}},
			"level": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95, "description": "confidence level"}}}`,
		Open: openProfiles,
	}
}

type person struct {
	liking, wanting float64
	inLiking        bool
	inWanting       bool
	arms            []string // "" where missing
	armRow          int      // in the kept arm columns, -1 without
}

type profilesTask struct {
	participant string
	slope       map[string]string // column by port
	arms        []string
	quadrants   trajectory.Quadrants
	level       float64
	people      map[string]*person
	order       []string
	kept        []*sdk.Builder // arm columns
	keptRows    int
	joined      bool
}

func openProfiles(o sdk.Opening) (sdk.Task, error) {
	var p struct {
		Participant  string   `json:"participant"`
		LikingSlope  string   `json:"liking_slope"`
		WantingSlope string   `json:"wanting_slope"`
		LikingAbove  float64  `json:"liking_above"`
		WantingAbove float64  `json:"wanting_above"`
		Arms         []string `json:"arms"`
		Names        struct {
			Both    string `json:"both"`
			Liking  string `json:"liking"`
			Wanting string `json:"wanting"`
			Neither string `json:"neither"`
		} `json:"names"`
		Level float64 `json:"level"`
	}
	if err := o.Decode(&p); err != nil {
		return nil, err
	}
	t := &profilesTask{participant: p.Participant, slope: map[string]string{"liking": p.LikingSlope, "wanting": p.WantingSlope}, arms: p.Arms, level: p.Level,
		people: map[string]*person{}, joined: o.Connected("participants"),
		quadrants: trajectory.Quadrants{Both: p.Names.Both, First: p.Names.Liking, Second: p.Names.Wanting, Neither: p.Names.Neither, FirstAbove: p.LikingAbove, SecondAbove: p.WantingAbove}}
	names := t.quadrants.Names()
	for i, n := range names {
		if slices.Contains(names[:i], n) {
			return nil, sdk.ParamError("names", "%q names two profiles", n)
		}
	}
	for _, port := range []string{"liking", "wanting"} {
		in := o.Input(port)
		if _, err := group.New(in, "participant", []string{p.Participant}); err != nil {
			return nil, err
		}
		if err := result.Numeric(in, port+"_slope", t.slope[port]); err != nil {
			return nil, err
		}
	}
	var arms []sdk.Field
	if t.joined {
		in := o.Input("participants")
		if _, err := group.New(in, "participant", []string{p.Participant}); err != nil {
			return nil, err
		}
		keys, err := group.New(in, "arms", p.Arms)
		if err != nil {
			return nil, err
		}
		arms = keys.Fields()
	} else if len(p.Arms) > 0 {
		return nil, sdk.ParamError("arms", "the arms are columns of the participants table, and the input participants is not connected")
	}
	columns := profileColumns()
	fields := result.Fields(columns[:len(columns)-1])
	for _, f := range arms {
		for _, c := range columns {
			if c.Name == f.Name {
				return nil, sdk.ParamError("arms", "column %q has the name of a column of the output profiles; rename it before", f.Name)
			}
		}
		f.Nullable = true
		fields = append(fields, f)
		t.kept = append(t.kept, sdk.NewBuilder(f.Type))
	}
	o.Output("profiles", sdk.Schema{Fields: append(fields, result.Fields(columns[len(columns)-1:])...)})
	o.Output("counts", sdk.Schema{Fields: result.Fields(countColumns())})
	return t, nil
}

func (t *profilesTask) Process(port string, in *sdk.Batch, _ *sdk.Outputs) error {
	who := in.Col(t.participant)
	for i := range in.Len() {
		name, ok := group.Text(who, i)
		if !ok {
			continue
		}
		p := t.people[name]
		if port == "participants" {
			if p != nil {
				if err := t.join(p, name, in, i); err != nil {
					return err
				}
			}
			continue
		}
		if p == nil {
			name = strings.Clone(name)
			p = &person{liking: math.NaN(), wanting: math.NaN(), armRow: -1, arms: make([]string, len(t.arms))}
			t.people[name] = p
			t.order = append(t.order, name)
		}
		v := math.NaN()
		if c := in.Col(t.slope[port]); !c.IsNull(i) {
			v = c.Float(i)
		}
		seen, to := &p.inLiking, &p.liking
		if port == "wanting" {
			seen, to = &p.inWanting, &p.wanting
		}
		if *seen {
			return sdk.Errorf("input %s: participant %q has two rows; one slope a participant is needed", port, name)
		}
		*seen, *to = true, v
	}
	return nil
}

// join keeps a participant's arms. Several rows of one participant must agree.
func (t *profilesTask) join(p *person, name string, in *sdk.Batch, i int) error {
	values := make([]string, len(t.arms))
	for k, a := range t.arms {
		if text, ok := group.Text(in.Col(a), i); ok {
			values[k] = strings.Clone(text)
		}
	}
	if p.armRow >= 0 {
		for k := range values {
			if values[k] != p.arms[k] {
				return sdk.Errorf("input participants: participant %q has %s %q in one row and %q in another", name, t.arms[k], p.arms[k], values[k])
			}
		}
		return nil
	}
	p.arms, p.armRow = values, t.keptRows
	t.keptRows++
	for k, a := range t.arms {
		t.kept[k].Copy(in.Col(a), i)
	}
	return nil
}

func (t *profilesTask) Finish(out *sdk.Outputs) error {
	if len(t.order) == 0 {
		return errors.New("the slopes tables have no rows")
	}
	rows := out.Port("profiles")
	profiles := make([]string, len(t.order))
	for i, name := range t.order {
		p := t.people[name]
		profiles[i] = t.quadrants.Name(p.liking, p.wanting)
		var notes []string
		if math.IsNaN(p.liking) {
			notes = append(notes, "no slope of liking")
		}
		if math.IsNaN(p.wanting) {
			notes = append(notes, "no slope of wanting")
		}
		if t.joined && p.armRow < 0 {
			notes = append(notes, "not in the participants table")
		}
		result.Put(rows, "participant", name, "liking", p.liking, "wanting", p.wanting, "profile", profiles[i], "note", strings.Join(notes, "; "))
		for k, a := range t.arms {
			if p.armRow < 0 {
				rows.Col(a).Null()
			} else {
				rows.Col(a).Copy(t.kept[k].Column(), p.armRow)
			}
		}
	}
	t.counts(out, profiles)
	return nil
}

func (t *profilesTask) counts(out *sdk.Outputs, profiles []string) {
	t.countBy(out, profiles, nil)
	for k := range t.arms {
		t.countBy(out, profiles, []int{k})
	}
	if len(t.arms) > 1 {
		all := make([]int, len(t.arms))
		for k := range all {
			all[k] = k
		}
		t.countBy(out, profiles, all)
	}
}

// countBy counts profiles by the combination of some arm columns; participants
// without one of them are left out.
func (t *profilesTask) countBy(out *sdk.Outputs, profiles []string, by []int) {
	var names []string
	for _, k := range by {
		names = append(names, t.arms[k])
	}
	counts := map[string]map[string]int{}
	var arms [][]string
	left := 0
	for i, name := range t.order {
		if profiles[i] == "" {
			continue
		}
		var values []string
		for _, k := range by {
			if v := t.people[name].arms[k]; v != "" {
				values = append(values, v)
			}
		}
		if len(values) < len(by) {
			left++
			continue
		}
		key := strings.Join(values, " x ")
		if counts[key] == nil {
			counts[key] = map[string]int{}
			arms = append(arms, values)
		}
		counts[key][profiles[i]]++
	}
	slices.SortFunc(arms, compareTexts)
	note := ""
	if left > 0 {
		note = fmt.Sprintf("%d participants without %s are left out", left, strings.Join(names, " or "))
	}
	rows := out.Port("counts")
	for _, values := range arms {
		key, total := strings.Join(values, " x "), 0
		for _, n := range counts[key] {
			total += n
		}
		for _, profile := range t.quadrants.Names() {
			n := counts[key][profile]
			ci, err := proportion.Sample{Events: n, N: total}.Limits(proportion.Wilson, t.level)
			if err != nil {
				ci = proportion.Interval{Lower: math.NaN(), Upper: math.NaN()}
				note = result.Notes(note, err.Error())
			}
			result.Put(rows, "by", strings.Join(names, " x "), "arm", key, "profile", profile, "n", n, "total", total,
				"share", float64(n)/float64(total), "ci_lower", ci.Lower, "ci_upper", ci.Upper, "note", note)
		}
	}
}
