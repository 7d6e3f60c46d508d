package plan

import (
	"crypto/sha256"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestRead: whoever remembers a plan must know of every file that it came from.
func TestRead(t *testing.T) {
	ar := txtar.Parse([]byte(`
-- pipeline.toml --
[pipeline]
name = "reads"
include = ["sub/more.toml"]
[rubrics.r]
file = "rubric.toml"
[nodes.rows]
uses = "read"
with = { path = "rows.jsonl" }
[nodes.toml]
uses = "grade#score"
inputs = "rows"
with = { rubric = "r", template = "text.txt", table = "table.toml" }
[nodes.json]
uses = "grade#score"
inputs = "rows"
with = { rubric = "r", template = "text.txt", table = "table.json" }
-- sub/more.toml --
[pipeline]
include = ["most.toml"]
-- sub/most.toml --
[vars]
x = 1
-- rubric.toml --
prompt = "p"
-- text.txt --
a text
-- table.toml --
a = 1
-- table.json --
{"a": 1}
-- rows.jsonl --
{"id": 1}
`))
	for i := range ar.Files {
		if ar.Files[i].Name == "table.toml" || ar.Files[i].Name == "pipeline.toml" {
			ar.Files[i].Data = append([]byte("\xef\xbb\xbf"), ar.Files[i].Data...) // the mark is no part of the text, and of the file
		}
	}
	dir, p, err := planArchive(t, ar)
	if err != nil {
		t.Fatal(err)
	}
	part, err := p.Select([]string{"rows"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for what, p := range map[string]*Plan{"the whole": p, "a part": part} {
		if want := len(ar.Files) - 1; len(p.Read) != want {
			t.Errorf("%s: %d files were read, want %d: %v", what, len(p.Read), want, p.Read)
		}
		for _, f := range ar.Files {
			sum, ok := p.Read[filepath.Join(dir, f.Name)]
			if f.Name != "rows.jsonl" && (!ok || sum != sha256.Sum256(f.Data)) {
				t.Errorf("%s: %s is noted with %x, %v", what, f.Name, sum, ok)
			}
		}
		if !slices.Equal(p.Found, []string{filepath.Join(dir, "rows.jsonl")}) {
			t.Errorf("%s: found %v", what, p.Found)
		}
	}
}
