package plan

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/dominikbraun/graph"

	"github.com/seed-4012077a/flow/engine/internal/operator"
	"github.com/seed-4012077a/flow/engine/internal/pipeline"
)

// Catalog finds operators.
type Catalog interface {
	// Lookup returns the operator that a node's "uses" names. Relative paths
	// in it are relative to baseDir. An error that wraps ErrUnknownOperator
	// means that there is no such name; plan adds the near ones.
	Lookup(ctx context.Context, uses, baseDir string) (Operator, error)

	// Names returns the valid values of "uses" that are known without a path.
	Names() []string
}

// ErrUnknownOperator is what a Catalog's Lookup wraps where a name is not known.
var ErrUnknownOperator = errors.New("unknown operator")

// Operator is as much of a node's operator as planning needs.
type Operator interface {
	Spec() operator.Spec

	// Bind checks parameters and input schemas (by port, nil where an
	// optional port is not connected) and returns the schema of each output
	// port. Its error may implement ParamError.
	Bind(ctx context.Context, params json.RawMessage, seed uint64, inputs []*arrow.Schema) ([]*arrow.Schema, error)

	// Identity returns the manifest lines that stand for the operator's
	// code, each a kind and a value, such as "plugin sha256:…".
	Identity() []string
}

// ParamError is an error of Bind that a parameter is to blame for.
type ParamError interface {
	error
	Param() string // its name; "a.b" for a nested one
}

// Plan is an immutable graph of tasks.
type Plan struct {
	Name  string
	Dir   string  // the pipeline's folder
	Tasks []*Task // every task after those that it takes inputs from
	Nodes []*Node // in the same order

	// What the plan came from, besides the flags and the operators: it would be
	// the same while these are. It is that of the whole pipeline, whatever part
	// was selected.
	Read  map[string][sha256.Size]byte // SHA-256 of each file whose text was taken in, by absolute path
	Found []string                     // absolute paths of parameters that had to be there

	graph graph.Graph[string, *Node]
	slots map[string]int
}

// Node is a declaration with its operator.
type Node struct {
	Name     string
	Decl     *pipeline.Node
	Operator Operator // of the first cell: "uses" may differ by cell
	Uses     string   // of the first cell
	Axes     []string
	Tasks    []int // indices into Plan.Tasks, in matrix order
	Needs    []Edge
}

// Edge is the connection of a node pair: what stands on the graph's edges.
type Edge struct {
	From  string     // the node that makes
	To    string     // the node that takes
	Ports []PortPair // in the order of To's ports
}

// PortPair is an output port of one node connected to an input port of another.
type PortPair struct{ Output, Input string }

// Task is one cell of a node, ready to be run once its inputs are there.
type Task struct {
	Index int
	Node  string
	Cell  []AxisValue // in the order of the matrix's axes
	Label string      // "train", or "train[layer=3]"

	Operator Operator
	Spec     operator.Spec
	Uses     string

	// Params is the canonical JSON object (RFC 8785: keys sorted, shortest
	// numbers) that the operator gets, with defaults filled in, paths
	// absolute, and texts, tables, rubrics and models in place.
	Params json.RawMessage
	// KeyParams are the parameters as the key knows them, sorted by name:
	// paths as written, and without what does not change a result (how a
	// chat model is reached and paid).
	KeyParams []KeyParam
	// Files are the files and folders that Params names and whose content
	// belongs to the key, sorted by path.
	Files []File
	Seed  uint64

	Inputs       [][]Input       // by port of Spec.Inputs; empty where not connected
	InputSchemas []*arrow.Schema // by port, axis columns included; nil where not connected
	Outputs      []*arrow.Schema // by port of Spec.Outputs

	Resources map[string]int // slots taken, cpu included; shared between tasks, not to be written to
	Timeout   time.Duration  // 0: none
	Keep      pipeline.Keep
	Cache     bool // false: always run
	Env       []string
	Forced    bool // run even if a result is kept (--from)

	Place pipeline.Pos
}

// AxisValue is a cell's value on one axis.
type AxisValue struct {
	Axis  string
	Value any // string, int64, float64 or bool
}

// KeyParam is a parameter with its canonical JSON.
type KeyParam struct {
	Name string
	JSON string
}

// File is a file or folder that a task reads.
type File struct {
	Name string // as it stands in the manifest: relative to the pipeline's folder where it was written so
	Path string // absolute
}

// Input is one output port of another task.
type Input struct {
	Task int // index into Plan.Tasks, smaller than the taker's
	Port int // index into that task's Spec.Outputs

	// Axes are the columns to append to its rows, after its own columns.
	Axes []AxisColumn
}

// AxisColumn is a column whose every row has one value.
type AxisColumn struct {
	Name  string
	Type  arrow.DataType // int64, float64, utf8 or bool
	Value any            // int64, float64, string or bool
}

// Options of New.
type Options struct {
	// Slots are the resources of this machine where the pipeline's
	// [resources] says nothing, such as {"cpu": 8, "gpu": 0}.
	Slots  map[string]int
	Limits pipeline.Limits // zero fields take pipeline.DefaultLimits
}
