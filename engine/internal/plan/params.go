package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/seed-4012077a/flow/engine/internal/pipeline"
)

// params are one cell's parameters.
type params struct {
	object map[string]any // as the operator gets them
	json   json.RawMessage
	key    []KeyParam
	files  []File
}

// converter turns a node's parameters into JSON values.
type converter struct {
	b    *builder
	node *nodeState
	cell func(axis string) any

	forKey bool // values in the form that the key knows
	files  []File
	failed bool
}

func (c *converter) fail(v *pipeline.Value, format string, args ...any) *pipeline.Error {
	c.failed = true
	at := v.At()
	if !at.IsValid() {
		at = c.node.decl.WithAt
	}
	return c.b.problem(c.node, at, fmt.Sprintf(format, args...))
}

// params makes a cell's parameters, checks them, and tells whether they are
// right.
func (b *builder) params(n *nodeState, op *opState, cell func(string) any) (*params, bool) {
	c := &converter{b: b, node: n, cell: cell}
	with := n.decl.With
	object := c.table(with, op.schema.root)
	if c.failed {
		return nil, false
	}
	if err := op.schema.compiled.Validate(object); err != nil {
		b.violations(n, op, object, err)
		return nil, false
	}
	p := &params{object: object, files: c.files}
	names := sortedKeys(object)
	buf := make([]byte, 0, 256)
	spans := make([][2]int, len(names))
	buf = append(buf, '{')
	for i, name := range names {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(appendString(buf, name), ':')
		start := len(buf)
		buf = appendJSON(buf, object[name])
		spans[i] = [2]int{start, len(buf)}
	}
	p.json = append(buf, '}')
	text := string(p.json)
	p.key = make([]KeyParam, len(names))
	for i, name := range names {
		p.key[i] = KeyParam{name, text[spans[i][0]:spans[i][1]]}
		if prop := op.schema.root.props[name]; prop != nil && prop.keyDiffs {
			k := &converter{b: b, node: n, cell: cell, forKey: true}
			v := with.Get(name)
			if v == nil {
				v = prop.def
			}
			p.key[i].JSON = string(appendJSON(nil, k.value(v, prop)))
		}
	}
	sort.Slice(p.files, func(i, j int) bool { return p.files[i].Name < p.files[j].Name })
	p.files = slices.Compact(p.files)
	return p, true
}

// table converts a table and fills in defaults.
func (c *converter) table(t *pipeline.Table, p *property) map[string]any {
	m := make(map[string]any, t.Len()+2)
	if t != nil {
		for _, e := range t.Entries {
			m[e.Name] = c.value(e.Value, p.child(e.Name))
		}
	}
	if p != nil {
		for _, name := range p.names {
			if prop := p.props[name]; prop.def != nil {
				if _, there := m[name]; !there {
					m[name] = c.value(prop.def, prop)
				}
			}
		}
	}
	return m
}

func (c *converter) value(v *pipeline.Value, p *property) any {
	x := v.V
	if t, ok := x.(*pipeline.Template); ok {
		x = t.Expand(c.cell)
	}
	if p != nil && p.flow != "" {
		return c.flow(v, x, p)
	}
	return c.plain(v, x, p)
}

func (c *converter) plain(v *pipeline.Value, x any, p *property) any {
	switch x := x.(type) {
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			c.fail(v, "%v cannot be a parameter: it must be finite", x)
			return nil
		}
	case time.Time:
		return x.Format(time.RFC3339Nano)
	case *pipeline.Table:
		return c.table(x, p)
	case []*pipeline.Value:
		list := make([]any, len(x))
		var items *property
		if p != nil {
			items = p.items
		}
		for i := range x {
			list[i] = c.value(x[i], items)
		}
		return list
	}
	return x
}

// flow converts a value whose schema has x-flow.
func (c *converter) flow(v *pipeline.Value, x any, p *property) any {
	name, isName := x.(string)
	if !isName {
		if _, isTable := x.(*pipeline.Table); isTable && (p.flow == flowRubric || p.flow == flowTable) {
			return c.plain(v, x, p)
		}
		if list, isList := x.([]*pipeline.Value); isList && (p.flow == flowPath || p.flow == flowText) {
			// A list of files where the schema allows one.
			out := make([]any, len(list))
			for i := range list {
				out[i] = c.value(list[i], &property{flow: p.flow})
			}
			return out
		}
		if x == nil {
			return nil // a default of null
		}
		return c.plain(v, x, p) // the schema's own type says what is wrong
	}
	if name == "" && !v.At().IsValid() {
		return "" // a default that stands for "not given"
	}
	switch p.flow {
	case flowPath:
		return c.path(v, name)
	case flowText:
		return c.text(v, name)
	case flowTable:
		if t := c.tableFile(v, name); t != nil {
			return c.table(t, p)
		}
	case flowRubric:
		if t := c.rubric(v, name); t != nil {
			return c.table(t, p)
		}
	case flowModel:
		return c.model(v, name)
	}
	return nil
}

// path makes a file or folder's path absolute and notes it for the key.
func (c *converter) path(v *pipeline.Value, name string) any {
	known := c.b.p.Path(v, name)
	if c.forKey {
		return filepath.ToSlash(known)
	}
	if name == "" {
		c.fail(v, "the path is empty")
		return nil
	}
	abs := c.b.abs(known)
	if err := c.b.exists(abs); err != nil {
		c.fail(v, "cannot read %s: %s", name, pathReason(err)).Hint = c.b.nearFile(v, abs, name)
		return nil
	}
	c.files = append(c.files, File{filepath.ToSlash(known), abs})
	return abs
}

func (c *converter) text(v *pipeline.Value, name string) any {
	abs := c.b.abs(c.b.p.Path(v, name))
	text, err := c.b.file(abs)
	if err != nil {
		c.fail(v, "cannot read %s: %s", name, pathReason(err)).Hint = c.b.nearFile(v, abs, name)
		return nil
	}
	return text
}

// tableFile reads a parameter's TOML or JSON file.
func (c *converter) tableFile(v *pipeline.Value, name string) *pipeline.Table {
	abs := c.b.abs(c.b.p.Path(v, name))
	if t, ok := c.b.tables[abs]; ok {
		c.failed = c.failed || t == nil
		return t
	}
	c.b.tables[abs] = nil
	var t *pipeline.Table
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".toml":
		var src *pipeline.Source
		var err error
		if t, src, err = pipeline.ReadTable(name, abs, c.b.limits); err != nil {
			c.failed = true
			list, _ := err.(pipeline.Errors)
			for _, e := range list {
				if !e.Place.IsValid() {
					e.Place = v.At()
				}
				c.b.add(c.node, e)
			}
			return nil
		}
		c.b.took(abs, sumOf(src))
	case ".json":
		text, err := c.b.file(abs)
		if err != nil {
			c.fail(v, "cannot read %s: %s", name, pathReason(err)).Hint = c.b.nearFile(v, abs, name)
			return nil
		}
		dec := json.NewDecoder(bytes.NewReader([]byte(text)))
		dec.UseNumber()
		var m map[string]any
		if err := dec.Decode(&m); err != nil || m == nil {
			c.fail(v, "%s is not a JSON object: %v", name, err)
			return nil
		}
		t = valueOf(normal(m)).V.(*pipeline.Table)
	default:
		c.fail(v, "%s is neither a .toml nor a .json file", name)
		return nil
	}
	c.b.tables[abs] = t
	return t
}

func (c *converter) rubric(v *pipeline.Value, name string) *pipeline.Table {
	r := c.b.p.Rubrics[name]
	if r == nil {
		c.fail(v, "unknown rubric %q", name).Hint = orDefine(pipeline.Suggest(name, keysOf(c.b.p.Rubrics)), "[rubrics."+name+"]")
		return nil
	}
	if r.Broken {
		c.failed, c.node.failed = true, true
		return nil
	}
	return r.Table
}

func (c *converter) model(v *pipeline.Value, name string) any {
	m := c.b.p.Models[name]
	if m == nil {
		c.fail(v, "unknown model %q", name).Hint = orDefine(pipeline.Suggest(name, keysOf(c.b.p.Models)), "[models."+name+"]")
		return nil
	}
	if m.Broken {
		c.failed, c.node.failed = true, true
		return nil
	}
	object := c.table(m.Table, nil)
	delete(object, "description")
	if m.Path != "" {
		if c.forKey {
			object["path"] = filepath.ToSlash(m.Path)
			return object
		}
		abs := c.b.abs(m.Path)
		if err := c.b.exists(abs); err != nil {
			e := c.fail(v, "cannot read the folder of model %q: %s", name, pathReason(err))
			e.Also = []pipeline.Note{{Place: m.Place, Message: "the model is defined here"}}
			written := m.Table.Get("path")
			e.Hint = c.b.nearFile(written, abs, pipeline.FormatScalar(written.V))
			return nil
		}
		c.files = append(c.files, File{filepath.ToSlash(m.Path), abs})
		object["path"] = abs
		return object
	}
	if c.forKey {
		for _, k := range pipeline.ChatRunKeys() {
			delete(object, k)
		}
	}
	return object
}

func orDefine(hint, what string) string {
	if hint == "" {
		return "define " + what
	}
	return hint
}

func keysOf[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// abs makes a path absolute, from the pipeline's folder.
func (b *builder) abs(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(b.p.Dir, name)
}

// exists looks once for each path.
func (b *builder) exists(abs string) error {
	err, ok := b.stats[abs]
	if !ok {
		_, err = os.Stat(abs)
		b.stats[abs] = err
	}
	return err
}

// file reads a parameter's file once.
func (b *builder) file(abs string) (string, error) {
	if text, ok := b.texts[abs]; ok {
		return text, nil
	}
	info, err := os.Stat(abs)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return "", fmt.Errorf("it is a folder")
	}
	if info.Size() > int64(b.limits.FileBytes) {
		return "", fmt.Errorf("it has %d bytes, the limit for a parameter is %d", info.Size(), b.limits.FileBytes)
	}
	raw, err := os.ReadFile(abs)
	if err != nil {
		return "", err
	}
	b.texts[abs] = string(raw)
	b.took(abs, sha256.Sum256(raw))
	return b.texts[abs], nil
}

// took notes a file whose text was taken in. One that was read twice and
// changed in between gets a sum that no file has.
func (b *builder) took(abs string, sum [sha256.Size]byte) {
	if before, ok := b.read[abs]; ok && before != sum {
		sum = [sha256.Size]byte{}
	}
	b.read[abs] = sum
}

// nearFile names a file of the same folder with nearly the same name, or else
// tells where v's path begins.
func (b *builder) nearFile(v *pipeline.Value, abs, name string) string {
	begin := "relative paths begin at " + b.p.Dir
	if v.FromFlag() {
		begin = "relative paths in a flag begin at the current folder"
		if dir, err := os.Getwd(); err == nil {
			begin += ", " + dir
		}
	}
	entries, err := os.ReadDir(filepath.Dir(abs))
	if err != nil {
		return begin
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if near := pipeline.Nearest(filepath.Base(abs), names); near != "" {
		return fmt.Sprintf("did you mean %q?", filepath.ToSlash(filepath.Join(filepath.Dir(name), near)))
	}
	return begin
}

func pathReason(err error) string {
	if pe, ok := err.(*os.PathError); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
