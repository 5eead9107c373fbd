package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ block.Store = (*Blocks)(nil)

// Blocks keeps blocks in the same file as the memories and the outbox.
type Blocks struct{ db *DB }

// NewBlocks returns the blocks of the store.
func NewBlocks(db *DB) *Blocks { return &Blocks{db: db} }

const (
	blockColumns = `agent_id, user_id, name, version, change, restored, description, characters, position, read_only, actor, reason,
		created_at, updated_at, content`
	blockByRef = `tenant = ? AND project = ? AND agent_id = ? AND user_id = ? AND name = ?`
	// everyVersion is a block's versions in both tables.
	everyVersion = `(SELECT * FROM blocks WHERE ` + blockByRef + ` UNION ALL SELECT * FROM block_versions WHERE ` + blockByRef + `)`
)

func byRef(scope memory.Scope, ref block.Ref) []any {
	return []any{scope.Tenant, scope.Project, ref.AgentID, ref.UserID, ref.Name}
}

// blockVersions reads what the query, which begins after FROM, finds.
func blockVersions(ctx context.Context, q asked, scope memory.Scope, from string, args ...any) ([]block.Version, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+blockColumns+` FROM `+from, args...)
	if err != nil {
		return nil, fmt.Errorf("read blocks: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	all := []block.Version{}
	for rows.Next() {
		var v block.Version
		var created, updated int64
		err := rows.Scan(&v.AgentID, &v.UserID, &v.Name, &v.Block.Version, &v.Change, &v.Restored, &v.Description, &v.Limit,
			&v.Position, &v.ReadOnly, &v.Actor, &v.Reason, &created, &updated, &v.Content)
		if err != nil {
			return nil, fmt.Errorf("read blocks: %w", err)
		}
		v.ID, v.TenantID, v.ProjectID = v.Ref().ID(scope), scope.Tenant, scope.Project
		v.CreatedAt, v.UpdatedAt = instant(created), instant(updated)
		all = append(all, v)
	}
	return all, rows.Err()
}

// oneVersion is blockVersions where there is at most one.
func oneVersion(ctx context.Context, q asked, scope memory.Scope, from string, args ...any) (v block.Version, found bool, err error) {
	all, err := blockVersions(ctx, q, scope, from, args...)
	if err != nil || len(all) == 0 {
		return v, false, err
	}
	return all[0], true, nil
}

// list reads blocks that stand.
func (s *Blocks) list(ctx context.Context, scope memory.Scope, from string, args ...any) ([]block.Block, error) {
	db, err := s.db.read(ctx)
	if err != nil {
		return nil, err
	}
	versions, err := blockVersions(ctx, db, scope, from, args...)
	blocks := make([]block.Block, len(versions))
	for i := range versions {
		blocks[i] = versions[i].Block
	}
	return blocks, classify(ctx, err)
}

// Standing implements block.Store.
func (s *Blocks) Standing(ctx context.Context, scope memory.Scope, of block.Owner) ([]block.Block, error) {
	return s.list(ctx, scope, `blocks WHERE tenant = ? AND project = ? AND agent_id IN ('', ?) AND user_id IN ('', ?) AND change <> ?`,
		scope.Tenant, scope.Project, of.AgentID, of.UserID, block.Deleted)
}

// Newest implements block.Store.
func (s *Blocks) Newest(ctx context.Context, scope memory.Scope, ref block.Ref) (block.Version, bool, error) {
	db, err := s.db.read(ctx)
	if err != nil {
		return block.Version{}, false, err
	}
	v, found, err := oneVersion(ctx, db, scope, `blocks WHERE `+blockByRef, byRef(scope, ref)...)
	return v, found, classify(ctx, err)
}

// List implements block.Store.
func (s *Blocks) List(ctx context.Context, scope memory.Scope, q block.Query) ([]block.Block, error) {
	return s.list(ctx, scope, `blocks WHERE tenant = ?1 AND project = ?2 AND (agent_id, user_id, name) > (?3, ?4, ?5) AND change <> ?6
		AND (?7 = '' OR agent_id = ?7) AND (?8 = '' OR user_id = ?8) ORDER BY agent_id, user_id, name LIMIT ?9`,
		scope.Tenant, scope.Project, q.After.AgentID, q.After.UserID, q.After.Name, block.Deleted, q.AgentID, q.UserID, q.Limit)
}

// History implements block.Store.
func (s *Blocks) History(ctx context.Context, scope memory.Scope, ref block.Ref, before, limit int) ([]block.Version, error) {
	db, err := s.db.read(ctx)
	if err != nil {
		return nil, err
	}
	of := byRef(scope, ref)
	versions, err := blockVersions(ctx, db, scope, everyVersion+` WHERE ? = 0 OR version < ? ORDER BY version DESC LIMIT ?`,
		append(append(of, of...), before, before, limit)...)
	return versions, classify(ctx, err)
}

// Write implements block.Store.
func (s *Blocks) Write(ctx context.Context, scope memory.Scope, do func(block.Tx) error) error {
	if err := scope.Check(); err != nil {
		return err
	}
	return s.db.write(ctx, func(sqlTx *sql.Tx) error {
		t := s.db.begin(ctx, sqlTx, scope)
		if err := do(&blockTx{t}); err != nil {
			return err
		}
		return ctx.Err() // nobody waits for the answer: then better nothing was done
	})
}

// blockTx is a transaction of a scope's blocks. Of what is the memories' it has what is remembered and announced.
type blockTx struct{ *tx }

// Newest implements block.Tx.
func (t *blockTx) Newest(_ context.Context, ref block.Ref) (block.Version, bool, error) {
	return t.one(`blocks WHERE `+blockByRef, byRef(t.scope, ref)...)
}

// At implements block.Tx.
func (t *blockTx) At(_ context.Context, ref block.Ref, version int) (block.Version, bool, error) {
	of := byRef(t.scope, ref)
	return t.one(everyVersion+` WHERE version = ?`, append(append(of, of...), version)...)
}

// Before implements block.Tx.
func (t *blockTx) Before(_ context.Context, ref block.Ref, version int) (block.Version, bool, error) {
	of := byRef(t.scope, ref)
	return t.one(everyVersion+` WHERE version < ? AND change <> ? ORDER BY version DESC LIMIT 1`, append(append(of, of...), version, block.Deleted)...)
}

func (t *blockTx) one(from string, args ...any) (block.Version, bool, error) {
	v, found, err := oneVersion(t.ctx, t.sql, t.scope, from, args...)
	return v, found, t.failed("read a block", err)
}

// Names implements block.Tx.
func (t *blockTx) Names(_ context.Context, of block.Owner) (names []block.Named, err error) {
	rows, err := t.sql.QueryContext(t.ctx, `SELECT name, change = ? FROM blocks WHERE tenant = ? AND project = ? AND agent_id = ? AND user_id = ?
		ORDER BY updated_at, name`, block.Deleted, t.scope.Tenant, t.scope.Project, of.AgentID, of.UserID)
	if err != nil {
		return nil, t.failed("list an owner's blocks", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		var n block.Named
		if err := rows.Scan(&n.Name, &n.Deleted); err != nil {
			return nil, t.failed("list an owner's blocks", err)
		}
		names = append(names, n)
	}
	return names, t.failed("list an owner's blocks", rows.Err())
}

// Keep implements block.Tx.
func (t *blockTx) Keep(_ context.Context, v block.Version) (block.Version, error) {
	v.UpdatedAt = t.now
	if v.CreatedAt.IsZero() {
		v.CreatedAt = t.now
	}
	of := byRef(t.scope, v.Ref())
	err := errors.Join(
		t.exec("keep the version before", `INSERT INTO block_versions SELECT * FROM blocks WHERE `+blockByRef, of...),
		t.exec("forget old versions", `DELETE FROM block_versions WHERE `+blockByRef+` AND version <= ?`, append(of, v.Block.Version-block.KeptVersions)...),
		t.exec("write a block", `INSERT OR REPLACE INTO blocks (tenant, project, `+blockColumns+`)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, append(of, v.Block.Version, v.Change, v.Restored, v.Description,
			v.Limit, v.Position, v.ReadOnly, v.Actor, v.Reason, micros(v.CreatedAt), micros(v.UpdatedAt), v.Content)...))
	return v, err
}

// Erase implements block.Tx.
func (t *blockTx) Erase(_ context.Context, ref block.Ref) error {
	of := byRef(t.scope, ref)
	return errors.Join(
		t.exec("erase a block", `DELETE FROM blocks WHERE `+blockByRef, of...),
		t.exec("erase a block", `DELETE FROM block_versions WHERE `+blockByRef, of...))
}
