package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ knowledge.Register = (*Register)(nil)

// Register keeps who is who in the same file as the memories.
type Register struct{ db *DB }

// NewRegister returns the register of the store.
func NewRegister(db *DB) *Register { return &Register{db: db} }

// eachOf hands every row of a question about the scope to visit.
func eachOf(ctx context.Context, q asked, scope memory.Scope, query string, args []any, visit func(scan func(...any) error) error) error {
	rows, err := q.QueryContext(ctx, query, append([]any{scope.Tenant, scope.Project}, args...)...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		if err := visit(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// idMarks are as many parameters as there are ids, and the ids.
func idMarks(ids []string) (string, []any) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return strings.TrimSuffix(strings.Repeat("?, ", len(ids)), ", "), args
}

// idsAtOnce is how many ids are asked for in one question.
const idsAtOnce = 500

// Observe implements knowledge.Register.
func (r *Register) Observe(ctx context.Context, scope memory.Scope, seen []knowledge.Sighting) error {
	return r.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		for i := range seen {
			if err := r.observe(ctx, tx, scope, &seen[i]); err != nil {
				return fmt.Errorf("note what memory %s mentions: %w", seen[i].MemoryID, err)
			}
		}
		return nil
	})
}

func (r *Register) observe(ctx context.Context, tx *sql.Tx, scope memory.Scope, s *knowledge.Sighting) error {
	var version int
	err := tx.QueryRowContext(ctx, `SELECT version FROM memories WHERE tenant = ? AND project = ? AND id = ?
		AND (expires_at IS NULL OR expires_at > ?)`, scope.Tenant, scope.Project, string(s.MemoryID), micros(r.db.now())).Scan(&version)
	if errors.Is(err, sql.ErrNoRows) || err == nil && version != s.Version {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM entity_mentions WHERE tenant = ? AND project = ? AND memory_id = ? AND reader = ?`,
		scope.Tenant, scope.Project, string(s.MemoryID), s.By)
	for _, row := range s.Rows(scope) {
		if err != nil {
			return err
		}
		var aliases []byte
		if aliases, err = json.Marshal(row.Aliases); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO entity_mentions (tenant, project, memory_id, reader, entity_id, name, type, aliases, seen_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			scope.Tenant, scope.Project, string(row.MemoryID), row.By, row.Entity, row.Name, row.Type, string(aliases), micros(row.At))
	}
	return err
}

const mentionColumns = `x.entity_id, x.memory_id, x.reader, x.name, x.type, x.aliases, x.seen_at, coalesce(g.canonical_id, x.entity_id)
	FROM entity_mentions x LEFT JOIN entity_members g ON g.tenant = x.tenant AND g.project = x.project AND g.entity_id = x.entity_id
	WHERE x.tenant = ? AND x.project = ? AND x.entity_id `

// entities reads those of the condition, which goes on behind "entity_id", by id.
func (r *Register) entities(ctx context.Context, scope memory.Scope, condition string, args ...any) (all []knowledge.Entity, err error) {
	db, err := r.db.read(ctx)
	if err != nil {
		return nil, err
	}
	var rows []knowledge.Row
	canonical := ""
	end := func() {
		if len(rows) > 0 {
			e := knowledge.EntityOf(rows)
			e.Canonical = canonical
			all, rows = append(all, e), nil
		}
	}
	err = eachOf(ctx, db, scope, `SELECT `+mentionColumns+condition+` ORDER BY x.entity_id`, args, func(scan func(...any) error) error {
		var row knowledge.Row
		var aliases, stands string
		var at int64
		if err := scan(&row.Entity, &row.MemoryID, &row.By, &row.Name, &row.Type, &aliases, &at, &stands); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(aliases), &row.Aliases); err != nil {
			return fault.Wrap(fault.Internal, err, "decode the aliases of an entity")
		}
		row.At = instant(at)
		if len(rows) > 0 && rows[0].Entity != row.Entity {
			end()
		}
		rows, canonical = append(rows, row), stands
		return nil
	})
	end()
	if err != nil {
		return nil, classify(ctx, fmt.Errorf("list entities of %s: %w", scope, err))
	}
	return all, nil
}

// Entities implements knowledge.Register.
func (r *Register) Entities(ctx context.Context, scope memory.Scope, after string, limit int) ([]knowledge.Entity, error) {
	return r.entities(ctx, scope, `IN (SELECT DISTINCT entity_id FROM entity_mentions WHERE tenant = ? AND project = ? AND entity_id > ?
		ORDER BY entity_id LIMIT ?)`, scope.Tenant, scope.Project, after, limit)
}

// FindEntities implements knowledge.Register.
func (r *Register) FindEntities(ctx context.Context, scope memory.Scope, ids []string) (found []knowledge.Entity, err error) {
	for some := range slices.Chunk(ids, idsAtOnce) {
		in, args := idMarks(some)
		all, err := r.entities(ctx, scope, `IN (`+in+`)`, args...)
		if err != nil {
			return nil, err
		}
		byID := map[string]knowledge.Entity{}
		for _, e := range all {
			byID[e.ID] = e
		}
		for _, id := range some {
			if e, ok := byID[id]; ok {
				found = append(found, e)
			}
		}
	}
	return found, nil
}

// groupsOf reads the groups of the ids, with nil all of the scope.
func groupsOf(ctx context.Context, q asked, scope memory.Scope, ids []string) (groups []knowledge.Group, err error) {
	last := ""
	read := func(condition string, args ...any) error {
		return eachOf(ctx, q, scope, `SELECT canonical_id, entity_id FROM entity_members WHERE tenant = ? AND project = ? `+condition+`
			ORDER BY canonical_id, place`, args, func(scan func(...any) error) error {
			var canonical, id string
			if err := scan(&canonical, &id); err != nil {
				return err
			}
			if canonical != last {
				groups = append(groups, knowledge.Group{})
			}
			last = canonical
			g := &groups[len(groups)-1]
			g.Members = append(g.Members, id)
			return nil
		})
	}
	if ids == nil {
		return groups, read("")
	}
	var canonical []string
	for some := range slices.Chunk(ids, idsAtOnce) {
		in, args := idMarks(some)
		err := eachOf(ctx, q, scope, `SELECT DISTINCT canonical_id FROM entity_members WHERE tenant = ? AND project = ? AND entity_id IN (`+in+`)`,
			args, func(scan func(...any) error) error {
				var id string
				err := scan(&id)
				canonical = append(canonical, id)
				return err
			})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(canonical)
	for some := range slices.Chunk(slices.Compact(canonical), idsAtOnce) {
		in, args := idMarks(some)
		if err := read(`AND canonical_id IN (`+in+`)`, args...); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

// Groups implements knowledge.Identities.
func (r *Register) Groups(ctx context.Context, scope memory.Scope, ids []string) ([]knowledge.Group, error) {
	db, err := r.db.read(ctx)
	if err != nil {
		return nil, err
	}
	groups, err := groupsOf(ctx, db, scope, ids)
	if err != nil {
		return nil, classify(ctx, fmt.Errorf("read who is who of %s: %w", scope, err))
	}
	return groups, nil
}

// decisionsOf reads decisions: condition is the rest of the question.
func decisionsOf(ctx context.Context, q asked, scope memory.Scope, condition string, args ...any) (all []knowledge.Decision, err error) {
	err = eachOf(ctx, q, scope, `SELECT body FROM entity_decisions WHERE tenant = ? AND project = ? `+condition, args,
		func(scan func(...any) error) error {
			var body string
			if err := scan(&body); err != nil {
				return err
			}
			var d knowledge.Decision
			if err := json.Unmarshal([]byte(body), &d); err != nil {
				return fault.Wrap(fault.Internal, err, "decode a decision")
			}
			all = append(all, d)
			return nil
		})
	return all, err
}

// session is what decisions about the ids are made in; with nil, about anybody.
func (r *Register) session(ctx context.Context, tx *sql.Tx, scope memory.Scope, ids []string) (*knowledge.Session, error) {
	groups, err := groupsOf(ctx, tx, scope, ids)
	if err != nil {
		return nil, err
	}
	s := &knowledge.Session{Scope: scope, Partition: knowledge.NewPartition(groups), Now: r.db.now()}
	if s.Apart, err = decisionsOf(ctx, tx, scope, `AND apart`); err != nil {
		return nil, err
	}
	err = tx.QueryRowContext(ctx, `SELECT coalesce(max(number), 0) FROM entity_decisions WHERE tenant = ? AND project = ?`,
		scope.Tenant, scope.Project).Scan(&s.Last)
	return s, err
}

// settle writes what was decided and where everybody stands who moved.
func (r *Register) settle(ctx context.Context, tx *sql.Tx, s *knowledge.Session, decided ...knowledge.Decision) error {
	exec := func(statement string, args ...any) error {
		_, err := tx.ExecContext(ctx, statement, append([]any{s.Scope.Tenant, s.Scope.Project}, args...)...)
		return err
	}
	for i := range decided {
		d := &decided[i]
		body, err := json.Marshal(d)
		if err != nil {
			return err
		}
		err = exec(`INSERT INTO entity_decisions (tenant, project, number, id, apart, body) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (tenant, project, number) DO UPDATE SET apart = excluded.apart, body = excluded.body`,
			d.Number, d.ID, d.KeepsApart(), string(body))
		if err != nil {
			return err
		}
	}
	for _, id := range s.Moved() {
		group := s.Partition.Group(id)
		err := exec(`DELETE FROM entity_members WHERE tenant = ? AND project = ? AND entity_id = ?`, id)
		if err == nil && len(group) > 1 {
			err = exec(`INSERT INTO entity_members (tenant, project, entity_id, canonical_id, place) VALUES (?, ?, ?, ?, ?)`,
				id, group[0], slices.Index(group, id))
		}
		if err != nil {
			return err
		}
	}
	return exec(`UPDATE scopes SET head = head + 1 WHERE tenant = ? AND project = ?`)
}

// decide runs do in a session about the ids, and keeps what it decides.
func (r *Register) decide(ctx context.Context, scope memory.Scope, ids []string, do func(ctx context.Context, tx *sql.Tx, s *knowledge.Session) ([]knowledge.Decision, error)) error {
	return r.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		s, err := r.session(ctx, tx, scope, ids)
		if err != nil {
			return fmt.Errorf("read who is who of %s: %w", scope, err)
		}
		decided, err := do(ctx, tx, s)
		if err != nil || len(decided) == 0 {
			return err
		}
		if err := r.settle(ctx, tx, s, decided...); err != nil {
			return fmt.Errorf("keep who is who of %s: %w", scope, err)
		}
		return nil
	})
}

// Unite implements knowledge.Register.
func (r *Register) Unite(ctx context.Context, scope memory.Scope, merges []knowledge.Merge) (outcomes []knowledge.Outcome, err error) {
	ids := []string{}
	for i := range merges {
		ids = append(ids, merges[i].From, merges[i].Into)
	}
	err = r.decide(ctx, scope, ids, func(_ context.Context, _ *sql.Tx, s *knowledge.Session) (decided []knowledge.Decision, err error) {
		outcomes, decided = s.MergeAll(merges)
		return decided, nil
	})
	return outcomes, err
}

// Split implements knowledge.Register.
func (r *Register) Split(ctx context.Context, scope memory.Scope, order knowledge.Split) (d knowledge.Decision, err error) {
	err = r.decide(ctx, scope, append([]string{}, order.Members...), func(_ context.Context, _ *sql.Tx, s *knowledge.Session) (_ []knowledge.Decision, err error) {
		if d, err = s.Split(&order); err != nil {
			return nil, err
		}
		return []knowledge.Decision{d}, nil
	})
	return d, err
}

// Undo implements knowledge.Register.
func (r *Register) Undo(ctx context.Context, scope memory.Scope, id, by string) (d knowledge.Decision, err error) {
	err = r.decide(ctx, scope, nil, func(ctx context.Context, tx *sql.Tx, s *knowledge.Session) ([]knowledge.Decision, error) {
		all, err := decisionsOf(ctx, tx, scope, `ORDER BY number`)
		if err != nil {
			return nil, err
		}
		var undone bool
		if d, undone, err = s.Undo(all, id, by); err != nil || !undone {
			return nil, err
		}
		return []knowledge.Decision{d}, nil
	})
	return d, err
}

// Decisions implements knowledge.Register.
func (r *Register) Decisions(ctx context.Context, scope memory.Scope, q knowledge.DecisionQuery) (page []knowledge.Decision, err error) {
	db, err := r.db.read(ctx)
	if err != nil {
		return nil, err
	}
	for before := q.Before; len(page) < q.Limit; { // an id may stand in a reason, too
		some, err := decisionsOf(ctx, db, scope, `AND (? = 0 OR number < ?) AND instr(body, ?) > 0 ORDER BY number DESC LIMIT ?`,
			before, before, q.Entity, q.Limit)
		if err != nil {
			return nil, classify(ctx, fmt.Errorf("list decisions of %s: %w", scope, err))
		}
		for i := range some {
			before = some[i].Number
			if (q.Entity == "" || some[i].Concerns(q.Entity)) && len(page) < q.Limit {
				page = append(page, some[i])
			}
		}
		if len(some) < q.Limit {
			break
		}
	}
	return page, nil
}

// Suggest implements knowledge.Register.
func (r *Register) Suggest(ctx context.Context, scope memory.Scope, all []knowledge.Suggestion) error {
	return r.db.write(ctx, func(tx *sql.Tx) error {
		ctx := context.WithoutCancel(ctx)
		_, err := tx.ExecContext(ctx, `DELETE FROM entity_suggestions WHERE tenant = ? AND project = ?`, scope.Tenant, scope.Project)
		for _, s := range knowledge.BestSuggestions(all, knowledge.MaxSuggestions) {
			if err != nil {
				break
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO entity_suggestions (tenant, project, a, b, score, reason, suggested_at)
				VALUES (?, ?, ?, ?, ?, ?, ?)`, scope.Tenant, scope.Project, s.A, s.B, s.Score, s.Reason, micros(s.At))
		}
		if err != nil {
			return fmt.Errorf("keep suggestions of %s: %w", scope, err)
		}
		return nil
	})
}

// Suggestions implements knowledge.Register.
func (r *Register) Suggestions(ctx context.Context, scope memory.Scope, limit int) ([]knowledge.Suggestion, error) {
	db, err := r.db.read(ctx)
	if err != nil {
		return nil, err
	}
	var all []knowledge.Suggestion
	ids := []string{}
	mentioned := map[string]bool{}
	mentions := func(id string) string {
		return `EXISTS (SELECT 1 FROM entity_mentions x WHERE x.tenant = s.tenant AND x.project = s.project AND x.entity_id = s.` + id + `)`
	}
	err = eachOf(ctx, db, scope, `SELECT a, b, score, reason, suggested_at FROM entity_suggestions s WHERE tenant = ? AND project = ? AND `+
		mentions("a")+` AND `+mentions("b"), nil, func(scan func(...any) error) error {
		var s knowledge.Suggestion
		var at int64
		err := scan(&s.A, &s.B, &s.Score, &s.Reason, &at)
		s.At = instant(at)
		mentioned[s.A], mentioned[s.B] = true, true
		all, ids = append(all, s), append(ids, s.A, s.B)
		return err
	})
	if err != nil {
		return nil, classify(ctx, fmt.Errorf("list suggestions of %s: %w", scope, err))
	}
	groups, err := groupsOf(ctx, db, scope, ids)
	if err != nil {
		return nil, classify(ctx, err)
	}
	apart, err := decisionsOf(ctx, db, scope, `AND apart`)
	if err != nil {
		return nil, classify(ctx, err)
	}
	return knowledge.Unsettled(all, mentioned, knowledge.NewPartition(groups), apart, limit), nil
}
