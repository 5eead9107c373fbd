package reflection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/groupcommit"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Reader is what reflecting reads.
type Reader interface {
	Find(ctx context.Context, scope memory.Scope, ids []memory.ID, at memory.View) ([]memory.Memory, error)
	List(ctx context.Context, scope memory.Scope, q memory.Query) (memory.Page, error)
}

// Writer is what forgetting and merging need.
type Writer interface {
	Write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error
}

// Keeper is what decay needs beyond reading: what was told before it, and a way to write the next version.
type Keeper interface {
	History(ctx context.Context, scope memory.Scope, id memory.ID) ([]memory.Version, error)
	Write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error
}

// Service reflects. Memories, Writer and Store are required.
type Service struct {
	Memories   Reader
	Writer     Writer
	Store      Store
	Scopes     memory.Directory // nil: what the budget of a whole tenant put off waits for its time
	Keeper     Keeper           // nil: nothing decays, and a reflection that should ends failed
	Uses       memory.Uses      // nil: nothing is known of how memories are used
	Extraction *Extraction      // nil: memories are not read, and Extract quotes alone
	// Model puts insights into words; nil or llm.None: they are quoted.
	Model llm.Model
	// Suspicious reports whether a text tries to command a model that reads it: none is shown it, and what quotes it says so;
	// nil: none does.
	Suspicious func(text string) bool
	Clock      func() time.Time // nil: time.Now
	Log        *slog.Logger     // nil: discarded

	considering groupcommit.Lines[memory.Scope, *consideration]
}

const (
	lease       = 40 * time.Second // of one claim: how long a killed worker keeps others waiting
	working     = 24 * time.Second // of one piece of work: a live worker never outlives its lease
	parting     = 10 * time.Second // to write down the end after the caller's deadline has passed
	maxAttempts = 5                // claims that led nowhere before a reflection is given up
)

// Start checks the request and queues a reflection; a record of reflection.due wakes a worker for it. The same key
// returns the reflection it started before.
func (s *Service) Start(ctx context.Context, scope memory.Scope, request Request, key memory.Key) (Reflection, error) {
	if request.Kind == "" {
		request.Kind = Insight
	}
	if err := request.check(); err != nil {
		return Reflection{}, err
	}
	wake, err := due(scope)
	if err != nil {
		return Reflection{}, err
	}
	r, _, err := s.Store.Create(ctx, scope, s.queued(scope, request), key, wake)
	return r, err
}

// Rehearse does what the request asks for in a dry run (llm.DryRun), within the time of one piece of work, and keeps nothing
// of it but what the calls of models would cost. Its error is that of a request that cannot be meant, of memories that cannot
// be read, or llm.NotInDryRun.
func (s *Service) Rehearse(ctx context.Context, scope memory.Scope, request Request) error {
	if request.Kind == "" {
		request.Kind = Insight
	}
	if err := request.check(); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, working)
	defer stop()
	for r := s.queued(scope, request); ; {
		r.Attempts = modelAttempts // there is no other time to wait for
		found, err := s.perform(ctx, scope, &r)
		if err != nil {
			return err
		}
		if r.Cursor = found.cursor; r.Cursor == "" {
			return llm.NotInDryRun()
		}
	}
}

// queued is a fresh reflection for the request.
func (s *Service) queued(scope memory.Scope, request Request) Reflection {
	r := Reflection{
		ID: memory.NewID(), TenantID: scope.Tenant, ProjectID: scope.Project, Kind: request.Kind,
		Filters: request.Filters, Since: utc(request.Since), Until: utc(request.Until), CreatedAt: s.now(),
	}
	return r.AsQueued()
}

// Run works on the reflection until it has ended or ctx has, and returns it as it then stands. One that is not to be
// claimed (another worker has it, or it has ended) is returned as it stands. Work that ctx cut short goes back into
// the queue. What goes wrong with the work itself is the reflection's status, not an error of Run.
func (s *Service) Run(ctx context.Context, scope memory.Scope, id memory.ID) (Reflection, error) {
	for {
		claim, err := s.Store.Claim(ctx, scope, id, lease)
		if fault.KindOf(err) == fault.Conflict {
			return s.Get(ctx, scope, id)
		}
		if err != nil {
			return Reflection{}, err
		}
		r, err := s.work(ctx, claim)
		if err != nil || r.Status != Queued {
			return r, err
		}
	}
}

// RunQueued claims and works on up to limit pieces of queued work, of any scope, until none is left or ctx ends. It
// returns how many it worked on. Work that failed is recorded on its reflection and does not stop the others.
func (s *Service) RunQueued(ctx context.Context, limit int) (int, error) {
	for n := range limit {
		if ctx.Err() != nil {
			return n, nil // what is left stays queued
		}
		if deadline, bounded := ctx.Deadline(); bounded && n > 0 && s.speaks() && time.Until(deadline) < working {
			return n, nil // a model that was cut off would be paid for nothing; the clock, or its own record, wakes another worker
		}
		claim, found, err := s.Store.Next(ctx, lease)
		if err != nil || !found {
			return n, err
		}
		if _, err := s.work(ctx, claim); err != nil {
			return n, err
		}
	}
	return limit, nil
}

// Resume has the work of the scope done that a budget put off, without a project that of all projects of the tenant, and
// returns how much of it. What the budget still refuses is put off again.
func (s *Service) Resume(ctx context.Context, scope memory.Scope) (int, error) {
	if scope.Project != "" {
		wake, err := due(scope)
		if err != nil {
			return 0, err
		}
		return s.Store.Resume(ctx, scope, wake)
	}
	resumed := 0
	if s.Scopes == nil {
		return 0, nil
	}
	const page = 100
	for after := scope; ; {
		scopes, err := s.Scopes.Scopes(ctx, after, page)
		if err != nil {
			return resumed, fmt.Errorf("list the projects of a tenant: %w", err)
		}
		for _, of := range scopes {
			if of.Tenant != scope.Tenant {
				return resumed, nil
			}
			n, err := s.Resume(ctx, of)
			if resumed += n; err != nil {
				return resumed, err
			}
		}
		if len(scopes) < page {
			return resumed, nil
		}
		after = scopes[len(scopes)-1]
	}
}

// Get reads one reflection and whether it is stale.
func (s *Service) Get(ctx context.Context, scope memory.Scope, id memory.ID) (Reflection, error) {
	r, err := s.Store.Get(ctx, scope, id)
	if err != nil {
		return Reflection{}, err
	}
	one := []Reflection{r}
	err = s.markStale(ctx, scope, one)
	return one[0], err
}

// List pages through reflections, newest first, each with whether it is stale.
func (s *Service) List(ctx context.Context, scope memory.Scope, q Query) (Page, error) {
	page, err := s.Store.List(ctx, scope, q)
	if err != nil {
		return Page{}, err
	}
	err = s.markStale(ctx, scope, page.Reflections)
	return page, err
}

// Cancel calls off a reflection that has not ended.
func (s *Service) Cancel(ctx context.Context, scope memory.Scope, id memory.ID) (Reflection, error) {
	return s.Store.Cancel(ctx, scope, id)
}

// work does one claimed piece of work and writes down how it ended.
func (s *Service) work(ctx context.Context, claim Claim) (Reflection, error) {
	scope, r := claim.Scope(), claim.Reflection
	if r.Attempts > maxAttempts {
		return s.finish(ctx, claim, failed(r, "given up: "+plural(maxAttempts, "attempt")+" ended before the work did"))
	}
	r.Error = "" // of the attempt before
	tallied, tally := llm.WithTally(ctx)
	limited, stop := context.WithTimeout(tallied, working)
	found, err := s.perform(limited, scope, &r)
	stop()
	bill := tally.Sum() // is paid whatever comes of it
	r.Calls, r.TokensIn, r.TokensOut, r.Cost = r.Calls+bill.Calls, r.TokensIn+bill.TokensIn, r.TokensOut+bill.TokensOut, r.Cost+budget.Cost(bill.NanoUSD)

	var away *modelError
	switch kind := fault.KindOf(err); {
	case errors.As(err, &away):
		wait := max(modelWaits[min(max(r.Attempts, 1), len(modelWaits))-1], fault.RetryAfterOf(err))
		s.log().WarnContext(ctx, "the language model does not answer: put off", "reflection", r.ID, "kind", r.Kind, "attempts", r.Attempts, "wait", wait, "err", err)
		return s.finish(ctx, claim, waiting(r, Queued, fault.Public(err), s.now().Add(wait)))
	case llm.Rejected(err):
		at, known := llm.RefilledAt(err)
		if latest := s.now().Add(refillWait); !known || at.After(latest) {
			at = latest
		}
		r.Attempts = 0 // nothing was tried
		return s.finish(ctx, claim, waiting(r, Parked, fault.Public(err), at))
	case err == nil:
		return s.finish(ctx, claim, succeeded(r, found), found.records...)
	case kind == fault.Timeout || kind == fault.Cancelled || kind == fault.Unavailable || kind == fault.RateLimited:
		r.Status = Queued // its time ran out or a dependency is away: somebody else may have more luck
		stands, errFinish := s.finish(ctx, claim, r)
		if errFinish != nil {
			return r, errors.Join(err, errFinish)
		}
		return stands, err
	default:
		s.log().ErrorContext(ctx, "reflection failed", "reflection", r.ID, "kind", r.Kind, "err", err)
		return s.finish(ctx, claim, failed(r, fault.Public(err)))
	}
}

// finish writes the end of a claim even when ctx has ended: an end not written would be work done again. A claim
// that has become stale is not an error: whoever has it now tells how the reflection stands.
func (s *Service) finish(ctx context.Context, claim Claim, r Reflection, records ...outbox.Record) (Reflection, error) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), parting)
	defer stop()
	switch {
	case r.Status.Final():
		now := s.now()
		r.FinishedAt = &now
	case r.NotBefore == nil && r.Attempts < maxAttempts: // beyond, the clock is soon enough
		wake, err := due(claim.Scope())
		if err != nil {
			return r, err
		}
		records = append(records, wake)
	}
	err := s.Store.Finish(ctx, claim.Scope(), r, claim.Fence, records...)
	switch fault.KindOf(err) {
	case fault.Conflict:
		return s.Store.Get(ctx, claim.Scope(), r.ID)
	case fault.NotFound: // erased while it was worked on
		return r, err
	}
	return r, err
}

// found is what a piece of work came to.
type found struct {
	ids      []memory.ID       // memories the reflection stands for, old and new
	sources  []memory.Citation // what they quote
	records  []outbox.Record   // what is to be told: memory.derived for each new one
	degraded []string
	method   Method
	cursor   string // not "": more is left, from here
}

// perform does the work of the reflection's kind.
func (s *Service) perform(ctx context.Context, scope memory.Scope, r *Reflection) (found, error) {
	switch r.Kind {
	case Decay:
		return s.decay(ctx, scope, r)
	case Forgetting:
		return s.forget(ctx, scope, r)
	case Merge:
		return s.merge(ctx, scope, r)
	case Summarize:
		return s.summarize(ctx, scope, r)
	case Extract:
		return s.extract(ctx, scope, r)
	case Insight, Consolidate, Promote:
		return s.derive(ctx, scope, r)
	}
	return found{}, fault.New(fault.Invalid, "reflection %s has an unknown kind", r.ID)
}

// succeeded is r after its work, or after a slice of it.
func succeeded(r Reflection, f found) Reflection {
	r.Status, r.NotBefore = Succeeded, nil
	if f.method == LLM {
		r.Method = LLM
	}
	r.MemoryIDs = append(r.MemoryIDs, f.ids...)
	r.Sources = append(r.Sources, f.sources...)
	r.Degraded = union(r.Degraded, f.degraded)
	if f.cursor != "" {
		r.Status, r.Attempts = Queued, 0
	}
	r.Cursor = f.cursor
	return r
}

// waiting is r after work that is put off.
func waiting(r Reflection, status Status, why string, until time.Time) Reflection {
	until = until.UTC().Truncate(time.Microsecond)
	r.Status, r.Error, r.NotBefore = status, why, &until
	return r
}

// modelWaits is how long work waits whose model did not answer: after the first attempt, and after each further one.
var modelWaits = [...]time.Duration{10 * time.Second, time.Minute}

// refillWait is how long work waits that the budget refused, at most: what is held for other calls may come back before the
// refill.
const refillWait = time.Hour

// failed is r after work that had no effect.
func failed(r Reflection, why string) Reflection {
	r.Status, r.Error = Failed, why
	return r
}

func (s *Service) now() time.Time {
	if s.Clock == nil {
		return time.Now().UTC().Truncate(time.Microsecond)
	}
	return s.Clock().UTC().Truncate(time.Microsecond)
}

func (s *Service) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// utc returns the same instant in UTC, as JSON shows it.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// union appends what is new to the first list, in order.
func union(lists ...[]string) []string {
	all := []string{}
	seen := map[string]bool{}
	for _, list := range lists {
		for _, value := range list {
			if !seen[value] {
				seen[value] = true
				all = append(all, value)
			}
		}
	}
	return all
}
