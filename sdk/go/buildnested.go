package sdk

import "fmt"

// List adds a list: fill adds its elements.
func (b *Builder) List(fill func(elem *Builder)) {
	b.beginNested()
	if !b.typ.IsList() {
		panic(b.wrong("a list"))
	}
	before := b.kids[0].n
	fill(b.kids[0])
	b.endList(before)
}

func (b *Builder) endList(before int) {
	n := b.kids[0].n
	switch b.typ.kind {
	case kList:
		b.offsets[b.n+1] = int32(n)
	case kLargeList:
		b.large[b.n+1] = int64(n)
	default:
		if n-before != b.typ.size {
			panic(fmt.Sprintf("column %q takes lists of %d elements, not %d", b.name, b.typ.size, n-before))
		}
	}
	b.n++
}

// beginNested is begin for columns whose memory is in their members.
func (b *Builder) beginNested() {
	if b.rows != nil && b.whole == nil && b.n&15 == 0 && b.bytes() >= flushBytes {
		b.rows.full(b)
	}
	b.begin()
}

// Field returns the builder of a struct's member, or nil. Add one value to
// every member, then call EndStruct.
func (b *Builder) Field(name string) *Builder {
	if b.typ.kind != kStruct {
		panic(b.wrong("a struct"))
	}
	for i, f := range b.typ.fields {
		if f.Name == name {
			return b.kids[i]
		}
	}
	return nil
}

// EndStruct ends one struct. A member without a value becomes null.
func (b *Builder) EndStruct() {
	if b.typ.kind != kStruct {
		panic(b.wrong("a struct"))
	}
	for _, k := range b.kids {
		switch k.n - b.n {
		case 1:
		case 0:
			k.Null()
		default:
			panic(fmt.Sprintf("member %q of column %q has %d values for %d structs", k.name, b.name, k.n, b.n+1))
		}
	}
	if b.n >= b.room { // by way of Field, no begin came before
		b.enlarge(1)
	}
	b.n++
}

// StructBuilder adds one struct to a column.
type StructBuilder struct{ b *Builder }

// Field returns the builder of a member, which takes one value. An unknown
// name panics.
func (s *StructBuilder) Field(name string) *Builder {
	k := s.b.Field(name)
	if k == nil {
		panic(fmt.Sprintf("column %q has no member %q", s.b.name, name))
	}
	return k
}

// Struct adds a struct: fill gives its members; those left out become null.
func (b *Builder) Struct(fill func(s *StructBuilder)) {
	b.beginNested()
	fill(&StructBuilder{b})
	b.EndStruct()
}
