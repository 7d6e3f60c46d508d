package wasm

import (
	"fmt"
	"sort"
	"strings"

	"github.com/seed-4012077a/flow/engine/internal/node/wasm/meter"
	"github.com/seed-4012077a/flow/sdk/abi"
	"github.com/seed-4012077a/flow/sdk/abi/params"
)

const wasiModule = "wasi_snapshot_preview1"

// allowed are the functions that a module may import, with their types. Those
// of wasip1 are what the runtimes of Go, Rust, C and AssemblyScript import to
// start, to print and to end. The ones on paths and folders are there since
// Go's package time links them (it looks for time zones): with no folder
// mounted they can only answer that there is none.
var allowed = map[string]map[string]string{
	abi.ImportModule: {
		abi.ImportLog:      "i32 i32 i32 -> ",
		abi.ImportProgress: "i64 i64 i32 i32 -> ",
		abi.ImportEmit:     "i32 i32 -> ",
		abi.ImportGemm:     "i32 i32 i32 i32 f64 i32 i32 i32 i32 i32 i32 -> ",
		abi.ImportTrsm:     "i32 i32 i32 i32 i32 i32 i32 -> ",
	},
	wasiModule: {
		"args_get":            "i32 i32 -> i32",
		"args_sizes_get":      "i32 i32 -> i32",
		"clock_res_get":       "i32 i32 -> i32",
		"clock_time_get":      "i32 i64 i32 -> i32",
		"environ_get":         "i32 i32 -> i32",
		"environ_sizes_get":   "i32 i32 -> i32",
		"fd_close":            "i32 -> i32",
		"fd_fdstat_get":       "i32 i32 -> i32",
		"fd_fdstat_set_flags": "i32 i32 -> i32",
		"fd_filestat_get":     "i32 i32 -> i32",
		"fd_prestat_dir_name": "i32 i32 i32 -> i32",
		"fd_prestat_get":      "i32 i32 -> i32",
		"fd_read":             "i32 i32 i32 i32 -> i32",
		"fd_readdir":          "i32 i32 i32 i64 i32 -> i32",
		"fd_seek":             "i32 i64 i32 i32 -> i32",
		"fd_write":            "i32 i32 i32 i32 -> i32",
		"path_filestat_get":   "i32 i32 i32 i32 i32 -> i32",
		"path_open":           "i32 i32 i32 i32 i32 i64 i64 i32 i32 -> i32",
		"poll_oneoff":         "i32 i32 i32 i32 -> i32",
		"proc_exit":           "i32 -> ",
		"random_get":          "i32 i32 -> i32",
		"sched_yield":         " -> i32",
	},
}

// exports are the functions that a plugin must have, with their types.
var exports = map[string]string{
	abi.ExportInitialize: " -> ",
	abi.ExportVersion:    " -> i32",
	abi.ExportArena:      "i32 -> i32",
	abi.ExportDescribe:   " -> i32",
	abi.ExportOpen:       "i32 -> i32",
	abi.ExportProcess:    "i32 i32 -> i32",
	abi.ExportFinish:     " -> i32",
	abi.ExportClose:      " -> ",
}

func checkImports(info meter.Info) error {
	var bad []string
	for _, im := range info.Imports {
		name := im.Module + "." + im.Name
		want, ok := allowed[im.Module][im.Name]
		switch got := im.Params + " -> " + im.Results; {
		case im.Kind != "func":
			bad = append(bad, fmt.Sprintf("%s, a %s", name, im.Kind))
		case !ok:
			bad = append(bad, name+hint(im))
		case got != want:
			bad = append(bad, fmt.Sprintf("%s as (%s); it is (%s)", name, got, want))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	more := ""
	if len(bad) > 8 {
		more = fmt.Sprintf(" and %d more", len(bad)-8)
		bad = bad[:8]
	}
	return fmt.Errorf("it imports %s%s; a plugin has no files, network, environment or clock, and may import only what sdk/abi/abi.md lists",
		strings.Join(bad, ", "), more)
}

func hint(im meter.Import) string {
	switch {
	case im.Module == "env" && im.Name == "abort":
		return " (in AssemblyScript compile with --use abort=)"
	case im.Module == "env":
		return " (an unresolved C symbol: link the library that defines it)"
	case strings.HasPrefix(im.Module, "wasi_") && im.Module != wasiModule:
		return " (build for " + wasiModule + ")"
	case im.Module == abi.ImportModule:
		names := make([]string, 0, 3)
		for n := range allowed[im.Module] {
			names = append(names, n)
		}
		if near := params.Nearest(im.Name, names); near != "" {
			return " (did you mean " + near + "?)"
		}
	}
	return ""
}

func checkExports(info meter.Info) error {
	var bad []string
	if info.Exports[abi.ExportMemory].Kind != "memory" {
		bad = append(bad, abi.ExportMemory)
	}
	for name, want := range exports {
		e, ok := info.Exports[name]
		switch got := e.Params + " -> " + e.Results; {
		case !ok || e.Kind != "func":
			bad = append(bad, name)
		case got != want:
			bad = append(bad, fmt.Sprintf("%s as (%s), not (%s)", name, want, got))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	sort.Strings(bad)
	next := "see sdk/abi/abi.md"
	if _, isCommand := info.Exports["_start"]; isCommand {
		next = "it was built as a program: in Go use -buildmode=c-shared, in C -mexec-model=reactor, in Rust a cdylib"
	}
	return fmt.Errorf("it does not export %s; %s", strings.Join(bad, ", "), next)
}
