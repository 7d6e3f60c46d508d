package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/engine/internal/cache"
	"github.com/seed-4012077a/flow/engine/internal/ledger"
	"github.com/seed-4012077a/flow/engine/internal/pipeline"
	"github.com/seed-4012077a/flow/engine/internal/table"
)

// reportTable is a table of a run that a report shows.
type reportTable struct {
	kind   reportKind
	source string
	rows   int64
	*Table
	opened table.Reader // nil once it was handed on
}

func (t *reportTable) close() {
	if t.opened != nil {
		_ = t.opened.Close() // it was only read
		t.opened = nil
	}
}

// reportTables opens the run's tables that a report can show, in the order of
// its tasks, and notes in rep which they are.
func (e *Engine) reportTables(ctx context.Context, d ledger.RunDetail, only []string, rep *Report) (tables []*reportTable, err error) {
	defer func() {
		if err != nil {
			for _, t := range tables {
				t.close()
			}
			tables = nil
		}
	}()
	chosen, err := chosenArtifacts(d, only)
	if err != nil {
		return nil, err
	}
	store, err := e.store()
	if err != nil {
		return nil, err
	}
	if rep.Simulated, err = madeUp(ctx, d, store); err != nil {
		return nil, err
	}
	shown := map[string]bool{}
	for _, parts := range chosen {
		// A node that hands a table on as it is would show it twice.
		content := outputsOf(parts)
		if shown[content] {
			continue
		}
		shown[content] = true
		t := &reportTable{source: sourceName(parts[0]), Table: &Table{Name: sourceName(parts[0]), Run: d.ID, store: store, parts: parts}}
		for _, p := range parts {
			t.rows += p.Rows
		}
		first, err := t.open(0)
		if err != nil {
			rep.LeftOut = append(rep.LeftOut, fmt.Sprintf("%s: %v", t.source, err))
			continue
		}
		kind, known := kindOf(first.Schema())
		if err := first.Close(); err != nil {
			return tables, fmt.Errorf("%s: %w", t.source, err)
		}
		if !known || t.rows == 0 {
			continue
		}
		if t.rows > maxReportRows {
			rep.LeftOut = append(rep.LeftOut, fmt.Sprintf("%s: it has %d rows, and a report takes %d", t.source, t.rows, maxReportRows))
			continue
		}
		t.kind = kind
		if t.opened, err = t.reader(); err != nil {
			rep.LeftOut = append(rep.LeftOut, err.Error())
			continue
		}
		if kind.last {
			tables = slices.DeleteFunc(tables, func(old *reportTable) bool {
				if old.kind.port == kind.port {
					old.close()
				}
				return old.kind.port == kind.port
			})
		}
		tables = append(tables, t)
	}
	for _, t := range tables {
		rep.Tables = append(rep.Tables, ReportedTable{Source: t.source, Kind: t.kind.port, Rows: t.rows})
	}
	return tables, nil
}

// chosenArtifacts groups a run's artifacts by node and port, the cells of a
// matrix together, in the order of the run's tasks.
func chosenArtifacts(d ledger.RunDetail, only []string) ([][]ledger.ArtifactRow, error) {
	keep := d.Artifacts
	if len(only) > 0 {
		keep = nil
		var nodes []string
		for _, a := range d.Artifacts {
			nodes = append(nodes, a.Node)
		}
		slices.Sort(nodes)
		nodes = slices.Compact(nodes)
		for _, name := range only {
			w := parseWanted(name)
			if !slices.Contains(nodes, w.node) {
				next := "its nodes with outputs are " + strings.Join(nodes, ", ")
				if near := pipeline.Nearest(w.node, nodes); near != "" {
					next = fmt.Sprintf("did you mean %q?", near)
				}
				return nil, fmt.Errorf("run %s has no output of %q; %s", d.ID, w.node, next)
			}
			found := false
			for _, a := range d.Artifacts {
				if a.Node == w.node && (w.cell == "" || a.Label == w.cell) && (w.port == "" || a.Port == w.port) {
					keep, found = append(keep, a), true
				}
			}
			if !found {
				if _, err := w.match(d.Artifacts); err != nil {
					return nil, err
				}
			}
		}
	}
	slices.SortStableFunc(keep, func(a, b ledger.ArtifactRow) int { return a.Task - b.Task })
	var groups [][]ledger.ArtifactRow
	for _, a := range keep {
		at := slices.IndexFunc(groups, func(g []ledger.ArtifactRow) bool { return g[0].Node == a.Node && g[0].Port == a.Port })
		switch {
		case at < 0:
			groups = append(groups, []ledger.ArtifactRow{a})
		case !slices.ContainsFunc(groups[at], func(o ledger.ArtifactRow) bool { return o.Label == a.Label }):
			groups[at] = append(groups[at], a)
		}
	}
	return groups, nil
}

// outputsOf names the content of a table's parts.
func outputsOf(parts []ledger.ArtifactRow) string {
	ids := make([]string, len(parts))
	for i, p := range parts {
		ids[i] = p.Output
	}
	return strings.Join(ids, " ")
}

func sourceName(a ledger.ArtifactRow) string {
	if a.Index == 0 {
		return a.Node
	}
	return a.Node + "." + a.Port
}

// madeUp reports whether any table of a run, shown or not, says that its data
// are simulated: what was computed from it need not say so any more. One that
// has the column and is not kept any more counts as saying it.
func madeUp(ctx context.Context, d ledger.RunDetail, store *cache.Store) (bool, error) {
	for _, a := range d.Artifacts {
		if a.Rows == 0 || !strings.Contains(a.Schema, simulatedColumn) {
			continue
		}
		t := &Table{Name: sourceName(a), Run: d.ID, store: store, parts: []ledger.ArtifactRow{a}}
		r, err := t.open(0)
		if err != nil {
			return true, nil
		}
		marked, err := markedSimulated(ctx, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return false, fmt.Errorf("%s: %w", t.Name, err)
		}
		if marked {
			return true, nil
		}
	}
	return false, nil
}

// simulatedColumn marks rows that were made up.
const simulatedColumn = "simulated"

// markedSimulated reports whether the first row says in a column simulated
// that the data were made up.
func markedSimulated(ctx context.Context, r partReader) (bool, error) {
	at := r.Schema().FieldIndices(simulatedColumn)
	if len(at) == 0 {
		return false, nil
	}
	for {
		rec, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if rec.NumRows() == 0 {
			rec.Release()
			continue
		}
		c := rec.Column(at[0])
		marked := c.IsValid(0) && !slices.Contains([]string{"", "false", "0", "no"}, c.ValueStr(0))
		rec.Release()
		return marked, nil
	}
}
