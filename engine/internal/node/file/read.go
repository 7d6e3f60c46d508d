package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/seed-4012077a/flow/engine/internal/node"
	"github.com/seed-4012077a/flow/engine/internal/operator"
	"github.com/seed-4012077a/flow/engine/internal/table"
	"github.com/seed-4012077a/flow/engine/internal/table/format"
)

const readSchema = `{
  "type": "object",
  "required": ["path"],
  "additionalProperties": false,
  "properties": {
    "path": {"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1, "x-flow": "path",
      "description": "The file, a list of files, or a folder whose files match are read in the order of their names."},
    "match": {"type": "string", "default": "*", "description": "Which files of a folder are read, as \"*.jsonl\". Sub-folders are not entered."},
    "file_column": {"type": "string", "default": "", "description": "A column to add in front: the name of the file that a row is from, without its folder. Empty: none."},
    "format": {"enum": ["auto", "jsonl", "csv", "parquet", "arrow", "text", "toml"], "default": "auto", "description": "The files' format; auto goes by their names. text gives the lines that are not blank (columns line and text), toml the tables of a file's one array of tables."},
    "columns": {"type": "object", "additionalProperties": {"type": "string"}, "default": {},
      "description": "Types of columns by name, as {score = \"float64\"}; those of the others are inferred. JSONL and CSV only."},
    "infer_rows": {"type": "integer", "minimum": 0, "default": 0,
      "description": "How many rows of each file the types are inferred from; 0 means all within the first 64 MiB."},
    "on_bad_row": {"enum": ["stop", "keep"], "default": "stop",
      "description": "What to do with a row that cannot be read: stop with its place, or keep it apart on the output bad and go on."},
    "delimiter": {"type": "string", "minLength": 1, "maxLength": 1, "default": ",", "description": "What separates a CSV file's fields. A .tsv file's are separated by tabs."},
    "nulls": {"type": "array", "items": {"type": "string"}, "default": [""], "description": "The texts that stand for a missing value in a CSV file, as [\"\", \"NA\"]."}
  }
}`

type readParams struct {
	Path       json.RawMessage   `json:"path"` // a string or a list of them
	Match      string            `json:"match"`
	FileColumn string            `json:"file_column"`
	Format     string            `json:"format"`
	Columns    map[string]string `json:"columns"`
	InferRows  int64             `json:"infer_rows"`
	OnBadRow   string            `json:"on_bad_row"`
	Delimiter  string            `json:"delimiter"`
	Nulls      []string          `json:"nulls"`
}

var badSchema = arrow.NewSchema([]arrow.Field{
	{Name: "file", Type: arrow.BinaryTypes.String},
	{Name: "line", Type: arrow.PrimitiveTypes.Int64},
	{Name: "error", Type: arrow.BinaryTypes.String},
	{Name: "text", Type: arrow.BinaryTypes.String},
}, nil)

// read is the operator read.
type read struct{}

// Spec implements node.Operator.
func (read) Spec() operator.Spec {
	return operator.Spec{
		Name: "read", Kind: operator.Source,
		Doc: "Reads JSON Lines, CSV, Parquet, Arrow, text or TOML files as one table. Files named .gz and .zst are unpacked on the way.",
		Outputs: []operator.Port{
			{Name: "rows", Doc: "The files' rows."},
			{Name: "bad", Doc: "Rows that could not be read, with on_bad_row = \"keep\".", Columns: []operator.Column{
				{Name: "file", Type: "utf8", Doc: "The file's name."},
				{Name: "line", Type: "int64", Doc: "The line where the row begins, from 1."},
				{Name: "error", Type: "utf8", Doc: "What is wrong."},
				{Name: "text", Type: "utf8", Doc: "The row as it stands, cut at 4 KiB."},
			}},
		},
		Params: json.RawMessage(readSchema),
	}
}

// Bind implements node.Operator. It reads as much of the files as their
// columns need.
func (read) Bind(ctx context.Context, b node.Binding) ([]*arrow.Schema, error) {
	in, _, err := readInput(b)
	if err != nil {
		return nil, err
	}
	schema, err := in.Schema(ctx)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return []*arrow.Schema{schema, badSchema}, nil
}

// BindFiles returns the files whose content decides the columns.
func (read) BindFiles(params json.RawMessage) ([]string, error) {
	in, _, err := readInput(node.Binding{Params: params})
	return in.Files, err
}

func readInput(b node.Binding) (in format.Input, p readParams, err error) {
	p = readParams{Match: "*", Format: "auto", OnBadRow: "stop", Nulls: []string{""}}
	if err := decode("read", b.Params, &p); err != nil {
		return in, p, err
	}
	if in.Files, err = p.files(); err != nil {
		return in, p, fmt.Errorf("read: %w", err)
	}
	if p.Format != "auto" {
		if in.Format, err = format.Parse(p.Format); err != nil {
			return in, p, fmt.Errorf("read: parameter format: %w", err)
		}
	}
	in.Columns = map[string]arrow.DataType{}
	for name, expr := range p.Columns {
		if in.Columns[name], err = exactType(expr); err != nil {
			return in, p, fmt.Errorf("read: parameter columns: %q: %w", name, err)
		}
	}
	in.FileColumn = p.FileColumn
	in.InferRows, in.KeepBad = p.InferRows, p.OnBadRow == "keep"
	in.Options.CSV.Nulls = p.Nulls
	in.Options.CSV.Comma, err = delimiter(p.Delimiter)
	return in, p, err
}

// delimiter gives 0, which means by the file's name, for a comma.
func delimiter(s string) (rune, error) {
	c, n := utf8.DecodeRuneInString(s)
	switch {
	case s == "" || s == ",":
		return 0, nil
	case n != len(s) || c == utf8.RuneError || c == '"' || c == '\n' || c == '\r':
		return 0, fmt.Errorf("parameter delimiter: %q cannot separate fields: use one character, as \";\" or \"\\t\"", s)
	}
	return c, nil
}

// files returns the files that path and match stand for.
func (p readParams) files() ([]string, error) {
	var one string
	var list []string
	if json.Unmarshal(p.Path, &one) == nil {
		list = []string{one}
	} else if err := json.Unmarshal(p.Path, &list); err != nil {
		return nil, errors.New("parameter path: a file's name or a list of them is expected")
	}
	if _, err := filepath.Match(p.Match, ""); err != nil {
		return nil, fmt.Errorf("parameter match: %q is not a pattern: %w", p.Match, err)
	}
	var out []string
	for _, path := range list {
		entries, err := readFolder(path)
		if err != nil {
			return nil, err
		}
		if entries == nil {
			out = append(out, path)
			continue
		}
		from := len(out)
		for _, name := range entries {
			if ok, _ := filepath.Match(p.Match, name); ok && name[0] != '.' {
				out = append(out, filepath.Join(path, name))
			}
		}
		if len(out) == from {
			return nil, fmt.Errorf("no file in %s matches %q", path, p.Match)
		}
	}
	return out, nil
}

// readFolder returns the names of a folder's files, nil where path is not a
// folder.
func readFolder(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return nil, err
	}
	list, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, d := range list {
		if !d.IsDir() {
			names = append(names, d.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Run implements node.Operator.
func (read) Run(ctx context.Context, b node.Binding, job node.Job) error {
	in, p, err := readInput(b)
	if err != nil {
		return err
	}
	var bad *badRows
	var onBad func(string, table.BadRow) error
	if p.OnBadRow == "keep" {
		bad = &badRows{ctx: ctx, w: job.Outputs[1], b: array.NewRecordBuilder(memory.DefaultAllocator, badSchema)}
		defer bad.b.Release()
		onBad = bad.add
	}
	r, err := in.Open(job.Outputs[0].Schema(), onBad)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	_, err = table.Copy(ctx, job.Outputs[0], r)
	if err = errors.Join(err, r.Close()); err != nil {
		var row *table.BadRowError
		if errors.As(err, &row) && bad == nil {
			return fmt.Errorf("%w; mend the row, or keep such rows apart with on_bad_row = \"keep\"", err)
		}
		return err
	}
	if bad == nil {
		return nil
	}
	if bad.n > 0 {
		fmt.Fprintf(job.Log, "%d bad rows were kept apart on the output bad; the first: %s\n", bad.n, bad.first)
	}
	return bad.flush()
}

// badRows collects bad rows and writes them in batches.
type badRows struct {
	ctx   context.Context
	w     table.Writer
	b     *array.RecordBuilder
	n     int64
	first string
}

func (r *badRows) add(path string, row table.BadRow) error {
	name := filepath.Base(path) // where the file lay is not part of the result
	if r.n == 0 {
		r.first = fmt.Sprintf("%s:%d: %s", name, row.Line, row.Err)
	}
	r.n++
	r.b.Field(0).(*array.StringBuilder).Append(name)
	r.b.Field(1).(*array.Int64Builder).Append(row.Line)
	r.b.Field(2).(*array.StringBuilder).Append(row.Err)
	r.b.Field(3).(*array.StringBuilder).Append(row.Text)
	if r.b.Field(0).Len() >= 1024 {
		return r.flush()
	}
	return nil
}

func (r *badRows) flush() error {
	rec := r.b.NewRecord()
	defer rec.Release()
	return r.w.Write(r.ctx, rec)
}
