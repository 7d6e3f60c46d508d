package runmemo

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func sum(s string) Hash { return sha256.Sum256([]byte(s)) }

// example is a memo with everything that one may hold.
func example(question string) *Memo {
	return &Memo{
		Question: sum(question), Pipeline: "small", Dir: "/study",
		Texts:    []Witness{{"/study/pipeline.toml", sum("text")}, {"/study/ü.toml", sum("")}},
		Found:    []string{"/study/rows.jsonl"},
		Programs: []Program{{Name: "filter", Place: "embedded:filter", Identity: []string{"plugin sha256:1"}}, {Name: "none"}},
		Files:    []Witness{{"/study/rows.jsonl", sum("rows")}},
		Origin:   "20260101-000000-0000",
		Tasks: []Task{
			{Node: "rows", Label: "rows", Uses: "read", Rows: 3, Bytes: 1 << 40, Elapsed: 3 * time.Second},
			{Node: "good", Label: "good[x=1]", Uses: "filter#threshold", Rows: 0},
			{Node: "good", Label: "good[x=2]", Uses: "filter#threshold", Rows: -1},
			{Node: "out", Label: "out", Uses: "write", Publishes: true, Files: sum("files")},
		},
		Kept: []byte("kept"),
	}
}

// same compares memos, an empty list being as good as none.
func same(a, b *Memo) bool { return fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b) }

func TestWriteAndRead(t *testing.T) {
	f := Folder(filepath.Join(t.TempDir(), "workspace", "memos"))
	if _, err := f.Read(sum("a")); err == nil {
		t.Error("a memo out of a folder that is not there")
	}
	for _, m := range []*Memo{example("a"), example("b"), {Question: sum("c")}} {
		if err := f.Write(m); err != nil {
			t.Fatal(err)
		}
		got, err := f.Read(m.Question)
		if err != nil || !same(got, m) {
			t.Errorf("read back %+v, %v\nwant %+v", got, err, m)
		}
	}
	// Under another's name it is no answer.
	if err := os.Rename(f.file(sum("a")), f.file(sum("d"))); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(sum("d")); err == nil {
		t.Error("the memo of another question")
	}
	if err := f.Clear(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(sum("b")); err == nil {
		t.Error("a memo that was cleared")
	}
}

func TestDamage(t *testing.T) {
	good := example("a").encode()
	for i := range good {
		for bit := range 8 {
			bad := append([]byte(nil), good...)
			bad[i] ^= 1 << bit
			if _, err := decode(bad); err == nil {
				t.Fatalf("a memo with bit %d of byte %d flipped", bit, i)
			}
		}
		if _, err := decode(good[:i]); err == nil {
			t.Fatalf("a memo cut at byte %d", i)
		}
	}
	if _, err := decode(append(good, 0)); err == nil {
		t.Error("a memo with a byte behind it")
	}
}

// TestBounds: the oldest memos go, and what a killed process left.
func TestBounds(t *testing.T) {
	dir := t.TempDir()
	f := Folder(dir)
	old := time.Now().Add(-2 * time.Hour)
	for i := range maxFiles + 5 {
		m := example(fmt.Sprint(i))
		if err := f.Write(m); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(f.file(m.Question), old, old.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	stray := filepath.Join(dir, tempPrefix+"123")
	writing := filepath.Join(dir, tempPrefix+"456")
	for _, path := range []string{stray, writing} {
		if err := os.WriteFile(path, []byte("half a memo"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(stray, old, old); err != nil {
		t.Fatal(err)
	}
	large := example("large")
	large.Kept = make([]byte, maxFile-1000)
	large.Kept[0] = 1
	if err := f.Write(large); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != maxFiles+1 {
		t.Errorf("%d files, want %d memos and one that is being written", len(entries), maxFiles)
	}
	for i := range maxFiles + 5 {
		_, err := f.Read(sum(fmt.Sprint(i)))
		if want := i >= 6; (err == nil) != want {
			t.Errorf("memo %d is there: %v", i, err == nil)
		}
	}
	if _, err := f.Read(large.Question); err != nil {
		t.Error(err)
	}

	// One that is too large is not kept, nor the one that it would replace.
	large.Kept = make([]byte, maxFile+1)
	if err := f.Write(large); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(large.Question); err == nil {
		t.Error("a memo beyond the bound, or the old one in its place")
	}
}

// FuzzDecode reads bodies that no flow wrote, as if their checksum were right.
func FuzzDecode(f *testing.F) {
	head := len(magic) + sha256.Size
	f.Add(example("a").encode()[head:])
	f.Add((&Memo{}).encode()[head:])
	f.Add([]byte(strings.Repeat("\xff", 40)))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := decodeBody(body)
		if err != nil {
			return
		}
		back, err := decode(m.encode())
		if err != nil || !same(back, m) {
			t.Fatalf("read %+v, then %+v, %v", m, back, err)
		}
	})
}
