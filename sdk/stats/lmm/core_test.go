package lmm

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"testing"
	"time"
)

type table map[string][]string

func readTable(t testing.TB, path string) table {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := table{}
	for j, name := range rows[0] {
		for _, r := range rows[1:] {
			out[name] = append(out[name], r[j])
		}
	}
	return out
}

func (tb table) num(name string) []float64 {
	out := make([]float64, len(tb[name]))
	for i, s := range tb[name] {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			panic(err)
		}
		out[i] = v
	}
	return out
}

func (tb table) group(names ...string) ([]int32, []string) {
	n := len(tb[names[0]])
	key := make([]string, n)
	set := map[string]bool{}
	for i := range key {
		for _, nm := range names {
			key[i] += ":" + tb[nm][i]
		}
		set[key[i]] = true
	}
	var levels []string
	for k := range set {
		levels = append(levels, k)
	}
	sort.Strings(levels)
	at := map[string]int32{}
	for i, k := range levels {
		at[k] = int32(i)
	}
	idx := make([]int32, n)
	for i, k := range key {
		idx[i] = at[k]
	}
	return idx, levels
}

func ones(n int) []float64 {
	o := make([]float64, n)
	for i := range o {
		o[i] = 1
	}
	return o
}

func bind(cols ...[]float64) []float64 {
	n, p := len(cols[0]), len(cols)
	out := make([]float64, n*p)
	for j, c := range cols {
		for i, v := range c {
			out[i*p+j] = v
		}
	}
	return out
}

func daily(t testing.TB, file, y, time string, shift float64) *data {
	tb := readTable(t, filepath.Join(shared(t), "sim", file))
	lam, ses := tb.num("lambda"), tb.num(time)
	n := len(lam)
	dom, pers := make([]float64, n), make([]float64, n)
	for i := range dom {
		ses[i] += shift
		if tb["domain"][i] == "emotional" {
			dom[i] = 1
		}
		if tb["personalised"][i] == "1" {
			pers[i] = 1
		}
	}
	mul := func(a, b []float64) []float64 {
		o := make([]float64, n)
		for i := range o {
			o[i] = a[i] * b[i]
		}
		return o
	}
	l2 := mul(lam, lam)
	idx, lev := tb.group("pid")
	x := bind(ones(n), lam, l2, mul(l2, lam), pers, dom, ses, mul(lam, pers), mul(lam, dom), mul(lam, ses), mul(pers, ses), mul(dom, ses))
	names := []string{"(Intercept)", "lambda", "l2", "l3", "personalisedyes", "domainemotional", time, "lp", "ld", "ls", "ps", "ds"}
	return &data{y: tb.num(y), x: x, p: 12, names: names,
		random: []randomTerm{{text: "1 + " + time + " | pid", group: "pid", levels: lev, index: idx, z: bind(ones(n), ses), names: []string{"(Intercept)", time}, correlated: true}}}
}

func TestDailyFull(t *testing.T) {
	d := daily(t, "daily_full42588.csv", "engaging", "session", 1)
	q, err := newProblem(d)
	if err != nil {
		t.Fatal(err)
	}
	f := &profile{q: q, k: newKernel(q), reml: true}
	s, err := f.minimise(q.start())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(len(f.k.(*oneFactor).cells), s.steps, f.evals, s.gap, s.pt.dev, s.pt.theta, q.uncentre(s.pt.beta)[:3], math.Sqrt(s.pt.r2/s.pt.nu), s.pt.grad)
	// check gradient
	th := []float64{0.5, -0.2, 0.7}
	pt, _ := f.at(th)
	h, _ := f.hessian(pt, true)
	for i := range th {
		a := append([]float64(nil), th...)
		b := append([]float64(nil), th...)
		a[i] += 1e-4
		b[i] -= 1e-4
		pa, _ := f.at(a)
		f.differentiate(pa)
		pb, _ := f.at(b)
		f.differentiate(pb)
		fmt.Println(pt.grad[i], (pa.dev-pb.dev)/2e-4)
		for j := range th {
			fmt.Println("  ", h.profiled[i*3+j], (pa.grad[j]-pb.grad[j])/2e-4)
		}
	}
}

func BenchmarkDaily(b *testing.B) {
	d := daily(b, "daily_full42588.csv", "engaging", "session", 1)
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		q, _ := newProblem(d)
		f := &profile{q: q, k: newKernel(q), reml: true}
		if _, err := f.minimise(q.start()); err != nil {
			b.Fatal(err)
		}
	}
}

func fitBare(t testing.TB, d *data, reml bool) (*profile, *search) {
	q, err := newProblem(d)
	if err != nil {
		t.Fatal(err)
	}
	f := &profile{q: q, k: newKernel(q), reml: reml}
	s, err := f.minimise(q.start())
	if err != nil {
		t.Fatal(err)
	}
	return f, s
}

func gradientCheck(f *profile, th []float64) {
	pt, _ := f.at(th)
	h, err := f.hessian(pt, true)
	fmt.Println(h.exact, err)
	d := len(th)
	for i := range th {
		a := append([]float64(nil), th...)
		b := append([]float64(nil), th...)
		a[i] += 1e-4
		b[i] -= 1e-4
		pa, _ := f.at(a)
		f.differentiate(pa)
		pb, _ := f.at(b)
		f.differentiate(pb)
		fmt.Println(pt.grad[i], (pa.dev-pb.dev)/2e-4)
		for j := range th {
			fmt.Println("  ", h.profiled[i*d+j], (pa.grad[j]-pb.grad[j])/2e-4)
		}
	}
}

func instEval(t testing.TB, dept bool) *data {
	tb := readTable(t, filepath.Join(shared(t), "real", "InstEval.csv"))
	y := tb.num("y")
	n := len(y)
	d := &data{y: y, p: 2, names: []string{"(Intercept)", "service1"}, x: bind(ones(n), tb.num("service"))}
	gs := []string{"s", "d"}
	if dept {
		gs = append(gs, "dept")
	}
	for _, g := range gs {
		idx, lev := tb.group(g)
		d.random = append(d.random, randomTerm{text: "1 | " + g, group: g, levels: lev, index: idx, z: ones(n), names: []string{"(Intercept)"}, correlated: true})
	}
	return d
}

func TestInst(t *testing.T) {
	for _, dept := range []bool{false, true} {
		d := instEval(t, dept)
		t0 := time.Now()
		f, s := fitBare(t, d, !dept)
		fmt.Println(time.Since(t0), s.steps, f.evals, s.gap, s.pt.dev, s.pt.theta, math.Sqrt(s.pt.r2/s.pt.nu), f.q.uncentre(s.pt.beta), s.pt.grad)
	}
}

func TestPen(t *testing.T) {
	tb := readTable(t, filepath.Join(shared(t), "real", "Penicillin.csv"))
	y := tb.num("diameter")
	n := len(y)
	x := make([]float64, n)
	for i := range x {
		x[i] = float64(i%5) - 2
	}
	d := &data{y: y, p: 1, names: []string{"(Intercept)"}, x: ones(n)}
	for _, g := range []string{"plate", "sample"} {
		idx, lev := tb.group(g)
		d.random = append(d.random, randomTerm{text: "1 | " + g, group: g, levels: lev, index: idx, z: ones(n), names: []string{"(Intercept)"}, correlated: true})
	}
	f, s := fitBare(t, d, true)
	fmt.Println(s.steps, f.evals, s.gap, s.pt.dev, s.pt.theta)
	gradientCheck(f, []float64{.8, 1.3})
	gradientCheck(f, []float64{.8, 0.005})
	d.random[0].z = bind(ones(n), x)
	d.random[0].names = []string{"(Intercept)", "x"}
	d.random[1].z = bind(ones(n), x)
	d.random[1].names = []string{"(Intercept)", "x"}
	f, s = fitBare(t, d, true)
	fmt.Println(s.steps, f.evals, s.gap, s.pt.dev, s.pt.theta)
	gradientCheck(f, []float64{.8, 1.3, .5, .4, -.3, .7})
	gradientCheck(f, []float64{.8, 1.3, .5, .4, -.3, .001})
}
