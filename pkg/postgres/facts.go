package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ knowledge.FactStore = (*Facts)(nil)

// Facts keeps facts in the same database as the memories.
type Facts struct{ db *DB }

// NewFacts returns the facts of the store.
func NewFacts(db *DB) *Facts { return &Facts{db: db} }

const (
	factColumns = `id, version, user_id, kind, subject_id, subject_name, subject_type, relation, object_id, object_name, object_type,
		literal, negated, valid_from, valid_to, confidence, observed_at, method, edition, closed_by, operation_id, recorded_from, recorded_to`
	factValues = `id::text, version, user_id, kind, subject_id::text, subject_name, subject_type, relation, object_id::text, object_name,
		object_type, literal, negated, valid_from, valid_to, confidence, observed_at, method, edition, coalesce(closed_by::text, ''),
		operation_id::text, recorded_from, recorded_to`
	evidenceColumns = `fact_id, memory_id, memory_version, start_byte, end_byte, told_at, valid_from, valid_to, confidence, closes,
		method, edition, operation_id, recorded_at`
	evidenceValues = `fact_id::text, memory_id::text, memory_version, start_byte, end_byte, told_at, valid_from, valid_to, confidence,
		closes, method, edition, operation_id::text, recorded_at`
)

// versionsOf asks for rows of facts; the rest is the condition, of which $1 and $2 are the scope, and what follows it.
func (s *session) versionsOf(scope memory.Scope, rest string, args ...any) (facts []knowledge.Fact, err error) {
	err = s.rows(`SELECT `+factValues+` FROM facts f WHERE f.tenant = $1 AND f.project = $2 AND `+rest, append([]any{scope.Tenant, scope.Project}, args...), func(rows pgx.Rows) error {
		f := knowledge.Fact{TenantID: scope.Tenant, ProjectID: scope.Project}
		err := rows.Scan(&f.ID, &f.Version, &f.UserID, &f.Kind, &f.Subject.ID, &f.Subject.Name, &f.Subject.Type, &f.Relation, &f.Object.ID,
			&f.Object.Name, &f.Object.Type, &f.Literal, &f.Negated, &f.ValidFrom, &f.ValidTo, &f.Confidence, &f.Observed, &f.Method, &f.Edition,
			&f.ClosedBy, &f.Operation, &f.RecordedFrom, &f.RecordedTo)
		f.ValidFrom, f.ValidTo, f.RecordedTo = utc(f.ValidFrom), utc(f.ValidTo), utc(f.RecordedTo)
		f.Observed, f.RecordedFrom = f.Observed.UTC(), f.RecordedFrom.UTC()
		if f.Literal {
			f.Object.ID = ""
		}
		facts = append(facts, f)
		return err
	})
	return facts, err
}

// evidenceFor asks for what is evidence for facts.
func (s *session) evidenceFor(scope memory.Scope, facts []knowledge.Fact) (map[memory.ID][]knowledge.Evidence, error) {
	all := map[memory.ID][]knowledge.Evidence{}
	ids := slices.Compact(column(facts, func(f knowledge.Fact) pgtype.UUID { return uuidOf(f.ID) }))
	err := s.rows(`SELECT `+evidenceValues+` FROM (SELECT e.* FROM fact_evidence e WHERE e.tenant = $1 AND e.project = $2
		AND e.fact_id = ANY($3::uuid[]) ORDER BY e.fact_id) e ORDER BY e.fact_id, e.told_at, e.memory_id`,
		[]any{scope.Tenant, scope.Project, ids}, func(rows pgx.Rows) error {
			var id memory.ID
			var e knowledge.Evidence
			err := rows.Scan(&id, &e.MemoryID, &e.Version, &e.Start, &e.End, &e.Told, &e.From, &e.To, &e.Confidence, &e.Closes, &e.Method,
				&e.Edition, &e.Operation, &e.RecordedAt)
			e.Told, e.RecordedAt, e.From, e.To = e.Told.UTC(), e.RecordedAt.UTC(), utc(e.From), utc(e.To)
			all[id] = append(all[id], e)
			return err
		})
	return all, err
}

// cited reads versions with their evidence, as one moment has both.
func (s *Facts) cited(ctx context.Context, scope memory.Scope, rest string, args ...any) (facts []knowledge.Fact, err error) {
	err = s.db.view(ctx, scope, func(in *session) error {
		in.exec(steadyPlans)
		if facts, err = in.versionsOf(scope, rest, args...); err != nil || len(facts) == 0 {
			return err
		}
		evidence, err := in.evidenceFor(scope, facts)
		facts = knowledge.Cite(facts, evidence)
		return err
	})
	return facts, s.db.failed(ctx, "read facts", err)
}

// viewed is the condition by which a version is in the view; its arguments are $3, known, and $4, as of.
const viewed = `CASE WHEN $3::timestamptz IS NULL THEN f.recorded_to IS NULL
		ELSE f.recorded_from <= $3 AND (f.recorded_to IS NULL OR f.recorded_to > $3) END
	AND ($4::timestamptz IS NULL OR (f.valid_from IS NULL OR f.valid_from <= $4) AND (f.valid_to IS NULL OR f.valid_to > $4))`

// asOf are the arguments of viewed, in the precision of the database, which would round.
func asOf(at memory.View) []any {
	whole := func(t *time.Time) *time.Time {
		if t == nil {
			return nil
		}
		down := time.UnixMicro(t.UnixMicro()).UTC()
		return &down
	}
	return []any{whole(at.KnownAt), whole(at.AsOf)}
}

// Get implements knowledge.Facts.
func (s *Facts) Get(ctx context.Context, scope memory.Scope, id memory.ID, at memory.View) (knowledge.Fact, error) {
	if !isUUID(id) {
		return knowledge.Fact{}, noFact()
	}
	facts, err := s.cited(ctx, scope, viewed+` AND f.id = $5`, append(asOf(at), string(id))...)
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
	after, err := cursorOf(q.After)
	if err != nil {
		return page, err
	}
	condition, args := viewed, asOf(q.View)
	where := func(more string, value any) {
		args = append(args, value)
		condition += fmt.Sprintf(` AND `+more, len(args)+2)
	}
	if len(q.Entities) > 0 {
		where(`f.id IN (SELECT * FROM (SELECT x.id FROM facts x WHERE x.tenant = $1 AND x.project = $2 AND x.subject_id = ANY($%[1]d::uuid[]) ORDER BY x.subject_id) s
			UNION SELECT * FROM (SELECT x.id FROM facts x WHERE x.tenant = $1 AND x.project = $2 AND x.object_id = ANY($%[1]d::uuid[]) AND NOT x.literal ORDER BY x.object_id) o)`,
			column(q.Entities, uuidOf[string]))
	}
	if len(q.Relations) > 0 {
		where(`f.relation = ANY($%d::text[])`, q.Relations)
	}
	if q.UserID != "" {
		where(`f.user_id = $%d`, q.UserID)
	}
	if q.Memory != "" {
		where(`f.id IN (SELECT * FROM (SELECT e.fact_id FROM fact_evidence e WHERE e.tenant = $1 AND e.project = $2 AND e.memory_id = $%d ORDER BY e.memory_id) e)`, uuidOf(q.Memory))
	}
	where(`($%[1]d::uuid IS NULL OR f.id > $%[1]d)`, after)
	where(`true ORDER BY f.id LIMIT $%d`, q.Limit+1)
	if page.Facts, err = s.cited(ctx, scope, condition, args...); err != nil {
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
	if !isUUID(id) {
		return nil, noFact()
	}
	history, err := s.cited(ctx, scope, `f.id = $3 ORDER BY f.version DESC`, string(id))
	if err == nil && len(history) == 0 {
		err = noFact()
	}
	return history, err
}

// operationsOf asks for operations; the rest is the condition, of which $1 and $2 are the scope, and what follows it.
func (s *session) operationsOf(scope memory.Scope, rest string, args ...any) (operations []knowledge.Operation, err error) {
	err = s.rows(`SELECT o.body FROM knowledge_operations o WHERE o.tenant = $1 AND o.project = $2 AND `+rest, append([]any{scope.Tenant, scope.Project}, args...), func(rows pgx.Rows) error {
		var body []byte
		if err := rows.Scan(&body); err != nil {
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
func (s *Facts) Operation(ctx context.Context, scope memory.Scope, id memory.ID) (o knowledge.Operation, err error) {
	if !isUUID(id) {
		return o, noOperation()
	}
	err = s.db.view(ctx, scope, func(in *session) error {
		operations, err := in.operationsOf(scope, `o.id = $3`, string(id))
		if err == nil && len(operations) == 0 {
			err = noOperation()
		}
		if err == nil {
			o = operations[0]
		}
		return err
	})
	return o, s.db.failed(ctx, "read an operation", err)
}

// Operations implements knowledge.FactStore.
func (s *Facts) Operations(ctx context.Context, scope memory.Scope, q knowledge.OperationQuery) (page knowledge.OperationPage, err error) {
	if q.Limit < 1 || q.Limit > 1000 {
		return page, fault.BadField("query.limit", "must lie in 1..1000")
	}
	var at *time.Time
	if q.After.ID != "" {
		at = &q.After.At
	}
	err = s.db.view(ctx, scope, func(in *session) (err error) {
		page.Operations, err = in.operationsOf(scope, `($3::timestamptz IS NULL OR (o.at, o.id) < ($3, $4::uuid)) AND (o.closing OR NOT $5)
			ORDER BY o.at DESC, o.id DESC LIMIT $6`, at, uuidOf(q.After.ID), q.Closing, q.Limit+1)
		return err
	})
	if len(page.Operations) > q.Limit {
		page.Operations = page.Operations[:q.Limit]
		page.Next = page.Operations[q.Limit-1].Cursor()
	}
	return page, s.db.failed(ctx, "list operations", err)
}

// Change implements knowledge.FactStore.
func (s *Facts) Change(ctx context.Context, scope memory.Scope, do func(knowledge.FactTx) error) error {
	return s.db.write(ctx, scope, func(g *group) error {
		if err := g.entered(); err != nil {
			return s.db.failed(ctx, "change facts", err)
		}
		if err := do(factTx{&tx{group: g, caller: ctx}}); err != nil {
			return err
		}
		return ctx.Err() // nobody waits for the answer: then better nothing was done
	})
}

// factTx are the facts of a transaction.
type factTx struct{ *tx }

// Now implements knowledge.FactTx.
func (t factTx) Now() time.Time { return t.now }

// Told implements knowledge.FactTx.
func (t factTx) Told(_ context.Context, ids []memory.ID) (told []memory.Memory, err error) {
	found := make([]*standing, len(ids))
	for i, id := range ids {
		if isUUID(id) {
			t.seek(&found[i], id)
		}
	}
	if err := t.flush(); err != nil {
		return nil, t.failed("read memories", err)
	}
	for _, stands := range found {
		if stands != nil && !stands.Expired(t.now) {
			told = append(told, stands.Memory)
		}
	}
	return told, nil
}

// Records implements knowledge.FactTx.
func (t factTx) Records(_ context.Context, q knowledge.RecordQuery) ([]knowledge.Record, error) {
	ids := column(q.IDs, uuidOf[memory.ID])
	find := func(query string, args ...any) {
		t.ask(query, append([]any{t.scope.Tenant, t.scope.Project}, args...), func(rows pgx.Rows) error {
			var id pgtype.UUID
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		})
	}
	for _, s := range q.Slots {
		find(`SELECT f.id FROM facts f WHERE f.tenant = $1 AND f.project = $2 AND f.subject_id = $3 AND f.relation = $4 AND f.user_id = $5
			AND ($6::uuid IS NULL OR f.object_id = $6) ORDER BY f.subject_id, f.relation, f.object_id`,
			uuidOf(s.Subject), s.Relation, s.UserID, uuidOf(s.Object))
	}
	if len(q.Memories) > 0 {
		find(`SELECT e.fact_id FROM fact_evidence e WHERE e.tenant = $1 AND e.project = $2 AND e.memory_id = ANY($3::uuid[]) ORDER BY e.memory_id`, column(q.Memories, uuidOf[memory.ID]))
	}
	if len(q.Operations) > 0 {
		find(`SELECT f.id FROM facts f WHERE f.tenant = $1 AND f.project = $2 AND f.operation_id = ANY($3::uuid[]) ORDER BY f.operation_id`, column(q.Operations, uuidOf[memory.ID]))
	}
	if err := t.flush(); err != nil {
		return nil, t.failed("find facts", err)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	versions, err := t.versionsOf(t.scope, `f.id = ANY($3::uuid[]) ORDER BY f.id, f.version`, ids)
	if err != nil {
		return nil, t.failed("read facts", err)
	}
	evidence, err := t.evidenceFor(t.scope, versions)
	return knowledge.Gather(versions, evidence), t.failed("read evidence", err)
}

// Save implements knowledge.FactTx.
func (t factTx) Save(_ context.Context, before, after knowledge.Record) error {
	c := before.ChangesTo(&after)
	tenant, project, id := t.scope.Tenant, t.scope.Project, string(c.ID)
	anew := append(column(c.Versions, func(f knowledge.Fact) int { return f.Version }), c.GoneVersions...)
	if len(anew) > 0 && before.ID() != "" {
		t.exec(`DELETE FROM facts WHERE tenant = $1 AND project = $2 AND id = $3 AND version = ANY($4::int[])`, tenant, project, id, anew)
	}
	retold := append(column(c.Evidence, func(e knowledge.Evidence) memory.ID { return e.MemoryID }), c.GoneEvidence...)
	if len(retold) > 0 && before.ID() != "" {
		t.exec(`DELETE FROM fact_evidence WHERE tenant = $1 AND project = $2 AND fact_id = $3 AND memory_id = ANY($4::uuid[])`,
			tenant, project, id, column(retold, uuidOf[memory.ID]))
	}
	for i := range c.Versions {
		f := &c.Versions[i]
		subject, object := f.Keys(t.scope)
		t.exec(`INSERT INTO facts (tenant, project, `+factColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)`,
			tenant, project, id, f.Version, f.UserID, string(f.Kind), subject, f.Subject.Name, f.Subject.Type, f.Relation, object, f.Object.Name,
			f.Object.Type, f.Literal, f.Negated, f.ValidFrom, f.ValidTo, f.Confidence, f.Observed, f.Method, f.Edition, uuidOf(f.ClosedBy),
			string(f.Operation), f.RecordedFrom, f.RecordedTo)
	}
	for i := range c.Evidence {
		e := &c.Evidence[i]
		t.exec(`INSERT INTO fact_evidence (tenant, project, `+evidenceColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
			tenant, project, id, string(e.MemoryID), e.Version, e.Start, e.End, e.Told, e.From, e.To, e.Confidence, e.Closes, e.Method, e.Edition,
			string(e.Operation), e.RecordedAt)
	}
	return nil
}

// Known implements knowledge.FactTx.
func (t factTx) Known(_ context.Context, q knowledge.KnownQuery) ([]knowledge.Operation, error) {
	known, err := t.operationsOf(t.scope, `o.id IN (SELECT unnest($3::uuid[])
		UNION SELECT * FROM (SELECT m.id FROM knowledge_operations m WHERE m.tenant = $1 AND m.project = $2 AND m.memory_id = ANY($4::uuid[]) ORDER BY m.memory_id) m)
		ORDER BY o.id`, column(q.IDs, uuidOf[memory.ID]), column(q.Memories, uuidOf[memory.ID]))
	return known, t.failed("read operations", err)
}

// Keep implements knowledge.FactTx.
func (t factTx) Keep(_ context.Context, o knowledge.Operation) error {
	o = o.Clone()
	o.TenantID, o.ProjectID = t.scope.Tenant, t.scope.Project
	body, err := json.Marshal(o)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode operation %s", o.ID)
	}
	t.exec(`INSERT INTO knowledge_operations (tenant, project, id, memory_id, at, closing, body) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant, project, id) DO UPDATE SET at = excluded.at, closing = excluded.closing, body = excluded.body`,
		t.scope.Tenant, t.scope.Project, string(o.ID), string(o.MemoryID), o.At, o.Closing(), string(body))
	return nil
}

// Drop implements knowledge.FactTx.
func (t factTx) Drop(_ context.Context, ids []memory.ID) error {
	t.exec(`DELETE FROM knowledge_operations WHERE tenant = $1 AND project = $2 AND id = ANY($3::uuid[])`,
		t.scope.Tenant, t.scope.Project, column(ids, uuidOf[memory.ID]))
	return nil
}

func noFact() error { return fault.New(fault.NotFound, "there is no such fact") }

func noOperation() error { return fault.New(fault.NotFound, "there is no such operation") }
