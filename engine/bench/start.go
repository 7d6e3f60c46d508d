package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
)

const hello = `package main

import "fmt"

func main() { fmt.Println("hello") }
`

// startup measures how long the program takes to say its version, beside the
// least that a Go program can do.
func startup(ctx context.Context, b *bench) ([]line, error) {
	dir, err := b.folder("hello")
	if err != nil {
		return nil, err
	}
	source, bin := filepath.Join(dir, "main.go"), filepath.Join(dir, "hello")
	if err := os.WriteFile(source, []byte(hello), 0o600); err != nil {
		return nil, err
	}
	if _, err := measure(command(ctx, "go", "build", "-o", bin, source)); err != nil {
		return nil, err
	}
	ours, err := repeat(20, func() *exec.Cmd { return command(ctx, b.flow, "version") })
	if err != nil {
		return nil, err
	}
	peer, err := repeat(20, func() *exec.Cmd { return command(ctx, bin) })
	if err != nil {
		return nil, err
	}
	return []line{{"`flow version`, best of 20", ours.both(), "hello world in Go " + peer.both(), times(float64(ours.wall), float64(peer.wall)), "20 ms"}}, nil
}
