package postgres

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ knowledge.Register = (*Register)(nil)

// Register keeps who is who in the same database as the memories.
type Register struct{ db *DB }

// NewRegister returns the register of the store.
func NewRegister(db *DB) *Register { return &Register{db: db} }

// Observe implements knowledge.Register, as one of the writers of the scope.
func (r *Register) Observe(ctx context.Context, scope memory.Scope, seen []knowledge.Sighting) error {
	seen = slices.DeleteFunc(slices.Clone(seen), func(s knowledge.Sighting) bool { return !isUUID(s.MemoryID) })
	if len(seen) == 0 {
		return ctx.Err()
	}
	err := r.db.write(ctx, scope, func(g *group) error {
		stands := map[string]int{}
		err := g.rows(`SELECT id::text, version FROM memories WHERE tenant = $1 AND project = $2 AND id = ANY($3::uuid[])
			AND (expires_at IS NULL OR expires_at > rae_now())`, []any{scope.Tenant, scope.Project,
			column(seen, func(s knowledge.Sighting) string { return string(s.MemoryID) })}, func(rows pgx.Rows) error {
			var id string
			var version int
			err := rows.Scan(&id, &version)
			stands[id] = version
			return err
		})
		if err != nil {
			return err
		}
		type seat struct {
			memory memory.ID
			reader string
		}
		last := map[seat]*knowledge.Sighting{} // of what is told twice the last counts
		for i := range seen {
			if version, ok := stands[string(seen[i].MemoryID)]; ok && version == seen[i].Version {
				last[seat{seen[i].MemoryID, seen[i].By}] = &seen[i]
			}
		}
		var cleared []seat
		var noted []knowledge.Row
		for at, s := range last {
			cleared, noted = append(cleared, at), append(noted, s.Rows(scope)...)
		}
		if len(cleared) == 0 {
			return nil
		}
		aliases := make([]string, len(noted))
		for i := range noted {
			encoded, err := json.Marshal(noted[i].Aliases)
			if err != nil {
				return err
			}
			aliases[i] = string(encoded)
		}
		g.exec(`DELETE FROM entity_mentions x USING unnest($3::uuid[], $4::text[]) d(memory_id, reader)
			WHERE x.tenant = $1 AND x.project = $2 AND x.memory_id = d.memory_id AND x.reader = d.reader`, scope.Tenant, scope.Project,
			column(cleared, func(s seat) pgtype.UUID { return uuidOf(s.memory) }), column(cleared, func(s seat) string { return s.reader }))
		g.exec(`INSERT INTO entity_mentions (tenant, project, memory_id, reader, entity_id, name, type, aliases, seen_at)
			SELECT $1, $2, n.* FROM unnest($3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::timestamptz[]) n`,
			scope.Tenant, scope.Project, column(noted, func(r knowledge.Row) pgtype.UUID { return uuidOf(r.MemoryID) }),
			column(noted, func(r knowledge.Row) string { return r.By }), column(noted, func(r knowledge.Row) pgtype.UUID { return uuidOf(r.Entity) }),
			column(noted, func(r knowledge.Row) string { return r.Name }), column(noted, func(r knowledge.Row) string { return r.Type }), aliases,
			column(noted, func(r knowledge.Row) time.Time { return r.At }))
		return nil
	})
	return r.db.failed(ctx, "note what memories of "+scope.String()+" mention", err)
}

// entities reads those that fulfil the condition on x, by id.
func (r *Register) entities(ctx context.Context, scope memory.Scope, condition string, args ...any) (all []knowledge.Entity, err error) {
	err = r.db.view(ctx, scope, func(s *session) error {
		all = nil
		var rows []knowledge.Row
		canonical := ""
		end := func() {
			if len(rows) > 0 {
				e := knowledge.EntityOf(rows)
				e.Canonical = canonical
				all, rows = append(all, e), nil
			}
		}
		err := s.rows(`SELECT x.entity_id::text, x.memory_id::text, x.reader, x.name, x.type, x.aliases, x.seen_at, coalesce(g.canonical_id, x.entity_id)::text
			FROM entity_mentions x LEFT JOIN entity_members g ON g.tenant = $1 AND g.project = $2 AND g.entity_id = x.entity_id
			WHERE x.tenant = $1 AND x.project = $2 AND x.entity_id `+condition+` ORDER BY x.entity_id`,
			append([]any{scope.Tenant, scope.Project}, args...), func(found pgx.Rows) error {
				var row knowledge.Row
				var aliases, stands string
				if err := found.Scan(&row.Entity, &row.MemoryID, &row.By, &row.Name, &row.Type, &aliases, &row.At, &stands); err != nil {
					return err
				}
				if err := json.Unmarshal([]byte(aliases), &row.Aliases); err != nil {
					return fault.Wrap(fault.Internal, err, "decode the aliases of an entity")
				}
				row.At = row.At.UTC()
				if len(rows) > 0 && rows[0].Entity != row.Entity {
					end()
				}
				rows, canonical = append(rows, row), stands
				return nil
			})
		end()
		return err
	})
	return all, r.db.failed(ctx, "list entities of "+scope.String(), err)
}

// Entities implements knowledge.Register.
func (r *Register) Entities(ctx context.Context, scope memory.Scope, after string, limit int) ([]knowledge.Entity, error) {
	condition := `IN (SELECT DISTINCT entity_id FROM entity_mentions WHERE tenant = $1 AND project = $2 AND entity_id > $4::uuid
		ORDER BY entity_id LIMIT $3)`
	if after == "" {
		after = "00000000-0000-0000-0000-000000000000" // before every id that is one
	}
	if !isUUID(memory.ID(after)) {
		return nil, fault.BadField("after", "must be the id of an entity")
	}
	return r.entities(ctx, scope, condition, limit, after)
}

// FindEntities implements knowledge.Register.
func (r *Register) FindEntities(ctx context.Context, scope memory.Scope, ids []string) (found []knowledge.Entity, err error) {
	all, err := r.entities(ctx, scope, `= ANY($3::uuid[])`, uuids(ids))
	byID := map[string]knowledge.Entity{}
	for _, e := range all {
		byID[e.ID] = e
	}
	for _, id := range ids {
		if e, ok := byID[id]; ok {
			found = append(found, e)
		}
	}
	return found, err
}

// uuids are those of the ids that are one.
func uuids(ids []string) []string {
	return slices.DeleteFunc(append([]string{}, ids...), func(id string) bool { return !isUUID(memory.ID(id)) })
}

// groups reads the groups of the ids, with nil all of the scope.
func (s *session) groups(scope memory.Scope, ids []string) (groups []knowledge.Group, err error) {
	condition, args := "", []any{scope.Tenant, scope.Project}
	if ids != nil {
		condition = `AND m.canonical_id IN (SELECT canonical_id FROM entity_members WHERE tenant = $1 AND project = $2 AND entity_id = ANY($3::uuid[]))`
		args = append(args, uuids(ids))
	}
	last := ""
	err = s.rows(`SELECT m.canonical_id::text, m.entity_id::text FROM entity_members m WHERE m.tenant = $1 AND m.project = $2 `+condition+`
		ORDER BY m.canonical_id, m.place`, args, func(rows pgx.Rows) error {
		var canonical, id string
		if err := rows.Scan(&canonical, &id); err != nil {
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
	return groups, err
}

// Groups implements knowledge.Identities.
func (r *Register) Groups(ctx context.Context, scope memory.Scope, ids []string) (groups []knowledge.Group, err error) {
	err = r.db.look(ctx, scope, func(s *session) (err error) {
		groups, err = s.groups(scope, ids)
		return err
	})
	return groups, r.db.failed(ctx, "read who is who of "+scope.String(), err)
}

// decisions reads decisions: condition is the rest of the question.
func (s *session) decisions(scope memory.Scope, condition string, args ...any) (all []knowledge.Decision, err error) {
	err = s.rows(`SELECT body FROM entity_decisions WHERE tenant = $1 AND project = $2 `+condition,
		append([]any{scope.Tenant, scope.Project}, args...), func(rows pgx.Rows) error {
			var body string
			if err := rows.Scan(&body); err != nil {
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

// decide runs do in a session about the ids (with nil, about anybody) and keeps what it decides, as one of the writers of
// the scope.
func (r *Register) decide(ctx context.Context, scope memory.Scope, ids []string, do func(*group, *knowledge.Session) ([]knowledge.Decision, error)) error {
	err := r.db.write(ctx, scope, func(g *group) error {
		groups, err := g.groups(scope, ids)
		if err != nil {
			return err
		}
		s := &knowledge.Session{Scope: scope, Partition: knowledge.NewPartition(groups), Now: g.now}
		if s.Apart, err = g.decisions(scope, `AND apart`); err != nil {
			return err
		}
		err = g.row(`SELECT coalesce(max(number), 0) FROM entity_decisions WHERE tenant = $1 AND project = $2`,
			[]any{scope.Tenant, scope.Project}, &s.Last)
		if err != nil {
			return err
		}
		decided, err := do(g, s)
		if err != nil || len(decided) == 0 {
			return err
		}
		return g.settle(s, decided)
	})
	return r.db.failed(ctx, "decide who is who of "+scope.String(), err)
}

// settle writes what was decided and where everybody stands who moved.
func (g *group) settle(s *knowledge.Session, decided []knowledge.Decision) error {
	bodies := make([]string, len(decided))
	for i := range decided {
		body, err := json.Marshal(&decided[i])
		if err != nil {
			return err
		}
		bodies[i] = string(body)
	}
	tenant, project := s.Scope.Tenant, s.Scope.Project
	g.exec(`INSERT INTO entity_decisions (tenant, project, number, id, apart, body)
		SELECT $1, $2, n.* FROM unnest($3::bigint[], $4::uuid[], $5::boolean[], $6::text[]) n
		ON CONFLICT (tenant, project, number) DO UPDATE SET apart = excluded.apart, body = excluded.body`, tenant, project,
		column(decided, func(d knowledge.Decision) int64 { return d.Number }), column(decided, func(d knowledge.Decision) string { return d.ID }),
		column(decided, func(d knowledge.Decision) bool { return d.KeepsApart() }), bodies)
	moved := s.Moved()
	var ids, canonical []string
	var places []int64
	for _, id := range moved {
		if members := s.Partition.Group(id); len(members) > 1 {
			ids, canonical, places = append(ids, id), append(canonical, members[0]), append(places, int64(slices.Index(members, id)))
		}
	}
	g.exec(`DELETE FROM entity_members WHERE tenant = $1 AND project = $2 AND entity_id = ANY($3::uuid[])`, tenant, project, moved)
	g.exec(`INSERT INTO entity_members (tenant, project, entity_id, canonical_id, place)
		SELECT $1, $2, n.* FROM unnest($3::uuid[], $4::uuid[], $5::bigint[]) n`, tenant, project, ids, canonical, places)
	if !g.stands.exists {
		return nil
	}
	_, err := g.number()
	return err
}

// Unite implements knowledge.Register.
func (r *Register) Unite(ctx context.Context, scope memory.Scope, merges []knowledge.Merge) (outcomes []knowledge.Outcome, err error) {
	ids := []string{}
	for i := range merges {
		ids = append(ids, merges[i].From, merges[i].Into)
	}
	err = r.decide(ctx, scope, ids, func(_ *group, s *knowledge.Session) (decided []knowledge.Decision, err error) {
		outcomes, decided = s.MergeAll(merges)
		return decided, nil
	})
	return outcomes, err
}

// Split implements knowledge.Register.
func (r *Register) Split(ctx context.Context, scope memory.Scope, order knowledge.Split) (d knowledge.Decision, err error) {
	err = r.decide(ctx, scope, append([]string{}, order.Members...), func(_ *group, s *knowledge.Session) (_ []knowledge.Decision, err error) {
		if d, err = s.Split(&order); err != nil {
			return nil, err
		}
		return []knowledge.Decision{d}, nil
	})
	return d, err
}

// Undo implements knowledge.Register.
func (r *Register) Undo(ctx context.Context, scope memory.Scope, id, by string) (d knowledge.Decision, err error) {
	err = r.decide(ctx, scope, nil, func(g *group, s *knowledge.Session) ([]knowledge.Decision, error) {
		all, err := g.decisions(scope, `ORDER BY number`)
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
	err = r.db.view(ctx, scope, func(s *session) error {
		page = nil
		for before := q.Before; len(page) < q.Limit; { // an id may stand in a reason, too
			some, err := s.decisions(scope, `AND ($3::bigint = 0 OR number < $3) AND position($4::text IN body) > 0 ORDER BY number DESC LIMIT $5`,
				before, q.Entity, q.Limit)
			if err != nil {
				return err
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
		return nil
	})
	return page, r.db.failed(ctx, "list decisions of "+scope.String(), err)
}

// Suggest implements knowledge.Register. Of two who do at once, one after the other does.
func (r *Register) Suggest(ctx context.Context, scope memory.Scope, all []knowledge.Suggestion) error {
	best := knowledge.BestSuggestions(all, knowledge.MaxSuggestions)
	err := r.db.write(ctx, scope, func(g *group) error {
		g.exec(`DELETE FROM entity_suggestions WHERE tenant = $1 AND project = $2`, scope.Tenant, scope.Project)
		g.exec(`INSERT INTO entity_suggestions (tenant, project, a, b, score, reason, suggested_at)
			SELECT $1, $2, n.* FROM unnest($3::uuid[], $4::uuid[], $5::float8[], $6::text[], $7::timestamptz[]) n`, scope.Tenant, scope.Project,
			column(best, func(s knowledge.Suggestion) pgtype.UUID { return uuidOf(s.A) }), column(best, func(s knowledge.Suggestion) pgtype.UUID { return uuidOf(s.B) }),
			column(best, func(s knowledge.Suggestion) float64 { return s.Score }), column(best, func(s knowledge.Suggestion) string { return s.Reason }),
			column(best, func(s knowledge.Suggestion) time.Time { return s.At }))
		return nil
	})
	return r.db.failed(ctx, "keep suggestions of "+scope.String(), err)
}

// Suggestions implements knowledge.Register.
func (r *Register) Suggestions(ctx context.Context, scope memory.Scope, limit int) (left []knowledge.Suggestion, err error) {
	mentions := func(id string) string {
		return `EXISTS (SELECT FROM entity_mentions x WHERE x.tenant = $1 AND x.project = $2 AND x.entity_id = s.` + id + `)`
	}
	err = r.db.view(ctx, scope, func(s *session) error {
		var all []knowledge.Suggestion
		ids := []string{}
		mentioned := map[string]bool{}
		err := s.rows(`SELECT a::text, b::text, score, reason, suggested_at FROM entity_suggestions s WHERE tenant = $1 AND project = $2 AND `+
			mentions("a")+` AND `+mentions("b"), []any{scope.Tenant, scope.Project}, func(rows pgx.Rows) error {
			var s knowledge.Suggestion
			err := rows.Scan(&s.A, &s.B, &s.Score, &s.Reason, &s.At)
			s.At = s.At.UTC()
			mentioned[s.A], mentioned[s.B] = true, true
			all, ids = append(all, s), append(ids, s.A, s.B)
			return err
		})
		if err != nil {
			return err
		}
		groups, err := s.groups(scope, ids)
		if err != nil {
			return err
		}
		apart, err := s.decisions(scope, `AND apart`)
		if err != nil {
			return err
		}
		left = knowledge.Unsettled(all, mentioned, knowledge.NewPartition(groups), apart, limit)
		return nil
	})
	return left, r.db.failed(ctx, "list suggestions of "+scope.String(), err)
}
