package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/postgres"
)

// The tests of this file say nothing of queries: they ask without any WHERE, as a query with a mistake in it would, and
// hold the database itself to keeping tenants apart. Tables are found, not listed: one that is added is tested.

// table is one whose rows belong to tenants.
type table struct {
	name    string
	columns []column
}

// column is one that a row must fill.
type column struct{ name, kind string }

func tables(t *testing.T, conn *pgx.Conn) []table {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod)
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
		AND a.attnotnull AND a.attidentity = '' AND a.attgenerated = ''
		AND EXISTS (SELECT FROM pg_attribute b WHERE b.attrelid = c.oid AND b.attname = 'tenant' AND NOT b.attisdropped)
		ORDER BY c.relname, a.attnum`)
	if err != nil {
		t.Fatal(err)
	}
	var found []table
	var name string
	var c column
	_, err = pgx.ForEachRow(rows, []any{&name, &c.name, &c.kind}, func() error {
		if len(found) == 0 || found[len(found)-1].name != name {
			found = append(found, table{name: name})
		}
		last := &found[len(found)-1]
		last.columns = append(last.columns, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("only %d tables have a tenant", len(found))
	}
	return found
}

// has reports whether rows of the table belong to a project as well.
func (tt *table) has(name string) bool {
	return slices.ContainsFunc(tt.columns, func(c column) bool { return c.name == name })
}

// insert is a statement that makes a row of the tenant and the project.
func (tt *table) insert(t *testing.T, tenant, project string) string {
	t.Helper()
	values := map[string]string{
		"text": `'x'`, "text[]": `'{}'`, "bigint": `1`, "integer": `1`, "boolean": `false`, "bytea": `''`,
		"double precision": `0.5`, "timestamp with time zone": `now()`, "uuid": `gen_random_uuid()`, "vector": `'[1,2]'`,
	}
	var names, row []string
	for _, c := range tt.columns {
		value, known := values[c.kind]
		switch c.name {
		case "tenant":
			value = "'" + tenant + "'"
		case "project":
			value = "'" + project + "'"
		}
		if !known {
			t.Fatalf("%s.%s is %s: say here what may stand in it", tt.name, c.name, c.kind)
		}
		names, row = append(names, c.name), append(row, value)
	}
	return fmt.Sprintf(`INSERT INTO %s (%s) VALUES (%s)`, tt.name, strings.Join(names, ", "), strings.Join(row, ", "))
}

// as runs do in a transaction under the role, confined to the tenant and the project, and undoes it.
func as(t *testing.T, conn *pgx.Conn, role, tenant, project string, do func(pgx.Tx)) {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), `SELECT set_config('role', $1, true)`, role); err != nil {
		t.Fatal(err)
	}
	if tenant != "" {
		_, err := tx.Exec(t.Context(), `SELECT set_config('rae.tenant', $1, true), set_config('rae.project', $2, true)`, tenant, project)
		if err != nil {
			t.Fatal(err)
		}
	}
	do(tx)
}

// count is how many rows a question without a condition finds.
func count(t *testing.T, tx pgx.Tx, name string) (n int) {
	t.Helper()
	if err := tx.QueryRow(t.Context(), `SELECT count(*) FROM `+name).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// refused fails the test unless the database says that the role may not.
func refused(t *testing.T, tx pgx.Tx, statement string) {
	t.Helper()
	inner, err := tx.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = inner.Rollback(context.Background()) }()
	_, err = inner.Exec(t.Context(), statement)
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != "42501" {
		t.Errorf("%s: %v, want insufficient_privilege", statement, err)
	}
}

func TestEveryTableWithATenantIsGuarded(t *testing.T) {
	t.Parallel()
	conn := connect(t, fresh(t))
	for _, tt := range tables(t, conn) {
		var enabled, forced bool
		var owner string
		var policies int
		err := conn.QueryRow(t.Context(), `SELECT c.relrowsecurity, c.relforcerowsecurity, pg_get_userbyid(c.relowner),
			(SELECT count(*) FROM pg_policies p WHERE p.schemaname = 'public' AND p.tablename = c.relname AND 'rae_runtime' = ANY(p.roles)
				AND p.cmd = 'ALL' AND p.permissive = 'PERMISSIVE' AND p.qual ~ 'tenant = (\( SELECT )?current_setting\(' AND p.with_check = p.qual)
			FROM pg_class c WHERE c.oid = $1::regclass`, tt.name).Scan(&enabled, &forced, &owner, &policies)
		if err != nil {
			t.Fatal(err)
		}
		if !enabled || !forced || policies != 1 || strings.HasPrefix(owner, "rae_") {
			t.Errorf("%s: enabled %v, forced %v, %d policies that confine rae_runtime, owned by %s", tt.name, enabled, forced, policies, owner)
		}
	}
	var owned, passing int
	err := conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) LIKE 'rae\_%'),
		(SELECT count(*) FROM pg_roles WHERE rolname LIKE 'rae\_%' AND (rolsuper OR rolbypassrls OR rolcanlogin))`).Scan(&owned, &passing)
	if err != nil || owned != 0 || passing != 0 {
		t.Errorf("the roles own %d relations, %d could pass by: %v", owned, passing, err)
	}
}

func TestWithoutAnyConditionATenantMeetsOnlyItself(t *testing.T) {
	t.Parallel()
	conn := connect(t, fresh(t))
	for _, tt := range tables(t, conn) {
		rows := [][2]string{{"a", "p"}, {"b", "p"}}
		if tt.has("project") {
			rows = append(rows, [2]string{"a", "q"}, [2]string{"b", "q"})
		}
		for _, row := range rows {
			if _, err := conn.Exec(t.Context(), tt.insert(t, row[0], row[1])); err != nil {
				t.Fatalf("plant a row: %v", err)
			}
		}
		t.Run(tt.name, func(t *testing.T) { confined(t, conn, tt, len(rows)) })
	}
}

// confined tries what a query with a mistake in it could do to the rows planted.
func confined(t *testing.T, conn *pgx.Conn, tt table, all int) {
	as(t, conn, "rae_runtime", "a", "p", func(tx pgx.Tx) {
		if n := count(t, tx, tt.name); n != 1 {
			t.Errorf("sees %d rows, want its own", n)
		}
		refused(t, tx, tt.insert(t, "b", "p"))
		refused(t, tx, `UPDATE `+tt.name+` SET tenant = 'b'`)
		if tt.has("project") {
			refused(t, tx, tt.insert(t, "a", "q"))
			refused(t, tx, `UPDATE `+tt.name+` SET project = 'q'`)
		}
		refused(t, tx, `TRUNCATE `+tt.name)
		refused(t, tx, `ALTER TABLE `+tt.name+` DISABLE ROW LEVEL SECURITY`)
		for _, statement := range []string{`UPDATE ` + tt.name + ` SET tenant = tenant`, `DELETE FROM ` + tt.name} {
			tag, err := tx.Exec(t.Context(), statement)
			if err != nil || tag.RowsAffected() != 1 {
				t.Errorf("%s touched %d rows: %v", statement, tag.RowsAffected(), err)
			}
		}
		if _, err := tx.Exec(t.Context(), `SET LOCAL ROLE NONE`); err != nil {
			t.Fatal(err)
		}
		if n := count(t, tx, tt.name); n != all-1 {
			t.Errorf("%d rows are left of %d", n, all)
		}
	})
	as(t, conn, "rae_runtime", "a", "*", func(tx pgx.Tx) {
		if n := count(t, tx, tt.name); n != all/2 {
			t.Errorf("across its projects it sees %d rows, want %d", n, all/2)
		}
		refused(t, tx, tt.insert(t, "b", "p"))
	})
	for _, nobody := range []string{"", "nobody"} {
		as(t, conn, "rae_runtime", nobody, "p", func(tx pgx.Tx) {
			if n := count(t, tx, tt.name); n != 0 {
				t.Errorf("as tenant %q it sees %d rows", nobody, n)
			}
			refused(t, tx, tt.insert(t, "a", "p"))
		})
	}
}

// What rae_system reads: whose something is, its id, when it is due, and the schema's version. The outbox is its work. Of
// the log of costs it reads the numbers, to sum them across tenants, and not which request or reservation they belong to.
const systemReads = `block_versions(tenant) blocks(tenant) budget_accounts(day,project,tenant) budget_usage(tenant) budgets(project,tenant) consumed_events(*)
	cost_logs(cache_hit,cached_tokens,calls,cost,latency_ms,model,operation,overrun,price_known,project,provider,saved,saved_tokens,settled_at,tenant,tokens_in,tokens_out)
	dead_letters(*) embedding_models(tenant) entity_decisions(tenant) entity_members(tenant) entity_mentions(tenant) entity_suggestions(tenant)
	forgetting_policies(project,tenant) goose_db_version(*) idempotency_keys(answered_at,key,project,route,tenant)
	jobs(due_at,id,kind,project,status,tenant) memories(expires_at,id,project,tenant) outbox(*) prices(tenant)
	projections(tenant) reflection_gatherings(project,tenant) reflection_readings(tenant) reflections(created_at,id,leased_to,project,status,tenant)
	reservations(expires_at,project,status,tenant) restores(tenant) scopes(floor,head,project,tenant) tenant_accounts(tenant)
	tenant_budgets(tenant) tenant_usage(tenant)`

func TestTheSystemRoleReadsNoContents(t *testing.T) {
	t.Parallel()
	conn := connect(t, fresh(t))
	var reads string
	err := conn.QueryRow(t.Context(), `SELECT string_agg(name || '(' || CASE WHEN every THEN '*' ELSE columns END || ')', ' ' ORDER BY name)
		FROM (SELECT c.relname::text COLLATE "C" AS name, string_agg(a.attname::text, ',' ORDER BY a.attname::text COLLATE "C")
				FILTER (WHERE has_column_privilege('rae_system', c.oid, a.attnum, 'SELECT')) AS columns,
			bool_and(has_column_privilege('rae_system', c.oid, a.attnum, 'SELECT')) AS every
			FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') GROUP BY c.relname) t
		WHERE columns IS NOT NULL`).Scan(&reads)
	if want := strings.Join(strings.Fields(systemReads), " "); err != nil || reads != want {
		t.Errorf("rae_system reads\n%s\nwant\n%s\n%v", reads, want, err)
	}
	as(t, conn, "rae_system", "", "", func(tx pgx.Tx) {
		for _, contents := range []string{
			"content FROM memories", "body FROM memories", "content FROM memory_versions", "vector FROM memory_vectors",
			"answer FROM idempotency_keys", "body FROM reflections", "body FROM jobs", "content FROM blocks", "content FROM block_versions", "arguments FROM jobs", "max_cost FROM reservations", "request_id FROM cost_logs", "reservation_id FROM cost_logs",
		} {
			refused(t, tx, "SELECT "+contents)
		}
		refused(t, tx, "UPDATE memories SET expires_at = NULL")
		refused(t, tx, "DELETE FROM reflections")
	})
}

func TestAStoreThatIsNotGuardedIsNotServed(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]string{
		"disabled":      `ALTER TABLE memories DISABLE ROW LEVEL SECURITY`,
		"not forced":    `ALTER TABLE cost_logs NO FORCE ROW LEVEL SECURITY`,
		"another table": `CREATE TABLE notes (tenant text NOT NULL)`,
		"owned":         `ALTER TABLE reflections OWNER TO rae_runtime`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := fresh(t)
			if err := openAt(t, url, postgres.Options{}).Ping(t.Context()); err != nil {
				t.Fatalf("before: %v", err)
			}
			if _, err := connect(t, url).Exec(t.Context(), spoil); err != nil {
				t.Fatal(err)
			}
			if err := openAt(t, url, postgres.Options{}).Ping(t.Context()); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("after: %v, want Unavailable", err)
			}
		})
	}
}
