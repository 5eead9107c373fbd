package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

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
	var wanted []string
	for _, id := range ids {
		if isUUID(id) {
			wanted = append(wanted, string(id))
		}
	}
	if len(wanted) == 0 {
		return nil, ctx.Err()
	}
	shown := make(map[memory.ID]memory.Memory, len(ids))
	query, args := viewQuery(scope, at)
	err := d.conclude(ctx, scope, func(s *session) error {
		s.askVersions(scope, query, append(args, wanted), func(v *memory.Version) (bool, error) {
			if shows(at, v) {
				shown[v.ID] = v.Memory
			}
			return true, nil
		})
		return nil
	})
	if err != nil {
		return nil, d.failed(ctx, "find memories", err)
	}
	found := make([]memory.Memory, 0, len(shown))
	for _, id := range ids {
		if m, ok := shown[id]; ok {
			found = append(found, m)
		}
	}
	return found, nil
}

// versions asks for versions and hands each that has not expired to visit, until it reports false.
func (s *session) versions(scope memory.Scope, query string, args []any, visit func(*memory.Version) (bool, error)) error {
	s.askVersions(scope, query, args, visit)
	return s.flush()
}

// askVersions is versions, kept back.
func (s *session) askVersions(scope memory.Scope, query string, args []any, visit func(*memory.Version) (bool, error)) {
	reader := newScanner(scope)
	more := true
	s.ask(query, args, func(rows pgx.Rows) error {
		if !more {
			return nil
		}
		if err := reader.scan(rows); err != nil {
			return err
		}
		v, err := reader.version()
		if err != nil {
			return err
		}
		more, err = visit(&v)
		return err
	})
}

// shows reports whether the view shows the version.
func shows(at memory.View, v *memory.Version) bool {
	if at.KnownAt != nil && !v.KnownAt(*at.KnownAt) {
		return false
	}
	at.Then(v)
	return at.AsOf == nil || v.TrueAt(*at.AsOf)
}

// viewQuery selects the versions of some memories, the last argument, that the view could show.
func viewQuery(scope memory.Scope, at memory.View) (string, []any) {
	const living = ` AND (m.expires_at IS NULL OR m.expires_at > rae_now())`
	args := []any{scope.Tenant, scope.Project}
	if at.KnownAt == nil {
		return `SELECT ` + currentVersion + ` FROM ` + currentAmong("id", "$3::uuid[]") + ` m WHERE true` + living, args
	}
	either := `SELECT ` + currentVersion + ` FROM ` + currentAmong("id", "$4::uuid[]") + ` m WHERE m.updated_at <= $3` + living + `
		UNION ALL SELECT * FROM (SELECT ` + supersededVersion + ` FROM ` + superseded("memory_id", " = ANY($4::uuid[])") + ` m
		WHERE m.updated_at <= $3 AND m.recorded_to > $3) m
		WHERE m.gone_at IS NULL OR m.gone_at > rae_now()`
	return either, append(args, *at.KnownAt)
}

// listPage is how many rows a list reads at a time while it looks for those that match.
const listPage = 500

// List pages through the memories that match, newest id first.
func (d *DB) List(ctx context.Context, scope memory.Scope, q memory.Query) (memory.Page, error) {
	if q.Limit < 1 || q.Limit > 1000 {
		return memory.Page{}, fault.BadField("query.limit", "must lie in 1..1000")
	}
	if q.After != "" && !isUUID(q.After) {
		return memory.Page{}, fault.BadField("query.cursor", "names no memory")
	}
	var page memory.Page
	err := d.view(ctx, scope, func(s *session) error {
		page = memory.Page{}
		bytes := 0
		return s.list(scope, q, min(q.Limit+1, listPage), func(v *memory.Version) (bool, error) {
			if n := len(page.Memories); n == q.Limit || bytes >= memory.PageBytes { // one more than fits: this page is not the last
				page.Next = page.Memories[n-1].ID
				return false, nil
			}
			page.Memories = append(page.Memories, v.Memory)
			bytes += len(v.Content)
			return true, nil
		})
	})
	if err != nil {
		return memory.Page{}, d.failed(ctx, "list memories", err)
	}
	return page, nil
}

// list hands every version that passes the query's filter and view to visit, newest id first, until it reports false. It
// reads so many rows at a time: SQL lets a little too much pass, and Filter.Match alone says what a filter means.
func (s *session) list(scope memory.Scope, q memory.Query, atATime int, visit func(*memory.Version) (bool, error)) error {
	for {
		query, args := listQuery(scope, &q)
		read, bytes, more, full := 0, 0, true, false
		err := s.versions(scope, query, append(args, atATime), func(v *memory.Version) (bool, error) {
			read++
			q.After = v.ID
			if !shows(q.View, v) || !q.Match(&v.Memory) {
				return true, nil
			}
			bytes += len(v.Content)
			var err error
			more, err = visit(v)
			return more, err
		})
		full = read == atATime
		if err != nil || !more || !full {
			return err
		}
		atATime = min(2*atATime, listPage)
	}
}

// listQuery selects, newest id first, every version that may pass the query's filter and view. The last argument, still
// to be given, limits it.
func listQuery(scope memory.Scope, q *memory.Query) (string, []any) {
	c := conditions{args: []any{scope.Tenant, scope.Project}}
	c.view(q.View)
	c.filter(&q.Filter)
	current, superseded := c, c
	if q.After != "" {
		after := c.arg(string(q.After))
		current, superseded = c, c
		current.text += ` AND m.id < ` + after + `::uuid`
		superseded.text += ` AND m.memory_id < ` + after + `::uuid`
	}
	limit := fmt.Sprintf(` ORDER BY 1 DESC LIMIT $%d`, len(c.args)+1)
	const living = ` AND (m.expires_at IS NULL OR m.expires_at > rae_now())`
	query := `SELECT ` + currentVersion + ` FROM memories m WHERE m.tenant = $1 AND m.project = $2` + living + current.text
	if q.KnownAt == nil {
		query += archived(q.Archived, "")
		return query + fmt.Sprintf(` ORDER BY m.id DESC LIMIT $%d`, len(c.args)+1), c.args
	}
	known := c.known
	query += ` AND m.updated_at <= ` + known + ` UNION ALL SELECT * FROM (SELECT ` + supersededVersion + ` FROM memory_versions m
		WHERE m.tenant = $1 AND m.project = $2 AND m.updated_at <= ` + known + ` AND m.recorded_to > ` + known + superseded.text + `) m
		WHERE m.gone_at IS NULL OR m.gone_at > rae_now()`
	return query + limit, c.args
}

// conditions are the part of a filter and a view that SQL decides, each with its AND, on a version m. They may let too
// much pass (of metadata only a trace is looked for), but never too little.
type conditions struct {
	text  string
	args  []any
	known string // the parameter that holds View.KnownAt
}

// arg adds a parameter and names it.
func (c *conditions) arg(value any) string {
	c.args = append(c.args, value)
	return fmt.Sprintf("$%d", len(c.args))
}

func (c *conditions) and(format string, values ...any) {
	names := make([]any, len(values))
	for i, v := range values {
		names[i] = c.arg(v)
	}
	c.text += " AND " + fmt.Sprintf(format, names...)
}

func (c *conditions) view(at memory.View) {
	if at.KnownAt != nil {
		c.known = c.arg(*at.KnownAt)
	}
	if at.AsOf != nil {
		now := c.arg(*at.AsOf)
		c.text += ` AND (m.valid_from IS NULL OR m.valid_from <= ` + now + `) AND (m.valid_to IS NULL OR m.valid_to > ` + now + `)`
	}
}

func (c *conditions) filter(f *memory.Filter) {
	if len(f.Layers) > 0 {
		layers := make([]string, len(f.Layers))
		for i, layer := range f.Layers {
			layers[i] = string(layer)
		}
		c.and("m.layer = ANY(%s)", layers)
	}
	if len(f.Tags) > 0 {
		c.and("m.tags @> %s::text[]", f.Tags)
	}
	if f.UserID != "" {
		c.and("m.user_id = %s AND m.user_id <> ''", f.UserID) // the second half admits the partial index
	}
	if f.AgentID != "" {
		c.and("m.agent_id = %s", f.AgentID)
	}
	if f.SessionID != "" {
		c.and("m.session_id = %s AND m.session_id <> ''", f.SessionID)
	}
	if f.MinImportance != 0 {
		c.and("m.importance >= %s", f.MinImportance)
	}
	if f.Since != nil {
		c.and("m.filed_at >= %s", bound(*f.Since))
	}
	if f.Until != nil {
		c.and("m.filed_at < %s", bound(*f.Until))
	}
	for key, value := range f.Metadata {
		c.and("strpos(m.body, %s) > 0", trace(key, value))
	}
}

// bound is a time that stored times, whole microseconds, are held against from above: the first one not before it.
func bound(t time.Time) time.Time { return time.UnixMicro(t.Add(time.Microsecond - 1).UnixMicro()) }

// trace is a text that the body of every memory holds whose metadata has the value under the key: see EncodeBody. A
// string is written in one way alone, other values in several.
func trace(key string, value any) string {
	name, _ := json.Marshal(key)
	said, isText := value.(string)
	if !isText {
		return string(name) + ":"
	}
	quoted, _ := json.Marshal(said)
	return string(name) + ":" + string(quoted)
}

// History returns every version, newest first.
func (d *DB) History(ctx context.Context, scope memory.Scope, id memory.ID) ([]memory.Version, error) {
	if !isUUID(id) {
		return nil, notFound()
	}
	const query = `SELECT * FROM (SELECT ` + currentVersion + ` FROM memories m WHERE m.tenant = $1 AND m.project = $2 AND m.id = $3
		UNION ALL SELECT ` + supersededVersion + ` FROM memory_versions m
		WHERE m.tenant = $1 AND m.project = $2 AND m.memory_id = $3) m
		WHERE gone_at IS NULL OR gone_at > rae_now() ORDER BY version DESC`
	var history []memory.Version
	err := d.view(ctx, scope, func(s *session) error {
		history = nil
		return s.versions(scope, query, []any{scope.Tenant, scope.Project, string(id)}, func(v *memory.Version) (bool, error) {
			history = append(history, *v)
			return true, nil
		})
	})
	if err != nil {
		return nil, d.failed(ctx, "read a history", err)
	}
	if len(history) == 0 {
		return nil, notFound()
	}
	return history, nil
}

// Head returns the number of the scope's last change.
func (d *DB) Head(ctx context.Context, scope memory.Scope) (memory.Seq, error) {
	var head memory.Seq
	err := d.view(ctx, scope, func(s *session) error {
		head = 0
		s.ask(`SELECT head FROM scopes WHERE tenant = $1 AND project = $2`, []any{scope.Tenant, scope.Project},
			func(rows pgx.Rows) error { return rows.Scan(&head) })
		return nil
	})
	return head, d.failed(ctx, "read the head of "+scope.String(), err)
}

// changesQuery merges the places a change can be: current versions, superseded ones, news of deletions, and, for a reader
// of a feed that has been erased since, the news of that. gone is 0 for a version, 1 for news of a deletion and 2 for
// news of an erasure.
var changesQuery = `SELECT * FROM (
	(SELECT ` + currentVersion + `, 0 AS gone, (SELECT v.vector::real[] FROM memory_vectors v WHERE v.tenant = m.tenant
		AND v.project = m.project AND v.memory_id = m.id AND v.model = $3) AS vector
	FROM memories m WHERE m.tenant = $1 AND m.project = $2 AND m.seq > $4 ORDER BY m.seq LIMIT $5)
	UNION ALL
	(SELECT ` + supersededVersion + `, 0, NULL FROM memory_versions m
	WHERE m.tenant = $1 AND m.project = $2 AND m.seq > $4 ORDER BY m.seq LIMIT $5)
	UNION ALL
	(SELECT m.memory_id::text, NULL, NULL, 0, m.seq, ` + noVersion + `, 1, NULL
	FROM tombstones m WHERE m.tenant = $1 AND m.project = $2 AND m.seq > $4 ORDER BY m.seq LIMIT $5)
	UNION ALL
	SELECT '', NULL, NULL, 0, m.floor, ` + noVersion + `, 2, NULL
	FROM scopes m WHERE m.tenant = $1 AND m.project = $2 AND m.floor > $4 AND $4 > 0
	) m ORDER BY seq LIMIT $5`

// noVersion stands for the columns of a version from layer on.
var noVersion = `'', '', '', '', '', 0, ` + strings.Repeat(`NULL::timestamptz, `, 4) +
	strings.Repeat(`'epoch'::timestamptz, `, 2) + `'', '', '', '', '', ''` + notArchived

// Changes returns what changed after the number. An expired memory that has not been swept yet is told as gone.
func (d *DB) Changes(ctx context.Context, scope memory.Scope, model string, after memory.Seq, limit int) ([]memory.Change, error) {
	if limit < 1 {
		return nil, fault.BadField("query.limit", "must be positive")
	}
	var changes []memory.Change
	err := d.view(ctx, scope, func(s *session) error {
		changes = nil
		var now time.Time
		s.ask(`SELECT rae_now()`, nil, func(rows pgx.Rows) error { return rows.Scan(&now) })
		reader := newScanner(scope)
		return s.rows(changesQuery, []any{scope.Tenant, scope.Project, model, after, limit}, func(rows pgx.Rows) error {
			var gone int
			var vector []float32
			if err := reader.scan(rows, &gone, &vector); err != nil {
				return err
			}
			c := memory.Change{Seq: reader.seq}
			switch {
			case gone == 2:
				c.Reset = true
			case gone == 1, reader.expired(now):
				c.Gone, c.Version.ID = true, memory.ID(reader.id)
			default:
				v, err := reader.version()
				if err != nil {
					return err
				}
				c.Version, c.Vector = v, vector
			}
			changes = append(changes, c)
			return nil
		})
	})
	if err != nil {
		return nil, d.failed(ctx, "follow the feed", err)
	}
	return changes, nil
}
