package main

import (
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/seed-4012077a/flow/engine"
)

func (a *app) runCmd() *cobra.Command {
	var sel selection
	var keepGoing, quiet, verbose bool
	cmd := &cobra.Command{
		Use:   "run [PIPELINE]",
		Short: "Run a pipeline (pipeline.toml unless another is named)",
		Long: `Run a pipeline. What has a result in the workspace is not run again.
Ctrl-C stops at once and loses nothing that was finished; run again to go on.`,
		Example: `  flow run
  flow run study.toml --set vars.data=../data --set models.judge.model=other
  flow run --only candidates
  flow run --from graded`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.open()
			if err != nil {
				return err
			}
			defer e.Close()
			p, err := a.prepare(cmd.Context(), e, args, sel)
			if err != nil {
				return err
			}
			watch, done := a.observer(quiet, verbose)
			_, err = p.Run(cmd.Context(), engine.RunOptions{KeepGoing: keepGoing, Observer: watch})
			done()
			return err
		},
	}
	a.pipelineFlags(cmd, &sel)
	cmd.Flags().IntVarP(&a.jobs, "jobs", "j", 0, "cpu slots (default: one a core)")
	cmd.Flags().BoolVarP(&keepGoing, "keep-going", "k", false, "after a failure, run what does not depend on it")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "say nothing but errors")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "show the nodes' log lines")
	return cmd
}

// observer picks how a run is shown: JSON for scripts on the standard output,
// a live block on a terminal, plain lines elsewhere.
func (a *app) observer(quiet, verbose bool) (watch engine.Observer, done func()) {
	switch {
	case a.json:
		return engine.JSONObserver(a.out), func() {}
	case quiet:
		return nil, func() {}
	}
	a.told = true
	colour := a.colourOn(a.err)
	if f := terminal(a.err); f != nil && os.Getenv("TERM") != "dumb" {
		live := engine.LiveObserver(f, colour, verbose, func() (int, int) {
			w, h, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 80, 24
			}
			return w, h
		})
		return live, live.Close
	}
	return engine.PlainObserver(a.err, colour, verbose), func() {}
}
