package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	blocks "github.com/rae-memory/rae/pkg/block" // a block is of postings here
	"github.com/rae-memory/rae/pkg/memory"
)

var _ blocks.Store = (*Blocks)(nil)

// Blocks keeps blocks in the same database as the memories and the outbox. Who writes one is a writer of its scope, as
// those of memories are (see line.go).
type Blocks struct{ db *DB }

// NewBlocks returns the blocks of the store.
func NewBlocks(db *DB) *Blocks { return &Blocks{db: db} }

const (
	blockColumns = `agent_id, user_id, name, version, change, restored, description, characters, position, read_only, actor, reason,
		created_at, updated_at, content`
	blockByRef = `tenant = $1 AND project = $2 AND agent_id = $3 AND user_id = $4 AND name = $5`
	// everyVersion is a block's versions in both tables.
	everyVersion = `(SELECT * FROM blocks WHERE ` + blockByRef + ` UNION ALL SELECT * FROM block_versions WHERE ` + blockByRef + `) v`
)

func byRef(scope memory.Scope, ref blocks.Ref, more ...any) []any {
	return append([]any{scope.Tenant, scope.Project, ref.AgentID, ref.UserID, ref.Name}, more...)
}

// askBlocks keeps back a question, whose query begins after FROM; visit sees what it finds.
func (s *session) askBlocks(scope memory.Scope, visit func(blocks.Version), from string, args ...any) {
	s.ask(`SELECT `+blockColumns+` FROM `+from, args, func(rows pgx.Rows) error {
		var v blocks.Version
		err := rows.Scan(&v.AgentID, &v.UserID, &v.Name, &v.Block.Version, &v.Change, &v.Restored, &v.Description, &v.Limit,
			&v.Position, &v.ReadOnly, &v.Actor, &v.Reason, &v.CreatedAt, &v.UpdatedAt, &v.Content)
		if err != nil {
			return err
		}
		v.ID, v.TenantID, v.ProjectID = v.Ref().ID(scope), scope.Tenant, scope.Project
		v.CreatedAt, v.UpdatedAt = v.CreatedAt.UTC(), v.UpdatedAt.UTC()
		visit(v)
		return nil
	})
}

// versions asks in one round trip, which also ends the transaction.
func (s *Blocks) versions(ctx context.Context, scope memory.Scope, from string, args ...any) (all []blocks.Version, err error) {
	err = s.db.view(ctx, scope, func(tx *session) error {
		all = []blocks.Version{}
		tx.askBlocks(scope, func(v blocks.Version) { all = append(all, v) }, from, args...)
		return nil
	})
	return all, s.db.failed(ctx, "read blocks of "+scope.String(), err)
}

// list reads blocks that stand.
func (s *Blocks) list(ctx context.Context, scope memory.Scope, from string, args ...any) ([]blocks.Block, error) {
	versions, err := s.versions(ctx, scope, from, args...)
	all := make([]blocks.Block, len(versions))
	for i := range versions {
		all[i] = versions[i].Block
	}
	return all, err
}

// Standing implements block.Store.
func (s *Blocks) Standing(ctx context.Context, scope memory.Scope, of blocks.Owner) ([]blocks.Block, error) {
	return s.list(ctx, scope, `blocks WHERE tenant = $1 AND project = $2 AND agent_id IN ('', $3) AND user_id IN ('', $4) AND change <> $5`,
		scope.Tenant, scope.Project, of.AgentID, of.UserID, blocks.Deleted)
}

// Newest implements block.Store.
func (s *Blocks) Newest(ctx context.Context, scope memory.Scope, ref blocks.Ref) (v blocks.Version, found bool, err error) {
	all, err := s.versions(ctx, scope, `blocks WHERE `+blockByRef, byRef(scope, ref)...)
	if err != nil || len(all) == 0 {
		return v, false, err
	}
	return all[0], true, nil
}

// List implements block.Store.
func (s *Blocks) List(ctx context.Context, scope memory.Scope, q blocks.Query) ([]blocks.Block, error) {
	return s.list(ctx, scope, `blocks WHERE tenant = $1 AND project = $2 AND (agent_id, user_id, name) > ($3, $4, $5) AND change <> $6
		AND ($7 = '' OR agent_id = $7) AND ($8 = '' OR user_id = $8) ORDER BY agent_id, user_id, name LIMIT $9`,
		byRef(scope, q.After, blocks.Deleted, q.AgentID, q.UserID, q.Limit)...)
}

// History implements block.Store.
func (s *Blocks) History(ctx context.Context, scope memory.Scope, ref blocks.Ref, before, limit int) ([]blocks.Version, error) {
	return s.versions(ctx, scope, everyVersion+` WHERE $6 = 0 OR version < $6 ORDER BY version DESC LIMIT $7`, byRef(scope, ref, before, limit)...)
}

// Write implements block.Store.
func (s *Blocks) Write(ctx context.Context, scope memory.Scope, do func(blocks.Tx) error) error {
	return s.db.write(ctx, scope, func(g *group) error {
		if err := do(&blockTx{&tx{group: g, caller: ctx}}); err != nil {
			return err
		}
		return ctx.Err() // nobody waits for the answer: then better nothing was done
	})
}

// blockTx is a transaction of a scope's blocks. Of what is the memories' it has what is remembered and announced.
type blockTx struct{ *tx }

// Newest implements block.Tx.
func (t *blockTx) Newest(_ context.Context, ref blocks.Ref) (blocks.Version, bool, error) {
	return t.one(`blocks WHERE `+blockByRef, byRef(t.scope, ref)...)
}

// At implements block.Tx.
func (t *blockTx) At(_ context.Context, ref blocks.Ref, version int) (blocks.Version, bool, error) {
	return t.one(everyVersion+` WHERE version = $6`, byRef(t.scope, ref, version)...)
}

// Before implements block.Tx.
func (t *blockTx) Before(_ context.Context, ref blocks.Ref, version int) (blocks.Version, bool, error) {
	return t.one(everyVersion+` WHERE version < $6 AND change <> $7 ORDER BY version DESC LIMIT 1`, byRef(t.scope, ref, version, blocks.Deleted)...)
}

func (t *blockTx) one(from string, args ...any) (v blocks.Version, found bool, err error) {
	t.askBlocks(t.scope, func(is blocks.Version) { v, found = is, true }, from, args...)
	return v, found, t.failed("read a block", t.flush())
}

// Names implements block.Tx.
func (t *blockTx) Names(_ context.Context, of blocks.Owner) (names []blocks.Named, err error) {
	err = t.rows(`SELECT name, change = $5 FROM blocks WHERE tenant = $1 AND project = $2 AND agent_id = $3 AND user_id = $4
		ORDER BY updated_at, name`, []any{t.scope.Tenant, t.scope.Project, of.AgentID, of.UserID, blocks.Deleted}, func(rows pgx.Rows) error {
		var n blocks.Named
		err := rows.Scan(&n.Name, &n.Deleted)
		names = append(names, n)
		return err
	})
	return names, t.failed("list an owner's blocks", err)
}

// Keep implements block.Tx.
func (t *blockTx) Keep(_ context.Context, v blocks.Version) (blocks.Version, error) {
	if err := t.entered(); err != nil {
		return v, t.failed("write a block", err)
	}
	v.UpdatedAt = t.now
	if v.CreatedAt.IsZero() {
		v.CreatedAt = t.now
	}
	t.exec(`INSERT INTO block_versions SELECT * FROM blocks WHERE `+blockByRef, byRef(t.scope, v.Ref())...)
	t.exec(`DELETE FROM block_versions WHERE `+blockByRef+` AND version <= $6`, byRef(t.scope, v.Ref(), v.Block.Version-blocks.KeptVersions)...)
	t.exec(`INSERT INTO blocks (tenant, project, `+blockColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
		ON CONFLICT (tenant, project, agent_id, user_id, name) DO UPDATE SET version = excluded.version, change = excluded.change,
		restored = excluded.restored, description = excluded.description, characters = excluded.characters,
		position = excluded.position, read_only = excluded.read_only, actor = excluded.actor, reason = excluded.reason,
		created_at = excluded.created_at, updated_at = excluded.updated_at, content = excluded.content`,
		byRef(t.scope, v.Ref(), v.Block.Version, v.Change, v.Restored, v.Description, v.Limit, v.Position, v.ReadOnly, v.Actor, v.Reason,
			v.CreatedAt, v.UpdatedAt, v.Content)...)
	return v, nil
}

// Erase implements block.Tx.
func (t *blockTx) Erase(_ context.Context, ref blocks.Ref) error {
	t.exec(`DELETE FROM blocks WHERE `+blockByRef, byRef(t.scope, ref)...)
	t.exec(`DELETE FROM block_versions WHERE `+blockByRef, byRef(t.scope, ref)...)
	return nil
}
