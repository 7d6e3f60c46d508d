package estimate

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// Methods are the corrections that Adjust knows.
func Methods() []string {
	return []string{"none", "bonferroni", "holm", "hochberg", "hommel", "BH", "BY"}
}

// CheckMethod says whether Adjust knows a method, with the valid ones if not.
// "fdr" is another name of BH.
func CheckMethod(method string) error {
	if _, ok := known(method); !ok {
		return fmt.Errorf("no correction %q: %s", method, frame.Choices(method, Methods()))
	}
	return nil
}

func known(method string) (string, bool) {
	if method == "" {
		return "none", true
	}
	if strings.EqualFold(method, "fdr") {
		return "BH", true
	}
	for _, m := range Methods() {
		if strings.EqualFold(m, method) {
			return m, true
		}
	}
	return "", false
}

// Adjust corrects p-values for their number n, as R's p.adjust. NaN stands for
// an absent test: it stays NaN and is not counted. CheckMethod tells unknown
// methods; Adjust gives NaN for all under one.
//
// With p sorted, p(1) <= ... <= p(n):
//
//	bonferroni  n p
//	holm        max over j <= i of (n-j+1) p(j)          (Holm 1979)
//	hochberg    min over j >= i of (n-j+1) p(j)          (Hochberg 1988)
//	BH          min over j >= i of n/j p(j)              (Benjamini, Hochberg 1995)
//	BY          BH times sum of 1/k                      (Benjamini, Yekutieli 2001)
//	hommel      closed test by Simes                     (Hommel 1988)
//
// none above 1.
func Adjust(p []float64, method string) []float64 {
	out := make([]float64, len(p))
	name, ok := known(method)
	var at []int
	for i, v := range p {
		out[i] = math.NaN()
		if !math.IsNaN(v) && ok {
			at = append(at, i)
		}
	}
	sort.SliceStable(at, func(i, j int) bool { return p[at[i]] < p[at[j]] })
	sorted := make([]float64, len(at))
	for i, k := range at {
		sorted[i] = p[k]
	}
	for i, v := range adjustSorted(sorted, name) {
		out[at[i]] = math.Min(1, v)
	}
	return out
}

func adjustSorted(p []float64, method string) []float64 {
	n := len(p)
	out := make([]float64, n)
	up := func(f func(i int) float64) { // running minimum from the largest
		least := math.Inf(1)
		for i := n - 1; i >= 0; i-- {
			least = math.Min(least, f(i)*p[i])
			out[i] = least
		}
	}
	switch method {
	case "none":
		copy(out, p)
	case "bonferroni":
		for i, v := range p {
			out[i] = float64(n) * v
		}
	case "holm":
		most := 0.0
		for i, v := range p {
			most = math.Max(most, float64(n-i)*v)
			out[i] = most
		}
	case "hochberg":
		up(func(i int) float64 { return float64(n - i) })
	case "BH":
		up(func(i int) float64 { return float64(n) / float64(i+1) })
	case "BY":
		sum := 0.0
		for k := 1; k <= n; k++ {
			sum += 1 / float64(k)
		}
		up(func(i int) float64 { return sum * float64(n) / float64(i+1) })
	case "hommel":
		return hommel(p)
	}
	return out
}

// hommel is Wright's (1992) algorithm for Hommel's procedure.
func hommel(p []float64) []float64 {
	n := len(p)
	if n < 2 {
		return append([]float64(nil), p...)
	}
	least := math.Inf(1)
	for i, v := range p {
		least = math.Min(least, float64(n)*v/float64(i+1))
	}
	pa, q := make([]float64, n), make([]float64, n)
	for i := range pa {
		pa[i], q[i] = least, least
	}
	for m := n - 1; m >= 2; m-- {
		// i1 = the first n-m+1, i2 = the others
		first := n - m + 1
		q1 := math.Inf(1)
		for k := 2; k <= m; k++ {
			q1 = math.Min(q1, float64(m)*p[first+k-2]/float64(k))
		}
		for i := 0; i < first; i++ {
			q[i] = math.Min(float64(m)*p[i], q1)
		}
		for i := first; i < n; i++ {
			q[i] = q[n-m]
		}
		for i := range pa {
			pa[i] = math.Max(pa[i], q[i])
		}
	}
	for i, v := range p {
		pa[i] = math.Max(pa[i], v)
	}
	return pa
}
