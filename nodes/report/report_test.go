package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/seed-4012077a/flow/sdk/native/nativetest"
)

var keep = flag.String("keep", "", "folder for the files that TestPage makes, to look at")

func field(name string, t arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: t, Nullable: true}
}

var (
	integer = arrow.PrimitiveTypes.Int64
	float   = arrow.PrimitiveTypes.Float64
	utf8    = arrow.BinaryTypes.String
	boolean = arrow.FixedWidthTypes.Boolean
)

// table makes a table of rows of Go values.
func table(fields []arrow.Field, rows ...[]any) arrow.Table {
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for _, row := range rows {
		for i, v := range row {
			switch v := v.(type) {
			case nil:
				b.Field(i).AppendNull()
			case int:
				b.Field(i).(*array.Int64Builder).Append(int64(v))
			case float64:
				b.Field(i).(*array.Float64Builder).Append(v)
			case string:
				b.Field(i).(*array.StringBuilder).Append(v)
			case bool:
				b.Field(i).(*array.BooleanBuilder).Append(v)
			}
		}
	}
	return array.NewTableFromRecords(schema, []arrow.Record{b.NewRecord()})
}

const hostile = `<script>alert("x")</script>`

// study is a small study with hostile names and replies in it.
func study() map[string]arrow.Table {
	var dose, cands, losses, replies [][]any
	for m, metric := range []string{"relationship seeking", "coherence", "humour " + hostile} {
		for i, l := range []float64{-1.5, -1, -0.5, 0, 0.5, 1, 1.5} {
			y := 50 + 20*math.Tanh(l)*float64(1-m) - 3*l*l
			dose = append(dose, []any{metric, l, 40, y, 9.0, y - 3 - float64(i%2), y + 3})
		}
	}
	dose = append(dose, []any{"coherence", nil, 1, 1.0, nil, nil, nil}, []any{"coherence", 2.0, 1, math.NaN(), nil, nil, nil})
	for _, layer := range []int{2, 3, 4} {
		for epoch := range 6 {
			q, e := 300-8*float64(epoch*epoch)-20*math.Abs(float64(layer)-3), 0.05*float64(epoch)+0.02*float64(layer)
			winner := layer == 3 && epoch == 4
			cands = append(cands, []any{layer, epoch, q, e, winner || (layer == 3 && epoch > 1), winner})
			for _, split := range []string{"train", "test"} {
				loss := 0.69*math.Exp(-0.2*float64(epoch)*float64(layer)/3) + 0.02*float64(len(split)-4)
				losses = append(losses, []any{layer, epoch, split, loss})
			}
		}
	}
	for p := range 4 {
		for _, l := range []float64{1, -1, 0} {
			text := fmt.Sprintf("At λ %g I would say that prompt %d deserves an answer.\n\nSecond paragraph. %s", l, p, hostile)
			replies = append(replies, []any{fmt.Sprint("p", p), l, "What should I do about " + hostile + "?", text, 60 + 10*l})
		}
	}
	replies = append(replies, []any{"p0", 1.0, nil, "a second reply", nil}, []any{"p4", 0.0, "only one", "alone", 1.0})
	return map[string]arrow.Table{
		"dose": table([]arrow.Field{field("metric", utf8), field("lambda", float), field("n", integer), field("mean", float),
			field("sd", float), field("ci_low", float), field("ci_high", float)}, dose...),
		"candidates": table([]arrow.Field{field("layer", integer), field("epoch", integer), field("coherence_auc", float),
			field("slope", float), field("pareto", boolean), field("winner", boolean)}, cands...),
		"losses":  table([]arrow.Field{field("layer", integer), field("epoch", integer), field("split", utf8), field("loss", float)}, losses...),
		"replies": table([]arrow.Field{field("prompt_id", utf8), field("lambda", float), field("prompt", utf8), field("reply", utf8), field("score", float)}, replies...),
		"tests": table([]arrow.Field{field("test", utf8), field("estimate", float), field("p_value", float)},
			[]any{"slope", 12.3456789, 0.00001234}, []any{"contrast " + hostile, -3.0, nil}),
		"summary": table([]arrow.Field{field("result", utf8), field("value", float)}, []any{"accuracy", 0.93}),
	}
}

func run(t testing.TB, params string, inputs map[string]arrow.Table) (map[string][]byte, error) {
	t.Helper()
	r, err := nativetest.Run(t.Context(), reportNode(), nativetest.Call{Operator: "page", Params: params, Inputs: inputs, Dir: t.TempDir()})
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	out := r.Outputs["files"]
	for i := range int(out.NumRows()) {
		path := out.Column(0).Data().Chunk(0).(*array.String).Value(i)
		files[path] = bytes.Clone(out.Column(2).Data().Chunk(0).(*array.Binary).Value(i))
	}
	return files, nil
}

func TestPage(t *testing.T) {
	files, err := run(t, `{"title":"Study <b>one</b>","description":"A small study.","method":"First paragraph.\n\nSecond.",
		"provenance":{"model":"small","seed":42,"layers":[2,3]}}`, study())
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range files {
		if *keep != "" {
			at := filepath.Join(*keep, path)
			if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		switch filepath.Ext(path) {
		case ".png":
			img, err := png.Decode(bytes.NewReader(data))
			if err != nil || img.Bounds().Dx() < 900 {
				t.Errorf("%s: %v", path, err)
			}
		case ".svg":
			wellFormed(t, path, data)
		}
	}
	for _, want := range []string{"index.html", "results.json", "figures/dose-relationship-seeking.svg", "figures/dose-coherence.png",
		"figures/pareto.svg", "figures/training-loss.png"} {
		if files[want] == nil {
			t.Errorf("no %s", want)
		}
	}
	html := string(files["index.html"])
	for _, want := range []string{"Study &lt;b&gt;one&lt;/b&gt;", "layer 3, epoch 4", "&lt;script&gt;alert", "λ = −1", "no reply", "<summary>More samples (1)</summary>", "a second reply",
		"12.35", "&lt;0.001", "<td>42</td>", "<td>[2,3]</td>", "<p>Second.</p>", `<div class="score"><span class="digits">70.0</span><span class="bar"><span style="width: 100%">`, "6 more rows"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	var results struct {
		Tables map[string][]map[string]any
	}
	if err := json.Unmarshal(files["results.json"], &results); err != nil {
		t.Fatal(err)
	}
	if got := results.Tables["dose"]; len(got) != 23 || got[22]["mean"] != nil || got[0]["lambda"] != -1.5 {
		t.Errorf("results.json: %d rows of dose, last %v", len(got), got[len(got)-1])
	}
}

// Nothing that a table says acts on the page, and nothing comes from outside.
func TestPageIsInertAndSelfContained(t *testing.T) {
	files, err := run(t, "{}", study())
	if err != nil {
		t.Fatal(err)
	}
	html := string(files["index.html"])
	if strings.Contains(html, "<script") || strings.Contains(html, "<b>") {
		t.Error("a table's markup is in the page")
	}
	if m := regexp.MustCompile(`(?i)(src|href)\s*=\s*"[^d][^"]*"|url\(|@import`).FindString(html); m != "" {
		t.Errorf("the page points outside: %s", m)
	}
	for path, data := range files {
		if strings.HasSuffix(path, ".svg") && bytes.Contains(data, []byte("<script")) {
			t.Errorf("%s holds a table's markup", path)
		}
	}
}

func wellFormed(t *testing.T, path string, data []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
	}
}

func TestSameInputsGiveTheSameBytes(t *testing.T) {
	a, err := run(t, "{}", study())
	if err != nil {
		t.Fatal(err)
	}
	b, err := run(t, "{}", study())
	if err != nil {
		t.Fatal(err)
	}
	for path := range a {
		if !bytes.Equal(a[path], b[path]) {
			t.Errorf("%s differs", path)
		}
	}
}

func TestEachInputAlone(t *testing.T) {
	for port, in := range study() {
		files, err := run(t, "{}", map[string]arrow.Table{port: in})
		if err != nil || len(files["index.html"]) == 0 {
			t.Errorf("%s: %v", port, err)
		}
		empty := array.NewTableFromRecords(in.Schema(), nil)
		if files, err := run(t, "{}", map[string]arrow.Table{port: empty}); err != nil || len(files) != 3 {
			t.Errorf("%s, empty: %v, %d files", port, err, len(files))
		}
	}
}

func TestWrongInput(t *testing.T) {
	dose := []arrow.Field{field("lambda", float), field("mean", float)}
	for want, c := range map[string]struct {
		params string
		inputs map[string]arrow.Table
	}{
		"no input is connected":      {"{}", nil},
		"parameter max_prompts":      {`{"max_prompts":0}`, study()},
		"names it: the columns are":  {`{"score":"trait"}`, study()},
		"the lowest and the highest": {`{"scale":[10,1]}`, study()},
		"several rows at lambda 1":   {"{}", map[string]arrow.Table{"dose": table(dose, []any{1.0, 2.0}, []any{1.0, 3.0})}},
		"neither epoch nor step":     {"{}", map[string]arrow.Table{"losses": table([]arrow.Field{field("loss", float)})}},
		"no numeric column has los":  {"{}", map[string]arrow.Table{"losses": table([]arrow.Field{field("epoch", integer)})}},
	} {
		if _, err := run(t, c.params, c.inputs); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestNiceTicks(t *testing.T) {
	for want, c := range map[string][2]float64{
		"0 1 2 3 4 5":              {0, 5},
		"0.2 0.3 0.4 0.5 0.6":      {0.18, 0.69},
		"−1 0 1 2":                 {-1.2, 2.9},
		"100 150 200 250 300":      {80, 320},
		"0.00 0.02 0.04 0.06 0.08": {0, 0.099},
		"−20 −10 0 10 20 30":       {-25, 31},
		"5":                        {5, 5},
	} {
		var got []string
		for _, tick := range (niceTicks{}).Ticks(c[0], c[1]) {
			got = append(got, tick.Label)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v: %v, want %s", c, got, want)
		}
	}
}
