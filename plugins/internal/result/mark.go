package result

import (
	"github.com/seed-4012077a/flow/plugins/internal/nullable"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/design"
)

// Mark carries the column that marks rows as simulated from an input to
// results of it, so that a table of results says so wherever it goes. Where
// the input has no such column, nor have the results.
type Mark struct {
	there bool // the input has the column
	seen  bool // a row is marked
}

// MarkOf is the mark of an input.
func MarkOf(in sdk.Schema) Mark {
	f, ok := in.Field(design.Simulated)
	return Mark{there: ok && (f.Type.IsString() || f.Type.IsNumber() || f.Type.Equal(sdk.Bool))}
}

// Fields is the mark's column, to stand after a result's other columns.
func (m *Mark) Fields() []sdk.Field {
	if !m.there {
		return nil
	}
	return nullable.Texts(design.Simulated)
}

// See looks for marked rows: a text other than the empty one, a number other
// than 0, or true.
func (m *Mark) See(in *sdk.Batch) {
	if !m.there || m.seen {
		return
	}
	c := in.Col(design.Simulated)
	for i := 0; i < c.Len() && !m.seen; i++ {
		switch {
		case c.IsNull(i):
		case c.Type().IsString():
			m.seen = c.Str(i) != ""
		case c.Type().Equal(sdk.Bool):
			m.seen = c.Bool(i)
		default:
			m.seen = c.Float(i) != 0
		}
	}
}

// Put writes the mark's column of one row.
func (m *Mark) Put(rows *sdk.Rows) {
	if !m.there {
		return
	}
	text := ""
	if m.seen {
		text = design.Simulated
	}
	nullable.Text(rows.Col(design.Simulated), text)
}
