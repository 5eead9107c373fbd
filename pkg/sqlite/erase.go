package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// EraseTenant removes every row of the tenant from every table that has a tenant column, whoever made the table, and
// counts them. Then it writes the file anew and empties the write-ahead log, so that whoever reads the disk finds nothing
// either: SQLite overwrites what it frees (secure_delete), but a page that was once rearranged may still hold old bytes
// between its cells. That takes time in proportion to the file. When it cannot be done, the rows are gone all the same
// and the call fails; repeating it finishes the work.
func (d *DB) EraseTenant(ctx context.Context, tenant string) (memory.Receipt, error) {
	var receipt memory.Receipt
	var unscrubbed bool
	err := d.write(ctx, func(tx *sql.Tx) (err error) {
		background := context.WithoutCancel(ctx)
		if receipt, err = d.erase(background, tx, tenant); err != nil {
			return err
		}
		return tx.QueryRowContext(background, `SELECT unscrubbed FROM erased`).Scan(&unscrubbed)
	})
	if err != nil {
		return memory.Receipt{}, fmt.Errorf("erase tenant: %w", err)
	}
	if unscrubbed {
		if err := d.scrub(ctx); err != nil {
			return memory.Receipt{}, fmt.Errorf("erase tenant: %w", err)
		}
	}
	return receipt, nil
}

func (d *DB) erase(ctx context.Context, tx *sql.Tx, tenant string) (memory.Receipt, error) {
	receipt := memory.Receipt{Tenant: tenant, ErasedAt: d.now()}
	_, err := tx.ExecContext(ctx, `UPDATE erased SET head = max(head, (SELECT coalesce(max(head) + 1, 0) FROM scopes WHERE tenant = ?))`, tenant)
	if err != nil {
		return receipt, err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM outbox WHERE tenant = ? AND type = ?`, tenant, outbox.TenantErased) // told anew below
	if err != nil {
		return receipt, err
	}
	tables, err := tenantTables(ctx, tx)
	if err != nil {
		return receipt, err
	}
	removed := 0
	for _, table := range tables {
		result, err := tx.ExecContext(ctx, fmt.Sprintf(`DELETE FROM %q WHERE %q = ?`, table.name, table.column), tenant)
		if err != nil {
			return receipt, fmt.Errorf("table %s: %w", table.name, err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return receipt, fmt.Errorf("table %s: %w", table.name, err)
		}
		rows := int(n)
		removed += rows
		switch table.name {
		case "memories":
			receipt.Memories += rows
			receipt.Versions += rows // each is the last version of itself
		case "memory_versions":
			receipt.Versions += rows
		case "memory_vectors":
			receipt.Vectors += rows
		case "outbox", "dead_letters":
			receipt.Events += rows
		case "idempotency_keys":
			receipt.Answers += rows
		case "scopes", "memory_tags", "memory_sources", "tombstones", "consumed_events", "projections", "restores", "embedding_models", "memory_use",
			"forgetting_policies", "entity_mentions", "entity_members", "entity_suggestions", "reflection_readings": // bookkeeping of the rows already counted
		default:
			receipt.Other += rows
		}
	}
	if removed > 0 {
		if _, err = tx.ExecContext(ctx, `UPDATE erased SET unscrubbed = 1`); err != nil {
			return receipt, err
		}
	}
	return receipt, d.emit(ctx, tx, memory.Scope{Tenant: tenant}, memory.AnnounceErasure(tenant, receipt.ErasedAt))
}

type tenantTable struct{ name, column string }

// tenantTables finds every table whose rows belong to tenants.
func tenantTables(ctx context.Context, tx asked) ([]tenantTable, error) {
	rows, err := tx.QueryContext(ctx, `SELECT s.name, c.name FROM sqlite_schema s JOIN pragma_table_info(s.name) c
		WHERE s.type = 'table' AND c.name IN ('tenant', 'tenant_id') ORDER BY s.name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var tables []tenantTable
	for rows.Next() {
		var t tenantTable
		if err := rows.Scan(&t.name, &t.column); err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	return tables, rows.Err()
}

// vacuumInMemory is the size of a file, in bytes, up to which it is rebuilt in memory; a larger one needs a temporary
// file beside the others of the system.
const vacuumInMemory = 128 << 20

// scrub writes the file anew, without what has been deleted, and empties the write-ahead log, waiting for readers of the
// old state.
func (d *DB) scrub(ctx context.Context) error {
	pools, err := d.opened(ctx)
	if err != nil {
		return err
	}
	conn, err := pools.writer.Conn(ctx)
	if err != nil {
		return classify(ctx, err)
	}
	defer conn.Close()
	var bytes int64
	err = conn.QueryRowContext(ctx, `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`).Scan(&bytes)
	if err != nil {
		return classify(ctx, err)
	}
	statements := []string{`PRAGMA ` + waiting(busyTimeout), `VACUUM`}
	if bytes > vacuumInMemory {
		statements = []string{`PRAGMA ` + waiting(busyTimeout), `PRAGMA temp_store = FILE`, `VACUUM`, `PRAGMA temp_store = MEMORY`}
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), `PRAGMA `+waiting(busyPoll)) //nolint:errcheck // it only sets a number
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return classify(ctx, fmt.Errorf("write the file anew: %w", err))
		}
	}
	var busy, frames, moved int
	err = conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &moved)
	if err != nil {
		return classify(ctx, fmt.Errorf("empty the log: %w", err))
	}
	if busy != 0 {
		return fault.New(fault.Unavailable, "the rows are erased, but readers keep the log from being emptied; repeat the erasure")
	}
	_, err = conn.ExecContext(ctx, `UPDATE erased SET unscrubbed = 0`) // were it lost, the next erasure would scrub again
	return classify(ctx, err)
}
