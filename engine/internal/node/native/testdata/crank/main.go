// Command crank is a native node that misbehaves on request: the tests of
// package native build it.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/seed-4012077a/flow/sdk/native"
)

func main() {
	fmt.Println("noise before the handshake")
	if len(os.Args) > 1 {
		start(os.Args[1])
	}
	err := native.Serve(native.Node{Name: "crank", Version: "1", Operators: []native.Operator{
		op("echo", run(copyRows)),
		op("how", run(misbehave)),
		{Name: "count", Outputs: []native.Port{{Name: "rows"}}, Bind: bindCount, Run: count},
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// start misbehaves before the handshake.
func start(how string) {
	switch how {
	case "exit":
		fmt.Fprintln(os.Stderr, "no such file: model.bin")
		os.Exit(3)
	case "mute":
		time.Sleep(time.Hour)
	case "protocol":
		fmt.Println("1|99|unix|/nowhere|grpc|")
		time.Sleep(time.Hour)
	case "netrpc":
		fmt.Println("1|1|unix|/nowhere|netrpc|")
		time.Sleep(time.Hour)
	case "deaf":
		fmt.Println("1|1|unix|/nowhere|grpc|")
		time.Sleep(time.Hour)
	}
}

type params struct {
	How  string `json:"how"`
	File string `json:"file"`
}

func op(name string, f func(context.Context, *native.Task) error) native.Operator {
	return native.Operator{Name: name,
		Inputs:  []native.Port{{Name: "rows"}},
		Outputs: []native.Port{{Name: "rows"}},
		Params:  `{"type":"object","additionalProperties":false,"properties":{"how":{"type":"string","default":""},"file":{"type":"string","default":""}}}`,
		Bind: func(_ context.Context, b *native.Binding) error {
			var p params
			if err := b.Decode(&p); err != nil {
				return err
			}
			switch p.How {
			case "bad param":
				return native.ParamError("how", "must not be %q", p.How)
			case "bad column":
				return native.ColumnError("rows", "id", "is not wanted")
			case "bind dies":
				os.Exit(5)
			case "bind sleeps":
				time.Sleep(time.Hour)
			}
			b.Output("rows", b.Input("rows"))
			return nil
		}, Run: f}
}

func run(f func(context.Context, *native.Task, params) error) func(context.Context, *native.Task) error {
	return func(ctx context.Context, t *native.Task) error {
		var p params
		if err := t.Decode(&p); err != nil {
			return err
		}
		return f(ctx, t, p)
	}
}

func copyRows(ctx context.Context, t *native.Task, _ params) error {
	fmt.Println("a line on stdout")
	fmt.Fprintln(os.Stderr, "a line on stderr")
	t.Logf("a line of the log, %d workers", t.Workers())
	in, err := t.Open("rows")
	if err != nil {
		return err
	}
	defer in.Close()
	if _, err := t.Create("rows"); err != nil {
		return err
	}
	for n := int64(1); ; n++ {
		batch, err := in.Next(ctx)
		if err == io.EOF {
			t.Metric("batches", n, 0.5)
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.Write("rows", batch); err != nil {
			return err
		}
		t.Progress(n, 0, "copying")
		batch.Release()
	}
}

func misbehave(ctx context.Context, t *native.Task, p params) error {
	switch p.How {
	case "exit":
		fmt.Fprintln(os.Stderr, "CUDA out of memory")
		os.Exit(7)
	case "kill":
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "freeze":
		if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
			return err
		}
		time.Sleep(time.Hour)
	case "panic":
		panic("index out of range")
	case "goroutine panic":
		go panic("in a goroutine")
		time.Sleep(time.Hour)
	case "fail":
		return fmt.Errorf("the loss is not a number at step 3")
	case "wait": // until it is cancelled, leaving a checkpoint
		if err := os.WriteFile(filepath.Join(t.Scratch(), "step"), []byte("3"), 0o600); err != nil {
			return err
		}
		if _, err := t.Create("rows"); err != nil {
			return err
		}
		t.Progress(1, 2, "waiting")
		<-ctx.Done()
		return ctx.Err()
	case "ignore": // its cancellation
		t.Progress(1, 2, "ignoring")
		time.Sleep(time.Hour)
	case "resume":
		step, err := os.ReadFile(filepath.Join(t.Scratch(), "step"))
		if err != nil {
			return err
		}
		t.Logf("resumed at %s", step)
		return copyRows(ctx, t, p)
	case "children":
		return children(ctx, t, p.File)
	default:
		return output(ctx, t, p)
	}
	return nil
}

// output puts a wrong file in place of the one that the SDK writes, as a node
// in another language could.
func output(ctx context.Context, t *native.Task, p params) error {
	if err := copyRows(ctx, t, p); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(t.Scratch()), "staging-*", "out-0.arrow"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("outputs %q, %v", found, err)
	}
	path := found[0]
	if err := os.Remove(path); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := spoilt(&b, p.How); err != nil {
		return err
	}
	whole := b.Bytes()
	switch p.How {
	case "no file":
		return nil
	case "link":
		return os.Symlink("/etc/passwd", path)
	case "empty file":
		whole = nil
	case "truncated":
		whole = whole[:len(whole)*2/3]
	case "no footer":
		whole = whole[:len(whole)-10]
	case "flipped":
		for i := 200; i < len(whole); i += 97 {
			whole[i] ^= 0x55
		}
	}
	return os.WriteFile(path, whole, 0o600)
}

// spoilt writes 1,000 rows of a table.
func spoilt(w *bytes.Buffer, how string) error {
	field := arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int64}
	if how == "other schema" {
		field.Name = "di"
	}
	schema := arrow.NewSchema([]arrow.Field{field, {Name: "text", Type: arrow.BinaryTypes.String}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := range 1000 {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		b.Field(1).(*array.StringBuilder).Append("row")
	}
	rec := b.NewRecord()
	defer rec.Release()
	fw, err := ipc.NewFileWriter(&seekable{w}, ipc.WithSchema(schema))
	if err != nil {
		return err
	}
	if err := fw.Write(rec); err != nil {
		return err
	}
	return fw.Close()
}

// seekable tells a file writer where it is; it never goes elsewhere.
type seekable struct{ *bytes.Buffer }

func (s *seekable) Seek(int64, int) (int64, error) { return int64(s.Len()), nil }

// children starts a process that ignores signals and writes its id to file.
func children(ctx context.Context, t *native.Task, file string) error {
	child := exec.Command("sh", "-c", `trap "" TERM HUP INT; while :; do sleep 1; done`)
	if err := child.Start(); err != nil {
		return err
	}
	ids := strconv.Itoa(os.Getpid()) + " " + strconv.Itoa(child.Process.Pid)
	if err := os.WriteFile(file+".new", []byte(ids), 0o600); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return err
	}
	t.Progress(0, 0, "child runs")
	<-ctx.Done()
	return ctx.Err()
}

func bindCount(_ context.Context, b *native.Binding) error {
	b.Output("rows", arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil))
	return nil
}

// count is a source: the numbers 0, 1, 2.
func count(_ context.Context, t *native.Task) error {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.AppendValues([]int64{0, 1, 2}, nil)
	n := b.NewArray()
	defer n.Release()
	batch := array.NewRecord(t.OutputSchema("rows"), []arrow.Array{n}, 3)
	defer batch.Release()
	return t.Write("rows", batch)
}
