package lmm

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/seed-4012077a/flow/sdk/dense"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/internal/reftest"
)

const (
	dailyFormula = "engaging ~ lambda + I(lambda^2) + I(lambda^3) + personalised + domain + session + lambda:personalised + lambda:domain + lambda:session + personalised:session + domain:session + (1 + session | pid)"
	instFormula  = "y ~ 1 + service + (1 | s) + (1 | d)"
)

func benchDesign(b *testing.B, fr *frame.Frame, text string) *formula.Design {
	f, err := formula.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	d, err := f.Design(fr, formula.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return d
}

func benchFit(b *testing.B, d *formula.Design, o Options, contrast bool) {
	l := make([]float64, len(d.Names))
	l[0] = 1
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		m, err := Fit(d, o)
		if err != nil {
			b.Fatal(err)
		}
		if contrast {
			if _, _, _, err := m.Contrast(l); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(m.Evaluations()), "evaluations")
	}
}

// 42,588 rows, 2,028 participants, random intercept and slope.
func BenchmarkDaily42588(b *testing.B) {
	d := benchDesign(b, trialTable(b, "daily_full42588.csv", "session"), dailyFormula)
	b.Run("REML", func(b *testing.B) { benchFit(b, d, Options{REML: true}, false) })
	b.Run("Satterthwaite", func(b *testing.B) { benchFit(b, d, Options{REML: true}, true) })
	b.Run("KenwardRoger", func(b *testing.B) { benchFit(b, d, Options{REML: true, DF: KenwardRoger}, true) })
}

// 7,488 rows, 1,961 participants; weighted, each participant has a cell of
// its own.
func BenchmarkWeekly(b *testing.B) {
	fr := trialTable(b, "weekly.csv", "week")
	pid, _ := fr.Column("pid")
	w := make([]float64, fr.Rows())
	for i := range w {
		w[i] = 1 + float64(pid.Codes[i])/1000
	}
	if err := fr.AddNumeric("w", w); err != nil {
		b.Fatal(err)
	}
	text := strings.NewReplacer("engaging", "reliance", "session", "week").Replace(dailyFormula)
	d := benchDesign(b, fr, text)
	b.Run("KenwardRoger", func(b *testing.B) { benchFit(b, d, Options{REML: true, DF: KenwardRoger}, true) })
	f, _ := formula.Parse(text)
	weighted, err := f.Design(fr, formula.Options{Weights: "w"})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("WeightedKenwardRoger", func(b *testing.B) { benchFit(b, weighted, Options{REML: true, DF: KenwardRoger}, true) })
}

// A fit to another response of the same model, as a bootstrap or a power
// simulation makes by the thousand.
func BenchmarkRefit(b *testing.B) {
	text := strings.NewReplacer("engaging", "reliance", "session", "week").Replace(dailyFormula)
	m, err := Fit(benchDesign(b, trialTable(b, "weekly.csv", "week"), text), Options{REML: true})
	if err != nil {
		b.Fatal(err)
	}
	y, err := m.Simulate(1, 1)
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if _, err := m.Refit(y[0]); err != nil {
			b.Fatal(err)
		}
	}
}

func instFrame(b *testing.B) *frame.Frame {
	return readFrame(b, filepath.Join(reftest.Shared(b), "real", "InstEval.csv"), "s", "d", "dept", "service")
}

// 73,421 rows, 2,972 and 1,128 crossed levels.
func BenchmarkInstEval(b *testing.B) {
	fr := instFrame(b)
	d := benchDesign(b, fr, instFormula)
	b.Run("REML", func(b *testing.B) { benchFit(b, d, Options{REML: true}, false) })
	b.Run("Satterthwaite", func(b *testing.B) { benchFit(b, d, Options{REML: true}, true) })
	three := benchDesign(b, fr, instFormula+" + (1 | dept)")
	b.Run("ThreeFactorsML", func(b *testing.B) { benchFit(b, three, Options{}, false) })
}

// The same inside WebAssembly, with matrix products and triangular solves done
// by the host as flow does them. Times are the guest's own: design and fit, the
// fit, degrees of freedom.
func BenchmarkGuest(b *testing.B) {
	dir := filepath.Join(reftest.Shared(b), "")
	for _, c := range []struct{ name, file, text, method, factors string }{
		{"Daily42588", "sim/daily_full42588.csv", dailyFormula, "reml", "personalised"},
		{"WeeklyKenwardRoger", "sim/weekly.csv", strings.NewReplacer("engaging", "reliance", "session", "week").Replace(dailyFormula), "kr", "personalised"},
		{"InstEval", "real/InstEval.csv", instFormula, "reml", "s,d,service"},
	} {
		b.Run(c.name, func(b *testing.B) {
			in, err := os.ReadFile(filepath.Join(dir, c.file))
			if err != nil {
				b.Fatal(err)
			}
			out := runGuest(b, in, c.text, c.method, c.factors, fmt.Sprint(b.N))
			var both, fit, df float64
			lines := strings.Split(strings.TrimSpace(out), "\n")
			for _, line := range lines {
				var crit, x, y, z float64
				if _, err := fmt.Sscan(line, &crit, &x, &y, &z); err != nil {
					b.Fatal(err, out)
				}
				both, fit, df = both+x, fit+y, df+z
			}
			n := float64(len(lines))
			b.ReportMetric(1e3*both/n, "ms/design+fit")
			b.ReportMetric(1e3*fit/n, "ms/fit")
			b.ReportMetric(1e3*df/n, "ms/df")
		})
	}
}

func runGuest(b *testing.B, in []byte, args ...string) string {
	b.Helper()
	wasm := filepath.Join(b.TempDir(), "guest.wasm")
	build := exec.Command("go", "build", "-o", wasm, "./testdata/guest")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatal(string(out), err)
	}
	code, err := os.ReadFile(wasm)
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	rt := wazero.NewRuntime(ctx)
	defer rt.Close(ctx)
	wasi_snapshot_preview1.MustInstantiate(ctx, rt)
	host := rt.NewHostModuleBuilder("flow")
	host.NewFunctionBuilder().WithFunc(func(_ context.Context, m api.Module, flags, rows, n, k uint32, alpha float64, a, lda, bb, ldb, c, ldc uint32) {
		ar, ac, br, bc := rows, k, k, n
		if flags&1 != 0 {
			ar, ac = ac, ar
		}
		if flags&2 != 0 {
			br, bc = bc, br
		}
		f := dense.Gemm
		if flags&4 != 0 {
			f = dense.GemmLower
		}
		if err := f(flags&1 != 0, flags&2 != 0, alpha, view(m, a, ar, ac, lda), view(m, bb, br, bc, ldb), view(m, c, rows, n, ldc)); err != nil {
			panic(err)
		}
	}).Export("num_gemm")
	host.NewFunctionBuilder().WithFunc(func(_ context.Context, m api.Module, flags, rows, n, l, ldl, bb, ldb uint32) {
		size := rows
		if flags&1 != 0 {
			size = n
		}
		if err := dense.Trsm(dense.Side(flags&1 != 0), flags&2 != 0, view(m, l, size, size, ldl), view(m, bb, rows, n, ldb)); err != nil {
			panic(err)
		}
	}).Export("num_trsm")
	if _, err := host.Instantiate(ctx); err != nil {
		b.Fatal(err)
	}
	var out, errs bytes.Buffer
	b.ResetTimer()
	_, err = rt.InstantiateWithConfig(ctx, code, wazero.NewModuleConfig().WithArgs(append([]string{"guest"}, args...)...).
		WithStdin(bytes.NewReader(in)).WithStdout(&out).WithStderr(&errs).WithSysNanotime().WithSysWalltime())
	if err != nil && !strings.Contains(err.Error(), "exit_code(0)") {
		b.Fatal(err, errs.String())
	}
	return out.String()
}

// view is a matrix in guest memory.
func view(m api.Module, at, rows, cols, stride uint32) dense.Matrix {
	if rows == 0 || cols == 0 {
		return dense.Matrix{Rows: int(rows), Cols: int(cols), Stride: int(stride)}
	}
	n := (rows-1)*stride + cols
	b, ok := m.Memory().Read(at, 8*n)
	if !ok {
		panic("outside of memory")
	}
	return dense.Matrix{Rows: int(rows), Cols: int(cols), Stride: int(stride), Data: unsafe.Slice((*float64)(unsafe.Pointer(&b[0])), n)}
}
