package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Opening is what Open is given: the operator's parameters, seed and inputs.
type Opening struct{ b *binding }

type binding struct {
	op      Operator
	params  []byte
	seed    uint64
	inputs  []*Schema // by port; nil where not connected
	outputs []*Schema // by port; nil until declared
	log     func(level int, line string)
	err     error
}

// Decode reads the parameters, a JSON object, into a struct. Keys that the
// struct lacks are errors. The schema's defaults are already filled in.
func (o Opening) Decode(into any) error {
	dec := json.NewDecoder(bytes.NewReader(o.b.params))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return Errorf("the parameters do not fit: %v", err)
	}
	return nil
}

// Seed is the node's seed.
func (o Opening) Seed() uint64 { return o.b.seed }

// Rand returns a generator for the node's seed and a stream: generators of
// different streams (a row's number, say) are independent.
func (o Opening) Rand(stream ...uint64) *rand.Rand {
	h := mix(o.b.seed)
	for _, s := range stream {
		h = mix(h ^ mix(s+0x9e3779b97f4a7c15))
	}
	return rand.New(rand.NewPCG(o.b.seed, h))
}

// mix is the output function of SplitMix64 (Steele, Lea, Flood 2014).
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (o Opening) input(port string) *Schema {
	names := make([]string, len(o.b.op.Inputs))
	for i, p := range o.b.op.Inputs {
		if p.Name == port {
			return o.b.inputs[i]
		}
		names[i] = p.Name
	}
	panic(fmt.Sprintf("there is no input port %q; the ports are %s", port, strings.Join(names, ", ")))
}

// Input returns an input port's schema, the zero Schema where it is not
// connected.
func (o Opening) Input(port string) Schema {
	if s := o.input(port); s != nil {
		return *s
	}
	return Schema{}
}

// Connected says whether an input port has a table.
func (o Opening) Connected(port string) bool { return o.input(port) != nil }

// Output declares an output port's exact schema. It must be called once for
// every output port.
func (o Opening) Output(port string, s Schema) {
	for i, p := range o.b.op.Outputs {
		if p.Name != port {
			continue
		}
		seen := make(map[string]bool, len(s.Fields))
		for _, f := range s.Fields {
			if seen[f.Name] && o.b.err == nil {
				o.b.err = Errorf("output %s has two columns named %q", port, f.Name)
			}
			seen[f.Name] = true
		}
		o.b.outputs[i] = &s
		return
	}
	if o.b.err == nil {
		o.b.err = Errorf("Open declares output %q, which the operator does not have", port)
	}
}

// Log writes a line to the node's log. One that begins with "warning: " is shown
// on the user's terminal too.
func (o Opening) Log(format string, args ...any) {
	if o.b.log != nil {
		o.b.log(0, fmt.Sprintf(format, args...))
	}
}
