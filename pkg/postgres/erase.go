package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// EraseTenant removes every row of the tenant from every table that has a tenant column, whoever made the table, and
// counts them, in one transaction that no writer of the tenant overlaps. PostgreSQL keeps the bytes of deleted rows until
// vacuum has passed over them, and its write-ahead log until it is recycled; docs/operations.md says how to hurry both.
func (d *DB) EraseTenant(ctx context.Context, tenant string) (memory.Receipt, error) {
	var receipt memory.Receipt
	err := d.changeTenant(ctx, tenant, func(s *session) error {
		receipt = memory.Receipt{Tenant: tenant}
		s.exec(lockTenant, tenant)
		s.exec(`UPDATE erased SET head = greatest(head, (SELECT coalesce(max(head) + 1, 0) FROM scopes WHERE tenant = $1))`, tenant)
		s.exec(`DELETE FROM outbox WHERE tenant = $1 AND type = $2`, tenant, outbox.TenantErased) // told anew below
		tables, err := s.tenantTables()
		if err != nil {
			return err
		}
		rows := make([]int64, len(tables))
		for i, table := range tables {
			s.affect(&rows[i], `DELETE FROM `+pgx.Identifier{table}.Sanitize()+` WHERE tenant = $1`, tenant)
		}
		if err := s.row(`SELECT rae_now()`, nil, &receipt.ErasedAt); err != nil {
			return err
		}
		receipt.ErasedAt = receipt.ErasedAt.UTC()
		for i, table := range tables {
			tally(&receipt, table, int(rows[i]))
		}
		d.emit(ctx, s, memory.Scope{Tenant: tenant}, memory.AnnounceErasure(tenant, receipt.ErasedAt))
		return nil
	})
	if err != nil {
		return memory.Receipt{}, fmt.Errorf("erase tenant: %w", err)
	}
	return receipt, nil
}

// tally adds what was removed from a table to its line of the receipt.
func tally(receipt *memory.Receipt, table string, rows int) {
	switch table {
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
	case "scopes", "tombstones", "consumed_events", "projections", "restores", "embedding_models", "memory_use", "forgetting_policies", "term_blocks",
		"graph_nodes", "graph_edges", "memory_sources", "entity_mentions", "entity_members", "entity_suggestions", "reflection_readings": // bookkeeping of the rows already counted
	default:
		receipt.Other += rows
	}
}

// tenantTables finds every table whose rows belong to tenants.
func (s *session) tenantTables() (tables []string, err error) {
	err = s.rows(tenantTables, nil, func(rows pgx.Rows) error {
		var name string
		err := rows.Scan(&name)
		tables = append(tables, name)
		return err
	})
	return tables, err
}

const tenantTables = `SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'tenant'
	AND NOT a.attisdropped ORDER BY c.relname`
