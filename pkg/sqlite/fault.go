package sqlite

import (
	"context"
	"errors"

	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/rae-memory/rae/pkg/fault"
)

// classify gives an error of the database its kind; what has one already, or did not come from the database, is
// returned unchanged. ctx is that of the call: an interrupted statement is the end of its context.
func classify(ctx context.Context, err error) error {
	var classified fault.Classified
	if err == nil || errors.As(err, &classified) {
		return err
	}
	code, ok := codeOf(err)
	if !ok {
		return err
	}
	switch code & 0xff {
	case sqlite3.SQLITE_INTERRUPT:
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fault.Wrap(fault.Unavailable, err, "the store was interrupted")
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fault.Wrap(fault.Unavailable, err, "the store is busy")
	case sqlite3.SQLITE_FULL:
		return fault.Wrap(fault.Unavailable, err, "the store cannot write: disk full")
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM,
		sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL:
		return fault.Wrap(fault.Unavailable, err, "the store cannot be read or written")
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fault.Wrap(fault.Internal, err, "the store is damaged")
	case sqlite3.SQLITE_TOOBIG:
		return fault.Wrap(fault.TooLarge, err, "an item is too large for the store")
	}
	if code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
		return fault.Wrap(fault.Conflict, err, "another row already has this key")
	}
	return fault.Wrap(fault.Internal, err, "the store failed")
}

// codeOf returns the extended result code of an error that came from the database.
func codeOf(err error) (int, bool) {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.Code(), true
}

// busy reports whether another connection stood in the way and trying again may help.
func busy(err error) bool {
	code, ok := codeOf(err)
	return ok && (code&0xff == sqlite3.SQLITE_BUSY || code&0xff == sqlite3.SQLITE_LOCKED)
}
