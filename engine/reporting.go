package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/seed-4012077a/flow/engine/internal/cache"
	"github.com/seed-4012077a/flow/engine/internal/ledger"
	"github.com/seed-4012077a/flow/engine/internal/node/file"
	"github.com/seed-4012077a/flow/engine/internal/pipeline"
	"github.com/seed-4012077a/flow/engine/internal/table"
	"github.com/seed-4012077a/flow/engine/internal/table/format"
)

// ReportOptions say what a report shows and where it goes.
type ReportOptions struct {
	// Run is a run's name or a part of it, a pipeline's name or its file (its
	// latest run), or "" or "last" for the latest run.
	Run string
	// Only are nodes, perhaps with a port and a cell; the tables of no others
	// are shown. Empty: those of all.
	Only []string
	// Dir is the folder that the files go to; "": out/report/PIPELINE.
	Dir string
	// Title is the page's; "": the pipeline's name.
	Title string
	// Sets are further parameters of report#page, such as "scale=[0, 100]".
	Sets     []string
	Observer Observer // may be nil
}

// Report is a report that was written.
type Report struct {
	Run       string          `json:"run"`
	Pipeline  string          `json:"pipeline"`
	Dir       string          `json:"dir"`
	Simulated bool            `json:"simulated"`
	Tables    []ReportedTable `json:"tables"`
	LeftOut   []string        `json:"left_out,omitempty"` // tables that are too long or not kept any more: "node: why"
	Undrawn   []string        `json:"undrawn,omitempty"`  // tables that are shown without a picture, as they cannot be drawn: "node: why"
	Files     []ReportedFile  `json:"files"`
}

// ReportedTable is a table that the report shows.
type ReportedTable struct {
	Source string `json:"source"` // node, or node.port where it is not the main one
	Kind   string `json:"kind"`   // input port of report#page
	Rows   int64  `json:"rows"`
}

// ReportedFile is a file of the report.
type ReportedFile struct {
	Path      string `json:"path"` // below the report's folder
	MediaType string `json:"media_type"`
	Bytes     int64  `json:"bytes"`
	Changed   bool   `json:"changed"` // it was written; else it was there with the same content
}

// maxReportRows is how long a table a report takes: its page and pictures are
// made in memory.
const maxReportRows = 200_000

// fromNode is the column that says which node a row is from: it tells the
// tables of several nodes apart that come through one port of report#page.
const fromNode = "from_node"

// Report writes a run's results as a page with pictures and tables. It finds
// the run's tables by their columns, hands them to report#page in a pipeline
// of its own, and runs that in the workspace, so that what was drawn once is
// kept.
func (e *Engine) Report(ctx context.Context, o ReportOptions) (*Report, error) {
	d, err := e.reportedRun(ctx, o.Run)
	if err != nil {
		return nil, err
	}
	rep := &Report{Run: d.ID, Pipeline: d.Pipeline, Dir: o.Dir}
	if rep.Dir == "" {
		rep.Dir = filepath.Join("out", "report", folderName(d.Pipeline))
	}
	tables, err := e.reportTables(ctx, d, o.Only, rep)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, t := range tables {
			t.close()
		}
	}()
	if len(tables) == 0 {
		return nil, nothingToShow(d, o.Only, rep)
	}
	reports, err := e.folder(reportsFolder)
	if err != nil {
		return nil, err
	}
	inputs, err := holdNew(filepath.Join(reports, d.ID))
	if err != nil {
		return nil, cache.Explain(fmt.Errorf("the report's inputs: %w", err))
	}
	defer inputs.remove()
	if err := writeReportPipeline(ctx, inputs.path, d, tables, o, rep.Simulated); err != nil {
		return nil, err
	}
	return rep, e.runReport(ctx, inputs.path, o, rep)
}

// reportedRun finds the run that a report is about. Runs that made reports are
// not meant by "the latest".
func (e *Engine) reportedRun(ctx context.Context, name string) (ledger.RunDetail, error) {
	l, err := e.history()
	if err != nil {
		return ledger.RunDetail{}, err
	}
	runs, err := l.Runs(ctx, 0)
	if err != nil {
		return ledger.RunDetail{}, err
	}
	runs = withoutReports(runs)
	if len(runs) == 0 {
		return ledger.RunDetail{}, errors.New("nothing has run in this workspace yet: `flow run` first, or name another with --workspace")
	}
	if name == "" || name == "last" {
		return l.Run(ctx, runs[0].ID)
	}
	called := name
	if decl, err := pipeline.Load(name, pipeline.Options{}); decl != nil {
		called = decl.Name // what else may be wrong with the file is not asked here
	} else if strings.HasSuffix(name, ".toml") {
		return ledger.RunDetail{}, asPipelineError(err)
	}
	var names []string
	for _, r := range runs {
		if r.Pipeline == called {
			return l.Run(ctx, r.ID)
		}
		if !slices.Contains(names, r.Pipeline) {
			names = append(names, r.Pipeline)
		}
	}
	if called != name || strings.HasSuffix(name, ".toml") {
		return ledger.RunDetail{}, fmt.Errorf("pipeline %q (%s) has not run in this workspace: `flow run %s` first; those that have are %s", called, name, name, strings.Join(names, ", "))
	}
	d, err := l.Run(ctx, name)
	if err != nil {
		if near := pipeline.Nearest(name, names); near != "" {
			return d, fmt.Errorf("%w; did you mean the pipeline %q?", err, near)
		}
		return d, fmt.Errorf("%w; or name a pipeline: %s", err, strings.Join(names, ", "))
	}
	return d, nil
}

// withoutReports leaves out the runs that made reports. Their files are told by
// what Report calls them, below the workspace: where that lies is not asked, as
// it may have been moved since.
func withoutReports(runs []ledger.RunRow) []ledger.RunRow {
	ids := map[string]bool{}
	for _, r := range runs {
		ids[r.ID] = true
	}
	return slices.DeleteFunc(runs, func(r ledger.RunRow) bool {
		dir, name := filepath.Split(r.File)
		of := filepath.Base(dir)
		at := strings.LastIndexByte(of, '-')
		return r.Pipeline == reportName && name == reportFile && filepath.Base(filepath.Dir(filepath.Clean(dir))) == reportsFolder &&
			at > 0 && ids[of[:at]]
	})
}

func nothingToShow(d ledger.RunDetail, only []string, rep *Report) error {
	if len(rep.LeftOut) > 0 {
		return fmt.Errorf("run %s of %q has no table that a report can show: %s", d.ID, d.Pipeline, strings.Join(rep.LeftOut, "; "))
	}
	of := "it"
	if len(only) > 0 {
		of = strings.Join(only, ", ")
	}
	var kinds []string
	for _, k := range reportKinds() {
		if !slices.Contains(kinds, k.port) {
			kinds = append(kinds, k.port)
		}
	}
	return fmt.Errorf("run %s of pipeline %q has nothing that a report can show: no table of %s has the columns of one of %s; `flow plugin describe report` lists them", d.ID, d.Pipeline, of, strings.Join(kinds, ", "))
}

// writeReportPipeline writes the tables of each kind as one Arrow file, and
// the pipeline that reads them, below dir.
func writeReportPipeline(ctx context.Context, dir string, d ledger.RunDetail, tables []*reportTable, o ReportOptions, simulated bool) error {
	inputs := map[string]any{}
	nodes := map[string]any{}
	var sources []string
	for _, t := range tables {
		sources = append(sources, t.source)
		port := t.kind.port
		if inputs[port] != nil {
			continue
		}
		path := filepath.Join(dir, port+".arrow")
		same := slices.DeleteFunc(slices.Clone(tables), func(other *reportTable) bool { return other.kind.port != port })
		if err := writeUnion(ctx, path, same); err != nil {
			return err
		}
		// Names that no study's node has: `flow show` finds nodes by name in
		// the latest runs, of which this will be one.
		inputs[port] = "reported_" + port
		nodes["reported_"+port] = map[string]any{"uses": "read", "with": map[string]any{"path": path}}
	}
	title := o.Title
	if title == "" {
		title = d.Pipeline
	}
	// The tables were found by their columns alone: one that turns out not to
	// be what it looked like must not cost the others.
	with := map[string]any{"undrawable": "note", "title": title, "provenance": map[string]any{"pipeline": d.Pipeline, "pipeline file": filepath.Base(d.File), "run": d.ID, "state of the run": d.State,
		"run started": d.Started.UTC().Format("2006-01-02 15:04 UTC"), "flow": d.Version, "tables from nodes": strings.Join(sources, ", ")}}
	if simulated {
		with["simulated"] = true
	}
	nodes[reportPage] = map[string]any{"uses": "report#page", "inputs": inputs, "with": with}
	f, err := os.Create(filepath.Join(dir, reportFile))
	if err != nil {
		return cache.Explain(err)
	}
	err = toml.NewEncoder(f).Encode(map[string]any{"pipeline": map[string]any{"name": reportName}, "nodes": nodes})
	return errors.Join(err, f.Close())
}

const reportPage = "report_page"

// A report's pipeline is reportsFolder/RUN-*/reportFile in the workspace.
const (
	reportsFolder = "reports"
	reportFile    = "report.toml"
	reportName    = "report"
)

// writeUnion writes tables of one kind as one file, with the column fromNode.
func writeUnion(ctx context.Context, path string, tables []*reportTable) error {
	var schemas []*arrow.Schema
	for _, t := range tables {
		with, err := table.WithConstants(t.opened, []table.Constant{{Name: fromNode, Type: arrow.BinaryTypes.String, Value: t.source}})
		if err != nil {
			return fmt.Errorf("%s: %w", t.source, err)
		}
		t.opened = with
		schemas = append(schemas, t.opened.Schema())
	}
	schema := unionSchema(schemas)
	var parts []table.Reader
	for _, t := range tables {
		parts = append(parts, &projected{t.opened, schema})
		t.opened = nil
	}
	whole, err := table.Concat(schema, parts)
	if err != nil {
		closeAll(parts)
		return err
	}
	defer whole.Close()
	out, err := format.Create(path, "", schema, format.Options{})
	if err != nil {
		return cache.Explain(err)
	}
	if _, err := table.Copy(ctx, out, whole); err != nil {
		out.Abort()
		return cache.Explain(err)
	}
	return cache.Explain(out.Close())
}

// runReport runs the report's pipeline and puts the files that it gives below
// the report's folder.
func (e *Engine) runReport(ctx context.Context, dir string, o ReportOptions, rep *Report) error {
	source := Source{File: filepath.Join(dir, reportFile)}
	for _, set := range o.Sets {
		source.Sets = append(source.Sets, "nodes."+reportPage+".with."+set)
	}
	if _, err := e.catalog.Lookup(ctx, "report#page", dir); err != nil {
		return fmt.Errorf("a report is drawn by the native node report, which cannot be used: %w; `make nodes` builds it into bin/nodes, and --plugins or FLOW_PLUGINS names another folder", err)
	}
	p, err := e.Plan(ctx, source)
	if err != nil {
		return err
	}
	p.source = nil // its file is gone when this ends: there is no next run of it
	sum, err := e.Run(ctx, p, RunOptions{Observer: o.Observer})
	var node *NodeError
	if errors.As(err, &node) {
		return fmt.Errorf("%w; --only shows the tables of some nodes, --with changes how", err)
	}
	if err != nil {
		return err
	}
	if err := e.noteUndrawn(ctx, sum.Run, rep); err != nil {
		return err
	}
	files, err := e.Find(ctx, reportPage, sum.Run)
	if err != nil {
		return err
	}
	r, err := files.reader()
	if err != nil {
		return err
	}
	list, err := file.Publish(ctx, r, rep.Dir)
	if err = errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("writing the report: %w; name another folder with --out", cache.Explain(err))
	}
	for _, f := range list {
		rep.Files = append(rep.Files, ReportedFile{Path: f.Path, MediaType: f.MediaType, Bytes: f.Bytes, Changed: f.Changed})
	}
	return nil
}

// noteUndrawn notes the tables that the page could not draw.
func (e *Engine) noteUndrawn(ctx context.Context, run string, rep *Report) error {
	t, err := e.Find(ctx, reportPage+".undrawn", run)
	if err != nil {
		return err
	}
	r, err := t.reader()
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		batch, err := r.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		source, reason := batch.Column(1), batch.Column(2)
		for i := range int(batch.NumRows()) {
			rep.Undrawn = append(rep.Undrawn, fmt.Sprintf("%s: %s", source.ValueStr(i), reason.ValueStr(i)))
		}
		batch.Release()
	}
}

// folderName makes a pipeline's name fit for a folder.
func folderName(name string) string {
	s := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, name), "-")
	if s == "" {
		return "pipeline"
	}
	return s
}
