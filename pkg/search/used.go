package search

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// Bounds of what is noted of use before it is written down.
const (
	notedFor   = time.Minute     // after which the next answer has the notes written
	maxNotes   = 10_000          // memories; hits of others are lost until the notes have been written
	useTimeout = 5 * time.Second // of writing down everything
)

// Used notes in the process which memories answers held, and has it written down later, together, beside an answer: a
// search waits for no write. The first answer a minute after the oldest note has all of them written; Close writes the rest.
// What a killed process had noted is lost. A note whose writing failed is kept and told again: an answer that was lost on the way may be
// counted twice. Uses is required.
type Used struct {
	Uses  memory.Uses
	Clock func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: discarded

	mu      sync.Mutex
	notes   map[memory.Scope]map[memory.ID]*memory.Hits
	count   int       // of memories noted
	lost    int       // hits that found no room since that was last logged
	since   time.Time // the oldest note; zero when there is none
	writing bool
	running sync.WaitGroup
}

// Note notes that an answer held the memories, each once. A dry run uses nothing. A nil Used notes nothing.
func (u *Used) Note(ctx context.Context, scope memory.Scope, ids []memory.ID) {
	if u == nil || len(ids) == 0 || llm.DryRunOf(ctx) != nil {
		return
	}
	now := u.now()
	u.mu.Lock()
	u.add(scope, ids, now)
	due := !u.writing && now.Sub(u.since) >= notedFor
	if due {
		u.writing = true
		u.running.Add(1)
	}
	u.mu.Unlock()
	if due {
		go func() {
			defer u.running.Done()
			ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), useTimeout)
			defer stop()
			_ = u.write(ctx) // what failed is logged, and tried again with the next
		}()
	}
}

// add adds hits to the notes; mu is held.
func (u *Used) add(scope memory.Scope, ids []memory.ID, now time.Time) {
	if u.notes == nil {
		u.notes = map[memory.Scope]map[memory.ID]*memory.Hits{}
	}
	of := u.notes[scope]
	for _, id := range ids {
		hits := of[id]
		switch {
		case hits != nil:
			hits.N++
			hits.Last = now
			continue
		case u.count >= maxNotes:
			u.lost++
			continue
		case of == nil:
			of = map[memory.ID]*memory.Hits{}
			u.notes[scope] = of
		}
		of[id] = &memory.Hits{ID: id, N: 1, Last: now}
		u.count++
	}
	if u.since.IsZero() {
		u.since = now
	}
}

// Close writes down what is noted.
func (u *Used) Close(ctx context.Context) error {
	if u == nil {
		return nil
	}
	u.running.Wait() // which ends within useTimeout
	u.mu.Lock()
	idle := u.writing || u.count == 0
	u.writing = true
	u.mu.Unlock()
	if idle {
		return nil
	}
	return u.write(ctx)
}

// write writes down the notes; writing is set, and no longer when it is done.
func (u *Used) write(ctx context.Context) error {
	u.mu.Lock()
	notes, lost := u.notes, u.lost
	u.notes, u.count, u.lost, u.since = nil, 0, 0, time.Time{}
	u.mu.Unlock()
	var failed error
	for scope, of := range notes {
		hits := make([]memory.Hits, 0, len(of))
		for _, h := range of {
			hits = append(hits, *h)
		}
		if err := u.Uses.Hit(ctx, scope, hits); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		delete(notes, scope)
	}
	u.mu.Lock()
	for scope, of := range notes {
		for id, h := range of {
			u.again(scope, id, h)
		}
	}
	u.writing = false
	u.mu.Unlock()
	if u.Log != nil && (failed != nil || lost > 0) {
		u.Log.WarnContext(ctx, "which memories answers held was not all written down", "lost", lost, slog.Any("err", failed))
	}
	return failed
}

// again takes back a note; mu is held.
func (u *Used) again(scope memory.Scope, id memory.ID, h *memory.Hits) {
	u.add(scope, []memory.ID{id}, h.Last)
	if noted := u.notes[scope][id]; noted != nil {
		noted.N += h.N - 1
	}
}

func (u *Used) now() time.Time {
	if u.Clock != nil {
		return u.Clock().UTC()
	}
	return time.Now().UTC()
}
