package operator

import (
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/seed-4012077a/flow/sdk/abi/typeexpr"
)

var messages = arrow.ListOf(arrow.StructOf(
	arrow.Field{Name: "role", Type: arrow.BinaryTypes.String},
	arrow.Field{Name: "content", Type: arrow.BinaryTypes.String},
))

func TestTypeExpressions(t *testing.T) {
	dict := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	for _, c := range []struct {
		expr string
		dt   arrow.DataType
		want bool
	}{
		{"int64", arrow.PrimitiveTypes.Int64, true},
		{"int64", arrow.PrimitiveTypes.Int32, false},
		{"integer", arrow.PrimitiveTypes.Uint8, true},
		{"integer", arrow.PrimitiveTypes.Float32, false},
		{"number", arrow.PrimitiveTypes.Float32, true},
		{"string", dict, true},
		{"utf8", dict, false},
		{"utf8 | bool", arrow.FixedWidthTypes.Boolean, true},
		{"string|integer", arrow.PrimitiveTypes.Float64, false},
		{"any", messages, true},
		{"list<struct<role: utf8, content: utf8>>", messages, true},
		{"list<struct<content: string>>", messages, true},
		{"list<struct<name: utf8>>", messages, false},
		{"large_list<any>", messages, false},
		{"fixed_size_list<float32, 4>", arrow.FixedSizeListOf(4, arrow.PrimitiveTypes.Float32), true},
		{"fixed_size_list<float32, 5>", arrow.FixedSizeListOf(4, arrow.PrimitiveTypes.Float32), false},
		{"timestamp", &arrow.TimestampType{Unit: arrow.Millisecond}, true},
		{"timestamp[us]", &arrow.TimestampType{Unit: arrow.Millisecond}, false},
		{"timestamp[ms, UTC]", &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}, true},
		{"dictionary<int32, utf8>", dict, true},
		{"struct<>", arrow.StructOf(), true},
	} {
		e, err := ParseType(c.expr)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := e.Matches(c.dt); got != c.want {
			t.Errorf("%s matches %s: %v, want %v", c.expr, c.dt, got, c.want)
		}
	}
	for _, dt := range []arrow.DataType{messages, dict, &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}, arrow.FixedSizeListOf(3, arrow.Null)} {
		e, err := ParseType(TypeName(dt))
		if err != nil || !e.Matches(dt) {
			t.Errorf("TypeName(%s) = %s does not match it: %v", dt, TypeName(dt), err)
		}
	}
	for _, name := range typeexpr.Primitives() {
		if _, ok := primitives[name]; !ok {
			t.Errorf("no column is ever %s", name)
		}
	}
	if _, err := ParseType("list<int"); err == nil {
		t.Error("half a type was accepted")
	}
}

func TestCheckInput(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "score", Type: arrow.PrimitiveTypes.Float64},
		{Name: "text", Type: arrow.BinaryTypes.String},
		{Name: "twice", Type: arrow.BinaryTypes.String},
		{Name: "twice", Type: arrow.BinaryTypes.String},
	}, nil)
	check := func(col Column, params map[string]any) string {
		var lines []string
		for _, p := range CheckInput(Port{Name: "rows", Columns: []Column{col}}, params, schema) {
			lines = append(lines, p.String())
		}
		return strings.Join(lines, "\n")
	}
	for _, c := range []struct {
		col    Column
		params map[string]any
		want   string
	}{
		{Column{Name: "score", Type: "number"}, nil, ""},
		{Column{Name: "absent", Type: "number", Optional: true}, nil, ""},
		{Column{Name: "scor", Type: "number"}, nil, `input rows: column "scor" is missing; did you mean "score"?`},
		{Column{Name: "score", Type: "string"}, nil, `input rows: column "score" is float64, not string`},
		{Column{Name: "zzzzzz", Type: "any"}, nil, `input rows: column "zzzzzz" is missing; the table has score, text, twice, twice`},
		{Column{Name: "twice", Type: "any"}, nil, `input rows: column "twice" is there 2 times; rename all but one`},
		{Column{Name: "{by}", Type: "string"}, map[string]any{"by": "text"}, ""},
		{Column{Name: "{by}", Type: "string"}, map[string]any{"by": "score"}, `input rows: column "score" (parameter by) is float64, not string; columns that fit: text, twice, twice`},
		{Column{Name: "{by}", Type: "any"}, map[string]any{"by": []any{"text", "txt"}}, `input rows: column "txt" (parameter by) is missing; did you mean "text"?`},
		{Column{Name: "{by}", Type: "any"}, nil, ""},
		{Column{Name: "{a}_{b}", Type: "any"}, map[string]any{"a": "x", "b": "{a}"}, `input rows: column "x_{a}" (parameter a) is missing; the table has score, text, twice, twice`},
	} {
		if got := check(c.col, c.params); got != c.want {
			t.Errorf("%+v: got\n%s\nwant\n%s", c.col, got, c.want)
		}
	}
	if p := CheckInput(Port{Name: "x"}, nil, nil); len(p) != 1 {
		t.Errorf("an unconnected port: %v", p)
	}
	if p := CheckInput(Port{Name: "x", Optional: true}, nil, nil); p != nil {
		t.Errorf("an unconnected optional port: %v", p)
	}
}

const good = `{"abi":1,"name":"demo","operators":[{"name":"head","kind":"map","inputs":[{"name":"rows","columns":[{"name":"id","type":"integer"}]}],"outputs":[{"name":"rows"}],"params":{"type":"object","properties":{"n":{"type":"integer","default":3}}}}]}`

func TestParseDescribe(t *testing.T) {
	p, err := ParseDescribe([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Operators[0].FillParams(nil)
	if err != nil || string(got) != `{"n":3}` {
		t.Errorf("FillParams: %s, %v", got, err)
	}
	for _, r := range [][2]string{
		{`"map"`, `"mop"`}, {`"demo"`, `"../x"`}, {`"head"`, `""`}, {`"integer"}]`, `"whole"}]`},
		{`"abi":1`, `"abi":1,"more":2`}, {`"outputs":[{"name":"rows"}]`, `"outputs":[]`},
		{`"outputs":[{"name":"rows"}]`, `"outputs":[{"name":"a"},{"name":"a"}]`},
		{`"outputs":[{"name":"rows"}]`, `"outputs":[{"name":"a","optional":true}]`},
		{`"map"`, `"source"`}, {`"params":{"type":"object"`, `"params":{"type":"array"`},
		{`}]}`, `}]} {}`}, {`"inputs":[{"name":"rows"`, `"inputs":[{"name":"rows","optional":true`},
	} {
		bad := strings.Replace(good, r[0], r[1], 1)
		if bad == good {
			t.Fatalf("%s is not in the answer", r[0])
		}
		if r[0] == `}]}` {
			bad = good + "{}"
		}
		if _, err := ParseDescribe([]byte(bad)); err == nil {
			t.Errorf("%s for %s was accepted", r[1], r[0])
		}
	}
}

func FuzzParseDescribe(f *testing.F) {
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ParseDescribe(raw)
		if err != nil {
			return
		}
		for _, s := range p.Operators {
			if err := s.Check(); err != nil {
				t.Fatalf("accepted an operator that its own check refuses: %v", err)
			}
		}
	})
}

func FuzzMatches(f *testing.F) {
	f.Add("list<struct<role: utf8, content: utf8>>|any")
	f.Fuzz(func(t *testing.T, s string) {
		if e, err := ParseType(s); err == nil {
			e.Matches(messages)
		}
	})
}
