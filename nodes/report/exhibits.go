package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// exhibit is a table that the page shows and that is written for LaTeX.
type exhibit struct {
	name    string // of its file
	section string // id of the page's section that shows it
	title   string
	view    *tableView
	paper   *tableView // for LaTeX: what a page is wide enough for; nil: view
	folded  bool       // the page shows it on demand
}

// exhibits returns the tables of what is connected, with names of their own.
func exhibits(p params, frames map[string]*frame) []exhibit {
	var all []exhibit
	for _, part := range []struct {
		port string
		show func(params, *frame) []exhibit
	}{{"summary", showSummary}, {"flow", showWhole("flow", "flow", "Flow of participants")}, {"dose", showWhole("dose", "dose", "Means by λ")},
		{"candidates", showCandidates}, {"means", showMeans}, {"contrasts", showContrasts}, {"associations", showAssociations},
		{"profile_counts", showCounts}, {"points", showWhole("points", "panel", "Models")}, {"anchors", showWhole("anchors", "panel", "Steered anchors")},
		{"tests", showTests},
		{"models", showWhole("models", "models", "Models", "study_type", "outcome", "role", "chosen", "formula", "n", "aic", "bic")}, {"coefficients", showWhole("coefficients", "models", "Coefficients", "study_type", "outcome", "role", "term", "estimate", "se", "df", "p_value")}, {"components", showWhole("components", "models", "Variance components")}, {"power", showWhole("power", "power", "Power")}, {"tables", showWhole("table", "tables", "Table")}} {
		sources := frames[part.port].sources()
		for _, s := range sources {
			for _, e := range part.show(p, s.frame) {
				if e.view == nil {
					continue
				}
				switch {
				case part.port == "tables" && s.name != "":
					e.title, e.name = label(s.name), e.name+"-"+slug(s.name)
				case len(sources) > 1:
					e.title, e.name = e.title+" ("+label(s.name)+")", e.name+"-"+slug(s.name)
				}
				all = append(all, e)
			}
		}
	}
	used := map[string]int{}
	for i := range all {
		all[i].name = strings.Trim(all[i].name, "-")
		used[all[i].name]++
		if n := used[all[i].name]; n > 1 {
			all[i].name = fmt.Sprintf("%s-%d", all[i].name, n)
		}
	}
	return all
}

func showSummary(_ params, f *frame) []exhibit {
	return []exhibit{{name: "summary", section: "summary", title: "Summary", view: tableOf(f)}}
}

func showTests(_ params, f *frame) []exhibit {
	return []exhibit{{name: "tests", section: "tests", title: "Tests", view: testsTable(f)}}
}

func showCandidates(p params, f *frame) []exhibit {
	return []exhibit{{name: "candidates", section: "candidates", title: "All candidates, by rank", view: candidatesTable(p, f)}}
}

func showCounts(_ params, f *frame) []exhibit {
	return []exhibit{{name: "profile-counts", section: "profiles", title: "Profiles by group", folded: true, view: tableOf(f)}}
}

// showWhole shows a table as it is, on demand; on paper some of its columns,
// where they are there.
func showWhole(name, section, title string, paper ...string) func(params, *frame) []exhibit {
	return func(_ params, f *frame) []exhibit {
		e := exhibit{name: name, section: section, title: title, view: tableOf(f), folded: true}
		if some := f.view(slices.Clone(paper)...); some != nil && len(some.Head) > 2 {
			e.paper = some
		}
		return []exhibit{e}
	}
}

// showMeans shows a study's means that are not of one level of a factor.
func showMeans(_ params, f *frame) []exhibit {
	var all []exhibit
	factor := f.column("factor")
	studies, rows := f.groups("study_type")
	for _, study := range studies {
		of := slices.DeleteFunc(slices.Clone(rows[study]), func(i int) bool { return factor != nil && factor[i] != nil })
		all = append(all, exhibit{name: "means-" + slug(study), section: "means", title: strings.TrimSuffix("Means, "+human(study), ", "), folded: true,
			view: f.pick(of).view("outcome", "kind", "lambda", "time", "mean", "se", "ci_lower", "ci_upper", "n", "participants", "note")})
	}
	return all
}

// showContrasts shows each study's contrasts by type of test, on demand, as the
// pictures show them too; what could not be estimated is open.
func showContrasts(_ params, f *frame) []exhibit {
	var all []exhibit
	kinds := f.column("test_type")
	shown := withIntervals(f)
	all = append(all, mainResults(shown, intervalHeading(f)))
	studies, rows := f.groups("study_type")
	for _, study := range studies {
		var order []string
		byKind := map[string][]int{}
		for _, i := range rows[study] {
			kind := ""
			if kinds != nil {
				kind = text(kinds[i])
			}
			if strings.HasPrefix(kind, "main_effect_") {
				kind = "main_effects"
			}
			if byKind[kind] == nil {
				order = append(order, kind)
			}
			byKind[kind] = append(byKind[kind], i)
		}
		for _, kind := range order {
			e := exhibit{name: "contrasts-" + slug(study+" "+kind), section: "effects", title: strings.TrimSuffix(testKind(kind)+", "+human(study), ", "), folded: kind != "failed"}
			names := []string{"outcome", "test", "spec", "estimate", intervalHeading(f), "statistic", "df", "p_raw", "p_local", "p_global", "n", "participants", "form", "method", "note"}
			if kind == "failed" {
				e.title = strings.TrimSuffix("What could not be estimated, "+human(study), ", ")
				names = []string{"outcome", "test", "spec", "note"}
			}
			of := shown.pick(byKind[kind])
			e.view = of.view(names...)
			if kind != "failed" {
				narrow := []string{"outcome", "test", "spec", "estimate", intervalHeading(f), "p_raw", "p_global", "n"}
				if len(distinct(of, "test")) == 1 {
					narrow = slices.Delete(narrow, 1, 2)
				}
				e.paper = of.view(narrow...)
			}
			all = append(all, e)
		}
	}
	return all
}

// mainResults are the main effects of every study as they were planned: those
// of the primary analysis.
func mainResults(f *frame, interval string) exhibit {
	kinds, specs := f.column("test_type"), f.column("spec")
	var rows []int
	for i := range f.rows() {
		if kinds != nil && specs != nil && text(specs[i]) == "primary" && strings.HasPrefix(text(kinds[i]), "main_effect_") {
			rows = append(rows, i)
		}
	}
	return exhibit{name: "main-results", section: "effects", title: "Main effects, primary analysis",
		view: f.pick(rows).view("study_type", "outcome", "test", "estimate", interval, "p_raw", "p_global", "n")}
}

// withIntervals writes each estimate and its limits with the decimals that the
// interval deserves, the limits in one column.
func withIntervals(f *frame) *frame {
	low, high, estimate := f.column("lower_cl"), f.column("upper_cl"), f.column("estimate")
	interval, written := make([]any, f.rows()), make([]any, f.rows())
	for i := range interval {
		v, ok := number(estimate, i)
		l, okL := number(low, i)
		h, okH := number(high, i)
		if ok {
			written[i] = numeral(short(round(v)))
		}
		if ok && okL && okH {
			digits := digitsFor(l, h)
			written[i], interval[i] = numeral(fixed(v, digits)), numeral(fixed(l, digits)+" to "+fixed(h, digits))
		}
	}
	shown := f.with(intervalHeading(f), interval)
	shown.cells[slices.Index(shown.names, "estimate")] = written
	return shown
}

// showAssociations shows a table's tests, one row each, and its counts on
// demand.
func showAssociations(_ params, f *frame) []exhibit {
	var tests []int
	var seen []string
	for i := range f.rows() {
		var key []string
		for _, name := range []string{"study_type", "outcome", "treatment"} {
			if c := f.column(name); c != nil {
				key = append(key, text(c[i]))
			}
		}
		if k := strings.Join(key, "\x00"); !slices.Contains(seen, k) {
			seen, tests = append(seen, k), append(tests, i)
		}
	}
	return []exhibit{
		{name: "associations", section: "associations", title: "Tests of association",
			view: f.pick(tests).view("study_type", "outcome", "treatment", "chi_sq", "df", "p_value", "cramers_v", "min_expected", "corrected", "note")},
		{name: "association-counts", section: "associations", title: "Counts", folded: true, view: f.view("study_type", "outcome", "treatment", "group", "level", "n", "percentage")},
	}
}

// tablesOf writes the tables: each input as CSV, whole and with all its
// digits, and each exhibit for LaTeX.
func tablesOf(p params, frames map[string]*frame, shown []exhibit) ([]file, error) {
	var files []file
	for _, port := range inputPorts() {
		f := frames[port.Name]
		if f == nil || !p.wants("csv") {
			continue
		}
		data, err := csvOf(f)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", port.Name, err)
		}
		files = append(files, file{"tables/" + strings.ReplaceAll(port.Name, "_", "-") + ".csv", "text/csv; charset=utf-8", data})
	}
	for _, e := range shown {
		if p.wants("tex") {
			files = append(files, file{"tables/" + e.name + ".tex", "application/x-tex", latexTable(e, p.Simulated)})
		}
	}
	return files, nil
}

func csvOf(f *frame) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.Write(f.names); err != nil {
		return nil, err
	}
	row := make([]string, len(f.names))
	for i := range f.rows() {
		for c := range f.names {
			switch v := f.cells[c][i].(type) {
			case nil:
				row[c] = ""
			case float64:
				row[c] = strconv.FormatFloat(v, 'g', -1, 64)
			default:
				row[c] = fmt.Sprint(v)
			}
		}
		if err := w.Write(row); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}
