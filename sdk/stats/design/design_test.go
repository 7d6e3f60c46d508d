package design

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestBlocks(t *testing.T) {
	l := List{
		Factors: []Factor{{Name: "lambda", Levels: []string{"-1", "0", "1"}, Ratio: []int{1, 2, 1}}, {Name: "domain", Levels: []string{"a", "b"}}},
		Strata:  []Factor{{Name: "site", Levels: []string{"x", "y", "z"}}},
		Blocks:  []int{1, 2}, N: 50,
	}
	got, err := l.Make(7)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := l.Make(7)
	other, _ := l.Make(8)
	same, differ := true, false
	for i := range got {
		same = same && slices.Equal(got[i].Levels, again[i].Levels)
		differ = differ || i < len(other) && !slices.Equal(got[i].Levels, other[i].Levels)
	}
	if !same || !differ {
		t.Errorf("one seed gives one list: %v; another seed gives another: %v", same, differ)
	}
	// In every block each arm stands in its ratio.
	type key struct{ stratum, block int }
	counts, sizes := map[key]map[[2]int]int{}, map[key]int{}
	perStratum := map[int]int{}
	for _, a := range got {
		k := key{a.Stratum, a.Block}
		if counts[k] == nil {
			counts[k] = map[[2]int]int{}
		}
		counts[k][[2]int{a.Levels[0], a.Levels[1]}]++
		sizes[k]++
		perStratum[a.Stratum]++
		if a.Place != perStratum[a.Stratum] {
			t.Fatalf("place %d of stratum %d is numbered %d", perStratum[a.Stratum], a.Stratum, a.Place)
		}
	}
	seen := map[int]bool{}
	for k, c := range counts {
		times := sizes[k] / 8
		seen[times] = true
		if sizes[k]%8 != 0 || times < 1 || times > 2 {
			t.Fatalf("block %v has %d places", k, sizes[k])
		}
		for lambda, ratio := range []int{1, 2, 1} {
			for domain := range 2 {
				if n := c[[2]int{lambda, domain}]; n != ratio*times {
					t.Errorf("block %v: arm (%d, %d) %d times, want %d", k, lambda, domain, n, ratio*times)
				}
			}
		}
	}
	if len(perStratum) != 3 || perStratum[0] < 50 || !seen[1] || !seen[2] {
		t.Errorf("strata %v, sizes of blocks %v", perStratum, seen)
	}
	if levels, err := l.StratumLevels(2); err != nil || levels[0] != 2 {
		t.Errorf("stratum 2: %v, %v", levels, err)
	}
}

// TestEveryOrder: all orders of a block are equally likely. With 3! orders and
// 6,000 blocks each is expected 1,000 times, SD 29.
func TestEveryOrder(t *testing.T) {
	l := List{Factors: []Factor{{Name: "arm", Levels: []string{"a", "b", "c"}}}, N: 18_000}
	got, err := l.Make(1)
	if err != nil {
		t.Fatal(err)
	}
	orders := map[[3]int]int{}
	for i := 0; i+2 < len(got); i += 3 {
		orders[[3]int{got[i].Levels[0], got[i+1].Levels[0], got[i+2].Levels[0]}]++
	}
	chi2 := 0.0
	for _, n := range orders {
		chi2 += float64((n-1000)*(n-1000)) / 1000
	}
	if len(orders) != 6 || chi2 > 20.5 { // the upper 0.1% of chi-squared with 5 df
		t.Errorf("orders %v, chi-squared %.1f", orders, chi2)
	}
}

func TestListErrors(t *testing.T) {
	arm := Factor{Name: "arm", Levels: []string{"a", "b"}}
	for want, l := range map[string]List{
		"no factor":            {N: 3},
		"give 1 to":            {Factors: []Factor{arm}},
		"given twice":          {Factors: []Factor{arm, arm}, N: 3},
		"twice":                {Factors: []Factor{{Name: "arm", Levels: []string{"a", "a"}}}, N: 3},
		"has no levels":        {Factors: []Factor{{Name: "arm"}}, N: 3},
		"one for each level":   {Factors: []Factor{{Name: "arm", Levels: []string{"a"}, Ratio: []int{1, 2}}}, N: 3},
		"a whole number":       {Factors: []Factor{{Name: "arm", Levels: []string{"a"}, Ratio: []int{0}}}, N: 3},
		"a block size of 0":    {Factors: []Factor{arm}, Blocks: []int{1, 0}, N: 3},
		"strata: factor \"s\"": {Factors: []Factor{arm}, Strata: []Factor{{Name: "s"}}, N: 3},
		"a block of more than": {Factors: []Factor{{Name: "arm", Levels: []string{"a", "b"}, Ratio: []int{1, 1 << 30}}}, N: 3},
	} {
		if _, err := l.Make(1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", l, err, want)
		}
	}
}

func TestFlow(t *testing.T) {
	stages := []string{"assessed", "randomised", "treated", "analysed"}
	people := []Participant{
		{Reached: 0, Reason: "declined"}, {Reached: 0, Reason: "declined"}, {Reached: 0},
		{Arm: "a", Reached: 1, Reason: "never came"}, {Arm: "a", Reached: 3}, {Arm: "a", Reached: 3},
		{Arm: "b", Reached: 2}, {Arm: "b", Reached: 3},
	}
	got, err := Flow(stages, "randomised", []string{"a", "b"}, people)
	if err != nil {
		t.Fatal(err)
	}
	want := []Box{
		{"assessed", "", 8, 3, []Reason{{"declined", 2}, {"", 1}}},
		{"randomised", "a", 3, 1, []Reason{{"never came", 1}}}, {"randomised", "b", 2, 0, nil},
		{"treated", "a", 2, 0, nil}, {"treated", "b", 2, 1, []Reason{{"", 1}}},
		{"analysed", "a", 2, 0, nil}, {"analysed", "b", 1, 0, nil},
	}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i].Stage != want[i].Stage || got[i].Arm != want[i].Arm || got[i].N != want[i].N || got[i].Lost != want[i].Lost || !slices.Equal(got[i].Reasons, want[i].Reasons) {
			t.Errorf("box %d: %+v, want %+v", i, got[i], want[i])
		}
	}
	for _, bad := range []struct {
		from string
		p    Participant
		want string
	}{
		{"randomized", Participant{}, "is none of"},
		{"randomised", Participant{Reached: 1, Arm: "c"}, `the arm "c"`},
		{"randomised", Participant{Reached: 4}, "stage 5 of 4"},
	} {
		if _, err := Flow(stages, bad.from, []string{"a", "b"}, []Participant{bad.p}); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// twoTimes is a trial with known means, variances and attrition.
func twoTimes(n int) Trial {
	return Trial{
		Participants: n, Factors: []Factor{{Name: "lambda", Levels: []string{"-1", "0", "1"}}, {Name: "domain", Levels: []string{"a", "b"}}},
		Covariates: []Factor{{Name: "pole", Levels: []string{"x", "y"}, Ratio: []int{1, 3}}},
		Time:       "week", Times: []float64{0, 2},
		Outcomes: []Outcome{
			{Name: "liking", Mean: Mean{"~ lambda * week + domain", map[string]float64{"(Intercept)": 50, "lambda": 3, "domainb": -2, "lambda:week": 1}}, SDIntercept: 4, SDSlope: 2, Correlation: -0.5, SD: 3},
			{Name: "left", Mean: Mean{"~ 1", map[string]float64{"(Intercept)": -1}}, Family: "binomial", Last: true},
		},
		Attrition: Mean{"~ lambda", map[string]float64{"(Intercept)": -1, "lambda": -1}},
	}
}

// TestSimulate checks moments of a large simulated trial against what was
// stated. The limits are more than four standard errors wide.
func TestSimulate(t *testing.T) {
	const n = 60_000
	fr, err := twoTimes(n).Simulate(3)
	if err != nil {
		t.Fatal(err)
	}
	num := func(name string) []float64 {
		c, ok := fr.Column(name)
		if !ok || c.Num == nil {
			t.Fatalf("no numeric column %q among %q", name, fr.Names())
		}
		return c.Num
	}
	lambda, week, liking, left := num("lambda"), num("week"), num("liking"), num("left")
	domain, _ := fr.Column("domain")
	mark, ok := fr.Column(Simulated)
	if !ok || mark.Levels[mark.Codes[0]] != Simulated {
		t.Fatal("rows are not marked as simulated")
	}
	// At week 0 (one from the mean of the times): mean 50 + 3 lambda - 2 b;
	// variance 16 + 4 - 2*(-0.5)*4*2 + 9 = 37. At week 2: 50 + 5 lambda - 2 b.
	sum, sq, count := map[[3]float64]float64{}, map[[3]float64]float64{}, map[[3]float64]float64{}
	gone, there := map[float64]float64{}, map[float64]float64{}
	ones, asked := 0.0, 0.0
	for i := range liking {
		k := [3]float64{lambda[i], float64(domain.Codes[i]), week[i]}
		sum[k] += liking[i]
		sq[k] += liking[i] * liking[i]
		count[k]++
		if week[i] == 0 {
			there[lambda[i]]++
			if i+1 == len(week) || week[i+1] == 0 {
				gone[lambda[i]]++
			}
			if left[i] == left[i] {
				t.Fatal("an outcome of the last time is measured at the first")
			}
		} else {
			ones += left[i]
			asked++
		}
	}
	for k, c := range count {
		want := 50 + 3*k[0] - 2*k[1]
		if k[2] == 2 {
			want += 2 * k[0]
		}
		m := sum[k] / c
		if d := m - want; d*d*c > 16*50 {
			t.Errorf("lambda %v, domain %v, week %v: mean %.3f, want %.3f", k[0], k[1], k[2], m, want)
		}
		variance := sq[k]/c - m*m
		wantVar := 37.0
		if k[2] == 2 {
			wantVar = 21 // 16 + 4 + 2*(-0.5)*4*2 + 9
		}
		if variance < 0.92*wantVar || variance > 1.08*wantVar {
			t.Errorf("%v: variance %.2f, want %.2f", k, variance, wantVar)
		}
	}
	for l, want := range map[float64]float64{-1: 0.5, 0: 0.26894, 1: 0.11920} {
		if got := gone[l] / there[l]; got < want-0.015 || got > want+0.015 {
			t.Errorf("lambda %v: %.4f left, want %.4f", l, got, want)
		}
	}
	if got := ones / asked; got < 0.26 || got > 0.278 {
		t.Errorf("share of ones %.4f, want 0.2689", got)
	}
	if got := float64(len(there)); got != 3 || there[0] != n/3 {
		t.Errorf("arms %v", there)
	}
}

func TestSimulateRepeats(t *testing.T) {
	a, err := twoTimes(50).Simulate(9)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := twoTimes(50).Simulate(9)
	c, _ := twoTimes(50).Simulate(10)
	x, _ := a.Column("liking")
	y, _ := b.Column("liking")
	z, _ := c.Column("liking")
	if !slices.Equal(x.Num, y.Num) || slices.Equal(x.Num, z.Num) {
		t.Error("one seed gives one trial, another seed another")
	}
}

func TestSimulateBounds(t *testing.T) {
	low, high := 1.0, 7.0
	tr := Trial{Participants: 500, Outcomes: []Outcome{{Name: "y", Mean: Mean{"~ 1", map[string]float64{"(Intercept)": 6}}, SD: 3, Min: &low, Max: &high, Step: 0.5}}, Missing: 0.2}
	fr, err := tr.Simulate(1)
	if err != nil {
		t.Fatal(err)
	}
	y, _ := fr.Column("y")
	missing := 0
	for _, v := range y.Num {
		if v != v {
			missing++
		} else if v < 1 || v > 7 || v*2 != float64(int(v*2)) {
			t.Fatalf("value %v", v)
		}
	}
	if missing < 60 || missing > 140 {
		t.Errorf("%d of 500 missing, about 100 were asked for", missing)
	}
}

func TestSimulateErrors(t *testing.T) {
	for want, change := range map[string]func(*Trial){
		"no outcome":                  func(tr *Trial) { tr.Outcomes = nil },
		"at least one participant":    func(tr *Trial) { tr.Participants = 0 },
		"given together":              func(tr *Trial) { tr.Time = "" },
		"no coefficient \"lamda\"":    func(tr *Trial) { tr.Outcomes[0].Coefficients = map[string]float64{"lamda": 1} },
		"unknown family":              func(tr *Trial) { tr.Outcomes[0].Family = "poisson" },
		"no column \"dose\"":          func(tr *Trial) { tr.Outcomes[0].Formula = "~ dose" },
		"residual standard deviation": func(tr *Trial) { tr.Outcomes[0].SD = 0 },
		"a probability":               func(tr *Trial) { tr.Missing = 1 },
		"attrition":                   func(tr *Trial) { tr.Attrition.Formula = "~ dose" },
		"times are":                   func(tr *Trial) { tr.Times = []float64{2, 1} },
		"of a slope of time":          func(tr *Trial) { tr.Time, tr.Times, tr.Attrition = "", nil, Mean{} },
		"the fixed effects only":      func(tr *Trial) { tr.Outcomes[0].Formula = "lambda ~ week" },
	} {
		tr := twoTimes(20)
		change(&tr)
		if _, err := tr.Simulate(1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestSimulateRareLevels: what coefficients mean does not depend on which
// levels were drawn, nor on whether the drawn ones determine them.
func TestSimulateRareLevels(t *testing.T) {
	tr := Trial{Participants: 4, Factors: []Factor{{Name: "lambda", Levels: []string{"-1", "0", "1"}}},
		Covariates: []Factor{{Name: "use", Levels: []string{"rare", "often"}, Ratio: []int{1, 200}}},
		Outcomes:   []Outcome{{Name: "y", Mean: Mean{"~ use * lambda + I(lambda^2)", map[string]float64{"(Intercept)": 10, "useoften": 5, "useoften:lambda": 100}}, SD: 1e-9}}}
	for seed := range uint64(20) {
		fr, err := tr.Simulate(seed)
		if err != nil {
			t.Fatal(err)
		}
		y, _ := fr.Column("y")
		use, _ := fr.Column("use")
		lambda, _ := fr.Column("lambda")
		for i, v := range y.Num {
			want := 10.0
			if use.Levels[use.Codes[i]] == "often" {
				want += 5 + 100*lambda.Num[i]
			}
			if math.Abs(v-want) > 1e-6 {
				t.Fatalf("seed %d, %s at %v: %v, want %v", seed, use.Levels[use.Codes[i]], lambda.Num[i], v, want)
			}
		}
	}
}

func TestSummarise(t *testing.T) {
	nan := math.NaN()
	got, err := Summarise([]Result{
		{Test: "a", Estimate: 1, Lower: 0, Upper: 2, P: 0.01}, {Test: "b", Fault: "one level", Estimate: nan, P: nan},
		{Test: "a", Estimate: 3, Lower: 1, Upper: 5, P: 0.06}, {Test: "a", Estimate: 2, Lower: 1, Upper: 3, P: 0.03},
	}, 0.05, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	// Wilson limits of 2 of 3: R's prop.test(2, 3, correct = FALSE).
	a := got[0]
	if a.Trials != 3 || a.Rejected != 2 || a.Mean != 2 || a.SD != 1 || math.Abs(a.Lower-0.207659600802048) > 1e-12 || math.Abs(a.Upper-0.938508055279604) > 1e-12 || math.Abs(a.Width-8.0/3) > 1e-12 {
		t.Errorf("%+v", a)
	}
	if b := got[1]; b.Failed != 1 || b.Trials != 0 || b.Fault != "one level" || !math.IsNaN(b.Power) {
		t.Errorf("%+v", b)
	}
}
