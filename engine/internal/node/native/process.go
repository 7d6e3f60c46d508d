package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	goplugin "github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/seed-4012077a/flow/sdk/native/nodev1"
)

// process is a program at work.
type process struct {
	name   string
	client *plugin.Client
	runner *runner
	lines  *lines
	rpc    nodev1.NodeClient
}

// slowStart is when a start takes long enough to say so.
const slowStart = 5 * time.Second

// start starts the program and waits until it answers, at most for the start's
// timeout.
func start(ctx context.Context, m Manifest, dir, executable string, env []string, l *lines, o Options) (*process, error) {
	timeout := o.StartTimeout
	sockets, err := socketFolder()
	if err != nil {
		return nil, fmt.Errorf("native node %s: %w", m.Name, err)
	}
	secure, certificate, err := mutualTLS()
	if err != nil {
		return nil, fmt.Errorf("native node %s: %w", m.Name, err)
	}
	env = append(env, "PLUGIN_CLIENT_CERT="+string(certificate))
	p := &process{name: m.Name, lines: l}
	out := &lineWriter{lines: l}
	p.client = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  nodev1.ProtocolVersion,
			MagicCookieKey:   nodev1.CookieKey,
			MagicCookieValue: nodev1.CookieValue,
		},
		Plugins:          plugin.PluginSet{nodev1.PluginName: dispenser{}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		TLSConfig:        secure,
		SkipHostEnv:      true,
		StartTimeout:     timeout,
		Logger:           hclog.NewNullLogger(),
		SyncStdout:       out,
		SyncStderr:       out,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: sockets},
		GRPCDialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(nodev1.MaxMessageBytes), grpc.MaxCallSendMsgSize(nodev1.MaxMessageBytes))},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (goplugin.Runner, error) {
			p.runner = newRunner(&exec.Cmd{Path: executable, Args: m.Command, Dir: dir, Env: append(env, cmd.Env...)}, l)
			return p.runner, nil
		},
	})
	// go-plugin bounds the handshake, and not what follows it.
	answered := make(chan error, 1)
	go func() { answered <- p.connect() }()
	if o.Slow != nil {
		slow := min(slowStart, timeout/4)
		said := time.AfterFunc(slow, func() { o.Slow(m.Name, slow, timeout) })
		defer said.Stop()
	}
	select {
	case err = <-answered:
	case <-time.After(timeout + timeout/4):
		err = errors.New("timeout while waiting for the first answer")
	case <-ctx.Done():
		err = errors.New("closed during its start")
	}
	if err != nil {
		return nil, p.startError(err, m, dir, timeout)
	}
	return p, nil
}

func (p *process) connect() error {
	conn, err := p.client.Client()
	if err != nil {
		return err
	}
	if err := conn.Ping(); err != nil {
		return err
	}
	raw, err := conn.Dispense(nodev1.PluginName)
	if err != nil {
		return err
	}
	rpc, ok := raw.(nodev1.NodeClient)
	if !ok {
		return fmt.Errorf("go-plugin dispensed a %T", raw)
	}
	p.rpc = rpc
	return nil
}

// startError puts a failed start in the user's words and ends the process.
func (p *process) startError(cause error, m Manifest, dir string, timeout time.Duration) error {
	r := p.runner
	if r == nil || r.cmd.Process == nil {
		return fmt.Errorf("native node %s: cannot start %s: %w", m.Name, strings.Join(m.Command, " "), cause)
	}
	exited := false
	select {
	case <-r.exited:
		exited = true
	case <-time.After(200 * time.Millisecond): // a process that ends closes its pipes first
	}
	p.kill()
	what := cause.Error()
	text := strings.ToLower(what)
	switch { // go-plugin ends the process itself where it gives up: its words come first
	case strings.Contains(text, "timeout") && r.shook.Load():
		what = fmt.Sprintf("the process shook hands and then did not answer within %s", timeout)
	case strings.Contains(text, "timeout"):
		what = fmt.Sprintf("no handshake line on its stdout within %s", timeout)
		if n := r.noise.Load(); n > 0 {
			what += fmt.Sprintf(", but %d other lines", n)
		}
	case strings.Contains(text, "incompatible"), strings.Contains(text, "unsupported plugin protocol"):
		what = fmt.Sprintf("it speaks another protocol (%s); this flow speaks gRPC, version %d: rebuild the node against this flow's sdk/native",
			what, nodev1.ProtocolVersion)
	case exited && !r.shook.Load():
		what = fmt.Sprintf("the process ended (%s) before it shook hands", r.state)
	case exited:
		what = fmt.Sprintf("the process ended (%s) right after it shook hands", r.state)
	}
	return fmt.Errorf("native node %s: cannot start: %s%s\n  next: run %s in %s by hand and see what it says",
		m.Name, what, p.printed(), strings.Join(m.Command, " "), dir)
}

// printed is the last lines of the process, for an error.
func (p *process) printed() string {
	if last := p.lines.last(); last != "" {
		return "\n  its last lines:" + last
	}
	return "\n  it printed nothing"
}

// alive tells whether the process has not ended.
func (p *process) alive() bool {
	select {
	case <-p.runner.exited:
		return false
	default:
		return true
	}
}

// died waits a moment for the process's end, which a broken connection
// announces, and tells how it ended; "" if it lives on.
func (p *process) died() string {
	select {
	case <-p.runner.exited:
	case <-time.After(2 * time.Second):
		return ""
	}
	select {
	case <-p.runner.drained:
	case <-time.After(time.Second):
	}
	return p.runner.state.String()
}

// kill ends the process and its group at once.
func (p *process) kill() {
	_ = p.runner.Kill(context.Background())
	<-p.runner.exited
	p.client.Kill() // removes the socket folder
}

// stop asks the process to end and kills it after two seconds.
func (p *process) stop() { p.client.Kill() }

// socketFolder returns a folder whose path is short enough for Unix sockets:
// their paths hold about 104 bytes, and go-plugin adds up to 40.
func socketFolder() (string, error) {
	const room = 60
	for _, dir := range []string{os.TempDir(), os.Getenv("XDG_RUNTIME_DIR"), "/tmp", "/var/tmp"} {
		if dir == "" || len(dir) > room || !filepath.IsAbs(dir) {
			continue
		}
		probe, err := os.MkdirTemp(dir, "flow-")
		if err == nil {
			return dir, os.Remove(probe)
		}
	}
	return "", fmt.Errorf("no folder for a Unix socket: TMPDIR, XDG_RUNTIME_DIR and /tmp are longer than %d bytes or cannot be written; set TMPDIR to a short path", room)
}

// dispenser gives go-plugin the client side of the contract.
type dispenser struct{ plugin.NetRPCUnsupportedPlugin }

func (dispenser) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("flow calls nodes and serves none")
}

func (dispenser) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return nodev1.NewNodeClient(conn), nil
}
