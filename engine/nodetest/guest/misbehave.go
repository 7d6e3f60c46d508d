package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	sdk "github.com/seed-4012077a/flow/sdk/go"
)

func misbehaving() []sdk.Operator {
	rows := []sdk.Port{{Name: "rows"}}
	return []sdk.Operator{
		// panics: a panic with a stack to report.
		{Name: "panics", Kind: sdk.Map, Inputs: rows, Outputs: rows, Open: same(func(in *sdk.Batch, _ *sdk.Outputs) error {
			fmt.Fprintln(os.Stderr, "last words")
			return outOfRange(in)
		})},
		// exits: ends the instance as a program would.
		{Name: "exits", Kind: sdk.Map, Inputs: rows, Outputs: rows, Open: same(func(*sdk.Batch, *sdk.Outputs) error {
			os.Exit(3)
			return nil
		})},
		// eats: takes memory until there is none.
		{Name: "eats", Kind: sdk.Map, Inputs: rows, Outputs: rows, Open: same(func(*sdk.Batch, *sdk.Outputs) error {
			var all [][]byte
			for {
				all = append(all, make([]byte, 1<<20))
				all[len(all)-1][len(all)] = 1
			}
		})},
		// churns: takes and drops far more memory than there is, in one call.
		{Name: "churns", Kind: sdk.Map, Inputs: rows, Outputs: rows, Open: same(func(in *sdk.Batch, out *sdk.Outputs) error {
			for i := range 4096 {
				dropped = make([]byte, 1<<20)
				dropped[i] = 1
			}
			out.Port("rows").CopyAll(in)
			return nil
		})},
		// descends: calls itself without end.
		{Name: "descends", Kind: sdk.Map, Inputs: rows, Outputs: rows, Open: same(func(*sdk.Batch, *sdk.Outputs) error {
			return fmt.Errorf("%d", descend(1))
		})},
		// chatters: more log than anyone reads.
		{Name: "chatters", Kind: sdk.Map, Inputs: rows, Outputs: rows, Open: same(func(in *sdk.Batch, out *sdk.Outputs) error {
			for i := range 100_000 {
				fmt.Println("chatter", i)
			}
			out.Port("rows").CopyAll(in)
			return nil
		})},
		// clock: what it sees of time and chance.
		{Name: "clock", Kind: sdk.Source, Outputs: rows, Open: openClock},
		// build: the string benchmark.
		{Name: "build", Kind: sdk.Source, Outputs: rows, Params: object(`"in_place":{"type":"boolean","default":true}`), Open: openBuild},
		// peeks: what it sees of the machine.
		{Name: "peeks", Kind: sdk.Source, Outputs: rows, Open: openPeek},
	}
}

// dropped keeps the compiler from leaving out what is dropped at once.
var dropped []byte

func same(do func(in *sdk.Batch, out *sdk.Outputs) error) func(sdk.Opening) (sdk.Task, error) {
	return func(o sdk.Opening) (sdk.Task, error) {
		o.Output("rows", o.Input("rows"))
		return each{do: do}, nil
	}
}

//go:noinline
func outOfRange(in *sdk.Batch) error {
	return fmt.Errorf("%d", in.ColAt(0).Int(in.Len()+1))
}

//go:noinline
func descend(n int) int {
	if n == 0 {
		return 0
	}
	return descend(n+1) + descend(n+2)
}

func openClock(o sdk.Opening) (sdk.Task, error) {
	o.Output("rows", sdk.Schema{Fields: []sdk.Field{{Name: "now", Type: sdk.Int64}, {Name: "chance", Type: sdk.Int64}, {Name: "order", Type: sdk.Utf8}}})
	return source{next: func(out *sdk.Outputs) (bool, error) {
		start := time.Now()
		time.Sleep(time.Hour)
		rows := out.Port("rows")
		rows.Col("now").Int(start.UnixNano() + int64(time.Since(start)))
		rows.Col("chance").Int(rand.Int64())
		order := ""
		for k := range map[string]bool{"a": true, "b": true, "c": true, "d": true, "e": true, "f": true} {
			order += k
		}
		rows.Col("order").Str(order)
		return false, nil
	}}, nil
}

func openPeek(o sdk.Opening) (sdk.Task, error) {
	o.Output("rows", sdk.Schema{Fields: []sdk.Field{{Name: "what", Type: sdk.Utf8}, {Name: "seen", Type: sdk.Utf8}}})
	return source{next: func(out *sdk.Outputs) (bool, error) {
		rows := out.Port("rows")
		say := func(what string, seen any) {
			rows.Col("what").Str(what)
			rows.Col("seen").Str(fmt.Sprint(seen))
		}
		say("args", len(os.Args))
		say("environment", len(os.Environ()))
		_, err := os.ReadFile("/etc/passwd")
		say("file", err != nil)
		_, err = os.ReadDir(".")
		say("folder", err != nil)
		err = os.WriteFile("x", nil, 0o600)
		say("write", err != nil)
		return false, nil
	}}, nil
}

// openBuild is the source of the string benchmark: 65,536 rows of (int64,
// utf8 of about 200 bytes, float64), the string written in place or made
// first.
func openBuild(o sdk.Opening) (sdk.Task, error) {
	var p struct {
		InPlace bool `json:"in_place"`
	}
	if err := o.Decode(&p); err != nil {
		return nil, err
	}
	o.Output("rows", sdk.Schema{Fields: []sdk.Field{{Name: "id", Type: sdk.Int64}, {Name: "text", Type: sdk.Utf8}, {Name: "score", Type: sdk.Float64}}})
	return source{next: func(out *sdk.Outputs) (bool, error) {
		rows := out.Port("rows")
		ids, texts, scores := rows.Col("id"), rows.Col("text"), rows.Col("score")
		for i := range 1 << 16 {
			ids.Int(int64(i))
			if p.InPlace {
				texts.StrAppend(func(b []byte) []byte { return strconv.AppendInt(append(b, filler...), int64(i), 10) })
			} else {
				texts.Str(filler + strconv.Itoa(i))
			}
			scores.Float(float64(i) / 7)
		}
		return false, nil
	}}, nil
}

const filler = "the quick brown fox jumps over the lazy dog and the lazy dog sleeps in the warm evening sun while the quick brown fox runs on and on through the fields, over the hills and far away from here; number "
