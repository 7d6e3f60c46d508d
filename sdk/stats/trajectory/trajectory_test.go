package trajectory

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// trial is 30 participants with lines of their own.
func trial(t *testing.T) *frame.Frame {
	rng := rand.New(rand.NewPCG(8, 9))
	var y, z, time []float64
	var who []string
	for p := range 30 {
		a, b := 10+3*rng.NormFloat64(), rng.NormFloat64()
		for k := range 6 {
			who = append(who, string(rune('A'+p%26))+string(rune('a'+p/26)))
			time = append(time, float64(k))
			y = append(y, a+b*float64(k)+rng.NormFloat64())
			z = append(z, a+b*float64(k)+rng.NormFloat64())
		}
	}
	y[3], time[7] = math.NaN(), math.NaN()
	fr := frame.New(len(y))
	for _, err := range []error{fr.AddNumeric("y", y), fr.AddNumeric("answer", z), fr.AddNumeric("my time", time), fr.AddStrings("who", who, nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return fr
}

func TestInterceptsMoveAlongTheLines(t *testing.T) {
	fr := trial(t)
	o := Options{Outcomes: []string{"y", "answer"}, Time: "my time", Participant: "who", At: math.NaN()}
	mean, err := Slopes(fr, o)
	if err != nil {
		t.Fatal(err)
	}
	if mean.Dropped != 3 || len(mean.Slopes) != 30 || mean.Slopes[0].Answers != 11 || mean.Slopes[2].Answers != 10 || mean.Slopes[2].Times != 5 {
		t.Fatalf("%d dropped, %d participants, %+v", mean.Dropped, len(mean.Slopes), mean.Slopes[:3])
	}
	o.At = 11
	late, err := Slopes(fr, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range mean.Slopes {
		l := late.Slopes[i]
		if want := m.Intercept + (11-mean.Centre)*m.Slope; math.Abs(l.Intercept-want) > 1e-9 || l.Slope != m.Slope || !(l.InterceptSD > m.InterceptSD) {
			t.Errorf("%s: %+v after %+v", m.Participant, l, m)
		}
	}
}

func TestRefusals(t *testing.T) {
	fr := trial(t)
	for want, o := range map[string]Options{
		`"my time"`:           {Outcomes: []string{"y"}, Time: "mytime", Participant: "who"},
		"numbers are needed":  {Outcomes: []string{"who"}, Time: "my time", Participant: "who"},
		"no outcome":          {Time: "my time", Participant: "who"},
		"participant: ":       {Outcomes: []string{"y"}, Time: "my time", Participant: "whom"},
		"outcome: no column ": {Outcomes: []string{"x"}, Time: "my time", Participant: "who"},
	} {
		if _, err := Slopes(fr, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

func TestQuadrants(t *testing.T) {
	q := Quadrants{Both: "b", First: "f", Second: "s", Neither: "n", SecondAbove: 1}
	for name, pair := range map[string][2]float64{"b": {0.1, 1.1}, "f": {0.1, 1}, "s": {0, 1.1}, "n": {0, 1}, "": {math.NaN(), 2}} {
		if got := q.Name(pair[0], pair[1]); got != name {
			t.Errorf("%v: %q, want %q", pair, got, name)
		}
	}
}
