package resolve

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// Kinds of jobs.
const (
	Kind       = "resolve"        // of a scope: notes what its memories mention, and decides who is one with whom
	ScopesKind = "resolve-scopes" // the operator's: looks for scopes that have changed
)

const (
	every       = 15 * time.Minute // scopes are looked for
	observeStep = 200              // changes of a scope looked at in one step
	scopesStep  = 50               // scopes looked at in one step
	uniteStep   = 500              // merges in one transaction
	contextsOf  = 2                // memories read for what an entity is mentioned with
	pageOf      = 1000             // entities read at once
	// MostEntities is how many entities of a scope are compared, in the order of their ids; Outcome.Left tells how many
	// were not.
	MostEntities = 50_000
)

// Memories is what a Keeper reads.
type Memories interface {
	memory.Feed
	Find(ctx context.Context, scope memory.Scope, ids []memory.ID, at memory.View) ([]memory.Memory, error)
}

// Keeper keeps the register of scopes: a job follows a scope's feed and notes what its memories mention, then compares,
// makes the merges that are certain and leaves the rest as suggestions. Done again it changes nothing.
type Keeper struct {
	Memories Memories
	Register knowledge.Register
	Scopes   memory.Directory
	Jobs     *job.Runner // that works on its jobs
	Resolver Resolver    // Apart is the register's
	Clock    func() time.Time
}

// By is who decides in the register, where no person does.
const By = "resolve"

// Outcome is what a job of Kind came to.
type Outcome struct {
	Upto      memory.Seq `json:"upto"`     // the head of the scope that it has seen all of
	Entities  int        `json:"entities"` // compared
	Left      int        `json:"left,omitempty"`
	Merged    int        `json:"merged"`
	Refused   int        `json:"refused,omitempty"` // merges that somebody has decided against meanwhile
	Suggested int        `json:"suggested"`
}

// position is the cursor of a job of Kind.
type position struct {
	After memory.Seq `json:"after"` // the last change noted
	Noted bool       `json:"noted"` // all were; comparing is next
}

// Handlers are those of its jobs.
func (k *Keeper) Handlers() map[string]job.Handler {
	return map[string]job.Handler{Kind: k.Step, ScopesKind: k.ScopesStep}
}

func (k *Keeper) now() time.Time {
	if k.Clock != nil {
		return k.Clock().UTC()
	}
	return time.Now().UTC()
}

// Wake sees to it that scopes which changed are resolved, at most every quarter of an hour. It may be called at every tick of a
// clock.
func (k *Keeper) Wake(ctx context.Context) error {
	key := memory.Key{Route: ScopesKind, Key: k.now().Truncate(every).Format(time.RFC3339)}
	_, _, err := k.Jobs.Start(ctx, job.Operator, ScopesKind, struct{}{}, 0, key)
	return err
}

// ScopesStep is the handler of ScopesKind.
func (k *Keeper) ScopesStep(ctx context.Context, s *job.Slice) (done bool, err error) {
	var after memory.Scope
	if err := s.At(&after); err != nil {
		return false, err
	}
	page, err := k.Scopes.Scopes(ctx, after, scopesStep)
	if err != nil {
		return false, fmt.Errorf("list scopes: %w", err)
	}
	for _, scope := range page {
		if _, err := k.Start(ctx, scope); err != nil {
			return false, fmt.Errorf("look whether %s has changed: %w", scope, err)
		}
	}
	s.Progress.Done += int64(len(page))
	s.Progress.Total = s.Progress.Done
	if len(page) < scopesStep {
		return true, nil
	}
	return false, s.GoOn(page[len(page)-1])
}

// Start queues a job for the scope, unless one has not ended, or nothing has changed since the last. It reports whether
// it queued one. Of those who start one at once, all start the same.
func (k *Keeper) Start(ctx context.Context, scope memory.Scope) (bool, error) {
	page, err := k.Jobs.Store.List(ctx, scope, job.Query{Kind: Kind, Limit: 1})
	if err != nil {
		return false, err
	}
	head, err := k.Memories.Head(ctx, scope)
	if err != nil {
		return false, err
	}
	key := memory.Key{Route: Kind, Key: fmt.Sprintf("first at %d", head)}
	order := position{}
	if len(page.Jobs) > 0 {
		last := &page.Jobs[0]
		if !last.Status.Final() {
			return false, nil
		}
		var outcome Outcome
		if len(last.Result) > 0 {
			if err := json.Unmarshal(last.Result, &outcome); err != nil {
				return false, fault.Wrap(fault.Internal, err, "the result of job %s cannot be read", last.ID)
			}
		}
		if last.Status == job.Succeeded && outcome.Upto == head {
			return false, nil
		}
		key.Key = "after " + string(last.ID)
		if last.Status == job.Succeeded && outcome.Upto < head {
			order.After = outcome.Upto
		}
	}
	if head == 0 {
		return false, nil
	}
	_, fresh, err := k.Jobs.Start(ctx, scope, Kind, order, int64(head-order.After), key)
	return fresh, err
}

// Step is the handler of Kind.
func (k *Keeper) Step(ctx context.Context, s *job.Slice) (done bool, err error) {
	var at position
	if err := s.Read(&at); err != nil {
		return false, err
	}
	if err := s.At(&at); err != nil {
		return false, err
	}
	if at.Noted {
		outcome, err := k.decide(ctx, s.Scope(), at.After)
		if err != nil {
			return false, err
		}
		return true, s.Report(outcome)
	}
	head, err := k.Memories.Head(ctx, s.Scope())
	if err != nil {
		return false, err
	}
	changes, err := k.Memories.Changes(ctx, s.Scope(), "", at.After, observeStep)
	if err != nil {
		return false, fmt.Errorf("read what changed: %w", err)
	}
	if len(changes) == 0 {
		at.After, at.Noted = max(at.After, head), true // all up to the head, which was read before
		return false, s.GoOn(at)
	}
	if err := k.observe(ctx, s.Scope(), changes); err != nil {
		return false, err
	}
	at.After = changes[len(changes)-1].Seq
	s.Progress.Done += int64(len(changes))
	s.Progress.Total = max(s.Progress.Total, s.Progress.Done)
	return false, s.GoOn(at)
}

// observe notes what memories were told with. What was derived from others mentions nothing of its own.
func (k *Keeper) observe(ctx context.Context, scope memory.Scope, changes []memory.Change) error {
	var seen []knowledge.Sighting
	for i := range changes {
		c := &changes[i]
		if c.Gone || c.Reset || c.Version.RecordedTo != nil {
			continue
		}
		m := &c.Version.Memory
		sighting := knowledge.Sighting{MemoryID: m.ID, Version: m.Version, By: knowledge.ByTeller, At: m.CreatedAt}
		if m.OccurredAt != nil {
			sighting.At = *m.OccurredAt
		}
		if m.Layer != memory.Reflective {
			for _, e := range m.Entities {
				sighting.Mentions = append(sighting.Mentions, knowledge.Mention{Name: e.Name, Type: e.Type})
			}
		}
		if len(sighting.Mentions) > 0 || m.Version > 1 {
			seen = append(seen, sighting)
		}
	}
	if len(seen) == 0 {
		return nil
	}
	if err := k.Register.Observe(ctx, scope, seen); err != nil {
		return fmt.Errorf("note what %d memories mention: %w", len(seen), err)
	}
	return nil
}

// decide compares the entities of a scope and keeps what comes of it.
func (k *Keeper) decide(ctx context.Context, scope memory.Scope, upto memory.Seq) (outcome Outcome, err error) {
	outcome.Upto = upto
	mentioned, left, err := k.mentioned(ctx, scope)
	if err != nil {
		return outcome, err
	}
	outcome.Entities, outcome.Left = len(mentioned), left
	resolver := k.Resolver
	if resolver.Apart, err = k.apart(ctx, scope); err != nil {
		return outcome, err
	}
	r, err := resolver.Resolve(ctx, mentioned)
	if err != nil {
		return outcome, fmt.Errorf("compare %d entities: %w", len(mentioned), err)
	}
	moved := 0 // transactions that moved the head
	for some := range slices.Chunk(merges(&r, mentioned), uniteStep) {
		outcomes, err := k.Register.Unite(ctx, scope, some)
		if err != nil {
			return outcome, fmt.Errorf("unite: %w", err)
		}
		before := outcome.Merged
		for _, o := range outcomes {
			switch {
			case o.Err != nil:
				outcome.Refused++
			case o.Decision.ID != "":
				outcome.Merged++
			}
		}
		if outcome.Merged > before {
			moved++
		}
	}
	suggestions := make([]knowledge.Suggestion, 0, len(r.Suggestions))
	for _, l := range r.Suggestions[:min(len(r.Suggestions), knowledge.MaxSuggestions)] {
		suggestions = append(suggestions, knowledge.Suggestion{A: l.A, B: l.B, Score: l.Score, Reason: l.Reason, At: k.now()})
	}
	outcome.Suggested = len(suggestions)
	if err := k.Register.Suggest(ctx, scope, suggestions); err != nil {
		return outcome, fmt.Errorf("suggest: %w", err)
	}
	head, err := k.Memories.Head(ctx, scope)
	if err == nil && head == upto+memory.Seq(moved) { // nobody but we has written since
		outcome.Upto = head
	}
	return outcome, err
}

// mentioned reads the entities of a scope with what they are mentioned in, and counts those left out.
func (k *Keeper) mentioned(ctx context.Context, scope memory.Scope) (all []Mentioned, left int, err error) {
	groups, err := k.Register.Groups(ctx, scope, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("read who is who: %w", err)
	}
	of := map[string]string{}
	for _, g := range groups {
		for _, id := range g.Members {
			of[id] = g.Canonical()
		}
	}
	for after := ""; ; {
		page, err := k.Register.Entities(ctx, scope, after, pageOf)
		if err != nil {
			return nil, 0, fmt.Errorf("read entities: %w", err)
		}
		if fits := MostEntities - len(all); len(page) > fits {
			left += len(page) - fits
			after, page = page[len(page)-1].ID, page[:fits]
		} else if len(page) > 0 {
			after = page[len(page)-1].ID
		}
		if len(page) == 0 {
			return all, left, nil
		}
		if all, err = k.withContexts(ctx, scope, all, page, of); err != nil {
			return nil, 0, err
		}
	}
}

// withContexts adds the entities of a page.
func (k *Keeper) withContexts(ctx context.Context, scope memory.Scope, all []Mentioned, page []knowledge.Entity, of map[string]string) ([]Mentioned, error) {
	var ids []memory.ID
	wanted := map[memory.ID]bool{}
	for i := range page {
		for _, id := range page[i].Memories[:min(contextsOf, len(page[i].Memories))] {
			if !wanted[id] {
				wanted[id] = true
				ids = append(ids, id)
			}
		}
	}
	contents := map[memory.ID]string{}
	for some := range slices.Chunk(ids, pageOf/2) {
		found, err := k.Memories.Find(ctx, scope, some, memory.View{})
		if err != nil {
			return nil, fmt.Errorf("read what mentions entities: %w", err)
		}
		for i := range found {
			contents[found[i].ID] = found[i].Content
		}
	}
	for i := range page {
		e := &page[i]
		m := Mentioned{ID: e.ID, Name: e.Name, Type: e.Type, Aliases: e.Aliases, Mentions: e.Mentions, Group: of[e.ID]}
		for _, id := range e.Memories[:min(contextsOf, len(e.Memories))] {
			if said := sentenceOf(contents[id], e.Name); said != "" {
				m.Contexts = append(m.Contexts, said)
			}
		}
		all = append(all, m)
	}
	return all, nil
}

// sentenceOf is the first sentence of a content that has the name, its beginning where none has.
func sentenceOf(content, name string) string {
	if len(content) > 64<<10 {
		content = content[:64<<10]
	}
	for _, span := range text.Sentences(content) {
		if said := content[span.Start:span.End]; strings.Contains(strings.ToLower(said), strings.ToLower(name)) {
			return strings.ToValidUTF8(said[:min(len(said), longestContext)], "")
		}
	}
	return strings.ToValidUTF8(content[:min(len(content), longestContext)], "")
}

// apart tells whom decisions keep from whom.
func (k *Keeper) apart(ctx context.Context, scope memory.Scope) (func(a, b string) bool, error) {
	kept := map[[2]string]bool{}
	for before := int64(0); ; {
		page, err := k.Register.Decisions(ctx, scope, knowledge.DecisionQuery{Before: before, Limit: pageOf})
		if err != nil {
			return nil, fmt.Errorf("read decisions: %w", err)
		}
		for i := range page {
			before = page[i].Number
			if !page[i].KeepsApart() {
				continue
			}
			for _, a := range page[i].Members {
				for _, b := range page[i].Rest {
					kept[[2]string{min(a, b), max(a, b)}] = true
				}
			}
		}
		if len(page) < pageOf {
			return func(a, b string) bool { return kept[[2]string{min(a, b), max(a, b)}] }, nil
		}
	}
}

// merges are what makes the groups of a resolution, each with the best reason there is for whom it brings in.
func merges(r *Resolution, mentioned []Mentioned) (all []knowledge.Merge) {
	group := map[string]string{}
	for i := range mentioned {
		group[mentioned[i].ID] = cmp.Or(mentioned[i].Group, mentioned[i].ID)
	}
	best := map[string]*Link{}
	for i := range r.Links {
		l := &r.Links[i]
		for _, id := range []string{l.A, l.B} {
			if best[id] == nil {
				best[id] = l
			}
		}
	}
	for _, members := range r.Groups {
		in := map[string]bool{group[members[0]]: true}
		for _, id := range members[1:] {
			if in[group[id]] {
				continue // one with it already, or by way of another
			}
			in[group[id]] = true
			why := knowledge.Grounds{By: By, Method: "rules", Score: Certain}
			if l := best[id]; l != nil {
				why.Method, why.Reason, why.Score = l.Method, l.Reason, l.Score
			}
			all = append(all, knowledge.Merge{From: id, Into: members[0], Grounds: why})
		}
	}
	return all
}
