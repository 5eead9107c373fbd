package postgres

// How versions are found by a key when their scope is known: one descent of one index for each key, whatever the planner
// believes of the tables. It believes little that is true of a scope: statistics lag behind a bulk load, and what they
// know is an average over all tenants. Asked for `id = ANY(…)` or to join by id, it reads the whole scope for each of
// them as soon as it takes the scope for a small one, and any index that begins with the scope is as good to it as the
// right one. Asked for the first row at or after the key in the key's order, it has one index that gives the order.

// currentAt selects the first current version at or after a key, an expression; column is id or document. Whether it is
// the key's is left to the query around it.
func currentAt(column, key string) string {
	return `(SELECT x.* FROM memories x WHERE x.tenant = $1 AND x.project = $2 AND x.` + column + ` >= ` + key +
		` ORDER BY x.` + column + ` LIMIT 1)`
}

// supersededOf selects the superseded versions of the memory with the id, an expression.
func supersededOf(id string) string {
	return `(SELECT x.* FROM memory_versions x WHERE x.tenant = $1 AND x.project = $2 AND x.memory_id = ` + id +
		` ORDER BY x.memory_id, x.version)`
}

// Columns of any version that a sight may ask for.
const (
	versionOf         = `document, layer, user_id, agent_id, session_id, importance, filed_at, valid_from, valid_to, updated_at`
	contentsOf        = `tags, speaker, words, body, content`
	currentColumns    = `tenant, project, id, ` + versionOf + `, NULL::timestamptz AS recorded_to, ` + contentsOf
	supersededColumns = `tenant, project, memory_id, ` + versionOf + `, recorded_to, ` + contentsOf
)

// byID selects from the keys w(id) the versions m of these memories that the sight could show.
func (s *sight) byID(keys string) string {
	return keys + ` w(id) CROSS JOIN LATERAL ` + s.versionsAt("w.id") + ` m` + s.where() + ` AND m.id = w.id`
}

// versionsAt selects the versions of the memory with the id, an expression, that the sight could show, and perhaps one of
// another: the query around it has to compare.
func (s *sight) versionsAt(id string) string {
	m := currentAt("id", id)
	if s.past {
		m = `(SELECT ` + currentColumns + ` FROM ` + m + ` c UNION ALL SELECT ` + supersededColumns + ` FROM ` + supersededOf(id) + ` o)`
	}
	return m
}

// versionAt selects the version with the document, an expression, and perhaps one of another.
func (s *sight) versionAt(document string) string {
	m := currentAt("document", document)
	if s.past {
		m = `(SELECT ` + currentColumns + ` FROM ` + m + ` c UNION ALL SELECT ` + supersededColumns + ` FROM (SELECT x.* FROM memory_versions x
			WHERE x.tenant = $1 AND x.project = $2 AND x.document >= ` + document + ` ORDER BY x.document LIMIT 1) o)`
	}
	return m
}

// byDocument selects from the keys w(document) the versions m of these numbers that the sight could show.
func (s *sight) byDocument(keys string) string {
	return keys + ` w(document) CROSS JOIN LATERAL ` + s.versionAt("w.document") + ` m` + s.where() + ` AND m.document = w.document`
}
