package embed

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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

// Reembed gives every memory of a scope its vector of a model, where that is missing, beside those of other models,
// which searches go on using meanwhile. It follows the scope's feed from its beginning to its head, so what is written
// while it works is reached too, and its own vectors are seen again on the way, which is the check that they are there.
// A memory that waits for the vector of another model waits no longer when it has this one.
type Reembed struct {
	Memories Vectors
	Embedder func(model string) (Embedder, error) // Invalid for a model there is none of; "" is the one searches use
}

// reembedOrder is the arguments of a job.
type reembedOrder struct {
	Model string `json:"model"`
}

// reembedAt is the cursor of a job.
type reembedAt struct {
	After memory.Seq `json:"after"` // the last change dealt with
	Until memory.Seq `json:"until"` // the head when it began; what comes after has been written since
}

// Start queues a job that embeds the scope by the model, or goes on with the one that has not ended: what waits for
// another try, or is parked, is due at once.
func (r *Reembed) Start(ctx context.Context, jobs *job.Runner, scope memory.Scope, model string) (job.Job, error) {
	embedder, err := r.Embedder(model)
	if err != nil {
		return job.Job{}, err
	}
	order := reembedOrder{Model: embedder.Model()}
	standing, found, err := r.open(ctx, jobs.Store, scope, order)
	switch {
	case err != nil:
		return job.Job{}, err
	case !found:
		head, err := r.Memories.Head(ctx, scope)
		if err != nil {
			return job.Job{}, err
		}
		j, _, err := jobs.Start(ctx, scope, ReembedKind, order, int64(head), memory.Key{})
		return j, err
	case standing.Status == job.Running:
		return standing, nil
	}
	resumed, err := jobs.Store.Unpark(ctx, scope, standing.ID)
	if fault.KindOf(err) == fault.Conflict { // somebody works on it, or it has just ended
		return jobs.Store.Get(ctx, scope, standing.ID)
	}
	return resumed, err
}

// Await queues a job that embeds the scope by the model, for memories that could not be embedded now; one that has not
// ended will find them, and is left to its own time.
func (r *Reembed) Await(ctx context.Context, jobs *job.Runner, scope memory.Scope, model string) error {
	embedder, err := r.Embedder(model)
	if err != nil {
		return err
	}
	_, found, err := r.open(ctx, jobs.Store, scope, reembedOrder{Model: embedder.Model()})
	if err != nil || found {
		return err
	}
	_, err = r.Start(ctx, jobs, scope, model)
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
	embedder, err := r.Embedder(order.Model)
	if err != nil {
		return false, err
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
		s.Progress.Total = s.Progress.Done
		return true, nil
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
