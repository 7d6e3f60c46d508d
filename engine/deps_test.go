package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// policy says which rooms may import which. In each line, a room may import
// the rooms to the left of its "<", and what those may import; a room that
// never stands to the right of one imports none. Rooms beside each other, with
// a comma between, may not import each other. A room's own
// folders belong to it. "internal/*" stands for every room of the engine.
//
// Rooms are folders: of engine/internal, where they are not given from the
// root (sdk, plugins, nodes, engine, cmd, pipelines).
const policy = `
	# What authors of plugins and native nodes build on knows no engine.
	sdk/abi < sdk/go < plugins;
	sdk/native < nodes;

	# The statistics know no plugin: Go programs use them as plugins do. The
	# host does their dense linear algebra, with the guest's own bits.
	sdk/dense < sdk/stats < plugins;

	# From text to tasks. An operator is described without being run.
	table, sdk/abi < operator;
	pipeline, operator < plan;

	# From tasks to results. The scheduler knows no node: the engine joins
	# them through the interfaces that the scheduler declares.
	plan, cache < fingerprint;
	fingerprint, event < schedule;

	# What can run.
	operator, table < node;
	node < node/file;
	node, busy < node/llm;
	node, sdk/abi, sdk/dense < node/wasm;
	node, sdk/abi, sdk/native < node/native;
	node, sdk/go < engine/nodetest;

	# What happened.
	busy < ledger;
	runmemo;
	plan, event < report;

	# The doorway. It carries the standard plugins with it.
	internal/* < engine;
	engine, plugins < cmd/flow;

	# What is measured is the doorway's program, the engine from outside, and
	# the statistics, natively too.
	engine, sdk/go, sdk/stats < engine/bench;

	# Tests of the example pipelines run the program from outside.
	pipelines;
`

// rooms reads the policy: for each room, those that it may import, and all
// that these may.
func rooms(text string) (map[string]map[string]bool, error) {
	direct := map[string][]string{}
	var clean strings.Builder
	for _, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		clean.WriteString(line + " ")
	}
	var doors []string // rooms that may import every room of the engine
	for _, rule := range strings.Split(clean.String(), ";") {
		if strings.TrimSpace(rule) == "" {
			continue
		}
		groups := strings.Split(rule, "<")
		var left []string
		for _, group := range groups {
			var names []string
			for _, name := range strings.Split(group, ",") {
				if name = strings.TrimSpace(name); name == "" || strings.ContainsAny(name, " \t") {
					return nil, fmt.Errorf("rule %q: %q is not a room", rule, name)
				}
				names = append(names, name)
				if name == "internal/*" {
					continue
				}
				direct[name] = append(direct[name], left...)
				if slices.Contains(left, "internal/*") {
					doors = append(doors, name)
				}
			}
			left = append(left, names...)
		}
	}
	for _, door := range doors {
		for name := range direct {
			if strings.HasPrefix(folder(name), "engine/internal/") {
				direct[door] = append(direct[door], name)
			}
		}
	}
	all := map[string]map[string]bool{}
	var visit func(room string, path []string) error
	visit = func(room string, path []string) error {
		if slices.Contains(path, room) {
			return fmt.Errorf("the policy goes in a circle: %s", strings.Join(append(path, room), " > "))
		}
		if all[room] != nil {
			return nil
		}
		may := map[string]bool{}
		for _, left := range direct[room] {
			if left == "internal/*" {
				continue
			}
			if err := visit(left, append(path, room)); err != nil {
				return err
			}
			may[left] = true
			for name := range all[left] {
				may[name] = true
			}
		}
		all[room] = may
		return nil
	}
	for room := range direct {
		if err := visit(room, nil); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// folder is where a room's packages are, from the module's root.
func folder(room string) string {
	switch first, _, _ := strings.Cut(room, "/"); first {
	case "sdk", "plugins", "nodes", "engine", "cmd", "pipelines":
		return room
	}
	return "engine/internal/" + room
}

// roomOf returns the room that a package's folder belongs to, the innermost.
// The engine's own folder is a room without what lies below it.
func roomOf(dir string, all map[string]map[string]bool) string {
	best := ""
	for room := range all {
		f := folder(room)
		if (dir == f || room != "engine" && strings.HasPrefix(dir, f+"/")) && (best == "" || len(f) > len(folder(best))) {
			best = room
		}
	}
	return best
}

type listed struct {
	ImportPath string
	Imports    []string
	Module     *struct{ Path string }
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,Module", "./...")
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var list []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// TestImports holds every package of the module to the policy.
func TestImports(t *testing.T) {
	all, err := rooms(policy)
	if err != nil {
		t.Fatal(err)
	}
	packages := listPackages(t)
	if len(packages) < 10 {
		t.Fatalf("only %d packages found", len(packages))
	}
	for _, bad := range violations(packages, all) {
		t.Error(bad)
	}
}

func violations(packages []listed, all map[string]map[string]bool) (bad []string) {
	for _, p := range packages {
		if p.Module == nil {
			continue
		}
		root := p.Module.Path + "/"
		dir, ok := strings.CutPrefix(p.ImportPath, root)
		if !ok {
			continue
		}
		room := roomOf(dir, all)
		if room == "" {
			bad = append(bad, fmt.Sprintf("%s is in no room: draw it in the policy and in the package list of engine/doc.go", dir))
			continue
		}
		for _, imported := range p.Imports {
			target, ours := strings.CutPrefix(imported, root)
			if !ours {
				continue
			}
			if to := roomOf(target, all); to != room && !all[room][to] {
				bad = append(bad, fmt.Sprintf("%s (room %s) imports %s (room %s), which the policy does not allow", dir, room, target, to))
			}
		}
	}
	return bad
}

// TestPolicySees holds the test itself to imports that must be refused.
func TestPolicySees(t *testing.T) {
	all, err := rooms(policy)
	if err != nil {
		t.Fatal(err)
	}
	const m = "example.org/m"
	module := &struct{ Path string }{m}
	for _, c := range []struct {
		from, to string
		bad      bool
	}{
		{"engine/internal/schedule", "engine/internal/node", true},
		{"engine/internal/schedule", "engine/internal/fingerprint", false},
		{"engine/internal/schedule", "engine/internal/plan", false},
		{"engine/internal/plan", "engine/internal/fingerprint", true},
		{"engine/internal/plan", "engine/internal/node", true},
		{"engine/internal/cache", "engine/internal/plan", true},
		{"engine/internal/table/ipc", "engine/internal/table", false},
		{"engine/internal/node/wasm", "engine/internal/node/native", true},
		{"engine/internal/node/wasm", "engine/internal/table/ipc", false},
		{"sdk/go", "engine/internal/table", true},
		{"plugins/pairs", "engine", true},
		{"nodes/steer", "sdk/go", true},
		{"engine", "engine/internal/node/wasm/meter", false},
		{"engine/internal/report", "engine", true},
		{"elsewhere", "engine", true},
	} {
		got := violations([]listed{{ImportPath: m + "/" + c.from, Imports: []string{m + "/" + c.to}, Module: module}}, all)
		if (len(got) > 0) != c.bad {
			t.Errorf("%s imports %s: %v", c.from, c.to, got)
		}
	}
	for _, bad := range []string{"a < b; b < a", "a b c", "a <"} {
		if _, err := rooms(bad); err == nil {
			t.Errorf("policy %q is taken", bad)
		}
	}
}
