package operator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/seed-4012077a/flow/sdk/abi/typeexpr"
)

// A TypeExpr is a parsed type expression: what a column's type may be. A
// struct expression asks for its fields by name, in any order; other fields
// may stand beside them.
type TypeExpr struct{ expr typeexpr.Expr }

// ParseType reads a type expression, whose grammar package typeexpr has.
func ParseType(s string) (TypeExpr, error) {
	e, err := typeexpr.Parse(s)
	return TypeExpr{e}, err
}

var primitives = map[string]arrow.Type{
	"null": arrow.NULL, "bool": arrow.BOOL,
	"int8": arrow.INT8, "int16": arrow.INT16, "int32": arrow.INT32, "int64": arrow.INT64,
	"uint8": arrow.UINT8, "uint16": arrow.UINT16, "uint32": arrow.UINT32, "uint64": arrow.UINT64,
	"float16": arrow.FLOAT16, "float32": arrow.FLOAT32, "float64": arrow.FLOAT64,
	"utf8": arrow.STRING, "large_utf8": arrow.LARGE_STRING,
	"binary": arrow.BINARY, "large_binary": arrow.LARGE_BINARY,
	"date32": arrow.DATE32, "date64": arrow.DATE64,
}

// Matches says whether a column of type dt satisfies the expression.
func (e TypeExpr) Matches(dt arrow.DataType) bool { return fits(e.expr, dt) }

func fits(e typeexpr.Expr, dt arrow.DataType) bool {
	return slices.ContainsFunc(e, func(t typeexpr.Term) bool { return fitsTerm(t, dt) })
}

func fitsTerm(t typeexpr.Term, dt arrow.DataType) bool {
	switch t.Name {
	case "any":
		return true
	case "integer":
		return arrow.IsInteger(dt.ID())
	case "number":
		return arrow.IsInteger(dt.ID()) || arrow.IsFloating(dt.ID())
	case "string":
		if d, ok := dt.(*arrow.DictionaryType); ok {
			dt = d.ValueType
		}
		return dt.ID() == arrow.STRING || dt.ID() == arrow.LARGE_STRING
	case "timestamp":
		ts, ok := dt.(*arrow.TimestampType)
		return ok && (t.Unit == "" || t.Unit == ts.Unit.String()) && (t.Zone == "" || t.Zone == ts.TimeZone)
	case "list":
		l, ok := dt.(*arrow.ListType)
		return ok && fits(t.Elems[0], l.Elem())
	case "large_list":
		l, ok := dt.(*arrow.LargeListType)
		return ok && fits(t.Elems[0], l.Elem())
	case "fixed_size_list":
		l, ok := dt.(*arrow.FixedSizeListType)
		return ok && int(l.Len()) == t.Size && fits(t.Elems[0], l.Elem())
	case "dictionary":
		d, ok := dt.(*arrow.DictionaryType)
		return ok && fits(t.Elems[0], d.IndexType) && fits(t.Elems[1], d.ValueType)
	case "struct":
		return fitsStruct(t, dt)
	}
	return dt.ID() == primitives[t.Name]
}

func fitsStruct(t typeexpr.Term, dt arrow.DataType) bool {
	s, ok := dt.(*arrow.StructType)
	if !ok {
		return false
	}
	for i, name := range t.Fields {
		f, ok := s.FieldByName(name)
		if !ok || !fits(t.Elems[i], f.Type) {
			return false
		}
	}
	return true
}

// TypeName writes an Arrow type as a type expression, for messages. A type
// that has no expression is written as Arrow writes it.
func TypeName(dt arrow.DataType) string {
	for name, id := range primitives {
		if dt.ID() == id {
			return name
		}
	}
	switch dt := dt.(type) {
	case *arrow.TimestampType:
		if dt.TimeZone != "" {
			return "timestamp[" + dt.Unit.String() + ", " + dt.TimeZone + "]"
		}
		return "timestamp[" + dt.Unit.String() + "]"
	case *arrow.ListType:
		return "list<" + TypeName(dt.Elem()) + ">"
	case *arrow.LargeListType:
		return "large_list<" + TypeName(dt.Elem()) + ">"
	case *arrow.FixedSizeListType:
		return fmt.Sprintf("fixed_size_list<%s, %d>", TypeName(dt.Elem()), dt.Len())
	case *arrow.DictionaryType:
		return "dictionary<" + TypeName(dt.IndexType) + ", " + TypeName(dt.ValueType) + ">"
	case *arrow.StructType:
		parts := make([]string, dt.NumFields())
		for i, f := range dt.Fields() {
			parts[i] = f.Name + ": " + TypeName(f.Type)
		}
		return "struct<" + strings.Join(parts, ", ") + ">"
	}
	return dt.String()
}
