package sdk

import (
	"fmt"

	"github.com/seed-4012077a/flow/sdk/abi/typeexpr"
)

// ParseType reads a type such as "int64", "timestamp[us, UTC]",
// "list<struct<role: utf8, content: utf8>>", "fixed_size_list<float32, 4>" or
// "dictionary<int32, utf8>". Members and elements are nullable. Classes like
// "number" and choices like "utf8 | null" are for port descriptions only and
// refused here.
func ParseType(s string) (Type, error) {
	e, err := typeexpr.Parse(s)
	if err != nil {
		return Type{}, err
	}
	t, err := typeOf(e)
	if err != nil {
		return Type{}, fmt.Errorf("type %q: %w", s, err)
	}
	return t, nil
}

func typeOf(e typeexpr.Expr) (Type, error) {
	t := e[0]
	switch {
	case len(e) > 1:
		return Type{}, fmt.Errorf("a column has one type, not a choice of %d", len(e))
	case t.IsClass():
		return Type{}, fmt.Errorf("%s stands for several types: name one", t.Name)
	}
	var parts []Type
	for _, elem := range t.Elems {
		part, err := typeOf(elem)
		if err != nil {
			return Type{}, err
		}
		parts = append(parts, part)
	}
	switch t.Name {
	case "timestamp":
		return Timestamp(t.Unit, t.Zone), nil
	case "list":
		return ListOf(parts[0]), nil
	case "large_list":
		return LargeListOf(parts[0]), nil
	case "fixed_size_list":
		return FixedListOf(parts[0], t.Size), nil
	case "dictionary":
		if !parts[0].IsInteger() {
			return Type{}, fmt.Errorf("a dictionary's index is an integer, not %s", parts[0])
		}
		return DictOf(parts[0], parts[1]), nil
	case "struct":
		var fields []Field
		for i, name := range t.Fields {
			fields = append(fields, Field{Name: name, Type: parts[i], Nullable: true})
		}
		return StructOf(fields...), nil
	}
	for k, n := range plain {
		if n.name != "" && n.name == t.Name {
			return Type{kind: kind(k)}, nil
		}
	}
	return Type{}, fmt.Errorf("this SDK has no type %s", t.Name)
}
