package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dominikbraun/graph"

	"github.com/seed-4012077a/flow/engine/internal/pipeline"
)

// Select returns the part of the plan that only asks for: those tasks and all
// that they need; everything where only is empty. The tasks that from names
// and all downstream of them are marked Forced. A name is a node's, for all
// its cells, or a task's label, such as train[layer=3].
func (p *Plan) Select(only, from []string) (*Plan, error) {
	wanted, err1 := p.named("--only", only)
	forced, err2 := p.named("--from", from)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if len(only) == 0 {
		for i := range wanted {
			wanted[i] = true
		}
	}
	for i := len(p.Tasks) - 1; i >= 0; i-- {
		if wanted[i] {
			p.Tasks[i].each(func(in Input) { wanted[in.Task] = true })
		}
	}
	for i, t := range p.Tasks {
		t.each(func(in Input) { forced[i] = forced[i] || forced[in.Task] })
	}
	for _, name := range from {
		if !slices.ContainsFunc(p.Tasks, func(t *Task) bool { return wanted[t.Index] && (t.Node == name || t.Label == name) }) {
			return nil, fmt.Errorf("--from %s: --only %s leaves it out", name, strings.Join(only, ", "))
		}
	}
	return p.keep(wanted, forced)
}

// each calls f with all inputs, port by port.
func (t *Task) each(f func(Input)) {
	for _, port := range t.Inputs {
		for _, in := range port {
			f(in)
		}
	}
}

// named marks the tasks that the names mean.
func (p *Plan) named(flag string, names []string) ([]bool, error) {
	marked := make([]bool, len(p.Tasks))
	var errs []error
	for _, name := range names {
		found := false
		for i, t := range p.Tasks {
			if t.Node == name || t.Label == name {
				marked[i], found = true, true
			}
		}
		if found {
			continue
		}
		var valid []string
		if node, _, cell := strings.Cut(name, "["); cell {
			for _, t := range p.Tasks {
				if t.Node == node {
					valid = append(valid, t.Label)
				}
			}
		}
		if valid == nil {
			for _, n := range p.Nodes {
				valid = append(valid, n.Name)
			}
		}
		errs = append(errs, fmt.Errorf("%s %s: no such node; %s", flag, name, pipeline.Suggest(name, valid)))
	}
	return marked, errors.Join(errs...)
}

// keep copies the wanted tasks into a plan of their own.
func (p *Plan) keep(wanted, forced []bool) (*Plan, error) {
	sub := &Plan{Name: p.Name, Dir: p.Dir, slots: p.slots, Read: p.Read, Found: p.Found}
	moved := make([]int, len(p.Tasks))
	for i, t := range p.Tasks {
		if !wanted[i] {
			continue
		}
		c := *t
		c.Index = len(sub.Tasks)
		c.Forced = c.Forced || forced[i]
		moved[i] = c.Index
		c.Inputs = make([][]Input, len(t.Inputs))
		for port, list := range t.Inputs {
			c.Inputs[port] = slices.Clone(list)
			for k := range list {
				c.Inputs[port][k].Task = moved[list[k].Task]
			}
		}
		sub.Tasks = append(sub.Tasks, &c)
	}
	sub.graph = newGraph(len(p.Nodes))
	for _, n := range p.Nodes {
		c := *n
		c.Tasks = nil
		for _, i := range n.Tasks {
			if wanted[i] {
				c.Tasks = append(c.Tasks, moved[i])
			}
		}
		if len(c.Tasks) == 0 {
			continue
		}
		sub.Nodes = append(sub.Nodes, &c)
		if err := addNode(sub.graph, &c); err != nil {
			return nil, err
		}
	}
	return sub, nil
}

// Edges returns the connections of node pairs, those into a node together and
// in the order of Nodes.
func (p *Plan) Edges() ([]*Edge, error) {
	all, err := p.graph.Edges() // as they were added
	if err != nil {
		return nil, err
	}
	edges := make([]*Edge, 0, len(all))
	for _, e := range all {
		if data, ok := e.Properties.Data.(*Edge); ok {
			edges = append(edges, data)
		}
	}
	return edges, nil
}

// addNode adds a node and the edges from what it needs, which must be there.
func addNode(g graph.Graph[string, *Node], n *Node) error {
	if err := g.AddVertex(n); err != nil {
		return fmt.Errorf("plan: node %s: %w", n.Name, err)
	}
	for i := range n.Needs {
		e := &n.Needs[i]
		err := g.AddEdge(e.From, e.To, graph.EdgeData(e))
		if err != nil && !errors.Is(err, graph.ErrVertexNotFound) { // a cell that was not selected may have been the reason for the edge
			return fmt.Errorf("plan: edge %s to %s: %w", e.From, e.To, err)
		}
	}
	return nil
}
