package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rae-memory/rae/pkg/fault"
)

// broken is an error of a connection that did not survive it.
type broken struct{ error }

func (b broken) Unwrap() error { return b.error }

// classify gives an error of the database its kind; what has one already, or did not come from the database, is returned
// unchanged. ctx is that of the call: an interrupted statement is the end of its context. Codes are those of appendix A
// of PostgreSQL's manual.
func classify(ctx context.Context, err error) error {
	var classified fault.Classified
	if err == nil || errors.As(err, &classified) {
		return err
	}
	var e *pgconn.PgError
	lost := errors.As(err, new(broken))
	if !errors.As(err, &e) && !lost {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if lost && e == nil {
		return again(err, "the store cannot be reached")
	}
	switch class := e.Code[:min(2, len(e.Code))]; {
	case e.Code == "57014", e.Code == "25P03": // query_canceled, by statement_timeout: the context is alive; the same between two
		return again(err, "the store took too long")
	case e.Code == "55P03", class == "40": // lock_not_available, serialization, deadlock
		return again(err, "the store is busy")
	case e.Code == "53100": // disk_full
		return again(err, "the store cannot write: disk full")
	case e.Code == "54000" && strings.Contains(e.Message, "index row"), e.Code == "54000" && strings.Contains(e.Message, "too long"):
		return fault.Wrap(fault.TooLarge, err, "an item is too large for the store")
	case class == "53", class == "57", class == "58", class == "08": // resources, intervention, system, connection
		return again(err, "the store cannot be read or written")
	case e.Code == "42501", e.Code == "28000", e.Code == "28P01": // privileges, credentials
		return fault.Wrap(fault.Unavailable, err, "the store refuses this program's role; see rae migrate --help")
	case e.Code == "42P01", e.Code == "42703", e.Code == "42883", e.Code == "22023", e.Code == "3D000":
		// undefined table, column, function, role or database
		return fault.Wrap(fault.Unavailable, err, "the store's schema is not this program's; run rae migrate")
	case e.Code == "22021": // character_not_in_repertoire: NUL, or no UTF-8
		return fault.Wrap(fault.Invalid, err, "a text holds what the store cannot keep")
	case e.Code == "23505":
		return fault.Wrap(fault.Conflict, err, "another row already has this key")
	}
	return fault.Wrap(fault.Internal, err, "the store failed")
}

func again(err error, message string) error {
	f := fault.Wrap(fault.Unavailable, err, "%s", message)
	f.RetryAfter = time.Second
	return f
}
