package ledger

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

// History is all that happened to the books of one scope.
type History struct {
	Scope  memory.Scope
	Limits budget.Limits
	Ops    []Op     // with known outcomes: what is not known of the others is told by Resolve
	Order  []Change // in which reservations changed, if that is known
}

// Way is how an order was found.
type Way string

const (
	Hinted   Way = "hinted"   // where the history's Order had it
	Searched Way = "searched" // among all
)

// Linearizable returns nil when one order of all calls explains every answer, and how it was found. A search ends after
// effort steps; what is not decided by then is an error.
func (h *History) Linearizable(effort int) (Way, error) {
	told := ""
	for _, try := range []struct {
		way   Way
		order []Change
	}{{Hinted, h.Order}, {Searched, nil}} {
		if try.way == Hinted && h.Order == nil {
			continue
		}
		s := newSearch(newBook(h, try.order), effort)
		if s.from(s.book.empty()) {
			return try.way, s.book.verify(s.order)
		}
		if told == "" {
			told = s.stuck()
		}
		if s.effort > 0 && try.way == Searched {
			return "", fmt.Errorf("%s: no order of its %d calls explains all answers\n%s", h.Scope, len(h.Ops), told)
		}
	}
	return "", fmt.Errorf("%s: no order of its %d calls was found that explains all answers\n%s", h.Scope, len(h.Ops), told)
}

// Porcupine asks porcupine, which knows nothing of hints, nor of what makes this package's own search fast.
func (h *History) Porcupine(patience time.Duration) porcupine.CheckResult {
	b := newBook(h, nil)
	ops := make([]porcupine.Operation, len(h.Ops))
	for i, o := range h.Ops {
		ops[i] = porcupine.Operation{Input: i, Call: o.Call, Return: o.Return}
	}
	return porcupine.CheckOperationsTimeout(porcupine.Model{
		Init: func() any { return b.empty() },
		Step: func(before, input, _ any) (bool, any) {
			after := b.step(before.(*state), input.(int))
			return after != nil, after
		},
		Equal: func(one, other any) bool { return one.(*state).equal(other.(*state)) },
	}, ops, patience)
}

// verify holds an order to what it must be.
func (b *book) verify(order []int) error {
	s, latest, seen := b.empty(), int64(0), map[int]bool{}
	for _, i := range order {
		if b.ops[i].Return < latest || seen[i] {
			return fmt.Errorf("the order that was found has %s too late", b.ops[i])
		}
		latest, seen[i] = max(latest, b.ops[i].Call), true
		if s = b.step(s, i); s == nil {
			return fmt.Errorf("the order that was found does not explain %s", b.ops[i])
		}
	}
	if len(order) != len(b.ops) {
		return fmt.Errorf("the order that was found has %d of %d calls", len(order), len(b.ops))
	}
	return nil
}

// Bound returns an error when an observation saw more used and held than the limit and the overruns settled by then. It
// relies on no order of calls, and no model.
func (h *History) Bound() error {
	overruns := map[memory.ID]Op{} // by reservation: a settlement may be repeated
	for _, o := range h.Ops {
		if first, seen := overruns[o.Reservation]; o.Answer.Outcome == Settled && o.Answer.Overrun > 0 && (!seen || o.Call < first.Call) {
			overruns[o.Reservation] = o
		}
	}
	for _, o := range h.Ops {
		a := &o.Answer
		if a.Outcome != Told && a.Outcome != Refused {
			continue
		}
		var over int64
		for _, s := range overruns {
			if s.Call <= o.Return {
				over += int64(s.Answer.Overrun)
			}
		}
		for _, limited := range []struct {
			limit *budget.Cost
			used  int64
		}{{h.Limits.Daily, a.Today}, {h.Limits.Monthly, a.Month}} {
			if limited.limit != nil && limited.used+a.Held > int64(*limited.limit)+over {
				return fmt.Errorf("%s: more than the limit of %d and overruns of %d: %s", h.Scope, *limited.limit, over, o)
			}
		}
	}
	return nil
}
