package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// reading says how to read what the page shows.
func reading(p params, frames map[string]*frame) []string {
	if p.Simulated {
		return append([]string{simulatedWords + ". Effects in it are those that the simulation was told to put there."}, readingOf(p, frames)...)
	}
	return readingOf(p, frames)
}

const lambdaWords = "λ (lambda) multiplies the steering vector before it is added to the output of one layer, a decoder block counted from 0. " +
	"λ = 0 is the model as it is; λ = +1 steers toward the replies that were chosen in training, λ = −1 away from them; a greater |λ| is a stronger dose."

func readingOf(p params, frames map[string]*frame) []string {
	var all []string
	if slices.ContainsFunc([]string{"dose", "candidates", "losses", "replies", "means", "contrasts", "anchors"}, func(port string) bool { return frames[port].rows() > 0 }) {
		all = append(all, lambdaWords)
	}
	if frames["dose"].rows() > 0 {
		all = append(all, "Dose-response: a vector that works moves the trait's mean steadily with λ. Quality should stay up over the λ that are to be used: where it falls, the dose is too strong.")
	}
	if frames["candidates"].rows() > 0 {
		all = append(all, "Selection: each vector (a layer and an epoch of training) is a point, better up and to the right. Those on the Pareto front are beaten by none in both; the winner has the best weighted sum of both.")
	}
	if frames["contrasts"].rows() > 0 {
		all = append(all, "Contrasts: each line of a forest plot is one estimate with its confidence interval; one whose interval does not reach the dashed line differs from no effect at that level. "+
			"Under each outcome stand the analyses side by side: where they agree, the result does not hang on one of them. Estimates of logistic models are log odds.")
	}
	if frames["profiles"].rows() > 0 {
		all = append(all, "Profiles: slopes tell whether liking and wanting rise or fall over time. Wanting that rises while liking does not is a sign of dependency.")
	}
	if f := frames["replies"]; f.rows() > 0 && f.column(p.Score) != nil {
		all = append(all, "Sample replies: the number and the bar above a reply are its score; a full bar is the top of the scale.")
	}
	return all
}

// method says what the numbers are, unless the study says it itself.
func method(p params, frames map[string]*frame) []string {
	if own := paragraphs(p.Method); len(own) > 0 {
		return own
	}
	var all []string
	if frames["losses"].rows() > 0 {
		all = append(all, "Training. Bi-directional preference optimization (BiPO; Cao et al. 2024, arXiv:2406.00045) fits one vector a layer with the model's weights frozen. "+
			"For a prompt with a chosen and a rejected reply it draws d from +1 and −1, adds d times the vector, and lowers −log σ(d β (Δ chosen − Δ rejected)), "+
			"where Δ is how much the vector raises a reply's log-probability over that of the model itself. A loss of log 2 ≈ 0.693 is that of no vector at all. Test losses are of pairs held out of training.")
	}
	if frames["candidates"].rows() > 0 {
		all = append(all, selectionMethod(p))
	}
	if f := frames["dose"]; f.rows() > 0 {
		all = append(all, doseMethod(f))
	}
	if f := frames["contrasts"]; f.rows() > 0 {
		all = append(all, contrastMethod(f))
	}
	if f := frames["means"]; f.rows() > 0 {
		all = append(all, "Means. Marginal means are the model’s predictions averaged over the levels of the other factors; observed means of an arm are means over its participants’ own means. "+
			"Means of a binary outcome are probabilities.")
	}
	if f := frames["tests"]; f.rows() > 0 {
		all = append(all, "Tests. The p values are two-sided and not corrected for their number. The slope is the least-squares change of the score for one step of λ; "+
			"the trend is of ranks only, so it needs no straight line; a difference compares the means at two λ.")
	}
	return all
}

func selectionMethod(p params) string {
	s := fmt.Sprintf("Selection. Quality is %s", human(p.Quality))
	if strings.Contains(strings.ToLower(p.Quality), "auc") {
		s += ": the area under the curve (AUC) of the mean score over λ, by the trapezoid rule"
	}
	s += fmt.Sprintf(". Effect is %s", human(p.Effect))
	switch effect := strings.ToLower(p.Effect); {
	case strings.Contains(effect, "pairwise"):
		s += ": the least-squares slope over λ of the win rate, how often a steered reply beats the one it is held against (the unsteered one, unless the pipeline says otherwise)"
	case strings.Contains(effect, "slope"):
		s += ": the least-squares slope over λ"
	}
	return s + ". Both are standardized over all candidates (z), and the winner has the best weighted sum."
}

func contrastMethod(f *frame) string {
	s := "Contrasts. "
	if v, ok := level(f); ok {
		s += "Intervals are " + percent(v) + " confidence intervals. "
	}
	if methods := distinct(f, "method"); len(methods) > 0 && len(methods) <= 12 {
		s += "Models: " + strings.Join(methods, "; ") + ". "
	}
	s += "p values are two-sided."
	if f.column("p_local") != nil || f.column("p_global") != nil {
		s += " p (family) is corrected within the outcome’s family and p (study) within the whole study, where the plan corrects a test; p alone is not corrected."
	}
	return s
}

func doseMethod(f *frame) string {
	s := "Dose-response. Each point is the mean score at one λ."
	if f.column("ci_low", "ci_lower") == nil {
		return s
	}
	var methods []string
	for _, m := range distinct(f, "method") {
		if m == "percentile" || m == "bca" {
			methods = append(methods, m)
		}
	}
	if len(methods) == 0 {
		return s + " Intervals are those of the table."
	}
	s += " Its " + levelWords(f) + "confidence interval comes from a bootstrap: the scores are drawn again and again with replacement"
	if clusters := distinct(f, "n_clusters"); len(clusters) > 0 {
		s += fmt.Sprintf(", whole clusters (here %s, such as prompts) at a time, because scores of one cluster are alike", strings.Join(clusters, " or "))
	}
	return s + "; kind: " + strings.Join(methods, ", ") + "."
}

// distinct returns the texts of a column without repeats and nulls.
func distinct(f *frame, name string) []string {
	var all []string
	for _, v := range f.column(name) {
		if v != nil && !slices.Contains(all, text(v)) {
			all = append(all, text(v))
		}
	}
	return all
}

func paragraphs(s string) []string {
	var all []string
	for _, p := range strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			all = append(all, p)
		}
	}
	return all
}

// provenance is what the study says of itself, by name, and then what the
// tables say: models, and how much there is of what.
func provenance(p params, frames map[string]*frame) []fact {
	var facts []fact
	for name, v := range p.Provenance {
		value, ok := v.(string)
		if !ok {
			raw, err := json.Marshal(v)
			if err != nil {
				continue
			}
			value = string(raw)
		}
		facts = append(facts, fact{Name: name, Value: value})
	}
	sort.Slice(facts, func(i, j int) bool { return facts[i].Name < facts[j].Name })
	for _, port := range []string{"losses", "replies"} {
		if models := distinct(frames[port], "model"); len(models) > 0 && len(models) <= 8 {
			facts = append(facts, fact{Name: "model in " + port, Value: strings.Join(models, ", ")})
		}
	}
	if f := frames["replies"]; f.rows() > 0 {
		prompts, _ := f.groups("prompt_id")
		facts = append(facts, fact{Name: "prompts and λ of replies", Value: fmt.Sprintf("%d prompts × %d λ, %d replies", len(prompts), len(lambdaValues(f)), f.rows())})
	}
	var tables []string
	for _, port := range inputPorts() {
		if f := frames[port.Name]; f != nil {
			tables = append(tables, fmt.Sprintf("%s: %d", port.Name, f.rows()))
		}
	}
	return append(facts, fact{Name: "rows of input tables", Value: strings.Join(tables, ", ")},
		fact{Name: "page made by", Value: "report#page " + version})
}
