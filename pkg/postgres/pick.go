package postgres

import "github.com/rae-memory/rae/pkg/memory"

// How versions are found by a key when their scope is known, whatever the planner believes of the tables. It believes
// little that is true of a scope: statistics lag behind a bulk load, and what they know is an average over all tenants.
// As soon as it takes a scope for a small one, it reads the whole scope for each key, for any index that begins with the
// scope is then as good to it as the right one. So a key is always asked for in its order: there is one index that has
// it, and steadyPlans leaves no other way to it.

// currentAmong selects the current versions whose column, id or document, is among the keys, an array.
func currentAmong(column, keys string) string {
	return `(SELECT x.* FROM memories x WHERE x.tenant = $1 AND x.project = $2 AND x.` + column + ` = ANY(` + keys + `) ORDER BY x.` + column + `)`
}

// currentAt selects the first current version at or after a key of another row, an expression; column is id or document.
// Whether it is the key's is left to the query around it.
func currentAt(column, key string) string {
	return `(SELECT x.* FROM memories x WHERE x.tenant = $1 AND x.project = $2 AND x.` + column + ` >= ` + key +
		` ORDER BY x.` + column + ` LIMIT 1)`
}

// superseded selects superseded versions by a condition on memory_id or document, in its order.
func superseded(column, condition string) string {
	return `(SELECT x.* FROM memory_versions x WHERE x.tenant = $1 AND x.project = $2 AND x.` + column + condition + ` ORDER BY x.` + column + `)`
}

// Columns of any version that a sight may ask for.
const (
	versionOf         = `document, layer, user_id, agent_id, session_id, importance, filed_at, valid_from, valid_to, updated_at`
	contentsOf        = `tags, speaker, words, body, content`
	currentColumns    = `tenant, project, id, ` + versionOf + `, NULL::timestamptz AS recorded_to, ` + contentsOf + `, archived_at`
	supersededColumns = `tenant, project, memory_id, ` + versionOf + `, recorded_to, ` + contentsOf + `, NULL::timestamptz AS archived_at`
)

// either is current, or also superseded where the sight looks at the past.
func (s *sight) either(current, superseded string) string {
	if !s.past {
		return current
	}
	return `(SELECT ` + currentColumns + ` FROM ` + current + ` c UNION ALL SELECT ` + supersededColumns + ` FROM ` + superseded + ` o)`
}

// byID selects the versions m of the memories with these ids that the sight could show.
func (s *sight) byID(ids []string) string {
	keys := s.arg(ids) + `::uuid[]`
	return s.either(currentAmong("id", keys), superseded("memory_id", ` = ANY(`+keys+`)`)) + ` m` + s.where()
}

// byDocument selects the versions m with these numbers that the sight could show.
func (s *sight) byDocument(documents []memory.Seq) string {
	keys := s.arg(documents) + `::bigint[]`
	return s.either(currentAmong("document", keys), superseded("document", ` = ANY(`+keys+`)`)) + ` m` + s.where()
}

// versionsAt selects the versions of the memory with the id, an expression, that the sight could show, and perhaps one of
// another: the query around it has to compare.
func (s *sight) versionsAt(id string) string {
	return s.either(currentAt("id", id), superseded("memory_id", ` = `+id))
}

// versionAt selects the version with the document, an expression, and perhaps one of another.
func (s *sight) versionAt(document string) string {
	return s.either(currentAt("document", document), superseded("document", ` = `+document))
}
