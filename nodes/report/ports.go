package main

import "github.com/seed-4012077a/flow/sdk/native"

func inputPorts() []native.Port {
	column := func(name, kind, doc string) native.Column { return native.Column{Name: name, Type: kind, Doc: doc} }
	optional := func(name, kind, doc string) native.Column {
		return native.Column{Name: name, Type: kind, Doc: doc, Optional: true}
	}
	return []native.Port{
		{Name: "dose", Optional: true, Doc: "dose-response: one row a metric and lambda", Columns: []native.Column{
			column("lambda", "number", "multiplier of the vector"), optional("mean", "number", "also rate, win_rate; one of them is needed"),
			optional("metric", "string", "one picture for each"), optional("n", "integer", ""), optional("sd", "number", ""),
			optional("ci_low", "number", "also ci_lower"), optional("ci_high", "number", "also ci_upper")}},
		{Name: "candidates", Optional: true, Doc: "candidate vectors: one row a layer and epoch", Columns: []native.Column{
			column("layer", "integer", "decoder block, from 0"), column("epoch", "integer", ""),
			column("{quality}", "number", "upward"), column("{effect}", "number", "to the right"),
			optional("combined", "number", ""), optional("pareto", "bool", ""), optional("winner", "bool", "")}},
		{Name: "losses", Optional: true, Doc: "training: columns named *loss* are drawn over epoch or step", Columns: []native.Column{
			optional("epoch", "integer", ""), optional("step", "integer", ""), optional("layer", "integer", "a panel for each"), optional("split", "string", "a line for each"),
			optional("d", "number", "a line for each: +1 where the vector was added, −1 where it was subtracted"), optional("model", "string", "")}},
		{Name: "replies", Optional: true, Doc: "sample replies: one row a prompt and lambda", Columns: []native.Column{
			column("prompt_id", "any", ""), column("lambda", "number", ""), column("reply", "string", ""),
			optional("prompt", "any", "text, or a conversation as a list of role and content, of which the last user message is shown"),
			optional("messages", "any", "the conversation, where there is no prompt"), optional("{score}", "number", "")}},
		{Name: "tests", Optional: true, Doc: "statistical tests: one row a test; estimates, intervals and p values are rounded"},
		{Name: "summary", Optional: true, Doc: "key results, shown as they are"},
		{Name: "contrasts", Optional: true, Doc: "a trial's contrasts, as trial#analyse gives: forest plots and tables", Columns: []native.Column{
			column("outcome", "string", ""), column("test", "string", ""), column("test_type", "string", "a picture for each: main_effect_*, moderation, ..."), column("spec", "string", "a row for each: primary, coarsened, a robustness run, ..."),
			column("estimate", "number", ""), column("lower_cl", "number", ""), column("upper_cl", "number", ""),
			optional("study_type", "string", "pictures for each"), optional("p_raw", "number", ""), optional("p_global", "number", "corrected"), optional("method", "string", "one with logistic in it: log odds")}},
		{Name: "means", Optional: true, Doc: "a trial's means, as trial#analyse gives: dose-response with observed arms, and trajectories", Columns: []native.Column{
			column("outcome", "string", "a panel for each"), column("kind", "string", "dose, trajectory or observed"), column("lambda", "number", ""), column("time", "number", ""), column("mean", "number", ""),
			column("ci_lower", "number", ""), column("ci_upper", "number", ""),
			optional("study_type", "string", "pictures for each"), optional("factor", "string", "a picture for each"), optional("level", "string", "a curve for each")}},
		{Name: "associations", Optional: true, Doc: "tests of association with their counts, as trial#analyse gives", Columns: []native.Column{
			column("outcome", "string", ""), column("treatment", "string", ""), column("chi_sq", "number", ""), column("p_value", "number", ""), column("group", "string", ""), column("level", "string", ""), column("n", "integer", "")}},
		{Name: "models", Optional: true, Doc: "models behind the contrasts, shown as they are", Columns: []native.Column{column("formula", "string", ""), column("log_lik", "number", "")}},
		{Name: "coefficients", Optional: true, Doc: "coefficients of models, as model#fit gives: forest plots and tables; those of trial#analyse are shown as tables", Columns: []native.Column{column("term", "string", ""), column("estimate", "number", ""), column("se", "number", "")}},
		{Name: "components", Optional: true, Doc: "their variance components, shown as they are", Columns: []native.Column{column("group", "string", ""), column("covariance", "number", "")}},
		{Name: "flow", Optional: true, Doc: "counts of a CONSORT flow, as design#consort gives", Columns: []native.Column{
			column("stage", "string", ""), column("step", "number", "order of the stages"), column("n", "integer", "came to the stage"), column("lost", "integer", "of them, went no further"),
			optional("arm", "string", "null before randomisation"), optional("reason", "string", "null: all reasons together")}},
		{Name: "profiles", Optional: true, Doc: "participants by two slopes, as trajectory#profiles gives", Columns: []native.Column{
			column("liking", "number", "slope"), column("wanting", "number", "slope"), column("profile", "string", "")}},
		{Name: "profile_counts", Optional: true, Doc: "shares of the profiles by arm, as trajectory#profiles gives in counts", Columns: []native.Column{
			column("by", "string", "a panel for each"), column("arm", "string", ""), column("profile", "string", ""), column("n", "integer", ""), column("share", "number", ""),
			optional("ci_lower", "number", ""), optional("ci_upper", "number", "")}},
		{Name: "points", Optional: true, Doc: "models by release date", Columns: []native.Column{
			column("model", "string", ""), column("mean", "number", ""), optional("year", "number", "release date; also date, release, release_year, release_date, x"),
			optional("ci_lower", "number", ""), optional("ci_upper", "number", ""), optional("outcome", "string", "a panel for each")}},
		{Name: "trend", Optional: true, Doc: "the trend over release dates", Columns: []native.Column{
			column("mean", "number", ""), optional("year", "number", "as in points"), optional("ci_lower", "number", ""), optional("ci_upper", "number", ""), optional("outcome", "string", "")}},
		{Name: "anchors", Optional: true, Doc: "means of a steered model, shown beside points", Columns: []native.Column{
			column("lambda", "number", ""), column("mean", "number", ""), optional("outcome", "string", "")}},
		{Name: "power", Optional: true, Doc: "power by simulation, as design#power gives", Columns: []native.Column{
			column("participants", "number", ""), column("power", "number", ""), column("test", "string", "a curve for each"), optional("spec", "string", "a curve for each"), optional("outcome", "string", "a panel for each"),
			optional("ci_lower", "number", ""), optional("ci_upper", "number", "")}},
		{Name: "tables", Optional: true, Doc: "further tables; those of estimates with limits, as model#means gives, with forest plots", Columns: []native.Column{optional(sourceColumn, "string", "in any input: the node that a row is from; tables of several nodes are shown apart")}},
	}
}

// meanColumns are the names under which a dose curve's mean comes.
func meanColumns() []string { return []string{"mean", "rate", "win_rate"} }
