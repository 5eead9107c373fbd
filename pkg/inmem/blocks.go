package inmem

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ block.Store = (*Blocks)(nil)

// Blocks keeps blocks in the same store as the memories and the outbox.
type Blocks struct {
	db   *DB
	rows map[blockID][]block.Version // every kept version, oldest first; a list is replaced, never changed
}

type blockID struct {
	memory.Scope
	block.Ref
}

// NewBlocks returns an empty store of blocks within the DB.
func NewBlocks(db *DB) *Blocks {
	s := &Blocks{db: db, rows: map[blockID][]block.Version{}}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.erasers = append(db.erasers, s.erase)
	return s
}

// erase removes what is held of a tenant and counts it: a row of each version, as the durable stores have them.
func (s *Blocks) erase(tenant string) (rows int) {
	maps.DeleteFunc(s.rows, func(id blockID, versions []block.Version) bool {
		if id.Tenant == tenant {
			rows += len(versions)
		}
		return id.Tenant == tenant
	})
	return rows
}

// Standing implements block.Store.
func (s *Blocks) Standing(ctx context.Context, scope memory.Scope, of block.Owner) ([]block.Block, error) {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	return s.standing(scope, func(o block.Owner) bool {
		return (o.AgentID == "" || o.AgentID == of.AgentID) && (o.UserID == "" || o.UserID == of.UserID)
	}), ctx.Err()
}

// standing lists what stands of the owners, in order.
func (s *Blocks) standing(scope memory.Scope, of func(block.Owner) bool) []block.Block {
	blocks := []block.Block{}
	for id, versions := range s.rows {
		if newest := &versions[len(versions)-1]; id.Scope == scope && of(id.Owner) && !newest.Gone() {
			blocks = append(blocks, newest.Block)
		}
	}
	slices.SortFunc(blocks, func(a, b block.Block) int { return a.Ref().Compare(b.Ref()) })
	return blocks
}

// Newest implements block.Store.
func (s *Blocks) Newest(ctx context.Context, scope memory.Scope, ref block.Ref) (block.Version, bool, error) {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	v, found := s.newest(scope, ref)
	return v, found, ctx.Err()
}

func (s *Blocks) newest(scope memory.Scope, ref block.Ref) (v block.Version, found bool) {
	versions, found := s.rows[blockID{scope, ref}]
	if found {
		v = versions[len(versions)-1]
	}
	return v, found
}

// List implements block.Store.
func (s *Blocks) List(ctx context.Context, scope memory.Scope, q block.Query) ([]block.Block, error) {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	blocks := s.standing(scope, func(o block.Owner) bool {
		return (q.AgentID == "" || o.AgentID == q.AgentID) && (q.UserID == "" || o.UserID == q.UserID)
	})
	blocks = slices.DeleteFunc(blocks, func(b block.Block) bool { return b.Ref().Compare(q.After) <= 0 })
	return blocks[:min(len(blocks), q.Limit)], ctx.Err()
}

// History implements block.Store.
func (s *Blocks) History(ctx context.Context, scope memory.Scope, ref block.Ref, before, limit int) ([]block.Version, error) {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	versions := slices.Clone(s.rows[blockID{scope, ref}])
	slices.Reverse(versions)
	versions = slices.DeleteFunc(versions, func(v block.Version) bool { return before != 0 && v.Block.Version >= before })
	return versions[:min(len(versions), limit)], ctx.Err()
}

// Write implements block.Store.
func (s *Blocks) Write(ctx context.Context, scope memory.Scope, do func(block.Tx) error) error {
	if err := scope.Check(); err != nil {
		return err
	}
	return s.db.write(ctx, func(u *undo) error { return do(&blockTx{s.db.begin(ctx, u, scope), s}) })
}

// blockTx is a transaction of a scope's blocks. Of what is the memories' it has what is remembered and announced.
type blockTx struct {
	*tx
	blocks *Blocks
}

// Newest implements block.Tx.
func (t *blockTx) Newest(_ context.Context, ref block.Ref) (block.Version, bool, error) {
	v, found := t.blocks.newest(t.scope, ref)
	return v, found, nil
}

// At implements block.Tx.
func (t *blockTx) At(_ context.Context, ref block.Ref, version int) (block.Version, bool, error) {
	return t.last(ref, func(v *block.Version) bool { return v.Block.Version == version })
}

// Before implements block.Tx.
func (t *blockTx) Before(_ context.Context, ref block.Ref, version int) (block.Version, bool, error) {
	return t.last(ref, func(v *block.Version) bool { return v.Block.Version < version && !v.Gone() })
}

func (t *blockTx) last(ref block.Ref, is func(*block.Version) bool) (block.Version, bool, error) {
	versions := t.blocks.rows[blockID{t.scope, ref}]
	for i := len(versions) - 1; i >= 0; i-- {
		if is(&versions[i]) {
			return versions[i], true, nil
		}
	}
	return block.Version{}, false, nil
}

// Names implements block.Tx.
func (t *blockTx) Names(_ context.Context, of block.Owner) ([]block.Named, error) {
	var newest []block.Version
	for id, versions := range t.blocks.rows {
		if id.Scope == t.scope && id.Owner == of {
			newest = append(newest, versions[len(versions)-1])
		}
	}
	slices.SortFunc(newest, func(a, b block.Version) int {
		return cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt), cmp.Compare(a.Name, b.Name))
	})
	names := make([]block.Named, len(newest))
	for i := range newest {
		names[i] = block.Named{Name: newest[i].Name, Deleted: newest[i].Gone()}
	}
	return names, nil
}

// Keep implements block.Tx.
func (t *blockTx) Keep(_ context.Context, v block.Version) (block.Version, error) {
	v.UpdatedAt = t.now
	if v.CreatedAt.IsZero() {
		v.CreatedAt = t.now
	}
	id := blockID{t.scope, v.Ref()}
	versions := append(slices.Clone(t.blocks.rows[id]), v)
	set(t.u, t.blocks.rows, id, versions[max(0, len(versions)-block.KeptVersions):])
	return v, nil
}

// Erase implements block.Tx.
func (t *blockTx) Erase(_ context.Context, ref block.Ref) error {
	unset(t.u, t.blocks.rows, blockID{t.scope, ref})
	return nil
}
