// Package postgres keeps everything RAE knows in PostgreSQL with pgvector: memories, their history, vectors, words and
// entities, the outbox, budgets, reflections and jobs. Any number of processes may share a database; the database
// itself confines every request to the tenant and project it was made for.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// Options of a DB. The zero value works.
type Options struct {
	// Connections is how many the process opens at most; 0 = 4. Functions scale out: many small pools share a server.
	Connections int
	// Patience is how long a call waits for one of them before it is refused; 0 = 2 s.
	Patience time.Duration
	// Language says how the words of a scope that begins are read; nil: all are English. It is remembered with the scope.
	Language func(memory.Scope) text.Language
	Clock    func() time.Time // nil: the database's own, which all processes share; only tests set another
	Log      *slog.Logger     // nil: says nothing
	// OnCommit is called after a commit that may have added records to the outbox, on the goroutine of one of the
	// writers: it must not block.
	OnCommit func()
	// TraceParent returns the W3C trace context of a request, for the records it writes. nil: none.
	TraceParent func(context.Context) string
}

// DB is one database. All methods are safe for concurrent use, and any number of processes may share it.
type DB struct {
	url     string
	options Options

	opening chan struct{} // holds one token; whoever opens or closes takes it
	pool    atomic.Pointer[pgxpool.Pool]
	closed  atomic.Bool

	lines lines[*group]
}

// Address is what a URL must be, in words.
const Address = "postgres://user:password@host:port/database"

// Open returns the store in the database at the URL (postgres://user@host/database?…, see pgconn.ParseConfig). It
// connects to nothing: the first call that needs the database does; when that fails, the call says so (Unavailable) and
// the next one tries again. The error, Invalid, is that of a URL that is none; it never repeats the URL, which may hold
// a password.
func Open(url string, options Options) (*DB, error) {
	if _, err := pgxpool.ParseConfig(url); err != nil {
		return nil, fault.New(fault.Invalid, "is no PostgreSQL URL, which is %s", Address)
	}
	if options.Connections == 0 {
		options.Connections = 4
	}
	if options.Patience == 0 {
		options.Patience = 2 * time.Second
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	d := &DB{url: url, options: options, opening: make(chan struct{}, 1)}
	d.opening <- struct{}{}
	return d, nil
}

// Ping reports whether the database answers and has the schema this program needs.
func (d *DB) Ping(ctx context.Context) error {
	return d.system(ctx, func(tx *session) error {
		var one int
		return tx.row("SELECT 1", nil, &one)
	})
}

// Close closes the connections. Calls that come later fail with Unavailable.
func (d *DB) Close() error {
	<-d.opening
	defer func() { d.opening <- struct{}{} }()
	d.closed.Store(true)
	if pool := d.pool.Swap(nil); pool != nil {
		pool.Close()
	}
	return nil
}

// How long the pieces of a call may take. The database ends what takes longer, so that a call whose caller has gone
// holds nothing for ever.
const (
	statementTime  = 30 * time.Second
	lockTime       = 10 * time.Second
	idleTime       = 30 * time.Second         // between two statements: the locks of a process that vanished are let go of
	answerTime     = statementTime + lockTime // from sending statements to the last of their answers
	cancelGrace    = time.Second              // for a cancelled statement to end before its connection is given up
	idleConnection = 30 * time.Second
)

// opened returns the pool, made when this is the first use. A schema that is not the program's, or a role that could
// see other tenants' rows, is refused here, before anything is read or written.
func (d *DB) opened(ctx context.Context) (*pgxpool.Pool, error) {
	if p := d.pool.Load(); p != nil {
		return p, nil
	}
	select {
	case <-d.opening:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { d.opening <- struct{}{} }()
	if d.closed.Load() {
		return nil, fault.New(fault.Unavailable, "the store is closed")
	}
	if p := d.pool.Load(); p != nil {
		return p, nil
	}
	config, err := pgxpool.ParseConfig(d.url)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the store's address cannot be read")
	}
	d.configure(config)
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), config)
	if err != nil {
		return nil, d.failed(ctx, "open the pool", broken{err})
	}
	if err := d.check(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	d.pool.Store(pool)
	return pool, nil
}

// configure sets what a URL leaves open. Nothing relies on the state of a session, so that a pooler may stand between
// that lends connections for one transaction at a time.
func (d *DB) configure(config *pgxpool.Config) {
	config.MaxConns = int32(d.options.Connections)
	config.MinConns = 0
	config.MaxConnIdleTime = idleConnection
	c := config.ConnConfig
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "rae"
	}
	// A caller that leaves asks the server to cancel; only when that does not help is the connection given up.
	c.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, CancelRequestDelay: 0, DeadlineDelay: cancelGrace}
	}
}

// acquire takes a connection, or refuses soon when all are in use: a caller that waits longer than others take is better
// told to come again.
func (d *DB) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	pool, err := d.opened(ctx)
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, d.options.Patience)
	defer cancel()
	conn, err := pool.Acquire(waiting)
	if err == nil {
		return conn, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) && pool.Stat().AcquiredConns() == pool.Stat().MaxConns() {
		busy := fault.Wrap(fault.Unavailable, err, "the store is busy")
		busy.RetryAfter = time.Second
		return nil, busy
	}
	return nil, d.failed(ctx, "connect", broken{err})
}

// Stats tells how the pool stands.
func (d *DB) Stats() (inUse, idle, most int32) {
	p := d.pool.Load()
	if p == nil {
		return 0, 0, int32(d.options.Connections)
	}
	s := p.Stat()
	return s.AcquiredConns(), s.IdleConns(), s.MaxConns()
}

// failed says what was attempted and gives the error its kind.
func (d *DB) failed(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	return classify(ctx, fmt.Errorf("%s: %w", what, err))
}
