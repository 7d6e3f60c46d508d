// Package replies keeps chat models' replies in one SQLite file: the request
// cache of a workspace, shared by its pipelines and processes.
//
// A row is a reply: the request's hash, the reply's bytes, a hash of these
// bytes and the time. A reply whose bytes do not fit their hash is dropped, so
// that it is asked again.
package replies

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/seed-4012077a/flow/engine/internal/busy"
)

// patience is how long another process may hold the file.
const patience = 30 * time.Second

// DB is an open file. It is safe for concurrent use.
type DB struct{ db *sql.DB }

// Open opens or makes the file, which only its owner can read. Every Put is
// on the disk when it returns.
func Open(path string) (*DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	settings := url.Values{"_pragma": {fmt.Sprintf("busy_timeout(%d)", patience.Milliseconds()), "journal_mode(WAL)", "synchronous(FULL)"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: settings.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("request cache %s: %w", path, err)
	}
	const schema = `CREATE TABLE IF NOT EXISTS replies (
		key   BLOB PRIMARY KEY,
		value BLOB NOT NULL,
		sum   BLOB NOT NULL,
		at    INTEGER NOT NULL
	) WITHOUT ROWID`
	err = busy.Retry(context.Background(), patience, func() error {
		_, err := db.Exec(schema)
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("request cache %s: %w; move the file away to begin anew", path, err), db.Close())
	}
	return &DB{db}, nil
}

// Get returns the value put under key, and whether there is one.
func (d *DB) Get(key [32]byte) ([]byte, bool, error) {
	var value, sum []byte
	err := d.db.QueryRow(`SELECT value, sum FROM replies WHERE key = ?`, key[:]).Scan(&value, &sum)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("request cache: %w", err)
	}
	if got := sha256.Sum256(value); !bytes.Equal(got[:], sum) {
		if _, err := d.db.Exec(`DELETE FROM replies WHERE key = ? AND sum = ?`, key[:], sum); err != nil {
			return nil, false, fmt.Errorf("request cache: drop a damaged reply: %w", err)
		}
		return nil, false, nil
	}
	return value, true, nil
}

// Put keeps value under key, and returns the value that stands there: the
// first, so that two processes that asked the same at once go on with one
// answer.
func (d *DB) Put(key [32]byte, value []byte) ([]byte, error) {
	sum := sha256.Sum256(value)
	for {
		done, err := d.db.Exec(`INSERT INTO replies (key, value, sum, at) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`,
			key[:], value, sum[:], time.Now().Unix())
		if err != nil {
			return nil, fmt.Errorf("request cache: %w", err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 1 {
			return value, err
		}
		// One that is damaged is dropped here, and makes room for this one.
		if first, ok, err := d.Get(key); ok || err != nil {
			return first, err
		}
	}
}

// Close closes the file.
func (d *DB) Close() error { return d.db.Close() }
