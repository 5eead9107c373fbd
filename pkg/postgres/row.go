package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
)

// Columns of a version, the same for a current one (memories) and a superseded one (memory_versions); m is either.
const (
	versionColumns = `m.version, m.seq, m.layer, m.user_id, m.agent_id, m.session_id, m.external_id, m.importance,
	m.occurred_at, m.valid_from, m.valid_to, m.expires_at, m.created_at, m.updated_at, m.embedding, m.change, m.actor,
	m.reason, m.body, m.content`
	// What is archived is a memory, not a version of it: only the current one has the mark.
	archivedColumns = `, m.archived_at, m.archived_by`
	notArchived     = `, NULL::timestamptz, ''`
	// unqualified is versionColumns and what only the store knows of a version, as memory_versions is written.
	unqualified = `version, seq, layer, user_id, agent_id, session_id, external_id, importance, occurred_at, valid_from,
	valid_to, expires_at, created_at, updated_at, embedding, change, actor, reason, body, content, document, tags, speaker, words`
)

// What a query selects to be read by a scanner: the id, the end of the version's time, the expiry of the memory it is a
// version of, and the version itself.
const (
	currentVersion    = `m.id::text AS id, NULL::timestamptz AS recorded_to, m.expires_at AS gone_at, ` + versionColumns + archivedColumns
	supersededVersion = `m.memory_id::text AS id, m.recorded_to, (SELECT c.expires_at FROM memories c WHERE c.tenant = m.tenant
		AND c.project = m.project AND c.id = m.memory_id) AS gone_at, ` + versionColumns + notArchived
)

// scanner reads versions of one scope, row after row, into the same variables.
type scanner struct {
	scope memory.Scope

	id                                                                                     string
	recordedTo, goneAt, occurred, validFrom, validTo, expires, archivedAt                  *time.Time
	created, updated                                                                       time.Time
	number                                                                                 int
	seq                                                                                    memory.Seq
	layer, user, agent, session, external, embedding, change, actor, reason, rest, content string
	archivedBy                                                                             string
	importance                                                                             float64
}

// newScanner returns a scanner for queries that select currentVersion or supersededVersion, and then more.
func newScanner(scope memory.Scope) *scanner { return &scanner{scope: scope} }

// scan reads the row under the cursor, and what the query selected besides into more.
func (s *scanner) scan(rows pgx.Rows, more ...any) error {
	return rows.Scan(append([]any{
		&s.id, &s.recordedTo, &s.goneAt, &s.number, &s.seq, &s.layer, &s.user, &s.agent, &s.session, &s.external,
		&s.importance, &s.occurred, &s.validFrom, &s.validTo, &s.expires, &s.created, &s.updated, &s.embedding,
		&s.change, &s.actor, &s.reason, &s.rest, &s.content, &s.archivedAt, &s.archivedBy,
	}, more...)...)
}

// expired reports whether the memory of the row must not be shown at now.
func (s *scanner) expired(now time.Time) bool { return s.goneAt != nil && !s.goneAt.After(now) }

// version builds what the row says.
func (s *scanner) version() (memory.Version, error) {
	v := memory.Version{
		Memory: memory.Memory{
			ID: memory.ID(s.id), TenantID: s.scope.Tenant, ProjectID: s.scope.Project, Content: s.content,
			Layer: memory.Layer(s.layer), Importance: s.importance, ExternalID: s.external, UserID: s.user,
			AgentID: s.agent, SessionID: s.session, OccurredAt: utc(s.occurred), ValidFrom: utc(s.validFrom),
			ValidTo: utc(s.validTo), ExpiresAt: utc(s.expires), Embedding: memory.EmbeddingState(s.embedding),
			Version: s.number, CreatedAt: s.created.UTC(), UpdatedAt: s.updated.UTC(),
			ArchivedAt: utc(s.archivedAt), ArchivedBy: memory.ID(s.archivedBy),
		},
		Change:       memory.Outcome(s.change),
		Why:          memory.Why{Actor: s.actor, Reason: s.reason},
		RecordedFrom: s.updated.UTC(),
		RecordedTo:   utc(s.recordedTo),
	}
	err := v.DecodeBody(s.rest)
	return v, err
}

// utc is the same time told as everywhere else.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	same := t.UTC()
	return &same
}
