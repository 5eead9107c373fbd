package reflection

import (
	"context"
	"fmt"
	"time"
	"unicode"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/groupcommit"
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
	// gatherForModel memories make an insight where a model writes it: with a call for every 25 turns that are read, that is
	// one call for twenty turns.
	gatherForModel = 100
)

func (s *Service) gatherEvery() int {
	if s.speaks() {
		return gatherForModel
	}
	return gatherEvery
}

// Event is what makes a delivery the same delivery: its source and id.
type Event struct {
	Source string
	ID     string
}

// Consider takes a memory that was stored and queues an insight when enough worth reflecting upon have gathered in its
// scope; it reports whether it did. The same event told again counts once, a memory that has gone meanwhile not at
// all. A memory that came from a reflection never counts, so reflections cannot cause reflections.
//
// Memories of a scope that are told while others of it are considered are considered together after them, by one look and
// in one transaction; what is queued then counts as queued by each of them.
func (s *Service) Consider(ctx context.Context, scope memory.Scope, event Event, id memory.ID) (bool, error) {
	q, leave := s.considering.Enter(scope, func(q *groupcommit.Queue[*consideration]) {
		q.Begin = func(ctx context.Context) (*consideration, func(), error) {
			return &consideration{service: s, ctx: context.WithoutCancel(ctx), scope: scope}, func() {}, nil
		}
	})
	defer leave()
	told := &candidate{event: event, id: id}
	err := q.Write(ctx, func(c *consideration) error {
		c.told = append(c.told, told)
		return nil
	})
	if err == nil {
		err = told.err
	}
	if err != nil {
		return false, fmt.Errorf("consider memory %s: %w", id, err)
	}
	return told.queued, nil
}

// candidate is a memory that was told of, and what became of it.
type candidate struct {
	event  Event
	id     memory.ID
	queued bool
	err    error
}

// consideration is the memories of a scope that are considered together. To those who wait it is a transaction: they put
// down what they were told, and hear when it is done.
type consideration struct {
	service *Service
	ctx     context.Context // of the first, without its end: the others wait as well
	scope   memory.Scope
	told    []*candidate
}

func (c *consideration) Savepoint() error { return nil }
func (c *consideration) Release() error   { return nil }
func (c *consideration) TakeBack() error  { return nil }
func (c *consideration) Rollback()        {}
func (c *consideration) Full() bool       { return false }

// Commit considers them. What only one of them is to blame for is not the others' failure: then each is considered alone.
func (c *consideration) Commit() error {
	queued, err := c.service.consider(c.ctx, c.scope, c.told)
	for _, told := range c.told {
		told.queued, told.err = queued, err
		if err != nil && len(c.told) > 1 && fault.KindOf(err) == fault.Internal {
			told.queued, told.err = c.service.consider(c.ctx, c.scope, []*candidate{told})
		}
	}
	return nil
}

func (s *Service) consider(ctx context.Context, scope memory.Scope, told []*candidate) (bool, error) {
	ctx, stop := context.WithTimeout(ctx, working)
	defer stop()
	ids := make([]memory.ID, len(told))
	for i, c := range told {
		ids[i] = c.id
	}
	found, err := s.Memories.Find(ctx, scope, ids, memory.View{})
	if err != nil {
		return false, fmt.Errorf("read what is told: %w", err)
	}
	if err := s.await(ctx, scope, found); err != nil {
		return false, err
	}
	worthy := make(map[memory.ID]bool, len(found))
	for i := range found {
		worthy[found[i].ID] = found[i].Scope() == scope && toldBySomebody(&found[i]) && Worth(&found[i]) >= worthwhile
	}
	g := Gathered{Every: s.gatherEvery(), Rest: gatherRest}
	for _, c := range told {
		if worthy[c.id] {
			g.Events = append(g.Events, c.event)
		}
	}
	if len(g.Events) == 0 {
		return false, nil
	}
	wake, err := due(scope)
	if err != nil {
		return false, err
	}
	return s.Store.Gather(ctx, scope, g, s.queued(scope, Request{Kind: Insight}), wake)
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
