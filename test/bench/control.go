package main

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	_ "modernc.org/sqlite" // the driver
)

const controlRounds = 200

// atFirst makes a control line of what was measured before; what comes after is added later.
func atFirst(what string, s sample) control {
	return control{What: what, Before: milliseconds(s.p50()), Unit: inMilliseconds}
}

// control measures what no engine can be faster than here.
func (b *embeddedRun) control(ctx context.Context) ([]control, error) {
	sync, err := b.fdatasync()
	if err != nil {
		return nil, err
	}
	empty, err := b.emptyTransaction(ctx)
	if err != nil {
		return nil, err
	}
	hello, err := helloHTTP(ctx)
	if err != nil {
		return nil, err
	}
	return []control{
		atFirst("write 4 KiB + fdatasync", sync), atFirst("empty sqlite transaction (BEGIN; SELECT 1; COMMIT)", empty),
		atFirst("HTTP hello world, one connection", hello),
	}, nil
}

func (b *bench) fdatasync() (sample, error) {
	file, err := os.CreateTemp(b.dir, "sync-")
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // a temporary file
	page := make([]byte, 4096)
	return measure(controlRounds, func(int) error {
		if _, err := file.Write(page); err != nil {
			return err
		}
		return syscall.Fdatasync(int(file.Fd()))
	})
}

// openPlain opens a bare, durable sqlite file: WAL and synchronous=FULL, as RAE's own.
func (b *embeddedRun) openPlain(name string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", filepath.Join(b.dir, name)+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func (b *embeddedRun) emptyTransaction(ctx context.Context) (sample, error) {
	db, err := b.openPlain("empty.db")
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // a temporary file
	return measure(controlRounds, func(int) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		var one int
		if err := tx.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// bareInsert is one durable row and an index, which any store of memories must write at least.
func (b *embeddedRun) bareInsert(ctx context.Context, n int) (sample, error) {
	db, err := b.openPlain("insert.db")
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // a temporary file
	if _, err := db.ExecContext(ctx, "CREATE TABLE t (id TEXT PRIMARY KEY, content TEXT NOT NULL)"); err != nil {
		return nil, err
	}
	say := newSpeaker(b.seed, 1)
	return measure(n, func(i int) error {
		_, err := db.ExecContext(ctx, "INSERT INTO t VALUES (?, ?)", fmt.Sprintf("%036d", i), say.sentence())
		return err
	})
}

func helloHTTP(ctx context.Context) (sample, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })}
	go server.Serve(listener) //nolint:errcheck // ends with Close
	defer server.Close()      //nolint:errcheck // nothing is left
	caller := newCaller("http://" + listener.Addr().String())
	defer caller.close()
	return measure(controlRounds, func(int) error { _, err := caller.do(ctx, "GET", "/", nil); return err })
}
