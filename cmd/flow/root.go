package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/seed-4012077a/flow/engine"
	"github.com/seed-4012077a/flow/plugins"
)

// Exit codes. Scripts rely on them: they never change their meaning.
const (
	exitOK          = 0
	exitError       = 1   // anything that has no code of its own
	exitPipeline    = 2   // the pipeline, or the command line, is wrong
	exitNode        = 3   // a node failed
	exitBudget      = 4   // a model's budget is spent
	exitInterrupted = 130 // Ctrl-C or SIGTERM
)

// errInterrupted is the cause of a context that a signal ended.
var errInterrupted = errors.New("interrupted")

// app is what all commands share.
type app struct {
	in       io.Reader
	out, err io.Writer

	workspace  string
	pluginDirs []string
	jobs       int
	json       bool
	colour     string
	sets       []string
	args       []string // the command line
	told       bool     // an observer has shown how nodes failed
	overlays   []string
}

// usageError is a command line that cannot be taken.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run is main without the process around it.
func run(args []string, in io.Reader, out, errw io.Writer) int {
	a := &app{in: in, out: out, err: errw, args: args}
	ctx, stop := withSignals(context.Background())
	defer stop()
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	err := root.ExecuteContext(ctx)
	if err != nil {
		a.printError(err)
	}
	return exitCode(err)
}

// withSignals cancels the context at the first signal; the second one ends
// the process at once, as it would without us.
func withSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals) // the next one kills
			cancel(errInterrupted)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { signal.Stop(signals); cancel(nil) }
}

func exitCode(err error) int {
	var usage usageError
	var bad *engine.PipelineError
	var node *engine.NodeError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, engine.ErrBudget):
		return exitBudget
	case errors.As(err, &bad), errors.As(err, &usage):
		return exitPipeline
	case errors.As(err, &node):
		return exitNode
	}
	return exitError
}

func (a *app) printError(err error) {
	var bad *engine.PipelineError
	var usage usageError
	var node *engine.NodeError
	switch {
	case a.json:
		a.printJSONError(err)
	case errors.As(err, &bad):
		_ = bad.Render(a.err, a.colourOn(a.err))
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(a.err, "flow: interrupted; what was finished is kept, run again to go on")
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(a.err, "flow: interrupted")
	case errors.As(err, &usage):
		fmt.Fprintf(a.err, "flow: %v\n", err)
	case a.told && errors.As(err, &node):
		fmt.Fprintf(a.err, "flow: %s failed (%s, %s); what was finished is kept\n", node.Label, node.Uses, node.Place)
	default:
		fmt.Fprintf(a.err, "flow: %v\n", err)
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "flow",
		Short: "Run dataflow pipelines over sandboxed plugins, native nodes and language models",
		Long: `flow runs a pipeline: a TOML file whose nodes are sandboxed WebAssembly plugins,
native processes, chat models and files, with Arrow tables between them.
Results are kept by content: what did not change does not run again.

Exit codes: 0 done; 1 an error without a code of its own; 2 a wrong pipeline or
command line; 3 a node failed; 4 a model's budget is spent; 130 interrupted.`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetVersionTemplate("flow {{.Version}}\n")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return a.checkFlags() }
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
	})
	flags := root.PersistentFlags()
	flags.StringVarP(&a.workspace, "workspace", "w", defaultWorkspace(), "folder of the cache and the history")
	flags.StringArrayVar(&a.pluginDirs, "plugins", nil, "a further folder to search for plugins and nodes (repeatable)")
	flags.BoolVar(&a.json, "json", false, "write JSON for scripts")
	flags.StringVar(&a.colour, "color", "auto", "auto, always or never; NO_COLOR is respected")
	_ = root.RegisterFlagCompletionFunc("color", cobra.FixedCompletions([]string{"auto", "always", "never"}, cobra.ShellCompDirectiveNoFileComp))
	root.AddCommand(a.runCmd(), a.planCmd(), a.checkCmd(), a.showCmd(), a.exportCmd(), a.graphCmd(),
		a.runsCmd(), a.diffCmd(), a.reportCmd(), a.cacheCmd(), a.pluginCmd(), a.versionCmd())
	for _, cmd := range root.Commands() {
		wrapArgs(cmd)
	}
	return root
}

// checkFlags refuses values that no command can use.
func (a *app) checkFlags() error {
	switch {
	case a.colour != "auto" && a.colour != "always" && a.colour != "never":
		return usageError{fmt.Errorf("unknown --color %q: auto, always or never", a.colour)}
	case a.jobs < 0:
		return usageError{fmt.Errorf("--jobs %d: a number of cpu slots is wanted, 0 for one a core", a.jobs)}
	}
	return nil
}

// wrapArgs makes wrong arguments usage errors.
func wrapArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{fmt.Errorf("%w; see `%s --help`", err, c.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		wrapArgs(sub)
	}
}

func unknownCommand(cmd *cobra.Command, name string) error {
	msg := fmt.Sprintf("unknown command %q", name)
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		msg += fmt.Sprintf("; did you mean %q?", near[0])
	} else if strings.HasSuffix(name, ".toml") {
		msg += fmt.Sprintf("; did you mean `flow run %s`?", name)
	}
	return usageError{errors.New(msg)}
}

func defaultWorkspace() string {
	if dir := os.Getenv("FLOW_WORKSPACE"); dir != "" {
		return dir
	}
	return ".flow"
}

// open opens the workspace with everything that the flags say.
func (a *app) open() (*engine.Engine, error) {
	cfg := engine.Config{
		Workspace: a.workspace,
		Search:    a.searchDirs(),
		Version:   version,
		Args:      a.args,
		Jobs:      a.jobs,
		Notice:    func(err error) { fmt.Fprintf(a.err, "flow: note: %v\n", err) },
		Slow: func(node string, waited, limit time.Duration) {
			fmt.Fprintf(a.err, "flow: note: native node %s has not answered for %v; it is given %v (Ctrl-C ends the waiting)\n", node, waited, limit)
		},
	}
	if sub, err := fs.Sub(plugins.Dist, "dist"); err == nil {
		cfg.Embedded = sub
	}
	if dir, err := os.UserCacheDir(); err == nil {
		cfg.CodeCache = filepath.Join(dir, "flow", "code")
	}
	return engine.Open(cfg)
}

// searchDirs are the folders where plugins and native nodes are looked for:
// those of the command line, of FLOW_PLUGINS, and those beside the binary.
func (a *app) searchDirs() []string {
	dirs := append([]string(nil), a.pluginDirs...)
	dirs = append(dirs, filepath.SplitList(os.Getenv("FLOW_PLUGINS"))...)
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		dir := filepath.Dir(exe)
		dirs = append(dirs, filepath.Join(dir, "plugins"), filepath.Join(dir, "nodes"))
	}
	return dirs
}

// colourOn decides whether w gets colour.
func (a *app) colourOn(w io.Writer) bool {
	switch a.colour {
	case "always":
		return true
	case "never":
		return false
	}
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && terminal(w) != nil
}

// terminal returns w as a terminal's file, or nil.
func terminal(w io.Writer) *os.File {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}
