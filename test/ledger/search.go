package ledger

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// search looks for an order of a book's calls: the algorithm of Wing and Gong with Lowe's memory of what has been tried,
// as porcupine's, and one thing more: a call that changes nothing where it fits is put there without a second thought,
// because it cannot be in the way of another. Most calls of a budget that is used up are refused; to try all orders of
// refusals is what makes porcupine slow.
type search struct {
	book   *book
	effort int   // steps left
	order  []int // so far
	best   []int // the longest so far

	byCall     []int // the numbers of the calls, by when they were made
	next, prev []int // the list of those without a place, as positions in byCall; its head is the last position
	marks      []uint64
	placed     uint64 // which calls have a place, as a sum of their marks
	tried      map[situation]bool
}

// situation is what a search goes on from. Different ones look alike once in 2^64 times.
type situation struct {
	placed                      uint64
	now, today, month, held     int64
	live, changes, timed, stand int
}

func newSearch(b *book, effort int) *search {
	n := len(b.ops)
	s := &search{book: b, effort: effort, next: make([]int, n+1), prev: make([]int, n+1), marks: make([]uint64, n), tried: map[situation]bool{}}
	random := rand.New(rand.NewPCG(0, 0))
	for i := range n {
		s.byCall = append(s.byCall, i)
		s.marks[i] = random.Uint64()
	}
	slices.SortStableFunc(s.byCall, func(x, y int) int { return compare(b.ops[x].Call, b.ops[y].Call) })
	for i := range n + 1 {
		s.next[i], s.prev[i] = (i+1)%(n+1), (i+n)%(n+1)
	}
	return s
}

func compare(x, y int64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// head is before the first call without a place.
func (s *search) head() int { return len(s.byCall) }

// place puts the call at a position of the list next in the order.
func (s *search) place(at int) {
	s.next[s.prev[at]], s.prev[s.next[at]] = s.next[at], s.prev[at]
	s.placed ^= s.marks[at]
	s.order = append(s.order, s.byCall[at])
	if len(s.order) > len(s.best) {
		s.best = append(s.best[:0], s.order...)
	}
}

// take undoes the last place, which was of this position.
func (s *search) take(at int) {
	s.next[s.prev[at]], s.prev[s.next[at]] = at, at
	s.placed ^= s.marks[at]
	s.order = s.order[:len(s.order)-1]
}

// possible are the positions of calls that may come next: those made before any other without a place was answered.
func (s *search) possible() []int {
	var found []int
	earliest := int64(Never)
	for at := s.next[s.head()]; at != s.head(); at = s.next[at] {
		o := &s.book.ops[s.byCall[at]]
		if o.Call > earliest {
			break
		}
		earliest = min(earliest, o.Return)
		found = append(found, at)
	}
	return found
}

// from goes on from the books as they are after the order so far, and returns whether all calls have a place.
func (s *search) from(books *state) bool {
	var idle []int
	for again := true; again; {
		again = false
		for _, at := range s.possible() {
			s.effort--
			if s.book.step(books, s.byCall[at]) == books {
				s.place(at)
				idle = append(idle, at)
				again = true
			}
		}
	}
	if s.next[s.head()] == s.head() {
		return true
	}
	here := situation{s.placed, books.now, books.today, books.month, books.held, len(books.live), books.changes, books.timed, len(s.order)}
	if !s.tried[here] {
		s.tried[here] = true
		for _, at := range s.possible() {
			if s.effort--; s.effort <= 0 {
				break
			}
			after := s.book.step(books, s.byCall[at])
			if after == nil {
				continue
			}
			s.place(at)
			if s.from(after) {
				return true
			}
			s.take(at)
		}
	}
	slices.Reverse(idle)
	for _, at := range idle {
		s.take(at)
	}
	return false
}

// stuck describes the longest order that was found, by the books at its end and the calls that may come next.
func (s *search) stuck() string {
	b := s.book
	books, placed := b.empty(), map[int]bool{}
	var tail []string
	for _, i := range s.best {
		placed[i] = true
		books = b.step(books, i)
		tail = append(tail, b.ops[i].String())
	}
	var next []Op
	for i, o := range b.ops {
		if !placed[i] {
			next = append(next, o)
		}
	}
	slices.SortFunc(next, func(x, y Op) int { return compare(x.Return, y.Return) })
	out := fmt.Sprintf("%d of them in order, the last:\n  %s\nthen %d today, %d this month, %d held; not explained, by when they ended:\n",
		len(s.best), strings.Join(tail[max(0, len(tail)-8):], "\n  "), books.today, books.month, books.held)
	for _, o := range next[:min(len(next), 8)] {
		out += "  " + o.String() + "\n"
	}
	return out
}
