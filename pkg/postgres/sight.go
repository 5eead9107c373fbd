package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// sight is what a query may see of its scope: the versions m of from that fulfil the conditions.
type sight struct {
	conditions
	scope  memory.Scope
	filter memory.Filter
	past   bool
	from   string
}

// Where a sight looks. Only a view of the past looks at superseded versions; no view shows a memory that has expired.
const (
	nowadays   = `memories m`
	everything = `(SELECT tenant, project, id, document, layer, user_id, agent_id, session_id, importance, filed_at, valid_from,
		valid_to, updated_at, NULL::timestamptz AS recorded_to, tags, speaker, words, body, content FROM memories
		UNION ALL SELECT tenant, project, memory_id, document, layer, user_id, agent_id, session_id, importance, filed_at, valid_from,
		valid_to, updated_at, recorded_to, tags, speaker, words, body, content FROM memory_versions) m`
	stillAlive = ` AND (m.expires_at IS NULL OR m.expires_at > rae_now())`
	aliveToday = ` AND NOT EXISTS (SELECT FROM memories x WHERE x.tenant = $1 AND x.project = $2 AND x.id = m.id AND x.expires_at <= rae_now())`
)

// sightOf makes a query's filter and view ready. Its first two arguments are the scope.
func sightOf(q *search.Query) *sight {
	s := &sight{scope: q.Scope, filter: q.Filter, past: q.View.KnownAt != nil, from: nowadays}
	s.args = []any{q.Scope.Tenant, q.Scope.Project}
	s.view(q.View)
	s.conditions.filter(&q.Filter)
	if s.past {
		s.from = everything
		s.text += ` AND m.updated_at <= ` + s.known + ` AND (m.recorded_to IS NULL OR m.recorded_to > ` + s.known + `)` + aliveToday
	} else {
		s.text += stillAlive
	}
	return s
}

// restricted reports whether the sight leaves out more than what has expired.
func (s *sight) restricted() bool {
	return !s.filter.Empty() || s.past || len(s.args) > 2
}

// where are the conditions of a query on from.
func (s *sight) where() string { return ` WHERE m.tenant = $1 AND m.project = $2` + s.text }

// passes reports what SQL cannot tell: whether metadata equal the filter's. body is a version's.
func (s *sight) passes(body string) (bool, error) {
	if len(s.filter.Metadata) == 0 {
		return true, nil
	}
	if body == "" {
		return false, nil
	}
	var decoded memory.Memory
	if err := decoded.DecodeBody(body); err != nil {
		return false, err
	}
	for key, want := range s.filter.Metadata {
		if got, ok := decoded.Metadata[key]; !ok || !memory.SameJSON(got, want) {
			return false, nil
		}
	}
	return true, nil
}

// settle asks, where the filter names metadata, which versions pass, and sees only these from then on: a query that
// limits what it returns must not leave the last word to Go.
func (s *sight) settle(in *session) error {
	if len(s.filter.Metadata) == 0 {
		return nil
	}
	documents := []memory.Seq{}
	err := in.rows(`SELECT m.document, m.body FROM `+s.from+s.where(), s.args, func(rows pgx.Rows) error {
		var document memory.Seq
		var body string
		if err := rows.Scan(&document, &body); err != nil {
			return err
		}
		passes, err := s.passes(body)
		if passes {
			documents = append(documents, document)
		}
		return err
	})
	s.and("m.document = ANY(%s::bigint[])", documents)
	return err
}

// placed is what a leg reads of a version it returns, beside its score; see placedColumns.
type placed struct {
	id, session, speaker string
	filed                time.Time
}

// What a query selects for placed.into. Where m may be missing, the id is ” then.
const (
	placedColumns = `m.id::text AS id, m.session_id, m.speaker, m.filed_at`
	placedIfSeen  = `coalesce(m.id::text, ''), coalesce(m.session_id, ''), coalesce(m.speaker, ''), coalesce(m.filed_at, 'epoch')`
)

func (p *placed) into() []any { return []any{&p.id, &p.session, &p.speaker, &p.filed} }

func (p *placed) hit(score float64) search.Hit {
	return search.Hit{ID: memory.ID(p.id), Score: score, Place: search.Place{Session: p.session, Speaker: p.speaker}}
}

// hits asks for hits, best first: a score, 0..1, and placedColumns. It tells how many rows there were, those without an
// id included, and keeps the question for the turns of the hits back.
func (in *session) hits(s *sight, query string) (hits []search.Hit, read int, err error) {
	last := latest{}
	err = in.rows(query, s.args, func(rows pgx.Rows) error {
		var p placed
		var score float64
		if err := rows.Scan(append([]any{&score}, p.into()...)...); err != nil {
			return err
		}
		read++
		if p.id != "" {
			last.note(&p)
			hits = append(hits, p.hit(score))
		}
		return nil
	})
	if err == nil {
		in.seats(s, hits, last)
	}
	return hits, read, err
}

// latest is, by session, the latest time that a hit in it is filed under.
type latest map[string]time.Time

func (l latest) note(p *placed) {
	if p.session != "" && l[p.session].Before(p.filed) {
		l[p.session] = p.filed
	}
}

// seats keeps back a question for the turns of hits: the places of their memories in their sessions as they are now.
func (in *session) seats(s *sight, hits []search.Hit, last latest) {
	if len(last) == 0 {
		return
	}
	var sessions, ids []string
	var until []any
	at := make(map[string]int, len(hits))
	for session, end := range last {
		sessions = append(sessions, session)
		if s.past {
			end = endOfTime // today it may be filed under a later time than then
		}
		until = append(until, end)
	}
	for i, hit := range hits {
		if hit.Place.Session != "" {
			at[string(hit.ID)] = i
			ids = append(ids, string(hit.ID))
		}
	}
	in.ask(`WITH seats AS MATERIALIZED ( -- or the ids wanted are gone through again for every session
			SELECT t.id, t.turn, h.session FROM unnest($3::text[], $4::timestamptz[]) h(session, until) CROSS JOIN LATERAL (
				SELECT m.id, row_number() OVER (ORDER BY m.filed_at, m.id) - 1 AS turn FROM memories m WHERE m.tenant = $1
				AND m.project = $2 AND m.session_id = h.session AND m.session_id <> '' AND m.filed_at <= h.until) t)
		SELECT s.id::text, s.turn, s.session FROM seats s JOIN unnest($5::uuid[]) wanted(id) ON wanted.id = s.id`,
		[]any{s.scope.Tenant, s.scope.Project, sessions, until, ids}, func(rows pgx.Rows) error {
			var id, session string
			var turn int
			if err := rows.Scan(&id, &turn, &session); err != nil {
				return err
			}
			if hit := &hits[at[id]]; hit.Place.Session == session {
				hit.Place.Turn = turn
			}
			return nil
		})
}

// endOfTime is later than any time a memory can have.
var endOfTime = time.Date(200_000, 1, 1, 0, 0, 0, 0, time.UTC)
