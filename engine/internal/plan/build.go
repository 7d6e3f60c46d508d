package plan

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/seed-4012077a/flow/engine/internal/operator"
	"github.com/seed-4012077a/flow/engine/internal/pipeline"
)

// New plans a pipeline. The error is a pipeline.Errors with every problem
// found, those of p.Problems included; the plan is nil then.
func New(ctx context.Context, p *pipeline.Pipeline, catalog Catalog, opts Options) (*Plan, error) {
	b := &builder{
		ctx: ctx, p: p, catalog: catalog, limits: opts.Limits, slots: map[string]int{"cpu": runtime.NumCPU(), "gpu": 0},
		ops: map[string]*opState{}, stats: map[string]error{}, texts: map[string]string{}, read: map[string][sha256.Size]byte{},
		tables: map[string]*pipeline.Table{}, axisSchemas: map[axisSchemaKey]*arrow.Schema{},
		checked: map[checkKey][]operator.Problem{}, reported: map[string]bool{},
	}
	if b.limits.Cells <= 0 {
		b.limits.Cells = pipeline.DefaultLimits().Cells
	}
	if b.limits.FileBytes <= 0 {
		b.limits.FileBytes = pipeline.DefaultLimits().FileBytes
	}
	for name, n := range opts.Slots {
		b.slots[name] = n
	}
	for name, c := range p.Resources {
		b.slots[name] = c.N
	}
	b.declare()
	b.connect()
	for _, i := range b.order() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b.plan(b.nodes[i])
	}
	if all := append(slices.Clone(p.Problems), b.errs...); len(all) > 0 {
		all.Sort(p.Sources)
		return nil, all
	}
	return b.finish()
}

// builder is a plan in the making.
type builder struct {
	ctx     context.Context
	p       *pipeline.Pipeline
	catalog Catalog
	limits  pipeline.Limits
	slots   map[string]int

	nodes  []*nodeState // as declared
	byName map[string]int
	tasks  []*Task
	slab   []Task
	sorted []*nodeState

	ops         map[string]*opState // by uses
	stats       map[string]error
	texts       map[string]string
	read        map[string][sha256.Size]byte // files whose text was taken in
	tables      map[string]*pipeline.Table
	axisSchemas map[axisSchemaKey]*arrow.Schema
	checked     map[checkKey][]operator.Problem

	errs     pipeline.Errors
	reported map[string]bool
	compared int // names looked through for a suggestion
}

// nodeState is a node on its way into the plan.
type nodeState struct {
	index int
	decl  *pipeline.Node
	out   *Node
	uses  string // of the cell at hand
	axes  []string
	cells [][]AxisValue
	ops   []*opState // by cell; one for all where "uses" has no ${...}

	ports  []portState // connected input ports of the first operator
	needs  []int       // nodes that it takes from, in order, once each
	needAt map[int]int // their places in needs, once there are many
	tasks  []*Task
	failed bool // a problem of its own or of a node that it needs
	label  string
}

// opState is an operator with its schema compiled, looked up once.
type opState struct {
	operator Operator
	spec     operator.Spec
	schema   *paramSchema
	err      *pipeline.Error // without a place
	slots    map[string]int  // of nodes that say nothing of their own
}

// problem reports a problem with a node and marks it failed. The same words
// at the same place are said once.
func (b *builder) problem(n *nodeState, at pipeline.Pos, message string) *pipeline.Error {
	e := &pipeline.Error{Place: at, Message: message}
	b.add(n, e)
	return e
}

func (b *builder) add(n *nodeState, e *pipeline.Error) {
	n.failed = true
	if key := e.Error(); !b.reported[key] {
		b.reported[key] = true
		b.errs = append(b.errs, e)
	}
}

// suggest is pipeline.Suggest within bounds: many unknown names in a pipeline
// of many nodes would take minutes.
func (b *builder) suggest(got string, valid []string) string {
	if b.compared += len(valid); b.compared > 2_000_000 {
		return ""
	}
	return pipeline.Suggest(got, valid)
}

// declare makes each node's cells and finds its operators.
func (b *builder) declare() {
	b.byName = make(map[string]int, len(b.p.Nodes))
	b.nodes = make([]*nodeState, len(b.p.Nodes))
	states, outs := make([]nodeState, len(b.p.Nodes)), make([]Node, len(b.p.Nodes))
	total := 0
	for i, decl := range b.p.Nodes {
		n := &states[i]
		*n = nodeState{index: i, decl: decl, out: &outs[i], failed: decl.Broken, label: decl.Name}
		b.nodes[i] = n
		b.byName[decl.Name] = i
		n.out.Name, n.out.Decl = decl.Name, decl
		if n.failed {
			continue
		}
		n.axes, n.cells = cells(decl.Matrix)
		n.out.Axes = n.axes
		if len(n.cells) == 0 {
			b.problem(n, decl.Matrix.Place, "exclude leaves the matrix without cells")
			continue
		}
		if total += len(n.cells); total > b.limits.Cells {
			total -= len(n.cells)
			b.problem(n, decl.Place, fmt.Sprintf("the pipeline has more than %d cells", b.limits.Cells)).Hint = "take fewer matrix values, or split the pipeline"
			continue
		}
		b.operators(n)
	}
}

// cells multiplies a matrix out: the last axis turns fastest.
func cells(m *pipeline.Matrix) (axes []string, all [][]AxisValue) {
	if m == nil {
		return nil, [][]AxisValue{nil}
	}
	axes = m.Names()
	at := make([]int, len(m.Axes))
	values := len(m.Axes) > 0 && len(m.Axes[0].Values) > 0 // else include rows only
	for values {
		cell := make([]AxisValue, len(axes))
		for i, a := range m.Axes {
			cell[i] = AxisValue{a.Name, a.Values[at[i]]}
		}
		if !excluded(m, cell) {
			all = append(all, cell)
		}
		i := len(at) - 1
		for ; i >= 0; i-- {
			if at[i]++; at[i] < len(m.Axes[i].Values) {
				break
			}
			at[i] = 0
		}
		if i < 0 {
			break
		}
	}
	seen := make(map[string]bool, len(all))
	for _, c := range all {
		seen[cellText(c)] = true
	}
	for _, row := range m.Include {
		cell := make([]AxisValue, len(row))
		for i, p := range row {
			cell[i] = AxisValue(p)
		}
		if key := cellText(cell); !seen[key] {
			seen[key] = true
			all = append(all, cell)
		}
	}
	return axes, all
}

func excluded(m *pipeline.Matrix, cell []AxisValue) bool {
	for _, row := range m.Exclude {
		all := true
		for _, p := range row {
			for _, v := range cell {
				if v.Axis == p.Axis && !pipeline.SameScalar(v.Value, p.Value) {
					all = false
				}
			}
		}
		if all {
			return true
		}
	}
	return false
}

// cellText writes a cell as it stands in labels: layer=3,lr=0.1.
func cellText(cell []AxisValue) string {
	if len(cell) == 0 {
		return ""
	}
	var b strings.Builder
	for i, v := range cell {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(v.Axis)
		b.WriteByte('=')
		b.WriteString(pipeline.FormatScalar(v.Value))
	}
	return b.String()
}

func label(name string, cell []AxisValue) string {
	if len(cell) == 0 {
		return name
	}
	return name + "[" + cellText(cell) + "]"
}

// of returns a function that gives the cell's value on an axis.
func of(cell []AxisValue) func(string) any {
	return func(axis string) any {
		for _, v := range cell {
			if v.Axis == axis {
				return v.Value
			}
		}
		return nil
	}
}

// operators looks up what the node uses.
func (b *builder) operators(n *nodeState) {
	uses := n.decl.Uses
	switch u := uses.V.(type) {
	case string:
		n.uses = b.p.UsesPath(uses, u)
		n.ops = []*opState{b.lookup(n.uses)}
	case *pipeline.Template:
		for _, cell := range n.cells {
			n.ops = append(n.ops, b.lookup(b.usesOf(uses, u, cell)))
		}
		n.uses = b.usesOf(uses, u, n.cells[0])
	}
	for _, op := range n.ops {
		if op.err != nil {
			e := *op.err
			e.Place = uses.At()
			b.add(n, &e)
		}
	}
	n.out.Uses, n.out.Operator = n.uses, n.ops[0].operator
}

// usesOf is what a cell of a node uses whose "uses" names an axis.
func (b *builder) usesOf(uses *pipeline.Value, t *pipeline.Template, cell []AxisValue) string {
	s, _ := t.Expand(of(cell)).(string)
	return b.p.UsesPath(uses, s)
}

func (b *builder) lookup(uses string) *opState {
	if op := b.ops[uses]; op != nil {
		return op
	}
	op := &opState{}
	b.ops[uses] = op
	if uses == "" {
		op.err = &pipeline.Error{Message: "uses is empty or not a string", Hint: `write uses = "plugin#operator"`}
		return op
	}
	var err error
	if op.operator, err = b.catalog.Lookup(b.ctx, uses, b.p.Dir); err != nil {
		op.err = &pipeline.Error{Message: oneLine(err.Error())}
		if errors.Is(err, ErrUnknownOperator) {
			op.err = &pipeline.Error{Message: fmt.Sprintf("unknown operator %q", uses), Hint: b.suggest(uses, b.catalog.Names())}
		}
		return op
	}
	op.spec = op.operator.Spec()
	if op.schema, err = compileParams(op.spec.Params); err != nil {
		op.err = &pipeline.Error{Message: fmt.Sprintf("operator %s: %s", uses, oneLine(err.Error()))}
	}
	return op
}

// op returns the cell's operator.
func (n *nodeState) op(cell int) *opState {
	if len(n.ops) == 1 {
		return n.ops[0]
	}
	return n.ops[cell]
}

// oneLine joins the lines of an error from outside.
func oneLine(s string) string {
	message, detail := withDetail(s)
	if detail != "" {
		message += "; " + strings.TrimSpace(strings.Split(detail, "\n")[0])
	}
	return message
}

// withDetail joins the lines of an error from outside, but for a text with a
// line that has nothing but a caret below it: that is shown as it is.
func withDetail(s string) (message, detail string) {
	lines := strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' })
	if n := len(lines); n >= 3 && strings.TrimLeft(lines[n-1], " ") == "^" {
		lines, detail = lines[:n-2], lines[n-2]+"\n"+lines[n-1]
	}
	return strings.ReplaceAll(strings.Join(lines, "; "), ":; ", ": "), detail
}
