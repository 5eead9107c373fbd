package reflection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// ForgettingRun is what a reflection of kind forget goes by and came to.
type ForgettingRun struct {
	By       string    `json:"by" doc:"Who asked for it; clock: the day's run."`
	Policies Policies  `json:"policies" doc:"As they were when it was asked for."`
	UndoOf   memory.ID `json:"undo_of,omitempty" doc:"The run whose memories it brings back."`
	Looked   int       `json:"looked" doc:"Memories looked at."`
	Archived int       `json:"archived" doc:"Memories it archived."`
	Deleted  int       `json:"deleted" doc:"Memories it deleted, archived by runs whose grace period had passed."`
	Restored int       `json:"restored" doc:"Memories it brought back."`
	Until    time.Time `json:"undo_until" doc:"Until then everything it archived can be brought back; later not what a policy deletes."`
}

const (
	forgetSlice = 200 // memories looked at per transaction
	forgetPart  = 20  // slices per claim
	forgetTold  = 100 // memories a dry run tells of
)

// Phases of a run, as its cursor begins.
const (
	phaseArchive = "archive"
	phaseDelete  = "delete"
)

// Forgettable is one memory that a run would forget, and why.
type Forgettable struct {
	MemoryID memory.ID    `json:"memory_id"`
	Layer    memory.Layer `json:"layer"`
	Action   Mode         `json:"action" enum:"archive,delete"`
	Reason   string       `json:"reason"`
}

// Rehearsal is what a run would do.
type Rehearsal struct {
	Looked  int           `json:"looked" doc:"Memories looked at."`
	Archive int           `json:"archive" doc:"Memories it would archive, over all runs it takes."`
	Delete  int           `json:"delete" doc:"Memories whose grace period has passed, which it would delete."`
	First   []Forgettable `json:"first" doc:"The first hundred of them."`
	Whole   bool          `json:"whole" doc:"False: there was no time to look at all."`
}

// Policies returns how the scope forgets, one of each layer.
func (s *Service) Policies(ctx context.Context, scope memory.Scope) (Policies, error) {
	p, err := s.Store.Policies(ctx, scope)
	if err != nil {
		return Policies{}, err
	}
	p = p.filled()
	every := make([]Policy, 0, len(memory.Layers()))
	for _, layer := range memory.Layers() {
		every = append(every, *p.of(layer))
	}
	p.Policies = every
	return p, nil
}

// SetPolicies replaces how the scope forgets. Invalid names the field that cannot be meant.
func (s *Service) SetPolicies(ctx context.Context, scope memory.Scope, p Policies, by string) (Policies, error) {
	p, err := p.checked()
	if err != nil {
		return Policies{}, err
	}
	now := s.now()
	p.UpdatedAt, p.UpdatedBy = &now, by
	if err := s.Store.SetPolicies(ctx, scope, p); err != nil {
		return Policies{}, err
	}
	return s.Policies(ctx, scope)
}

// StartForgetting queues a run by the scope's policies. The same key returns the run it started before.
func (s *Service) StartForgetting(ctx context.Context, scope memory.Scope, by string, key memory.Key) (Reflection, error) {
	r, _, err := s.startForgetting(ctx, scope, ForgettingRun{By: by}, key)
	return r, err
}

func (s *Service) startForgetting(ctx context.Context, scope memory.Scope, run ForgettingRun, key memory.Key) (Reflection, bool, error) {
	p, err := s.Store.Policies(ctx, scope)
	if err != nil {
		return Reflection{}, false, fmt.Errorf("read the policies of %s: %w", scope, err)
	}
	run.Policies = p.filled()
	r := s.queued(scope, Request{Kind: Forgetting})
	run.Until = r.CreatedAt.Add(run.Policies.grace())
	r.Forgetting = &run
	wake, err := due(scope)
	if err != nil {
		return Reflection{}, false, err
	}
	return s.Store.Create(ctx, scope, r, key, wake)
}

// Undo queues the bringing back of everything a run archived that still is: each memory is then as it was before, to the
// byte. What has been deleted since, after the grace period, is gone. NotFound when there is no such run, Conflict while it is
// being worked on; one that waits is called off.
func (s *Service) Undo(ctx context.Context, scope memory.Scope, run memory.ID, by string, key memory.Key) (Reflection, error) {
	r, err := s.Store.Get(ctx, scope, run)
	switch {
	case err != nil:
		return Reflection{}, err
	case !r.archives():
		return Reflection{}, fault.New(fault.NotFound, "there is no such run of forgetting")
	case r.Status == Running:
		return Reflection{}, fault.New(fault.Conflict, "run %s is being worked on: cancel it first, or wait", run)
	case !r.Status.Final():
		if _, err := s.Store.Cancel(ctx, scope, run); err != nil {
			return Reflection{}, err
		}
	}
	undo, _, err := s.startForgetting(ctx, scope, ForgettingRun{By: by, UndoOf: run}, key)
	return undo, err
}

// archives reports whether a reflection archives memories, so that it can be undone.
func (r *Reflection) archives() bool {
	return r.Kind == Merge || r.Kind == Forgetting && r.Forgetting != nil && r.Forgetting.UndoOf == ""
}

// ForgetScopes queues the day's run of every scope whose policies forget something, once a day each, and returns how many it
// queued. An empty tenant or project of within does not restrict. It is idempotent and cheap to repeat.
func (s *Service) ForgetScopes(ctx context.Context, within memory.Scope) (int, error) {
	day, queued := s.now().Format(time.DateOnly), 0
	for after := (memory.Scope{}); ; {
		const page = 100
		scopes, err := s.Store.PolicyScopes(ctx, after, page)
		if err != nil {
			return queued, fmt.Errorf("list the scopes that forget: %w", err)
		}
		for _, scope := range scopes {
			after = scope
			if within.Tenant != "" && within.Tenant != scope.Tenant || within.Project != "" && within.Project != scope.Project {
				continue
			}
			p, err := s.Store.Policies(ctx, scope)
			if err != nil {
				return queued, fmt.Errorf("read the policies of a scope: %w", err)
			}
			if len(p.layers(Archive, Delete)) == 0 {
				continue
			}
			key := memory.Key{Route: "maintenance.due", Key: "forget " + day, Fingerprint: day}
			_, fresh, err := s.startForgetting(ctx, scope, ForgettingRun{By: "clock"}, key)
			if err != nil {
				return queued, fmt.Errorf("queue the forgetting of a scope: %w", err)
			}
			if fresh {
				queued++
			}
		}
		if len(scopes) < page {
			return queued, nil
		}
	}
}

// RehearseForgetting tells what a run would do now, and changes nothing. It looks for the time of one piece of work.
func (s *Service) RehearseForgetting(ctx context.Context, scope memory.Scope) (Rehearsal, error) {
	out := Rehearsal{First: []Forgettable{}}
	p, err := s.Store.Policies(ctx, scope)
	if err != nil {
		return out, err
	}
	limited, stop := context.WithTimeout(ctx, working)
	defer stop()
	g := s.forgetting(scope, p.filled())
	tell := func(all []Forgettable, count *int) {
		*count += len(all)
		out.First = append(out.First, all[:min(len(all), forgetTold-len(out.First))]...)
	}
	err = g.each(limited, g.policies.layers(Archive, Delete), memory.WithoutArchived, "", -1, func(page []memory.Memory) error {
		all, err := g.toArchive(limited, page)
		out.Looked += len(page)
		tell(all, &out.Archive)
		return err
	}, nil)
	if err == nil {
		err = g.each(limited, g.policies.layers(Delete), memory.OnlyArchived, "", -1, func(page []memory.Memory) error {
			all, err := g.toDelete(limited, page)
			out.Looked += len(page)
			tell(all, &out.Delete)
			return err
		}, nil)
	}
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return out, nil
	}
	out.Whole = err == nil
	return out, err
}

// forget does a part of a run: first it deletes what runs before archived and need not keep any more, then it archives.
// Each slice is a transaction of its own, and finds nothing to do when it is done again.
func (s *Service) forget(ctx context.Context, scope memory.Scope, r *Reflection) (found, error) {
	if r.Forgetting == nil {
		return found{}, fault.New(fault.Invalid, "reflection %s does not say how to forget", r.ID)
	}
	run := *r.Forgetting // what is counted holds when the part is done, and no sooner
	g := s.forgetting(scope, run.Policies)
	phase, after, _ := strings.Cut(cmp.Or(r.Cursor, phaseDelete+":"), ":")
	layers, seen, do, then := g.policies.layers(Delete), memory.OnlyArchived, g.deletes, phaseArchive
	switch {
	case run.UndoOf != "":
		phase, after = "", r.Cursor
		layers, do, then = memory.Layers(), g.restores, ""
	case phase == phaseArchive:
		layers, seen, do, then = g.policies.layers(Archive, Delete), memory.WithoutArchived, g.archives, ""
		if r.Attempts > 1 { // a part whose end nobody wrote down is done again, and must be counted
			seen = memory.WithArchived
		}
	}
	var f found
	next, err := g.pages(ctx, layers, seen, after, func(page []memory.Memory) (bool, error) {
		if err := s.stillOn(ctx, scope, r); err != nil {
			return false, err
		}
		ids, err := do(ctx, r.ID, &run, page)
		run.Looked += len(page)
		f.ids = append(f.ids, ids[:min(len(ids), max(0, decayNamed-len(r.MemoryIDs)-len(f.ids)))]...)
		return run.room() > 0, err
	})
	if err != nil {
		return found{}, err
	}
	switch r.Forgetting = &run; {
	case run.room() <= 0:
		f.degraded = append(f.degraded, "max_per_run")
	case next != "" && phase == "":
		f.cursor = next
	case next != "":
		f.cursor = phase + ":" + next
	case then != "":
		f.cursor = then + ":"
	}
	return f, nil
}

// room is how many memories more the run may forget.
func (f *ForgettingRun) room() int {
	if f.UndoOf != "" {
		return most // it forgets none
	}
	return f.Policies.MaxPerRun - f.Archived - f.Deleted
}

// archives archives what the policies forget of a page, and returns what the run has archived of it.
func (g *forgetting) archives(ctx context.Context, by memory.ID, run *ForgettingRun, page []memory.Memory) ([]memory.ID, error) {
	all, err := g.toArchive(ctx, page)
	if err != nil {
		return nil, err
	}
	ids, err := g.archive(ctx, by, page, all[:min(len(all), run.room())])
	for i := range page {
		if page[i].ArchivedBy == by {
			ids = append(ids, page[i].ID)
		}
	}
	run.Archived += len(ids)
	return ids, err
}

// deletes deletes what need not be kept any more of a page. What is gone is not named.
func (g *forgetting) deletes(ctx context.Context, _ memory.ID, run *ForgettingRun, page []memory.Memory) ([]memory.ID, error) {
	all, err := g.toDelete(ctx, page)
	if err != nil {
		return nil, err
	}
	gone, err := g.delete(ctx, page, all[:min(len(all), run.room())])
	run.Deleted += gone
	return nil, err
}

// restores brings back what the run that is undone archived of a page.
func (g *forgetting) restores(ctx context.Context, _ memory.ID, run *ForgettingRun, page []memory.Memory) (back []memory.ID, err error) {
	var ids []memory.ID
	for i := range page {
		if page[i].ArchivedBy == run.UndoOf {
			ids = append(ids, page[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	err = g.Writer.Write(ctx, g.scope, func(tx memory.Tx) (err error) {
		back, err = tx.Unarchive(ctx, ids, run.UndoOf)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("bring back %s: %w", plural(len(ids), "memory"), err)
	}
	run.Restored += len(back)
	return back, nil
}

// stillOn fails for work that somebody has called off: the writes of memories are not fenced.
func (s *Service) stillOn(ctx context.Context, scope memory.Scope, r *Reflection) error {
	stands, err := s.Store.Get(ctx, scope, r.ID)
	if err != nil {
		return err
	}
	if stands.Status != Running {
		return fault.New(fault.Conflict, "it is %s", stands.Status)
	}
	return nil
}

// forgetting is what decides what is forgotten of a scope.
type forgetting struct {
	*Service
	scope    memory.Scope
	policies Policies
	now      time.Time
	runs     map[memory.ID]*ForgettingRun // nil: there is none, or it does not archive
}

func (s *Service) forgetting(scope memory.Scope, p Policies) *forgetting {
	return &forgetting{s, scope, p, s.now(), map[memory.ID]*ForgettingRun{}}
}

// pages visits as many pages as one claim looks at, until visit reports false, and returns where the next ones begin.
func (g *forgetting) pages(ctx context.Context, layers []memory.Layer, seen memory.Archived, after string, visit func([]memory.Memory) (bool, error)) (next string, err error) {
	enough := errors.New("enough")
	err = g.each(ctx, layers, seen, memory.ID(after), forgetPart, func(page []memory.Memory) error {
		more, err := visit(page)
		if err == nil && !more {
			err = enough
		}
		return err
	}, &next)
	if errors.Is(err, enough) {
		err = nil
	}
	return next, err
}

// each visits pages of the memories of layers, so many (-1: all), and says in next, which may be nil, behind which it stopped.
func (g *forgetting) each(ctx context.Context, layers []memory.Layer, seen memory.Archived, after memory.ID, pages int, visit func([]memory.Memory) error, next *string) error {
	if len(layers) == 0 {
		return nil
	}
	for ; pages != 0; pages-- {
		page, err := g.Memories.List(ctx, g.scope, memory.Query{Filter: memory.Filter{Layers: layers, Archived: seen}, After: after, Limit: forgetSlice})
		if err != nil {
			return fmt.Errorf("read memories to forget: %w", err)
		}
		if len(page.Memories) > 0 {
			if err := visit(page.Memories); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		after = page.Next
	}
	if next != nil {
		*next = string(after)
	}
	return nil
}

// toArchive are those of the memories that the policies forget, with the reason.
func (g *forgetting) toArchive(ctx context.Context, memories []memory.Memory) ([]Forgettable, error) {
	var likely []memory.Memory
	var ids []memory.ID
	for i := range memories {
		m := &memories[i]
		p := g.policies.of(m.Layer)
		if p.Mode == Off || m.ArchivedAt != nil || m.Scope() != g.scope || g.now.Sub(m.CreatedAt) < days(p.AfterDays) ||
			p.BelowImportance != nil && m.Importance >= *p.BelowImportance ||
			slices.ContainsFunc(p.KeepTags, func(tag string) bool { return slices.Contains(m.Tags, tag) }) {
			continue
		}
		likely = append(likely, *m)
		if p.KeepUsedWithinDays > 0 {
			ids = append(ids, m.ID)
		}
	}
	uses := map[memory.ID]memory.Use{}
	if len(ids) > 0 && g.Uses != nil {
		var err error
		if uses, err = g.Uses.Use(ctx, g.scope, ids); err != nil {
			return nil, fmt.Errorf("read how memories are used: %w", err)
		}
	}
	var all []Forgettable
	for i := range likely {
		m := &likely[i]
		p := g.policies.of(m.Layer)
		used := uses[m.ID].LastUsedAt
		if used != nil && g.now.Sub(*used) <= days(p.KeepUsedWithinDays) {
			continue
		}
		told, err := g.toldAt(ctx, m)
		if fault.KindOf(err) == fault.NotFound {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		age := g.now.Sub(told)
		if age < days(p.AfterDays) {
			continue
		}
		reason := fmt.Sprintf("told %s ago, policy %s", plural(int(age/oneDay), "day"), plural(p.AfterDays, "day"))
		if p.BelowImportance != nil {
			reason += fmt.Sprintf("; importance %.2f, below %.2f", m.Importance, *p.BelowImportance)
		}
		if p.KeepUsedWithinDays > 0 {
			reason += fmt.Sprintf("; not used within %s", plural(p.KeepUsedWithinDays, "day"))
		}
		all = append(all, Forgettable{m.ID, m.Layer, Archive, reason})
	}
	return all, nil
}

// toldAt is when somebody last told the memory: what lowered its importance told nothing.
func (g *forgetting) toldAt(ctx context.Context, m *memory.Memory) (time.Time, error) {
	if g.Keeper == nil || m.Version == 1 || g.now.Sub(m.UpdatedAt) >= days(g.policies.of(m.Layer).AfterDays) {
		return m.UpdatedAt, nil
	}
	told, err := g.lastTold(ctx, g.scope, m.ID)
	return told.RecordedFrom, err
}

// archive marks those of page that are to be forgotten and stand as they were read.
func (g *forgetting) archive(ctx context.Context, by memory.ID, page []memory.Memory, all []Forgettable) (ids []memory.ID, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	versions := versionsOf(page)
	err = g.Writer.Write(ctx, g.scope, func(tx memory.Tx) error {
		var same []memory.ID
		for _, one := range all {
			standing, err := tx.Get(ctx, one.MemoryID)
			switch {
			case err == nil && standing.Version == versions[one.MemoryID]:
				same = append(same, one.MemoryID)
			case err != nil && fault.KindOf(err) != fault.NotFound:
				return err
			} // deleted or told anew meanwhile: the next run sees it as it is then
		}
		var err error
		ids, err = tx.Archive(ctx, same, by)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("archive %s: %w", plural(len(all), "memory"), err)
	}
	return ids, nil
}

// toDelete are those of archived memories that a run archived to be deleted, whose grace period has passed.
func (g *forgetting) toDelete(ctx context.Context, memories []memory.Memory) ([]Forgettable, error) {
	var all []Forgettable
	for i := range memories {
		m := &memories[i]
		if m.ArchivedAt == nil || m.Scope() != g.scope {
			continue
		}
		run, err := g.runOf(ctx, m.ArchivedBy)
		if err != nil {
			return nil, err
		}
		if run == nil || run.Policies.of(m.Layer).Mode != Delete || g.now.Sub(*m.ArchivedAt) < run.Policies.grace() {
			continue
		}
		all = append(all, Forgettable{m.ID, m.Layer, Delete, fmt.Sprintf("archived %s ago by run %s, grace period %s",
			plural(int(g.now.Sub(*m.ArchivedAt)/oneDay), "day"), m.ArchivedBy, plural(run.Policies.GraceDays, "day"))})
	}
	return all, nil
}

// runOf is the run of an id, nil for one that does not archive.
func (g *forgetting) runOf(ctx context.Context, id memory.ID) (*ForgettingRun, error) {
	if run, known := g.runs[id]; known {
		return run, nil
	}
	r, err := g.Store.Get(ctx, g.scope, id)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return nil, fmt.Errorf("read run %s: %w", id, err)
	}
	g.runs[id] = nil
	if err == nil && r.archives() {
		g.runs[id] = r.Forgetting
	}
	return g.runs[id], nil
}

// delete deletes those of page that still are archived by whom they were read to be.
func (g *forgetting) delete(ctx context.Context, page []memory.Memory, all []Forgettable) (gone int, err error) {
	if len(all) == 0 {
		return 0, nil
	}
	by := map[memory.ID]memory.ID{}
	for i := range page {
		by[page[i].ID] = page[i].ArchivedBy
	}
	err = g.Writer.Write(ctx, g.scope, func(tx memory.Tx) error {
		gone = 0
		for _, one := range all {
			standing, err := tx.Get(ctx, one.MemoryID)
			if err == nil && (standing.ArchivedAt == nil || standing.ArchivedBy != by[one.MemoryID]) {
				continue // brought back meanwhile
			}
			if err == nil {
				err = tx.Delete(ctx, one.MemoryID)
			}
			switch {
			case err == nil:
				gone++
			case fault.KindOf(err) != fault.NotFound:
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("delete %s: %w", plural(len(all), "memory"), err)
	}
	return gone, nil
}

func versionsOf(memories []memory.Memory) map[memory.ID]int {
	versions := make(map[memory.ID]int, len(memories))
	for i := range memories {
		versions[memories[i].ID] = memories[i].Version
	}
	return versions
}

func days(n int) time.Duration { return time.Duration(n) * oneDay }
