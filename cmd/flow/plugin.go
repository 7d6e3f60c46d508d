package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/seed-4012077a/flow/engine"
)

func (a *app) pluginCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugin",
		Short: "List and describe plugins and native nodes",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	describe := &cobra.Command{
		Use:   "describe NAME[#OPERATOR]",
		Short: "Show a plugin's operators, their ports, columns and parameters",
		Example: `  flow plugin describe pairs
  flow plugin describe pairs#branch
  flow plugin describe ./mine.wasm
  flow plugin describe read`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.open()
			if err != nil {
				return err
			}
			defer e.Close()
			p, err := e.Describe(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.out).Encode(p)
			}
			return printPlugin(a.out, p)
		},
	}
	ls := &cobra.Command{
		Use:   "ls",
		Short: "List the plugins and nodes that are found by name",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.open()
			if err != nil {
				return err
			}
			defer e.Close()
			found, err := e.Plugins(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.out).Encode(found)
			}
			tw := tabwriter.NewWriter(a.out, 2, 8, 2, ' ', 0)
			for _, p := range found {
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", p.Name, p.Version, p.Kind, p.From)
			}
			return tw.Flush()
		},
	}
	cmd.AddCommand(describe, ls)
	return cmd
}

func printPlugin(w io.Writer, p *engine.PluginInfo) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s (%s, from %s)\n", p.Name, p.Version, p.Kind, p.From)
	if p.Doc != "" {
		fmt.Fprintf(&b, "%s\n", p.Doc)
	}
	for _, line := range p.Identity {
		fmt.Fprintf(&b, "%s\n", line)
	}
	for _, op := range p.Operators {
		fmt.Fprintf(&b, "\n%s  (%s)\n", op.Uses, op.Kind)
		if op.Doc != "" {
			fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(op.Doc, "\n", "\n  "))
		}
		printPorts(&b, "in ", op.Inputs)
		printPorts(&b, "out", op.Outputs)
		for _, q := range op.Params {
			fmt.Fprintf(&b, "  with %s: %s%s\n", q.Name, q.Type, q.Note())
			if q.Doc != "" {
				fmt.Fprintf(&b, "         %s\n", strings.ReplaceAll(q.Doc, "\n", "\n         "))
			}
			for _, key := range q.Keys {
				fmt.Fprintf(&b, "           %s: %s%s", key.Name, key.Type, key.Note())
				if key.Doc != "" {
					fmt.Fprintf(&b, "  %s", strings.ReplaceAll(key.Doc, "\n", " "))
				}
				b.WriteByte('\n')
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func printPorts(b *strings.Builder, word string, ports []engine.PortInfo) {
	for _, port := range ports {
		fmt.Fprintf(b, "  %s %s", word, port.Name)
		if port.Optional {
			b.WriteString(" (optional)")
		}
		if port.Doc != "" {
			fmt.Fprintf(b, ": %s", port.Doc)
		}
		b.WriteByte('\n')
		for _, c := range port.Columns {
			fmt.Fprintf(b, "        %s: %s", c.Name, c.Type)
			if c.Optional {
				b.WriteString(" (optional)")
			}
			if c.Doc != "" {
				fmt.Fprintf(b, "  %s", c.Doc)
			}
			b.WriteByte('\n')
		}
	}
}
