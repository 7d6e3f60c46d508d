package main

import (
	"strings"
	"unicode"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// probe tells the mistakes of a formula that no data can mend (a word that is
// no column, a text where a number is needed) before the data are there. It
// applies the formula to made-up tables with the input's columns; what is
// wrong with all of them in the same words is wrong with the formula. A
// message that depends on values (the logarithm of a negative number) is not
// the same for all. Texts have every level that the formula quotes.
func (s *spec) probe(in sdk.Schema, parameter, text string) error {
	f, err := formula.Parse(text)
	if err != nil {
		return sdk.ParamError(parameter, "%v", err)
	}
	o := s.options()
	o.Reference = nil
	message, levels := "", quoted(text)
	for k := range 3 {
		_, err := f.Design(madeUp(in, levels, k), o)
		if err == nil || k > 0 && err.Error() != message {
			return nil
		}
		message = err.Error()
	}
	// The made-up levels are none of the user's.
	message = strings.Replace(message, ": it is a factor with the levels "+strings.Join(levels[:min(8, len(levels))], ", "), ": it is a column of texts", 1)
	return sdk.ParamError(parameter, "%s", message)
}

// quoted are two levels, and the texts that a formula has in quotes.
func quoted(text string) []string {
	levels := []string{"(first level)", "(second level)"}
	for {
		from := strings.IndexAny(text, `"'`)
		if from < 0 {
			return levels
		}
		quote := text[from]
		text = text[from+1:]
		to := strings.IndexByte(text, quote)
		if to < 0 {
			return levels
		}
		levels = append(levels, text[:to])
		text = text[to+1:]
	}
}

// madeUp is a table of the input's columns: numbers in ranges that differ by
// k, and texts of the levels in turn.
func madeUp(in sdk.Schema, levels []string, k int) *frame.Frame {
	rows := 24 * len(levels)
	fr := frame.New(rows)
	for _, field := range in.Fields {
		if !group.Single(field.Type) && !field.Type.IsDict() {
			continue
		}
		var err error
		if isText(field.Type) {
			v := make([]string, rows)
			for i := range v {
				v[i] = levels[i%len(levels)]
			}
			err = fr.AddStrings(field.Name, v, nil)
		} else {
			v := make([]float64, rows)
			for i := range v {
				v[i] = []float64{float64(i + 1), (float64(i) + 0.5) / float64(rows), float64(1000 + 7*i)}[k]
			}
			err = fr.AddNumeric(field.Name, v)
		}
		if err != nil { // a name twice: the first is the one that counts
			continue
		}
	}
	return fr
}

// spoken are the input's columns that the formulas and parameters may speak
// of: a wide table's other columns are not collected.
func spoken(in sdk.Schema, formulas []string, more ...string) []string {
	wanted := map[string]bool{}
	for _, name := range more {
		wanted[name] = true
	}
	var out []string
	for _, f := range in.Fields {
		take := wanted[f.Name]
		for _, text := range formulas {
			take = take || strings.Contains(text, f.Name) || rest(text)
		}
		if take && (group.Single(f.Type) || f.Type.IsDict()) {
			out = append(out, f.Name)
		}
	}
	return out
}

// rest reports whether a formula has a dot that stands for all other columns.
func rest(text string) bool {
	word := func(r rune) bool {
		return r == '.' || r == '_' || r == '`' || unicode.IsLetter(r) || unicode.IsDigit(r)
	}
	r := []rune(text)
	for i := range r {
		if r[i] == '.' && (i == 0 || !word(r[i-1])) && (i+1 == len(r) || !word(r[i+1])) {
			return true
		}
	}
	return false
}
