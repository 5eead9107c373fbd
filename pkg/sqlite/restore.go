package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strings"

	"github.com/rae-memory/rae/pkg/backup"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Restore writes the rows of a tenant. Every transaction moves the row of restores from what the one before left there,
// so that of two restores of one tenant only one goes on.
func (d *DB) Restore(ctx context.Context, tenant, hash string, rows iter.Seq2[backup.Row, error]) error {
	progress, done, err := d.beginRestore(ctx, tenant, hash)
	if err != nil || done {
		return err
	}
	background := context.WithoutCancel(ctx)
	scopes, end, err := progress.Batches(rows, nil, func(batch []backup.Row, before, after backup.Progress) error {
		return d.write(ctx, func(tx *sql.Tx) error {
			if err := restoreRows(background, tx, tenant, batch); err != nil {
				return err
			}
			return proceed(background, tx, tenant, hash, before.String(), after.String())
		})
	})
	if err != nil {
		return err
	}
	return d.write(ctx, func(tx *sql.Tx) error {
		if err := restoreRows(background, tx, tenant, scopes); err != nil {
			return err
		}
		return proceed(background, tx, tenant, hash, end.String(), "")
	})
}

// beginRestore claims a tenant of whom there is nothing, or finds how far the same restore came before.
func (d *DB) beginRestore(ctx context.Context, tenant, hash string) (progress backup.Progress, done bool, err error) {
	background := context.WithoutCancel(ctx)
	err = d.write(ctx, func(tx *sql.Tx) error {
		mark, err := markOf(background, tx, tenant)
		switch {
		case err != nil:
			return err
		case mark.Hash == hash:
			if done = mark.Done; done {
				return nil
			}
			var state string
			if err := tx.QueryRowContext(background, `SELECT state FROM restores WHERE tenant = ?`, tenant).Scan(&state); err != nil {
				return err
			}
			progress, err = backup.ParseProgress(state)
			return err
		}
		if any, err := holds(background, tx, tenant); err != nil || any || mark.Hash != "" {
			return firstOf(err, fault.New(fault.Conflict, "the store has rows of tenant %q already", tenant))
		}
		progress = backup.Progress{}
		if err := tx.QueryRowContext(background, `SELECT head FROM erased`).Scan(&progress.Erased); err != nil {
			return err
		}
		_, err = tx.ExecContext(background, `INSERT INTO restores (tenant, hash, state) VALUES (?, ?, ?)`, tenant, hash, progress.String())
		return err
	})
	return progress, done, err
}

func firstOf(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// proceed writes down how far the restore has come.
func proceed(ctx context.Context, tx *sql.Tx, tenant, hash, before, after string) error {
	result, err := tx.ExecContext(ctx, `UPDATE restores SET state = ? WHERE tenant = ? AND hash = ? AND state = ?`, after, tenant, hash, before)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return fault.New(fault.Conflict, "tenant %q was erased, or is being restored by somebody else", tenant)
}

func restoreRows(ctx context.Context, tx *sql.Tx, tenant string, rows []backup.Row) error {
	for _, row := range rows {
		if err := restoreRow(ctx, tx, tenant, row); err != nil {
			return fmt.Errorf("restore a row of %s: %w", row.Table.Name, err)
		}
	}
	return nil
}

// restoreRow writes one row and what the store computes from it.
func restoreRow(ctx context.Context, tx *sql.Tx, tenant string, row backup.Row) error {
	columns, values := "tenant, "+columnsOf(row.Table), append([]any{tenant}, row.Values...)
	switch row.Table.Name {
	case "memory_vectors":
		columns, values = columns+", dim", append(values, len(row.Get("vector").([]byte))/4)
	case "outbox": // due at once: leases and waits were those of another store's relay
		columns, values = columns+", due_at", append(values, 0)
	}
	places := strings.TrimSuffix(strings.Repeat("?, ", len(values)), ", ")
	if _, err := tx.ExecContext(ctx, `INSERT INTO `+row.Table.Name+` (`+columns+`) VALUES (`+places+`)`, values...); err != nil {
		return err
	}
	if row.Table.Name == "memories" {
		return restoreSides(ctx, tx, tenant, row)
	}
	return nil
}

// restoreSides writes what finds a memory by what its body says.
func restoreSides(ctx context.Context, sqlTx *sql.Tx, tenant string, row backup.Row) error {
	m := memory.Memory{ID: memory.ID(row.Text("id"))}
	if err := m.DecodeBody(row.Text("body")); err != nil {
		return err
	}
	t := &tx{ctx: ctx, sql: sqlTx, scope: memory.Scope{Tenant: tenant, Project: row.Project()}}
	if err := t.tag(&m); err != nil {
		return err
	}
	return t.cite(&memory.Memory{}, &m)
}

// Outnumber makes sure that a scope new to the store is numbered above the given number.
func (d *DB) Outnumber(ctx context.Context, erased memory.Seq) error {
	return d.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.WithoutCancel(ctx), `UPDATE erased SET head = max(head, ?)`, erased)
		return err
	})
}
