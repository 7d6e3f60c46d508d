package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/glm"
)

// spec says which model to fit: the parameters that all operators share.
type spec struct {
	Formula    string              `json:"formula"`
	Family     string              `json:"family"`
	REML       bool                `json:"reml"`
	DF         string              `json:"df"`
	Coding     map[string]string   `json:"coding"`
	Reference  map[string]string   `json:"reference"`
	Levels     map[string][]string `json:"levels"`
	Weights    string              `json:"weights"`
	Offset     string              `json:"offset"`
	Robust     string              `json:"robust"`
	Cluster    string              `json:"cluster"`
	Firth      bool                `json:"firth"`
	Quadrature int                 `json:"quadrature"`
	Level      float64             `json:"level"`

	family glm.Family
	coding map[string]formula.Coding
}

const formulaSchema = `"formula": {"type": "string", "minLength": 1, "description": "R formula: y ~ a*b + I(x^2) + (1 + time | person). Text columns are factors, factor(x) makes one of a number; names that are no plain words stand in backquotes"}`

// dataSchema are the parameters of how a formula reads its data, fitSchema
// those of how it is fitted and tested.
const dataSchema = `
	"family": {"type": "string", "default": "gaussian", "description": "distribution and link, as R writes it: gaussian, binomial, binomial(probit), poisson, Gamma(log), quasibinomial, quasipoisson; with random terms gaussian, binomial or poisson"},
	"coding": {"type": "object", "default": {}, "additionalProperties": {"enum": ["treatment", "sum"]}, "description": "contrasts of a factor, by column: treatment (against the reference; the default) or sum (against the mean)"},
	"reference": {"type": "object", "default": {}, "additionalProperties": {"type": "string"}, "description": "reference level of a factor, by column; left out: its first"},
	"levels": {"type": "object", "default": {}, "additionalProperties": {"type": "array", "items": {"type": "string"}, "minItems": 1}, "description": "order of a text column's levels, by column; left out: sorted"},
	"weights": {"type": "string", "default": "", "description": "column of prior weights"},
	"offset": {"type": "string", "default": "", "description": "column that is added to the linear predictor"}`

const fitSchema = `
	"reml": {"type": "boolean", "default": true, "description": "linear mixed models: restricted maximum likelihood; false: maximum likelihood"},
	"df": {"enum": ["kenward-roger", "satterthwaite", "asymptotic"], "default": "satterthwaite", "description": "degrees of freedom of linear mixed models; kenward-roger corrects the standard errors too and needs reml"},
	"robust": {"enum": ["none", "HC0", "HC1", "HC2", "HC3", "CR0", "CR1", "CR1S"], "default": "none", "description": "covariance of the coefficients of a model without random terms: HC against unequal variances; CR against dependence within clusters (CR1: G/(G-1); CR1S: also (n-1)/(n-p), as Stata and R's vcovCL)"},
	"cluster": {"type": "string", "default": "", "description": "column of the clusters; with it robust is CR1S unless told otherwise"},
	"firth": {"type": "boolean", "default": false, "description": "binomial and poisson models: Firth's penalised likelihood, finite under separation"},
	"quadrature": {"type": "integer", "minimum": 1, "maximum": 100, "default": 1, "description": "generalised mixed models with one random intercept: points of adaptive Gauss-Hermite quadrature; 1 is the Laplace approximation"},
	"level": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95, "description": "confidence level"}`

const groupSchema = `"group_by": {"type": "array", "items": {"type": "string"}, "default": [], "description": "columns: a model apart for each combination of their values"}`

// mixed reports whether a formula has random terms: only they have a bar.
func (s *spec) mixed(text string) bool { return strings.Contains(text, "|") }

// linear is a gaussian model of the mean itself.
func (s *spec) linear() bool {
	return s.family.Distribution == glm.GaussianDist && s.family.Link == glm.Identity
}

// check reads the parameters that are names of things, and refuses those that
// do not go together. formulas are the models that will be fitted.
func (s *spec) check(in sdk.Schema, parameter string, formulas ...string) error {
	var err error
	if s.family, err = glm.ParseFamily(s.Family); err != nil {
		return sdk.ParamError("family", "%v", err)
	}
	s.coding = map[string]formula.Coding{}
	for name, c := range s.Coding {
		if s.coding[name], err = formula.ParseCoding(c); err != nil {
			return sdk.ParamError("coding."+name, "%v", err)
		}
	}
	if s.Cluster != "" && (s.Robust == "none" || s.Robust == "") {
		s.Robust = "CR1S"
	}
	if err := s.checkColumns(in); err != nil {
		return err
	}
	for i, text := range formulas {
		at := parameter
		if len(formulas) > 1 {
			at = fmt.Sprintf("%s[%d]", parameter, i)
		}
		if err := s.together(text); err != nil {
			return err
		}
		if err := s.probe(in, at, text); err != nil {
			return err
		}
	}
	return nil
}

// together refuses parameters that a model does not have.
func (s *spec) together(text string) error {
	mixed, robust, clustered := s.mixed(text), s.Robust != "none" && s.Robust != "", strings.HasPrefix(s.Robust, "CR")
	discrete := s.family.Distribution == glm.BinomialDist || s.family.Distribution == glm.PoissonDist
	canonical := s.linear() || !s.family.Quasi && (s.family.Distribution == glm.BinomialDist && s.family.Link == glm.Logit || s.family.Distribution == glm.PoissonDist && s.family.Link == glm.Log)
	switch {
	case mixed && !canonical:
		return sdk.ParamError("family", "%s is for models without random terms; with them there are gaussian, binomial (logit) and poisson (log)", s.family)
	case mixed && robust:
		return sdk.ParamError("robust", "a model with random terms has no robust covariance here: take the random terms out, or leave robust and cluster out")
	case clustered && s.Cluster == "":
		return sdk.ParamError("cluster", "robust = %q needs the column of the clusters", s.Robust)
	case robust && !clustered && s.Cluster != "":
		return sdk.ParamError("robust", "%s knows no clusters: choose CR0, CR1 or CR1S, or leave cluster out", s.Robust)
	case s.Robust == "CR0" && !s.linear():
		return sdk.ParamError("robust", "CR0 is for least squares; a generalised linear model has CR1 and CR1S")
	case s.Firth && (mixed || !discrete || s.family.Quasi):
		return sdk.ParamError("firth", "Firth's penalty is for binomial and poisson models without random terms")
	case s.Quadrature > 1 && (!mixed || s.linear()):
		return sdk.ParamError("quadrature", "quadrature is for binomial and poisson models with a random intercept")
	case mixed && s.linear() && !s.REML && s.DF == "kenward-roger":
		return sdk.ParamError("df", "Kenward-Roger's degrees of freedom need reml = true; with maximum likelihood use satterthwaite or asymptotic")
	}
	return nil
}

// named are the columns that parameters beside the formula name, with the
// parameter.
func (s *spec) named() (parameters, columns []string) {
	add := func(parameter, column string) {
		if column != "" {
			parameters, columns = append(parameters, parameter), append(columns, column)
		}
	}
	add("weights", s.Weights)
	add("offset", s.Offset)
	add("cluster", s.Cluster)
	for _, name := range sortedKeys(s.Coding) {
		add("coding", name)
	}
	for _, name := range sortedKeys(s.Reference) {
		add("reference", name)
	}
	for _, name := range sortedKeys(s.Levels) {
		add("levels", name)
	}
	return parameters, columns
}

func (s *spec) checkColumns(in sdk.Schema) error {
	parameters, columns := s.named()
	for i, name := range columns {
		f, ok := in.Field(name)
		if !ok {
			return sdk.ParamError(parameters[i], "there is no column %q: %s", name, frame.Choices(name, in.Names()))
		}
		if parameters[i] == "levels" && !isText(f.Type) {
			return sdk.ParamError("levels", "column %q is %s: only the levels of a text column have an order to choose; write factor(%s) in the formula for sorted numbers", name, f.Type, name)
		}
	}
	return nil
}

func isText(t sdk.Type) bool { return t.IsString() || t.IsDict() }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// options are those of the design.
func (s *spec) options() formula.Options {
	return formula.Options{Contrasts: s.coding, Reference: s.Reference, Weights: s.Weights, Offset: s.Offset}
}

// prepare puts levels in the order asked for and checks the reference levels,
// on all rows: a group of them may lack a level, the table may not.
func (s *spec) prepare(fr *frame.Frame) (*frame.Frame, error) {
	for _, name := range sortedKeys(s.Levels) {
		c, _ := fr.Column(name)
		next, err := c.Reorder(s.Levels[name])
		if err == nil {
			fr, err = fr.With(next)
		}
		if err != nil {
			return nil, sdk.ParamError("levels."+name, "%v", err)
		}
	}
	for _, name := range sortedKeys(s.Reference) {
		c, _ := fr.Column(name)
		levels := c.ToFactor().Levels
		if !slices.Contains(levels, s.Reference[name]) {
			return nil, sdk.ParamError("reference."+name, "column %q has no level %q: %s", name, s.Reference[name], frame.Choices(s.Reference[name], levels))
		}
	}
	return fr, nil
}
