package qdrant

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// Projector keeps an index up with the store: it follows the feed of a scope from where it stopped last time, in this
// process or another. Following twice, late or out of turn changes nothing. Index, Feed, Marks and Model are required
// to follow; Rebuild and Verify need Scopes and Memories besides.
type Projector struct {
	Index    *Index
	Feed     memory.Feed
	Marks    memory.Watermarks
	Model    string // the model whose vectors the feed is asked for
	Scopes   memory.Directory
	Memories search.Finder
	Clock    func() time.Time // nil = time.Now

	mu    sync.Mutex
	turns map[memory.Scope]*turn
	late  map[memory.Scope]struct{} // see Follow
}

// turn is the queue of this process for one scope. Others are kept out by the watermark's lock, which does not wait.
type turn struct {
	token   chan struct{}
	waiting int
}

const (
	projectPage = 256 // changes per request to Qdrant
	// sliceFor leaves time for the call under way before the watermark's lock is up.
	sliceFor = memory.ProjectFor - writeTimeout - 5*time.Second
)

// CatchUp brings the index to the scope's head, as it is when called, and returns the mark reached. Unavailable when
// Qdrant is, or while another process is at it: what is missing then is done by calling again.
func (p *Projector) CatchUp(ctx context.Context, scope memory.Scope) (memory.Seq, error) {
	return p.catchUp(ctx, scope, func(memory.Seq, memory.Seq) {})
}

// catchUp is CatchUp with news of how far it has come.
func (p *Projector) catchUp(ctx context.Context, scope memory.Scope, told func(mark, head memory.Seq)) (memory.Seq, error) {
	head, err := p.Feed.Head(ctx, scope)
	if err != nil {
		return 0, fmt.Errorf("read head of %s: %w", scope, err)
	}
	leave, err := p.enter(ctx, scope)
	if err != nil {
		return 0, err
	}
	defer leave()
	generation, err := p.prepare(ctx)
	if err != nil {
		return 0, away(err)
	}
	name := p.Index.projection(generation)
	mark, err := p.Marks.Projected(ctx, scope, name)
	for err == nil && mark < head {
		told(mark, head)
		before := mark
		mark, err = p.Marks.Project(ctx, scope, name, func(after memory.Seq) (memory.Seq, error) {
			return p.slice(ctx, scope, generation, after, head)
		})
		if err == nil && mark <= before && mark < head {
			return mark, fault.New(fault.Unavailable, "another process is at the vector index of this project")
		}
	}
	if err == nil {
		told(mark, head)
	}
	return mark, err
}

// Disown takes back that anything of the scope is in the index: searches do without it, until the scope has been followed
// from the beginning again. Unavailable while another process is at it, or Qdrant is away.
func (p *Projector) Disown(ctx context.Context, scope memory.Scope) error {
	leave, err := p.enter(ctx, scope)
	if err != nil {
		return err
	}
	defer leave()
	generation, err := p.prepare(ctx)
	if err != nil {
		return away(err)
	}
	name, mine := p.Index.projection(generation), false
	_, err = p.Marks.Project(ctx, scope, name, func(memory.Seq) (memory.Seq, error) {
		mine = true
		return 0, nil
	})
	if err == nil && !mine {
		err = fault.New(fault.Unavailable, "another process is at the vector index of this project")
	}
	return err
}

// prepare sees to the collection.
func (p *Projector) prepare(ctx context.Context) (generation string, err error) {
	err = p.Index.writing.do(ctx, writeTimeout, func(ctx context.Context) error {
		generation, err = p.Index.ensure(ctx)
		return err
	})
	return generation, err
}

// slice follows the feed for a while and returns how far it came. From the very start whatever Qdrant holds of the scope
// is dropped first: it is of a time nobody kept a mark of.
func (p *Projector) slice(ctx context.Context, scope memory.Scope, generation string, after, head memory.Seq) (memory.Seq, error) {
	to := p.Index.Tenant(scope)
	if after == 0 {
		if err := to.drop(ctx); err != nil {
			return 0, away(err)
		}
	}
	for began := time.Now(); after < head && time.Since(began) < sliceFor; {
		changes, err := p.Feed.Changes(ctx, scope, p.Model, after, projectPage)
		if err != nil {
			return 0, fmt.Errorf("follow %s from %d: %w", scope, after, err)
		}
		if err := p.apply(ctx, to, generation, changes); err != nil {
			return 0, away(err)
		}
		if n := len(changes); n > 0 {
			after = changes[n-1].Seq
		}
		if len(changes) < projectPage {
			after = max(after, head)
		}
	}
	return after, p.unlessErased(ctx, scope, to, after)
}

// apply makes one page of changes. Whatever happened to a memory within it, it is written or removed once.
func (p *Projector) apply(ctx context.Context, to TenantIndex, generation string, changes []memory.Change) error {
	last := map[memory.ID]*memory.Change{}
	var order []memory.ID
	for i := range changes {
		c := &changes[i]
		if c.Reset {
			if err := to.drop(ctx); err != nil {
				return err
			}
			clear(last)
			continue
		}
		if !c.Gone && !current(c) {
			continue // its successor is further on in the feed
		}
		if _, known := last[c.Version.ID]; !known {
			order = append(order, c.Version.ID)
		}
		last[c.Version.ID] = c
	}
	var put []*memory.Change
	var remove []memory.ID
	for _, id := range order {
		switch c := last[id]; {
		case c == nil: // of before a reset
		case c.Gone || len(c.Vector) == 0: // a pending memory must not be found by what it said before
			remove = append(remove, id)
		case len(c.Vector) != p.Index.dimensions:
			p.Index.dropped("dimensions", 1)
			remove = append(remove, id)
		default:
			put = append(put, c)
		}
		delete(last, id)
	}
	if err := to.remove(ctx, remove); err != nil {
		return err
	}
	return to.put(ctx, generation, put)
}

// unlessErased sees to it that nothing is left in Qdrant of a tenant that was erased while its changes were on their way
// there: an erasure that came first in the store may have come first in Qdrant, too.
func (p *Projector) unlessErased(ctx context.Context, scope memory.Scope, to TenantIndex, after memory.Seq) error {
	head, err := p.Feed.Head(ctx, scope)
	if err != nil {
		return fmt.Errorf("read head of %s: %w", scope, err)
	}
	next, err := p.Feed.Changes(ctx, scope, p.Model, after, 1)
	if err != nil {
		return fmt.Errorf("follow %s from %d: %w", scope, after, err)
	}
	if head >= after && (len(next) == 0 || !next[0].Reset) {
		return nil
	}
	if err := to.drop(ctx); err != nil {
		return away(err)
	}
	return fault.New(fault.Unavailable, "the tenant was erased meanwhile")
}

// enter waits for this process' turn at the scope.
func (p *Projector) enter(ctx context.Context, scope memory.Scope) (leave func(), err error) {
	p.mu.Lock()
	if p.turns == nil {
		p.turns = map[memory.Scope]*turn{}
	}
	t := p.turns[scope]
	if t == nil {
		t = &turn{token: make(chan struct{}, 1)}
		p.turns[scope] = t
	}
	t.waiting++
	p.mu.Unlock()
	forget := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if t.waiting--; t.waiting == 0 {
			delete(p.turns, scope)
		}
	}
	select {
	case t.token <- struct{}{}:
		return func() { <-t.token; forget() }, nil
	case <-ctx.Done():
		forget()
		return nil, ctx.Err()
	}
}

func (p *Projector) now() time.Time {
	if p.Clock != nil {
		return p.Clock()
	}
	return time.Now()
}
