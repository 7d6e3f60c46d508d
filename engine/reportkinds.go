package engine

import (
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
)

// reportKind is a kind of table that a report shows: an input port of
// report#page and the columns that tell such a table from others.
type reportKind struct {
	port    string
	texts   []string // columns of any type but numbers
	numbers []string // columns of numbers
	last    bool     // of several such tables the last one holds what the others do
}

// reportKinds are the kinds, the more particular ones first: a table is of the
// first whose columns it has.
func reportKinds() []reportKind {
	words := func(names ...string) []string { return names }
	return []reportKind{
		{port: "flow", texts: words("stage"), numbers: words("step", "n", "lost")},
		{port: "contrasts", texts: words("outcome", "test", "test_type", "spec"), numbers: words("estimate", "lower_cl", "upper_cl")},
		{port: "means", texts: words("outcome", "kind"), numbers: words("lambda", "time", "mean", "ci_lower", "ci_upper")},
		{port: "associations", texts: words("outcome", "treatment", "group", "level"), numbers: words("chi_sq", "p_value", "n")},
		{port: "models", texts: words("formula"), numbers: words("log_lik", "aic")},
		{port: "components", texts: words("group", "term"), numbers: words("covariance", "sd_cor")},
		{port: "profiles", texts: words("profile"), numbers: words("liking", "wanting")},
		{port: "profile_counts", texts: words("by", "arm", "profile"), numbers: words("n", "share")},
		{port: "candidates", texts: words("pareto", "winner"), numbers: words("layer", "epoch", "combined")},
		{port: "losses", numbers: words("epoch", "loss")},
		{port: "losses", numbers: words("step", "loss")},
		{port: "replies", texts: words("reply"), numbers: words("lambda"), last: true},
		{port: "tests", texts: words("test", "term"), numbers: words("estimate", "p_value")},
		{port: "coefficients", texts: words("term"), numbers: words("estimate", "se", "statistic", "p_value")},
		{port: "tables", texts: words("model", "in_window"), numbers: words("mean", "lambda")},
		{port: "tables", numbers: words("centre", "lambda", "n_models")},
		{port: "power", texts: words("test"), numbers: words("participants", "power")},
		{port: "points", texts: words("model"), numbers: words("year", "mean")},
		{port: "trend", numbers: words("year", "mean", "ci_lower", "ci_upper")},
		{port: "anchors", numbers: words("lambda", "mean", "n_prompts")},
		{port: "dose", numbers: words("lambda", "mean", "ci_lower", "ci_upper")},
		{port: "dose", numbers: words("lambda", "rate", "ci_lower", "ci_upper")},
		{port: "dose", numbers: words("lambda", "win_rate", "ci_lower", "ci_upper")},
		{port: "tables", numbers: words("estimate", "ci_lower", "ci_upper", "p_value")},
	}
}

// is reports whether a table is of the kind.
func (k reportKind) is(s *arrow.Schema) bool {
	has := func(name string, number bool) bool {
		at := s.FieldIndices(name)
		if len(at) != 1 {
			return false
		}
		id := s.Field(at[0]).Type.ID()
		return (arrow.IsInteger(id) || arrow.IsFloating(id)) == number
	}
	for _, name := range k.texts {
		if !has(name, false) {
			return false
		}
	}
	for _, name := range k.numbers {
		if !has(name, true) {
			return false
		}
	}
	// Replies are told by their prompt too, whose number may be a text.
	return k.port != "replies" || s.HasField("prompt_id")
}

// kindOf returns the kind of a table with these columns.
func kindOf(s *arrow.Schema) (reportKind, bool) {
	kinds := reportKinds()
	at := slices.IndexFunc(kinds, func(k reportKind) bool { return k.is(s) })
	if at < 0 {
		return reportKind{}, false
	}
	return kinds[at], true
}
