package trial

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Plan is an analysis plan. Its JSON is what a plan's TOML file holds.
type Plan struct {
	Measure     string            `json:"measure"`     // what the outcomes measure: the name of the whole
	Participant string            `json:"participant"` // column that identifies participants
	Level       float64           `json:"level"`       // confidence level; 0.95
	DF          string            `json:"df"`          // of mixed models: kenward-roger (default), satterthwaite or asymptotic
	Limits      string            `json:"limits"`      // of coefficients of logistic models: profile (default), profile-interpolated (as R's confint) or wald
	Lambda      Lambda            `json:"lambda"`
	Factors     []Factor          `json:"factors"`
	Time        Time              `json:"time"`
	Tables      map[string]Table  `json:"tables"` // none: the input is the one table
	Join        []Join            `json:"join"`   // columns to add to every table: what is known of participants
	Studies     []Study           `json:"studies"`
	Outcomes    []Outcome         `json:"outcomes"`
	Weights     map[string]Weight `json:"weights"`
	Robustness  []Robustness      `json:"robustness"`
	Tests       []Association     `json:"associations"`
	Families    map[string]Family `json:"families"`

	signName, itemName string // see reserve
}

// Lambda is the dose and the values at which it is compared.
type Lambda struct {
	Column string    `json:"column"`
	Label  string    `json:"label"` // in tests' names; "RS"
	Name   string    `json:"name"`  // in the names of time effects; the label if empty
	High   []float64 `json:"high"`  // of the primary contrast; 0.5 and 1
	Low    []float64 `json:"low"`   // -0.5 and -1
	// Specs are further pairs of lambdas, by the name of the spec: narrow and
	// full if left out.
	Specs []Spec `json:"specs"`
	// Forms are the polynomials to choose from: linear, quadratic, cubic.
	Forms []string `json:"forms"`
	// Criterion chooses the form: aic (default), aicc or bic.
	Criterion string `json:"criterion"`
	// Signs name the three levels of the sign of lambda, Marks the first and
	// last of them in slopes.
	Signs []string `json:"signs"`
	Marks []string `json:"marks"`
	// Symbol stands for lambda in the names of the polynomial's terms.
	Symbol string `json:"symbol"`
	// Curve are the lambdas of the curve of marginal means; if left out, the
	// lambdas of the data and the tenths between the least and the greatest.
	Curve []float64 `json:"curve"`
}

// Spec is a pair of lambdas to compare.
type Spec struct {
	Name string  `json:"name"`
	High float64 `json:"high"`
	Low  float64 `json:"low"`
}

// Factor is a factor that is randomised beside lambda.
type Factor struct {
	Column string   `json:"column"`
	Label  string   `json:"label"`  // the column if empty
	Short  string   `json:"short"`  // in test types; the label if empty
	Levels []string `json:"levels"` // the first is the reference; all, sorted, if empty
	Marks  []string `json:"marks"`  // short names of the levels, in slopes
}

// Time is the time of repeated measurements. Of texts the number that they end
// in is read ("w3" is 3).
type Time struct {
	Column string `json:"column"`
	Name   string `json:"name"` // "Time"
	Mark   string `json:"mark"` // before a time's number; "T"
}

// Table is a table of the input: the rows of one file, filtered, with columns
// joined from others.
type Table struct {
	File   string            `json:"file"`
	Where  Where             `json:"where"`
	Join   []Join            `json:"join"`
	Recode map[string]Recode `json:"recode"` // new columns by name
	Derive map[string]string `json:"derive"` // new columns by name: an expression of numeric columns
}

// Where keeps the rows whose columns have one of the values: texts, numbers or
// booleans.
type Where map[string]Values

// Values is one value or a list of them.
type Values []any

// UnmarshalJSON takes a value or a list.
func (v *Values) UnmarshalJSON(data []byte) error {
	var list []any
	if json.Unmarshal(data, &list) != nil {
		var one any
		if err := json.Unmarshal(data, &one); err != nil {
			return err
		}
		list = []any{one}
	}
	for _, x := range list {
		switch x.(type) {
		case string, float64, bool:
		default:
			return fmt.Errorf("%v is no text, number or boolean", x)
		}
	}
	*v = list
	return nil
}

// Join adds columns of another table by columns that identify its rows.
type Join struct {
	File    string            `json:"file"`
	Where   Where             `json:"where"`
	By      []string          `json:"by"` // the participant if empty
	Columns map[string]string `json:"columns"`
}

// Recode makes a column of another by replacing values with texts or with
// numbers. What is not named stays; where numbers are given it must be one.
type Recode struct {
	From   string         `json:"from"`
	Values map[string]any `json:"values"`
}

// Study is a part of the data that is analysed by itself.
type Study struct {
	Name  string `json:"name"`
	Where Where  `json:"where"`
	// Tests are the groups of tests that are reported: main, dose, moderation,
	// time, slopes; all that apply if empty.
	Tests []string `json:"tests"`
}

// Family is a local family. Outcomes name theirs; a family that is listed here
// and has no outcome is a mistake.
type Family struct {
	Label string `json:"label"`
}

// Outcome is what is analysed.
type Outcome struct {
	Name     string               `json:"name"`
	Family   string               `json:"family"` // local family; the measure if empty
	Table    string               `json:"table"`
	Column   string               `json:"column"` // the name if empty
	Items    []string             `json:"items"`
	Kind     string               `json:"kind"`     // gaussian (default) or binary
	Baseline string               `json:"baseline"` // column with the value before treatment
	Form     string               `json:"form"`     // fixes the polynomial
	Once     bool                 `json:"once"`     // no time in the model, whatever the rows have
	Time     *Time                `json:"time"`     // in place of the plan's
	Several  bool                 `json:"several"`  // a participant has several rows at one time
	Where    Where                `json:"where"`
	Random   string               `json:"random"` // slope, intercept or none; "" chooses (rows.chooseRandom)
	Studies  map[string]InStudies `json:"studies"`
}

// InStudies says what differs in one study. An outcome whose studies are
// listed is analysed in those only.
type InStudies struct {
	Baseline *string `json:"baseline"`
	Form     string  `json:"form"`
	Table    string  `json:"table"`
}

// Weight are weights of participants: a column, or made by inverse probability
// of staying. Models take them as prior weights: standard errors are the
// model's, not robust ones.
type Weight struct {
	Column string `json:"column"`
	// Dropout is a formula of a logistic regression of leaving, fitted on
	// Table; weights are 1 / (1 - p), or stabilised. Where it is separated it
	// is fitted with Firth's penalty, and the rows' notes say so.
	Dropout    string  `json:"dropout"`
	Table      string  `json:"table"`
	Stabilised bool    `json:"stabilised"`
	Max        float64 `json:"max"`      // truncation at a value, 0 for none
	Quantile   float64 `json:"quantile"` // truncation at a quantile, 0 for none
}

// Robustness is a refit of the full model: with further covariates, with
// weights, or on some rows. Its rows carry its name as their spec.
type Robustness struct {
	Name       string   `json:"name"`
	Covariates []string `json:"covariates"`
	Weights    string   `json:"weights"`
	Where      Where    `json:"where"`
	Studies    []string `json:"studies"`
	Outcomes   []string `json:"outcomes"`
}

// Association is a chi-squared test of a categorical outcome on each
// treatment.
type Association struct {
	Outcome string `json:"outcome"`
	Table   string `json:"table"`
	Where   Where  `json:"where"`
	// Studies are the studies it is tested in, each by itself; all if empty.
	Studies []string `json:"studies"`
	// Treatments are columns, or "lambda" and "sign", by the names that they
	// have in the result; the factors, sign and lambda if empty.
	Treatments Names `json:"treatments"`
	// Across is the column that tells the studies apart, to compare them with
	// each other; "" for not.
	Across string `json:"across"`
}

// Names are columns by the names that they are to have. In JSON they are an
// object, or a list of columns that keep their names.
type Names []Named

// Named is a column and the name that it is to have.
type Named struct{ Name, Column string }

// UnmarshalJSON takes an object, in the order of its names, or a list.
func (n *Names) UnmarshalJSON(data []byte) error {
	var list []string
	if json.Unmarshal(data, &list) == nil {
		for _, c := range list {
			*n = append(*n, Named{c, c})
		}
		return nil
	}
	var object map[string]string
	if err := json.Unmarshal(data, &object); err != nil {
		return err
	}
	for _, name := range sortedKeys(object) {
		*n = append(*n, Named{name, object[name]})
	}
	return nil
}

// Parse reads a plan's JSON and checks it by itself, without data. Its error
// is Mistakes: all of them at once.
func Parse(data []byte) (*Plan, error) {
	p := &Plan{}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, Mistakes{{"", err.Error()}}
	}
	p.defaults()
	if bad := p.check(); len(bad) > 0 {
		return nil, bad
	}
	p.reserve()
	return p, nil
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func (p *Plan) defaults() {
	p.Level, p.DF, p.Limits = or(p.Level, 0.95), or(p.DF, "kenward-roger"), or(p.Limits, "profile")
	l := &p.Lambda
	l.Label = or(l.Label, "RS")
	l.Name, l.Criterion = or(l.Name, l.Label), or(l.Criterion, "aic")
	if l.High == nil && l.Low == nil {
		l.High, l.Low = []float64{0.5, 1}, []float64{-0.5, -1}
	}
	if l.Specs == nil {
		l.Specs = []Spec{{"narrow", 0.5, -0.5}, {"full", 1, -1}}
	}
	if l.Forms == nil {
		l.Forms = slices.Clone(forms)
	}
	if l.Signs == nil {
		l.Signs = []string{"neg_lambda", "zero_lambda", "pos_lambda"}
	}
	l.Symbol = or(l.Symbol, "λ")
	if l.Marks == nil {
		l.Marks = []string{"neg_" + l.Symbol, "pos_" + l.Symbol}
	}
	p.Time.defaults("Time", "T")
	for i := range p.Factors {
		f := &p.Factors[i]
		f.Label = or(f.Label, f.Column)
		f.Short = or(f.Short, f.Label)
	}
	for i := range p.Outcomes {
		o := &p.Outcomes[i]
		o.Family, o.Kind = or(o.Family, p.Measure), or(o.Kind, "gaussian")
		if o.Time != nil {
			o.Time.defaults(p.Time.Name, p.Time.Mark)
		}
		if len(o.Items) == 0 {
			o.Column = or(o.Column, o.Name)
		}
	}
	if len(p.Studies) == 0 {
		p.Studies = []Study{{Name: "all"}}
	}
}

func (t *Time) defaults(name, mark string) { t.Name, t.Mark = or(t.Name, name), or(t.Mark, mark) }

// timed is the plan with an outcome's own time.
func (p *Plan) timed(o Outcome) *Plan {
	if o.Time == nil {
		return p
	}
	own := *p
	own.Time = *o.Time
	return &own
}
