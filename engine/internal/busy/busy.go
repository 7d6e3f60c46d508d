// Package busy waits for SQLite files that other processes hold.
//
// SQLite's own busy timeout does not cover every wait: where two connections
// would wait for each other, as processes do that turn a new file to WAL mode
// together, it gives SQLITE_BUSY at once.
package busy

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Retry calls try again as long as it gives SQLITE_BUSY and patience lasts, and
// returns what it gave last. A try that fails must leave no half of its work.
func Retry(ctx context.Context, patience time.Duration, try func() error) error {
	for end := time.Now().Add(patience); ; {
		err := try()
		var e *sqlite.Error
		if !errors.As(err, &e) || e.Code()&0xff != sqlite3.SQLITE_BUSY || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		// Chance keeps those who met once from meeting again.
		case <-time.After(time.Millisecond + rand.N(10*time.Millisecond)):
		}
	}
}
