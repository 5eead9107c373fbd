package postgres

import (
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// placed is what a leg reads of a version it returns, beside its score; see placedColumns.
type placed struct {
	id, session, speaker string
	filed                time.Time
}

// placedColumns is what a query selects for placed.into.
const placedColumns = `m.id::text AS id, m.session_id, m.speaker, m.filed_at`

func (p *placed) into() []any { return []any{&p.id, &p.session, &p.speaker, &p.filed} }

func (p *placed) hit(score float64) search.Hit {
	return search.Hit{ID: memory.ID(p.id), Score: score, Place: search.Place{Session: p.session, Speaker: p.speaker}}
}

// seating finds the turns of hits: the places of their memories in their sessions as they are now.
type seating struct {
	turns map[string][]byte // by session, the ids of what stands in it, in order, each idSize bytes
}

const idSize = 16

// placedRows asks what query selects: the columns named first, into which the row is scanned, and placedColumns. Which
// row comes first is the caller's to say again: the turns of a session are read with the row that names it first.
func (in *session) placedRows(s *sight, first, query string, into func() []any, visit func(*placed) error) (seating, error) {
	until := ` AND t.filed_at <= a.last`
	if s.past {
		until = `` // today it may be filed under a later time than then
	}
	query = `SELECT ` + first + `, a.id, a.session_id, a.speaker, a.filed_at, CASE WHEN a.nth = 1 AND a.session_id <> '' THEN
			(SELECT string_agg(uuid_send(t.id), '' ORDER BY t.filed_at, t.id) FROM memories t WHERE t.tenant = $1 AND t.project = $2
				AND t.session_id = a.session_id AND t.session_id <> ''` + until + `) END
		FROM (SELECT q.*, max(q.filed_at) OVER w AS last, row_number() OVER w AS nth FROM (` + query + `) q WINDOW w AS (PARTITION BY q.session_id)) a`
	seats := seating{turns: map[string][]byte{}}
	err := in.rows(query, s.args, func(rows pgx.Rows) error {
		var p placed
		var turns []byte
		if err := rows.Scan(append(append(into(), p.into()...), &turns)...); err != nil {
			return err
		}
		if turns != nil {
			seats.turns[p.session] = turns
		}
		return visit(&p)
	})
	return seats, err
}

// seat gives hits that were read with the seating their turns.
func (s seating) seat(hits []search.Hit) {
	wanted := map[string]map[[idSize]byte]*search.Hit{}
	for i := range hits {
		hit := &hits[i]
		var id pgtype.UUID
		if hit.Place.Session == "" || id.Scan(string(hit.ID)) != nil {
			continue
		}
		if wanted[hit.Place.Session] == nil {
			wanted[hit.Place.Session] = map[[idSize]byte]*search.Hit{}
		}
		wanted[hit.Place.Session][id.Bytes] = hit
	}
	for session, of := range wanted {
		for turn, turns := 0, s.turns[session]; len(turns) >= idSize; turn, turns = turn+1, turns[idSize:] {
			if hit := of[[idSize]byte(turns)]; hit != nil {
				hit.Place.Turn = turn
			}
		}
	}
}

// hits asks for hits: a score, 0..1, and placedColumns. It returns them best first.
func (in *session) hits(s *sight, query string) (hits []search.Hit, err error) {
	var score float64
	seats, err := in.placedRows(s, "a.score", query, func() []any { return []any{&score} }, func(p *placed) error {
		hits = append(hits, p.hit(score))
		return nil
	})
	seats.seat(hits)
	slices.SortFunc(hits, byScore)
	return hits, err
}
