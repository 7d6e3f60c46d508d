package main

import (
	"fmt"
	"slices"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/frame"
)

const levelSchema = `"level": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95, "description": "confidence level"}`

const dfSchema = `"df": {"enum": ["satterthwaite", "kenward-roger", "asymptotic"], "default": "satterthwaite", "description": "degrees of freedom of the mixed models"}`

// columnSchema is the schema of a parameter that names a column.
func columnSchema(name, value, doc string) string {
	return fmt.Sprintf(`%q: {"type": "string", "default": %q, "description": %q}`, name, value, doc)
}

func adjustSchema(value, of string) string {
	return `"adjust": {"enum": ["none", "bonferroni", "holm", "hochberg", "hommel", "BH", "BY"], "default": "` + value + `", "description": "correction of p-values ` + of + `"}`
}

// labelled checks that a column exists and can name things.
func labelled(in sdk.Schema, parameter, column string) error {
	f, err := result.Need(in, parameter, column)
	if err != nil {
		return err
	}
	if !group.Single(f.Type) {
		return sdk.ParamError(parameter, "column %q is %s: a name is a text, a number or a boolean", column, f.Type)
	}
	return nil
}

// levelOf finds a level that a parameter names; "" is the first.
func levelOf(parameter, level string, levels []string) (string, error) {
	if level == "" {
		return levels[0], nil
	}
	if !slices.Contains(levels, level) {
		return "", sdk.ParamError(parameter, "there is no %q: %s", level, frame.Choices(level, levels))
	}
	return level, nil
}
