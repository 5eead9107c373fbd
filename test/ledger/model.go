package ledger

import (
	"maps"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

// book is the model: the books of one scope, for the calls of one history.
//
// A tenant's limit over its projects would make the tenant's scopes one book: histories are then gathered by tenant, and
// refusal compares a second account. The driver gives every scope a tenant of its own, so that both limits would see the
// same sums.
type book struct {
	limits  budget.Limits
	ops     []Op
	numbers map[memory.ID]int32 // of reservations, from 0
	holds   []hold              // by number
	keyed   map[string][]int32  // reservations made under a key
	order   map[Change]int      // in which order reservations changed; nil: any
	times   []int64             // of all grants and settlements, sorted: whoever changes something reads a clock that goes forward
}

// hold is what is known of a reservation, whenever it was made.
type hold struct {
	cost    int64
	expires int64 // microseconds
	key     string
}

// Change is one of the changes of a reservation that the books depend on; an end of its lease is none.
type Change struct {
	Reservation memory.ID
	Outcome     Outcome // Granted, Settled or Released
}

// How a reservation stands. One that was settled stands at settledBy plus the number of the call that settled it.
const (
	unmade = iota
	held   // or its lease has ended
	released
	settledBy
)

// state is the books after some of the calls. It is never changed, only succeeded.
type state struct {
	now     int64 // microseconds: the clock of those who change something has come to here
	today   int64 // booked on the day of now
	month   int64 // booked in its month
	held    int64
	live    []int32 // reservations that are held, and whose lease has not ended by now, the one that ends first at the head
	stands  []*page // how each reservation stands, by number; shared with other states until one changes
	changes int     // how many there have been
	timed   int     // how many of them were grants and settlements, whose time is known
}

type page [64]int32

func (s *state) stand(r int32) int32 { return s.stands[r/64][r%64] }

// with is s with a reservation standing otherwise.
func (s state) with(r, stand int32) state {
	s.stands = slices.Clone(s.stands)
	p := *s.stands[r/64]
	p[r%64] = stand
	s.stands[r/64] = &p
	s.changes++
	return s
}

// at is s at a time, if that is later: holds whose lease has ended are back, and a day or a month may have begun.
func (s state) at(now int64, holds []hold) state {
	if now <= s.now {
		return s
	}
	before, after := time.UnixMicro(s.now).UTC(), time.UnixMicro(now).UTC()
	if s.now/dayLength != now/dayLength {
		s.today = 0
		if before.Year() != after.Year() || before.Month() != after.Month() {
			s.month = 0
		}
	}
	s.now = now
	for len(s.live) > 0 && holds[s.live[0]].expires <= now {
		s.held -= holds[s.live[0]].cost
		s.live = s.live[1:]
	}
	return s
}

const dayLength = int64(24 * time.Hour / time.Microsecond)

// plus is s with a reservation held.
func (s state) plus(r int32, holds []hold) state {
	at, _ := slices.BinarySearchFunc(s.live, holds[r].expires, func(l int32, expires int64) int {
		if holds[l].expires < expires {
			return -1
		}
		return 1
	})
	s.live = slices.Insert(slices.Clone(s.live), at, r)
	s.held += holds[r].cost
	return s
}

// minus is s with a reservation no longer held, if it was.
func (s state) minus(r int32, holds []hold) state {
	if i := slices.Index(s.live, r); i >= 0 {
		s.live = slices.Delete(slices.Clone(s.live), i, i+1)
		s.held -= holds[r].cost
	}
	return s
}

func (s *state) equal(o *state) bool {
	if s.now != o.now || s.today != o.today || s.month != o.month || s.held != o.held || s.changes != o.changes || !slices.Equal(s.live, o.live) {
		return false
	}
	for i, p := range s.stands {
		if p != o.stands[i] && *p != *o.stands[i] {
			return false
		}
	}
	return true
}

// newBook gathers what is known of the reservations of a history.
func newBook(h *History, order []Change) *book {
	b := &book{limits: h.Limits, ops: h.Ops, numbers: map[memory.ID]int32{}, keyed: map[string][]int32{}}
	for _, o := range h.Ops {
		a := o.Answer
		if _, known := b.numbers[a.Reservation]; a.Outcome != Granted || known {
			continue
		}
		r := int32(len(b.holds))
		b.numbers[a.Reservation] = r
		b.holds = append(b.holds, hold{cost: int64(o.Cost), expires: a.Expires, key: o.Key})
		if o.Key != "" {
			b.keyed[o.Key] = append(b.keyed[o.Key], r)
		}
	}
	timed := map[Change]int64{}
	for _, o := range h.Ops {
		switch o.Answer.Outcome {
		case Granted:
			timed[Change{o.Answer.Reservation, Granted}] = o.Answer.At
		case Settled:
			timed[Change{o.Reservation, Settled}] = o.Answer.At
		}
	}
	b.times = slices.Sorted(maps.Values(timed))
	if order != nil {
		b.order = map[Change]int{}
		for i, c := range order {
			b.order[c] = i
		}
	}
	return b
}

func (b *book) empty() *state {
	s := &state{}
	for range (len(b.holds) + 63) / 64 {
		s.stands = append(s.stands, &page{})
	}
	return s
}

// refusal says which limit stands against an amount, "" for none. This is the rule of the whole ledger.
func (b *book) refusal(s *state, asked int64) budget.Period {
	switch l := &b.limits; {
	case l.Daily != nil && s.today+s.held+asked > int64(*l.Daily):
		return budget.Daily
	case l.Monthly != nil && s.month+s.held+asked > int64(*l.Monthly):
		return budget.Monthly
	}
	return ""
}

// step returns the books after the call with the number i, s itself if it changes nothing, or nil if they would not have
// answered as the ledger did. What changes nothing now would, if it were legal at all, change nothing later either.
func (b *book) step(s *state, i int) *state {
	o := &b.ops[i]
	switch o.Kind {
	case Reserve:
		return b.reserve(s, o)
	case Settle:
		return b.settle(s, o, int32(i))
	case Release:
		return b.release(s, o)
	case Current: // reads the clock for itself: who changes something may have read it before, and come after
		if b.observe(s, o, func(s *state) bool {
			return o.Answer.Outcome == Told && s.today == o.Answer.Today && s.month == o.Answer.Month && s.held == o.Answer.Held
		}) != nil {
			return s
		}
	}
	return nil
}

// turn tells whether it is the change's turn, in the order that is tried.
func (b *book) turn(s *state, id memory.ID, outcome Outcome) bool {
	if b.order == nil {
		return true
	}
	place, known := b.order[Change{id, outcome}]
	return known && place == s.changes
}

// timely tells whether the ledger may have granted or settled at this time, in microseconds, when it dealt with the call
// in state s. It may be before the call: who joins a transaction that has begun takes its time.
func (b *book) timely(s *state, o *Op, at int64) bool {
	return at >= s.now && at <= o.Return/1000 && at == b.times[s.timed]
}

func (b *book) reserve(s *state, o *Op) *state {
	a := &o.Answer
	if o.Key != "" {
		for _, r := range b.keyed[o.Key] {
			if s.stand(r) != unmade { // then it is answered again, and nothing happens
				if a.Outcome == Granted && b.numbers[a.Reservation] == r {
					return s
				}
				return nil
			}
		}
	}
	switch a.Outcome {
	case Granted:
		r := b.numbers[a.Reservation]
		if s.stand(r) != unmade || !b.timely(s, o, a.At) || a.Expires != a.At+o.Lease || !b.turn(s, a.Reservation, Granted) {
			return nil
		}
		next := s.at(a.At, b.holds)
		if b.refusal(&next, int64(o.Cost)) != "" {
			return nil
		}
		next = next.plus(r, b.holds).with(r, held)
		next.timed++
		return &next
	case Refused:
		return b.observe(s, o, func(s *state) bool {
			used, limit := s.today, b.limits.Daily
			if a.Period == budget.Monthly {
				used, limit = s.month, b.limits.Monthly
			}
			return b.refusal(s, int64(o.Cost)) == a.Period && used == a.Today+a.Month && s.held == a.Held && int64(*limit) == a.Limit
		})
	}
	return nil
}

func (b *book) settle(s *state, o *Op, i int32) *state {
	a := &o.Answer
	r, stand := b.find(s, o.Reservation)
	switch {
	case a.Outcome == NotFound && stand == unmade,
		a.Outcome == Conflict && stand == released,
		a.Outcome == Conflict && stand >= settledBy && b.ops[stand-settledBy].Cost != o.Cost,
		a.Outcome == Settled && stand >= settledBy && b.ops[stand-settledBy].Cost == o.Cost && b.ops[stand-settledBy].Answer == *a:
		return s
	case a.Outcome != Settled || stand != held || !b.timely(s, o, a.At) || !b.turn(s, o.Reservation, Settled):
		return nil
	}
	next := s.at(a.At, b.holds)
	late, overrun := a.At >= b.holds[r].expires, max(int64(o.Cost)-b.holds[r].cost, 0)
	if late {
		overrun = int64(o.Cost)
	}
	if a.Late != late || int64(a.Overrun) != overrun {
		return nil
	}
	next = next.minus(r, b.holds).with(r, settledBy+i)
	next.timed++
	next.today += int64(o.Cost)
	next.month += int64(o.Cost)
	return &next
}

func (b *book) release(s *state, o *Op) *state {
	r, stand := b.find(s, o.Reservation)
	switch outcome := o.Answer.Outcome; {
	case outcome == NotFound && stand == unmade,
		outcome == Conflict && stand >= settledBy,
		outcome == Released && stand == released:
		return s
	case outcome == Released && stand == held && b.turn(s, o.Reservation, Released):
		if s.now >= b.holds[r].expires {
			return nil
		}
		next := s.minus(r, b.holds).with(r, released)
		return &next
	case outcome == Expired && stand == held:
		now := max(s.now, b.holds[r].expires)
		if now > o.Return/1000 {
			return nil
		}
		next := s.at(now, b.holds)
		return &next
	}
	return nil
}

// find returns the number of a reservation and how it stands.
func (b *book) find(s *state, id memory.ID) (number, stand int32) {
	r, known := b.numbers[id]
	if !known {
		return 0, unmade
	}
	return r, s.stand(r)
}

// observe lets the time of a call that changes nothing, and does not tell its time, be the first at which the books are
// as it says.
func (b *book) observe(s *state, o *Op, fits func(*state) bool) *state {
	if fits(s) {
		return s
	}
	next := *s
	for !fits(&next) { // until another lease or the day ends, nothing changes by itself
		moment := (next.now/dayLength + 1) * dayLength
		if len(next.live) > 0 {
			moment = min(moment, b.holds[next.live[0]].expires)
		}
		if moment > o.Return/1000 {
			return nil
		}
		next = next.at(moment, b.holds)
	}
	return &next
}
