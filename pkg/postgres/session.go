package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// Roles and settings of a transaction; migrations/00001_memories.sql has what they mean.
const (
	runtimeRole = "rae_runtime"
	systemRole  = "rae_system"
	allProjects = "*" // no scope passes memory.Scope.Check with it
)

// session is one transaction, confined to one tenant and project, or to what no tenant owns. It is the only way to the
// database: nothing but begin makes one, and begin says whose it is before anything else is said.
//
// Statements that answer nothing are kept back and sent with the next question, or at the end, in one round trip.
type session struct {
	ctx     context.Context
	conn    *pgx.Conn
	pending *pgx.Batch
	flushes int // how often something was sent
	asked   int // questions among what is kept back
	writes  bool
	done    bool   // committed or rolled back, or told to
	ending  bool   // told to commit
	broken  bool   // the connection failed
	ended   string // how, in the database's own word: COMMIT or ROLLBACK; '' while it has not said

	announced bool     // something was written to the outbox
	sitting   *sitting // the search that shares this transaction; nil: whoever began it has it alone
}

// enter is the first statement of every transaction, and may go on: $2 is its tenant, $3 its project. All its settings end
// with the transaction.
const enter = `SELECT set_config('role', $1, true), set_config('rae.tenant', $2, true), set_config('rae.project', $3, true),
	set_config('rae.now', $4, true), set_config('statement_timeout', $5, true), set_config('lock_timeout', $6, true),
	set_config('idle_in_transaction_session_timeout', $7, true)`

// begin keeps back the opening of a transaction. also is what is selected as it is entered, besides: "" or ", " and more.
func (d *DB) begin(ctx context.Context, conn *pgx.Conn, mode, role string, scope memory.Scope, also string) *session {
	s := &session{ctx: ctx, conn: conn, pending: &pgx.Batch{}, writes: mode == writing}
	s.exec(mode)
	now := ""
	if d.options.Clock != nil {
		now = d.options.Clock().UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
	}
	s.exec(enter+also, role, scope.Tenant, scope.Project, now, millis(statementTime), millis(lockTime), millis(idleTime))
	return s
}

const (
	reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" // one snapshot for all its questions
	writing = "BEGIN"
)

// exec keeps a statement back.
func (s *session) exec(query string, args ...any) { s.pending.Queue(query, args...) }

// affect keeps a statement back and tells, once it has been sent, how many rows it touched.
func (s *session) affect(n *int64, query string, args ...any) {
	s.pending.Queue(query, args...).Exec(func(tag pgconn.CommandTag) error {
		*n = tag.RowsAffected()
		return nil
	})
}

// flush sends what has been kept back.
func (s *session) flush() error {
	if s.pending.Len() == 0 {
		return nil
	}
	batch := s.pending
	s.pending, s.asked = &pgx.Batch{}, 0
	s.flushes++
	ctx, cancel := context.WithTimeout(s.ctx, answerTime) // a network that swallows everything tells nobody
	defer cancel()
	err := s.conn.SendBatch(ctx, batch).Close()
	if err != nil && s.conn.IsClosed() {
		s.broken = true
		return broken{err}
	}
	return err
}

// rows asks, sending along what has been kept back, and hands every row to visit, which scans it.
func (s *session) rows(query string, args []any, visit func(pgx.Rows) error) error {
	s.ask(query, args, visit)
	return s.flush()
}

// answered makes sure that everything asked so far has been answered.
func (s *session) answered() error {
	if s.asked == 0 {
		return nil
	}
	return s.flush()
}

// ask keeps a question back; visit sees the answer when it is sent.
func (s *session) ask(query string, args []any, visit func(pgx.Rows) error) {
	s.asked++
	s.pending.Queue(query, args...).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := visit(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// row asks for one row. It returns pgx.ErrNoRows when there is none.
func (s *session) row(query string, args []any, into ...any) error {
	found := false
	err := s.rows(query, args, func(rows pgx.Rows) error {
		if found {
			return nil
		}
		found = true
		return rows.Scan(into...)
	})
	if err == nil && !found {
		return pgx.ErrNoRows
	}
	return err
}

// commit sends what has been kept back, and the end of the transaction. Once the database has said COMMIT, whatever
// befalls the connection afterwards is no failure; and a transaction that had failed is ended by COMMIT without an
// error, as a ROLLBACK.
func (s *session) commit() error {
	s.done, s.ending = true, true
	s.pending.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		s.ended = tag.String()
		return nil
	})
	err := s.flush()
	switch s.ended {
	case "COMMIT":
		return nil
	case "ROLLBACK":
		return errors.Join(errRolledBack, err)
	}
	if err != nil { // of a statement that was sent along: the end was not carried out
		s.undo()
	}
	return err
}

var errRolledBack = errors.New("the transaction had failed and was rolled back")

// rollback undoes what was sent. A connection that does not answer is closed by the pool.
func (s *session) rollback() {
	if s.done || s.conn.IsClosed() {
		return
	}
	s.done = true
	s.pending = &pgx.Batch{}
	s.undo()
}

// undo ends a transaction that is open.
func (s *session) undo() {
	if s.conn.IsClosed() || s.conn.PgConn().TxStatus() == 'I' { // or nothing has been sent
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), cancelGrace)
	defer cancel()
	if _, err := s.conn.Exec(ctx, "ROLLBACK"); err != nil {
		_ = s.conn.Close(ctx)
	}
}

// view runs do in a read-only transaction of the scope.
func (d *DB) view(ctx context.Context, scope memory.Scope, do func(*session) error) error {
	if err := scope.Check(); err != nil {
		return err
	}
	return d.transact(ctx, reading, runtimeRole, scope, do)
}

// change runs do in a transaction of the scope and commits it. do may run more than once.
func (d *DB) change(ctx context.Context, scope memory.Scope, do func(*session) error) error {
	if err := scope.Check(); err != nil {
		return err
	}
	return d.transact(ctx, writing, runtimeRole, scope, do)
}

// amend runs do in a transaction of the scope that no erasure of its tenant overlaps, and commits it. Unlike write it lets
// others write to the scope meanwhile: do locks the rows it changes. do may run more than once. What it asks last may be
// answered with the commit, after it has returned.
func (d *DB) amend(ctx context.Context, scope memory.Scope, do func(*session) error) error {
	return d.change(ctx, scope, func(s *session) error {
		s.exec(`SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 1))`, scope.Tenant)
		return do(s)
	})
}

// viewTenant runs do in a read-only transaction of all the tenant's projects.
func (d *DB) viewTenant(ctx context.Context, tenant string, do func(*session) error) error {
	return d.transact(ctx, reading, runtimeRole, memory.Scope{Tenant: tenant, Project: allProjects}, do)
}

// changeTenant runs do in a transaction of all the tenant's projects and commits it. do may run more than once.
func (d *DB) changeTenant(ctx context.Context, tenant string, do func(*session) error) error {
	return d.transact(ctx, writing, runtimeRole, memory.Scope{Tenant: tenant, Project: allProjects}, do)
}

// system runs do in a transaction of no tenant, which sees the outbox and what is due, and commits it. do may run more
// than once.
func (d *DB) system(ctx context.Context, do func(*session) error) error {
	return d.transact(ctx, writing, systemRole, memory.Scope{}, do)
}

// tries is how often a transaction that lost a race, or its connection before it could be committed, is run.
const tries = 4

func (d *DB) transact(ctx context.Context, mode, role string, scope memory.Scope, do func(*session) error) error {
	for try := 1; ; try++ {
		again, err := d.once(ctx, mode, role, scope, do)
		if err == nil || !again || try == tries || !pause(ctx, try) {
			return classify(ctx, err)
		}
	}
}

// once runs a transaction. again tells that nothing of it remains and that it may fare better another time.
func (d *DB) once(ctx context.Context, mode, role string, scope memory.Scope, do func(*session) error) (again bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if mode == writing {
		if err := llm.NoDryRun(ctx); err != nil {
			return false, err
		}
	}
	conn, err := d.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Release()
	s := d.begin(ctx, conn.Conn(), mode, role, scope, "")
	defer s.rollback()
	err = do(s)
	if err == nil {
		err = ctx.Err() // nobody waits for the answer: then better nothing was done
	}
	if err == nil {
		err = s.commit()
	}
	if err == nil {
		d.committed(s)
	}
	return s.fleeting(err), err
}

// committed tells whoever relays the outbox that there may be something in it.
func (d *DB) committed(s *session) {
	if s.announced && d.options.OnCommit != nil {
		d.options.OnCommit()
	}
}

// fleeting reports whether err, the session's own, undid it as a whole and trying again may help: a race that was lost;
// a server that was going down, or a connection that broke, before the end of the transaction had been sent. Where it had
// been sent, nobody knows whether it was done, and nobody may simply do it again.
func (s *session) fleeting(err error) bool {
	if err == nil {
		return false
	}
	unsure := s.ending && s.writes
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code == "40001" || e.Code == "40P01" || strings.HasPrefix(e.Code, "57P") && !unsure
	}
	return s.broken && !unsure
}

// pause waits a little longer with each try, and reports false when the context ended.
func pause(ctx context.Context, try int) bool {
	timer := time.NewTimer(time.Duration(try*try) * 10 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
