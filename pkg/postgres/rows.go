package postgres

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// COPY is not for a role that row-level security confines. Rows are sent as arrays instead, one for each column, of which
// a statement makes rows again.

// row is a version that is to be written.
type row struct {
	memory.Memory
	derived
	seq         memory.Seq
	why         memory.Why
	told        context.Context // of who tells it, nil: of the transaction
	fingerprint [sha256.Size]byte
	vectors     []memory.Vector
	old         *standing // the version it replaces; nil for a new memory
}

// column is one value of each row.
func column[R, T any](rows []R, of func(R) T) []T {
	values := make([]T, len(rows))
	for i, r := range rows {
		values[i] = of(r)
	}
	return values
}

// uuidOf is an id as arrays of them are sent. One that is no UUID becomes NULL.
func uuidOf[T ~string](id T) (u pgtype.UUID) {
	_ = u.Scan(string(id))
	return u
}

// versionRows are what versionArrays gives, from $5 on, as rows again.
const (
	versionRows = ` unnest($5::uuid[], $6::int[], $7::bigint[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
		$13::float8[], $14::timestamptz[], $15::timestamptz[], $16::timestamptz[], $17::timestamptz[], $18::timestamptz[],
		$19::timestamptz[], $20::text[], $21::bytea[], $22::text[], $23::text[], $24::text[], $25::text[], $26::text[])
		r(id, ` + versionNames + `)`
	versionNames = `version, seq, layer, user_id, agent_id, session_id, external_id, importance, occurred_at, valid_from, valid_to,
		expires_at, created_at, updated_at, embedding, fingerprint, tags, speaker, words, body, content`
	versionValues = `r.version, r.seq, r.layer, r.user_id, r.agent_id, r.session_id, r.external_id, r.importance, r.occurred_at,
		r.valid_from, r.valid_to, r.expires_at, r.created_at, r.updated_at, r.embedding, r.fingerprint, r.tags::text[], r.speaker,
		r.words, r.body, r.content`
)

// excluded are versionNames as an INSERT would have written them.
var excluded = `excluded.` + strings.ReplaceAll(strings.Join(strings.Fields(versionNames), " "), ", ", ", excluded.")

func versionArrays(rows []*row) []any {
	return []any{
		column(rows, func(r *row) pgtype.UUID { return uuidOf(r.ID) }),
		column(rows, func(r *row) int32 { return int32(r.Version) }),
		column(rows, func(r *row) int64 { return int64(r.seq) }),
		column(rows, func(r *row) string { return string(r.Layer) }),
		column(rows, func(r *row) string { return r.UserID }),
		column(rows, func(r *row) string { return r.AgentID }),
		column(rows, func(r *row) string { return r.SessionID }),
		column(rows, func(r *row) string { return r.ExternalID }),
		column(rows, func(r *row) float64 { return r.Importance }),
		column(rows, func(r *row) *time.Time { return r.OccurredAt }),
		column(rows, func(r *row) *time.Time { return r.ValidFrom }),
		column(rows, func(r *row) *time.Time { return r.ValidTo }),
		column(rows, func(r *row) *time.Time { return r.ExpiresAt }),
		column(rows, func(r *row) time.Time { return r.CreatedAt }),
		column(rows, func(r *row) time.Time { return r.UpdatedAt }),
		column(rows, func(r *row) string { return string(r.Embedding) }),
		column(rows, func(r *row) []byte { return r.fingerprint[:] }),
		column(rows, func(r *row) string { return textArray(r.Tags) }),
		column(rows, func(r *row) string { return r.speaker }),
		column(rows, func(r *row) string { return r.words }),
		column(rows, func(r *row) string { return r.body }),
		column(rows, func(r *row) string { return r.Content }),
	}
}

// textArray writes an array as PostgreSQL reads one: an array of arrays would have to be of equal ones.
func textArray(texts []string) string {
	if len(texts) == 0 {
		return "{}"
	}
	quoted := column(texts, func(s string) string { return `"` + quote.Replace(s) + `"` })
	return "{" + strings.Join(quoted, ",") + "}"
}

var quote = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// send keeps back the statements that write the rows.
func (p *page) send() {
	if len(p.rows) == 0 {
		return
	}
	var created, replaced []*row
	for _, r := range p.rows {
		if r.old == nil {
			created = append(created, r)
		} else {
			replaced = append(replaced, r)
		}
	}
	for _, rows := range byWhy(created) {
		p.writeNew(rows)
	}
	for _, rows := range byWhy(replaced) {
		p.writeNext(rows)
	}
	p.link(p.rows)
	p.cite(p.rows)
	var vectors []vectorRow
	for _, r := range p.rows {
		vectors = append(vectors, vectorRows(&r.Memory, r.vectors)...)
	}
	p.embed(vectors)
	p.emit(column(p.rows, func(r *row) outbox.Record {
		kind := outbox.MemoryStored
		if r.old != nil {
			kind = outbox.MemoryUpdated
		}
		return p.announcement(kind, &r.Memory, r.told)
	})...)
	p.rows = nil
}

// byWhy parts rows by who changes them and why, which is mostly one.
func byWhy(rows []*row) (parts [][]*row) {
	at := map[memory.Why]int{}
	for _, r := range rows {
		i, ok := at[r.why]
		if !ok {
			i = len(parts)
			at[r.why], parts = i, append(parts, nil)
		}
		parts[i] = append(parts[i], r)
	}
	return parts
}

// writeMemories writes versions as the current ones of their memories. Its $5 and on are versionRows.
const writeMemories = `INSERT INTO memories (tenant, project, id, document, change, actor, reason, ` + versionNames + `)
	SELECT $1, $2, r.id, r.seq, CASE r.version WHEN 1 THEN 'created' ELSE 'updated' END, $3, $4, ` + versionValues + ` FROM` + versionRows

// writeNew writes new memories, told by one and for one reason.
func (p *page) writeNew(rows []*row) {
	why := rows[0].why
	p.exec(writeMemories, append([]any{p.scope.Tenant, p.scope.Project, why.Actor, why.Reason}, versionArrays(rows)...)...)
}

// writeNext writes the next versions of memories, as writeNew does, and keeps the ones before. It goes by the key of each, whatever the
// planner believes: see writeBlocks and pick.go.
func (p *page) writeNext(rows []*row) {
	tenant, project, why, arrays := p.scope.Tenant, p.scope.Project, rows[0].why, versionArrays(rows)
	ids := arrays[0]
	p.exec(`INSERT INTO memory_versions (tenant, project, memory_id, recorded_to, `+unqualified+`)
		SELECT m.tenant, m.project, m.id, r.ends, `+versionColumns+`, m.document, m.tags, m.speaker, m.words
		FROM unnest($3::uuid[], $4::timestamptz[]) r(id, ends) CROSS JOIN LATERAL `+currentAt("id", "r.id")+` m WHERE m.id = r.id`,
		tenant, project, ids, column(rows, func(r *row) time.Time { return r.UpdatedAt }))
	p.exec(writeMemories+` ON CONFLICT (tenant, project, id) DO UPDATE SET (document, change, actor, reason, archived_at, archived_by, `+versionNames+`)
		= ROW(excluded.document, excluded.change, excluded.actor, excluded.reason, NULL, '', `+excluded+`)`,
		append([]any{tenant, project, why.Actor, why.Reason}, arrays...)...)
	p.exec(`DELETE FROM memory_vectors WHERE tenant = $1 AND project = $2 AND memory_id = ANY($3::uuid[])
		AND ($4::boolean[])[array_position($3::uuid[], memory_id)]`,
		tenant, project, ids, column(rows, func(r *row) bool { return r.Content != r.old.Content }))
	p.exec(`UPDATE memory_vectors SET version = ($4::int[])[array_position($3::uuid[], memory_id)]
		WHERE tenant = $1 AND project = $2 AND memory_id = ANY($3::uuid[])`,
		tenant, project, ids, column(rows, func(r *row) int32 { return int32(r.Version) }))
}

// cite writes what versions are derived from, and no longer what the ones before were.
func (t *tx) cite(rows []*row) {
	var before, sources, derived []pgtype.UUID
	for _, r := range rows {
		if r.old != nil && len(r.old.DerivedFrom) > 0 {
			before = append(before, uuidOf(r.old.ID))
		}
		for _, c := range r.DerivedFrom {
			sources, derived = append(sources, uuidOf(c.MemoryID)), append(derived, uuidOf(r.ID))
		}
	}
	if len(before) > 0 {
		t.exec(`DELETE FROM memory_sources WHERE tenant = $1 AND project = $2 AND memory_id = ANY($3::uuid[])`, t.scope.Tenant, t.scope.Project, before)
	}
	if len(sources) > 0 {
		t.exec(`INSERT INTO memory_sources (tenant, project, source_id, memory_id)
			SELECT $1, $2, s.* FROM unnest($3::uuid[], $4::uuid[]) s(source, memory) WHERE s.source IS NOT NULL ON CONFLICT DO NOTHING`,
			t.scope.Tenant, t.scope.Project, sources, derived)
	}
}

const maxDimensions = memory.MaxDimensions // of pgvector's type

// vectorRow is one vector of a version.
type vectorRow struct {
	id      memory.ID
	version int32
	memory.Vector
}

func vectorRows(m *memory.Memory, vectors []memory.Vector) []vectorRow {
	return column(vectors, func(v memory.Vector) vectorRow { return vectorRow{m.ID, int32(m.Version), v} })
}

// embed keeps back the writing of vectors.
func (t *tx) embed(rows []vectorRow) {
	if len(rows) == 0 {
		return
	}
	numbers, after, ends := flatten(column(rows, func(r vectorRow) []float32 { return r.Values }))
	t.exec(`INSERT INTO memory_vectors (tenant, project, memory_id, model, version, vector)
		SELECT $1, $2, r.id, r.model, r.version, ($8::real[])[r.after + 1:r.ends]::vector
		FROM unnest($3::uuid[], $4::text[], $5::int[], $6::int[], $7::int[]) r(id, model, version, after, ends)
		ON CONFLICT (tenant, project, memory_id, model)
		DO UPDATE SET version = excluded.version, vector = excluded.vector, indexed = false`,
		t.scope.Tenant, t.scope.Project,
		column(rows, func(r vectorRow) pgtype.UUID { return uuidOf(r.id) }),
		column(rows, func(r vectorRow) string { return r.Model }),
		column(rows, func(r vectorRow) int32 { return r.version }),
		after, ends, numbers)
}

// flatten puts vectors into one list of numbers, and tells after which of them each begins and with which it ends.
func flatten(vectors [][]float32) (numbers []float32, after, ends []int32) {
	for _, v := range vectors {
		after = append(after, int32(len(numbers)))
		numbers = append(numbers, v...)
		ends = append(ends, int32(len(numbers)))
	}
	return numbers, after, ends
}
