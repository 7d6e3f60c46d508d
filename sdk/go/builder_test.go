package sdk

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/abi/typeexpr"
)

// collector keeps the values of column 0 of each emitted batch.
type collector struct {
	batches [][]int64
}

func (c *collector) emit(_ int, b *Batch) error {
	c.batches = append(c.batches, append([]int64(nil), b.ColAt(0).Int64s()...))
	for i := range b.Len() {
		if got, want := b.ColAt(1).Str(i), fmt.Sprintf("%0100d", b.ColAt(0).Int(i)); got != want {
			return fmt.Errorf("row %d holds %q beside %s", i, got, want)
		}
	}
	return nil
}

func twoColumns(c *collector) (*Outputs, *Rows) {
	out := &Outputs{auto: true, emit: c.emit}
	r := newRows(out, 0, "rows", Schema{Fields: []Field{{Name: "id", Type: Int64}, {Name: "text", Type: Utf8}}})
	out.ports = []*Rows{r}
	return out, r
}

// TestFlush checks that a table's rows are handed on while they are made,
// whole and in order, whichever column of a row is made first.
func TestFlush(t *testing.T) {
	const n = 300_000
	for name, fill := range map[string]func(*Rows){
		"row by row, id first": func(r *Rows) {
			id, text := r.Col("id"), r.Col("text")
			for i := range n {
				id.Int(int64(i))
				text.Str(fmt.Sprintf("%0100d", i))
			}
		},
		"row by row, text first, in place": func(r *Rows) {
			id, text := r.Col("id"), r.Col("text")
			for i := range n {
				text.StrAppend(func(b []byte) []byte { return fmt.Appendf(b, "%0100d", i) })
				id.Int(int64(i))
			}
		},
	} {
		var c collector
		out, r := twoColumns(&c)
		fill(r)
		if err := out.Flush(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(c.batches) < 4 {
			t.Errorf("%s: %d batches for 30 MB", name, len(c.batches))
		}
		next := int64(0)
		for _, b := range c.batches {
			for _, v := range b {
				if v != next {
					t.Fatalf("%s: %d where %d was due", name, v, next)
				}
				next++
			}
		}
		if next != n {
			t.Errorf("%s: %d rows, want %d", name, next, n)
		}
	}
}

func TestColumnByColumn(t *testing.T) {
	var c collector
	out, r := twoColumns(&c)
	for i := range 100_000 {
		r.Col("id").Int(int64(i))
	}
	for i := range 100_000 {
		r.Col("text").Str(fmt.Sprintf("%0100d", i))
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	if len(c.batches) != 1 || len(c.batches[0]) != 100_000 {
		t.Errorf("%d batches", len(c.batches))
	}
}

func TestBuilderPanics(t *testing.T) {
	for want, f := range map[string]func(){
		`"x" is int8 and cannot hold 200`:          func() { named("x", Int8).Int(200) },
		`"x" is utf8 and does not take an integer`: func() { named("x", Utf8).Int(1) },
		`"x" takes lists of 2 elements, not 1`:     func() { named("x", FixedListOf(Int8, 2)).List(func(e *Builder) { e.Int(1) }) },
		`has no member "b"`: func() {
			named("x", StructOf(Field{Name: "a", Type: Int8})).Struct(func(s *StructBuilder) { s.Field("b") })
		},
		`more distinct values than int8 can number`: func() {
			b := named("x", DictOf(Int8, Utf8))
			for i := range 200 {
				b.Str(fmt.Sprint(i))
			}
		},
		`a column of type bool was read as an integer`:     func() { b := NewBuilder(Bool); b.Bool(true); b.Column().Int(0) },
		`"x" is dictionary<int32, utf8> and does not take`: func() { named("x", DictOf(Int32, Utf8)).Int(3) },
	} {
		err := caught(func() error { f(); return nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func named(name string, t Type) *Builder {
	b := NewBuilder(t)
	b.name = name
	return b
}

func TestNulls(t *testing.T) {
	b := NewBuilder(Int32)
	for i := range 20 {
		if i%5 == 4 {
			b.Null()
		} else {
			b.Int(int64(i))
		}
	}
	c := b.Column()
	if c.NullCount() != 4 {
		t.Errorf("%d nulls", c.NullCount())
	}
	for i := range 20 {
		if c.IsNull(i) != (i%5 == 4) || !c.IsNull(i) && c.Int(i) != int64(i) {
			t.Errorf("row %d: null %v, %d", i, c.IsNull(i), c.Int(i))
		}
	}
}

func TestParseTypeAndFormat(t *testing.T) {
	for _, s := range []string{"int8", "uint64", "timestamp[us, UTC]", "timestamp[s]", "list<struct<role: utf8, content: large_utf8>>", "fixed_size_list<float32, 4>",
		"dictionary<int16, utf8>", "large_list<binary>", "struct<a: null, b: list<bool>>", "date32"} {
		ty, err := ParseType(s)
		if err != nil || ty.String() != s {
			t.Errorf("%s: %v, %v", s, ty, err)
			continue
		}
		if ty.kind == kDict {
			continue
		}
		if back, err := fromFormat(ty.format(), ty.fields); err != nil || !back.Equal(ty) {
			t.Errorf("%s: format %q is read as %v, %v", s, ty.format(), back, err)
		}
	}
	for _, s := range []string{"", "number", "list<int8", "timestamp", "timestamp[h]", "utf8|null", "list<string>", "dictionary<utf8, utf8>", "struct<a>", "int8 int8"} {
		if ty, err := ParseType(s); err == nil {
			t.Errorf("%q was read as %s", s, ty)
		}
	}
}

// TestPrimitives checks that the SDK has every type that expressions name.
func TestPrimitives(t *testing.T) {
	for _, name := range typeexpr.Primitives() {
		if ty, err := ParseType(name); err != nil || ty.String() != name {
			t.Errorf("%s: %s, %v", name, ty, err)
		}
	}
}

func TestDescribeIsJSON(t *testing.T) {
	text := Plugin{Name: "a", Doc: "quotes \" \\ \n \x01 é \xff", Operators: []Operator{
		{Name: "o", Kind: Table, Inputs: []Port{{Name: "i", Optional: true, Columns: []ColumnSpec{{Name: "c", Type: "any", Doc: "d"}}}}, Params: `{"type":"object"}`}, {Name: "p"}}}.Describe()
	var v struct {
		Doc       string
		Operators []struct{ Inputs []Port }
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if v.Doc != "quotes \" \\ \n \x01 é \uFFFD" || !v.Operators[0].Inputs[0].Optional || v.Operators[0].Inputs[0].Columns[0].Doc != "d" {
		t.Errorf("%+v", v)
	}
}

func TestPanicIsAnError(t *testing.T) {
	op := Operator{Name: "o", Kind: Table, Inputs: []Port{{Name: "i"}}, Outputs: []Port{{Name: "p"}}, Open: func(o Opening) (Task, error) {
		o.Output("p", Schema{})
		return panicking{}, nil
	}}
	s, err := OpenSession(op, []byte("{}"), 0, []*Schema{{}}, Surroundings{})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Process(0, &Batch{})
	if err == nil || !strings.Contains(err.Error(), "nil map") || !strings.Contains(Stack(err), "panicking.Process builder_test.go:") {
		t.Errorf("%v\n%s", err, Stack(err))
	}
}

// noMap gives a nil map in a way that no analyser sees through.
func noMap() map[string]int { return map[string]map[string]int{}["absent"] }

type panicking struct{ NoFinish }

func (panicking) Process(string, *Batch, *Outputs) error {
	noMap()["a"] = 1
	return nil
}
