package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/seed-4012077a/flow/engine/internal/operator"
	"github.com/seed-4012077a/flow/engine/internal/pipeline"
	"github.com/seed-4012077a/flow/engine/internal/plan"
)

// Source is a pipeline file with what is changed about it and what part of
// it is wanted.
type Source struct {
	File     string
	Sets     []string // "vars.data=DIR"
	Overlays []string // TOML files merged over it
	Only     []string // these nodes and what they need; all if empty
	From     []string // these nodes and all that needs them run in any case
}

// Plan is a pipeline that was found right, ready to be run.
type Plan struct {
	plan   *plan.Plan
	file   string
	source *Source    // what it was planned from; nil where it was changed since
	seen   *witnesses // what planning depended on
}

// Name returns the pipeline's name.
func (p *Plan) Name() string { return p.plan.Name }

// Nodes returns the number of nodes.
func (p *Plan) Nodes() int { return len(p.plan.Nodes) }

// Tasks returns the number of tasks: the cells of all nodes.
func (p *Plan) Tasks() int { return len(p.plan.Tasks) }

// WriteMermaid draws the graph of nodes as a Mermaid flowchart.
func (p *Plan) WriteMermaid(w io.Writer) error { return p.plan.WriteMermaid(w) }

// WriteDOT draws the graph of nodes in Graphviz's language.
func (p *Plan) WriteDOT(w io.Writer) error { return p.plan.WriteDOT(w) }

// Plan reads, checks and plans a pipeline. Its error is a *PipelineError with
// all that is wrong, where the pipeline is to blame.
func (e *Engine) Plan(ctx context.Context, s Source) (*Plan, error) {
	decl, err := pipeline.Load(s.File, pipeline.Options{Overlays: s.Overlays, Sets: s.Sets})
	if decl == nil {
		return nil, asPipelineError(err)
	}
	// What Load found wrong is in decl too: planning adds its own, so that all
	// is reported at once.
	seen := newWitnesses()
	p, err := plan.New(ctx, decl, watched{e.catalog, seen}, plan.Options{Slots: map[string]int{"cpu": e.cfg.Jobs, "gpu": 0}})
	if err != nil {
		return nil, asPipelineError(err)
	}
	if len(s.Only) > 0 || len(s.From) > 0 {
		if p, err = p.Select(s.Only, s.From); err != nil {
			return nil, asPipelineError(pipeline.Join(err))
		}
	}
	if err := oneWriterEach(decl, p); err != nil {
		return nil, asPipelineError(err)
	}
	return &Plan{plan: p, file: s.File, source: &s, seen: seen}, nil
}

// oneWriterEach refuses two nodes that write the same file: which of them came
// last would decide what is in it.
func oneWriterEach(decl *pipeline.Pipeline, p *plan.Plan) error {
	writer := map[string]*plan.Task{}
	var problems pipeline.Errors
	for _, t := range p.Tasks {
		b, ok := t.Operator.(bound)
		if !ok {
			continue
		}
		w, ok := b.own.(interface {
			WritesTo(params json.RawMessage) string
		})
		if !ok {
			continue
		}
		to := w.WritesTo(t.Params)
		first := writer[to]
		if first == nil {
			writer[to] = t
			continue
		}
		problems = append(problems, &pipeline.Error{Place: t.Place, Message: fmt.Sprintf("%s writes %s, which %s writes too", t.Label, to, first.Label),
			Hint: "give each its own path", Also: []pipeline.Note{{Place: first.Place, Message: first.Label + " is here"}}})
	}
	problems.Sort(decl.Sources)
	return problems.Err()
}

// cacheLabel is the place that results of a task are kept for.
func cacheLabel(p *plan.Plan, t *plan.Task) string { return p.Name + "/" + t.Label }

// schemaText writes a schema as pipelines and plugins write types.
func schemaText(s *arrow.Schema) string {
	parts := make([]string, s.NumFields())
	for i, f := range s.Fields() {
		parts[i] = f.Name + ": " + operator.TypeName(f.Type)
	}
	return strings.Join(parts, ", ")
}
