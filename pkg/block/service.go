package block

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Service reads and changes blocks by their rules.
type Service struct{ Store Store }

// Absent is what a caller expects who means to make a block and no other: see Change.Expected.
const Absent = -1

// Request says who changes a block and how sure they are.
type Request struct {
	memory.Why
	// Expected, when not 0, is the version the caller saw, or Absent: Conflict when another stands.
	Expected int
	Key      memory.Key // of a request that may be repeated
}

// Changed is a version and whether the request made it.
type Changed struct {
	Version
	Fresh bool
}

// kept is what a remembered answer has of a change: the words are read from the version, while that is kept.
type kept struct {
	Version int  `json:"version"`
	Fresh   bool `json:"fresh"`
}

func notFound(r Ref) error { return fault.New(fault.NotFound, "there is no block %s", r.Name) }

// named fails for a scope without tenant or project, and for a name that is none.
func named(scope memory.Scope, check error) error {
	if scope.Tenant == "" || scope.Project == "" {
		return fault.New(fault.Internal, "a request without a tenant reached the store")
	}
	return check
}

// Get returns the block. NotFound where none stands.
func (s *Service) Get(ctx context.Context, scope memory.Scope, ref Ref) (Block, error) {
	if err := named(scope, ref.Check()); err != nil {
		return Block{}, err
	}
	v, found, err := s.Store.Newest(ctx, scope, ref)
	if err == nil && (!found || v.Gone()) {
		err = notFound(ref)
	}
	if err != nil {
		return Block{}, err
	}
	return v.Block, nil
}

// List returns one page of the blocks that stand and what the next one begins after; nil on the last page.
func (s *Service) List(ctx context.Context, scope memory.Scope, q Query) ([]Block, *Ref, error) {
	if err := named(scope, q.Owner.check()); err != nil {
		return nil, nil, err
	}
	page, limit := q, q.Limit
	page.Limit++ // one more tells whether there are more
	blocks, err := s.Store.List(ctx, scope, page)
	if err != nil || len(blocks) <= limit {
		return blocks, nil, err
	}
	last := blocks[limit-1].Ref()
	return blocks[:limit], &last, nil
}

// History returns up to limit versions below before (0: all), newest first, and what the next page is below; 0 on the last
// page. A deleted block has one, an erased one has none: NotFound.
func (s *Service) History(ctx context.Context, scope memory.Scope, ref Ref, before, limit int) ([]Version, int, error) {
	if err := named(scope, ref.Check()); err != nil {
		return nil, 0, err
	}
	versions, err := s.Store.History(ctx, scope, ref, before, limit+1)
	switch {
	case err != nil:
		return nil, 0, err
	case len(versions) == 0 && before == 0:
		return nil, 0, notFound(ref)
	case len(versions) <= limit:
		return versions, 0, nil
	}
	return versions[:limit], versions[limit-1].Block.Version, nil
}

// Put makes a block or changes one. What says nothing new makes no version.
func (s *Service) Put(ctx context.Context, scope memory.Scope, ref Ref, p Settings, r Request) (Changed, error) {
	if err := named(scope, ref.Check()); err != nil {
		return Changed{}, err
	}
	if _, err := p.apply(Block{Limit: MaxLimit}); err != nil { // what is wrong whatever stands is told whatever stands
		return Changed{}, err
	}
	return s.change(ctx, scope, ref, r, func(tx Tx, stands *Version) (*Version, error) {
		next := Version{Block: Block{Limit: DefaultLimit}, Change: Created}
		if stands != nil && !stands.Gone() {
			next = Version{Block: stands.Block, Change: Updated}
		} else if err := room(ctx, tx, ref); err != nil {
			return nil, err
		}
		var err error
		if next.Block, err = p.apply(next.Block); err != nil || next.Change == Updated && next.says(&stands.Block) {
			return nil, err
		}
		return &next, nil
	})
}

// Edit changes a part of a block's text.
func (s *Service) Edit(ctx context.Context, scope memory.Scope, ref Ref, e Edit, r Request) (Changed, error) {
	if err := named(scope, ref.Check()); err != nil {
		return Changed{}, err
	}
	if err := e.check(); err != nil {
		return Changed{}, err
	}
	return s.change(ctx, scope, ref, r, func(_ Tx, stands *Version) (*Version, error) {
		if stands == nil || stands.Gone() {
			return nil, notFound(ref)
		}
		next := Version{Block: stands.Block, Change: Updated}
		var err error
		if next.Block, err = e.apply(next.Block); err != nil || next.says(&stands.Block) {
			return nil, err
		}
		return &next, nil
	})
}

// Delete makes a version without a text. No read shows the block any more; its history does, and an undo brings it back.
func (s *Service) Delete(ctx context.Context, scope memory.Scope, ref Ref, r Request) (Changed, error) {
	if err := named(scope, ref.Check()); err != nil {
		return Changed{}, err
	}
	return s.change(ctx, scope, ref, r, func(tx Tx, stands *Version) (*Version, error) {
		if stands == nil || stands.Gone() {
			return nil, notFound(ref)
		}
		if err := forgetOldest(ctx, tx, ref.Owner); err != nil {
			return nil, err
		}
		gone := Version{Block: stands.Block, Change: Deleted}
		gone.Content, gone.Description = "", ""
		return &gone, nil
	})
}

// Undo brings back, as a new version, what a block said before: before its last change, and, after an undo, before the
// version that one brought back, so that each goes one step further. to, when not 0, is the version to bring back instead.
// Conflict where no such version is kept.
func (s *Service) Undo(ctx context.Context, scope memory.Scope, ref Ref, to int, r Request) (Changed, error) {
	if err := named(scope, ref.Check()); err != nil {
		return Changed{}, err
	}
	return s.change(ctx, scope, ref, r, func(tx Tx, stands *Version) (*Version, error) {
		if stands == nil {
			return nil, notFound(ref)
		}
		back, found, err := tx.Before(ctx, ref, stands.said())
		if to != 0 {
			back, found, err = tx.At(ctx, ref, to)
		}
		switch {
		case err != nil:
			return nil, err
		case !found && to != 0:
			return nil, fault.New(fault.Conflict, "version %d of block %s is not kept", to, ref.Name)
		case !found:
			return nil, fault.New(fault.Conflict, "block %s has no version before", ref.Name)
		case back.Gone():
			return nil, fault.New(fault.Conflict, "version %d of block %s is a deletion: delete it instead", to, ref.Name)
		}
		if stands.Gone() {
			if err := room(ctx, tx, ref); err != nil {
				return nil, err
			}
		}
		return &Version{Block: back.Block, Change: Restored, Restored: back.said()}, nil
	})
}

// Erase removes a block with every version, deleted or not. NotFound where there is nothing.
func (s *Service) Erase(ctx context.Context, scope memory.Scope, ref Ref, r Request) error {
	if err := named(scope, ref.Check()); err != nil {
		return err
	}
	return s.Store.Write(ctx, scope, func(tx Tx) error {
		if _, found, err := tx.Answered(ctx, r.Key); err != nil || found {
			return err
		}
		stands, found, err := tx.Newest(ctx, ref)
		if err == nil && !found {
			err = notFound(ref)
		}
		if err == nil {
			err = r.holds(ref, &stands)
		}
		if err == nil {
			err = erase(ctx, tx, &stands.Block)
		}
		if err != nil || r.Key.Key == "" {
			return err
		}
		return tx.Answer(ctx, r.Key, nil)
	})
}

func erase(ctx context.Context, tx Tx, b *Block) error {
	if err := tx.Erase(ctx, b.Ref()); err != nil {
		return err
	}
	return tx.Emit(ctx, b.announce(Erased))
}

// Proposal is a text that a reflection has for a block.
type Proposal struct {
	Ref
	Content string
	// Expected is the version the reflection has read, 0 where it found none: a block that somebody has changed, made or
	// deleted since is left as it is.
	Expected   int
	Reflection memory.ID
}

// Reflector is the actor of what a reflection changes; the reason is its id.
const Reflector = "reflection"

// Propose takes the text of a reflection. Conflict where the block is read-only, or another version stands than the
// reflection has read. The same proposal made twice makes one version.
func (s *Service) Propose(ctx context.Context, scope memory.Scope, p Proposal) (Changed, error) {
	if err := named(scope, p.Ref.Check()); err != nil {
		return Changed{}, err
	}
	r := Request{Why: memory.Why{Actor: Reflector, Reason: string(p.Reflection)}}
	return s.change(ctx, scope, p.Ref, r, func(tx Tx, stands *Version) (*Version, error) {
		next := Version{Block: Block{Limit: DefaultLimit}, Change: Created}
		standing := 0
		if stands != nil {
			standing = stands.Block.Version
			if stands.Why == r.Why && stands.Content == p.Content && standing == p.Expected+1 {
				return nil, nil // it was this very proposal
			}
		}
		switch {
		case standing != p.Expected:
			return nil, fault.New(fault.Conflict, "block %s is at version %d, and the reflection has read %d", p.Name, standing, p.Expected)
		case stands == nil || stands.Gone():
			if err := room(ctx, tx, p.Ref); err != nil {
				return nil, err
			}
		default:
			next = Version{Block: stands.Block, Change: Updated}
		}
		if next.ReadOnly {
			return nil, readOnly(&next.Block, "no reflection changes its text")
		}
		next.Content = p.Content
		if err := next.check("body.content"); err != nil || next.Change == Updated && next.says(&stands.Block) {
			return nil, err
		}
		return &next, nil
	})
}

// holds reports whether the block stands as the caller expects.
func (r *Request) holds(ref Ref, stands *Version) error {
	at := 0
	if stands != nil && !stands.Gone() {
		at = stands.Block.Version
	}
	switch {
	case r.Expected == 0, r.Expected == at, r.Expected == Absent && at == 0:
		return nil
	case at == 0:
		return fault.New(fault.Conflict, "there is no block %s, and version %d was expected", ref.Name, r.Expected)
	case r.Expected == Absent:
		return fault.New(fault.Conflict, "block %s stands, at version %d", ref.Name, at)
	}
	return fault.New(fault.Conflict, "block %s is at version %d, not %d", ref.Name, at, r.Expected)
}

// change takes the newest version (nil: there is none) through do and keeps what comes of it, nil for nothing, with its
// event and its answer.
func (s *Service) change(ctx context.Context, scope memory.Scope, ref Ref, r Request, do func(Tx, *Version) (*Version, error)) (changed Changed, err error) {
	err = s.Store.Write(ctx, scope, func(tx Tx) error {
		var replayed bool
		if changed, replayed, err = answered(ctx, tx, scope, ref, r.Key); err != nil || replayed {
			return err
		}
		v, found, err := tx.Newest(ctx, ref)
		if err != nil {
			return err
		}
		stands := &v
		if !found {
			stands = nil
		}
		if err := r.holds(ref, stands); err != nil {
			return err
		}
		next, err := do(tx, stands)
		if err != nil {
			return err
		}
		changed = Changed{Version: v}
		if next != nil {
			next.place(scope, ref)
			next.Block.Version, next.Why = v.Block.Version+1, r.Why
			if changed.Version, err = tx.Keep(ctx, *next); err != nil {
				return err
			}
			changed.Fresh = true
			if err := tx.Emit(ctx, next.announce(next.Change)); err != nil {
				return err
			}
		}
		if r.Key.Key == "" {
			return nil
		}
		answer, err := json.Marshal(kept{changed.Block.Version, changed.Fresh})
		if err != nil {
			return fmt.Errorf("keep the answer: %w", err)
		}
		return tx.Answer(ctx, r.Key, answer)
	})
	if err != nil {
		return Changed{}, err
	}
	return changed, nil
}

// answered is the answer given to the key before. Where its version is no longer kept, neither are its words.
func answered(ctx context.Context, tx Tx, scope memory.Scope, ref Ref, key memory.Key) (changed Changed, found bool, err error) {
	answer, found, err := tx.Answered(ctx, key)
	if err != nil || !found {
		return changed, false, err
	}
	var was kept
	if err := json.Unmarshal(answer, &was); err != nil {
		return changed, false, fmt.Errorf("read the remembered answer: %w", err)
	}
	v, there, err := tx.At(ctx, ref, was.Version)
	if err != nil {
		return changed, false, err
	}
	if !there {
		v.place(scope, ref)
		v.Block.Version = was.Version
	}
	return Changed{Version: v, Fresh: was.Fresh}, true, nil
}

// room fails where the owner has as many blocks as there may be.
func room(ctx context.Context, tx Tx, ref Ref) error {
	names, err := tx.Names(ctx, ref.Owner)
	if err != nil {
		return err
	}
	stand := 0
	for _, n := range names {
		if !n.Deleted {
			stand++
		}
	}
	if stand >= MaxPerOwner {
		return fault.New(fault.Conflict, "there may be %d blocks of one owner, and there are: delete one first", MaxPerOwner)
	}
	return nil
}

// forgetOldest erases the block that was deleted first where another deletion would make too many.
func forgetOldest(ctx context.Context, tx Tx, of Owner) error {
	names, err := tx.Names(ctx, of)
	if err != nil {
		return err
	}
	var gone []string
	for _, n := range names {
		if n.Deleted {
			gone = append(gone, n.Name)
		}
	}
	if len(gone) < MaxPerOwner {
		return nil
	}
	v, _, err := tx.Newest(ctx, Ref{of, gone[0]})
	if err != nil {
		return err
	}
	return erase(ctx, tx, &v.Block)
}
