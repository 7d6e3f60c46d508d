package formula_test

import (
	"math"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/internal/reftest"
)

func TestPrint(t *testing.T) {
	for text, want := range map[string]string{
		"y~a+b:c+ d*e":                         "y ~ a + b:c + d * e",
		" y ~ I( lambda^2 )-1 ":                "y ~ I(lambda^2) - 1",
		"y ~ poly(x,2,raw=TRUE)+(1+s|p)":       "y ~ poly(x, 2, raw = TRUE) + (1 + s | p)",
		"log(y) ~ `odd name` + a/b + (x||g)":   "log(y) ~ `odd name` + a/b + (x || g)",
		"~a %in% b+offset(z)":                  "~ a %in% b + offset(z)",
		"cbind(s,n-s)~(a+b)^2":                 "cbind(s, n - s) ~ (a + b)^2",
		"y ~ I(f=='b' & x>1e5) + x1.z_2":       "y ~ I(f == \"b\" & x > 1e+05) + x1.z_2",
		"y ~ .":                                "y ~ .",
		"y ~ -1 + I(-x^2) + I(!(a > 2L))":      "y ~ -1 + I(-x^2) + I(!(a > 2))",
		"größe ~ Gruppe + I((a+b)*c/d - 1e-4)": "größe ~ Gruppe + I((a + b) * c/d - 1e-04)",
	} {
		f, err := formula.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if f.String() != want {
			t.Errorf("%q prints as %q, want %q", text, f, want)
		}
		if again, err := formula.Parse(want); err != nil || again.String() != want {
			t.Errorf("%q, parsed again, prints as %v (%v)", want, again, err)
		}
	}
}

// Each message has a place and what would be right.
func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"y ~ a +":              "formula:1:8: expected a column",
		"y":                    `there is no "~"`,
		"y ~ a ~ b":            `"~" after the end`,
		"y ~ (a + b":           `formula:1:5: this "(" is never closed`,
		"y ~ a $ b":            `formula:1:7: "$" has no meaning`,
		"y ~ lgo(x)":           `did you mean "log"`,
		"y ~ poly(x, dgree=2)": `did you mean "degree"`,
		"y ~ poly()":           "takes 2 argument",
		"y ~ a + 2":            "the number 2 is no term",
		"y ~ a^b":              "takes a whole number",
		"y ~ x^0.5":            "write I(x^0.5)",
		"y ~ 1 | g":            "stands in parentheses",
		"y ~ a:(1 | g)":        "cannot be part of an interaction",
		"y ~ a > 2":            "write I(a > 2)",
		"y ~ \"a\"":            "a string is no term",
		"y ~ `a":               "never closed",
		"y ~ a:offset(b)":      "offset is added",
		"y ~ log(a, b, c)":     "it has 3",
		"y ~ log(.)":           "stands for all other columns",
		"":                     `expected a column`,
		"y ~ " + strings.Repeat("(", 500) + "a" + strings.Repeat(")", 500):              "nested more than",
		"y ~ (" + strings.Repeat("a+b+", 400) + strings.Join(letters(120), "+") + ")^9": "more than 5000 terms",
	} {
		_, err := formula.Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
		if err != nil && !strings.HasSuffix(err.Error(), "^") {
			t.Errorf("%.60s: no caret: %v", text, err)
		}
	}
	many := strings.Join(letters(400), "\x00")
	for sep, want := range map[string]string{":": "more than 64 variables", "/": "more than 64 variables", "*": "more than 5000 terms"} {
		if _, err := formula.Parse("y ~ " + strings.ReplaceAll(many, "\x00", sep)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("400 columns joined by %q: %v, want %q", sep, err, want)
		}
	}
	_, err := formula.Parse("größe ~ a +* b")
	if want := "formula:1:12: expected a column, a function or \"(\", found \"*\"\n  größe ~ a +* b\n             ^"; err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
}

func letters(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "v" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26))
	}
	return out
}

func TestDesignErrors(t *testing.T) {
	_, fr := load(t)
	one := make([]string, fr.Rows())
	empty := make([]float64, fr.Rows())
	for i := range one {
		one[i], empty[i] = "only", math.NaN()
	}
	if fr.AddStrings("one", one, nil) != nil || fr.AddNumeric("empty", empty) != nil {
		t.Fatal("columns")
	}
	for _, c := range []struct {
		text string
		o    formula.Options
		want string
	}{
		{"y ~ lamda", formula.Options{}, `formula:1:5: no column "lamda"`},
		{"y ~ wek", formula.Options{}, `did you mean "week"`},
		{"y ~ one + x", formula.Options{}, "has one level (only)"},
		{"y ~ x + (1 | one)", formula.Options{}, "grouping factor one has one level"},
		{"y ~ empty", formula.Options{}, "every one of the 16 rows has a missing value; missing are y (1), empty (16)"},
		{"f ~ x", formula.Options{}, "the response f is not numeric"},
		{"y ~ log(z)", formula.Options{}, "is not a finite number (z = "},
		{"y ~ I(1 / (z - z))", formula.Options{}, "is not a finite number"},
		{"y ~ I(f + 1)", formula.Options{}, "f is a factor where numbers are needed"},
		{"y ~ I(f == \"d\")", formula.Options{}, `f has no level "d"`},
		{"y ~ f", formula.Options{Reference: map[string]string{"f": "B"}}, `no level "B": did you mean "b"`},
		{"y ~ f", formula.Options{Reference: map[string]string{"ff": "b"}}, `no column "ff"`},
		{"y ~ f", formula.Options{Contrasts: map[string]formula.Coding{"F2": formula.Sum}}, "contrasts: no column"},
		{"y ~ f", formula.Options{Weights: "w"}, `weights: no column "w"`},
		{"y ~ f", formula.Options{Weights: "z"}, "is negative"},
		{"y ~ poly(week, 4)", formula.Options{}, "at least 5 distinct values, there are 4"},
		{"y ~ scale(one)", formula.Options{}, "is a factor where numbers"},
		{"cbind(z, week) ~ x", formula.Options{}, "negative count"},
		{"y ~ x + (0 | f)", formula.Options{}, "has no columns"},
		{"y ~ x + (1 | f + g)", formula.Options{}, "a grouping factor is"},
	} {
		f, err := formula.Parse(c.text)
		if err == nil {
			_, err = f.Design(fr, c.o)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
}

func TestModelErrors(t *testing.T) {
	_, fr := load(t)
	d := reftest.Design(t, fr, "y ~ f + x + factor(week)", formula.Options{})
	for name, want := range map[string]string{"f": `row 2: f has no level "zz"`, "x": "row 2 of the new data: x is missing", "week": `factor(week) has no level "7"`, "": `no column "f"`} {
		fresh := frame.New(2)
		f, x, week := []string{"a", "b"}, []float64{1, 2}, []float64{1, 2}
		switch name {
		case "f":
			f[1] = "zz"
		case "x":
			x[1] = math.NaN()
		case "week":
			week[1] = 7
		}
		if name != "" && fresh.AddStrings("f", f, nil) != nil || fresh.AddNumeric("x", x) != nil || fresh.AddNumeric("week", week) != nil {
			t.Fatal("columns")
		}
		if _, err := d.Model(fresh); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

func TestOptionsOfDesign(t *testing.T) {
	_, fr := load(t)
	d := reftest.Design(t, fr, "cbind(week, I(week + x)) ~ f + factor(week) + offset(z)", formula.Options{Weights: "x", Offset: "z", Reference: map[string]string{"f": "c", "week": "10"}})
	if got := strings.Join(d.Names, " "); got != "(Intercept) fa fb factor(week)1 factor(week)2 factor(week)3" {
		t.Error(got)
	}
	week, _ := fr.Column("week")
	x, _ := fr.Column("x")
	z, _ := fr.Column("z")
	for i, r := range d.Rows {
		trials := 2*week.Num[r] + x.Num[r]
		if math.Abs(d.Trials[i]-trials) > 1e-12 || math.Abs(d.Y[i]-week.Num[r]/trials) > 1e-15 || math.Abs(d.Weights[i]-trials*x.Num[r]) > 1e-12 || math.Abs(d.Offset[i]-2*z.Num[r]) > 1e-12 {
			t.Fatalf("row %d: trials %g, y %g, weight %g, offset %g", r, d.Trials[i], d.Y[i], d.Weights[i], d.Offset[i])
		}
	}
	if f := d.Factors(); len(f) != 2 || f[0].Levels[0] != "c" || f[1].Name != "week" || f[1].Values[3] != 10 {
		t.Errorf("%+v", f)
	}
	if c := d.OffsetColumns(); len(c) != 1 || c[0].Name != "z" {
		t.Errorf("%+v", c)
	}
}

// What is accepted prints, parses again to the same, and makes a design or an
// error, never a panic.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"y ~ a + b:c + d*e", "y~poly(x,2,raw=TRUE)+(1+x|g)", "log(y) ~ f/g + (0+x||f:g) - 1", "cbind(x,z) ~ I(f==\"b\")%in%g^2", "~`odd name`+offset(z)", "y ~ ((((", "y~.-x", "y ~ scale(x,center=FALSE)*factor(week)", "y~ifelse(x>1,x,-x)+pmin(x,z)"} {
		f.Add(s)
	}
	ref, fr := load(f)
	_ = ref
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := formula.Parse(text)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without text")
			}
			return
		}
		printed := parsed.String()
		again, err := formula.Parse(printed)
		if err != nil {
			t.Fatalf("%q prints as %q: %v", text, printed, err)
		}
		if again.String() != printed {
			t.Fatalf("%q prints as %q, then as %q", text, printed, again.String())
		}
		d, err := parsed.Design(fr, formula.Options{})
		if err != nil {
			return
		}
		if n, p := d.X.Dims(); p > 0 && (n != len(d.Rows) || p != len(d.Names) || p != len(d.Assign)) {
			t.Fatalf("%q: X is %d x %d, %d rows, %d names", text, n, p, len(d.Rows), len(d.Names))
		}
	})
}
