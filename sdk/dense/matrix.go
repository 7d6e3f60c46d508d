package dense

import (
	"fmt"
	"unsafe"
)

// Matrix is a row-major matrix: element (i, j) is Data[i*Stride+j]. The fields
// are those of gonum's blas64.General, in its order.
type Matrix struct {
	Rows, Cols int
	Data       []float64
	Stride     int
}

// New returns a rows x cols matrix of zeros. Negative sizes give an empty one.
func New(rows, cols int) Matrix {
	rows, cols = max(rows, 0), max(cols, 0)
	return Matrix{Rows: rows, Cols: cols, Data: make([]float64, rows*cols), Stride: cols}
}

// At returns element (i, j).
func (m Matrix) At(i, j int) float64 { return m.Data[i*m.Stride+j] }

// Slice returns the part of rows i0 to i1 and columns j0 to j1, without their
// last. It shares m's elements.
func (m Matrix) Slice(i0, i1, j0, j1 int) (Matrix, error) {
	if err := m.check("the matrix"); err != nil {
		return Matrix{}, fmt.Errorf("dense: Slice: %w", err)
	}
	if i0 < 0 || i1 < i0 || i1 > m.Rows || j0 < 0 || j1 < j0 || j1 > m.Cols {
		return Matrix{}, fmt.Errorf("dense: Slice: rows %d to %d and columns %d to %d of a %d x %d matrix", i0, i1, j0, j1, m.Rows, m.Cols)
	}
	s := Matrix{Rows: i1 - i0, Cols: j1 - j0, Stride: m.Stride}
	if !s.empty() {
		at := i0*m.Stride + j0
		s.Data = m.Data[at : at+(s.Rows-1)*m.Stride+s.Cols]
	}
	return s, nil
}

func (m Matrix) empty() bool { return m.Rows == 0 || m.Cols == 0 }

// check says what is wrong with the matrix in itself. It does not overflow
// for any numbers.
func (m Matrix) check(name string) error {
	switch {
	case m.Rows < 0 || m.Cols < 0:
		return fmt.Errorf("%s is %d x %d; sizes are 0 or more", name, m.Rows, m.Cols)
	case m.empty():
		return nil
	case m.Stride < m.Cols:
		return fmt.Errorf("%s has stride %d, less than its %d columns", name, m.Stride, m.Cols)
	case len(m.Data) < m.Cols || (len(m.Data)-m.Cols)/m.Stride < m.Rows-1:
		return fmt.Errorf("%s of %d x %d with stride %d does not fit into %d elements", name, m.Rows, m.Cols, m.Stride, len(m.Data))
	}
	return nil
}

func (m Matrix) square(name string) error {
	if err := m.check(name); err != nil {
		return err
	}
	if m.Rows != m.Cols {
		return fmt.Errorf("%s is %d x %d, not square", name, m.Rows, m.Cols)
	}
	return nil
}

// overlaps tells whether two matrices that passed check have an element in
// common. Where strides differ it answers for all that lies between their
// first and last elements.
func (m Matrix) overlaps(o Matrix) bool {
	if m.empty() || o.empty() {
		return false
	}
	// Addresses of different arrays have no order that means anything, but
	// their byte ranges do not meet, which is all that is asked.
	at := func(m Matrix) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(m.Data))) }
	bytes := func(m Matrix) uintptr { return 8 * uintptr((m.Rows-1)*m.Stride+m.Cols) }
	a, b := at(m), at(o)
	if a >= b+bytes(o) || b >= a+bytes(m) {
		return false
	}
	if m.Stride != o.Stride || (a-b)%8 != 0 {
		return true
	}
	if a > b {
		m, o, a, b = o, m, b, a
	}
	// o's first element is q rows and r columns past m's, or q+1 rows down and
	// to the left.
	d := int((b - a) / 8)
	q, r := d/m.Stride, d%m.Stride
	return q < m.Rows && r < m.Cols || q+1 < m.Rows && m.Stride-r < o.Cols
}

// view is a matrix or its transpose or either of them read backwards: element
// (i, j) lies at data[at+i*row+j*col]. Views are made of checked matrices.
type view struct {
	data         []float64
	at, row, col int
}

func (m Matrix) view() view { return view{data: m.Data, row: m.Stride, col: 1} }

// op is the view, or its transpose.
func (v view) op(trans bool) view {
	if trans {
		v.row, v.col = v.col, v.row
	}
	return v
}

// from is the view that starts at row i, column j.
func (v view) from(i, j int) view {
	v.at += i*v.row + j*v.col
	return v
}

// lastColFirst is a view of n columns in the opposite order.
func (v view) lastColFirst(n int) view {
	v.at += (n - 1) * v.col
	v.col = -v.col
	return v
}

// lastRowFirst is a view of n rows in the opposite order.
func (v view) lastRowFirst(n int) view {
	return v.op(true).lastColFirst(n).op(true)
}
