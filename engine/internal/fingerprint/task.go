package fingerprint

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/seed-4012077a/flow/engine/internal/cache"
	"github.com/seed-4012077a/flow/engine/internal/plan"
)

// Inputs tells the content of a task's output port. known is false while the
// task still has to run.
type Inputs func(task, port int) (id cache.OutputID, known bool)

// New writes a task's manifest: what its result depends on and nothing that
// it does not depend on (labels, time limits, resources, how long it is kept).
// version is the engine's cache version.
func New(ctx context.Context, version string, t *plan.Task, files *Files, inputs Inputs) (Manifest, error) {
	m := Manifest{Lines: make([]Line, 0, 4+len(t.KeyParams)+len(t.Files)+len(t.Inputs))}
	m.add(Line{"engine", "", version})
	m.add(Line{"operator", "", operatorName(t.Uses)})
	for _, line := range t.Operator.Identity() {
		kind, value, ok := strings.Cut(line, " ")
		if !ok || named(kind) {
			return m, fmt.Errorf("%s: operator %s: identity line %q is not a kind and a value", t.Label, t.Uses, line)
		}
		m.add(Line{kind, "", value})
	}
	for _, p := range t.KeyParams {
		m.add(Line{"param", p.Name, p.JSON})
	}
	read, err := Contents(ctx, t, files)
	if err != nil {
		return m, err
	}
	for _, line := range read {
		m.add(line)
	}
	for _, name := range t.Env {
		m.add(Line{"env", "", name})
	}
	m.add(Line{"seed", "", strconv.FormatUint(t.Seed, 10)})
	for i, port := range t.Inputs {
		for _, in := range port {
			m.add(Line{"input", t.Spec.Inputs[i].Name, inputValue(in, inputs)})
		}
	}
	return m, nil
}

// Contents are the manifest's lines of the files and folders that a task's
// parameters name, in the order of t.Files.
func Contents(ctx context.Context, t *plan.Task, files *Files) ([]Line, error) {
	var lines []Line
	for _, f := range t.Files {
		id, err := files.Hash(ctx, f.Path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Label, err)
		}
		lines = append(lines, Line{"file", f.Name, "sha256:" + hex.EncodeToString(id[:])})
	}
	return lines, nil
}

// operatorName is uses without the folder of a plugin named by its path: the
// same file elsewhere is the same plugin.
func operatorName(uses string) string {
	file, op, ok := strings.Cut(uses, "#")
	if !ok || !strings.ContainsAny(file, `/\`) {
		return uses
	}
	return path.Base(strings.ReplaceAll(file, `\`, "/")) + "#" + op
}

// inputValue writes an input's content hash and the columns added to it, such
// as sha256:… (+layer=3). Strings are quoted and whole floats keep a
// fraction, as a column's type counts.
func inputValue(in plan.Input, inputs Inputs) string {
	id, known := inputs(in.Task, in.Port)
	if !known {
		return unknownValue
	}
	b := make([]byte, 0, 96)
	b = append(b, "sha256:"...)
	b = hex.AppendEncode(b, id[:])
	if len(in.Axes) == 0 {
		return string(b)
	}
	b = append(b, " ("...)
	for i, a := range in.Axes {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(append(append(b, '+'), a.Name...), '=')
		switch v := a.Value.(type) {
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case float64:
			s := strconv.FormatFloat(v, 'g', -1, 64)
			if !strings.ContainsAny(s, ".e") {
				s += ".0"
			}
			b = append(b, s...)
		case bool:
			b = strconv.AppendBool(b, v)
		case string:
			quoted, _ := json.Marshal(v) // a string always marshals
			b = append(b, quoted...)
		}
	}
	return string(append(b, ')'))
}
