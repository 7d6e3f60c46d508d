package replies

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func open(t testing.TB, path string) *DB {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestPutThenGetInAnotherHandle(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "it's 100%?#.db")
	a, b := open(t, path), open(t, path)
	if _, ok, err := a.Get([32]byte{1}); ok || err != nil {
		t.Fatalf("%t %v", ok, err)
	}
	if _, err := a.Put([32]byte{1}, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if v, err := b.Put([32]byte{1}, []byte("two")); string(v) != "one" || err != nil {
		t.Fatalf("%q %v stands, want the first value", v, err)
	}
	if v, ok, err := b.Get([32]byte{1}); string(v) != "one" || !ok || err != nil {
		t.Errorf("got %q %t %v, want the first value", v, ok, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestDamagedReplyIsDropped(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "r.db"))
	if _, err := d.Put([32]byte{2}, []byte("good")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.db.Exec(`UPDATE replies SET value = ?`, []byte("evil")); err != nil {
		t.Fatal(err)
	}
	if v, ok, err := d.Get([32]byte{2}); ok || err != nil {
		t.Errorf("got %q %t %v", v, ok, err)
	}
	for _, value := range []string{"anew", "once more"} {
		if v, err := d.Put([32]byte{2}, []byte(value)); string(v) != value || err != nil {
			t.Fatalf("%q %v stands", v, err)
		}
		if v, _, _ := d.Get([32]byte{2}); string(v) != value {
			t.Errorf("got %q", v)
		}
		if _, err := d.db.Exec(`UPDATE replies SET value = ?`, []byte("evil")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("not a database"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil {
		t.Error("no error")
	}
}

const child = "FLOW_TEST_REPLIES_CHILD"

// TestMain lets the test binary be a process that writes and is killed.
func TestMain(m *testing.M) {
	path := os.Getenv(child)
	if path == "" {
		os.Exit(m.Run())
	}
	d, err := Open(path)
	for i := 0; err == nil; i++ {
		if _, err = d.Put([32]byte{3, byte(i), byte(i >> 8)}, bytes.Repeat([]byte{byte(i)}, 1000)); err == nil {
			fmt.Println(i)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// What Put said is kept, after the process is killed in the middle of writing.
func TestKilledWriterLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), child+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last := -1
	for last < 50 {
		if _, err := fmt.Fscanln(out, &last); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Process.Kill()
	_ = cmd.Wait()
	d := open(t, path)
	for i := range last + 1 {
		v, ok, err := d.Get([32]byte{3, byte(i), byte(i >> 8)})
		if !ok || err != nil || !bytes.Equal(v, bytes.Repeat([]byte{byte(i)}, 1000)) {
			t.Fatalf("reply %d of %d: %t %v", i, last, ok, err)
		}
	}
}

func TestManyWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	var wg sync.WaitGroup
	for w := range 4 {
		d := open(t, path)
		wg.Go(func() {
			for i := range 50 {
				if _, err := d.Put([32]byte{byte(w), byte(i)}, []byte("x")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// A new file that another process is about to write is waited for, where
// SQLite's own timeout does not: as the file turns to WAL mode.
func TestOpenWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.db")
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { _, _ = other.Exec("ROLLBACK") })
	open(t, path)
}

func BenchmarkPut(b *testing.B) {
	d := open(b, filepath.Join(b.TempDir(), "r.db"))
	value := bytes.Repeat([]byte("x"), 2000)
	for i := 0; b.Loop(); i++ {
		if _, err := d.Put([32]byte{byte(i), byte(i >> 8), byte(i >> 16)}, value); err != nil {
			b.Fatal(err)
		}
	}
}
