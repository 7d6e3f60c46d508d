// Package meter reads a WebAssembly module, refuses what a host of plugins
// does not want to compile, and rewrites it so that it counts its own steps.
//
// A step is one turn of a loop, one entry of a function that loops or calls
// (where it does not begin with a loop, whose first turn is that step), or
// about 4 KiB of a bulk memory instruction. A global holds the steps that
// are left; where it reaches zero the module calls the imported function
// flow.tick and starts anew from Interval. The host returns from tick to let
// the module go on, or ends it from there. So a module that never returns
// still comes by the host within Interval steps, and code between two steps
// is bounded by the module's size.
//
// It also joins data segments that lie side by side, since setting up the
// tens of thousands that Go's linker makes takes longer than all else about a
// new instance.
//
// The rewrite is pure: the same module gives the same bytes. Version names it
// in cache keys, as what a plugin computes must not depend on it, but a fault
// in it would.
package meter

// Version changes whenever the rewritten bytes would.
const Version = 4

// Interval is how many steps lie between two ticks: some 50 microseconds of
// short loops, and 3 to 10 milliseconds of nothing but copies. For so long a
// guest can keep a deadline or Go's collector waiting.
const Interval = 8192

// Names of the imported function.
const (
	TickModule = "flow"
	TickName   = "tick"
)
