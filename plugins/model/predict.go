package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/gather"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"gonum.org/v1/gonum/mat"
)

func predictOperator() sdk.Operator {
	return sdk.Operator{
		Name: "predict", Kind: sdk.Table,
		Doc: `Fits a model to data and predicts the rows of new: the mean with its standard error and limits.
A row with a missing predictor, or a level that the data do not have, has no prediction and a note.`,
		Inputs:  []sdk.Port{{Name: "data", Doc: "rows to fit"}, {Name: "new", Doc: "rows to predict"}},
		Outputs: append([]sdk.Port{{Name: "rows", Doc: "the rows of new with five columns more, named by name", Columns: []sdk.ColumnSpec{{Name: "{name}", Type: "float64", Doc: "predicted mean; beside it NAME_se, NAME_lower, NAME_upper and NAME_note"}}}}, ports([]output{fitOutput()})...),
		Params: `{"type": "object", "additionalProperties": false, "required": ["formula"], "properties": {` + formulaSchema + `,` + dataSchema + `,` + fitSchema + `,
			"name": {"type": "string", "minLength": 1, "default": "predicted", "description": "name of the column of predictions"},
			"scale": {"enum": ["response", "link"], "default": "response", "description": "of generalised linear models"},
			"conditional": {"type": "boolean", "default": false, "description": "mixed models: with the random effects of the rows' levels (0 where a level is new), without limits; else the mean at random effects of 0"},
			"interval": {"enum": ["mean", "observation"], "default": "mean", "description": "limits of the mean, or, for least squares, of a new observation"}}}`,
		Open: openPredict,
	}
}

type predictParams struct {
	spec
	Name        string `json:"name"`
	Scale       string `json:"scale"`
	Conditional bool   `json:"conditional"`
	Interval    string `json:"interval"`
}

type predicting struct {
	opening sdk.Opening
	p       predictParams
	rows    *rows
	schema  sdk.Schema // of new
	speak   []string   // columns of new that the model reads
	model   *fitted
	failed  error
	known   map[string]prediction // by the row of the model matrix
}

// prediction is a mean; numbers that there are not are NaN.
type prediction struct {
	fit, se, lower, upper float64
	note                  string
}

func openPredict(o sdk.Opening) (sdk.Task, error) {
	t := &predicting{opening: o, known: map[string]prediction{}, schema: o.Input("new")}
	if err := o.Decode(&t.p); err != nil {
		return nil, err
	}
	in := o.Input("data")
	if err := t.p.check(in, "formula", t.p.Formula); err != nil {
		return nil, err
	}
	mixed := t.p.mixed(t.p.Formula)
	switch {
	case t.p.Conditional && !mixed:
		return nil, sdk.ParamError("conditional", "the formula has no random terms: leave conditional out")
	case t.p.Interval == "observation" && (mixed || !t.p.linear()):
		return nil, sdk.ParamError("interval", "limits of an observation are for least squares; choose mean")
	}
	var err error
	if t.rows, err = collect(in, &t.p.spec, []string{t.p.Formula}, nil); err != nil {
		return nil, err
	}
	for _, name := range spoken(in, []string{t.p.Formula}, t.p.Offset) {
		if f, ok := t.schema.Field(name); ok {
			if g, _ := in.Field(name); isText(f.Type) != isText(g.Type) {
				return nil, sdk.ColumnError(name, "it is %s in data and %s in new: make both texts or both numbers", g.Type, f.Type)
			}
			t.speak = append(t.speak, name)
		}
	}
	columns := []result.Column{result.Number(t.p.Name, ""), result.Number(t.p.Name+"_se", ""), result.Number(t.p.Name+"_lower", ""), result.Number(t.p.Name+"_upper", ""), result.Text(t.p.Name+"_note", "")}
	if err := result.Declare(o, "rows", "name", t.schema.Fields, columns); err != nil {
		return nil, err
	}
	return t, declare(o, nil, []output{fitOutput()})
}

func (t *predicting) Process(port string, in *sdk.Batch, out *sdk.Outputs) error {
	if port == "data" {
		t.rows.add(in)
		return nil
	}
	if in.Len() == 0 {
		return nil
	}
	if err := t.fit(); err != nil {
		return err
	}
	table, err := gather.Of(t.schema, "formula", t.speak...)
	if err != nil {
		return err
	}
	table.Add(in)
	fr, err := table.Frame()
	if err != nil {
		return err
	}
	found, err := t.predict(fr)
	if err != nil {
		return sdk.ParamError("formula", "%v", err)
	}
	rows, name := out.Port("rows"), t.p.Name
	for i, p := range found {
		rows.CopyRow(in, i)
		result.Put(rows, name, p.fit, name+"_se", p.se, name+"_lower", p.lower, name+"_upper", p.upper, name+"_note", p.note)
	}
	return nil
}

// fit fits the data once, when all of them are there.
func (t *predicting) fit() error {
	if t.model != nil || t.failed != nil {
		return nil
	}
	all, err := t.rows.frame(&t.p.spec)
	if err != nil {
		return err
	}
	if t.model, t.failed = t.p.fit(t.p.Formula, all); t.failed != nil {
		t.rows.warn(t.opening, "no fit", 0, t.failed)
	}
	return nil
}

func (t *predicting) Finish(out *sdk.Outputs) error {
	if err := t.fit(); err != nil {
		return err
	}
	putFit(out.Port("fit"), &t.p.spec, t.p.Formula, t.model, t.failed)
	return nil
}

// predict predicts the rows that can be, and says why others cannot.
func (t *predicting) predict(fr *frame.Frame) ([]prediction, error) {
	nan := math.NaN()
	out := make([]prediction, fr.Rows())
	for i := range out {
		out[i] = prediction{nan, nan, nan, nan, "no model"}
	}
	if t.model == nil {
		return out, nil
	}
	var can []int
	for i, why := range t.unable(fr) {
		if out[i].note = why; why == "" {
			can = append(can, i)
		}
	}
	if len(can) == 0 {
		return out, nil
	}
	d := t.model.Design()
	some := fr.Select(can)
	x, err := d.Model(some)
	if err != nil {
		return nil, err
	}
	offset, err := d.NewOffset(some)
	if err != nil {
		return nil, err
	}
	effects, unseen, err := t.effects(some)
	if err != nil {
		return nil, err
	}
	for k, i := range can {
		shift := 0.0
		if offset != nil {
			shift = offset[k]
		}
		var l []float64
		if len(d.Names) > 0 {
			l = x.RawRowView(k)
		}
		out[i] = t.one(l, shift)
		if effects != nil {
			eta := shift + effects[k]
			for j, b := range t.model.Coefficients() {
				eta += l[j] * b
			}
			out[i] = t.scaled(prediction{eta, nan, nan, nan, unseen[k]})
		}
	}
	return out, nil
}

// unable says for each row why it cannot be predicted, "" where it can.
func (t *predicting) unable(fr *frame.Frame) []string {
	out := make([]string, fr.Rows())
	d := t.model.Design()
	for _, f := range d.Factors() {
		c, ok := fr.Column(f.Name)
		if !ok {
			continue // Design.Model says so
		}
		c = c.ToFactor()
		known := map[string]bool{}
		for _, l := range f.Levels {
			known[l] = true
		}
		for i, code := range c.Codes {
			if code < 0 {
				out[i] = result.Notes(out[i], "no "+f.Name)
			} else if !known[c.Levels[code]] {
				out[i] = result.Notes(out[i], fmt.Sprintf("%s %q is not in the data of the fit", f.Name, c.Levels[code]))
			}
		}
	}
	for _, cov := range append(d.Covariates(), d.OffsetColumns()...) {
		c, ok := fr.Column(cov.Name)
		for i := range out {
			if ok && c.Missing(i) {
				out[i] = result.Notes(out[i], "no "+cov.Name)
			}
		}
	}
	return out
}

// one is the population's prediction of a row l'beta + shift. Rows repeat, and
// degrees of freedom of mixed models cost time, so each is computed once.
func (t *predicting) one(l []float64, shift float64) prediction {
	nan := math.NaN()
	key := fmt.Sprintf("%x %x", l, shift)
	if p, ok := t.known[key]; ok {
		return p
	}
	est, se, df, err := t.model.Contrast(l)
	p := prediction{nan, nan, nan, nan, ""}
	if err != nil {
		p.note = err.Error()
	} else {
		p.fit, p.se = est+shift, se
		if t.p.Interval == "observation" {
			se = math.Hypot(se, t.model.sigma)
		}
		q := estimate.Quantile((1+t.p.Level)/2, df)
		p.lower, p.upper = p.fit-q*se, p.fit+q*se
		p = t.scaled(p)
	}
	t.known[key] = p
	return p
}

// scaled takes a prediction of the linear predictor to the response, its
// standard error by the delta method, where that is asked for.
func (t *predicting) scaled(p prediction) prediction {
	if t.p.Scale == "link" {
		return p
	}
	link := t.p.family.Link
	p.se *= math.Abs(link.Derivative(p.fit))
	p.fit = link.Mu(p.fit)
	low, up := link.Mu(p.lower), link.Mu(p.upper)
	p.lower, p.upper = math.Min(low, up), math.Max(low, up)
	return p
}

// effects are the rows' sums of random effects, with notes on levels that the
// fit did not have; nil where they are not asked for.
func (t *predicting) effects(fr *frame.Frame) ([]float64, []string, error) {
	if !t.p.Conditional {
		return nil, nil, nil
	}
	random, err := t.model.Design().NewRandom(fr)
	if err != nil {
		return nil, nil, err
	}
	modes, err := t.modes()
	if err != nil {
		return nil, nil, err
	}
	out, notes := make([]float64, fr.Rows()), make([]string, fr.Rows())
	for k, r := range random {
		b := modes[k]
		for i := range out {
			g := r.Index[i]
			if g < 0 {
				if note := "a new or missing level of " + r.Group + ": its effect is taken as 0"; !strings.Contains(notes[i], note) {
					notes[i] = result.Notes(notes[i], note)
				}
				continue
			}
			for j := range r.Names {
				out[i] += r.Z.At(i, j) * b.At(int(g), j)
			}
		}
	}
	return out, notes, nil
}

// modes are the random effects of each term, levels x columns.
func (t *predicting) modes() ([]mat.Matrix, error) {
	var out []mat.Matrix
	if t.model.glmm != nil {
		for _, e := range t.model.glmm.Effects() {
			out = append(out, e.B)
		}
		return out, nil
	}
	all, err := t.model.lmm.RandomEffects()
	if err != nil {
		return nil, err
	}
	from := map[string]int{} // the columns of a factor's earlier terms
	for _, r := range t.model.Design().Random {
		for _, e := range all {
			if e.Group == r.Group {
				out = append(out, e.Mean.Slice(0, len(e.Levels), from[r.Group], from[r.Group]+len(r.Names)))
				from[r.Group] += len(r.Names)
				break
			}
		}
	}
	return out, nil
}
