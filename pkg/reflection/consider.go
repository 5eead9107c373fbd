package reflection

import (
	"context"
	"fmt"
	"time"
	"unicode"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// Debounce: an insight is queued when this many memories worth reflecting upon have gathered in a scope. It starts at
// once when the scope has rested; while memories keep coming, the clock starts it, so that an import of a hundred
// thousand memories does not reflect five thousand times.
const (
	gatherEvery = 20
	gatherRest  = time.Minute
	worthwhile  = 0.25
)

// Event is what makes a delivery the same delivery: its source and id.
type Event struct {
	Source string
	ID     string
}

// Consider takes a memory that was stored and queues an insight when enough worth reflecting upon have gathered in its
// scope; it reports whether it did. The same event told again counts once, a memory that has gone meanwhile not at
// all. A memory that came from a reflection never counts, so reflections cannot cause reflections.
func (s *Service) Consider(ctx context.Context, scope memory.Scope, event Event, id memory.ID) (bool, error) {
	found, err := s.Memories.Find(ctx, scope, []memory.ID{id}, memory.View{})
	if err != nil {
		return false, fmt.Errorf("read memory %s to consider it: %w", id, err)
	}
	if len(found) == 0 || found[0].Scope() != scope || !toldBySomebody(&found[0]) || Worth(&found[0]) < worthwhile {
		return false, nil
	}
	wake, err := due(scope)
	if err != nil {
		return false, err
	}
	g := Gathered{Source: event.Source, ID: event.ID, Every: gatherEvery, Rest: gatherRest}
	queued, err := s.Store.Gather(ctx, scope, g, s.queued(scope, Request{Kind: Insight}), wake)
	if err != nil {
		return false, fmt.Errorf("consider memory %s: %w", id, err)
	}
	return queued, nil
}

// Worth scores, cheaply, how much a memory has to say: 0..1. Half of it is telling words (all of that from ten on), the
// rest names and other things recognised by their form (two are enough) and numbers.
func Worth(m *memory.Memory) float64 {
	body := prefix(m.Content, maxBodyBytes)
	if !prose(body) {
		return 0
	}
	words, numbers := map[string]bool{}, 0
	for _, token := range text.Analyze(body) {
		if token.End-token.Start > maxTermBytes {
			continue
		}
		words[token.Term] = true
		if unicode.IsDigit(rune(token.Term[0])) {
			numbers++
		}
	}
	things := len(mentioned(m, body))
	return round(0.5*min(1, float64(len(words))/10) + 0.3*min(1, float64(things)/2) + 0.2*min(1, float64(numbers)))
}

// DecayScopes queues the day's decay of every scope that has gathered memories, once a day each, and returns how many
// it queued. An empty tenant or project of within does not restrict. It is idempotent and cheap to repeat.
func (s *Service) DecayScopes(ctx context.Context, within memory.Scope) (int, error) {
	if s.Keeper == nil {
		return 0, nil
	}
	day := s.now().Format("2006-01-02")
	queued := 0
	after := memory.Scope{}
	for {
		const page = 100
		scopes, err := s.Store.Scopes(ctx, after, page)
		if err != nil {
			return queued, fmt.Errorf("list the scopes to decay: %w", err)
		}
		for _, scope := range scopes {
			if within.Tenant != "" && within.Tenant != scope.Tenant || within.Project != "" && within.Project != scope.Project {
				continue
			}
			key := memory.Key{Route: "maintenance.due", Key: "decay " + day, Fingerprint: day}
			_, fresh, err := s.Store.Create(ctx, scope, s.queued(scope, Request{Kind: Decay}), key)
			if err != nil {
				return queued, fmt.Errorf("queue the decay of a scope: %w", err)
			}
			if fresh {
				queued++
			}
		}
		if len(scopes) < page {
			return queued, nil
		}
		after = scopes[len(scopes)-1]
	}
}
