package typeexpr

import (
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	one := func(name string) Expr { return Expr{{Name: name}} }
	for text, want := range map[string]Expr{
		"int64":                            one("int64"),
		" any ":                            one("any"),
		"utf8 | bool":                      {{Name: "utf8"}, {Name: "bool"}},
		"timestamp":                        one("timestamp"),
		"timestamp[us]":                    {{Name: "timestamp", Unit: "us"}},
		"list<string>":                     {{Name: "list", Elems: []Expr{one("string")}}},
		"large_list<utf8>":                 {{Name: "large_list", Elems: []Expr{one("utf8")}}},
		"timestamp[ms, Europe/Zurich]":     {{Name: "timestamp", Unit: "ms", Zone: "Europe/Zurich"}},
		"fixed_size_list<float32|null, 4>": {{Name: "fixed_size_list", Elems: []Expr{{{Name: "float32"}, {Name: "null"}}}, Size: 4}},
		"dictionary<int32,utf8>":           {{Name: "dictionary", Elems: []Expr{one("int32"), one("utf8")}}},
		"struct<>":                         one("struct"),
		"struct<a:int8, b c : list<bool>>|date32":                     {{Name: "struct", Fields: []string{"a", "b c"}, Elems: []Expr{one("int8"), {{Name: "list", Elems: []Expr{one("bool")}}}}}, {Name: "date32"}},
		strings.Repeat("list<", 16) + "any" + strings.Repeat(">", 16): nil,
	} {
		got, err := Parse(text)
		if err != nil {
			t.Error(err)
			continue
		}
		if want != nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q is read as %+v, want %+v", text, got, want)
		}
		if back, err := Parse(written(got)); err != nil || !reflect.DeepEqual(back, got) {
			t.Errorf("%q is written as %q and read again as %+v, %v", text, written(got), back, err)
		}
	}
	for _, name := range Primitives() {
		if _, err := Parse(name); err != nil {
			t.Error(err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 `there is no type ""`,
		"int":                              `there is no type "int"`,
		"|":                                `there is no type ""`,
		"int8 int8":                        `"int8" is left over`,
		"list<":                            `there is no type ""`,
		"list<int64":                       `">" is missing`,
		"list<int64>>":                     `">" is left over`,
		"struct<a>":                        `":" is missing before ">"`,
		"struct<:utf8>":                    "a field's name is missing",
		"timestamp[m]":                     "unit is s, ms, us or ns",
		"timestamp[s":                      `"]" is missing`,
		"dictionary<utf8>":                 `"," is missing`,
		"fixed_size_list<utf8>":            `"," is missing`,
		"fixed_size_list<utf8, -1>":        "length is a number",
		"fixed_size_list<utf8, 999999999>": "length is a number",
		strings.Repeat("list<", 40):        "nested more than 16 deep",
		strings.Repeat(" ", 5000):          "at most 4096",
	} {
		if e, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %+v, %v; want %q", text, e, err, want)
		}
	}
}

// written writes an expression by the grammar.
func written(e Expr) string {
	var terms []string
	for _, t := range e {
		var parts []string
		for i, elem := range t.Elems {
			part := written(elem)
			if len(t.Fields) > 0 {
				part = t.Fields[i] + ": " + part
			}
			parts = append(parts, part)
		}
		s := t.Name
		switch {
		case t.Unit != "" && t.Zone != "":
			s += "[" + t.Unit + ", " + t.Zone + "]"
		case t.Unit != "":
			s += "[" + t.Unit + "]"
		case t.Name == "fixed_size_list":
			s += "<" + parts[0] + ", " + strconv.Itoa(t.Size) + ">"
		case len(parts) > 0 || t.Name == "struct":
			s += "<" + strings.Join(parts, ", ") + ">"
		}
		terms = append(terms, s)
	}
	return strings.Join(terms, " | ")
}

// FuzzParse checks that what is read can be written and is then read alike.
func FuzzParse(f *testing.F) {
	f.Add("list<struct<role: utf8, content: utf8>>|any")
	f.Add("fixed_size_list<timestamp[ns, UTC], 3> | dictionary<int8, string>")
	f.Fuzz(func(t *testing.T, s string) {
		e, err := Parse(s)
		if err != nil {
			return
		}
		text := written(e)
		if len(text) > maxText {
			return
		}
		if back, err := Parse(text); err != nil || !reflect.DeepEqual(back, e) {
			t.Fatalf("%q is read as %+v, but as %+v, %v where it is written as %q", s, e, back, err, text)
		}
	})
}
