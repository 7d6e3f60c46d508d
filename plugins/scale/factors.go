package main

import (
	"fmt"
	"slices"

	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/scale"
)

const factoringSchema = `"factors": {"type": "integer", "minimum": 1, "description": "number of factors; see the operator parallel"},
	"extraction": {"enum": ["minres", "ml"], "default": "minres", "description": "minimum residuals (unweighted least squares) or maximum likelihood"},
	"rotation": {"enum": ["oblimin", "quartimin", "promax", "varimax", "quartimax", "none"], "default": "oblimin",
		"description": "oblimin, quartimin and promax let factors correlate"},
	"gamma": {"type": "number", "maximum": 1, "default": 0, "description": "of oblimin: below 0 factors correlate less, above 0 more"},
	"kaiser": {"type": "boolean", "default": false, "description": "rotate with items scaled to equal communality; R's varimax and SPSS do, psych's oblimin does not"},
	"power": {"type": "number", "minimum": 1, "maximum": 10, "default": 4, "description": "of promax"},
	"starts": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1, "description": "starting points of the rotation: the first is the unrotated solution, others are random; the best is taken"},
	"names": {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": true, "default": [],
		"description": "names of the factors in their order, by sums of squared loadings; empty: F1, F2, ..."},
	"flip": {"type": "array", "items": {"type": "string"}, "default": [],
		"description": "factors, by name, to turn around: a factor's sign is free and is else set so that its loadings' sum is positive"}`

// factoring are the parameters of factoringSchema.
type factoring struct {
	Factors    int      `json:"factors"`
	Extraction string   `json:"extraction"`
	Rotation   string   `json:"rotation"`
	Gamma      float64  `json:"gamma"`
	Kaiser     bool     `json:"kaiser"`
	Power      float64  `json:"power"`
	Starts     int      `json:"starts"`
	Names      []string `json:"names"`
	Flip       []string `json:"flip"`
}

// check resolves the names of factors of that many items.
func (f *factoring) check(items int) error {
	if most := scale.MostFactors(items); f.Factors > most {
		return sdk.ParamError("factors", "%d factors are too many for %d items: at most %d leave degrees of freedom", f.Factors, items, most)
	}
	if len(f.Names) == 0 {
		for k := range f.Factors {
			f.Names = append(f.Names, fmt.Sprintf("F%d", k+1))
		}
	}
	if len(f.Names) != f.Factors {
		return sdk.ParamError("names", "%d names for %d factors", len(f.Names), f.Factors)
	}
	for i, name := range f.Flip {
		if !slices.Contains(f.Names, name) {
			return sdk.ParamError(fmt.Sprintf("flip[%d]", i), "there is no factor %q; there are %v", name, f.Names)
		}
	}
	return nil
}

// factor correlates and factors a group; n is the number of persons, 0 for the
// rows with an answer.
func (f *factoring) factor(items *scale.Items, c correlating, n int, o sdk.Opening, stream uint64) (*scale.Solution, *scale.Correlation, error) {
	r, err := scale.Correlate(items, c.options())
	if err != nil {
		return nil, nil, err
	}
	s, err := scale.Factor(r, scale.FactorOptions{Factors: f.Factors, Extraction: scale.Extraction(f.Extraction), N: n,
		Rotation: scale.RotationOptions{Rotation: scale.Rotation(f.Rotation), Gamma: f.Gamma, Kaiser: f.Kaiser, Power: f.Power, Starts: f.Starts, Rand: o.Rand(stream)}})
	if err != nil {
		return nil, r, err
	}
	for k, name := range f.Names {
		if slices.Contains(f.Flip, name) {
			s.Flip(k)
		}
	}
	return s, r, nil
}

func loadingColumns() []column {
	return []column{
		{"item", "utf8", "", true}, {"factor", "utf8", "", true},
		{"loading", "float64", "pattern: the item's regression on the factors", false}, {"structure", "float64", "correlation with the factor", false},
		{"communality", "float64", "", false}, {"uniqueness", "float64", "", false}, {"complexity", "float64", "Hofmann's: about how many factors the item loads on", false},
		{"heywood", "bool", "the factors explain the item wholly, or more than that", false}, {"note", "utf8", "", false}}
}

func factorColumns() []column {
	return []column{
		{"factor", "utf8", "", true}, {"ss_loadings", "float64", "sum of squared loadings", false},
		{"proportion", "float64", "of the items' variance", false}, {"cumulative", "float64", "", false}, {"note", "utf8", "", false}}
}

func phiColumns() []column {
	return []column{{"factor_a", "utf8", "", true}, {"factor_b", "utf8", "", true}, {"correlation", "float64", "", false}, {"note", "utf8", "", false}}
}

func fitColumns() []column {
	return []column{
		{"n", "int64", "persons that the test counts", false}, {"items", "int64", "", false}, {"factors", "int64", "", true},
		{"extraction", "utf8", "", true}, {"rotation", "utf8", "", true}, {"objective", "float64", "maximum likelihood discrepancy", false},
		{"chi_squared", "float64", "", false}, {"df", "int64", "", false}, {"p_value", "float64", "", false},
		{"rmsea", "float64", "", false}, {"rmsea_lower", "float64", "of its 90% interval", false}, {"rmsea_upper", "float64", "", false},
		{"tli", "float64", "Tucker-Lewis index", false}, {"bic", "float64", "", false}, {"rmsr", "float64", "root mean square of residual correlations", false},
		{"note", "utf8", "", false}}
}

func factorsOperator() sdk.Operator {
	return sdk.Operator{
		Name: "factors", Kind: sdk.Table,
		Doc: `Exploratory factor analysis: extraction by minres or maximum likelihood, rotation by gradient projection.
loadings: pattern and structure of each item and factor, communality, Heywood cases. factors: variance explained. correlations: of the factors. fit: chi-squared, RMSEA, TLI, BIC, RMSR. Factors come in the order of their sums of squared loadings. What could not be computed is null with a note.`,
		Inputs: []sdk.Port{answersPort(groups())},
		Outputs: []sdk.Port{port("loadings", "one row a group, item and factor", loadingColumns()), port("factors", "one row a group and factor", factorColumns()),
			port("correlations", "one row a group and pair of factors", phiColumns()), port("fit", "one row a group", fitColumns())},
		Params: `{"type": "object", "additionalProperties": false, "required": ["items", "factors"], "properties": {` + itemsSchema + "," + groupSchema + "," + factoringSchema + `,
			"n": {"type": "integer", "minimum": 0, "default": 0, "description": "number of persons for the fit; 0: rows with an answer"},
			` + correlationSchema + `}}`,
		Open: openFactors,
	}
}

type factorsParams struct {
	Items   []string `json:"items"`
	GroupBy []string `json:"group_by"`
	N       int      `json:"n"`
	factoring
	correlating
}

type factorsTask struct {
	factorsParams
	*answers
}

func openFactors(o sdk.Opening) (sdk.Task, error) {
	t := &factorsTask{}
	err := o.Decode(&t.factorsParams)
	if err != nil {
		return nil, err
	}
	if t.answers, err = newAnswers(o, t.Items, t.GroupBy); err != nil {
		return nil, err
	}
	if err := t.check(len(t.items)); err != nil {
		return nil, err
	}
	for port, columns := range map[string][]column{"loadings": loadingColumns(), "factors": factorColumns(), "correlations": phiColumns(), "fit": fitColumns()} {
		if err := declare(o, port, t.keys, columns); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *factorsTask) Process(_ string, in *sdk.Batch, _ *sdk.Outputs) error { return t.take(in) }

func (t *factorsTask) Finish(out *sdk.Outputs) error {
	if err := t.empty(); err != nil {
		return err
	}
	for g := range t.groups {
		s, c, err := t.factor(t.groups[g].of(t.items), t.correlating, t.N, t.opening, uint64(g))
		if err != nil {
			t.log(g, err.Error())
			t.failed(out, g, err.Error())
			continue
		}
		t.log(g, s.Notes...)
		t.loadings(out, g, s, c)
		t.describe(out, g, s)
		t.fit(out, g, s)
	}
	return nil
}

// failed writes a group that could not be factored.
func (t *factorsTask) failed(out *sdk.Outputs, g int, note string) {
	for _, item := range t.items {
		for _, name := range t.Names {
			t.row(out, "loadings", g).text("item", item).text("factor", name).null("loading", "structure", "communality", "uniqueness", "complexity", "heywood").text("note", note)
		}
	}
	for k, name := range t.Names {
		t.row(out, "factors", g).text("factor", name).null("ss_loadings", "proportion", "cumulative").text("note", note)
		for _, other := range t.Names[k+1:] {
			t.row(out, "correlations", g).text("factor_a", name).text("factor_b", other).null("correlation").text("note", note)
		}
	}
	t.row(out, "fit", g).null("n", "items").count("factors", t.Factors).text("extraction", t.Extraction).text("rotation", t.Rotation).
		null("objective", "chi_squared", "df", "p_value", "rmsea", "rmsea_lower", "rmsea_upper", "tli", "bic", "rmsr").text("note", note)
}

func (t *factorsTask) loadings(out *sdk.Outputs, g int, s *scale.Solution, c *scale.Correlation) {
	for _, item := range t.items {
		i := slices.Index(s.Names, item)
		for k, name := range t.Names {
			r := t.row(out, "loadings", g).text("item", item).text("factor", name)
			if i < 0 {
				r.null("loading", "structure", "communality", "uniqueness", "complexity", "heywood").text("note", reason(c.Excluded, item))
				continue
			}
			heywood, note := slices.Contains(s.Heywood, item), ""
			if heywood {
				note = "Heywood case: the factors explain the item wholly"
			}
			r.number("loading", s.Loadings.At(i, k), true).number("structure", s.Structure.At(i, k), true).
				number("communality", s.Communality[i], true).number("uniqueness", s.Uniqueness[i], true).number("complexity", s.Complexity[i], s.Complexity[i] > 0).
				truth("heywood", heywood).text("note", note)
		}
	}
}

// reason says why an item was left out.
func reason(excluded []scale.Exclusion, item string) string {
	for _, e := range excluded {
		if e.Item == item {
			return e.String()
		}
	}
	return ""
}

func (t *factorsTask) describe(out *sdk.Outputs, g int, s *scale.Solution) {
	cumulative := 0.0
	for k, name := range t.Names {
		share := s.SS[k] / float64(len(s.Names))
		cumulative += share
		t.row(out, "factors", g).text("factor", name).number("ss_loadings", s.SS[k], true).number("proportion", share, true).number("cumulative", cumulative, true).text("note", "")
		for l := k + 1; l < len(t.Names); l++ {
			t.row(out, "correlations", g).text("factor_a", name).text("factor_b", t.Names[l]).number("correlation", s.Phi.At(k, l), true).text("note", "")
		}
	}
}

func (t *factorsTask) fit(out *sdk.Outputs, g int, s *scale.Solution) {
	f := s.Fit
	t.row(out, "fit", g).count("n", f.N).count("items", len(s.Names)).count("factors", t.Factors).text("extraction", t.Extraction).text("rotation", t.Rotation).
		number("objective", f.Objective, f.Tested).number("chi_squared", f.ChiSquared, f.Tested).count("df", f.DF).number("p_value", f.P, f.Indexed).
		number("rmsea", f.RMSEA, f.Indexed).number("rmsea_lower", f.RMSEALower, f.Indexed).number("rmsea_upper", f.RMSEAUpper, f.Indexed).
		number("tli", f.TLI, f.Indexed).number("bic", f.BIC, f.Indexed).number("rmsr", f.RMSR, true).text("note", joined(s.Notes))
}
