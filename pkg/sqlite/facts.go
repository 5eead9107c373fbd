package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ knowledge.FactStore = (*Facts)(nil)

// Facts keeps facts in the same file as the memories. Where a few rows are looked for among many, the index is named: without
// statistics the planner would rather read a project's facts in the order of their ids.
type Facts struct{ db *DB }

// NewFacts returns the facts of the store.
func NewFacts(db *DB) *Facts { return &Facts{db: db} }

const (
	factColumns = `id, version, user_id, kind, subject_id, subject_name, subject_type, relation, object_id, object_name, object_type,
		literal, negated, valid_from, valid_to, confidence, observed_at, method, edition, closed_by, operation_id, recorded_from, recorded_to`
	evidenceColumns = `fact_id, memory_id, memory_version, start_byte, end_byte, told_at, valid_from, valid_to, confidence, closes,
		method, edition, operation_id, recorded_at`
)

// asks is a question about facts, of the file or within a transaction.
type asks struct {
	ctx   context.Context
	db    asked
	scope memory.Scope
}

// rows asks; the first two arguments are the scope.
func (a asks) rows(what, query string, args []any, scan func(func(...any) error) error) error {
	rows, err := a.db.QueryContext(a.ctx, query, append([]any{a.scope.Tenant, a.scope.Project}, args...)...)
	if err != nil {
		return classify(a.ctx, fmt.Errorf("%s: %w", what, err))
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		if err := scan(rows.Scan); err != nil {
			return classify(a.ctx, fmt.Errorf("%s: %w", what, err))
		}
	}
	return classify(a.ctx, rows.Err())
}

// versions reads rows of facts; the rest is the condition and what follows it.
func (a asks) versions(rest string, args ...any) (facts []knowledge.Fact, err error) {
	err = a.rows("read facts", `SELECT `+factColumns+` FROM facts WHERE tenant = ?1 AND project = ?2 AND `+rest, args, func(scan func(...any) error) error {
		f := knowledge.Fact{TenantID: a.scope.Tenant, ProjectID: a.scope.Project}
		var from, to, until sql.NullInt64
		var observed, since int64
		var closedBy sql.NullString
		err := scan(&f.ID, &f.Version, &f.UserID, &f.Kind, &f.Subject.ID, &f.Subject.Name, &f.Subject.Type, &f.Relation, &f.Object.ID,
			&f.Object.Name, &f.Object.Type, &f.Literal, &f.Negated, &from, &to, &f.Confidence, &observed, &f.Method, &f.Edition,
			&closedBy, &f.Operation, &since, &until)
		f.ValidFrom, f.ValidTo, f.RecordedTo = optional(from), optional(to), optional(until)
		f.Observed, f.RecordedFrom, f.ClosedBy = instant(observed), instant(since), memory.ID(closedBy.String)
		if f.Literal {
			f.Object.ID = ""
		}
		facts = append(facts, f)
		return err
	})
	return facts, err
}

// evidence reads what is evidence for facts.
func (a asks) evidence(facts []knowledge.Fact) (map[memory.ID][]knowledge.Evidence, error) {
	all := map[memory.ID][]knowledge.Evidence{}
	ids := make([]memory.ID, len(facts))
	for i := range facts {
		ids[i] = facts[i].ID
	}
	err := a.rows("read evidence", `SELECT `+evidenceColumns+` FROM fact_evidence WHERE tenant = ?1 AND project = ?2
		AND fact_id IN (SELECT value FROM json_each(?)) ORDER BY fact_id, told_at, memory_id`, []any{list(slices.Compact(ids))}, func(scan func(...any) error) error {
		var id memory.ID
		var e knowledge.Evidence
		var told, recorded int64
		var from, to sql.NullInt64
		err := scan(&id, &e.MemoryID, &e.Version, &e.Start, &e.End, &told, &from, &to, &e.Confidence, &e.Closes, &e.Method, &e.Edition,
			&e.Operation, &recorded)
		e.Told, e.RecordedAt, e.From, e.To = instant(told), instant(recorded), optional(from), optional(to)
		all[id] = append(all[id], e)
		return err
	})
	return all, err
}

// cited reads versions with their evidence.
func (a asks) cited(rest string, args ...any) ([]knowledge.Fact, error) {
	facts, err := a.versions(rest, args...)
	if err != nil || len(facts) == 0 {
		return nil, err
	}
	evidence, err := a.evidence(facts)
	if err != nil {
		return nil, err
	}
	return knowledge.Cite(facts, evidence), nil
}

// list is values as json_each reads them.
func list[T ~string](values []T) string {
	b, err := json.Marshal(append([]T{}, values...))
	if err != nil { // strings
		return "[]"
	}
	return string(b)
}

// inView is the condition by which a version is in the view.
func inView(at memory.View) (condition string, args []any) {
	condition = `recorded_to IS NULL`
	if at.KnownAt != nil {
		k := micros(*at.KnownAt)
		condition, args = `recorded_from <= ? AND (recorded_to IS NULL OR recorded_to > ?)`, []any{k, k}
	}
	if at.AsOf != nil {
		t := micros(*at.AsOf)
		condition += ` AND (valid_from IS NULL OR valid_from <= ?) AND (valid_to IS NULL OR valid_to > ?)`
		args = append(args, t, t)
	}
	return condition, args
}

func (s *Facts) asks(ctx context.Context, scope memory.Scope) (asks, error) {
	db, err := s.db.read(ctx)
	return asks{ctx, db, scope}, err
}

// Get implements knowledge.Facts.
func (s *Facts) Get(ctx context.Context, scope memory.Scope, id memory.ID, at memory.View) (knowledge.Fact, error) {
	a, err := s.asks(ctx, scope)
	if err != nil {
		return knowledge.Fact{}, err
	}
	condition, args := inView(at)
	facts, err := a.cited(`id = ? AND `+condition, append([]any{id}, args...)...)
	if err == nil && len(facts) == 0 {
		err = noFact()
	}
	if err != nil {
		return knowledge.Fact{}, err
	}
	return facts[0], nil
}

// List implements knowledge.Facts.
func (s *Facts) List(ctx context.Context, scope memory.Scope, q knowledge.FactQuery) (page knowledge.FactPage, err error) {
	if err := q.Check(); err != nil {
		return page, err
	}
	a, err := s.asks(ctx, scope)
	if err != nil {
		return page, err
	}
	condition, args := inView(q.View)
	where := func(more string, values ...any) {
		condition, args = condition+` AND `+more, append(args, values...)
	}
	if len(q.Entities) > 0 {
		ids := list(q.Entities)
		where(`id IN (SELECT id FROM facts INDEXED BY facts_subject WHERE tenant = ?1 AND project = ?2 AND subject_id IN (SELECT value FROM json_each(?))
			UNION SELECT id FROM facts INDEXED BY facts_object WHERE tenant = ?1 AND project = ?2 AND object_id IN (SELECT value FROM json_each(?)) AND literal = 0)`, ids, ids)
	}
	if len(q.Relations) > 0 {
		where(`relation IN (SELECT value FROM json_each(?))`, list(q.Relations))
	}
	if q.UserID != "" {
		where(`user_id = ?`, q.UserID)
	}
	if q.Memory != "" {
		where(`id IN (SELECT fact_id FROM fact_evidence INDEXED BY fact_evidence_memory WHERE tenant = ?1 AND project = ?2 AND memory_id = ?)`, q.Memory)
	}
	where(`id > ? ORDER BY id LIMIT ?`, q.After, q.Limit+1)
	if page.Facts, err = a.cited(condition, args...); err != nil {
		return knowledge.FactPage{}, err
	}
	if len(page.Facts) > q.Limit {
		page.Facts = page.Facts[:q.Limit]
		page.Next = page.Facts[q.Limit-1].ID
	}
	return page, nil
}

// History implements knowledge.Facts.
func (s *Facts) History(ctx context.Context, scope memory.Scope, id memory.ID) ([]knowledge.Fact, error) {
	a, err := s.asks(ctx, scope)
	if err != nil {
		return nil, err
	}
	history, err := a.cited(`id = ? ORDER BY version DESC`, id)
	if err == nil && len(history) == 0 {
		err = noFact()
	}
	return history, err
}

// operations reads operations; the rest is the condition and what follows it.
func (a asks) operations(rest string, args ...any) (operations []knowledge.Operation, err error) {
	err = a.rows("read operations", `SELECT body FROM knowledge_operations WHERE tenant = ?1 AND project = ?2 AND `+rest, args, func(scan func(...any) error) error {
		var body []byte
		if err := scan(&body); err != nil {
			return err
		}
		var o knowledge.Operation
		if err := json.Unmarshal(body, &o); err != nil {
			return fault.Wrap(fault.Internal, err, "decode an operation")
		}
		operations = append(operations, o)
		return nil
	})
	return operations, err
}

// Operation implements knowledge.FactStore.
func (s *Facts) Operation(ctx context.Context, scope memory.Scope, id memory.ID) (knowledge.Operation, error) {
	a, err := s.asks(ctx, scope)
	if err != nil {
		return knowledge.Operation{}, err
	}
	operations, err := a.operations(`id = ?`, id)
	if err == nil && len(operations) == 0 {
		err = fault.New(fault.NotFound, "there is no such operation")
	}
	if err != nil {
		return knowledge.Operation{}, err
	}
	return operations[0], nil
}

// Operations implements knowledge.FactStore.
func (s *Facts) Operations(ctx context.Context, scope memory.Scope, q knowledge.OperationQuery) (page knowledge.OperationPage, err error) {
	if q.Limit < 1 || q.Limit > 1000 {
		return page, fault.BadField("query.limit", "must lie in 1..1000")
	}
	a, err := s.asks(ctx, scope)
	if err != nil {
		return page, err
	}
	condition, args := `true`, []any{}
	if q.After.ID != "" {
		condition, args = `(at, id) < (?, ?)`, []any{micros(q.After.At), q.After.ID}
	}
	if q.Closing {
		condition += ` AND closing`
	}
	page.Operations, err = a.operations(condition+` ORDER BY at DESC, id DESC LIMIT ?`, append(args, q.Limit+1)...)
	if len(page.Operations) > q.Limit {
		page.Operations = page.Operations[:q.Limit]
		page.Next = page.Operations[q.Limit-1].Cursor()
	}
	return page, err
}

// Change implements knowledge.FactStore.
func (s *Facts) Change(ctx context.Context, scope memory.Scope, do func(knowledge.FactTx) error) error {
	if err := scope.Check(); err != nil {
		return err
	}
	return s.db.write(ctx, func(sqlTx *sql.Tx) error {
		t := s.db.begin(ctx, sqlTx, scope)
		if err := do(factTx{t}); err != nil {
			return err
		}
		return ctx.Err() // nobody waits for the answer: then better nothing was done
	})
}

// factTx are the facts of a transaction.
type factTx struct{ *tx }

func (t factTx) asks() asks { return asks{t.ctx, t.sql, t.scope} }

// Now implements knowledge.FactTx.
func (t factTx) Now() time.Time { return t.now }

// Told implements knowledge.FactTx.
func (t factTx) Told(_ context.Context, ids []memory.ID) (told []memory.Memory, err error) {
	for _, id := range ids {
		v, err := t.find(byID, string(id))
		if err != nil {
			return nil, err
		}
		if v != nil && !v.Expired(t.now) {
			told = append(told, v.Memory)
		}
	}
	return told, nil
}

// Records implements knowledge.FactTx.
func (t factTx) Records(_ context.Context, q knowledge.RecordQuery) ([]knowledge.Record, error) {
	a := t.asks()
	ids := slices.Clone(q.IDs)
	find := func(query string, args ...any) error {
		return a.rows("find facts", query, args, func(scan func(...any) error) error {
			var id memory.ID
			err := scan(&id)
			ids = append(ids, id)
			return err
		})
	}
	for _, s := range q.Slots {
		query, args := `SELECT id FROM facts INDEXED BY facts_subject WHERE tenant = ?1 AND project = ?2 AND subject_id = ? AND relation = ? AND user_id = ?`, []any{s.Subject, s.Relation, s.UserID}
		if s.Object != "" {
			query, args = query+` AND object_id = ?`, append(args, s.Object)
		}
		if err := find(query, args...); err != nil {
			return nil, err
		}
	}
	if len(q.Memories) > 0 {
		if err := find(`SELECT fact_id FROM fact_evidence INDEXED BY fact_evidence_memory WHERE tenant = ?1 AND project = ?2 AND memory_id IN (SELECT value FROM json_each(?))`, list(q.Memories)); err != nil {
			return nil, err
		}
	}
	if len(q.Operations) > 0 {
		if err := find(`SELECT id FROM facts INDEXED BY facts_operation WHERE tenant = ?1 AND project = ?2 AND operation_id IN (SELECT value FROM json_each(?))`, list(q.Operations)); err != nil {
			return nil, err
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	versions, err := a.versions(`id IN (SELECT value FROM json_each(?)) ORDER BY id, version`, list(ids))
	if err != nil {
		return nil, err
	}
	evidence, err := a.evidence(versions)
	return knowledge.Gather(versions, evidence), err
}

// Save implements knowledge.FactTx.
func (t factTx) Save(_ context.Context, before, after knowledge.Record) error {
	c := before.ChangesTo(&after)
	for _, version := range c.GoneVersions {
		if err := t.exec("remove a fact", `DELETE FROM facts WHERE tenant = ? AND project = ? AND id = ? AND version = ?`, t.scope.Tenant, t.scope.Project, c.ID, version); err != nil {
			return err
		}
	}
	for _, id := range c.GoneEvidence {
		if err := t.exec("remove evidence", `DELETE FROM fact_evidence WHERE tenant = ?1 AND project = ?2 AND fact_id = ? AND memory_id = ?`, t.scope.Tenant, t.scope.Project, c.ID, id); err != nil {
			return err
		}
	}
	for i := range c.Versions {
		f := &c.Versions[i]
		subject, object := f.Keys(t.scope)
		closedBy := sql.NullString{String: string(f.ClosedBy), Valid: f.ClosedBy != ""}
		err := t.exec("write a fact", `INSERT OR REPLACE INTO facts (tenant, project, `+factColumns+`) VALUES (`+places(25)+`)`,
			t.scope.Tenant, t.scope.Project, f.ID, f.Version, f.UserID, f.Kind, subject, f.Subject.Name, f.Subject.Type, f.Relation, object,
			f.Object.Name, f.Object.Type, f.Literal, f.Negated, nullable(f.ValidFrom), nullable(f.ValidTo), f.Confidence, micros(f.Observed),
			f.Method, f.Edition, closedBy, f.Operation, micros(f.RecordedFrom), nullable(f.RecordedTo))
		if err != nil {
			return err
		}
	}
	for i := range c.Evidence {
		e := &c.Evidence[i]
		err := t.exec("write evidence", `INSERT OR REPLACE INTO fact_evidence (tenant, project, `+evidenceColumns+`) VALUES (`+places(16)+`)`,
			t.scope.Tenant, t.scope.Project, c.ID, e.MemoryID, e.Version, e.Start, e.End, micros(e.Told), nullable(e.From), nullable(e.To),
			e.Confidence, e.Closes, e.Method, e.Edition, e.Operation, micros(e.RecordedAt))
		if err != nil {
			return err
		}
	}
	return nil
}

func places(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// Known implements knowledge.FactTx.
func (t factTx) Known(_ context.Context, q knowledge.KnownQuery) ([]knowledge.Operation, error) {
	const either = `id IN (SELECT id FROM knowledge_operations WHERE tenant = ?1 AND project = ?2 AND id IN (SELECT value FROM json_each(?))
		UNION SELECT id FROM knowledge_operations WHERE tenant = ?1 AND project = ?2 AND memory_id IN (SELECT value FROM json_each(?))) ORDER BY id`
	return t.asks().operations(either, list(q.IDs), list(q.Memories))
}

// Keep implements knowledge.FactTx.
func (t factTx) Keep(_ context.Context, o knowledge.Operation) error {
	o = o.Clone()
	o.TenantID, o.ProjectID = t.scope.Tenant, t.scope.Project
	body, err := json.Marshal(o)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode operation %s", o.ID)
	}
	return t.exec("write an operation", `INSERT OR REPLACE INTO knowledge_operations (tenant, project, id, memory_id, at, closing, body)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, t.scope.Tenant, t.scope.Project, o.ID, o.MemoryID, micros(o.At), o.Closing(), string(body))
}

// Drop implements knowledge.FactTx.
func (t factTx) Drop(_ context.Context, ids []memory.ID) error {
	return t.exec("remove operations", `DELETE FROM knowledge_operations WHERE tenant = ?1 AND project = ?2 AND id IN (SELECT value FROM json_each(?))`,
		t.scope.Tenant, t.scope.Project, list(ids))
}

func noFact() error { return fault.New(fault.NotFound, "there is no such fact") }
