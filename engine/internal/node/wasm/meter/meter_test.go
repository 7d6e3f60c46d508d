package meter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

var limits = Limits{Bytes: 1 << 26, Functions: 1 << 17, Globals: 1 << 12, Tables: 64, TableEntries: 1 << 20, MemoryPages: 1 << 10}

// ticked is what an endless module panics with.
var errTicks = errors.New("too many ticks")

// newRuntime returns an interpreter, which validates as the compiler does,
// with a tick that gives up after a number of calls.
func newRuntime(t testing.TB, maxTicks int) (context.Context, wazero.Runtime) {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2).WithMemoryLimitPages(256))
	t.Cleanup(func() { r.Close(ctx) })
	left := maxTicks
	_, err := r.NewHostModuleBuilder(TickModule).NewFunctionBuilder().WithGoFunction(api.GoFunc(func(context.Context, []uint64) {
		if left--; left <= 0 {
			left = maxTicks
			panic(errTicks)
		}
	}), nil, nil).Export(TickName).Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return ctx, r
}

// specModules returns the modules of the WebAssembly specification's own test
// suite and of several compilers, which come with wazero's source.
func specModules(t testing.TB) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Skipf("wazero's source is not at hand: %v", err)
	}
	var files []string
	for _, pattern := range []string{
		"internal/integration_test/spectest/v[12]/testdata/*.wasm",
		// What the compilers of Rust, Zig, C and TinyGo emit.
		"imports/wasi_snapshot_preview1/testdata/*/*.wasm",
		"examples/allocation/*/testdata/*.wasm",
	} {
		found, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Skip("the specification's modules are not in wazero's source")
	}
	return files
}

// TestSpecification rewrites the specification's modules: what is valid stays
// valid, what is not stays invalid, and functions that take no more than
// numbers give the same results or traps as before.
func TestSpecification(t *testing.T) {
	ctx, r := newRuntime(t, 50)
	valid, called := 0, 0
	for _, file := range specModules(t) {
		name := filepath.Base(file)
		wasm, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		before, compileErr := r.CompileModule(ctx, wasm)
		metered, info, err := Rewrite(wasm, limits)
		if err != nil {
			if compileErr == nil && !strings.Contains(err.Error(), "at most") {
				t.Errorf("%s is valid, but: %v", name, err)
			}
			continue
		}
		after, err := r.CompileModule(ctx, metered)
		if (err == nil) != (compileErr == nil) {
			t.Errorf("%s: before: %v; rewritten: %v", name, compileErr, err)
		}
		if err != nil || compileErr != nil {
			continue
		}
		valid++
		if len(info.Imports) == 0 {
			called += compareCalls(t, ctx, r, name, before, after)
		}
		before.Close(ctx)
		after.Close(ctx)
	}
	t.Logf("%d valid modules, %d calls compared", valid, called)
	if valid < 100 || called < 1000 {
		t.Errorf("only %d modules and %d calls: the corpus is not what it was", valid, called)
	}
}

// compareCalls calls each exported function with small numbers in fresh
// instances of both modules.
func compareCalls(t *testing.T, ctx context.Context, r wazero.Runtime, name string, before, after wazero.CompiledModule) (n int) {
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	b, errB := r.InstantiateModule(ctx, after, config)
	if errors.Is(errB, errTicks) {
		return 0
	}
	a, errA := r.InstantiateModule(ctx, before, config)
	if (errA == nil) != (errB == nil) {
		t.Errorf("%s: instantiating: %v; rewritten: %v", name, errA, errB)
	}
	if errA != nil || errB != nil {
		return 0
	}
	defer a.Close(ctx)
	defer b.Close(ctx)
	exports := before.ExportedFunctions()
	var names []string
	for f := range exports {
		names = append(names, f)
	}
	slices.Sort(names)
	for _, f := range names {
		for _, arg := range []uint64{0, 3} {
			var args []uint64
			for _, p := range exports[f].ParamTypes() {
				if p == api.ValueTypeExternref || p == api.ValueType(0x7b) || p == api.ValueType(0x70) {
					arg = 0
				}
				args = append(args, arg)
				if p == api.ValueType(0x7b) {
					args = append(args, arg)
				}
			}
			// The metered one first: it says whether the other would end.
			got, errB := b.ExportedFunction(f).Call(ctx, args...)
			if errors.Is(errB, errTicks) {
				return n
			}
			want, errA := a.ExportedFunction(f).Call(ctx, args...)
			n++
			if head(errA) != head(errB) {
				t.Errorf("%s, %s(%d): %v; rewritten: %v", name, f, args, errA, errB)
			} else if fmt.Sprint(got) != fmt.Sprint(want) && !slices.ContainsFunc(exports[f].ResultTypes(), func(v api.ValueType) bool { return v == 0x70 || v == api.ValueTypeExternref }) {
				t.Errorf("%s, %s(%d) = %d; rewritten: %d", name, f, args, want, got)
			}
		}
	}
	return n
}

// head is what kind of trap an error is.
func head(err error) string {
	if err == nil {
		return ""
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// code assembles a module of one function of type (i32, i32, i32) -> (),
// exported as "f", with a memory of one page and the given body.
func code(body ...byte) []byte {
	body = append(append([]byte{0}, body...), 0x0b)
	out := []byte("\x00asm\x01\x00\x00\x00" + "\x01\x07\x01\x60\x03\x7f\x7f\x7f\x00" + "\x03\x02\x01\x00" + "\x05\x03\x01\x00\x01" + "\x07\x05\x01\x01f\x00\x00")
	inner := append(appendU32([]byte{1}, uint32(len(body))), body...)
	return appendSection(out, secCode, inner)
}

// TestTicks checks how often the host is called.
func TestTicks(t *testing.T) {
	for name, c := range map[string]struct {
		body []byte
		args []uint64
		want float64 // steps
	}{
		// loop; n--; br_if loop
		"a loop":           {[]byte{0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b}, []uint64{1 << 20, 0, 0}, 1 << 20},
		"copies in a loop": {[]byte{0x03, 0x40, 0x41, 0, 0x41, 0, 0x41, 0x80, 0x80, 0x04, 0xfc, 10, 0, 0, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b}, []uint64{10_000, 0, 0}, 17 * 10_000},
		"recursion":        {[]byte{0x20, 0, 0x04, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x20, 0, 0x20, 0, 0x10, 0, 0x0b}, []uint64{20_000, 0, 0}, 20_000},
		// loop; if n: f(n-1): the loop's turn counts, the entry does not again.
		"recursion in a loop": {[]byte{0x02, 0x40, 0x03, 0x40, 0x20, 0, 0x04, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x20, 0, 0x20, 0, 0x10, 0, 0x0b, 0x0b, 0x0b}, []uint64{20_000, 0, 0}, 20_000},
		// if n: f(n-1); loop: the entry counts, since the call is before the loop.
		"recursion before a loop": {[]byte{0x20, 0, 0x04, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x20, 0, 0x20, 0, 0x10, 0, 0x0b, 0x03, 0x40, 0x0b}, []uint64{20_000, 0, 0}, 40_000},
		"a leaf":                  {[]byte{0x01}, []uint64{0, 0, 0}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			metered, _, err := Rewrite(code(c.body...), limits)
			if err != nil {
				t.Fatal(err)
			}
			ctx := context.Background()
			r := wazero.NewRuntime(ctx)
			defer r.Close(ctx)
			ticks := 0.0
			_, err = r.NewHostModuleBuilder(TickModule).NewFunctionBuilder().WithGoFunction(api.GoFunc(func(context.Context, []uint64) { ticks++ }), nil, nil).Export(TickName).Instantiate(ctx)
			if err != nil {
				t.Fatal(err)
			}
			m, err := r.Instantiate(ctx, metered)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.ExportedFunction("f").Call(ctx, c.args...); err != nil {
				t.Fatal(err)
			}
			if want := c.want / Interval; math.Abs(ticks-want) > 1+want/50 {
				t.Errorf("%v ticks for about %v steps, want about %.1f", ticks, c.want, want)
			}
		})
	}
}

// TestData checks that segments are joined where nothing lies between them,
// and that memory begins as it did.
func TestData(t *testing.T) {
	type segment struct {
		at   int32
		text string
	}
	far := func(n int) (all []segment) {
		for i := range n {
			all = append(all, segment{int32(60_000 - 200*i), "x"}, segment{int32(60_010 - 200*i), "y"})
		}
		return all
	}
	var random []segment
	for rng := rand.New(rand.NewPCG(1, 2)); len(random) < 2000; {
		random = append(random, segment{rng.Int32N(60_000), strings.Repeat(string(rune('a'+rng.IntN(26))), rng.IntN(40))})
	}
	for name, c := range map[string]struct {
		segments []segment
		want     uint32 // segments after
	}{
		"none":               {nil, 0},
		"at random":          {random, 0},
		"neighbours":         {[]segment{{8, "ab"}, {10, "cd"}, {20, "e"}, {85, "f"}}, 1},
		"a wide gap":         {[]segment{{8, "ab"}, {8 + 2 + 65, "cd"}}, 2},
		"empty ones":         {[]segment{{8, ""}, {30, ""}, {40, "a"}}, 1},
		"one over the other": {[]segment{{8, "abcdef"}, {10, "XY"}, {13, "Z"}}, 3},
		"the gap is taken":   {[]segment{{20, "taken"}, {10, "ab"}, {30, "cd"}}, 3},
		"the gap is free":    {[]segment{{500, "a"}, {510, "b"}, {10, "c"}, {30, "d"}, {600, "e"}}, 3},
		"over a block":       {[]segment{{500, "a"}, {480, "b"}, {510, "c"}}, 3},
		"between two":        {[]segment{{100, "a"}, {300, "b"}, {200, "c"}, {260, "d"}, {310, "e"}}, 4},
		"falling":            {far(20), 20},
	} {
		t.Run(name, func(t *testing.T) {
			section := appendU32(nil, uint32(len(c.segments)))
			want := make([]byte, 1<<16)
			for _, s := range c.segments {
				section = append(appendS32(append(section, 0, 0x41), s.at), 0x0b)
				section = appendName(section, s.text)
				copy(want[s.at:], s.text)
			}
			module := append([]byte("\x00asm\x01\x00\x00\x00"+"\x05\x03\x01\x00\x01"+"\x07\x05\x01\x01m\x02\x00"), secData)
			module = append(appendU32(module, uint32(len(section))), section...)
			metered, _, err := Rewrite(module, limits)
			if err != nil {
				t.Fatal(err)
			}
			ctx, r := newRuntime(t, 50)
			m, err := r.Instantiate(ctx, metered)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := m.Memory().Read(0, 1<<16); !bytes.Equal(got, want) {
				t.Error("memory begins otherwise than it did")
			}
			after, err := parse(metered, limits)
			if err != nil {
				t.Fatal(err)
			}
			if n := after.section(secData).u32(); n != c.want && name != "at random" {
				t.Errorf("%d segments, want %d", n, c.want)
			}
		})
	}
}

// TestSigned checks the numbers that data segments have for addresses.
func TestSigned(t *testing.T) {
	for _, v := range []int32{0, 1, 63, 64, -1, -64, -65, 1 << 20, -1 << 20, math.MaxInt32, math.MinInt32} {
		if got, ok := newReader(appendS32(nil, v)).s32(); got != v || !ok {
			t.Errorf("%d is read as %d, %v", v, got, ok)
		}
	}
	for _, bad := range [][]byte{{}, {0x80}, {0xff, 0xff, 0xff, 0xff, 0x0f}, {0x80, 0x80, 0x80, 0x80, 0x70}, {0x80, 0x80, 0x80, 0x80, 0x80, 0}} {
		if v, ok := newReader(bad).s32(); ok {
			t.Errorf("% x is read as %d", bad, v)
		}
	}
}

func TestRefuses(t *testing.T) {
	for want, wasm := range map[string][]byte{
		"not a WebAssembly module":     []byte("hello"),
		"tail calls":                   code(0x12, 0),
		"atomic instructions":          code(0xfe, 0, 2, 0),
		"exception handling":           code(0x06, 0x40, 0x0b),
		"relaxed SIMD":                 code(0xfd, 0x80, 2),
		"instruction 0xff":             code(0xff),
		"instruction fc 18":            code(0xfc, 18),
		"section 13 is not known":      append(code(), 13, 0),
		"the wrong place or twice":     append(code(), secType, 1, 0),
		"a table of 16777216 entries":  append([]byte("\x00asm\x01\x00\x00\x00"), secTable, 7, 1, 0x70, 0, 0x80, 0x80, 0x80, 8),
		"a memory of 65536 pages":      append([]byte("\x00asm\x01\x00\x00\x00"), secMemory, 5, 1, 0, 0x80, 0x80, 4),
		"2 memories":                   append([]byte("\x00asm\x01\x00\x00\x00"), secMemory, 5, 2, 0, 1, 0, 1),
		"100000 globals":               append([]byte("\x00asm\x01\x00\x00\x00"), append([]byte{secGlobal, 0x83, 0x80, 4, 0xa0, 0x8d, 6}, make([]byte, 65536)...)...),
		"shared and 64-bit memories":   append([]byte("\x00asm\x01\x00\x00\x00"), secMemory, 4, 1, 3, 1, 1),
		"the module has 67108865 byte": make([]byte, 1<<26+1),
		"60000 locals":                 localsModule(60000),
	} {
		_, _, err := Rewrite(wasm, limits)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func localsModule(n uint32) []byte {
	body := append(appendU32([]byte{1}, n-3), 0x7f, 0x0b)
	out := []byte("\x00asm\x01\x00\x00\x00" + "\x01\x07\x01\x60\x03\x7f\x7f\x7f\x00" + "\x03\x02\x01\x00")
	return appendSection(out, secCode, append(appendU32([]byte{1}, uint32(len(body))), body...))
}

// FuzzRewrite checks that the rewriter neither fails badly nor makes a valid
// module out of an invalid one or the other way round.
func FuzzRewrite(f *testing.F) {
	f.Add(code(0x03, 0x40, 0x0c, 0, 0x0b))
	for i, file := range specModules(f) {
		if b, err := os.ReadFile(file); err == nil && i%40 == 0 && len(b) < 4096 {
			f.Add(b)
		}
	}
	small := limits
	small.Functions, small.MemoryPages, small.TableEntries = 1<<10, 4, 1<<10
	f.Fuzz(func(t *testing.T, wasm []byte) {
		metered, _, err := Rewrite(wasm, small)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2).WithMemoryLimitPages(4))
		defer r.Close(ctx)
		_, before := r.CompileModule(ctx, wasm)
		_, after := r.CompileModule(ctx, metered)
		if before != nil && strings.Contains(before.Error(), "custom") {
			return // names that cannot be read are dropped
		}
		if (before == nil) != (after == nil) {
			t.Fatalf("before: %v\nrewritten: %v", before, after)
		}
	})
}
