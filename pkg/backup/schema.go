package backup

import (
	"slices"

	"github.com/rae-memory/rae/pkg/outbox"
)

// Kind is what a column holds, whatever the store calls it.
type Kind string

const (
	Text   Kind = "text"   // UTF-8; Go string
	UUID   Kind = "uuid"   // in lower case with dashes; Go string
	Int    Kind = "int"    // 64 bits; Go int64
	Seq    Kind = "seq"    // the number of a change in the feed of the row's project; Go int64
	Float  Kind = "float"  // 64 bits; Go float64
	Bool   Kind = "bool"   // Go bool
	Time   Kind = "time"   // microseconds since 1970 in UTC, Beginning and End for the two infinities; Go int64
	Bytes  Kind = "bytes"  // base64 in an archive; Go []byte
	Vector Kind = "vector" // float32s, little-endian, as Bytes; Go []byte
)

// What a column of kind Time holds for a time before or after all others.
const (
	Beginning = -1 << 63
	End       = 1<<63 - 1
)

// Column is one column of a table. Its value is nil only where it is Optional.
type Column struct {
	Name     string
	Kind     Kind
	Optional bool
	// Default is the value in rows of an archive that was written before there was the column, nil for a column that there
	// was from the beginning, and for one that is Optional. Columns that came later stand last.
	Default any
}

// Table is a table that both stores have under this name, each row of which belongs to a tenant. The tenant is no column
// here: rows are told tenant by tenant.
type Table struct {
	Name    string
	Columns []Column
	// Order are the columns by which the rows of a tenant are ordered: the key, or what numbers them in the store.
	Order  []string
	Single bool // a tenant has at most one row
	// Numbered is the column, not told, by which the store numbers rows as they come; they are ordered by it.
	Numbered string
	// Only is a condition that rows fulfil that are told, in SQL, "" where all are.
	Only string
}

// Where is the condition with an AND before it, "" where all rows are told.
func (t *Table) Where() string {
	if t.Only == "" {
		return ""
	}
	return " AND " + t.Only
}

// index returns where the column is, -1 when the table has none of the name.
func (t *Table) index(column string) int {
	for i := range t.Columns {
		if t.Columns[i].Name == column {
			return i
		}
	}
	return -1
}

// tells reports whether rows of the columns are rows of the table, as it is or as it was.
func (t *Table) tells(columns []string) bool {
	if len(columns) > len(t.Columns) || !slices.Equal(columns, names(t.Columns[:len(columns)])) {
		return false
	}
	return !slices.ContainsFunc(t.Columns[len(columns):], func(c Column) bool { return c.Default == nil && !c.Optional })
}

// Scopes is the table that comes first: it says where the numbers of each project's feed begin.
const Scopes = "scopes"

// Tables returns all that is told of a tenant, in this order. What a store computes from it is not told, but computed
// again where it is restored.
func Tables() []*Table {
	return []*Table{
		keyed(Scopes, 1, text("project"), seq("head"), seq("floor")),
		keyed("memories", 2, append([]Column{text("project"), uuid("id")},
			append(versioned(), blob("fingerprint"), text("change"), text("actor"), text("reason"), text("body"), text("content"),
				optional(at("archived_at")), later(text("archived_by"), ""))...)...),
		keyed("memory_versions", 3, versions()...),
		keyed("memory_vectors", 3, text("project"), uuid("memory_id"), text("model"), number("version"), Column{Name: "vector", Kind: Vector}),
		keyed("embedding_models", 1, text("project"), text("active"), text("next"), text("previous"), boolean("chosen")),
		keyed("entity_mentions", 4, text("project"), uuid("memory_id"), text("reader"), uuid("entity_id"), text("name"), text("type"),
			text("aliases"), at("seen_at")),
		keyed("entity_members", 2, text("project"), uuid("entity_id"), uuid("canonical_id"), number("place")),
		keyed("entity_decisions", 2, text("project"), number("number"), uuid("id"), boolean("apart"), text("body")),
		keyed("entity_suggestions", 3, text("project"), uuid("a"), uuid("b"), float("score"), text("reason"), at("suggested_at")),
		keyed("tombstones", 2, text("project"), seq("seq"), uuid("memory_id")),
		numbered("outbox", "position", record()...),
		numbered("dead_letters", "position", record()...),
		keyed("idempotency_keys", 3, text("project"), text("route"), text("key"), text("fingerprint"), blob("answer"), at("answered_at")),
		keyed("consumed_events", 4, text("project"), text("consumer"), text("source"), text("event_id"), at("consumed_at")),
		keyed("budgets", 1, text("project"), optional(number("monthly_limit")), optional(number("daily_limit")),
			optional(number("monthly_tokens")), optional(number("daily_tokens")), float("warning_threshold"), text("on_exhausted"), at("updated_at")),
		keyed("budget_accounts", 1, text("project"), text("day"), number("held_cost"), number("held_tokens")),
		keyed("budget_usage", 2, text("project"), text("period"), number("cost"), number("tokens"), number("told")),
		single("tenant_budgets", optional(number("monthly_limit")), optional(number("daily_limit")),
			optional(number("monthly_tokens")), optional(number("daily_tokens")), float("warning_threshold"), text("on_exhausted"), at("updated_at")),
		single("tenant_accounts", text("day"), number("held_cost"), number("held_tokens"), number("pot_cost"), number("pot_tokens")),
		keyed("tenant_usage", 2, text("period"), boolean("pot"), number("cost"), number("tokens"), number("told")),
		keyed("reservations", 2, text("project"), uuid("id"), text("operation"), text("provider"), text("model"), text("status"),
			number("max_cost"), number("max_tokens"), boolean("price_known"), at("created_at"), at("expires_at"),
			text("idempotency_key"), text("fingerprint"), later(boolean("pot"), false)),
		keyed("cost_logs", 2, text("project"), uuid("reservation_id"), text("operation"), text("provider"), text("model"),
			number("tokens_in"), number("tokens_out"), number("cached_tokens"), number("cost"), boolean("priced"),
			boolean("price_known"), number("overrun"), boolean("late"), text("day"), at("settled_at"),
			later(number("latency_ms"), int64(0)), later(boolean("estimated"), false), later(text("request_id"), ""),
			later(boolean("cache_hit"), false), later(number("calls"), int64(1)), later(number("saved_tokens"), int64(0)),
			later(number("saved"), int64(0))),
		keyed("prices", 1, text("model"), number("input"), number("output"), number("cached_input"), text("source"), text("as_of")),
		keyed("reflections", 2, text("project"), uuid("id"), text("kind"), text("status"), at("created_at"), number("attempts"),
			text("cursor"), number("fence"), at("leased_to"), text("route"), text("key"), text("fingerprint"), text("body")),
		keyed("reflection_gatherings", 1, text("project"), number("count")),
		keyed("forgetting_policies", 1, text("project"), text("body")),
		keyed("memory_use", 2, text("project"), uuid("memory_id"), number("hits"), optional(at("last_used_at")), number("helpful"),
			number("unhelpful"), float("score"), text("body")),
		keyed("reflection_readings", 2, text("project"), uuid("id"), number("version"), text("edition"), text("owner"), optional(uuid("reflection"))),
		keyed("jobs", 2, text("project"), uuid("id"), text("kind"), text("status"), at("due_at"), number("fence"),
			text("arguments"), text("cursor"), text("route"), text("key"), text("fingerprint"), text("body")),
		keyed("blocks", 4, blockVersion()...),
		keyed("block_versions", 5, blockVersion()...),
		keyed("facts", 3, text("project"), uuid("id"), number("version"), text("user_id"), text("kind"), uuid("subject_id"),
			text("subject_name"), text("subject_type"), text("relation"), uuid("object_id"), text("object_name"), text("object_type"),
			boolean("literal"), boolean("negated"), optional(at("valid_from")), optional(at("valid_to")), float("confidence"),
			at("observed_at"), text("method"), text("edition"), optional(uuid("closed_by")), uuid("operation_id"), at("recorded_from"),
			optional(at("recorded_to"))),
		keyed("fact_evidence", 3, text("project"), uuid("fact_id"), uuid("memory_id"), number("memory_version"), number("start_byte"),
			number("end_byte"), at("told_at"), optional(at("valid_from")), optional(at("valid_to")), float("confidence"),
			boolean("closes"), text("method"), text("edition"), uuid("operation_id"), at("recorded_at")),
		keyed("knowledge_operations", 2, text("project"), uuid("id"), uuid("memory_id"), at("at"), boolean("closing"), text("body")),
	}
}

// later is a column that the first archives did not tell.
func later(c Column, was any) Column {
	c.Default = was
	return c
}

// versioned are the columns of a version of a memory between its key and what made it.
func versioned() []Column {
	return []Column{
		number("version"), seq("seq"), text("layer"), text("user_id"), text("agent_id"), text("session_id"),
		text("external_id"), float("importance"), optional(at("occurred_at")), optional(at("valid_from")),
		optional(at("valid_to")), optional(at("expires_at")), at("created_at"), at("updated_at"), text("embedding"),
	}
}

func versions() []Column {
	columns := append([]Column{text("project"), uuid("memory_id")}, versioned()...)
	columns = append(columns, text("change"), text("actor"), text("reason"), at("recorded_to"), text("body"), text("content"))
	return columns
}

// blockVersion are the columns of a version of a block, the newest or an older one.
func blockVersion() []Column {
	return []Column{
		text("project"), text("agent_id"), text("user_id"), text("name"), number("version"), text("change"), number("restored"),
		text("description"), number("characters"), number("position"), boolean("read_only"), text("actor"), text("reason"),
		at("created_at"), at("updated_at"), text("content"),
	}
}

func record() []Column {
	return []Column{
		text("project"), uuid("id"), text("type"), text("subject"), blob("data"), at("written_at"), text("traceparent"),
		number("attempts"), text("reason"),
	}
}

// Told is Where of the table of the name, "" for one that no archive has.
func Told(table string) string {
	for _, t := range Tables() {
		if t.Name == table {
			return t.Where()
		}
	}
	return ""
}

// notOfErasure leaves out the news that the tenant was erased before: it is of no row that stands, and is told by the store
// in which that happened.
const notOfErasure = `type <> '` + outbox.TenantErased + `'`

// keyed is a table whose first columns, so many and the tenant, are its key.
func keyed(name string, key int, columns ...Column) *Table {
	t := &Table{Name: name, Columns: columns}
	for _, c := range columns[:key] {
		t.Order = append(t.Order, c.Name)
	}
	return t
}

// single is a table with one row of each tenant, so that any column orders its rows.
func single(name string, columns ...Column) *Table {
	t := keyed(name, 1, columns...)
	t.Single = true
	return t
}

func numbered(name, by string, columns ...Column) *Table {
	return &Table{Name: name, Columns: columns, Order: []string{by}, Numbered: by, Only: notOfErasure}
}

func text(name string) Column    { return Column{Name: name, Kind: Text} }
func uuid(name string) Column    { return Column{Name: name, Kind: UUID} }
func number(name string) Column  { return Column{Name: name, Kind: Int} }
func seq(name string) Column     { return Column{Name: name, Kind: Seq} }
func float(name string) Column   { return Column{Name: name, Kind: Float} }
func boolean(name string) Column { return Column{Name: name, Kind: Bool} }
func at(name string) Column      { return Column{Name: name, Kind: Time} }
func blob(name string) Column    { return Column{Name: name, Kind: Bytes} }

func optional(c Column) Column {
	c.Optional = true
	return c
}
