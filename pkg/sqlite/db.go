package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
)

// Options of a DB. The zero value works.
type Options struct {
	Clock func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: says nothing
	// OnCommit is called after a commit that may have added records to the outbox, on the goroutine of one of the
	// writers: it must not block.
	OnCommit func()
	// TraceParent returns the W3C trace context of a request, for the records it writes. nil: none.
	TraceParent func(context.Context) string
}

// DB is one store in one file. All methods are safe for concurrent use, and several processes may share the file.
type DB struct {
	path    string
	options Options

	opening chan struct{} // holds one token; whoever opens or closes takes it
	pools   atomic.Pointer[pools]
	closed  atomic.Bool

	queue     committer
	announced atomic.Bool // the open group wrote to the outbox
	writes    atomic.Int64
	commits   atomic.Int64
}

// pools are the two ways into the file: one connection that writes, several that cannot.
type pools struct {
	writer *sql.DB
	reader *sql.DB
}

// Open returns the store in the file at path. It touches nothing on disk: the file, and its folder, are made by the
// first call that needs them; when that fails, the call says so (Unavailable) and the next one tries again.
func Open(path string, options Options) *DB {
	if options.Clock == nil {
		options.Clock = time.Now
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	d := &DB{path: path, options: options, opening: make(chan struct{}, 1), queue: committer{time: groupTime}}
	d.opening <- struct{}{}
	return d
}

// Stats counts what the writer has done since Open.
type Stats struct {
	Writes  int64 // calls that asked for a transaction
	Commits int64 // transactions committed for them; fewer, where callers shared one
}

// Stats returns the counts so far.
func (d *DB) Stats() Stats { return Stats{Writes: d.writes.Load(), Commits: d.commits.Load()} }

// Ping reports whether the store answers.
func (d *DB) Ping(ctx context.Context) error {
	db, err := d.read(ctx)
	if err != nil {
		return err
	}
	var one int
	return classify(ctx, db.QueryRowContext(ctx, "SELECT 1 FROM sqlite_schema LIMIT 1").Scan(&one))
}

// Schema makes the file or brings it up to date, like any call that needs it, and returns the version of its schema.
func (d *DB) Schema(ctx context.Context) (int64, error) {
	db, err := d.read(ctx)
	if err != nil {
		return 0, err
	}
	version, err := fileVersion(ctx, db)
	return version, classify(ctx, err)
}

// Close closes the file. Calls that come later fail with Unavailable. The last process to close a file also folds its
// write-ahead log back into it.
func (d *DB) Close() error {
	<-d.opening
	defer func() { d.opening <- struct{}{} }()
	d.closed.Store(true)
	p := d.pools.Swap(nil)
	if p == nil {
		return nil
	}
	return p.close()
}

func (p *pools) close() error { return errors.Join(p.reader.Close(), p.writer.Close()) }

// read returns the pool of readers. Their connections refuse to write.
func (d *DB) read(ctx context.Context) (*sql.DB, error) {
	p, err := d.opened(ctx)
	if err != nil {
		return nil, err
	}
	return p.reader, nil
}

// now is the clock's time in the precision the store keeps.
func (d *DB) now() time.Time { return d.options.Clock().UTC().Truncate(time.Microsecond) }

// opened returns the pools, opening the file when this is the first use.
func (d *DB) opened(ctx context.Context) (*pools, error) {
	if p := d.pools.Load(); p != nil {
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
	if p := d.pools.Load(); p != nil {
		return p, nil
	}
	p, err := d.open(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var classified fault.Classified
		if errors.As(err, &classified) {
			return nil, err
		}
		return nil, fault.Wrap(fault.Unavailable, err, "the store cannot be opened")
	}
	d.pools.Store(p)
	return p, nil
}

const (
	busyTimeout = 10 * time.Second     // how long to wait for another process
	busyPoll    = 4 * time.Millisecond // how long SQLite itself waits for the writer's lock, see begin
	mappedBytes = 1 << 30
)

// waiting is the pragma that sets how long SQLite waits for a lock.
func waiting(d time.Duration) string { return fmt.Sprintf("busy_timeout=%d", d.Milliseconds()) }

// open makes the file where there is none, connects, and brings the schema up to date.
func (d *DB) open(ctx context.Context) (*pools, error) {
	if err := makeFile(d.path); err != nil {
		return nil, err
	}
	writing, err := newConnector(d.path, "mode=rw&_txlock=immediate", waiting(busyPoll),
		"page_size=8192", "journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "temp_store=MEMORY",
		"wal_autocheckpoint=1000", "journal_size_limit=67108864", "cache_size=-32768")
	if err != nil {
		return nil, err
	}
	reading, err := newConnector(d.path, "mode=rw", waiting(busyTimeout),
		"query_only=ON", "temp_store=MEMORY", fmt.Sprintf("mmap_size=%d", mappedBytes), "cache_size=-16384")
	if err != nil {
		return nil, err
	}
	p := &pools{writer: sql.OpenDB(writing), reader: sql.OpenDB(reading)}
	p.writer.SetMaxOpenConns(1)
	readers := max(4, 2*runtime.GOMAXPROCS(0))
	p.reader.SetMaxOpenConns(readers)
	p.reader.SetMaxIdleConns(readers)
	if err := d.settle(ctx, p.writer); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// settle connects and migrates. A file that another process is opening or writing is tried again until the usual wait is
// over.
func (d *DB) settle(ctx context.Context, db *sql.DB) error {
	deadline := time.Now().Add(busyTimeout)
	pause := time.Millisecond
	for {
		migrated, err := migrate(ctx, db)
		if migrated {
			d.options.Log.InfoContext(ctx, "the store's schema is up to date", "path", d.path)
		}
		if err == nil || !busy(err) || time.Now().After(deadline) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
			pause = min(2*pause, 50*time.Millisecond)
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// makeFile makes an empty file, readable by its owner only, in a folder of the same kind.
func makeFile(path string) error {
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}
