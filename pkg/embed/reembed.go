package embed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// ReembedKind is the kind of the jobs that Reembed works on.
const ReembedKind = "reembed"

const (
	reembedStep = 32               // changes of a scope looked at in one step
	reembedCall = 15 * time.Second // of the embedder, for one step: it must fit in a slice
)

// Vectors is what Reembed needs of a memory.Store: the feed, which tells what has which vector, and a way to attach.
type Vectors interface {
	memory.Feed
	Write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error
}

// Reembed moves scopes from one embedding model to another while they are searched and written. Start makes a model the
// scope's next one: from then on what is written gets its vectors, too, and a job gives them to every memory that lacks
// one, beside those of other models, which searches go on using meanwhile. When it is done it compares both. Switch lets
// searches use the next model, Rollback the one before again, and Forget removes vectors nobody wants any more.
//
// The job follows the scope's feed from its beginning to its head, so what is written while it works is reached too, and
// its own vectors are seen again on the way, which is the check that they are there. A memory that waits for the vector of
// another model waits no longer when it has this one.
type Reembed struct {
	Memories Vectors
	Spaces   *Spaces
	Scopes   memory.Directory // which scopes to upgrade
	Jobs     *job.Runner      // that works on its jobs

	upgraded atomic.Pointer[string] // what Upgrade last saw to
}

// reembedOrder is the arguments of a job.
type reembedOrder struct {
	Model  string `json:"model"`
	Switch bool   `json:"switch,omitempty"` // as soon as it is done, unless somebody chose meanwhile
}

// reembedAt is the cursor of a job.
type reembedAt struct {
	After   memory.Seq `json:"after"`             // the last change dealt with
	Until   memory.Seq `json:"until"`             // the head when it began; what comes after has been written since
	Settled bool       `json:"settled,omitempty"` // see settle
}

// Start makes the model the scope's next one and queues a job that embeds the scope by it, or goes on with the one that
// has not ended: what waits for another try, or is parked, is due at once. For a model the scope has already, the job gives
// vectors of it to what lacks one. Conflict while the scope is on its way to yet another model.
func (r *Reembed) Start(ctx context.Context, scope memory.Scope, model string) (job.Job, error) {
	embedder, err := r.Spaces.Resolve(model)
	if err != nil {
		return job.Job{}, err
	}
	return r.begin(ctx, scope, reembedOrder{Model: embedder.Model()})
}

func (r *Reembed) begin(ctx context.Context, scope memory.Scope, order reembedOrder) (job.Job, error) {
	if err := r.want(ctx, scope, order.Model); err != nil {
		return job.Job{}, err
	}
	turn, err := r.turn(ctx, scope, order) // before looking for an open one, or one begun meanwhile would be followed
	if err != nil {
		return job.Job{}, err
	}
	standing, found, err := r.open(ctx, r.Jobs.Store, scope, order)
	switch {
	case err != nil:
		return job.Job{}, err
	case !found:
		head, err := r.Memories.Head(ctx, scope)
		if err != nil {
			return job.Job{}, err
		}
		j, _, err := r.Jobs.Start(ctx, scope, ReembedKind, order, int64(head), turn)
		return j, err
	case standing.Status == job.Running:
		return standing, nil
	}
	resumed, err := r.Jobs.Store.Unpark(ctx, scope, standing.ID)
	if fault.KindOf(err) == fault.Conflict { // somebody works on it, or it has just ended
		return r.Jobs.Store.Get(ctx, scope, standing.ID)
	}
	return resumed, err
}

// turn is the key of the job that begins next: of those who begin one at once, all get the same.
func (r *Reembed) turn(ctx context.Context, scope memory.Scope, order reembedOrder) (memory.Key, error) {
	before, err := r.Jobs.Store.List(ctx, scope, job.Query{Kind: ReembedKind, Limit: 1})
	key := memory.Key{Route: ReembedKind, Key: "first: " + order.Model, Fingerprint: order.Model}
	if len(before.Jobs) > 0 {
		key.Key = string(before.Jobs[0].ID) + ": " + order.Model
	}
	return key, err
}

// Await queues a job that embeds the scope by the model, for memories that could not be embedded now; one that has not
// ended will find them, and is left to its own time.
func (r *Reembed) Await(ctx context.Context, scope memory.Scope, model string) error {
	embedder, err := r.Spaces.Resolve(model)
	if err != nil {
		return err
	}
	order := reembedOrder{Model: embedder.Model()}
	_, found, err := r.open(ctx, r.Jobs.Store, scope, order)
	if err != nil || found {
		return err
	}
	_, err = r.begin(ctx, scope, order)
	return err
}

// want makes the model one of those the scope's memories get vectors of.
func (r *Reembed) want(ctx context.Context, scope memory.Scope, model string) error {
	_, err := r.Spaces.Choose(ctx, scope, func(m memory.Models) (memory.Models, error) {
		if slices.Contains(m.Wanted(), model) {
			return m, nil
		}
		if m.Next != "" {
			return m, fault.New(fault.Conflict, "the project is on its way to %s: switch to it or forget it first", m.Next)
		}
		m.Next = model
		return m, nil
	})
	return err
}

// open finds the job of the order that has not ended.
func (r *Reembed) open(ctx context.Context, store job.Store, scope memory.Scope, order reembedOrder) (job.Job, bool, error) {
	want, err := json.Marshal(order)
	if err != nil {
		return job.Job{}, false, fault.Wrap(fault.Internal, err, "encode an order")
	}
	for _, status := range []job.Status{job.Running, job.Queued, job.Parked} {
		page, err := store.List(ctx, scope, job.Query{Kind: ReembedKind, Status: status, Limit: 1000})
		if err != nil {
			return job.Job{}, false, err
		}
		for _, j := range page.Jobs {
			if bytes.Equal(j.Arguments, want) {
				return j, true, nil
			}
		}
	}
	return job.Job{}, false, nil
}

// Step is the handler of ReembedKind. Done again it changes nothing: a vector that is there is not made again.
func (r *Reembed) Step(ctx context.Context, s *job.Slice) (done bool, err error) {
	var order reembedOrder
	if err := s.Read(&order); err != nil {
		return false, err
	}
	embedder, err := r.Spaces.Resolve(order.Model)
	if err != nil {
		return false, err
	}
	models, err := r.Spaces.Now(ctx, s.Scope())
	if err != nil {
		return false, err
	}
	if !slices.Contains(models.Wanted(), order.Model) {
		return false, fault.New(fault.Invalid, "the project does not want vectors of %s any more", order.Model)
	}
	var at reembedAt
	if err := s.At(&at); err != nil {
		return false, err
	}
	if len(s.Cursor) == 0 {
		if at.Until, err = r.Memories.Head(ctx, s.Scope()); err != nil {
			return false, err
		}
	}
	changes, err := r.Memories.Changes(ctx, s.Scope(), order.Model, at.After, reembedStep)
	if err != nil {
		return false, fmt.Errorf("read what changed: %w", err)
	}
	if len(changes) == 0 {
		if !at.Settled {
			at.Settled = true
			return false, errors.Join(r.settle(ctx, s.CreatedAt), s.GoOn(at))
		}
		return true, r.conclude(ctx, s, models, order)
	}
	ready, missing := sortOut(changes, at.Until)
	if err := r.attach(ctx, s.Scope(), embedder, missing); err != nil {
		return false, err
	}
	s.Progress.Done += int64(ready + len(missing))
	at.After = changes[len(changes)-1].Seq
	s.Progress.Total = s.Progress.Done + int64(max(at.Until-at.After, 0)) // a memory is at least one change
	return false, s.GoOn(at)
}

// settle waits until every process that writes knows of the job's model, counted from when the job was made: what one of
// them wrote before without a vector of it is then in the feed. What is written later and lacks one, because its writer
// began before, is filled in by event.
func (r *Reembed) settle(ctx context.Context, since time.Time) error {
	left := since.Add(2 * r.Spaces.within()).Sub(r.Spaces.now())
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(min(left, 2*r.Spaces.within())) // the store's clock may be another
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sortOut counts the current versions that have their vector and returns those that have none. After until, what has its
// vector is not counted: most of it has been before, and is seen again because it was given its vector.
func sortOut(changes []memory.Change, until memory.Seq) (ready int, missing []*memory.Memory) {
	for i := range changes {
		c := &changes[i]
		switch {
		case c.Gone, c.Reset, c.Version.RecordedTo != nil:
		case c.Vector != nil:
			if c.Seq <= until {
				ready++
			}
		default:
			missing = append(missing, &c.Version.Memory)
		}
	}
	return ready, missing
}

// attach embeds the memories and attaches the vectors, in one transaction. A memory that is gone or has moved on
// meanwhile is left alone: its change follows in the feed.
func (r *Reembed) attach(ctx context.Context, scope memory.Scope, e Embedder, missing []*memory.Memory) error {
	if len(missing) == 0 {
		return nil
	}
	texts := make([]string, len(missing))
	for i, m := range missing {
		texts[i] = m.Content
	}
	vectors, err := Documents(llm.WithPayer(ctx, scope), e, reembedCall, texts)
	if err != nil {
		return fmt.Errorf("embed %d memories: %w", len(missing), err)
	}
	err = r.Memories.Write(ctx, scope, func(tx memory.Tx) error {
		for i, m := range missing {
			if _, err := tx.Attach(ctx, m.ID, m.Version, memory.Vector{Model: e.Model(), Values: vectors[i]}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("attach %d vectors: %w", len(missing), err)
	}
	return nil
}
