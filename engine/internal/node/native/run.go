package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seed-4012077a/flow/engine/internal/node"
	"github.com/seed-4012077a/flow/engine/internal/operator"
	"github.com/seed-4012077a/flow/engine/internal/table"
	"github.com/seed-4012077a/flow/engine/internal/table/ipc"
	"github.com/seed-4012077a/flow/sdk/native/nodev1"
)

// Folders of a task, beneath job.Scratch.
const (
	stagingFolder    = "staging-"   // and a random text: inputs spooled and outputs written; gone when Run returns
	checkpointFolder = "checkpoint" // the node's own scratch; outlives a crash
)

// Run hands the input files to the process, follows its events, and passes on
// the outputs once they are whole and checked.
func (o *Operator) Run(ctx context.Context, b node.Binding, job node.Job) (err error) {
	proc, err := o.program.acquire(ctx)
	if err != nil {
		return err
	}
	scratch := job.Scratch
	if scratch == "" {
		if scratch, err = os.MkdirTemp("", "flow-native-"); err != nil {
			return err
		}
		defer os.RemoveAll(scratch)
	}
	checkpoint := filepath.Join(scratch, checkpointFolder)
	if err := os.MkdirAll(checkpoint, 0o700); err != nil {
		return err
	}
	staging, err := newStaging(scratch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(staging)) }()

	request, err := o.request(ctx, b, job, staging, checkpoint)
	if err != nil {
		return err
	}
	if o.spec.Kind == operator.Map && job.Slots != nil {
		// The process sees the whole table at once: one slot for the run.
		release, err := job.Slots.Acquire(ctx)
		if err != nil {
			return err
		}
		defer release()
	}
	detach := proc.lines.attach(job.Log)
	defer detach()
	if err := o.follow(ctx, proc, request, job); err != nil {
		return err
	}
	for i, out := range request.Outputs {
		if err := o.publish(ctx, out.Path, o.spec.Outputs[i].Name, job.Outputs[i]); err != nil {
			return err
		}
	}
	return nil
}

// newStaging makes a staging folder and removes those that flows that were
// killed left. Its name is new each time: it is also the run's name to the
// process, and an orphan may still write to the one before.
func newStaging(scratch string) (string, error) {
	left, err := os.ReadDir(scratch)
	if err != nil {
		return "", err
	}
	for _, d := range left {
		if !strings.HasPrefix(d.Name(), stagingFolder) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(scratch, d.Name())); err != nil {
			return "", err
		}
	}
	return os.MkdirTemp(scratch, stagingFolder+"*")
}

// request lays the inputs out as files and names the outputs.
func (o *Operator) request(ctx context.Context, b node.Binding, job node.Job, staging, checkpoint string) (*nodev1.RunRequest, error) {
	r := &nodev1.RunRequest{Run: staging, Operator: o.spec.Name, Params: b.Params, Seed: b.Seed,
		Scratch: checkpoint, Workers: uint32(max(1, job.Workers))}
	for i, in := range job.Inputs {
		if in == nil {
			continue
		}
		port := o.spec.Inputs[i].Name
		path, err := inputFile(ctx, in, filepath.Join(staging, fmt.Sprintf("in-%d.arrow", i)))
		if err != nil {
			return nil, fmt.Errorf("native node %s: input %s: %w", o.program.manifest.Name, port, err)
		}
		schema, err := nodev1.EncodeSchema(in.Schema())
		if err != nil {
			return nil, fmt.Errorf("native node %s: input %s: %w", o.program.manifest.Name, port, err)
		}
		r.Inputs = append(r.Inputs, &nodev1.PortFile{Port: port, Path: path, Schema: schema})
	}
	for i, out := range job.Outputs {
		schema, err := nodev1.EncodeSchema(out.Schema())
		if err != nil {
			return nil, fmt.Errorf("native node %s: output %s: %w", o.program.manifest.Name, o.spec.Outputs[i].Name, err)
		}
		r.Outputs = append(r.Outputs, &nodev1.PortFile{Port: o.spec.Outputs[i].Name, Schema: schema,
			Path: filepath.Join(staging, fmt.Sprintf("out-%d.arrow", i))})
	}
	return r, nil
}

// inputFile returns the file of a table: its own where it has one, else spool.
func inputFile(ctx context.Context, in table.Reader, spool string) (string, error) {
	if f, ok := in.(node.Filer); ok {
		return f.File(ctx)
	}
	s, err := ipc.NewSpool(spool, in.Schema(), ipc.Options{})
	if err != nil {
		return "", err
	}
	for {
		batch, err := in.Next(ctx)
		if err == io.EOF {
			_, err = s.Finish(ctx)
			return spool, errors.Join(err, s.Close())
		}
		if err == nil {
			err = s.Write(ctx, batch)
			batch.Release()
		}
		if err != nil {
			return "", errors.Join(err, s.Close())
		}
	}
}

// follow runs the request and returns when the run is over and the process
// uses its paths no more.
func (o *Operator) follow(ctx context.Context, proc *process, r *nodev1.RunRequest, job node.Job) error {
	what := "run of " + o.spec.Name
	// gRPC keeps time by itself and may see ctx's end before ctx says so: the
	// call gets a context that only this function ends.
	call, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stream, err := proc.rpc.Run(call, r)
	if err != nil {
		return o.program.callError(ctx, proc, what, err)
	}
	events := make(chan *nodev1.RunEvent)
	ended := make(chan error, 1)
	go func() {
		for {
			e, err := stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			select {
			case events <- e:
			case <-call.Done():
				ended <- call.Err()
				return
			}
		}
	}()
	silence := time.NewTimer(o.program.options.Silence)
	defer silence.Stop()
	for {
		select {
		case <-ctx.Done():
			cancel()
			o.settle(proc, r.Run)
			return context.Cause(ctx)
		case <-silence.C:
			proc.kill()
			return fmt.Errorf("native node %s: %s hangs: no sign of life for %s, so the process was ended%s\n  next: a node in another language must send heartbeats while it computes; see sdk/native/README.md",
				o.program.manifest.Name, what, o.program.options.Silence, proc.printed())
		case e := <-events:
			silence.Reset(o.program.options.Silence)
			if over, err := o.event(e, job); over {
				return err
			}
		case err := <-ended:
			if ctx.Err() != nil {
				o.settle(proc, r.Run)
				return context.Cause(ctx)
			}
			if err == io.EOF {
				return fmt.Errorf("native node %s: %s ended without saying how: the last event must be done or fault", o.program.manifest.Name, what)
			}
			return o.program.callError(ctx, proc, what, err)
		}
	}
}

// event passes one event on. over tells that the run has ended, with err.
func (o *Operator) event(e *nodev1.RunEvent, job node.Job) (over bool, err error) {
	log := func(format string, args ...any) {
		if job.Log != nil {
			_, _ = fmt.Fprintf(job.Log, format+"\n", args...)
		}
	}
	switch e := e.Event.(type) {
	case *nodev1.RunEvent_Progress:
		if job.Progress != nil {
			job.Progress(e.Progress.Done, e.Progress.Total, clean(e.Progress.Text))
		}
	case *nodev1.RunEvent_Log:
		log("%s", clean(e.Log.Text))
	case *nodev1.RunEvent_Metric:
		log("metric %s step=%d value=%g", clean(e.Metric.Name), e.Metric.Step, e.Metric.Value)
	case *nodev1.RunEvent_Done:
		return true, nil
	case *nodev1.RunEvent_Fault:
		return true, o.fault(e.Fault)
	}
	return false, nil
}

// settle waits until the process uses a cancelled run's paths no more, and
// ends the process if it cannot say so in time.
func (o *Operator) settle(proc *process, run string) {
	ctx, cancel := context.WithTimeout(context.Background(), o.program.options.Grace)
	defer cancel()
	_, err := proc.rpc.Settle(ctx, &nodev1.SettleRequest{Run: run})
	if err == nil {
		return
	}
	if status.Code(err) != codes.Unavailable {
		proc.lines.add(fmt.Sprintf("flow: a cancelled run of %s did not stop (%s): ending the process", o.spec.Name, status.Code(err)))
	}
	proc.kill()
}
