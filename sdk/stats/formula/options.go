package formula

import (
	"fmt"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

// Options are what a model needs beside its formula.
type Options struct {
	Contrasts map[string]Coding // per factor: Treatment where absent
	Reference map[string]string // per factor: the level that comes first
	Weights   string            // column of prior weights, "" for none
	Offset    string            // column added to offset(...) of the formula
}

// check verifies that the options name columns of the frame.
func (o Options) check(fr *frame.Frame) error {
	known := func(what, name string) error {
		if i := strings.IndexByte(name, '('); i > 0 {
			name = strings.TrimSuffix(name[i+1:], ")")
		}
		if _, ok := fr.Column(name); !ok && name != "" {
			return fmt.Errorf("%s: %w", what, fr.Unknown(name))
		}
		return nil
	}
	if err := known("weights", o.Weights); err != nil {
		return err
	}
	if err := known("offset", o.Offset); err != nil {
		return err
	}
	for name := range o.Contrasts {
		if err := known("contrasts", name); err != nil {
			return err
		}
	}
	for name := range o.Reference {
		if err := known("reference level", name); err != nil {
			return err
		}
	}
	return nil
}

func (o Options) coding(e *expr) Coding {
	for name, c := range o.Contrasts {
		if e.called(name) {
			return c
		}
	}
	return Treatment
}

func (o Options) reference(e *expr) string {
	for name, level := range o.Reference {
		if e.called(name) {
			return level
		}
	}
	return ""
}
