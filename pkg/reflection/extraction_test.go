package reflection_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/reflection"
)

// reader reads one statement out of every memory, and keeps how many it was given together.
type reader struct {
	method string
	fails  func(call int) error
	calls  []int
	order  []memory.ID
}

func (r *reader) Extract(ctx context.Context, _ memory.Scope, told []memory.Memory) ([]knowledge.Extraction, error) {
	r.calls = append(r.calls, len(told))
	if r.method == "llm" {
		llm.TallyOf(ctx).Add(llm.Bill{Calls: 1, TokensIn: 1000, TokensOut: 100, NanoUSD: 560})
	}
	if r.fails != nil {
		if err := r.fails(len(r.calls)); err != nil {
			return nil, err
		}
	}
	var all []knowledge.Extraction
	for _, m := range told {
		r.order = append(r.order, m.ID)
		all = append(all, knowledge.Extraction{
			MemoryID: m.ID, Version: m.Version, Method: r.method, Edition: map[string]string{"llm": "extract/1", "rules": "rules/1"}[r.method],
			Statements: []knowledge.Statement{{Relation: "says", End: len(m.Content)}},
		})
	}
	return all, nil
}

// school is a world whose memories are read, ten together or after a minute, and what was learned in it.
type school struct {
	*world
	by, plain *reader
	learned   map[memory.ID]string // by which edition
	refuses   error
}

func newSchool(speaks bool) *school {
	s := &school{world: newWorld(), by: &reader{method: "rules"}, plain: &reader{method: "rules"}, learned: map[memory.ID]string{}}
	if speaks {
		s.by.method = "llm"
		s.service.Model = &model{says: repeating}
	}
	s.service.Extraction = &reflection.Extraction{By: s.by, Plain: s.plain, Turns: 10, Wait: time.Minute, Learn: s.learn}
	return s
}

func (s *school) learn(_ context.Context, scope memory.Scope, read []knowledge.Extraction, why memory.Why) error {
	if s.refuses != nil {
		return s.refuses
	}
	for _, x := range read {
		if scope != acme || why.Reason == "" {
			return fmt.Errorf("learned in %v because of %q", scope, why.Reason)
		}
		s.learned[x.MemoryID] = x.Edition
	}
	return nil
}

// tellAll stores turns of the user and tells of each, twice.
func (s *school) tellAll(t *testing.T, user string, n int) []memory.Memory {
	t.Helper()
	var all []memory.Memory
	for i := range n {
		all = append(all, memory.Memory{Content: fmt.Sprintf("%s says number %d.", user, i), UserID: user, SessionID: fmt.Sprint("s", i/7), Importance: .5})
	}
	all = s.put(t, acme, all...)
	for _, m := range all {
		for range 2 {
			if _, err := s.service.Consider(t.Context(), acme, reflection.Event{Source: "/rae/store", ID: string(m.ID)}, m.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

// runAll works until nothing is due, and returns the reflections of kind extract, oldest first.
func (s *school) runAll(t *testing.T) []reflection.Reflection {
	t.Helper()
	if _, err := s.service.RunQueued(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	page, err := s.service.List(t.Context(), acme, reflection.Query{Kind: reflection.Extract, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(page.Reflections)
	return page.Reflections
}

func TestTurnsAreReadTogetherAndOnce(t *testing.T) {
	t.Parallel()
	for _, speaks := range []bool{true, false} {
		t.Run(fmt.Sprintf("with a model %t", speaks), func(t *testing.T) {
			t.Parallel()
			s := newSchool(speaks)
			ann, bob := s.tellAll(t, "ann", 24), s.tellAll(t, "bob", 3)
			all := s.runAll(t)
			if len(all) != 4 || !slices.Equal(s.by.calls, []int{10, 10}) || len(s.learned) != 20 {
				t.Fatalf("read %v in %d reflections, learned %d", s.by.calls, len(all), len(s.learned))
			}
			for i, m := range ann[:20] {
				if s.by.order[i] != m.ID {
					t.Fatalf("turn %d is not read in its order", i)
				}
			}
			s.pass(time.Minute)
			all = s.runAll(t)
			if !slices.Equal(s.by.calls, []int{10, 10, 4, 3}) || len(s.learned) != len(ann)+len(bob) {
				t.Errorf("read %v, learned %d", s.by.calls, len(s.learned))
			}
			method, calls := reflection.Extractive, 0
			if speaks {
				method, calls = reflection.LLM, 1
			}
			for i, r := range all {
				if r.Status != reflection.Succeeded || r.Method != method || r.Calls != calls || r.Read != s.by.calls[i] || r.Statements != r.Read || r.Error != "" {
					t.Errorf("%+v", r)
				}
			}
			// Nothing new: nothing is read, whoever asks.
			s.pass(time.Hour)
			for _, m := range ann {
				if _, err := s.service.Consider(t.Context(), acme, reflection.Event{Source: "/rae/store", ID: "again" + string(m.ID)}, m.ID); err != nil {
					t.Fatal(err)
				}
			}
			s.pass(time.Hour)
			if again := s.runAll(t); len(again) != len(all) {
				t.Errorf("%d reflections more", len(again)-len(all))
			}
			r := s.run(t, acme, reflection.Request{Kind: reflection.Extract})
			if len(s.by.calls) != 4 || r.Status != reflection.Succeeded || r.Calls != 0 || r.Read != 0 {
				t.Errorf("asked for, %d were read in %d calls", r.Read, r.Calls)
			}
		})
	}
}

func TestWhatIsAskedForIsReadInSlices(t *testing.T) {
	t.Parallel()
	s := newSchool(true)
	all := s.put(t, acme, said("One says one thing.", "Two says two.", "Three says three.")...)
	for i := range 20 {
		all = append(all, s.put(t, acme, said(fmt.Sprintf("Number %d says something.", i))...)...)
	}
	s.by.fails = func(call int) error {
		if call == 2 {
			return fault.New(fault.Unavailable, "away")
		}
		return nil
	}
	r := s.run(t, acme, reflection.Request{Kind: reflection.Extract})
	if r.Status != reflection.Queued || r.NotBefore == nil || r.Error != "away" || r.Read != 10 || r.Calls != 2 || len(s.learned) != 10 {
		t.Fatalf("%+v", r)
	}
	s.pass(time.Minute)
	s.runAll(t)
	r, err := s.service.Get(t.Context(), acme, r.ID)
	if err != nil || r.Status != reflection.Succeeded || r.Read != len(all) || r.Calls != 4 || !slices.Equal(s.by.calls, []int{10, 10, 10, 3}) || len(s.learned) != len(all) {
		t.Errorf("%+v, %v after %v", r, err, s.by.calls)
	}
}

func TestWhatCannotBeReadByAModelIsReadPlainlyAndOnceMoreWhenAsked(t *testing.T) {
	t.Parallel()
	s := newSchool(true)
	s.by.fails = func(call int) error {
		if call <= 3 {
			return fault.New(fault.Timeout, "late")
		}
		return nil
	}
	told := s.tellAll(t, "ann", 10)
	for range 3 {
		s.runAll(t)
		s.pass(time.Hour)
	}
	all := s.runAll(t)
	if r := all[0]; len(all) != 1 || r.Status != reflection.Succeeded || !slices.Equal(r.Degraded, []string{"llm"}) || r.Error != "late" || r.Method != reflection.Extractive || r.Calls != 3 || s.learned[told[0].ID] != "rules/1" {
		t.Errorf("%+v, learned %v", r, s.learned)
	}
	if r := s.run(t, acme, reflection.Request{Kind: reflection.Extract}); r.Method != reflection.LLM || r.Read != 10 || s.learned[told[0].ID] != "extract/1" {
		t.Errorf("once more: %+v", r)
	}
	// The memories themselves were there all the time.
	if page, err := s.db.List(t.Context(), acme, memory.Query{Limit: 100}); err != nil || len(page.Memories) != 10 {
		t.Errorf("%d memories, %v", len(page.Memories), err)
	}
}

func TestReadingWaitsForTheBudget(t *testing.T) {
	t.Parallel()
	s := newSchool(true)
	s.by.fails = func(call int) error {
		if call == 1 {
			return over(s.clock().Add(24 * time.Hour))
		}
		return nil
	}
	s.tellAll(t, "ann", 10)
	if all := s.runAll(t); len(all) != 1 || all[0].Status != reflection.Parked || all[0].NotBefore == nil || len(s.learned) != 0 {
		t.Fatalf("%+v", all)
	}
	s.tellAll(t, "ann", 0)
	if n, err := s.service.Resume(t.Context(), acme); n != 1 || err != nil {
		t.Fatalf("resumed %d, %v", n, err)
	}
	if all := s.runAll(t); all[0].Status != reflection.Succeeded || all[0].Method != reflection.LLM || len(s.learned) != 10 || all[0].Cost != budget.Cost(2*560) {
		t.Errorf("%+v", all)
	}
}

func TestWhatWasNotLearnedIsReadAgain(t *testing.T) {
	t.Parallel()
	s := newSchool(false)
	told := s.tellAll(t, "ann", 10)
	s.refuses = fault.New(fault.Unavailable, "the store is busy")
	if _, err := s.service.RunQueued(t.Context(), 1); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
	s.refuses = nil
	if all := s.runAll(t); len(s.by.calls) != 2 || len(s.learned) != len(told) || all[0].Status != reflection.Succeeded || all[0].Read != 10 {
		t.Errorf("%+v", all)
	}
}

func TestWhatFadesIsNotReadAgainAndWhatIsDeletedIsForgotten(t *testing.T) {
	t.Parallel()
	s := newSchool(false)
	told := s.tellAll(t, "ann", 10)
	s.runAll(t)
	change := func(m memory.Memory) {
		t.Helper()
		if err := s.db.Write(t.Context(), acme, func(tx memory.Tx) error {
			_, err := tx.Replace(t.Context(), m, memory.Why{})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	faded, changed := told[0], told[1]
	faded.Importance, changed.Content = .1, "Ann says something else."
	change(faded)
	change(changed)
	if r := s.run(t, acme, reflection.Request{Kind: reflection.Extract}); r.Read != 1 || s.by.order[len(s.by.order)-1] != changed.ID {
		t.Errorf("read %d", r.Read)
	}
	if err := s.service.Unread(t.Context(), acme, told[2].ID); err != nil {
		t.Fatal(err)
	}
	if left, err := s.store.Read(t.Context(), acme, ids(told)); err != nil || len(left) != 9 {
		t.Errorf("%d are remembered as read, %v", len(left), err)
	}
	// What reflections wrote is not read, nor what has gone before it could be.
	derived := s.put(t, acme, memory.Memory{Content: "It is said that Ann says something.", Layer: memory.Semantic, DerivedFrom: []memory.Citation{{MemoryID: told[0].ID, End: 3}}})[0]
	gone := s.tellAll(t, "bob", 2)
	if _, err := s.service.Consider(t.Context(), acme, reflection.Event{Source: "/rae/store", ID: "derived"}, derived.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Write(t.Context(), acme, func(tx memory.Tx) error { return tx.Delete(t.Context(), gone[0].ID) }); err != nil {
		t.Fatal(err)
	}
	s.pass(time.Hour)
	before := len(s.by.order)
	if all := s.runAll(t); len(s.by.order) != before+1 || s.by.order[before] != gone[1].ID || all[len(all)-1].Status != reflection.Succeeded {
		t.Errorf("read %v", s.by.order[before:])
	}
}
