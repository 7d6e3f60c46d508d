package wasm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/tetratelabs/wazero/api"

	"github.com/seed-4012077a/flow/engine/internal/node/wasm/cdata"
	"github.com/seed-4012077a/flow/sdk/abi"
	"github.com/seed-4012077a/flow/sdk/dense"
)

// exportNumeric exports the numeric functions. They work in the guest's memory
// where it lies, and look at the context every few milliseconds, as the meter
// does for the guest's own work.
func exportNumeric(export func(name string, params []api.ValueType, f func(ctx context.Context, in *instance, stack []uint64))) {
	for name, f := range map[string]func(m cdata.Memory, poll dense.Poll, stack []uint64) error{
		abi.ImportGemm: numGemm,
		abi.ImportTrsm: numTrsm,
	} {
		params := make([]api.ValueType, numArguments(name))
		for i := range params {
			params[i] = api.ValueTypeI32
		}
		if name == abi.ImportGemm {
			params[4] = api.ValueTypeF64
		}
		export(name, params, func(ctx context.Context, in *instance, stack []uint64) {
			err := f(in.memory(), ctx.Err, stack)
			switch {
			case err == nil:
			case ctx.Err() != nil:
				panic(ctx.Err())
			default:
				in.stop(lie("a call of %s: %w", name, err))
			}
		})
	}
}

// numArguments is the number of a function's arguments.
func numArguments(name string) int {
	if name == abi.ImportGemm {
		return 11
	}
	return 7
}

// numGemm does what abi.md says of num_gemm. It trusts no argument.
func numGemm(mem cdata.Memory, poll dense.Poll, stack []uint64) error {
	u := arguments(stack)
	flags, m, n, k, alpha := u(0), u(1), u(2), u(3), math.Float64frombits(stack[4])
	if flags&^abi.GemmFlags != 0 {
		return fmt.Errorf("its flags are %#x, of which %#x is not known", flags, flags&^abi.GemmFlags)
	}
	transA, transB := flags&abi.GemmTransA != 0, flags&abi.GemmTransB != 0
	a, err := operand(mem, "A", u(5), m, k, u(6), transA)
	if err != nil {
		return err
	}
	b, err := operand(mem, "B", u(7), k, n, u(8), transB)
	if err != nil {
		return err
	}
	c, err := operand(mem, "C", u(9), m, n, u(10), false)
	if err != nil {
		return err
	}
	if flags&abi.GemmLower != 0 {
		return poll.GemmLower(transA, transB, alpha, a, b, c)
	}
	return poll.Gemm(transA, transB, alpha, a, b, c)
}

// numTrsm does what abi.md says of num_trsm. It trusts no argument.
func numTrsm(mem cdata.Memory, poll dense.Poll, stack []uint64) error {
	u := arguments(stack)
	flags, m, n := u(0), u(1), u(2)
	if flags&^abi.TrsmFlags != 0 {
		return fmt.Errorf("its flags are %#x, of which %#x is not known", flags, flags&^abi.TrsmFlags)
	}
	side, size := dense.Left, m
	if flags&abi.TrsmRight != 0 {
		side, size = dense.Right, n
	}
	l, err := operand(mem, "L", u(3), size, size, u(4), false)
	if err != nil {
		return err
	}
	b, err := operand(mem, "B", u(5), m, n, u(6), false)
	if err != nil {
		return err
	}
	return poll.Trsm(side, flags&abi.TrsmTrans != 0, l, b)
}

// arguments reads i32 arguments, whose high halves are garbage.
func arguments(stack []uint64) func(i int) uint32 {
	return func(i int) uint32 { return uint32(stack[i]) }
}

// maxSize is more rows, columns or stride than a memory of 4 GiB has numbers.
const maxSize = 1 << 29

var errEndian = errors.New("the numeric functions need a machine that stores the low byte first")

// operand is the part of the guest's memory that holds a matrix whose op is
// rows x cols. It is checked to lie there; package dense checks the rest.
func operand(mem cdata.Memory, name string, at, rows, cols, stride uint32, trans bool) (dense.Matrix, error) {
	if trans {
		rows, cols = cols, rows
	}
	m := dense.Matrix{Rows: int(rows), Cols: int(cols), Stride: int(stride)}
	switch {
	case binary.NativeEndian.Uint16([]byte{1, 0}) != 1:
		return m, errEndian
	case rows > maxSize || cols > maxSize || stride > maxSize:
		return m, fmt.Errorf("%s of %d x %d with leading dimension %d is larger than any memory", name, rows, cols, stride)
	case rows == 0 || cols == 0:
		return m, nil
	case stride < cols:
		return m, fmt.Errorf("%s has leading dimension %d, less than its %d columns", name, stride, cols)
	case at%8 != 0:
		return m, fmt.Errorf("%s at address %#x, no multiple of 8", name, at)
	}
	count := int64(rows-1)*int64(stride) + int64(cols) // below 2^59
	b, err := mem.At(at, 8*count)
	if err != nil {
		return m, fmt.Errorf("%s of %d x %d with leading dimension %d: %w", name, rows, cols, stride, err)
	}
	m.Data = unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(b))), count)
	return m, nil
}
