package result

import (
	"strings"

	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/estimate"
	"github.com/seed-4012077a/flow/sdk/stats/lmm"
)

// Estimate are the columns of an estimate with its test.
func Estimate() []Column {
	return []Column{Number("estimate", ""), Number("se", ""), Number("df", "null: normal"), Number("statistic", "t, or z where df is null"),
		Number("p_value", "two-sided"), Number("ci_lower", ""), Number("ci_upper", "")}
}

// PutEstimate writes the columns of Estimate and the note: the numbers, or the
// error as the reason why there are none.
func PutEstimate(rows *sdk.Rows, e estimate.Estimate, err error, note string) {
	if err != nil {
		for _, c := range Estimate() {
			rows.Col(c.Name).Null()
		}
		Put(rows, "note", Notes(err.Error(), note))
		return
	}
	Put(rows, "estimate", e.Estimate, "se", e.SE, "df", e.DF, "statistic", e.Statistic, "p_value", e.P, "ci_lower", e.Lower, "ci_upper", e.Upper, "note", note)
}

// Notes joins what is to be said.
func Notes(notes ...string) string {
	var said []string
	for _, n := range notes {
		if n != "" {
			said = append(said, n)
		}
	}
	return strings.Join(said, "; ")
}

// Coefficients, Components and Fit are the tables about a model.
func Coefficients() []Column {
	return append(append([]Column{Text("term", "coefficient")}, Estimate()...), Note())
}

// Components is a row a variance or covariance of a mixed model.
func Components() []Column {
	return []Column{Text("group", "grouping factor, or Residual"), Text("term", ""), Text("with", "the other term of a covariance"),
		Number("covariance", "variance or covariance"), Number("sd_cor", "standard deviation or correlation")}
}

// Fit is a row a model.
func Fit() []Column {
	return []Column{Text("formula", ""), Text("method", ""), Count("n", "rows used"), Count("dropped", "rows with a missing value"), Count("parameters", ""),
		Number("criterion", "REML criterion, or -2 log-likelihood"), Number("log_lik", ""), Number("aic", ""), Number("bic", ""), Number("sigma", "residual standard deviation"),
		Truth("singular", "a random term has lost a dimension"), Note()}
}

// PutCoefficients writes a row of Coefficients for each of the model's, after
// the lead's columns.
func PutCoefficients(rows *sdk.Rows, m estimate.Linear, level float64, lead ...any) {
	names := m.Design().Names
	l := make([]float64, len(names))
	for j, name := range names {
		l[j] = 1
		e, err := estimate.Of(m, name, l, level)
		l[j] = 0
		Put(rows, lead...)
		Put(rows, "term", name)
		PutEstimate(rows, e, err, "")
	}
}

// PutComponents writes the variance components of a mixed model.
func PutComponents(rows *sdk.Rows, m *lmm.Model, lead ...any) {
	for _, c := range m.VarianceComponents() {
		Put(rows, lead...)
		Put(rows, "group", c.Group, "term", c.Column, "with", c.With, "covariance", c.Covariance)
		if c.Undefined {
			rows.Col("sd_cor").Null()
		} else {
			Put(rows, "sd_cor", c.SDCor)
		}
	}
}

// PutFit writes the fit of a mixed model.
func PutFit(rows *sdk.Rows, m *lmm.Model, lead ...any) {
	method := "maximum likelihood"
	if m.Options().REML {
		method = "REML"
	}
	Put(rows, lead...)
	Put(rows, "formula", m.Design().Formula.String(), "method", method+", "+m.Options().DF.String(), "n", m.NObs(), "dropped", m.Design().Dropped, "parameters", m.Parameters(),
		"criterion", m.Criterion(), "log_lik", m.LogLik(), "aic", m.AIC(), "bic", m.BIC(), "sigma", m.Sigma(), "singular", m.Singular(), "note", Notes(m.Notes()...))
}

// PutNoFit writes the row of a model that could not be fitted.
func PutNoFit(rows *sdk.Rows, formula string, err error, lead ...any) {
	Put(rows, lead...)
	for _, c := range Fit() {
		switch c.Name {
		case "formula":
			Put(rows, c.Name, formula)
		case "note":
			Put(rows, c.Name, err.Error())
		default:
			rows.Col(c.Name).Null()
		}
	}
}
