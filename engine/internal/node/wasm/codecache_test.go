package wasm

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
)

// TestPruneBesideUse: another process that starts must not take away the code
// that is being used, nor the lock that is held, however old both are.
func TestPruneBesideUse(t *testing.T) {
	dir := t.TempDir()
	open := func() *codeCache {
		t.Helper()
		c, err := openCodeCache(dir)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := open()
	code := filepath.Join(dir, "id", "code")
	if err := c.with("id", func(wazero.CompilationCache) error { return os.WriteFile(code, []byte("x"), 0o600) }); err != nil {
		t.Fatal(err)
	}
	age := func() {
		t.Helper()
		old := time.Now().Add(-unused - time.Hour)
		for _, name := range []string{"id", "id" + lockSuffix} {
			if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	age()
	err := c.with("id", func(wazero.CompilationCache) error {
		held, err := os.Stat(filepath.Join(dir, "id"+lockSuffix))
		if err != nil {
			return err
		}
		open()
		if now, err := os.Stat(filepath.Join(dir, "id"+lockSuffix)); err != nil || !os.SameFile(held, now) {
			t.Error("the lock that is held is another file now: ", err)
		}
		_, err = os.Stat(code)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	age()
	open()
	if _, err := os.Stat(filepath.Join(dir, "id")); !os.IsNotExist(err) {
		t.Error("code that nobody used for long is still there: ", err)
	}
}
