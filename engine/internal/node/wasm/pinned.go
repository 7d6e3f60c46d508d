package wasm

import (
	"math/rand/v2"
	"time"
)

// pinned is an instance's clock and random numbers: the same for every task,
// so that they cannot make two runs differ.
type pinned struct {
	wall   int64 // nanoseconds since 1970
	mono   int64
	random *rand.ChaCha8
}

// pinnedStart is what every task takes for now.
var pinnedStart = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()

// reset starts clock and random numbers anew.
func (p *pinned) reset() {
	p.wall, p.mono = pinnedStart, int64(time.Second)
	p.random = rand.NewChaCha8([32]byte{'f', 'l', 'o', 'w'})
}

// Each reading moves the clocks on: a guest that waits for time to pass would
// never end otherwise. It moves them little: Go's collector reads the clock as
// it works, and once it believes to have worked for a second more than the
// program it stops making the program help, so that in one long call nothing
// would ever be freed (runtime/mgclimit.go). With a millisecond a reading that
// came after a thousand; with a microsecond a call can allocate terabytes
// first.
const tickLength = int64(time.Microsecond)

func (p *pinned) walltime() (sec int64, nsec int32) {
	p.wall += tickLength
	return p.wall / int64(time.Second), int32(p.wall % int64(time.Second))
}

func (p *pinned) nanotime() int64 {
	p.mono += tickLength
	return p.mono
}

// sleep returns at once, later.
func (p *pinned) sleep(ns int64) {
	if ns > 0 {
		p.wall += ns
		p.mono += ns
	}
}

func (p *pinned) Read(b []byte) (int, error) { return p.random.Read(b) }
