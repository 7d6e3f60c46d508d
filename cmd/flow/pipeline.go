package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/seed-4012077a/flow/engine"
)

// selection is the part of a pipeline that a command is about.
type selection struct {
	only, from []string
}

// pipelineFlags adds the flags of every command that reads a pipeline.
func (a *app) pipelineFlags(cmd *cobra.Command, s *selection) {
	f := cmd.Flags()
	f.StringArrayVar(&a.sets, "set", nil, "override a value, such as vars.data=DIR or nodes.keep.with.threshold=7; a path is relative to where you stand (repeatable)")
	f.StringArrayVar(&a.overlays, "overlay", nil, "a TOML file merged over the pipeline (repeatable)")
	_ = cmd.MarkFlagFilename("overlay", "toml")
	if s != nil {
		f.StringArrayVar(&s.only, "only", nil, "only this node and what it needs (repeatable)")
		f.StringArrayVar(&s.from, "from", nil, "run this node and all that needs it again (repeatable)")
	}
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
	}
}

// pipelineFile is the pipeline that the arguments name.
func pipelineFile(args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	const file = "pipeline.toml"
	if _, err := os.Stat(file); os.IsNotExist(err) {
		return "", usageError{fmt.Errorf("there is no %s here: name a pipeline file, or change to its folder", file)}
	}
	return file, nil
}

// load plans the pipeline that the arguments and flags name.
func (a *app) load(ctx context.Context, e *engine.Engine, args []string, s selection) (*engine.Plan, error) {
	src, err := a.source(args, s)
	if err != nil {
		return nil, err
	}
	defer collectLazily()()
	return e.Plan(ctx, src)
}

// prepare is load for who runs or explains the pipeline and does nothing else
// with it: what has not changed since the last time is not planned again.
func (a *app) prepare(ctx context.Context, e *engine.Engine, args []string, s selection) (*engine.Prepared, error) {
	src, err := a.source(args, s)
	if err != nil {
		return nil, err
	}
	defer collectLazily()()
	return e.Prepare(ctx, src)
}

func (a *app) source(args []string, s selection) (engine.Source, error) {
	file, err := pipelineFile(args)
	return engine.Source{File: file, Sets: a.sets, Overlays: a.overlays, Only: s.only, From: s.from}, err
}

// collectLazily tells the garbage collector to wait longer until the function
// that it returns is called. Planning ten thousand nodes makes much garbage and
// keeps little: with Go's default a fifth of the time goes to collecting. Runs
// go on with the default, as their memory is bounded by batches in flight.
func collectLazily() (restore func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(400)
	return func() { debug.SetGCPercent(before) }
}
