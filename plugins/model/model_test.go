package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/go/sdktest"
)

func TestParametersThatCannotFit(t *testing.T) {
	r := load(t)
	for _, c := range []struct {
		op     sdk.Operator
		params string
		want   []string // parts of the message
	}{
		{fitOperator(), `{"formula": "y ~ arm *"}`, []string{"parameter formula", "formula:1:", "^"}},
		{fitOperator(), `{"formula": "y ~ amr + x"}`, []string{"parameter formula", "formula:1:5", `"amr"`, `did you mean "arm"?`, "    ^"}},
		{fitOperator(), `{"formula": "arm ~ x"}`, []string{"parameter formula", "arm is not numeric"}},
		{fitOperator(), `{"formula": "y ~ sq(x)"}`, []string{"parameter formula", "sq"}},
		{fitOperator(), `{"formula": "y ~ x", "family": "normal"}`, []string{"parameter family", "normal"}},
		{fitOperator(), `{"formula": "y ~ x", "weights": "ww"}`, []string{"parameter weights", `did you mean "w"?`}},
		{fitOperator(), `{"formula": "y ~ arm", "reference": {"arm": "z"}}`, []string{"parameter reference.arm", `no level "z"`, "a, b, c"}},
		{fitOperator(), `{"formula": "y ~ arm", "levels": {"arm": ["a", "b", "z"]}}`, []string{"parameter levels.arm"}},
		{fitOperator(), `{"formula": "y ~ x", "levels": {"x": ["1"]}}`, []string{"parameter levels", "factor(x)"}},
		{fitOperator(), `{"formula": "y ~ x + (1 | id)", "cluster": "id"}`, []string{"parameter robust", "random terms"}},
		{fitOperator(), `{"formula": "y ~ x", "robust": "CR1"}`, []string{"parameter cluster"}},
		{fitOperator(), `{"formula": "y ~ x", "robust": "HC3", "cluster": "id"}`, []string{"parameter robust", "CR1"}},
		{fitOperator(), `{"formula": "y ~ x", "firth": true}`, []string{"parameter firth"}},
		{fitOperator(), `{"formula": "y ~ x + (1 | id)", "df": "kenward-roger", "reml": false}`, []string{"parameter df", "reml = true"}},
		{fitOperator(), `{"formula": "event ~ x + (1 | id)", "family": "binomial", "limits": "profile"}`, []string{"parameter limits"}},
		{fitOperator(), `{"formula": "y ~ x + (1 | id)", "family": "Gamma"}`, []string{"parameter family", "gaussian"}},
		{fitOperator(), `{"formula": "y ~ x", "group_by": ["arm", "rm"]}`, []string{"parameter group_by", `"rm"`}},
		{fitOperator(), `{"formula": "y ~ x", "group_by": ["arm"], "keep": ["fitted"]}`, []string{`"fitted"`}},
		{fitOperator(), `{"formula": "y ~ x", "level": 95}`, []string{"parameter level"}},
		{meansOperator(), `{"formula": "y ~ arm", "of": ["amr"]}`, []string{"parameter of", `did you mean "arm"?`}},
		{meansOperator(), `{"formula": "y ~ arm", "of": ["arm"], "by": ["arm"]}`, []string{"parameter by", "twice"}},
		{meansOperator(), `{"formula": "y ~ arm + x", "of": ["arm"], "at": {"x": ["low"]}}`, []string{"parameter at.x[0]", "give numbers"}},
		{meansOperator(), `{"formula": "y ~ arm", "of": ["arm"], "adjust": "tukey", "contrasts": [{"method": "consec"}]}`, []string{"parameter adjust", "all pairs"}},
		{meansOperator(), `{"formula": "y ~ arm", "of": ["arm"], "contrasts": [{"method": "consec", "plus": ["a"]}]}`, []string{"parameter contrasts[0]", "one of"}},
		{meansOperator(), `{"formula": "y ~ arm", "of": ["arm"], "contrasts": [{"plus": ["a"], "minus": ["b"]}]}`, []string{"parameter contrasts[0].name"}},
		{meansOperator(), `{"formula": "event ~ arm * x", "family": "binomial", "of": ["arm"], "slopes": "x", "scale": "response"}`, []string{"parameter scale", "linear predictor"}},
		{compareOperator(), `{"formulas": ["y ~ x", "x ~ arm"]}`, []string{"parameter formulas[1]", "response"}},
		{compareOperator(), `{"formulas": ["y ~ x", "y ~ x + zzz"]}`, []string{"parameter formulas[1]", "zzz"}},
		{bootstrapOperator(), `{"formula": "y ~ x"}`, []string{"parameter formula", "random term"}},
	} {
		_, err := sdktest.Run(t, c.op, c.params, 0, sdktest.Tables{"data": r.table})
		if err == nil {
			t.Errorf("%s %s: no error", c.op.Name, c.params)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s %s: %q lacks %q", c.op.Name, c.params, err, part)
			}
		}
	}
}

// What a formula asks of the data's values is for the data to answer.
func TestFormulasThatNeedTheirData(t *testing.T) {
	r := load(t)
	for _, params := range []string{
		`{"formula": "y ~ log(x + 100) + log(100 - x)"}`, `{"formula": "y ~ I(arm == \"b\") + sex"}`, `{"formula": "I(arm == 'c') ~ x", "family": "binomial"}`,
		`{"formula": "y ~ poly(time, 3) * arm"}`, `{"formula": "y ~ factor(time) - 1"}`, `{"formula": "y ~ sqrt(exposure - 0.1) + offset(w)"}`, `{"formula": "y ~ . - id"}`,
	} {
		out := r.run(t, fitOperator(), params)
		if out["fit"].Rows[0]["n"] == nil {
			t.Errorf("%s: %v", params, out["fit"].Rows[0]["note"])
		}
	}
	out := r.run(t, fitOperator(), `{"formula": "y ~ log(time)"}`)
	if note := out["fit"].Rows[0]["note"]; note == nil || !strings.Contains(note.(string), "log(time)") {
		t.Errorf("log of 0: %v", out["fit"].Rows[0])
	}
}

// What the data cannot give is null with a note, and never a NaN; other groups
// have their results.
func TestDataThatCannotFit(t *testing.T) {
	in := sdktest.Of("g: utf8, arm: utf8, x: float64, y: float64, z: bool")
	for i := range 24 {
		x := float64(i % 8)
		noise := float64((i*7)%5) / 10
		for g, row := range map[string]sdktest.Row{
			"good":      {"arm": []string{"a", "b"}[i%2], "x": x, "y": x + noise, "z": (i*5)%7 > 3},
			"one level": {"arm": "a", "x": x, "y": noise, "z": i%2 == 0},
			"constant":  {"arm": []string{"a", "b"}[i%2], "x": x, "y": 1, "z": true},
			"separated": {"arm": []string{"a", "b"}[i%2], "x": x, "y": x, "z": x > 3},
			"missing":   {"arm": "a", "x": x},
		} {
			row["g"] = g
			in.Rows = append(in.Rows, row)
		}
	}
	// The order of a map's keys is chance; the operator's output follows the input.
	for _, c := range []struct{ params, group, note string }{
		{`{"formula": "y ~ arm + x", "group_by": ["g"]}`, "one level", "one level"},
		{`{"formula": "y ~ arm + x", "group_by": ["g"]}`, "constant", "varia"},
		{`{"formula": "y ~ arm + x", "group_by": ["g"]}`, "missing", "missing value"},
		{`{"formula": "z ~ arm + x", "family": "binomial", "group_by": ["g"]}`, "separated", "separat"},
	} {
		out, err := sdktest.Run(t, fitOperator(), c.params, 0, sdktest.Tables{"data": in})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range out["fit"].Rows {
			switch {
			case row["g"] == c.group && (row["n"] != nil || !strings.Contains(fmt.Sprint(row["note"]), c.note)):
				t.Errorf("%s: %v", c.group, row)
			case row["g"] == "good" && (row["n"] != int64(24) || row["note"] != nil):
				t.Errorf("good: %v", row)
			}
		}
		said := 0
		for _, row := range out["coefficients"].Rows {
			if row["g"] != c.group {
				continue
			}
			if said++; row["term"] != nil || row["estimate"] != nil || !strings.Contains(fmt.Sprint(row["note"]), c.note) {
				t.Errorf("%s has coefficients: %v", c.group, row)
			}
		}
		if said != 1 {
			t.Errorf("%s: %d rows say why there are no coefficients", c.group, said)
		}
		if n := len(out["fitted"].Rows); n != len(in.Rows) {
			t.Errorf("%d fitted rows", n)
		}
	}
	out := must(t, fitOperator(), `{"formula": "z ~ arm + x", "family": "binomial", "group_by": ["g"], "firth": true, "limits": "profile"}`, sdktest.Tables{"data": in})
	for _, row := range out["coefficients"].Rows {
		if row["g"] == "separated" && (row["estimate"] == nil || row["se"] == nil) {
			t.Errorf("Firth: %v", row)
		}
	}
	m := must(t, meansOperator(), `{"formula": "y ~ arm + x", "of": ["arm"], "group_by": ["g"], "contrasts": [{"method": "pairwise"}]}`, sdktest.Tables{"data": in})
	for _, row := range m["means"].Rows {
		if (row["estimate"] == nil) != (row["note"] != nil) {
			t.Errorf("mean without a reason, or with one too many: %v", row)
		}
	}
}

func TestAliasedColumns(t *testing.T) {
	in := sdktest.Of("a: float64, b: float64, y: float64")
	for i := range 12 {
		x := float64(i)
		in.Rows = append(in.Rows, sdktest.Row{"a": x, "b": 2 * x, "y": x + float64((i*5)%7)/3})
	}
	out := must(t, fitOperator(), `{"formula": "y ~ a + b"}`, sdktest.Tables{"data": in})
	b := out["coefficients"].Rows[2]
	if b["term"] != "b" || b["estimate"] != nil || b["note"] != "not estimable: a combination of columns before it" {
		t.Errorf("aliased: %v", b)
	}
	if fit := out["fit"].Rows[0]; fit["aliased"] != "b" || !strings.Contains(fit["note"].(string), "b") {
		t.Errorf("fit: %v", fit)
	}
	if term := out["anova"].Rows[1]; term["statistic"] != nil || term["note"] == nil {
		t.Errorf("test: %v", term)
	}
	// A saturated model has estimates and no standard errors.
	in.Rows = in.Rows[:2]
	out = must(t, fitOperator(), `{"formula": "y ~ a"}`, sdktest.Tables{"data": in})
	for _, row := range out["coefficients"].Rows {
		if row["se"] != nil || row["note"] == nil {
			t.Errorf("saturated: %v", row)
		}
	}
}

func TestComparisonOfRowsAndModels(t *testing.T) {
	r := load(t)
	out := r.run(t, compareOperator(), `{"formulas": ["y ~ time", "y ~ poly(time, 2)", "y ~ poly(time, 2) + x", "y ~ arm", "y ~ arm + (1 | id)"]}`)
	rows := out["models"].Rows
	for i, row := range rows {
		if row["n"] != int64(139) || row["dropped"] != int64(5) {
			t.Errorf("model %d is of other rows: %v", i, row)
		}
	}
	// time is a combination of the columns of poly(time, 2).
	if rows[1]["test"] != "F" || rows[1]["ddf"] != 136.0 || rows[2]["test"] != "F" {
		t.Errorf("nested: %v", rows[1])
	}
	if rows[3]["statistic"] != nil || !strings.Contains(rows[3]["note"].(string), "not nested") {
		t.Errorf("not nested: %v", rows[3])
	}
	if rows[4]["test"] != "likelihood ratio" || !strings.Contains(rows[4]["note"].(string), "variances") {
		t.Errorf("a random intercept: %v", rows[4])
	}
	weights := 0.0
	for _, row := range rows {
		weights += row["weight"].(float64)
	}
	near(t, "weights", weights, 1.0, 1e-12)
}

func TestInteractionContrasts(t *testing.T) {
	r := load(t)
	out := r.run(t, meansOperator(), `{"formula": "y ~ arm * sex", "of": ["arm", "sex"], "contrasts": [{"interaction": {"arm": "pairwise", "sex": "revpairwise"}}, {"name": "women of b less men of a", "plus": ["b f"], "minus": ["a m"]}]}`)
	means := map[any]float64{}
	for _, row := range out["means"].Rows {
		means[fmt.Sprint(row["arm"], row["sex"])] = row["estimate"].(float64)
	}
	contrasts := out["contrasts"].Rows
	if len(contrasts) != 4 {
		t.Fatalf("contrasts %v", contrasts)
	}
	near(t, "difference of differences", contrasts[0]["estimate"], means["am"]-means["bm"]-means["af"]+means["bf"], 1e-9)
	near(t, "named", contrasts[3]["estimate"], means["bf"]-means["am"], 1e-12)
}

func TestBootstrap(t *testing.T) {
	r := load(t)
	params := `{"formula": "y ~ time + x + (1 | id)", "sets": 400, "null": "y ~ time + (1 | id)"}`
	out := r.run(t, bootstrapOperator(), params)
	fit := r.run(t, fitOperator(), `{"formula": "y ~ time + x + (1 | id)"}`)
	for i, c := range fit["coefficients"].Rows {
		b := out["estimates"].Rows[i]
		near(t, "estimate", b["estimate"], c["estimate"], 1e-12)
		near(t, "standard error", b["se"], c["se"], 0.15) // 400 draws give it to about 3.5 %
		if bias := b["bias"].(float64); bias > 0.25*c["se"].(float64) || bias < -0.25*c["se"].(float64) {
			t.Errorf("bias %v of a standard error of %v", bias, c["se"])
		}
	}
	if n := len(out["estimates"].Rows); n != 5 || out["estimates"].Rows[3]["term"] != "id: (Intercept)" || out["estimates"].Rows[4]["term"] != "Residual" {
		t.Errorf("estimates %v", out["estimates"].Rows)
	}
	test := out["test"].Rows[0]
	if p, chi := test["p_value"].(float64), test["p_chi_squared"].(float64); p < chi-0.15 || p > chi+0.15 {
		t.Errorf("bootstrap p %v, chi-squared %v", p, chi)
	}
	again := r.run(t, bootstrapOperator(), params)
	sdktest.Equal(t, again["estimates"], out["estimates"].Rows...)
}

// A mean that no group has is a mistake of the parameters; one that some have
// is missing in the others.
func TestMeansThatAreNotThere(t *testing.T) {
	in := sdktest.Of("g: utf8, arm: utf8, y: float64")
	for i := range 12 {
		in.Rows = append(in.Rows,
			sdktest.Row{"g": "one", "arm": []string{"a", "b"}[i%2], "y": float64(i % 5)},
			sdktest.Row{"g": "two", "arm": []string{"a", "c"}[i%2], "y": float64(i % 7)})
	}
	const params = `{"formula": "y ~ arm", "of": ["arm"], "group_by": ["g"], %s}`
	for more, want := range map[string]string{
		`"contrasts": [{"name": "x", "plus": ["a"], "minus": ["d"]}]`:   `parameter contrasts[0]: contrast "x": there is no mean "d"`,
		`"contrasts": [{"method": "trt.vs.ctrl", "control": "d"}]`:      `parameter contrasts[0]: no mean "d" to be the control`,
		`"at": {"arm": ["a", "d"]}, "contrasts": []`:                    `parameter at: reference grid: arm has no level "d"`,
		`"contrasts": [{"method": "pairwise"}], "at": {"arm": ["e"]}`:   `parameter at`,
		`"contrasts": [{"name": "x", "weights": [1, -1, 0]}], "at": {}`: `has 3 weights for 2 means`,
	} {
		if _, err := sdktest.Run(t, meansOperator(), fmt.Sprintf(params, more), 0, sdktest.Tables{"data": in}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", more, err, want)
		}
	}
	out := must(t, meansOperator(), fmt.Sprintf(params, `"contrasts": [{"name": "x", "plus": ["b"], "minus": ["a"]}]`), sdktest.Tables{"data": in})
	for _, row := range out["contrasts"].Rows {
		if (row["g"] == "one") != (row["estimate"] != nil) || (row["g"] == "two") != (row["note"] != nil) {
			t.Errorf("contrast %v", row)
		}
	}
}
