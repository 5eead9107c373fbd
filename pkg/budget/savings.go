package budget

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// Keeper writes down what was spared.
type Keeper interface {
	// Save is Log's.
	Save(ctx context.Context, scope memory.Scope, s []Saving) ([]Line, error)
}

// Bounds of what a Guard notes of savings before they are written down.
const (
	notedFor    = time.Minute     // after which the next call or hit has them written
	maxNotes    = 1000            // payers times models, operations and failed attempts; what is beyond is lost
	saveTimeout = 5 * time.Second // of writing down everything
)

// savings are noted in this process and written down later, together: a hit of a cache must not wait for a database, and a
// thousand hits a second are not worth a thousand rows. The zero value is ready.
type savings struct {
	mu      sync.Mutex
	notes   map[note]*Saving
	unsent  []packet  // could not be written down; told again as they were, for they may have been
	since   time.Time // the oldest note; zero when there is none
	writing bool
	running sync.WaitGroup
	lost    int // notes that found no room since that was last logged
}

// note is what savings are added up by.
type note struct {
	payer                      memory.Scope
	operation, provider, model string
}

// packet is one Save.
type packet struct {
	payer   memory.Scope
	savings []Saving
}

// add notes a saving, and reports whether it is time to write down.
func (s *savings) add(n note, calls int, used llm.Usage, requestID string, now time.Time) (due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.notes == nil {
		s.notes = map[note]*Saving{}
	}
	saving := s.notes[n]
	if saving == nil {
		if len(s.notes)+len(s.unsent) >= maxNotes {
			s.lost++
			return !s.writing
		}
		saving = &Saving{ID: memory.NewID(), Operation: n.operation, Provider: n.provider, Model: n.model, RequestID: requestID}
		s.notes[n] = saving
	}
	if saving.RequestID != requestID {
		saving.RequestID = "" // it is no longer one request
	}
	saving.Calls = min(saving.Calls+int64(calls), maxSavedCalls)
	saving.TokensIn = min(saving.TokensIn+int64(used.TokensIn), MaxTokens)
	saving.TokensOut = min(saving.TokensOut+int64(used.TokensOut), MaxTokens)
	if s.since.IsZero() {
		s.since = now
	}
	return s.due(now)
}

// due reports whether something has been noted for long enough, and nobody writes.
func (s *savings) due(now time.Time) bool {
	return !s.writing && !s.since.IsZero() && now.Sub(s.since) >= notedFor
}

// take hands over what is noted, to one who is then the only one to write until put is called.
func (s *savings) take() (packets []packet, lost int, taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writing {
		return nil, 0, false
	}
	byPayer := map[memory.Scope][]Saving{}
	for n, saving := range s.notes {
		byPayer[n.payer] = append(byPayer[n.payer], *saving)
	}
	packets = s.unsent
	for payer, all := range byPayer {
		for len(all) > 0 {
			size := min(len(all), MaxSavings)
			packets, all = append(packets, packet{payer, all[:size]}), all[size:]
		}
	}
	lost, s.lost = s.lost, 0
	s.notes, s.unsent, s.since, s.writing = nil, nil, time.Time{}, true
	return packets, lost, true
}

// put takes back what could not be written down.
func (s *savings) put(unsent []packet, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = false
	s.unsent = unsent[:min(len(unsent), maxNotes)]
	s.lost += len(unsent) - len(s.unsent)
	if len(unsent) > 0 && s.since.IsZero() {
		s.since = now
	}
}

var _ llm.Saver = (*Guard)(nil)

// Saved implements llm.Saver. The first saving, or call, a minute after the oldest one has all of them written down, beside
// what it is about; Close writes down the rest. What a killed process had noted is lost.
func (g *Guard) Saved(ctx context.Context, c llm.Call, calls int) {
	payer, known := llm.PayerOf(ctx)
	if !known || g.Keeper == nil || llm.DryRunOf(ctx) != nil {
		return
	}
	if g.spared.add(note{payer, c.Operation, c.Provider, c.Model}, calls, c.Most, g.requestID(ctx), time.Now()) {
		g.write(ctx)
	}
}

// writeDue has what was noted written down, if that is due.
func (g *Guard) writeDue(ctx context.Context) {
	g.spared.mu.Lock()
	due := g.spared.due(time.Now())
	g.spared.mu.Unlock()
	if due {
		g.write(ctx)
	}
}

// write writes down beside its caller what is noted. Close waits for it.
func (g *Guard) write(ctx context.Context) {
	packets, lost, taken := g.spared.take()
	if !taken {
		return
	}
	g.spared.running.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
		defer cancel()
		_ = g.send(ctx, packets, lost) // what failed is logged, and tried again with the next
	})
}

// send writes the packets down. Those that may be written later are kept.
func (g *Guard) send(ctx context.Context, packets []packet, lost int) error {
	var unsent []packet
	var failed error
	for _, p := range packets {
		lines, err := g.Keeper.Save(ctx, p.payer, p.savings)
		if err == nil {
			for i := range lines {
				g.observe().Saved(p.payer, &lines[i])
			}
			continue
		}
		failed = errors.Join(failed, err)
		if mayPass(err) || ctx.Err() != nil {
			unsent = append(unsent, p)
		} else {
			lost += len(p.savings)
		}
	}
	g.spared.put(unsent, time.Now())
	if failed != nil || lost > 0 {
		g.log().WarnContext(ctx, "what caches spared was not written down", "kept", len(unsent), "lost", lost, slog.Any("err", failed))
	}
	return failed
}

// Close writes down what is noted. The guard may be used after it; nothing of it runs by itself then.
func (g *Guard) Close(ctx context.Context) error {
	g.spared.running.Wait() // which ends within saveTimeout
	packets, lost, taken := g.spared.take()
	if !taken || len(packets) == 0 && lost == 0 {
		if taken {
			g.spared.put(nil, time.Time{})
		}
		return nil
	}
	return g.send(ctx, packets, lost)
}
