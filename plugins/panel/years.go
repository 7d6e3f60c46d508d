package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
)

// yearOf is a date as a year with the share of it that has passed.
func yearOf(t time.Time) float64 {
	t = t.UTC()
	start := time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	end := start.AddDate(1, 0, 0)
	return float64(t.Year()) + t.Sub(start).Seconds()/end.Sub(start).Seconds()
}

var layouts = []string{"2006-01-02", time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01", "2006"}

// parseYear reads a date, or a number, as a year.
func parseYear(s string) (float64, error) {
	for _, l := range layouts {
		if t, err := time.Parse(l, strings.TrimSpace(s)); err == nil {
			return yearOf(t), nil
		}
	}
	if v, err := strconv.ParseFloat(s, 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
		return v, nil
	}
	return 0, fmt.Errorf("%q is no date; write it as 2024-06-30, 2024-06, 2024 or a number", s)
}

// limit reads a parameter that is a year as a number or a text; null has none.
func limit(parameter string, v any) (year float64, given bool, err error) {
	switch v := v.(type) {
	case float64:
		return v, true, nil
	case string:
		if v == "" {
			return 0, false, nil
		}
		year, err = parseYear(v)
		if err != nil {
			return 0, false, sdk.ParamError(parameter, "%v", err)
		}
		return year, true, nil
	}
	return 0, false, nil
}

// units are the sorts of timestamps, with how many units make a second.
var units = []struct {
	prefix string
	perSec int64
}{{"timestamp[s", 1}, {"timestamp[ms", 1e3}, {"timestamp[us", 1e6}, {"timestamp[ns", 1e9}}

// yearReader returns a function that reads a column's rows as years. ok is
// false for a null.
func yearReader(in sdk.Schema, parameter, column string) (func(c *sdk.Column, i int) (year float64, ok bool, err error), error) {
	f, err := result.Need(in, parameter, column)
	if err != nil {
		return nil, err
	}
	at := func(seconds func(c *sdk.Column, i int) (sec, nsec int64)) func(c *sdk.Column, i int) (float64, bool, error) {
		return func(c *sdk.Column, i int) (float64, bool, error) {
			if c.IsNull(i) {
				return 0, false, nil
			}
			return yearOf(time.Unix(seconds(c, i))), true, nil
		}
	}
	switch name := f.Type.String(); {
	case f.Type.IsNumber():
		return func(c *sdk.Column, i int) (float64, bool, error) {
			if c.IsNull(i) {
				return 0, false, nil
			}
			v := c.Float(i)
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return 0, false, sdk.ColumnError(column, "holds %g, which is no time", v)
			}
			return v, true, nil
		}, nil
	case f.Type.IsString():
		return func(c *sdk.Column, i int) (float64, bool, error) {
			if c.IsNull(i) {
				return 0, false, nil
			}
			v, err := parseYear(c.Str(i))
			if err != nil {
				return 0, false, sdk.ColumnError(column, "%v", err)
			}
			return v, true, nil
		}, nil
	case name == "date32":
		return at(func(c *sdk.Column, i int) (int64, int64) { return c.Int(i) * 86400, 0 }), nil
	case name == "date64":
		return at(func(c *sdk.Column, i int) (int64, int64) { return c.Int(i) / 1000, 0 }), nil
	default:
		for _, u := range units {
			if strings.HasPrefix(name, u.prefix+"]") || strings.HasPrefix(name, u.prefix+",") {
				return at(func(c *sdk.Column, i int) (int64, int64) {
					v := c.Int(i)
					return v / u.perSec, v % u.perSec * (1e9 / u.perSec)
				}), nil
			}
		}
	}
	return nil, sdk.ParamError(parameter, "column %q is %s: dates, timestamps, texts as 2024-06-30 and numbers are times", column, f.Type)
}
