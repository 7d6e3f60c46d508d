package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/seed-4012077a/flow/engine/internal/busy"
)

// patience is how long another process may hold the file.
const patience = 20 * time.Second

// Ledger is the workspace's history. It is safe for concurrent use, and other
// processes may have the same file open.
type Ledger struct {
	path string

	mu       sync.Mutex
	db       *sql.DB
	runs     []*Run // begun and not ended
	readOnly bool   // as db was opened: the folder could not be written
	copied   string // a temporary folder with the copy that db reads, or ""
}

// Open names the file. SQLite is started at the first use, so that commands
// which need no history do not pay for it; a file that is no database at all
// is refused here.
func Open(path string) (*Ledger, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Ledger{path: path}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the run history: %w", err)
	}
	defer f.Close()
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("open the run history: %w", err)
	}
	if n > 0 && !bytes.Equal(head[:n], []byte("SQLite format 3\x00")) {
		return nil, fmt.Errorf("open the run history: %s is not an SQLite database: move it away, and flow starts a new one (cached results are not affected)", path)
	}
	return &Ledger{path: path}, nil
}

// Close writes what is pending and closes the file. Runs that were not ended
// will show as interrupted.
func (l *Ledger) Close() error {
	l.mu.Lock()
	runs := l.runs
	l.runs = nil
	l.mu.Unlock()
	var err error
	for _, r := range runs {
		err = errors.Join(err, r.stop())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.db != nil {
		err = errors.Join(err, l.explain(l.db.Close()))
		l.db = nil
	}
	if l.copied != "" {
		err = errors.Join(err, os.RemoveAll(l.copied))
		l.copied = ""
	}
	return err
}

// open starts SQLite. Without create, a file that does not exist gives
// fs.ErrNotExist.
func (l *Ledger) open(ctx context.Context, create bool) (*sql.DB, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.db == nil {
		l.readOnly = unix.Access(filepath.Dir(l.path), unix.W_OK) != nil
	}
	if create && l.readOnly {
		return nil, fmt.Errorf("open the run history: the folder of %s cannot be written: choose another workspace with --workspace", l.path)
	}
	if l.db != nil {
		return l.db, nil
	}
	if _, err := os.Stat(l.path); errors.Is(err, fs.ErrNotExist) && !create {
		return nil, err
	}
	var db *sql.DB
	var err error
	if l.readOnly {
		db, err = l.openReadOnly(ctx)
	} else {
		db, err = connect(ctx, l.path, l.path, writing())
	}
	if err != nil {
		return nil, l.explain(err)
	}
	l.db = db
	return db, nil
}

// settings are those of every connection.
func settings() url.Values {
	// Rows are written for runs that this ledger has begun and never removes, so
	// asking for the run at every row (an eighth of a write) tells nothing new.
	return url.Values{"_pragma": {fmt.Sprintf("busy_timeout(%d)", patience.Milliseconds()), "foreign_keys(0)", "trusted_schema(0)", "cell_size_check(1)"}}
}

// writing are the settings where the folder can be written.
func writing() url.Values {
	query := settings()
	// The page cache (32 MB at most, where -2000 is the default) holds what one
	// flush of a large run changes: pages that do not fit are written twice.
	query["_pragma"] = append(query["_pragma"], "journal_mode(WAL)", "synchronous(NORMAL)", "cache_size(-32000)")
	return query
}

// connect opens the history that lies at file, and is called path.
func connect(ctx context.Context, file, path string, query url.Values) (*sql.DB, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	uri := url.URL{Scheme: "file", Path: abs, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", uri.String())
	if err != nil {
		return nil, err
	}
	// SQLite has one writer anyway; one connection keeps our own reads and
	// writes from waiting for each other's locks.
	db.SetMaxOpenConns(1)
	err = busy.Retry(ctx, patience, func() error { return migrate(ctx, db, path) })
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// explain adds what to do to SQLite's errors.
func (l *Ledger) explain(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT:
		return fmt.Errorf("the run history %s is damaged (%w): move it away with its -wal and -shm files, and flow starts a new one; cached results are not affected", l.path, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("the run history %s: %w: free some space; results are kept without it", l.path, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("the run history %s is held by another process (%w): close whatever has it open", l.path, err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR:
		return fmt.Errorf("the run history %s cannot be used (%w): check the folder's permissions, or choose another workspace with --workspace", l.path, err)
	}
	// What remains is a table or column that is not there: another hand
	// changed the file.
	return fmt.Errorf("the run history %s: %w: if the file was changed by hand, move it away and flow starts a new one", l.path, err)
}
