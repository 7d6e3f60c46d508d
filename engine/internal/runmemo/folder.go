package runmemo

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Bounds of a folder. A memo of 10,000 tasks takes 1.3 MB.
const (
	maxFile   = 64 << 20
	maxFiles  = 64
	maxFolder = 256 << 20
)

// tempPrefix begins the names of files that are being written; strayAge is
// when one is taken for what a killed process left.
const (
	tempPrefix = ".memo-"
	strayAge   = time.Hour
)

// Folder is a folder of memos. Other processes may use it at the same time.
type Folder string

func (f Folder) file(question Hash) string {
	return filepath.Join(string(f), hex.EncodeToString(question[:16]))
}

// Read returns the memo of a question. Where there is none, or it cannot be
// believed, there is an error.
func (f Folder) Read(question Hash) (*Memo, error) {
	path := f.file(question)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, errMemo
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := decode(b)
	if err == nil && m.Question != question {
		err = errMemo
	}
	return m, err
}

// Write keeps a memo in place of an earlier one of its question, whole or not
// at all, and takes the oldest away where there are too many. A memo that is
// too large is not kept.
func (f Folder) Write(m *Memo) error {
	b := m.encode()
	if len(b) > maxFile {
		return f.Remove(m.Question)
	}
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(string(f), tempPrefix+"*")
	if err != nil {
		return err
	}
	_, err = temp.Write(b)
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), f.file(m.Question))
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return f.evict()
}

// Remove forgets the memo of a question.
func (f Folder) Remove(question Hash) error {
	if err := os.Remove(f.file(question)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Clear forgets all memos.
func (f Folder) Clear() error { return os.RemoveAll(string(f)) }

func (f Folder) evict() error {
	entries, err := os.ReadDir(string(f))
	if err != nil {
		return err
	}
	var memos []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !strings.HasPrefix(e.Name(), tempPrefix) {
			memos = append(memos, info)
		} else if time.Since(info.ModTime()) > strayAge {
			err = errors.Join(err, f.drop(info))
		}
		if err != nil {
			return err
		}
	}
	slices.SortFunc(memos, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	var bytes int64
	for i, info := range memos {
		if bytes += info.Size(); i < maxFiles && bytes <= maxFolder {
			continue
		}
		if err := f.drop(info); err != nil {
			return err
		}
	}
	return nil
}

// drop removes a file that another process may have removed already.
func (f Folder) drop(info fs.FileInfo) error {
	if err := os.Remove(filepath.Join(string(f), info.Name())); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
