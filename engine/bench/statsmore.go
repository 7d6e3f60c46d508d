package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/seed-4012077a/flow/sdk/stats/scale"
)

// polychoric measures the correlations of 25 items and 2,800 rows, which R's
// psych brings.
func polychoric(ctx context.Context, b *bench) ([]line, error) {
	dir, err := b.folder("polychoric")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "items.csv")
	r, why := b.peer(ctx, "polychoric", file, "psych")
	if _, err := os.Stat(file); err != nil {
		return []line{{what: "25 items", peer: "psych " + why + "; it has the data, too"}}, nil
	}
	fr, err := readFrame(file)
	if err != nil {
		return nil, err
	}
	var columns [][]float64
	for _, name := range fr.Names() {
		c, _ := fr.Column(name)
		columns = append(columns, c.Num)
	}
	items, err := scale.NewItems(fr.Names(), columns)
	if err != nil {
		return nil, err
	}
	var c *scale.Correlation
	took, err := fastest(3, func() (err error) {
		c, err = scale.Correlate(items, scale.Defaults())
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := agree("the first correlation", c.R.At(0, 1), r, "PeerPolychoric", 1e-3); err != nil {
		return nil, err
	}
	peer := [2]string{"PeerPolychoric", "psych, one core,"}
	what := fmt.Sprintf("polychoric correlations, %d items, %d rows", len(columns), fr.Rows())
	lines := []line{line{what: what + ", native", value: ms(took)}.beside(took, r, why, peer)}
	if took, err = b.inGuest(ctx, file, "polychoric", "", 3); err != nil {
		return nil, err
	}
	return append(lines, line{what: what + ", WASM", value: ms(took)}.beside(took, r, why, peer)), nil
}

// attachmentPlan measures the whole analysis of the released data, with
// nothing cached and plugins compiled.
func attachmentPlan(ctx context.Context, b *bench) ([]line, error) {
	const data = "../shared/kirk2025"
	what := "kirk2025-trial, attachment plan, `flow run`, plugins compiled, nothing cached, best of 3"
	if _, err := os.Stat(data); err != nil {
		return []line{{what: what, value: "not measured: no " + data + " beside the repository", target: "10 s"}}, nil
	}
	dir, err := b.folder("plan")
	if err != nil {
		return nil, err
	}
	var best usage
	for i := range 4 {
		u, err := measure(command(ctx, b.flow, "run", "pipelines/kirk2025-trial.toml", "--set", "vars.data="+data,
			"--set", "vars.plan=pipelines/kirk2025-trial/attachment.toml", "-q", "-w", filepath.Join(dir, fmt.Sprint(i))))
		if err != nil {
			return nil, err
		}
		if i == 1 || i > 1 && u.wall < best.wall { // the first compiles
			best = u
		}
	}
	return []line{{what: what, value: best.both() + ", " + mb(best.peak), target: "10 s", ratio: fmt.Sprintf("%.2f of it", best.wall.Seconds()/10)}}, nil
}

// powerScaling measures power by simulation on one processor and on all.
func powerScaling(ctx context.Context, b *bench) ([]line, error) {
	dir, err := b.folder("power")
	if err != nil {
		return nil, err
	}
	seconds := map[int]float64{}
	all := runtime.NumCPU()
	for i := range 2 {
		for _, jobs := range []int{1, all} {
			s, err := b.seconds(ctx, "tested[size=120]", "pipelines/simulated-trial.toml", "--only", "tested", "--set", "vars.sizes=[120]", "--set", "vars.replicates=300", "-j", fmt.Sprint(jobs), "-w", filepath.Join(dir, fmt.Sprintf("%d-%d", i, jobs)))
			if err != nil {
				return nil, err
			}
			if old, ok := seconds[jobs]; !ok || s < old {
				seconds[jobs] = s
			}
		}
	}
	return []line{{what: fmt.Sprintf("power, 300 simulated trials of 120, %d at once, best of 2", all), value: fmt.Sprintf("%.3g s", seconds[all]),
		peer: fmt.Sprintf("one at a time %.3g s", seconds[1]), ratio: fmt.Sprintf("%.2fx faster", seconds[1]/seconds[all]), target: fmt.Sprintf("%dx", all)}}, nil
}
