package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// EraseTenant removes every row of the tenant from every table that has a tenant column, whoever made the table, and
// counts them. Freed space is overwritten (secure_delete), and the write-ahead log, which still tells of the rows, is
// folded into the file and cut off: a reader of the disk finds nothing either. When that last step cannot be done the
// rows are gone all the same, and the call fails with Unavailable; repeating it finishes the work.
func (d *DB) EraseTenant(ctx context.Context, tenant string) (memory.Receipt, error) {
	var receipt memory.Receipt
	err := d.write(ctx, func(tx *sql.Tx) (err error) {
		receipt, err = d.erase(context.WithoutCancel(ctx), tx, tenant)
		return err
	})
	if err != nil {
		return memory.Receipt{}, fmt.Errorf("erase tenant: %w", err)
	}
	if err := d.truncateLog(ctx); err != nil {
		return memory.Receipt{}, err
	}
	return receipt, nil
}

func (d *DB) erase(ctx context.Context, tx *sql.Tx, tenant string) (memory.Receipt, error) {
	receipt := memory.Receipt{Tenant: tenant, ErasedAt: d.now()}
	_, err := tx.ExecContext(ctx, `UPDATE erased SET head = max(head, (SELECT coalesce(max(head), 0) FROM scopes WHERE tenant = ?))`, tenant)
	if err != nil {
		return receipt, err
	}
	tables, err := tenantTables(ctx, tx)
	if err != nil {
		return receipt, err
	}
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
		case "scopes", "memory_tags", "tombstones", "consumed_events": // bookkeeping of the rows already counted
		default:
			receipt.Other += rows
		}
	}
	return receipt, nil
}

type tenantTable struct{ name, column string }

// tenantTables finds every table whose rows belong to tenants.
func tenantTables(ctx context.Context, tx *sql.Tx) ([]tenantTable, error) {
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

// truncateLog moves the write-ahead log into the file and empties it, waiting for readers of the old state.
func (d *DB) truncateLog(ctx context.Context) error {
	pools, err := d.opened(ctx)
	if err != nil {
		return err
	}
	var busy, frames, moved int
	err = pools.writer.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &moved)
	if err != nil {
		return classify(ctx, fmt.Errorf("truncate the log: %w", err))
	}
	if busy != 0 {
		return fault.New(fault.Unavailable, "the rows are erased, but readers keep the log from being truncated; repeat the erasure")
	}
	return nil
}
