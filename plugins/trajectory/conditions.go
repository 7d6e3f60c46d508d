package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
)

// armSchema is the JSON Schema of the conditions that select an arm.
const armSchema = `"type": "object", "minProperties": 1, "additionalProperties": {
	"anyOf": [
		{"type": ["string", "number", "boolean"]},
		{"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}},
		{"type": "object", "minProperties": 1, "additionalProperties": false, "properties": {
			"above": {"type": "number"}, "at_least": {"type": "number"}, "below": {"type": "number"}, "at_most": {"type": "number"},
			"not": {"type": ["string", "number", "boolean"]}}}]}`

// arm is the conditions that a row of it meets, all of them.
type arm []condition

// condition is about one column. A null meets none.
type condition struct {
	column string
	values []string // one of these texts, if any
	bounds
}

type bounds struct {
	Above   *float64 `json:"above"`
	AtLeast *float64 `json:"at_least"`
	Below   *float64 `json:"below"`
	AtMost  *float64 `json:"at_most"`
	Not     any      `json:"not"`
}

// parseArm reads the conditions of a parameter.
func parseArm(raw map[string]json.RawMessage, in sdk.Schema, parameter string) (arm, error) {
	var names []string
	for name := range raw {
		names = append(names, name)
	}
	slices.Sort(names)
	var out arm
	for _, name := range names {
		f, err := result.Need(in, parameter, name)
		if err != nil {
			return nil, err
		}
		if !group.Single(f.Type) {
			return nil, sdk.ParamError(parameter, "column %q is %s: conditions are about numbers, strings and booleans", name, f.Type)
		}
		c := condition{column: name}
		switch text := bytes.TrimSpace(raw[name]); text[0] {
		case '{':
			if err := json.Unmarshal(text, &c.bounds); err != nil {
				return nil, sdk.ParamError(parameter+"."+name, "%v", err)
			}
			if !f.Type.IsNumber() && (c.Above != nil || c.AtLeast != nil || c.Below != nil || c.AtMost != nil) {
				return nil, sdk.ParamError(parameter+"."+name, "column %q is %s, and only numbers are above or below another", name, f.Type)
			}
		case '[':
			var list []any
			if err := json.Unmarshal(text, &list); err != nil {
				return nil, sdk.ParamError(parameter+"."+name, "%v", err)
			}
			for _, v := range list {
				c.values = append(c.values, textOf(v))
			}
		default:
			var v any
			if err := json.Unmarshal(text, &v); err != nil {
				return nil, sdk.ParamError(parameter+"."+name, "%v", err)
			}
			c.values = []string{textOf(v)}
		}
		out = append(out, c)
	}
	return out, nil
}

// textOf writes a value of JSON as group.Text writes a column's.
func textOf(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

// holds says whether row i meets every condition.
func (a arm) holds(in *sdk.Batch, i int) bool {
	for _, c := range a {
		col := in.Col(c.column)
		text, ok := group.Text(col, i)
		if !ok || c.values != nil && !slices.ContainsFunc(c.values, func(v string) bool { return same(col, i, text, v) }) {
			return false
		}
		if c.Not != nil && same(col, i, text, textOf(c.Not)) {
			return false
		}
		if !c.within(col, i) {
			return false
		}
	}
	return true
}

// same compares numbers as numbers: a column of whole numbers, or one read as
// text, may be asked for 1 as well as for 1.0.
func same(col *sdk.Column, i int, text, want string) bool {
	if text == want {
		return true
	}
	w, err := strconv.ParseFloat(want, 64)
	if err != nil {
		return false
	}
	if col.Type().IsNumber() {
		return col.Float(i) == w
	}
	v, err := strconv.ParseFloat(text, 64)
	return err == nil && v == w
}

func (b bounds) within(col *sdk.Column, i int) bool {
	if b.Above == nil && b.AtLeast == nil && b.Below == nil && b.AtMost == nil {
		return true
	}
	v := col.Float(i)
	return (b.Above == nil || v > *b.Above) && (b.AtLeast == nil || v >= *b.AtLeast) && (b.Below == nil || v < *b.Below) && (b.AtMost == nil || v <= *b.AtMost)
}

// String writes the conditions.
func (a arm) String() string {
	var out []string
	number := func(op string, v *float64, column string) {
		if v != nil {
			out = append(out, fmt.Sprintf("%s %s %g", column, op, *v))
		}
	}
	for _, c := range a {
		if c.values != nil {
			out = append(out, c.column+" = "+strings.Join(c.values, " or "))
		}
		number(">", c.Above, c.column)
		number(">=", c.AtLeast, c.column)
		number("<", c.Below, c.column)
		number("<=", c.AtMost, c.column)
		if c.Not != nil {
			out = append(out, c.column+" is not "+textOf(c.Not))
		}
	}
	return strings.Join(out, " and ")
}
