package postgres

import (
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
	everything = `(SELECT ` + currentColumns + ` FROM memories UNION ALL SELECT ` + supersededColumns + ` FROM memory_versions) m`
	stillAlive = ` AND (m.expires_at IS NULL OR m.expires_at > rae_now())`
	aliveToday = ` AND coalesce((SELECT CASE WHEN a.id = m.id THEN a.expires_at END FROM ` + aliveAt + ` a) > rae_now(), true)`
	aliveAt    = `(SELECT x.id, x.expires_at FROM memories x WHERE x.tenant = $1 AND x.project = $2 AND x.id >= m.id ORDER BY x.id LIMIT 1)`
)

// sightOf makes a query's filter and view ready. Its first two arguments are the scope.
func sightOf(q *search.Query) *sight {
	s := &sight{scope: q.Scope, filter: q.Filter, past: q.View.KnownAt != nil, from: nowadays}
	s.args = []any{q.Scope.Tenant, q.Scope.Project}
	s.view(q.View)
	s.conditions.filter(&q.Filter)
	if s.past {
		s.from = everything
		s.text += ` AND m.updated_at <= ` + s.known + ` AND (m.recorded_to IS NULL OR m.recorded_to > ` + s.known + `)` + aliveToday +
			archived(q.Filter.Archived, s.known)
	} else {
		s.text += stillAlive + archived(q.Filter.Archived, "")
	}
	return s
}

// archived is what a filter says of archived versions m, those archived by then; "" is now.
func archived(f memory.Archived, then string) string {
	switch {
	case f == memory.WithArchived:
		return ``
	case f == memory.OnlyArchived && then == "":
		return ` AND m.archived_at IS NOT NULL`
	case f == memory.OnlyArchived:
		return ` AND m.archived_at <= ` + then
	case then == "":
		return ` AND m.archived_at IS NULL`
	}
	return ` AND (m.archived_at IS NULL OR m.archived_at > ` + then + `)`
}

// restricted reports whether the sight leaves out more than what has expired or is archived.
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
