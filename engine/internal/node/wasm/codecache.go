package wasm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/tetratelabs/wazero"
)

// codeCache keeps compiled code on disk, in a folder for each plugin. wazero
// maps what it reads there into memory and runs it, checking no more than a
// CRC. So the folder must be the user's own and closed to all others, which
// is what keeps strangers' code out; and each folder holds the sha256 of its
// files, which keeps out damaged ones. Whoever can write there as the user
// could change flow itself as well: no signature would help against that.
type codeCache struct{ dir string }

const (
	sumsFile   = "sums.json"
	lockSuffix = ".lock"
	unused     = 60 * 24 * time.Hour // after which a plugin's code is removed
)

func openCodeCache(dir string) (*codeCache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the folder for compiled plugins: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, fmt.Errorf("the folder for compiled plugins: %w", err)
	}
	if err := checkOwner(dir, info); err != nil {
		return nil, err
	}
	// One that is the user's own may still be on a read-only file system.
	probe, err := os.CreateTemp(dir, "probe")
	if err != nil {
		return nil, fmt.Errorf("the folder for compiled plugins: %w", err)
	}
	probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		return nil, fmt.Errorf("the folder for compiled plugins: %w", err)
	}
	c := &codeCache{dir: dir}
	c.prune()
	return c, nil
}

// prune removes what was not used for long. It is a matter of space only, so
// its errors are nobody's. A plugin's folder goes under its lock; the lock
// files, which are empty, stay: another may be waiting for one.
func (c *codeCache) prune() {
	old := func(info fs.FileInfo, err error) bool { return err == nil && time.Since(info.ModTime()) > unused }
	entries, _ := os.ReadDir(c.dir)
	for _, e := range entries {
		path := filepath.Join(c.dir, e.Name())
		switch {
		case !old(e.Info()), strings.HasSuffix(e.Name(), lockSuffix):
		case !e.IsDir():
			_ = os.Remove(path)
		default:
			lock := flock.New(path + lockSuffix)
			if ok, err := lock.TryLock(); err != nil || !ok {
				continue // it is in use
			}
			if old(os.Stat(path)) { // still, now that nobody uses it
				_ = os.RemoveAll(path)
			}
			_ = lock.Unlock()
		}
	}
}

// with calls compile with a compilation cache for the plugin of that identity
// whose files were checked, under a lock that other processes take too.
func (c *codeCache) with(id string, compile func(wazero.CompilationCache) error) error {
	lock := flock.New(filepath.Join(c.dir, id+lockSuffix))
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("the folder for compiled plugins: %w", err)
	}
	defer lock.Unlock()
	dir := filepath.Join(c.dir, id)
	good := false
	if sums, err := sumFiles(dir); err == nil {
		kept, err := os.ReadFile(filepath.Join(dir, sumsFile))
		good = err == nil && string(kept) == string(sums)
	}
	if !good {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("removing damaged code of a plugin: %w", err)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			return fmt.Errorf("the folder for compiled plugins: %w", err)
		}
	}
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return fmt.Errorf("the folder for compiled plugins: %w", err)
	}
	if err := compile(cache); err != nil {
		return err
	}
	now := time.Now()
	_ = os.Chtimes(dir, now, now)
	if good {
		return nil
	}
	sums, err := sumFiles(dir)
	if err != nil {
		return fmt.Errorf("the folder for compiled plugins: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, sumsFile), sums, 0o600)
}

// sumFiles returns the sha256 of every file in dir but the sums themselves, as
// JSON. Anything but plain files and folders is an error.
func sumFiles(dir string) ([]byte, error) {
	sums := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if !e.Type().IsRegular() {
			return errors.New(path + " is not a plain file")
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || rel == sumsFile {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return err
		}
		sums[rel] = hex.EncodeToString(h.Sum(nil))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(sums)
}
