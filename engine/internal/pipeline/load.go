package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Load reads the pipeline file and all it includes, merges overlays and --set
// flags over it, puts ${...} in, and declares what it finds.
//
// The error is an Errors with every problem. The pipeline is nil only where
// no declarations could be made (a file cannot be read or is not TOML);
// otherwise it may go to package plan, which passes over broken nodes and
// reports these problems together with its own.
func Load(path string, opts Options) (*Pipeline, error) {
	l := &loader{limits: opts.Limits.withDefaults(), defined: map[[2]string]Pos{}, loaded: map[string]bool{}, broken: map[*Table]bool{}}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	l.dir = filepath.Dir(abs)
	root := l.file(path, abs, Pos{})
	if root != nil {
		l.includes(root, path, abs, []string{abs})
	}
	for _, overlay := range opts.Overlays {
		l.overlay(root, overlay)
	}
	for _, set := range opts.Sets {
		l.set(root, set)
	}
	if l.unreadable || root == nil {
		l.errs.Sort(l.sources)
		return nil, l.errs
	}
	x := &expander{loader: l, root: root, state: map[*Value]expansion{}}
	l.rubricFiles(root, x)
	x.all()
	p := declare(root, x)
	l.errs.Sort(l.sources)
	p.Problems = l.errs
	return p, l.errs.Err()
}

// withDefaults fills in the limits that are zero.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ v, def *int }{
		{&l.FileBytes, &d.FileBytes}, {&l.IncludeDepth, &d.IncludeDepth}, {&l.Files, &d.Files},
		{&l.Nodes, &d.Nodes}, {&l.Cells, &d.Cells}, {&l.Depth, &d.Depth},
	} {
		if *f.v <= 0 {
			*f.v = *f.def
		}
	}
	return l
}

type loader struct {
	limits  Limits
	dir     string // of the root file
	sources []*Source
	errs    Errors
	defined map[[2]string]Pos // {"nodes", "pairs"} -> where
	loaded  map[string]bool   // absolute paths

	// unreadable: some source gave no declarations, so what the others refer
	// to may stand there.
	unreadable bool
	broken     map[*Table]bool // rubrics whose file could not be taken in
}

func (l *loader) add(e *Error) { l.errs = append(l.errs, e) }

func (l *loader) errorf(at Pos, format string, args ...any) *Error {
	e := &Error{Place: at, Message: fmt.Sprintf(format, args...)}
	l.add(e)
	return e
}

// file reads and parses one file. from is the place that names it.
func (l *loader) file(name, abs string, from Pos) *Table {
	l.loaded[abs] = true
	if len(l.sources) >= l.limits.Files {
		l.errorf(from, "more than %d files belong to this pipeline", l.limits.Files)
		l.unreadable = true
		return nil
	}
	text, err := readLimited(abs, l.limits.FileBytes)
	if err != nil {
		l.unreadable = true
		l.errorf(from, "cannot read %s: %s", name, reason(err))
		return nil
	}
	return l.parse(NewSource(name, abs, text))
}

func (l *loader) parse(src *Source) *Table {
	l.sources = append(l.sources, src)
	t, errs := read(src, l.limits)
	if errs != nil {
		l.unreadable = true
		l.errs = append(l.errs, errs...)
		return nil
	}
	return t
}

// readLimited reads a file of at most limit bytes.
func readLimited(path string, limit int) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is not a regular file")
	}
	if info.Size() > int64(limit) {
		return "", fmt.Errorf("it has %d bytes, the limit is %d", info.Size(), limit)
	}
	b, err := os.ReadFile(path)
	return string(b), err
}

// reason is the cause of a file error without the path, which the message
// already names.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return err.Error()
}

// joined are the tables that an included file may hold, besides [pipeline]
// with an include of its own.
func joined() []string { return []string{"vars", "models", "rubrics", "resources", "nodes"} }

// includes joins the files that t includes into t, and theirs.
func (l *loader) includes(t *Table, name, abs string, stack []string) {
	l.define(t, nil)
	l.includesOf(t, t, name, abs, stack)
}

func (l *loader) includesOf(root, t *Table, name, abs string, stack []string) {
	pt, _ := tableOf(t.Get("pipeline"))
	list := pt.Get("include")
	if list == nil {
		return
	}
	items, ok := list.V.([]*Value)
	if !ok {
		l.errorf(list.At(), "include is %s, not a list of file names", kindOf(list.V)).Hint = `write include = ["models.toml"]`
		return
	}
	for _, item := range items {
		file, ok := item.V.(string)
		if !ok || file == "" {
			l.errorf(item.At(), "an include is a file name, not %s", kindOf(item.V))
			continue
		}
		l.include(root, item.At(), file, name, abs, stack)
	}
}

func (l *loader) include(root *Table, at Pos, file, name, abs string, stack []string) {
	child := file
	if !filepath.IsAbs(file) {
		child = filepath.Join(filepath.Dir(abs), file)
		file = filepath.Join(filepath.Dir(name), file)
	}
	child = filepath.Clean(child)
	if i := slices.Index(stack, child); i >= 0 {
		l.errorf(at, "%s includes itself: %s", filepath.Base(child), strings.Join(baseNames(append(slices.Clone(stack[i:]), child)), " → "))
		return
	}
	if l.loaded[child] {
		return // by another way: its names are there already
	}
	if len(stack) > l.limits.IncludeDepth {
		l.errorf(at, "includes are nested deeper than %d", l.limits.IncludeDepth)
		return
	}
	t := l.file(file, child, at)
	if t == nil {
		return
	}
	l.define(t, root)
	l.includesOf(root, t, file, child, append(slices.Clone(stack), child))
}

func baseNames(paths []string) []string {
	for i, p := range paths {
		paths[i] = filepath.Base(p)
	}
	return paths
}

// define notes where the names of a file's tables are defined and joins them
// into root, which is nil for the root file itself.
func (l *loader) define(t, root *Table) {
	for _, e := range t.Entries {
		if !slices.Contains(joined(), e.Name) {
			if root != nil && !(e.Name == "pipeline" && onlyInclude(e.Value)) {
				err := l.errorf(e.KeyAt(), "an included file may not hold %s", quoteName(e.Name))
				err.Hint = "it may hold " + choices(append(joined(), "pipeline.include"))
			}
			continue
		}
		names, ok := tableOf(e.Value)
		if !ok {
			if root != nil {
				l.errorf(e.At(), "%s is %s, not a table", e.Name, kindOf(e.V))
			}
			continue
		}
		var into *Table
		if root != nil {
			v := root.Get(e.Name)
			if v == nil {
				v = &Value{Key: e.Key, Pos: e.Pos, V: &Table{}}
				root.set(e.Name, v)
			}
			into, _ = tableOf(v)
		}
		for _, n := range names.Entries {
			full := [2]string{e.Name, n.Name}
			if first, dup := l.defined[full]; dup {
				err := l.errorf(n.KeyAt(), "%s %q is defined twice", singular(e.Name), n.Name)
				err.Also = []Note{{first, "first defined here"}}
				continue
			}
			l.defined[full] = n.KeyAt()
			if into != nil {
				into.set(n.Name, n.Value)
			}
		}
	}
}

func onlyInclude(v *Value) bool {
	t, ok := tableOf(v)
	return ok && (t.Len() == 0 || t.Len() == 1 && t.Get("include") != nil)
}

// overlay merges a file over root.
func (l *loader) overlay(root *Table, path string) {
	abs, err := filepath.Abs(path)
	if err != nil {
		l.errorf(Pos{}, "--overlay %s: %v", path, err)
		return
	}
	t := l.file(path, abs, Pos{})
	if t == nil || root == nil {
		return
	}
	l.over(root, t)
}

// over merges t over root and refuses what only a file of the pipeline may say.
func (l *loader) over(root, t *Table) {
	if pt, ok := tableOf(t.Get("pipeline")); ok {
		if inc := pt.Get("include"); inc != nil {
			l.errorf(inc.KeyAt(), "an overlay or --set cannot change include").Hint = "give a further --overlay instead"
			return
		}
	}
	mergeOver(root, t)
}

// mergeOver puts src's values over dst's, table by table.
func mergeOver(dst, src *Table) {
	for _, e := range src.Entries {
		old := dst.Get(e.Name)
		if old != nil {
			ot, ok1 := tableOf(old)
			nt, ok2 := tableOf(e.Value)
			if ok1 && ok2 {
				mergeOver(ot, nt)
				continue
			}
		}
		dst.set(e.Name, e.Value)
	}
}

// set applies one --set flag: key=value, the value read as TOML or else taken
// as a string.
func (l *loader) set(root *Table, arg string) {
	name := "--set " + arg
	src := NewSource(name, "", arg)
	arg = src.Text // places count from behind a byte order mark
	src.Flag = true
	l.sources = append(l.sources, src)
	sc := scan(src, l.limits.Depth)
	if m, err := decode(arg); err == nil && oneKey(sc) {
		fillTable(sc.root, m, Pos{src, 0, len(arg)})
		if root != nil {
			l.over(root, sc.root)
		}
		return
	}
	// Not TOML: the key must still be one, the rest is a string.
	key := &scanner{src: src, s: arg, limit: l.limits.Depth, root: &Table{}, tooDeep: -1}
	parts := key.key(nil)
	if parts == nil || key.i >= len(arg) || arg[key.i] != '=' {
		l.errorf(Pos{src, 0, len(arg)}, "is not key=value").Hint = "write for example --set vars.data=data/small"
		return
	}
	t := key.root
	for _, k := range parts[:len(parts)-1] {
		t = key.descend(t, k, dotted)
	}
	last := parts[len(parts)-1]
	t.set(last.name, &Value{Key: Pos{src, last.start, last.end}, Pos: Pos{src, key.i + 1, len(arg)}, V: arg[key.i+1:]})
	if root != nil {
		l.over(root, key.root)
	}
}

// oneKey tells whether the text is one key with one value and nothing more.
func oneKey(sc *scanner) bool {
	if sc.entangled || len(sc.headers) > 0 {
		return false
	}
	for t := sc.root; ; {
		if t.Len() != 1 {
			return false
		}
		sub, ok := tableOf(t.Entries[0].Value)
		if !ok || sub.origin == inline {
			return true
		}
		t = sub
	}
}

// rubricFiles takes in the tables of each rubric's file, under its own keys.
func (l *loader) rubricFiles(root *Table, x *expander) {
	rubrics, _ := tableOf(root.Get("rubrics"))
	if rubrics == nil {
		return
	}
	for _, e := range rubrics.Entries {
		t, ok := tableOf(e.Value)
		if !ok {
			continue
		}
		file := t.Get("file")
		if file == nil {
			continue
		}
		x.failed = false
		x.value(file)
		path, ok := file.V.(string)
		if x.failed {
			l.broken[t] = true
			continue
		}
		if !ok || path == "" {
			l.errorf(file.At(), "file is a file name, not %s", kindOf(file.V))
			l.broken[t] = true
			continue
		}
		abs := fromFolder(l.dir, file, path)
		if !filepath.IsAbs(abs) {
			abs = filepath.Join(l.dir, abs)
		}
		base := l.file(path, abs, file.At())
		if base == nil {
			// The rest can be judged without it: nodes that use the rubric
			// are passed over.
			l.unreadable = false
			l.broken[t] = true
			continue
		}
		own := &Table{}
		for _, k := range t.Entries {
			if k.Name != "file" {
				own.set(k.Name, k.Value)
			}
		}
		mergeOver(base, own)
		e.V = base
	}
}

// tableOf returns the value's table, if it is one.
func tableOf(v *Value) (*Table, bool) {
	if v == nil {
		return nil, false
	}
	t, ok := v.V.(*Table)
	return t, ok
}

// ReadTable reads a TOML file that is no pipeline but a parameter's value.
// name is what messages call it. Problems are an Errors; the source is nil
// where the file could not be read.
func ReadTable(name, path string, limits Limits) (*Table, *Source, error) {
	limits = limits.withDefaults()
	text, err := readLimited(path, limits.FileBytes)
	if err != nil {
		return nil, nil, Errors{{Message: "cannot read " + name + ": " + reason(err)}}
	}
	src := NewSource(name, path, text)
	t, errs := read(src, limits)
	return t, src, errs.Err()
}
