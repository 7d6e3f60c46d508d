package plan

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/seed-4012077a/flow/engine/internal/pipeline"
)

// maxComplaints bounds what is said about one node: the cells of a matrix
// mostly fail alike.
const maxComplaints = 10

// plan makes a node's tasks. A node that needs a failed one fails with it and
// says nothing.
func (b *builder) plan(n *nodeState) {
	for _, need := range n.needs {
		n.failed = n.failed || b.nodes[need].failed
	}
	if n.failed {
		return
	}
	resources := b.resources(n)
	var shared *params
	varies := hasTemplate(n.decl.With)
	before := len(b.errs)
	n.tasks = make([]*Task, 0, len(n.cells))
	for i, cell := range n.cells {
		if len(b.errs) >= before+maxComplaints {
			break
		}
		op := n.op(i)
		p := shared
		if p == nil {
			var ok bool
			if p, ok = b.params(n, op, of(cell)); !ok {
				n.failed = true
				if !varies && len(n.ops) == 1 {
					return
				}
				continue
			}
			if !varies && len(n.ops) == 1 {
				shared = p
			}
		}
		if t := b.task(n, op, cell, p); t != nil {
			t.Resources = resources
			n.tasks = append(n.tasks, t)
		} else {
			n.failed = true
		}
	}
	if n.failed {
		return
	}
	b.sorted = append(b.sorted, n)
	n.out.Tasks = make([]int, len(n.tasks))
	for i, t := range n.tasks {
		n.out.Tasks[i] = t.Index
	}
}

// task makes one cell's task; nil after a complaint.
func (b *builder) task(n *nodeState, op *opState, cell []AxisValue, p *params) *Task {
	inputs, schemas, ok := b.inputs(n, op, cell, p)
	if !ok {
		return nil
	}
	seed := b.p.Seed
	if n.decl.Seed != nil {
		seed = *n.decl.Seed
	}
	outputs, err := op.operator.Bind(b.ctx, p.json, seed, schemas)
	if err == nil && (len(outputs) != len(op.spec.Outputs) || slices.Contains(outputs, (*arrow.Schema)(nil))) {
		err = fmt.Errorf("it gives %d output schemas for %d output ports", len(outputs), len(op.spec.Outputs))
	}
	if err != nil {
		b.bindError(n, op, cell, err)
		return nil
	}
	if len(b.slab) == 0 {
		b.slab = make([]Task, 256)
	}
	t := &b.slab[0]
	b.slab = b.slab[1:]
	uses := n.uses
	if len(n.ops) > 1 {
		uses = b.usesOf(n.decl.Uses, n.decl.Uses.V.(*pipeline.Template), cell)
	}
	*t = Task{
		Index: len(b.tasks), Node: n.decl.Name, Cell: cell, Label: label(n.decl.Name, cell),
		Operator: op.operator, Spec: op.spec, Uses: uses,
		Params: p.json, KeyParams: p.key, Files: p.files, Seed: seed,
		Inputs: inputs, InputSchemas: schemas, Outputs: outputs,
		Timeout: n.decl.Timeout, Keep: n.decl.Keep, Cache: n.decl.Cache, Env: n.decl.Env,
		Place: n.decl.Place,
	}
	b.tasks = append(b.tasks, t)
	return t
}

// bindError reports an operator's own complaint at the parameter that it
// names, or at the node.
func (b *builder) bindError(n *nodeState, op *opState, cell []AxisValue, err error) {
	at := n.decl.Place
	var pe ParamError
	if errors.As(err, &pe) && pe.Param() != "" {
		at, _ = b.locate(n, op, paramPath(pe.Param()))
	}
	message, detail := withDetail(err.Error())
	if !strings.Contains(message, n.uses) {
		message = n.uses + ": " + message
	}
	if len(cell) > 0 {
		message = "[" + cellText(cell) + "] " + message
	}
	b.add(n, &pipeline.Error{Place: at, Message: message, Detail: detail})
}

// paramPath is the path of a parameter that an operator names: stages.0.lost
// and stages[0].lost are one.
func paramPath(name string) []string {
	return strings.Split(strings.NewReplacer("[", ".", "]", "").Replace(name), ".")
}

// resources are the slots that a run of the node takes: the operator's own
// and one cpu, with the node's needs over them.
func (b *builder) resources(n *nodeState) map[string]int {
	plain := len(n.ops) == 1 && len(n.decl.Needs) == 0
	if plain && n.ops[0].slots != nil {
		return n.ops[0].slots
	}
	slots := map[string]int{"cpu": 1}
	for _, op := range n.ops {
		for name, count := range op.spec.Resources {
			slots[name] = max(slots[name], count)
		}
	}
	for name, c := range n.decl.Needs {
		slots[name] = c.N
	}
	maps.DeleteFunc(slots, func(_ string, count int) bool { return count == 0 })
	for _, name := range keysOf(slots) {
		have, known := b.slots[name]
		at := n.decl.Place
		if c, ok := n.decl.Needs[name]; ok {
			at = c.Place
		}
		switch {
		case !known:
			b.problem(n, at, fmt.Sprintf("unknown resource %q", name)).Hint = pipeline.Suggest(name, keysOf(b.slots)) + ` or define it under [resources]`
		case slots[name] > have && name == "cpu" && have > 0:
			slots[name] = have // it runs with what there is
		case slots[name] > have:
			b.problem(n, at, fmt.Sprintf("%s takes %d %s, there are %d", n.decl.Name, slots[name], name, have)).Hint = fmt.Sprintf("set %s = %d under [resources] if this machine has them", name, slots[name])
		}
	}
	if plain && !n.failed {
		n.ops[0].slots = slots
	}
	return slots
}

func hasTemplate(t *pipeline.Table) bool {
	if t == nil {
		return false
	}
	for _, e := range t.Entries {
		if valueHasTemplate(e.Value) {
			return true
		}
	}
	return false
}

func valueHasTemplate(v *pipeline.Value) bool {
	switch x := v.V.(type) {
	case *pipeline.Template:
		return true
	case *pipeline.Table:
		return hasTemplate(x)
	case []*pipeline.Value:
		return slices.ContainsFunc(x, valueHasTemplate)
	}
	return false
}

// finish puts the plan together.
func (b *builder) finish() (*Plan, error) {
	p := &Plan{Name: b.p.Name, Dir: b.p.Dir, Tasks: b.tasks, graph: newGraph(len(b.sorted)), slots: b.slots, Read: b.read}
	for _, src := range b.p.Sources {
		if src.Path != "" {
			b.took(src.Path, sumOf(src))
		}
	}
	for path := range b.stats {
		p.Found = append(p.Found, path)
	}
	slices.Sort(p.Found)
	p.Nodes = make([]*Node, len(b.sorted))
	for i, n := range b.sorted {
		p.Nodes[i] = n.out
		if err := addNode(p.graph, n.out); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// sumOf is the SHA-256 of a source's file.
func sumOf(src *pipeline.Source) [sha256.Size]byte {
	h := sha256.New()
	_, _ = io.WriteString(h, src.Mark) // a hash takes everything
	_, _ = io.WriteString(h, src.Text)
	return [sha256.Size]byte(h.Sum(nil))
}

// Slots returns the resources that tasks may take: the machine's with the
// pipeline's over them.
func (p *Plan) Slots() map[string]int { return maps.Clone(p.slots) }
