package design

import (
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
