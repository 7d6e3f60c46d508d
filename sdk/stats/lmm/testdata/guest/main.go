// Command guest fits a mixed model inside WebAssembly: a CSV on standard
// input, the formula, "reml", "ml" or "kr", the factors' names and the number of
// fits as arguments. It prints the criterion and the seconds of each fit: design
// and fit, the fit alone, and degrees of freedom (Kenward and Roger's for "kr",
// else Satterthwaite's).
package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
	"github.com/seed-4012077a/flow/sdk/stats/lmm"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(text, method, factors, times string) error {
	n, err := strconv.Atoi(times)
	if err != nil {
		return err
	}
	fr, err := read(strings.Split(factors, ","))
	if err != nil {
		return err
	}
	f, err := formula.Parse(text)
	if err != nil {
		return err
	}
	for i := 0; i < n; i++ {
		t0 := time.Now()
		d, err := f.Design(fr, formula.Options{})
		if err != nil {
			return err
		}
		t1 := time.Now()
		o := lmm.Options{REML: method != "ml"}
		if method == "kr" {
			o.DF = lmm.KenwardRoger
		}
		m, err := lmm.Fit(d, o)
		if err != nil {
			return err
		}
		t2 := time.Now()
		l := make([]float64, len(d.Names))
		l[0] = 1
		if _, _, _, err := m.Contrast(l); err != nil {
			return err
		}
		t3 := time.Now()
		fmt.Printf("%.9f %.6f %.6f %.6f\n", m.Criterion(), t2.Sub(t0).Seconds(), t2.Sub(t1).Seconds(), t3.Sub(t2).Seconds())
	}
	return nil
}

func read(factors []string) (*frame.Frame, error) {
	rows, err := csv.NewReader(os.Stdin).ReadAll()
	if err != nil {
		return nil, err
	}
	fr := frame.New(len(rows) - 1)
	for j, name := range rows[0] {
		text, num, numeric := make([]string, len(rows)-1), make([]float64, len(rows)-1), true
		for _, f := range factors {
			numeric = numeric && f != name
		}
		for i, r := range rows[1:] {
			text[i] = r[j]
			if num[i], err = strconv.ParseFloat(r[j], 64); err != nil {
				numeric = false
			}
		}
		if numeric {
			err = fr.AddNumeric(name, num)
		} else {
			err = fr.AddStrings(name, text, nil)
		}
		if err != nil {
			return nil, err
		}
	}
	return fr, nil
}
