package sdk

import (
	"fmt"
	"unsafe"
)

// Batch is some rows of a table, column by column.
type Batch struct {
	schema Schema
	cols   []*Column
	n      int
}

// Len is the number of rows.
func (b *Batch) Len() int { return b.n }

// Schema is the batch's columns by name and type.
func (b *Batch) Schema() Schema { return b.schema }

// Col returns the column of that name, or nil.
func (b *Batch) Col(name string) *Column {
	if i := b.schema.Index(name); i >= 0 {
		return b.cols[i]
	}
	return nil
}

// ColAt returns the i-th column.
func (b *Batch) ColAt(i int) *Column { return b.cols[i] }

// Column is the values of one column in a batch, or of a list's elements or a
// struct's member. Its methods panic on a row out of range or a type that
// they cannot read: the task then fails with that text.
type Column struct {
	typ     Type
	n       int
	nulls   int
	valid   []byte  // one bit a row, 1 for a value; nil where there are no nulls
	offsets []int32 // utf8, binary, list: n+1
	large   []int64 // large_utf8, large_binary, large_list: n+1
	data    []byte  // fixed-width values, bits of bool, bytes of strings
	kids    []*Column
	dict    *Column
}

// Type is the column's type.
func (c *Column) Type() Type { return c.typ }

// Len is the number of rows.
func (c *Column) Len() int { return c.n }

// NullCount is the number of nulls.
func (c *Column) NullCount() int {
	if c.typ.kind == kNull {
		return c.n
	}
	return c.nulls
}

// IsNull says whether row i has no value.
func (c *Column) IsNull(i int) bool {
	if c.valid == nil {
		return c.typ.kind == kNull
	}
	return c.valid[i>>3]>>(i&7)&1 == 0
}

func (c *Column) wrong(want string) string {
	return fmt.Sprintf("a column of type %s was read as %s", c.typ, want)
}

// view reads data as n values of type T; the index checks stay on.
func view[T any](data []byte, n int) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(data))), n)
}

// at is element i of view(data, n). It spares the check that unsafe.Slice
// makes of the size, which for a guest is a call.
func at[T any](data []byte, i, n int) T { return *place[T](data, i, n) }

func place[T any](data []byte, i, n int) *T {
	if uint(i) >= uint(n) {
		outside(i, n)
	}
	return (*T)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(data)), i*int(unsafe.Sizeof(*(*T)(nil)))))
}

//go:noinline
func outside(i, n int) { panic(fmt.Sprintf("row %d of a column with %d rows", i, n)) }

// Int returns row i of any integer, date or timestamp column; a uint64 above
// the largest int64 wraps. It is undefined for a null.
func (c *Column) Int(i int) int64 {
	switch c.typ.kind {
	case kInt64, kUint64, kTimestamp, kDate64:
		return at[int64](c.data, i, c.n)
	case kInt32, kDate32:
		return int64(at[int32](c.data, i, c.n))
	case kUint32:
		return int64(at[uint32](c.data, i, c.n))
	case kInt16:
		return int64(at[int16](c.data, i, c.n))
	case kUint16:
		return int64(at[uint16](c.data, i, c.n))
	case kInt8:
		return int64(at[int8](c.data, i, c.n))
	case kUint8:
		return int64(at[uint8](c.data, i, c.n))
	case kDict:
		return c.dict.Int(c.index(i))
	}
	panic(c.wrong("an integer"))
}

// Float returns row i of any float or integer column as a float64.
func (c *Column) Float(i int) float64 {
	switch c.typ.kind {
	case kFloat64:
		return at[float64](c.data, i, c.n)
	case kFloat32:
		return float64(at[float32](c.data, i, c.n))
	case kUint64:
		return float64(at[uint64](c.data, i, c.n))
	case kDict:
		return c.dict.Float(c.index(i))
	}
	if c.typ.kind == kFloat16 {
		panic(c.wrong("a number"))
	}
	return float64(c.Int(i))
}

// Bool returns row i of a bool column.
func (c *Column) Bool(i int) bool {
	if c.typ.kind != kBool {
		panic(c.wrong("a bool"))
	}
	if uint(i) >= uint(c.n) {
		outside(i, c.n)
	}
	return c.data[i>>3]>>(i&7)&1 == 1
}

// Bytes returns row i of a string or binary column, or of a dictionary of
// one, without a copy: it is valid as long as the batch, and not to be
// written. A null gives nothing.
func (c *Column) Bytes(i int) []byte {
	switch c.typ.kind {
	case kUtf8, kBinary:
		return c.data[c.offsets[i]:c.offsets[i+1]]
	case kLargeUtf8, kLargeBinary:
		return c.data[c.large[i]:c.large[i+1]]
	case kDict:
		if c.IsNull(i) {
			return nil
		}
		return c.dict.Bytes(c.index(i))
	case kNull:
		return nil
	}
	panic(c.wrong("a string"))
}

// Str is Bytes as a string, without a copy: use strings.Clone to keep it
// beyond Process.
func (c *Column) Str(i int) string {
	b := c.Bytes(i)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// index returns row i's place in the dictionary.
func (c *Column) index(i int) int {
	switch c.typ.width() {
	case 1:
		if c.typ.fields[0].Type.kind == kInt8 {
			return int(at[int8](c.data, i, c.n))
		}
		return int(at[uint8](c.data, i, c.n))
	case 2:
		if c.typ.fields[0].Type.kind == kInt16 {
			return int(at[int16](c.data, i, c.n))
		}
		return int(at[uint16](c.data, i, c.n))
	case 4:
		return int(at[uint32](c.data, i, c.n))
	}
	return int(at[int64](c.data, i, c.n))
}

// DictIndex returns row i's place in Elem of a dictionary column, -1 for a
// null.
func (c *Column) DictIndex(i int) int {
	if c.typ.kind != kDict {
		panic(c.wrong("a dictionary"))
	}
	if c.IsNull(i) {
		return -1
	}
	return c.index(i)
}

// Int64s returns an int64 column's values; nulls have undefined ones.
func (c *Column) Int64s() []int64 { return raw[int64](c, kInt64) }

// Int32s returns an int32 column's values; nulls have undefined ones.
func (c *Column) Int32s() []int32 { return raw[int32](c, kInt32) }

// Float64s returns a float64 column's values; nulls have undefined ones.
func (c *Column) Float64s() []float64 { return raw[float64](c, kFloat64) }

// Float32s returns a float32 column's values; nulls have undefined ones.
func (c *Column) Float32s() []float32 { return raw[float32](c, kFloat32) }

func raw[T any](c *Column, k kind) []T {
	if c.typ.kind != k {
		panic(c.wrong(plain[k].name + " values"))
	}
	return view[T](c.data, c.n)
}

// List returns the range of row i's elements in Elem. A null list is empty.
func (c *Column) List(i int) (start, end int) {
	switch c.typ.kind {
	case kList:
		start, end = int(c.offsets[i]), int(c.offsets[i+1])
	case kLargeList:
		start, end = int(c.large[i]), int(c.large[i+1])
	case kFixedList:
		if uint(i) >= uint(c.n) {
			panic(fmt.Sprintf("row %d of a column with %d rows", i, c.n))
		}
		start, end = i*c.typ.size, (i+1)*c.typ.size
	default:
		panic(c.wrong("a list"))
	}
	if c.IsNull(i) {
		return start, start
	}
	return start, end
}

// Elem returns the elements of a list column, all rows' one after another, or
// the values of a dictionary column.
func (c *Column) Elem() *Column {
	switch {
	case c.typ.IsList():
		return c.kids[0]
	case c.typ.kind == kDict:
		return c.dict
	}
	panic(c.wrong("a list"))
}

// Field returns the member of a struct column, or nil. Where the struct is
// null its members are undefined.
func (c *Column) Field(name string) *Column {
	if c.typ.kind != kStruct {
		panic(c.wrong("a struct"))
	}
	for i, f := range c.typ.fields {
		if f.Name == name {
			return c.kids[i]
		}
	}
	return nil
}

// NewBatch makes a batch of columns (Builder.Column) in the schema's order,
// for tests and harnesses.
func NewBatch(s Schema, cols []*Column) (*Batch, error) {
	if len(cols) != len(s.Fields) {
		return nil, fmt.Errorf("%d columns for a schema of %d", len(cols), len(s.Fields))
	}
	b := &Batch{schema: s, cols: cols}
	for i, c := range cols {
		switch {
		case !c.typ.Equal(s.Fields[i].Type):
			return nil, fmt.Errorf("column %q is %s, not %s", s.Fields[i].Name, c.typ, s.Fields[i].Type)
		case c.n != cols[0].n:
			return nil, fmt.Errorf("column %q has %d rows, not %d", s.Fields[i].Name, c.n, cols[0].n)
		case c.NullCount() > 0 && !s.Fields[i].Nullable:
			return nil, fmt.Errorf("column %q has nulls but is not nullable", s.Fields[i].Name)
		}
		b.n = c.n
	}
	return b, nil
}
