package qdrant

import (
	"context"
	"errors"

	"github.com/rae-memory/rae/pkg/memory"
)

// catchUpsMore is how many scopes that were left behind one call of Follow makes up for.
const catchUpsMore = 8

// Follow is CatchUp for whoever hears of a change. A Qdrant that is away is no error to it: asking for the event again
// and again would help nobody, because searches fill up what is missing, and the scope is remembered and made up for
// with the first changes after Qdrant is back. What this process forgets by ending is made up for with the scope's
// next change, or by Rebuild.
func (p *Projector) Follow(ctx context.Context, scope memory.Scope) error {
	if err := p.followOne(ctx, scope); err != nil {
		return err
	}
	for _, late := range p.takeLate(catchUpsMore) {
		if err := p.followOne(ctx, late); err != nil {
			p.keepLate(late)
		}
	}
	return nil
}

func (p *Projector) followOne(ctx context.Context, scope memory.Scope) error {
	_, err := p.CatchUp(ctx, scope)
	if !errors.Is(err, errAway) {
		return err
	}
	if !p.Index.writing.open() { // when it opened, that was said
		p.Index.log.WarnContext(ctx, "a change was not taken to qdrant; it will be made up for", "scope", scope.String(), "err", err)
	}
	p.keepLate(scope)
	return nil
}

// Behind is how many scopes this process knows to be behind because Qdrant was away.
func (p *Projector) Behind() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.late)
}

func (p *Projector) keepLate(scope memory.Scope) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.late == nil {
		p.late = map[memory.Scope]struct{}{}
	}
	p.late[scope] = struct{}{}
}

// takeLate takes up to n scopes that are behind, none while Qdrant is left alone.
func (p *Projector) takeLate(n int) []memory.Scope {
	if p.Index.writing.open() {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var scopes []memory.Scope
	for scope := range p.late {
		if len(scopes) == n {
			break
		}
		scopes = append(scopes, scope)
		delete(p.late, scope)
	}
	return scopes
}
