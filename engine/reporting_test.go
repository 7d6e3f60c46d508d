package engine

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/seed-4012077a/flow/engine/internal/ledger"
	"github.com/seed-4012077a/flow/engine/internal/table"
)

func schemaOf(columns ...any) *arrow.Schema {
	var fields []arrow.Field
	for i := 0; i < len(columns); i += 2 {
		fields = append(fields, arrow.Field{Name: columns[i].(string), Type: columns[i+1].(arrow.DataType), Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

// Tables are told by columns and their types; the more particular kind wins.
func TestReportKinds(t *testing.T) {
	text, real, whole, truth := arrow.BinaryTypes.String, arrow.PrimitiveTypes.Float64, arrow.PrimitiveTypes.Int64, arrow.FixedWidthTypes.Boolean
	for _, c := range []struct {
		want   string
		schema *arrow.Schema
	}{
		{"dose", schemaOf("lambda", real, "n", whole, "mean", real, "ci_lower", real, "ci_upper", real, "method", text)},
		{"", schemaOf("lambda", text, "mean", real, "ci_lower", real, "ci_upper", real)},
		{"", schemaOf("lambda", real, "mean", real)},
		{"anchors", schemaOf("lambda", real, "mean", real, "ci_lower", real, "ci_upper", real, "n_prompts", whole)},
		{"means", schemaOf("outcome", text, "kind", text, "lambda", real, "time", real, "mean", real, "ci_lower", real, "ci_upper", real)},
		{"contrasts", schemaOf("outcome", text, "test", text, "test_type", text, "spec", text, "estimate", real, "lower_cl", real, "upper_cl", real)},
		{"tests", schemaOf("test", text, "term", text, "estimate", real, "se", real, "statistic", real, "p_value", real)},
		{"coefficients", schemaOf("term", text, "estimate", real, "se", real, "statistic", real, "p_value", real)},
		{"tables", schemaOf("system", text, "estimate", real, "se", real, "ci_lower", real, "ci_upper", real, "p_value", real)},
		{"candidates", schemaOf("layer", whole, "epoch", whole, "auc", real, "combined", real, "pareto", truth, "winner", truth)},
		{"replies", schemaOf("prompt_id", whole, "lambda", real, "reply", text)},
		{"", schemaOf("lambda", real, "reply", text)},
		{"losses", schemaOf("layer", whole, "epoch", whole, "loss", real)},
		{"flow", schemaOf("stage", text, "step", whole, "arm", text, "n", whole, "lost", whole, "reason", text)},
		{"profiles", schemaOf("participant", text, "liking", real, "wanting", real, "profile", text)},
		{"profile_counts", schemaOf("by", text, "arm", text, "profile", text, "n", whole, "share", real)},
		{"points", schemaOf("model", text, "year", real, "mean", real)},
		{"power", schemaOf("participants", whole, "test", text, "spec", text, "power", real, "ci_lower", real, "ci_upper", real)},
		{"trend", schemaOf("year", real, "mean", real, "ci_lower", real, "ci_upper", real)},
		{"tables", schemaOf("model", text, "year", real, "mean", real, "in_window", truth, "lambda", real)},
		{"", schemaOf()},
	} {
		if k, _ := kindOf(c.schema); k.port != c.want {
			t.Errorf("%v is %q, want %q", c.schema, k.port, c.want)
		}
	}
}

type oneBatch struct {
	rec  arrow.Record
	read bool
}

func (o *oneBatch) Schema() *arrow.Schema { return o.rec.Schema() }
func (o *oneBatch) Close() error          { return nil }
func (o *oneBatch) Next(context.Context) (arrow.Record, error) {
	if o.read {
		return nil, io.EOF
	}
	o.read = true
	o.rec.Retain()
	return o.rec, nil
}

// A union has every column once; numbers of two types become float64, other
// mixtures text, and what a table lacks is null.
func TestUnion(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	first := schemaOf("n", arrow.PrimitiveTypes.Int64, "id", arrow.PrimitiveTypes.Int64, "only", arrow.FixedWidthTypes.Boolean)
	second := schemaOf("id", arrow.BinaryTypes.String, "n", arrow.PrimitiveTypes.Float64)
	a, b := array.NewRecordBuilder(mem, first), array.NewRecordBuilder(mem, second)
	defer a.Release()
	defer b.Release()
	a.Field(0).(*array.Int64Builder).AppendValues([]int64{1, 0}, []bool{true, false})
	a.Field(1).(*array.Int64Builder).AppendValues([]int64{7, 8}, nil)
	a.Field(2).(*array.BooleanBuilder).AppendValues([]bool{true, false}, nil)
	b.Field(0).(*array.StringBuilder).AppendValues([]string{"x"}, nil)
	b.Field(1).(*array.Float64Builder).AppendValues([]float64{2.5}, nil)
	recA, recB := a.NewRecord(), b.NewRecord()
	defer recA.Release()
	defer recB.Release()
	schema := unionSchema([]*arrow.Schema{first, second})
	whole, err := table.Concat(schema, []table.Reader{&projected{&oneBatch{rec: recA}, schema}, &projected{&oneBatch{rec: recB}, schema}})
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for {
		rec, err := whole.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range int(rec.NumRows()) {
			for c := range int(rec.NumCols()) {
				got += rec.Column(c).ValueStr(i) + " "
			}
			got += "| "
		}
		rec.Release()
	}
	if want := "1 7 true | (null) 8 false | 2.5 x (null) | "; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if err := whole.Close(); err != nil {
		t.Error(err)
	}
}

// The cells of a matrix are one table, in the order of the run; --only picks
// nodes, ports and cells.
func TestChosenArtifacts(t *testing.T) {
	row := func(task int, node, label, port string, index int) ledger.ArtifactRow {
		return ledger.ArtifactRow{Task: task, Node: node, Label: label, Port: port, Index: index}
	}
	d := ledger.RunDetail{Artifacts: []ledger.ArtifactRow{row(2, "dose", "dose[m=b]", "curve", 0), row(1, "dose", "dose[m=a]", "curve", 0), row(1, "dose", "dose[m=a]", "tests", 1), row(0, "data", "data", "rows", 0)}}
	for _, c := range []struct {
		only []string
		want string
	}{{nil, "data:1 dose:2 dose.tests:1 "}, {[]string{"dose.tests"}, "dose.tests:1 "}, {[]string{"dose[m=b]", "dose"}, "dose:2 dose.tests:1 "}} {
		groups, err := chosenArtifacts(d, c.only)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, g := range groups {
			got += sourceName(g[0]) + ":" + string(rune('0'+len(g))) + " "
		}
		if got != c.want {
			t.Errorf("%v: %s, want %s", c.only, got, c.want)
		}
	}
	for _, only := range []string{"dsoe", "dose.none", "dose[m=c]"} {
		if _, err := chosenArtifacts(d, []string{only}); err == nil {
			t.Errorf("%s is found", only)
		}
	}
}

// Runs that made reports are known wherever the workspace lies now; a user's
// own pipeline that is called alike is none of them.
func TestWithoutReports(t *testing.T) {
	const id = "20260102-030405-00af"
	runs := []ledger.RunRow{{ID: id, Pipeline: "study", File: "/old/study.toml"},
		{ID: "1", Pipeline: "report", File: "/old/ws/reports/" + id + "-ABC/report.toml"},
		{ID: "2", Pipeline: "report", File: "/old/reports/2025-summer/report.toml"},
		{ID: "3", Pipeline: "report", File: "report.toml"},
		{ID: "4", Pipeline: "study", File: "/old/ws/reports/" + id + "-ABC/report.toml"}}
	got := ""
	for _, r := range withoutReports(runs) {
		got += r.ID + " "
	}
	if got != id+" 2 3 4 " {
		t.Error(got)
	}
}

func TestFolderName(t *testing.T) {
	for name, want := range map[string]string{"kirk2025-trial": "kirk2025-trial", "../../etc": "etc", "a b/c": "a-b-c", "…": "pipeline"} {
		if got := folderName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestUnionKeepsOrder(t *testing.T) {
	text := arrow.BinaryTypes.String
	s := unionSchema([]*arrow.Schema{schemaOf("group", text, "estimate", text, "note", text), schemaOf("arm", text, "contrast", text, "estimate", text, "p", text), schemaOf("group", text, "week", text, "estimate", text)})
	var names []string
	for _, f := range s.Fields() {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "arm contrast group week estimate p note" {
		t.Error(got)
	}
}
