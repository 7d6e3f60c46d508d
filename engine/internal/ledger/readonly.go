package ledger

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// openReadOnly opens the history in a folder that this process cannot write.
// Another may be writing there, or have been killed as it did: what it wrote
// last is in the WAL then, and must be read from there.
func (l *Ledger) openReadOnly(ctx context.Context) (db *sql.DB, err error) {
	// The writer may come or go, with its WAL, between the look and the opening.
	for range 5 {
		db, err = l.tryReadOnly(ctx)
		var e *sqlite.Error
		if !errors.As(err, &e) || e.Code()&0xff != sqlite3.SQLITE_CANTOPEN {
			break
		}
	}
	return db, err
}

func (l *Ledger) tryReadOnly(ctx context.Context) (*sql.DB, error) {
	wal, err := os.Stat(l.path + "-wal")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	noWAL := err != nil
	_, err = os.Stat(l.path + "-shm")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	noIndex := err != nil
	query := settings()
	query.Set("mode", "ro")
	switch {
	case noWAL || noIndex && wal.Size() == 0:
		// Nobody has it open. SQLite would make a WAL index even so, and cannot.
		query.Set("immutable", "1")
	case noIndex:
		// The files were moved without it.
		return l.openCopy(ctx)
	}
	return connect(ctx, l.path, l.path, query)
}

// openCopy opens a copy of the history and its WAL where an index of the WAL
// can be made.
func (l *Ledger) openCopy(ctx context.Context) (_ *sql.DB, err error) {
	dir, err := os.MkdirTemp("", "flow-history-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	file := filepath.Join(dir, "flow.db")
	for _, end := range []string{"", "-wal"} {
		if err := copyFile(file+end, l.path+end); err != nil {
			return nil, err
		}
	}
	db, err := connect(ctx, file, l.path, writing())
	if err != nil {
		return nil, err
	}
	l.copied = dir
	return db, nil
}

func copyFile(to, from string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Close())
}
