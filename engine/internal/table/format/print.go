package format

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"golang.org/x/text/width"

	"github.com/seed-4012077a/flow/engine/internal/table"
	"github.com/seed-4012077a/flow/engine/internal/table/jsonl"
)

// PrintOptions say how rows are printed.
type PrintOptions struct {
	Format string // "table", "jsonl" or "csv"
	Rows   int64  // at most; negative: all
	Width  int    // of a table, in terminal cells; 0: no limit
}

// longestCell is the widest a table's column gets where the width is not
// limited.
const longestCell = 120

// Print writes rows of r. A table's rows are held in memory: bound them.
func Print(ctx context.Context, w io.Writer, r table.Reader, opts PrintOptions) error {
	if opts.Rows >= 0 {
		r = table.Head(r, opts.Rows)
	}
	switch opts.Format {
	case "table":
		return printTable(ctx, w, r, opts.Width)
	case "jsonl", "csv":
		enc, err := NewEncoder(w, "", Format(opts.Format), r.Schema(), Options{})
		if err != nil {
			return err
		}
		if _, err := table.Copy(ctx, enc, r); err != nil {
			return err
		}
		return enc.Close()
	}
	return fmt.Errorf("unknown format %q: table, jsonl or csv", opts.Format)
}

func printTable(ctx context.Context, w io.Writer, r table.Reader, limit int) error {
	fields := r.Schema().Fields()
	grid := [][]string{make([]string, len(fields))}
	right := make([]bool, len(fields))
	for i, f := range fields {
		grid[0][i] = oneLine(f.Name)
		right[i] = arrow.IsInteger(f.Type.ID()) || arrow.IsFloating(f.Type.ID())
	}
	for {
		rec, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for i := range int(rec.NumRows()) {
			row := make([]string, len(fields))
			for k, c := range rec.Columns() {
				row[k] = cellText(c, i)
			}
			grid = append(grid, row)
		}
		rec.Release()
	}
	l := arrange(grid, right, limit)
	var b strings.Builder
	for n, row := range grid {
		for place, k := range l.shown {
			if place > 0 {
				b.WriteString("  ")
			}
			cell := cut(row[k], l.widths[k])
			pad := strings.Repeat(" ", l.widths[k]-cells(cell))
			switch {
			case right[k]:
				b.WriteString(pad + cell)
			case place == len(l.shown)-1:
				b.WriteString(cell)
			default:
				b.WriteString(cell + pad)
			}
		}
		b.WriteByte('\n')
		if n == 0 {
			for place, k := range l.shown {
				if place > 0 {
					b.WriteString("  ")
				}
				b.WriteString(strings.Repeat("─", l.widths[k]))
			}
			b.WriteByte('\n')
		}
	}
	if len(l.shown) < len(fields) {
		b.WriteByte('\n')
		b.WriteString(l.hidden(grid[0], limit))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cellText is a value as a table shows it: texts as they are, numbers to six
// digits, others as JSON.
func cellText(arr arrow.Array, i int) string {
	if arr.IsNull(i) || arr.DataType().ID() == arrow.NULL {
		return "·"
	}
	switch a := arr.(type) {
	case *array.String:
		return oneLine(a.Value(i))
	case *array.LargeString:
		return oneLine(a.Value(i))
	case *array.Float64:
		return strconv.FormatFloat(a.Value(i), 'g', 6, 64)
	case *array.Float32:
		return strconv.FormatFloat(float64(a.Value(i)), 'g', 6, 32)
	case *array.Dictionary:
		return cellText(a.Dictionary(), a.GetValueIndex(i))
	}
	return oneLine(strings.Trim(string(jsonl.AppendValue(nil, arr, i)), `"`))
}

// oneLine replaces what would break the line or command the terminal.
func oneLine(s string) string {
	if len(s) > 4*longestCell*utf8.UTFMax {
		s = s[:4*longestCell*utf8.UTFMax]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return '⏎'
		case r == utf8.RuneError || r < 0x20 || (r >= 0x7f && r < 0xa0) || (r >= 0x200b && r <= 0x200f) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069):
			return ' '
		}
		return r
	}, s)
}

// cells is how many terminal cells a text takes.
func cells(s string) (n int) {
	for _, r := range s {
		n += runeCells(r)
	}
	return n
}

func runeCells(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

func cut(s string, limit int) string {
	if cells(s) <= limit {
		return s
	}
	n := 0
	for i, r := range s {
		if n += runeCells(r); n > limit-1 {
			return s[:i] + "…"
		}
	}
	return s
}
