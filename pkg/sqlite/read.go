package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// each runs a query over versions of the scope and calls visit for every row, until it reports false.
func (d *DB) each(ctx context.Context, what string, s *scanner, query string, args []any, visit func() (bool, error)) error {
	db, err := d.read(ctx)
	if err != nil {
		return err
	}
	fail := func(err error) error { return classify(ctx, fmt.Errorf("%s: %w", what, err)) }
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return fail(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := s.scan(rows); err != nil {
			return fail(err)
		}
		more, err := visit()
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fail(err)
	}
	return nil
}

// Get returns one memory as the view shows it.
func (d *DB) Get(ctx context.Context, scope memory.Scope, id memory.ID, at memory.View) (memory.Memory, error) {
	found, err := d.Find(ctx, scope, []memory.ID{id}, at)
	if err != nil {
		return memory.Memory{}, err
	}
	if len(found) == 0 {
		return memory.Memory{}, notFound()
	}
	return found[0], nil
}

// Find returns those of ids the view shows, in the order of ids.
func (d *DB) Find(ctx context.Context, scope memory.Scope, ids []memory.ID, at memory.View) ([]memory.Memory, error) {
	if len(ids) == 0 {
		return nil, ctx.Err()
	}
	query, args, err := viewQuery(scope, ids, at)
	if err != nil {
		return nil, err
	}
	s := newScanner(scope)
	now := d.now()
	shown := make(map[memory.ID]memory.Memory, len(ids))
	err = d.each(ctx, "find memories", s, query, args, func() (bool, error) {
		v, err := s.version()
		if err == nil && !s.expired(now) && shows(at, &v) {
			shown[v.ID] = v.Memory
		}
		return true, err
	})
	if err != nil {
		return nil, err
	}
	var found []memory.Memory
	for _, id := range ids {
		if m, ok := shown[id]; ok {
			found = append(found, m)
		}
	}
	return found, nil
}

// shows reports whether the view shows the version.
func shows(at memory.View, v *memory.Version) bool {
	if at.KnownAt != nil && !v.KnownAt(*at.KnownAt) {
		return false
	}
	at.Then(v)
	return at.AsOf == nil || v.TrueAt(*at.AsOf)
}

// viewQuery selects the versions of memories that the view could show.
func viewQuery(scope memory.Scope, ids []memory.ID, at memory.View) (string, []any, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return "", nil, fmt.Errorf("list %d ids: %w", len(ids), err)
	}
	const among = `IN (SELECT value FROM json_each(?))`
	const current = `SELECT ` + currentVersion + ` FROM memories m WHERE m.tenant = ? AND m.project = ? AND m.id ` + among
	args := []any{scope.Tenant, scope.Project, string(list)}
	if at.KnownAt == nil {
		return current, args, nil
	}
	known := micros(*at.KnownAt)
	const either = current + ` AND m.updated_at <= ? UNION ALL SELECT ` + supersededVersion + ` FROM memory_versions m
		WHERE m.tenant = ? AND m.project = ? AND m.memory_id ` + among + ` AND m.updated_at <= ? AND m.recorded_to > ?`
	return either, append(args, known, scope.Tenant, scope.Project, string(list), known, known), nil
}

// List pages through the memories that match, newest id first.
func (d *DB) List(ctx context.Context, scope memory.Scope, q memory.Query) (memory.Page, error) {
	if q.Limit < 1 || q.Limit > 1000 {
		return memory.Page{}, fault.BadField("query.limit", "must lie in 1..1000")
	}
	now := d.now()
	query, args := listQuery(scope, &q, now)
	s := newScanner(scope)
	var page memory.Page
	bytes := 0
	err := d.each(ctx, "list memories", s, query, args, func() (bool, error) {
		v, err := s.version()
		if err != nil || s.expired(now) || !shows(q.View, &v) || !q.Match(&v.Memory) {
			return true, err
		}
		if n := len(page.Memories); n == q.Limit || bytes >= memory.PageBytes { // one more than fits: this page is not the last
			page.Next = page.Memories[n-1].ID
			return false, nil
		}
		page.Memories = append(page.Memories, v.Memory)
		bytes += len(v.Content)
		return true, nil
	})
	if err != nil {
		return memory.Page{}, err
	}
	return page, nil
}

// listQuery selects, newest id first, every version that may pass the query's filter and view; whoever reads it still
// asks Filter.Match, which alone says what a filter means. There is no LIMIT: reading stops when enough have passed.
func listQuery(scope memory.Scope, q *memory.Query, now time.Time) (string, []any) {
	where, whereArgs := filterSQL(q, now)
	var text strings.Builder
	if q.KnownAt != nil { // tags are indexed for current versions only
		known := micros(*q.KnownAt)
		text.WriteString(`SELECT ` + currentVersion + ` FROM memories m WHERE m.tenant = ? AND m.project = ? AND m.updated_at <= ?`)
		args := []any{scope.Tenant, scope.Project, known}
		text.WriteString(where)
		args = append(args, whereArgs...)
		if q.After != "" {
			text.WriteString(` AND m.id < ?`)
			args = append(args, string(q.After))
		}
		text.WriteString(` UNION ALL SELECT ` + supersededVersion + ` FROM memory_versions m WHERE m.tenant = ? AND m.project = ?
			AND m.updated_at <= ? AND m.recorded_to > ?`)
		args = append(args, scope.Tenant, scope.Project, known, known)
		text.WriteString(where)
		args = append(args, whereArgs...)
		if q.After != "" {
			text.WriteString(` AND m.memory_id < ?`)
			args = append(args, string(q.After))
		}
		text.WriteString(` ORDER BY id DESC`)
		return text.String(), args
	}
	text.WriteString(`SELECT ` + currentVersion)
	order, args := `m.id`, []any(nil)
	if len(q.Tags) > 0 {
		order = `t.memory_id`
		text.WriteString(` FROM memory_tags t CROSS JOIN memories m ON m.tenant = t.tenant AND m.project = t.project
			AND m.id = t.memory_id WHERE t.tenant = ? AND t.project = ? AND t.tag = ?`)
		args = append(args, scope.Tenant, scope.Project, q.Tags[0])
	} else {
		text.WriteString(` FROM memories m WHERE m.tenant = ? AND m.project = ?`)
		args = append(args, scope.Tenant, scope.Project)
	}
	text.WriteString(where)
	args = append(args, whereArgs...)
	if q.After != "" {
		text.WriteString(` AND ` + order + ` < ?`)
		args = append(args, string(q.After))
	}
	text.WriteString(` ORDER BY ` + order + ` DESC`)
	return text.String(), args
}

// filterSQL is the part of a filter and a view that SQL can decide: conditions on m, each with its AND. A condition may
// let too much pass (a microsecond, other cases of metadata), but never too little.
func filterSQL(q *memory.Query, now time.Time) (string, []any) {
	var text strings.Builder
	var args []any
	and := func(condition string, values ...any) {
		text.WriteString(" AND " + condition)
		args = append(args, values...)
	}
	if q.KnownAt == nil {
		and("(m.expires_at IS NULL OR m.expires_at > ?)", micros(now))
		switch q.Archived {
		case memory.WithoutArchived:
			and("m.archived_at IS NULL")
		case memory.OnlyArchived:
			and("m.archived_at IS NOT NULL")
		}
	}
	if len(q.Layers) > 0 && len(q.Layers) <= len(memory.Layers()) {
		layers := make([]any, len(q.Layers))
		for i, layer := range q.Layers {
			layers[i] = string(layer)
		}
		and("m.layer IN (?"+strings.Repeat(", ?", len(layers)-1)+")", layers...)
	}
	if q.UserID != "" {
		and("m.user_id = ? AND m.user_id <> ''", q.UserID) // the second half admits the partial index
	}
	if q.AgentID != "" {
		and("m.agent_id = ?", q.AgentID)
	}
	if q.SessionID != "" {
		and("m.session_id = ? AND m.session_id <> ''", q.SessionID)
	}
	if q.MinImportance != 0 {
		and("m.importance >= ?", q.MinImportance)
	}
	if q.Since != nil {
		and("coalesce(m.occurred_at, m.created_at) >= ?", micros(*q.Since))
	}
	if q.Until != nil {
		and("coalesce(m.occurred_at, m.created_at) <= ?", micros(*q.Until))
	}
	if q.AsOf != nil {
		and("(m.valid_from IS NULL OR m.valid_from <= ?) AND (m.valid_to IS NULL OR m.valid_to >= ?)",
			micros(*q.AsOf), micros(*q.AsOf))
	}
	return text.String(), args
}

// History returns every version, newest first.
func (d *DB) History(ctx context.Context, scope memory.Scope, id memory.ID) ([]memory.Version, error) {
	const query = `SELECT ` + currentVersion + ` FROM memories m WHERE m.tenant = ? AND m.project = ? AND m.id = ?
		UNION ALL SELECT ` + supersededVersion + ` FROM memory_versions m
		WHERE m.tenant = ? AND m.project = ? AND m.memory_id = ? ORDER BY version DESC`
	args := []any{scope.Tenant, scope.Project, string(id), scope.Tenant, scope.Project, string(id)}
	s := newScanner(scope)
	var history []memory.Version
	now := d.now()
	err := d.each(ctx, "read a history", s, query, args, func() (bool, error) {
		if s.expired(now) {
			return false, nil
		}
		v, err := s.version()
		history = append(history, v)
		return true, err
	})
	if err != nil {
		return nil, err
	}
	if len(history) == 0 {
		return nil, notFound()
	}
	return history, nil
}

// Head returns the number of the scope's last change.
func (d *DB) Head(ctx context.Context, scope memory.Scope) (memory.Seq, error) {
	db, err := d.read(ctx)
	if err != nil {
		return 0, err
	}
	var head memory.Seq
	err = db.QueryRowContext(ctx, `SELECT head FROM scopes WHERE tenant = ? AND project = ?`, scope.Tenant, scope.Project).Scan(&head)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, classify(ctx, fmt.Errorf("read the head of %s: %w", scope, err))
	}
	return head, nil
}

// changesQuery merges the places a change can be: current versions, superseded ones, news of deletions, and, for a reader
// of a feed that has been erased since, the news of that.
const changesQuery = `SELECT ` + currentVersion + `, 0 AS gone, v.vector FROM memories m
	LEFT JOIN memory_vectors v ON v.tenant = m.tenant AND v.project = m.project AND v.memory_id = m.id AND v.model = ?1
	WHERE m.tenant = ?2 AND m.project = ?3 AND m.seq > ?4
	UNION ALL
	SELECT ` + supersededVersion + `, 0, NULL FROM memory_versions m
	WHERE m.tenant = ?2 AND m.project = ?3 AND m.seq > ?4
	UNION ALL
	SELECT m.memory_id, NULL, NULL, 0, m.seq, ` + noVersion + `, 1, NULL
	FROM tombstones m WHERE m.tenant = ?2 AND m.project = ?3 AND m.seq > ?4
	UNION ALL
	SELECT '', NULL, NULL, 0, m.floor, ` + noVersion + `, 2, NULL
	FROM scopes m WHERE m.tenant = ?2 AND m.project = ?3 AND m.floor > ?4 AND ?4 > 0
	ORDER BY seq LIMIT ?5`

// noVersion stands for the columns of a version from layer on.
const noVersion = `'', '', '', '', '', 0, NULL, NULL, NULL, NULL, 0, 0, '', '', '', '', '', ''` + notArchived

// Changes returns what changed after the number. An expired memory that has not been swept yet is told as gone.
func (d *DB) Changes(ctx context.Context, scope memory.Scope, model string, after memory.Seq, limit int) ([]memory.Change, error) {
	if limit < 1 {
		return nil, fault.BadField("query.limit", "must be positive")
	}
	var gone int            // 0: a version, 1: news of a deletion, 2: news of an erasure
	var vector sql.RawBytes // not copied: it is decoded before the next row
	s := newScanner(scope, &gone, &vector)
	args := []any{model, scope.Tenant, scope.Project, after, limit}
	var changes []memory.Change
	now := d.now()
	err := d.each(ctx, "follow the feed", s, changesQuery, args, func() (bool, error) {
		c := memory.Change{Seq: memory.Seq(s.seq)}
		switch {
		case gone == 2:
			c.Reset = true
		case gone == 1, s.expired(now):
			c.Gone, c.Version.ID = true, memory.ID(s.id)
		default:
			v, err := s.version()
			if err != nil {
				return false, err
			}
			c.Version, c.Vector = v, decodeVector(vector)
		}
		changes = append(changes, c)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return changes, nil
}
