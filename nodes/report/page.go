package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/seed-4012077a/flow/sdk/native"
)

const paramsSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "title": {"type": "string", "default": "Steering study", "description": "the page's title"},
    "description": {"type": "string", "default": "", "description": "a paragraph under the title"},
    "method": {"type": "string", "x-flow": "text", "default": "", "description": "file with the method in words, instead of the built-in words; an empty line begins a paragraph"},
    "provenance": {"type": "object", "default": {}, "description": "names and values that say where the results come from, such as model and data set"},
    "quality": {"type": "string", "default": "", "description": "column of candidates: quality, upward; empty: the first that has a column z_NAME beside it, as select#pareto gives, or coherence_auc"},
    "effect": {"type": "string", "default": "", "description": "column of candidates: effect, to the right; empty: the second such column, or slope"},
    "outcome": {"type": "string", "default": "mean score", "description": "what a dose curve's mean is, for the axis"},
    "score": {"type": "string", "default": "score", "description": "column of replies: the score shown with each reply"},
    "scale": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2, "default": [1, 10], "description": "lowest and highest possible score; dose curves and scores that lie within it are drawn on the whole of it"},
    "max_prompts": {"type": "integer", "minimum": 1, "maximum": 200, "default": 12, "description": "prompts whose replies are shown"},
    "simulated": {"type": "boolean", "default": false, "description": "the page and every picture say that the data are simulated; they do so anyway where a table marks rows in a column simulated"},
    "undrawable": {"enum": ["error", "note"], "default": "error", "description": "a table that cannot be drawn: an error; or a note on the page and a row of undrawn, beside the pictures of the others"},
    "formats": {"type": "array", "minItems": 1, "items": {"enum": ["html", "svg", "png", "csv", "tex", "json"]}, "default": ["html", "svg", "png", "csv", "tex", "json"],
      "description": "which files are made: the page, pictures, tables for spreadsheets, tables for LaTeX, all numbers as JSON"}
  }
}`

type params struct {
	Title       string         `json:"title"`
	Description string         `json:"description"`
	Method      string         `json:"method"`
	Provenance  map[string]any `json:"provenance"`
	Quality     string         `json:"quality"`
	Effect      string         `json:"effect"`
	Outcome     string         `json:"outcome"`
	Score       string         `json:"score"`
	Scale       [2]float64     `json:"scale"`
	MaxPrompts  int            `json:"max_prompts"`
	Simulated   bool           `json:"simulated"`
	Undrawable  string         `json:"undrawable"`
	Formats     []string       `json:"formats"`

	level string // of the contrasts' intervals: "95% ", or ""
}

// undrawableNote is the value of undrawable that goes on without a picture.
const undrawableNote = "note"

// wants says whether files of a format are made.
func (p params) wants(format string) bool { return slices.Contains(p.Formats, format) }

func defaults() params {
	return params{Title: "Steering study", Outcome: "mean score", Score: defaultScore,
		Scale: [2]float64{1, 10}, MaxPrompts: 12,
		Formats: []string{"html", "svg", "png", "csv", "tex", "json"}}
}

// pickScore chooses the score of replies without a column score: the first
// metric of the dose curves that is a column of numbers.
func (p *params) pickScore(replies, dose *frame) {
	if p.Score != defaultScore || replies.rows() == 0 || replies.column(p.Score) != nil {
		return
	}
	for _, metric := range distinct(dose, "metric") {
		if cells := replies.column(metric); cells != nil {
			for i := range cells {
				if _, ok := number(cells, i); ok {
					p.Score = metric
					return
				}
			}
		}
	}
}

// pickMeasures chooses the columns of candidates that no parameter names:
// those that select#pareto standardised.
func (p *params) pickMeasures(columns []string) {
	var measures []string
	for _, name := range columns {
		if of, ok := strings.CutPrefix(name, "z_"); ok && slices.Contains(columns, of) && of != p.Quality && of != p.Effect {
			measures = append(measures, of)
		}
	}
	next := func(otherwise string) string {
		if len(measures) == 0 {
			return otherwise
		}
		first := measures[0]
		measures = measures[1:]
		return first
	}
	if p.Quality == "" {
		p.Quality = next("coherence_auc")
	}
	if p.Effect == "" {
		p.Effect = next("slope")
	}
}

// lacks finds a measure of candidates that is not among the columns.
func (p params) lacks(columns []string) (parameter, name string) {
	switch {
	case !slices.Contains(columns, p.Quality):
		return "quality", p.Quality
	case !slices.Contains(columns, p.Effect):
		return "effect", p.Effect
	}
	return "", ""
}

// defaultScore is the one score column that replies may lack.
const defaultScore = "score"

// onScale says whether a score lies within the scale.
func (p params) onScale(v float64) bool { return v >= p.Scale[0] && v <= p.Scale[1] }

var fileSchema = arrow.NewSchema([]arrow.Field{
	{Name: "path", Type: arrow.BinaryTypes.String},
	{Name: "media_type", Type: arrow.BinaryTypes.String},
	{Name: "data", Type: arrow.BinaryTypes.Binary},
}, nil)

func fileColumns() []native.Column {
	return []native.Column{
		{Name: "path", Type: "utf8", Doc: "relative, with slashes"},
		{Name: "media_type", Type: "utf8"},
		{Name: "data", Type: "binary"},
	}
}

var undrawnSchema = arrow.NewSchema([]arrow.Field{
	{Name: "input", Type: arrow.BinaryTypes.String},
	{Name: "source", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "reason", Type: arrow.BinaryTypes.String},
}, nil)

func undrawnColumns() []native.Column {
	return []native.Column{{Name: "input", Type: "utf8"}, {Name: "source", Type: "utf8", Doc: "the node that the table is from"}, {Name: "reason", Type: "utf8"}}
}

func bindPage(_ context.Context, b *native.Binding) error {
	p := defaults()
	if err := b.Decode(&p); err != nil {
		return err
	}
	if p.MaxPrompts < 1 {
		return native.ParamError("max_prompts", "must be at least 1")
	}
	if !(p.Scale[0] < p.Scale[1]) {
		return native.ParamError("scale", "must be the lowest and the highest score, such as [1, 10]")
	}
	if s := b.Input("replies"); s != nil && p.Score != defaultScore && s.FieldIndices(p.Score) == nil {
		return native.ColumnError("replies", p.Score, "is missing, and parameter score names it: the columns are %s", strings.Join(names(s), ", "))
	}
	if s := b.Input("dose"); s != nil && !slices.ContainsFunc(meanColumns(), s.HasField) {
		return native.ColumnError("dose", "mean", "is missing, and so are rate and win_rate: the columns are %s", strings.Join(names(s), ", "))
	}
	if s := b.Input("candidates"); s != nil {
		p.pickMeasures(names(s))
		if parameter, name := p.lacks(names(s)); name != "" && p.Undrawable != undrawableNote {
			return native.ColumnError("candidates", name, "is missing: say in parameter %s which column is meant; the columns are %s", parameter, strings.Join(names(s), ", "))
		}
	}
	connected := 0
	for _, port := range inputPorts() {
		if b.Connected(port.Name) {
			connected++
		}
	}
	if connected == 0 {
		var ports []string
		for _, port := range inputPorts() {
			ports = append(ports, port.Name)
		}
		return fmt.Errorf("no input is connected: connect at least one of %s", strings.Join(ports, ", "))
	}
	if s := b.Input("losses"); s != nil {
		if len(lossColumns(s)) == 0 {
			return native.ColumnError("losses", "loss", "is missing: no numeric column has loss in its name")
		}
		if s.FieldIndices("epoch") == nil && s.FieldIndices("step") == nil {
			return native.ColumnError("losses", "epoch", "is missing: there is neither epoch nor step to draw losses over")
		}
	}
	b.Output("files", fileSchema)
	b.Output("undrawn", undrawnSchema)
	return nil
}

// file is one row of the output.
type file struct {
	path, mediaType string
	data            []byte
}

func runPage(ctx context.Context, t *native.Task) error {
	p := defaults()
	if err := t.Decode(&p); err != nil {
		return err
	}
	frames := map[string]*frame{}
	for _, port := range inputPorts() {
		if !t.Connected(port.Name) {
			continue
		}
		f, err := readFrame(ctx, t, port.Name)
		if err != nil {
			return err
		}
		frames[port.Name] = f
	}
	if f := frames["candidates"]; f != nil {
		p.pickMeasures(f.names)
	}
	p.pickScore(frames["replies"], frames["dose"])
	for _, f := range frames {
		p.Simulated = p.Simulated || f.simulated()
	}
	files, undrawn, err := makeFiles(ctx, p, frames, t.Progress)
	if err != nil {
		return err
	}
	if err := writeUndrawn(t, undrawn); err != nil {
		return err
	}
	return writeFiles(t, files)
}

// makeFiles makes the page, the pictures, the tables and the numbers.
func makeFiles(ctx context.Context, p params, frames map[string]*frame, progress func(int64, int64, string)) ([]file, []undrawable, error) {
	drawings, undrawn, err := drawAll(p, frames)
	if err != nil {
		return nil, nil, err
	}
	var pictures []file
	figures := make([]figure, len(drawings))
	for i, d := range drawings {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		progress(int64(i), int64(len(drawings)), "drawing "+d.name)
		if figures[i], err = d.render(p.wants("png")); err != nil {
			return nil, nil, fmt.Errorf("picture %s: %w", d.name, err)
		}
		if p.wants("svg") {
			pictures = append(pictures, file{"figures/" + d.name + ".svg", "image/svg+xml", figures[i].svg})
		}
		if p.wants("png") {
			pictures = append(pictures, file{"figures/" + d.name + ".png", "image/png", figures[i].png})
		}
	}
	shown := exhibits(p, frames)
	tables, err := tablesOf(p, frames, shown)
	if err != nil {
		return nil, nil, err
	}
	var files []file
	if p.wants("html") {
		html, err := renderPage(p, frames, figures, shown, undrawn)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, file{"index.html", "text/html; charset=utf-8", html})
	}
	files = append(append(files, pictures...), tables...)
	if p.wants("json") {
		results, err := resultsJSON(p, frames)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, file{"results.json", "application/json", results})
	}
	return files, undrawn, nil
}

func writeUndrawn(t *native.Task, all []undrawable) error {
	b := array.NewRecordBuilder(memory.DefaultAllocator, undrawnSchema)
	defer b.Release()
	for _, u := range all {
		b.Field(0).(*array.StringBuilder).Append(u.input)
		if u.source == "" {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.StringBuilder).Append(u.source)
		}
		b.Field(2).(*array.StringBuilder).Append(u.why.Error())
	}
	rows := b.NewRecord()
	defer rows.Release()
	return t.Write("undrawn", rows)
}

func writeFiles(t *native.Task, files []file) error {
	b := array.NewRecordBuilder(memory.DefaultAllocator, fileSchema)
	defer b.Release()
	for _, f := range files {
		b.Field(0).(*array.StringBuilder).Append(f.path)
		b.Field(1).(*array.StringBuilder).Append(f.mediaType)
		b.Field(2).(*array.BinaryBuilder).Append(f.data)
	}
	rows := b.NewRecord()
	defer rows.Release()
	return t.Write("files", rows)
}
