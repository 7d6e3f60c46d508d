// Package nullable writes single values that may be absent.
package nullable

import (
	"github.com/seed-4012077a/flow/plugins/internal/stats"
	"github.com/seed-4012077a/flow/sdk/go"
)

// Float writes v, or null where it is no finite number: what could not be
// computed is absent, with its reason in a column beside it, and never NaN.
func Float(b *sdk.Builder, v float64) {
	if !stats.Finite(v) {
		b.Null()
		return
	}
	b.Float(v)
}

// Text writes s, or null where it is empty.
func Text(b *sdk.Builder, s string) {
	if s == "" {
		b.Null()
		return
	}
	b.Str(s)
}

// Floats, Ints and Texts are columns of those names that may hold nulls.
func Floats(names ...string) []sdk.Field { return fields(sdk.Float64, names) }

func Ints(names ...string) []sdk.Field { return fields(sdk.Int64, names) }

func Texts(names ...string) []sdk.Field { return fields(sdk.Utf8, names) }

func fields(t sdk.Type, names []string) []sdk.Field {
	out := make([]sdk.Field, len(names))
	for i, n := range names {
		out[i] = sdk.Field{Name: n, Type: t, Nullable: true}
	}
	return out
}

// Specs describes columns of one type to a port's readers: name and doc in
// turn.
func Specs(typ string, namesAndDocs ...string) []sdk.ColumnSpec {
	var out []sdk.ColumnSpec
	for i := 0; i+1 < len(namesAndDocs); i += 2 {
		out = append(out, sdk.ColumnSpec{Name: namesAndDocs[i], Type: typ, Doc: namesAndDocs[i+1]})
	}
	return out
}
