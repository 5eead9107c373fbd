package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	sqlite "modernc.org/sqlite"
)

// Preparing a statement costs this driver more than running a small one, and database/sql cannot prepare on a pool of
// one connection while a transaction holds it. So every connection remembers its statements by their text; callers
// simply use ExecContext and QueryContext.
const (
	rememberedStatements = 128  // per connection
	rememberedLength     = 4096 // longer texts are scripts: run once, not remembered
)

// connector opens connections to one file, each with the same pragmas, in the order given.
type connector struct {
	driver.Connector
	pragmas []string
}

// newConnector returns a connector to the file. options are the driver's own query parameters.
func newConnector(path, options string, pragmas ...string) (*connector, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", path, err)
	}
	escaped := (&url.URL{Path: filepath.ToSlash(absolute)}).EscapedPath()
	base, err := sqlite.NewConnector("file:" + escaped + "?" + options)
	if err != nil {
		return nil, err
	}
	return &connector{Connector: base, pragmas: pragmas}, nil
}

// Connect opens a connection and prepares it for its role.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	base, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	bare, ok := base.(bareConn)
	if !ok {
		return nil, fmt.Errorf("the sqlite driver lacks a needed interface: %T", base)
	}
	for _, pragma := range c.pragmas {
		if _, err := bare.ExecContext(ctx, "PRAGMA "+pragma, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("pragma %s: %w", pragma, err), base.Close())
		}
	}
	return &conn{bareConn: bare, idle: make(map[string]driver.Stmt)}, nil
}

// bareConn is what the driver's connection offers and conn uses.
type bareConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// conn is a connection that remembers its statements. database/sql never uses one from two goroutines at once.
type conn struct {
	bareConn
	idle map[string]driver.Stmt
}

// ExecContext runs a remembered statement.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if len(query) > rememberedLength {
		return c.bareConn.ExecContext(ctx, query, args)
	}
	stmt, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	defer c.put(query, stmt)
	return stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

// QueryContext runs a remembered statement; it is out of the memory until its rows are closed.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	stmt, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	answer, err := stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err != nil {
		c.put(query, stmt)
		return nil, err
	}
	return &rows{Rows: answer, conn: c, query: query, stmt: stmt}, nil
}

// Close finalises what is remembered and closes the connection.
func (c *conn) Close() error {
	for query, stmt := range c.idle {
		_ = stmt.Close() // the connection goes away with it
		delete(c.idle, query)
	}
	return c.bareConn.Close()
}

// take removes the statement from the memory or prepares it.
func (c *conn) take(ctx context.Context, query string) (driver.Stmt, error) {
	if stmt, ok := c.idle[query]; ok {
		delete(c.idle, query)
		return stmt, nil
	}
	return c.PrepareContext(ctx, query)
}

// put returns a statement to the memory; when that is full, it takes the place of any other.
func (c *conn) put(query string, stmt driver.Stmt) {
	if old, ok := c.idle[query]; ok { // the same text ran within its own rows
		_ = old.Close()
	} else if len(c.idle) >= rememberedStatements {
		for other, old := range c.idle {
			_ = old.Close()
			delete(c.idle, other)
			break
		}
	}
	c.idle[query] = stmt
}

// rows gives its statement back when closed.
type rows struct {
	driver.Rows
	conn  *conn
	query string
	stmt  driver.Stmt
}

func (r *rows) Close() error {
	err := r.Rows.Close()
	if r.stmt != nil {
		r.conn.put(r.query, r.stmt)
		r.stmt = nil
	}
	return err
}
