package learn_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/learn"
	"github.com/rae-memory/rae/pkg/memory"
)

const day = 24 * time.Hour

// says tells a memory that happened so many days after the world's now, and learns what it says.
func (w *world) says(t *testing.T, days int, statements ...knowledge.Statement) (memory.Memory, learn.Learned) {
	t.Helper()
	at := w.now.Add(time.Duration(days) * day)
	m := w.tell(t, memory.Memory{Content: "so they say", OccurredAt: &at})
	return m, w.learnt(t, m, statements...)
}

// lines are facts as "Ann lives_in Paris [from,to)", sorted, in days after the world's first moment.
func lines(facts []knowledge.Fact, since time.Time) (all []string) {
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return fmt.Sprint(t.Sub(since).Hours() / 24)
	}
	for i := range facts {
		f := &facts[i]
		not := ""
		if f.Negated {
			not = "not "
		}
		all = append(all, fmt.Sprintf("%s%s %s %s [%s,%s)", not, f.Subject.Name, f.Relation, f.Object.Name, at(f.ValidFrom), at(f.ValidTo)))
	}
	slices.Sort(all)
	return all
}

func (w *world) holds(t *testing.T, want ...string) {
	t.Helper()
	if got := lines(w.list(t, memory.View{}), w.now); !slices.Equal(got, want) {
		t.Errorf("facts are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func from(days int, s knowledge.Statement, w *world) knowledge.Statement {
	at := w.now.Add(time.Duration(days) * day)
	s.From = &at
	return s
}

func not(s knowledge.Statement) knowledge.Statement {
	s.Negated = true
	return s
}

func TestWhatIsLearnedTwiceIsLearnedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m, first := w.says(t, 0, statement("Ann", "lives_in", "Paris"), statement("Ann", "likes", "tea"), statement("Ann", "likes", "tea"))
	if first.Opened != 2 || first.Repeated != 1 || len(first.Operations) != 1 {
		t.Errorf("first %+v", first)
	}
	before, _ := json.Marshal(w.list(t, memory.View{}))
	w.now = w.now.Add(time.Hour)
	again := w.learnt(t, m, statement("Ann", "lives_in", "Paris"), statement("Ann", "likes", "tea"))
	after, _ := json.Marshal(w.list(t, memory.View{}))
	if again.Repeated != 2 || again.Opened+again.Confirmed+len(again.Operations) > 0 || string(after) != string(before) {
		t.Errorf("again %+v\n%s\n%s", again, before, after)
	}
	other := newWorld(t)
	other.says(t, 3, statement("ANN", "resides_in", "París"))
	if a, b := w.list(t, memory.View{})[0].ID, other.list(t, memory.View{})[0].ID; a != b && w.list(t, memory.View{})[1].ID != b {
		t.Errorf("one statement is %s in one store and %s in another", a, b)
	}
}

func TestConfidenceRisesWithEveryMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, want := range []float64{.8, .96, .99, .99} {
		w.says(t, i, statement("Ann", "lives_in", "Paris"))
		f := w.list(t, memory.View{})[0]
		if math.Abs(f.Confidence-want) > 1e-9 || len(f.Evidence) != i+1 || f.Version != i+1 {
			t.Errorf("after %d: %+v", i+1, f)
		}
	}
}

func TestFactsEndWhereNewOnesBegin(t *testing.T) {
	t.Parallel()
	paris, rome, oslo := statement("Ann", "lives_in", "Paris"), statement("Ann", "lives_in", "Rome"), statement("Ann", "lives_in", "Oslo")
	for name, c := range map[string]struct {
		play func(w *world)
		want []string
	}{
		"by when they were told": {func(w *world) { w.says(t, 0, paris); w.says(t, 5, rome) },
			[]string{"Ann lives_in Paris [,5)", "Ann lives_in Rome [5,)"}},
		"by when they are true": {func(w *world) { w.says(t, 0, from(-9, paris, w)); w.says(t, 5, from(-4, rome, w)) },
			[]string{"Ann lives_in Paris [-9,-4)", "Ann lives_in Rome [-4,)"}},
		"late is past, and ends nothing": {func(w *world) { w.says(t, 0, paris); w.says(t, -30, rome) },
			[]string{"Ann lives_in Paris [0,)", "Ann lives_in Rome [,0)"}},
		"late, in between": {func(w *world) { w.says(t, 0, paris); w.says(t, 9, rome); w.says(t, 5, oslo) },
			[]string{"Ann lives_in Oslo [5,9)", "Ann lives_in Paris [,5)", "Ann lives_in Rome [9,)"}},
		"a tie ends nothing": {func(w *world) { w.says(t, 0, paris); w.says(t, 0, rome) },
			[]string{"Ann lives_in Paris [,)", "Ann lives_in Rome [,)"}},
		"nor one of when it is true": {func(w *world) { w.says(t, 0, from(-3, paris, w)); w.says(t, 5, from(-3, rome, w)) },
			[]string{"Ann lives_in Paris [-3,)", "Ann lives_in Rome [-3,)"}},
		"there and back": {func(w *world) { w.says(t, 0, paris); w.says(t, 5, rome); w.says(t, 9, paris) },
			[]string{"Ann lives_in Paris [,5)", "Ann lives_in Paris [9,)", "Ann lives_in Rome [5,9)"}},
		"told again of the past": {func(w *world) { w.says(t, 0, paris); w.says(t, 5, rome); w.says(t, 3, paris) },
			[]string{"Ann lives_in Paris [,5)", "Ann lives_in Rome [5,)"}},
		"no longer": {func(w *world) { w.says(t, 0, paris); w.says(t, 5, not(paris)) },
			[]string{"Ann lives_in Paris [,5)", "not Ann lives_in Paris [5,)"}},
		"no longer, and again": {func(w *world) { w.says(t, 0, paris); w.says(t, 5, not(paris)); w.says(t, 7, paris) },
			[]string{"Ann lives_in Paris [,5)", "Ann lives_in Paris [7,)", "not Ann lives_in Paris [5,7)"}},
		"its own end": {func(w *world) {
			until := w.now.Add(-day)
			w.says(t, -9, paris)
			ended := paris
			ended.To = &until
			w.says(t, 5, ended)
			w.says(t, 6, ended)
		}, []string{"Ann lives_in Paris [,-1)"}},
		"in days to come": {func(w *world) { w.says(t, 0, paris); w.says(t, 1, from(30, rome, w)) },
			[]string{"Ann lives_in Paris [,30)", "Ann lives_in Rome [30,)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.play(w)
			got := lines(w.list(t, memory.View{}), w.now)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("facts are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestHistoriesComeToWhatAnOracleSays tells 1,000 dated facts of fifty subjects in any order, and asks at 500 pairs of times. The
// oracle knows what was told by when, and that each is true until the next one begins.
func TestHistoriesComeToWhatAnOracleSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := rand.New(rand.NewPCG(11, 1000))
	type entry struct {
		subject, object int
		from, known     time.Time
	}
	var all []entry
	start := w.now
	used := map[[2]int]bool{}
	for len(all) < 1000 {
		e := entry{subject: r.IntN(50), object: len(all)}
		days := r.IntN(4000)
		if used[[2]int{e.subject, days}] {
			continue
		}
		used[[2]int{e.subject, days}] = true
		w.now = w.now.Add(time.Duration(r.Int64N(int64(3*time.Hour))) + time.Microsecond).Truncate(time.Microsecond)
		e.from, e.known = start.Add(-time.Duration(days)*day), w.now
		s := statement(fmt.Sprint("Person", e.subject), "age", fmt.Sprint("number ", e.object))
		s.From, s.Literal = &e.from, true
		if learned := w.learnt(t, w.tell(t, memory.Memory{Content: "so they say"}), s); learned.Opened != 1 {
			t.Fatalf("%+v", learned)
		}
		all = append(all, e)
	}
	for range 500 {
		asOf, known := start.Add(-time.Duration(r.IntN(4100))*day), all[r.IntN(len(all))].known.Add(time.Duration(r.IntN(3)-1)*time.Microsecond)
		newest := map[int]entry{}
		for _, e := range all {
			if best, there := newest[e.subject]; !e.known.After(known) && !e.from.After(asOf) && (!there || e.from.After(best.from)) {
				newest[e.subject] = e
			}
		}
		var want, got []string
		for _, e := range newest {
			want = append(want, fmt.Sprintf("Person%d number %d", e.subject, e.object))
		}
		for _, f := range w.list(t, memory.View{AsOf: &asOf, KnownAt: &known}) {
			got = append(got, f.Subject.Name+" "+f.Object.Name)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("as of %s, known at %s:\n%v\nwant\n%v", asOf, known, got, want)
		}
	}
}

func TestWhatWouldEndTooMuchIsHeld(t *testing.T) {
	t.Parallel()
	for _, n := range []int{10, 11} {
		w := newWorld(t)
		var old, anew []knowledge.Statement
		for i := range n {
			old = append(old, statement(fmt.Sprint("Person", i), "lives_in", "Paris"))
			anew = append(anew, statement(fmt.Sprint("Person", i), "lives_in", "Rome"))
		}
		w.says(t, 0, old...)
		_, learned := w.says(t, 5, anew...)
		if learned.Opened != n || len(learned.Operations) != 1 {
			t.Fatalf("%+v", learned)
		}
		o := learned.Operations[0]
		if n <= learn.Most && (learned.Closed != n || o.State != knowledge.Done || len(o.Closed) != n) {
			t.Errorf("%d: %+v", n, o)
		}
		if n > learn.Most && (learned.Closed != 0 || o.State != knowledge.Held || o.Reason == "" || len(o.Closed) != 0) {
			t.Errorf("%d: %+v", n, o)
		}
		if n > learn.Most { // and it ends nothing later
			w.says(t, 2, statement("Person1", "lives_in", "Oslo"))
			for _, f := range w.list(t, memory.View{}) {
				if f.Object.Name == "Oslo" && f.ValidTo != nil {
					t.Errorf("a held fact ends another: %+v", f)
				}
			}
		}
	}
}

func TestWhatReadsLikeACommandEndsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.says(t, 0, statement("Ann", "lives_in", "Paris"))
	at := w.now.Add(day)
	m := w.tell(t, memory.Memory{Content: "so they say", OccurredAt: &at})
	s := statement("Ann", "lives_in", "Rome")
	s.End = 5
	learned := w.learn(t, knowledge.Extraction{MemoryID: m.ID, Version: 1, Statements: []knowledge.Statement{s}, Flags: []string{"injection"}})
	if learned.Operations[0].State != knowledge.Held || learned.Closed != 0 {
		t.Errorf("%+v", learned)
	}
	w.holds(t, "Ann lives_in Paris [,)", "Ann lives_in Rome [,)")
}

func TestWhatCannotBeLearnedIsCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := func(change func(*knowledge.Statement)) knowledge.Statement {
		s := statement("Ann", "likes", "tea")
		s.End = 3
		change(&s)
		return s
	}
	early, late := w.now.Add(-day), w.now
	far := time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)
	m := w.tell(t, memory.Memory{Content: "für Ann: tea"})
	want := map[learn.Reason]int{}
	var all []knowledge.Statement
	for reason, changes := range map[learn.Reason][]func(*knowledge.Statement){
		learn.Span: {
			func(s *knowledge.Statement) { s.Start, s.End = 5, 5 }, func(s *knowledge.Statement) { s.End = 100 },
			func(s *knowledge.Statement) { s.Start = -1 }, func(s *knowledge.Statement) { s.End = 2 }, // half of an ü
			func(s *knowledge.Statement) { s.Start = 2 }, func(s *knowledge.Statement) { s.Subject.Start, s.Subject.End = 3, 99 },
			func(s *knowledge.Statement) { s.Start, s.End = math.MinInt, math.MaxInt },
		},
		learn.Name: {
			func(s *knowledge.Statement) { s.Subject.Name = "" }, func(s *knowledge.Statement) { s.Object.Name = strings.Repeat("x", 201) },
			func(s *knowledge.Statement) { s.Object.Name = "!?" }, func(s *knowledge.Statement) { s.Object.Name = "a\x00b" },
			func(s *knowledge.Statement) { s.Object.Name = "a\xffb" }, func(s *knowledge.Statement) { s.Object.Type = strings.Repeat("x", 300) },
		},
		learn.Relation: {
			func(s *knowledge.Statement) { s.Relation = "" }, func(s *knowledge.Statement) { s.Relation = "Likes" },
			func(s *knowledge.Statement) { s.Relation = "lives in" }, func(s *knowledge.Statement) { s.Relation = strings.Repeat("x", 65) },
		},
		learn.Sort: {func(s *knowledge.Statement) { s.Kind = "rumour" }},
		learn.Dates: {
			func(s *knowledge.Statement) { s.From, s.To = &late, &early }, func(s *knowledge.Statement) { s.From, s.To = &late, &late },
			func(s *knowledge.Statement) { s.From = &far },
		},
		learn.Confidence: {
			func(s *knowledge.Statement) { s.Confidence = 0 }, func(s *knowledge.Statement) { s.Confidence = 1.1 },
			func(s *knowledge.Statement) { s.Confidence = math.NaN() },
		},
		learn.Itself: {func(s *knowledge.Statement) { s.Object.Name = "ANN" }},
	} {
		for _, change := range changes {
			all = append(all, good(change))
			want[reason]++
		}
	}
	all = append(all, good(func(s *knowledge.Statement) { s.Object.Name = strings.Repeat("y", 200) }))
	learned := w.learn(t, knowledge.Extraction{MemoryID: m.ID, Version: 1, Statements: all},
		knowledge.Extraction{MemoryID: m.ID, Version: 2, Statements: all[:2]}, knowledge.Extraction{MemoryID: memory.NewID(), Version: 1, Statements: all[:3]},
		knowledge.Extraction{MemoryID: "no id", Version: 1, Statements: all[:1]})
	want[learn.MovedOn], want[learn.Gone] = 2, 4
	if got, want := fmt.Sprint(learned.Dropped), fmt.Sprint(want); got != want || learned.Opened != 1 {
		t.Errorf("dropped %s, want %s; opened %d", got, want, learned.Opened)
	}
	many := make([]knowledge.Statement, learn.MaxStatements+3)
	for i := range many {
		many[i] = good(func(s *knowledge.Statement) { s.Object.Name = fmt.Sprint("thing ", i) })
	}
	if learned := w.learnt(t, w.tell(t, memory.Memory{Content: "für Ann: tea"}), many...); learned.Dropped[learn.Surplus] != 3 || learned.Opened != learn.MaxStatements {
		t.Errorf("%+v", learned)
	}
}

func TestFactsInACircleAreFacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.says(t, 0, statement("Ann", "reports_to", "Bob"), statement("Bob", "reports_to", "Carol"), statement("Carol", "reports_to", "Ann"))
	w.holds(t, "Ann reports_to Bob [,)", "Bob reports_to Carol [,)", "Carol reports_to Ann [,)")
}

func TestWhatIsBetweenTwoTellingsOfOneGoneTheyAreOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.says(t, 0, statement("Ann", "lives_in", "Paris"))
	rome, _ := w.says(t, 5, statement("Ann", "lives_in", "Rome"))
	w.says(t, 9, statement("Ann", "lives_in", "Paris"))
	err := w.db.Write(t.Context(), scope, func(tx memory.Tx) error { return tx.Delete(t.Context(), rome.ID) })
	if err != nil {
		t.Fatal(err)
	}
	w.holds(t, "Ann lives_in Paris [,)")
	if f := w.list(t, memory.View{})[0]; len(f.Evidence) != 2 || math.Abs(f.Confidence-.96) > 1e-9 {
		t.Errorf("%+v", f)
	}
}

// TestDeletionLeavesWhatWasNeverTold learns random stories with a memory and without it: deleted, it has left nothing.
func TestDeletionLeavesWhatWasNeverTold(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		type line struct {
			days int
			s    knowledge.Statement
		}
		var story []line
		for range 3 + r.IntN(6) {
			s := statement("Ann", "lives_in", []string{"Paris", "Rome", "Oslo"}[r.IntN(3)])
			s.Negated = r.IntN(5) == 0
			story = append(story, line{len(story)*3 + r.IntN(3), s})
		}
		skip := r.IntN(len(story))
		with, without := newWorld(t), newWorld(t)
		var skipped memory.ID
		for i, l := range story {
			m, _ := with.says(t, l.days, l.s)
			if i == skip {
				skipped = m.ID
				continue
			}
			without.says(t, l.days, l.s)
		}
		err := with.db.Write(t.Context(), scope, func(tx memory.Tx) error { return tx.Delete(t.Context(), skipped) })
		if err != nil {
			t.Fatal(err)
		}
		got, want := lines(with.list(t, memory.View{}), with.now), lines(without.list(t, memory.View{}), without.now)
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d, %v without %d:\n%s\nwant\n%s", seed, story, skip, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestThereIsNothingToUndoOfNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.learner.Undo(t.Context(), scope, memory.NewID()); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
}
