package sqlite

import (
	"database/sql"
	"encoding/binary"
	"math"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
)

// versionColumns are the columns of a version, the same for a current one (memories) and a superseded one
// (memory_versions); m is either.
const versionColumns = `m.version, m.seq, m.layer, m.user_id, m.agent_id, m.session_id, m.external_id, m.importance,
	m.occurred_at, m.valid_from, m.valid_to, m.expires_at, m.created_at, m.updated_at, m.embedding, m.change, m.actor,
	m.reason, m.body, m.content`

// What is archived is a memory, not a version of it: only the current one has the mark.
const (
	archivedColumns = `, m.archived_at, m.archived_by`
	notArchived     = `, NULL, ''`
)

// What a query selects to be read by a scanner: the id, the end of the version's time, the expiry of the memory it is a
// version of, and the version itself.
const (
	currentVersion    = `m.id, NULL AS recorded_to, m.expires_at AS gone_at, ` + versionColumns + archivedColumns
	supersededVersion = `m.memory_id AS id, m.recorded_to, (SELECT c.expires_at FROM memories c WHERE c.tenant = m.tenant
		AND c.project = m.project AND c.id = m.memory_id) AS gone_at, ` + versionColumns + notArchived
)

// scanner reads versions of one scope, row after row, into the same variables.
type scanner struct {
	scope        memory.Scope
	destinations []any

	id                                                                                     string
	recordedTo, goneAt, occurred, validFrom, validTo, expires, archivedAt                  sql.NullInt64
	number, seq, created, updated                                                          int64
	layer, user, agent, session, external, embedding, change, actor, reason, rest, content string
	archivedBy                                                                             string
	importance                                                                             float64
}

// newScanner returns a scanner for queries that select currentVersion or supersededVersion, and then more.
func newScanner(scope memory.Scope, more ...any) *scanner {
	s := &scanner{scope: scope}
	s.destinations = append([]any{
		&s.id, &s.recordedTo, &s.goneAt, &s.number, &s.seq, &s.layer, &s.user, &s.agent, &s.session, &s.external,
		&s.importance, &s.occurred, &s.validFrom, &s.validTo, &s.expires, &s.created, &s.updated, &s.embedding,
		&s.change, &s.actor, &s.reason, &s.rest, &s.content, &s.archivedAt, &s.archivedBy,
	}, more...)
	return s
}

// scan reads the row under the cursor.
func (s *scanner) scan(rows *sql.Rows) error { return rows.Scan(s.destinations...) }

// expired reports whether the memory of the row must not be shown at now.
func (s *scanner) expired(now time.Time) bool { return s.goneAt.Valid && s.goneAt.Int64 <= micros(now) }

// version builds what the row says.
func (s *scanner) version() (memory.Version, error) {
	v := memory.Version{
		Memory: memory.Memory{
			ID: memory.ID(s.id), TenantID: s.scope.Tenant, ProjectID: s.scope.Project, Content: s.content,
			Layer: memory.Layer(s.layer), Importance: s.importance, ExternalID: s.external, UserID: s.user,
			AgentID: s.agent, SessionID: s.session, OccurredAt: optional(s.occurred), ValidFrom: optional(s.validFrom),
			ValidTo: optional(s.validTo), ExpiresAt: optional(s.expires), Embedding: memory.EmbeddingState(s.embedding),
			Version: int(s.number), CreatedAt: instant(s.created), UpdatedAt: instant(s.updated),
			ArchivedAt: optional(s.archivedAt), ArchivedBy: memory.ID(s.archivedBy),
		},
		Change:       memory.Outcome(s.change),
		Why:          memory.Why{Actor: s.actor, Reason: s.reason},
		RecordedFrom: instant(s.updated),
		RecordedTo:   optional(s.recordedTo),
	}
	err := v.DecodeBody(s.rest)
	return v, err
}

func optional(us sql.NullInt64) *time.Time {
	if !us.Valid {
		return nil
	}
	t := instant(us.Int64)
	return &t
}

// nullable is optional backwards.
func nullable(t *time.Time) sql.NullInt64 {
	if t == nil {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: micros(*t), Valid: true}
}

// encodeVector renders the values as little-endian float32.
func encodeVector(values []float32) []byte {
	b := make([]byte, 0, 4*len(values))
	for _, x := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// decodeVector is encodeVector backwards; nil for no vector.
func decodeVector(b []byte) []float32 {
	if len(b) == 0 {
		return nil
	}
	values := make([]float32, len(b)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return values
}
