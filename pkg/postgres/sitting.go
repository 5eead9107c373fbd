package postgres

import (
	"context"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// sitting is one search whose parts share a transaction: they look at the scope at one moment, begin and end once, and
// what one of them has read no other reads again. It is only ever an opportunity. A part that finds the transaction
// taken, or loses it, goes on by itself, so that none fails or is late because of another.
type sitting struct {
	db    *DB
	query search.Query
	token chan struct{} // holds one; whoever takes it may use what follows
	conn  *pgxpool.Conn // nil: there is no transaction at the moment
	tx    *session
	over  bool
	idle  *time.Timer

	question *question // weighed by the first part that did
}

const (
	sittingPatience = 25 * time.Millisecond // how long a part waits for another before it goes by itself
	sittingIdle     = 25 * time.Millisecond // how long a connection is kept while nobody asks: a model may be at work
)

type sittingKey struct{}

var _ search.Sittings = (*DB)(nil)

// Sit implements search.Sittings. Nothing is asked before the first part asks.
func (d *DB) Sit(ctx context.Context, q search.Query) (context.Context, func()) {
	s := &sitting{db: d, query: q, token: make(chan struct{}, 1)}
	s.idle = time.AfterFunc(sittingIdle, s.rest)
	s.idle.Stop()
	s.token <- struct{}{}
	return context.WithValue(ctx, sittingKey{}, s), s.end
}

// look runs do in a read-only transaction of the scope, that of the search's other parts where there is one. do may run
// more than once.
func (d *DB) look(ctx context.Context, scope memory.Scope, do func(*session) error) error {
	return d.sit(ctx, scope, do, (*session).flush)
}

// conclude is look for the part that comes last: the transaction ends with it, in the same round trip as what it keeps
// back.
func (d *DB) conclude(ctx context.Context, scope memory.Scope, do func(*session) error) error {
	return d.sit(ctx, scope, do, (*session).commit)
}

func (d *DB) sit(ctx context.Context, scope memory.Scope, do, finish func(*session) error) error {
	if s, _ := ctx.Value(sittingKey{}).(*sitting); s != nil && s.db == d && s.query.Scope == scope {
		if s.part(ctx, do, finish) {
			return nil
		}
	}
	return d.view(ctx, scope, func(in *session) error {
		in.exec(steadyPlans)
		return do(in)
	})
}

// part runs do in the sitting's transaction, and reports whether it did and nothing went wrong.
func (s *sitting) part(ctx context.Context, do, finish func(*session) error) bool {
	if !s.take(ctx) {
		return false
	}
	defer s.give()
	if s.over || !s.begun(ctx) {
		return false
	}
	s.tx.ctx = ctx
	err := do(s.tx)
	if err == nil {
		err = finish(s.tx)
	}
	if err != nil || s.tx.done {
		s.leave()
	}
	return err == nil
}

func (s *sitting) take(ctx context.Context) bool {
	patience := time.NewTimer(sittingPatience)
	defer patience.Stop()
	select {
	case <-s.token:
		s.idle.Stop()
		return true
	case <-patience.C:
		return false
	case <-ctx.Done():
		return false
	}
}

func (s *sitting) give() {
	if s.tx != nil {
		s.idle.Reset(sittingIdle)
	}
	s.token <- struct{}{}
}

// begun makes sure that there is a transaction.
func (s *sitting) begun(ctx context.Context) bool {
	if s.tx != nil {
		return true
	}
	conn, err := s.db.acquire(ctx)
	if err != nil {
		return false // the part will be told by itself
	}
	s.conn = conn
	s.tx = s.db.begin(ctx, conn.Conn(), reading, runtimeRole, s.query.Scope, steadily)
	s.tx.sitting = s
	return true
}

// leave ends the transaction and returns the connection. Parts that come later begin another.
func (s *sitting) leave() {
	if s.tx == nil {
		return
	}
	s.tx.rollback()
	s.conn.Release()
	s.conn, s.tx = nil, nil
}

// rest leaves when nobody is at it.
func (s *sitting) rest() {
	select {
	case <-s.token:
		s.leave()
		s.token <- struct{}{}
	default:
	}
}

// end waits for the part that is at it.
func (s *sitting) end() {
	<-s.token
	s.idle.Stop()
	s.over = true
	s.leave()
	s.token <- struct{}{}
}

// about reports whether what is read for q is of use to the other parts of a search. There may be none.
func (s *sitting) about(q *search.Query) bool {
	return s != nil && s.query.Text == q.Text && reflect.DeepEqual(s.query.Filter, q.Filter) && reflect.DeepEqual(s.query.View, q.View)
}

// keep lets the other parts of the search use the question.
func (s *sitting) keep(w *question, q *search.Query) {
	if s.about(q) {
		w.sheets, s.question = map[memory.ID]string{}, w
	}
}

// kept returns the question as another part of the search has weighed it; nil when none has.
func (s *sitting) kept(q *search.Query) *question {
	if s.about(q) {
		return s.question
	}
	return nil
}

// steadyPlans makes a plan what the text of the query makes it. Statistics know the average of all tenants, and nothing
// yet of what was just written; a plan for the very parameters costs more than most of these queries themselves. No
// table is read from end to end for one scope of it, nothing is sorted that an index has in order (see pick.go), and what takes milliseconds needs no compiler and no helpers.
const (
	steadyPlans    = `SELECT ` + steadySettings
	steadily       = `, ` + steadySettings
	steadySettings = `set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
	set_config('enable_sort', 'off', true), set_config('jit', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)`
)
