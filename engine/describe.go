package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/engine/internal/operator"
)

// PluginInfo is what a plugin, a native node or flow itself offers.
type PluginInfo struct {
	Name      string         `json:"name"`
	Version   string         `json:"version"`
	Doc       string         `json:"doc,omitempty"`
	Kind      string         `json:"kind"` // "plugin", "native" or "engine"
	From      string         `json:"from"`
	Identity  []string       `json:"identity,omitempty"`
	Operators []OperatorInfo `json:"operators"`
}

// OperatorInfo is one operator of a plugin.
type OperatorInfo struct {
	Uses    string          `json:"uses"`
	Doc     string          `json:"doc,omitempty"`
	Kind    string          `json:"kind"`
	Inputs  []PortInfo      `json:"inputs"`
	Outputs []PortInfo      `json:"outputs"`
	Params  []ParamInfo     `json:"params"`
	Schema  json.RawMessage `json:"schema,omitempty"` // the JSON Schema of the parameters
}

// PortInfo is a port of an operator.
type PortInfo struct {
	Name     string       `json:"name"`
	Doc      string       `json:"doc,omitempty"`
	Optional bool         `json:"optional,omitempty"`
	Columns  []ColumnInfo `json:"columns,omitempty"`
}

// ColumnInfo is a column that an input needs or an output is certain to have.
type ColumnInfo struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Doc      string `json:"doc,omitempty"`
	Optional bool   `json:"optional,omitempty"`
}

// ParamInfo is a parameter of an operator.
type ParamInfo struct {
	Name     string          `json:"name"`
	Type     string          `json:"type"`
	Doc      string          `json:"doc,omitempty"`
	Default  json.RawMessage `json:"default,omitempty"`
	Required bool            `json:"required,omitempty"`
	Bounds   string          `json:"bounds,omitempty"`

	// Keys are those of a table, by their paths in it (lambda.column,
	// tables.NAME.file, where NAME is the user's to choose), or of the tables
	// of a list, by their paths from its name (contrasts[].method).
	Keys []ParamInfo `json:"keys,omitempty"`
}

// Note is what else there is to say of a parameter: bounds, default, required.
func (p ParamInfo) Note() string {
	var parts []string
	if p.Bounds != "" {
		parts = append(parts, p.Bounds)
	}
	if p.Default != nil {
		parts = append(parts, "default "+string(p.Default))
	}
	if p.Required {
		parts = append(parts, "required")
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// Describe tells what a plugin or native node offers, by its name or path.
// "name#operator" describes one operator, and the bare name of one of flow's
// own operators that one.
func (e *Engine) Describe(ctx context.Context, uses string) (*PluginInfo, error) {
	name, only, _ := strings.Cut(uses, "#")
	if own, ok := e.catalog.own[name]; ok && only == "" {
		info := &PluginInfo{Name: name, Version: e.cfg.Version, Kind: "engine", From: "flow"}
		op, err := operatorInfo(name, own.Spec())
		info.Operators = []OperatorInfo{op}
		return info, err
	}
	p, err := e.catalog.program(ctx, name, ".", nil)
	if err != nil {
		return nil, e.catalog.suggest(err, name)
	}
	info := &PluginInfo{Name: p.info.Name, Version: p.info.Version, Doc: p.info.Doc, Kind: p.kind, From: p.from, Identity: p.identity}
	var names []string
	for _, spec := range p.info.Operators {
		names = append(names, spec.Name)
		if only != "" && spec.Name != only {
			continue
		}
		op, err := operatorInfo(name+"#"+spec.Name, spec)
		if err != nil {
			return nil, err
		}
		info.Operators = append(info.Operators, op)
	}
	if len(info.Operators) == 0 {
		return nil, fmt.Errorf("%s has no operator %q; %s", name, only, nearOrAll(only, names, "it has "))
	}
	return info, nil
}

// Plugins lists what is found without a path: flow's own operators, plugins
// and native nodes. One that cannot be loaded says so in its Doc.
func (e *Engine) Plugins(ctx context.Context) ([]PluginInfo, error) {
	var out []PluginInfo
	for name := range e.catalog.own {
		out = append(out, PluginInfo{Name: name, Version: e.cfg.Version, Kind: "engine", From: "flow"})
	}
	slices.SortFunc(out, func(a, b PluginInfo) int { return strings.Compare(a.Name, b.Name) })
	for _, name := range e.catalog.found() {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		info, err := e.Describe(ctx, name)
		if err != nil {
			info = &PluginInfo{Name: name, Kind: "broken", From: err.Error()}
		}
		out = append(out, *info)
	}
	return out, nil
}

func operatorInfo(uses string, spec operator.Spec) (OperatorInfo, error) {
	info := OperatorInfo{Uses: uses, Doc: spec.Doc, Kind: string(spec.Kind), Schema: spec.Params,
		Inputs: portInfos(spec.Inputs), Outputs: portInfos(spec.Outputs), Params: []ParamInfo{}}
	if len(spec.Params) == 0 {
		return info, nil
	}
	var schema property
	if err := json.Unmarshal(spec.Params, &schema); err != nil {
		return info, fmt.Errorf("%s: its parameter schema: %w", uses, err)
	}
	for name, p := range schema.Properties {
		q := p.info(name, slices.Contains(schema.Required, name))
		at := "" // a table may be a file's, where its keys have no prefix
		if p.Items != nil {
			at = name + "."
		}
		q.Keys = p.keys(at)
		info.Params = append(info.Params, q)
	}
	slices.SortFunc(info.Params, func(a, b ParamInfo) int { return strings.Compare(a.Name, b.Name) })
	return info, nil
}

// property is as much of a JSON Schema as a person is shown.
type property struct {
	Type        any               `json:"type"`
	Enum        []json.RawMessage `json:"enum"`
	Description string            `json:"description"`
	Default     json.RawMessage   `json:"default"`
	Minimum     *float64          `json:"minimum"`
	Maximum     *float64          `json:"maximum"`
	Above       *float64          `json:"exclusiveMinimum"`
	Below       *float64          `json:"exclusiveMaximum"`
	Items       *property         `json:"items"`
	Flow        string            `json:"x-flow"`

	Properties map[string]property `json:"properties"`
	Required   []string            `json:"required"`
	Others     json.RawMessage     `json:"additionalProperties"` // true, false or a schema
}

func (p property) info(name string, required bool) ParamInfo {
	return ParamInfo{Name: name, Type: p.typeText(), Doc: p.Description, Default: p.Default, Required: required, Bounds: p.bounds()}
}

// keys lists what is inside of a table or a list of tables, at every depth,
// each with its path; at is the path of p and ends in a dot, or is empty where
// p is the outermost table.
func (p property) keys(at string) []ParamInfo {
	if p.Items != nil {
		return p.Items.keys(strings.TrimSuffix(at, ".") + "[].")
	}
	var out []ParamInfo
	for _, name := range slices.Sorted(maps.Keys(p.Properties)) {
		q := p.Properties[name]
		out = append(out, q.info(at+name, slices.Contains(p.Required, name)))
		out = append(out, q.keys(at+name+".")...)
	}
	var other property
	if json.Unmarshal(p.Others, &other) == nil && other.Properties != nil {
		out = append(out, other.keys(at+"NAME.")...)
	}
	return out
}

func (p property) typeText() string {
	if p.Flow != "" {
		return p.Flow
	}
	if len(p.Enum) > 0 {
		var values []string
		for _, v := range p.Enum {
			values = append(values, string(v))
		}
		return strings.Join(values, " | ")
	}
	switch t := p.Type.(type) {
	case string:
		if t == "array" && p.Items != nil {
			return "list of " + p.Items.typeText()
		}
		return t
	case []any:
		var names []string
		for _, v := range t {
			names = append(names, fmt.Sprint(v))
		}
		return strings.Join(names, " | ")
	}
	return "any"
}

func (p property) bounds() string {
	var parts []string
	for _, b := range []struct {
		word  string
		bound *float64
	}{{">= ", p.Minimum}, {"> ", p.Above}, {"<= ", p.Maximum}, {"< ", p.Below}} {
		if b.bound != nil {
			parts = append(parts, fmt.Sprintf("%s%g", b.word, *b.bound))
		}
	}
	return strings.Join(parts, ", ")
}

func portInfos(ports []operator.Port) []PortInfo {
	out := make([]PortInfo, len(ports))
	for i, p := range ports {
		out[i] = PortInfo{Name: p.Name, Doc: p.Doc, Optional: p.Optional}
		for _, c := range p.Columns {
			out[i].Columns = append(out[i].Columns, ColumnInfo{Name: c.Name, Type: c.Type, Doc: c.Doc, Optional: c.Optional})
		}
	}
	return out
}
