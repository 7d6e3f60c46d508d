package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/seed-4012077a/flow/engine"
)

func (a *app) reportCmd() *cobra.Command {
	var o engine.ReportOptions
	var formats []string
	var verbose bool
	cmd := &cobra.Command{
		Use:   "report [RUN|PIPELINE]",
		Short: "Write a run's results as one page with pictures and tables",
		Long: `Write a run's results as one self-contained page (index.html), with its pictures
as SVG and PNG, its tables as CSV and for LaTeX, and all numbers as JSON. RUN is a
run's name or a part of it; a pipeline's name or file stands for its latest run;
without one the latest run of the workspace is shown.

Tables are found by their columns, whatever their nodes are called: dose-response
curves, candidates with the Pareto front, losses, replies, tests, a trial's
contrasts, means, models and associations, profiles, a panel of models, and a
CONSORT flow. The files go to out/report/PIPELINE; what is there with the same
content is left alone.`,
		Example: `  flow report
  flow report kirk2025-trial --title "The trial" --out paper/trial
  flow report --only contrasts --only dose --formats svg,tex
  flow report --with score=trait --with 'scale=[0, 100]'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if cmd.Flags().Changed("run") {
					return usageError{fmt.Errorf("%q and --run %s both name what is shown: give one", args[0], o.Run)}
				}
				o.Run = args[0]
			}
			if cmd.Flags().Changed("out") && strings.TrimSpace(o.Dir) == "" {
				return usageError{fmt.Errorf("--out is empty: a folder is wanted")}
			}
			for _, set := range o.Sets {
				if name, _, ok := strings.Cut(set, "="); !ok || name == "" {
					return usageError{fmt.Errorf("--with %q: NAME=VALUE is wanted, such as score=trait", set)}
				}
			}
			if len(formats) > 0 {
				list, err := json.Marshal(formats)
				if err != nil {
					return err
				}
				o.Sets = append(o.Sets, "formats="+string(list))
			}
			e, err := a.open()
			if err != nil {
				return err
			}
			defer e.Close()
			if !a.json && (verbose || terminal(a.err) != nil) {
				watch, done := a.observer(false, verbose)
				defer done()
				o.Observer = watch
			}
			rep, err := e.Report(cmd.Context(), o)
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.out).Encode(rep)
			}
			return printReport(a.out, rep)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.runNames(cmd)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.Dir, "out", "o", "", "folder to write to (default out/report/PIPELINE)")
	f.StringVar(&o.Run, "run", "", "of this run instead of the latest")
	f.StringVar(&o.Title, "title", "", "the page's title (default: the pipeline's name)")
	f.StringArrayVar(&o.Only, "only", nil, "only tables of this node, perhaps with a port or cell, as dose.curve (repeatable)")
	f.StringSliceVar(&formats, "formats", nil, "html, svg, png, csv, tex, json (default: all)")
	f.StringArrayVar(&o.Sets, "with", nil, "a further `parameter` of the page, such as score=trait; flow plugin describe report lists them (repeatable)")
	f.BoolVarP(&verbose, "verbose", "v", false, "show what is done, with the log")
	_ = cmd.MarkFlagDirname("out")
	return cmd
}

// runNames offers the latest runs and their pipelines.
func (a *app) runNames(cmd *cobra.Command) ([]string, cobra.ShellCompDirective) {
	e, err := a.open()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer e.Close()
	runs, err := e.Runs(cmd.Context(), 20)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, r := range runs {
		names = append(names, r.ID, r.Pipeline)
	}
	return names, cobra.ShellCompDirectiveDefault
}

// printReport says what a report shows and what was written.
func printReport(w io.Writer, rep *engine.Report) error {
	fmt.Fprintf(w, "report of run %s (%s)\n", rep.Run, rep.Pipeline)
	tw := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	for _, t := range rep.Tables {
		fmt.Fprintf(tw, "  %s\tfrom %s\t%s rows\n", t.Kind, t.Source, humanize.Comma(t.Rows))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, s := range rep.LeftOut {
		fmt.Fprintf(w, "  left out: %s\n", s)
	}
	for _, s := range rep.Undrawn {
		fmt.Fprintf(w, "  not drawn: %s\n", s)
	}
	if rep.Simulated {
		fmt.Fprintln(w, "  the data are simulated, and every picture says so")
	}
	type group struct {
		files, changed int
		bytes          int64
	}
	groups := map[string]*group{} // by folder and ending: "figures/*.svg"
	var order []string
	for _, f := range rep.Files {
		name := f.Path
		if dir := filepath.Dir(f.Path); dir != "." {
			name = filepath.Join(dir, "*"+filepath.Ext(f.Path))
		}
		if groups[name] == nil {
			groups[name], order = &group{}, append(order, name)
		}
		g := groups[name]
		g.files++
		g.bytes += f.Bytes
		if f.Changed {
			g.changed++
		}
	}
	for _, name := range order {
		g, what := groups[name], "written"
		switch {
		case g.changed == 0:
			what = "unchanged"
		case g.changed < g.files:
			what = fmt.Sprintf("%d written", g.changed)
		}
		fmt.Fprintf(tw, "%s\t%d\t%s\t%s\n", filepath.Join(rep.Dir, name), g.files, humanize.Bytes(uint64(g.bytes)), what)
	}
	return tw.Flush()
}
