package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/seed-4012077a/flow/engine"
)

func (a *app) showCmd() *cobra.Command {
	var format, run string
	rows := -1
	cmd := &cobra.Command{
		Use:   "show NODE",
		Short: "Show a node's output: schema, first rows, statistics",
		Long: `Show a node's output of the latest run that has it: its schema, its first rows
and statistics of its columns. NODE may name a port (split.train) or a cell of a
matrix (train[layer=3]). Numbers are shown to six digits, and columns that a
narrow terminal has no room for are named below. With --format jsonl or csv the
rows alone are written, whole, and all of them unless --rows says otherwise.`,
		Example: `  flow show candidates
  flow show candidates --format csv > candidates.csv
  flow show split.test --rows 3`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.json && !cmd.Flags().Changed("format") {
				format = "jsonl"
			}
			switch format {
			case "table", "jsonl", "csv":
			default:
				return usageError{fmt.Errorf("unknown --format %q: table, jsonl or csv", format)}
			}
			e, err := a.open()
			if err != nil {
				return err
			}
			defer e.Close()
			t, err := e.Find(cmd.Context(), args[0], run)
			if err != nil {
				return err
			}
			return t.Show(cmd.Context(), a.out, engine.ShowOptions{Format: format, Rows: rows, Width: a.width()})
		},
		ValidArgsFunction: a.completeNodes,
	}
	cmd.Flags().StringVarP(&format, "format", "f", "table", "table, jsonl or csv")
	cmd.Flags().StringVar(&run, "run", "", "of this run instead of the latest")
	cmd.Flags().IntVarP(&rows, "rows", "n", -1, "number of rows (default: 10 in a table, all otherwise)")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"table", "jsonl", "csv"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) exportCmd() *cobra.Command {
	var run, format string
	cmd := &cobra.Command{
		Use:   "export NODE FILE",
		Short: "Write a node's output to a file (.jsonl .csv .parquet .arrow, .gz or .zst)",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.open()
			if err != nil {
				return err
			}
			defer e.Close()
			t, err := e.Find(cmd.Context(), args[0], run)
			if err != nil {
				return err
			}
			rows, err := t.Export(cmd.Context(), args[1], format)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.err, "%s: %d rows\n", args[1], rows)
			return err
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return a.completeNodes(cmd, args, prefix)
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "of this run instead of the latest")
	cmd.Flags().StringVarP(&format, "format", "f", "", "jsonl, csv, parquet or arrow (default: by the file's name)")
	return cmd
}

// completeNodes offers the nodes of the latest runs.
func (a *app) completeNodes(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	e, err := a.open()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer e.Close()
	names, err := e.NodeNames(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// width is how many columns a table may take: the terminal's, or no limit.
func (a *app) width() int {
	if f := terminal(a.out); f != nil {
		return terminalWidth(f)
	}
	return 0
}

func dirOf(path string) string { return filepath.Dir(path) }
