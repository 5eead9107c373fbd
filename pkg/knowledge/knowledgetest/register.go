// Package knowledgetest holds the contract suites of the ports in package knowledge.
package knowledgetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
)

// Registered is a store that knows who is who.
type Registered struct {
	knowledge.Register
	Beside   knowledge.Register // the same, as another process has it open
	Memories memory.Store
}

// RunRegister holds a store to the contract of knowledge.Register. Every clause gets an empty store of its own, which
// tells the time by clock.
func RunRegister(t *testing.T, on string, open func(t *testing.T, clock func() time.Time) Registered) {
	run := contract.Begin(t, "knowledgetest/register", on)
	for _, c := range []struct {
		name string
		run  func(*testing.T, *registerWorld)
	}{
		{"an entity is what its memories tell of it, the first first", entityGathered},
		{"what is observed again is the same, and by another reader besides", observedAgain},
		{"of a memory that is gone or has moved on nothing is learned", observedLate},
		{"what a memory mentions goes with it, when it is deleted or expires", mentionsGo},
		{"entities come in pages, and by id", entitiesPaged},
		{"two that are merged are one, and the ids of both still answer", mergedAreOne},
		{"merges one after the other, in a chain or round in a circle, end in one group", mergesInCircles},
		{"a merge with itself, of no entity, or without end is refused, and the others are made", mergesRefused},
		{"undoing a merge brings back what was there", mergeUndone},
		{"undoing an earlier decision leaves what came after it", earlierUndone},
		{"a split parts a group, whoever stood for it", splitParts},
		{"a split of what is not one, or of all of it, is refused", splitRefused},
		{"what was parted or taken back only a person unites", keptApart},
		{"decisions are told, the last first, in pages and by entity", decisionsTold},
		{"suggestions are replaced, and gone when they are settled", suggestionsSettled},
		{"the head moves with every decision and with nothing else", decisionsMoveHead},
		{"merges of two processes at once end in one group", mergesAtOnce},
		{"circles closed by two processes at once end in one state", circlesAtOnce},
		{"random merges, splits and undoings come to what an oracle says", randomDecisions},
		{"no tenant or project sees another's", registersApart},
		{"erasing a tenant erases who is who, and counts its decisions", registerErased},
	} {
		run.Clause(t, c.name, func(t *testing.T) {
			w := &registerWorld{now: start}
			w.Registered = open(t, w.clock)
			c.run(t, w)
		})
	}
}

var (
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	acme  = memory.Scope{Tenant: "acme", Project: "default"}
)

type registerWorld struct {
	Registered
	mu  sync.Mutex
	now time.Time
}

func (w *registerWorld) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *registerWorld) advance(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(by)
}

// told stores a memory and has it seen to mention what is given.
func (w *registerWorld) told(t *testing.T, scope memory.Scope, content string, mentions ...knowledge.Mention) memory.Memory {
	t.Helper()
	return w.put(t, scope, memory.Memory{Content: content}, mentions...)
}

func (w *registerWorld) put(t *testing.T, scope memory.Scope, m memory.Memory, mentions ...knowledge.Mention) (put memory.Memory) {
	t.Helper()
	m.Layer = memory.Episodic
	err := w.Memories.Write(t.Context(), scope, func(tx memory.Tx) (err error) {
		put, _, err = tx.Put(t.Context(), m, memory.Why{})
		return err
	})
	must(t, err)
	w.observe(t, scope, sighting(&put, knowledge.ByTeller, mentions...))
	return put
}

func sighting(m *memory.Memory, by string, mentions ...knowledge.Mention) knowledge.Sighting {
	s := knowledge.Sighting{MemoryID: m.ID, Version: m.Version, By: by, At: m.CreatedAt, Mentions: mentions}
	if m.OccurredAt != nil {
		s.At = *m.OccurredAt
	}
	return s
}

func (w *registerWorld) observe(t *testing.T, scope memory.Scope, seen ...knowledge.Sighting) {
	t.Helper()
	must(t, w.Observe(t.Context(), scope, seen))
}

func (w *registerWorld) remove(t *testing.T, scope memory.Scope, id memory.ID) {
	t.Helper()
	must(t, w.Memories.Write(t.Context(), scope, func(tx memory.Tx) error { return tx.Delete(t.Context(), id) }))
}

func (w *registerWorld) entities(t *testing.T, scope memory.Scope) []knowledge.Entity {
	t.Helper()
	all, err := w.Entities(t.Context(), scope, "", 1000)
	must(t, err)
	return all
}

// groups are the members of all groups.
func (w *registerWorld) groups(t *testing.T, scope memory.Scope) [][]string {
	t.Helper()
	all, err := w.Groups(t.Context(), scope, nil)
	must(t, err)
	groups := [][]string{}
	for _, g := range all {
		groups = append(groups, g.Members)
	}
	return groups
}

func byPerson(reason string) knowledge.Grounds {
	return knowledge.Grounds{By: "ann", Method: knowledge.ByPerson, Reason: reason, Score: 1}
}

func byRules() knowledge.Grounds {
	return knowledge.Grounds{By: "resolve", Method: "rules", Score: .97}
}

func (w *registerWorld) merge(t *testing.T, scope memory.Scope, from, into string) knowledge.Decision {
	t.Helper()
	outcomes, err := w.Unite(t.Context(), scope, []knowledge.Merge{{From: from, Into: into, Grounds: byPerson("the same")}})
	must(t, err)
	if len(outcomes) != 1 {
		t.Fatalf("%d outcomes", len(outcomes))
	}
	must(t, outcomes[0].Err)
	return outcomes[0].Decision
}

func (w *registerWorld) split(t *testing.T, scope memory.Scope, members ...string) knowledge.Decision {
	t.Helper()
	d, err := w.Split(t.Context(), scope, knowledge.Split{Members: members, Grounds: byPerson("others")})
	must(t, err)
	return d
}

func (w *registerWorld) undo(t *testing.T, scope memory.Scope, id string) knowledge.Decision {
	t.Helper()
	d, err := w.Undo(t.Context(), scope, id, "bob")
	must(t, err)
	return d
}

func idOf(scope memory.Scope, name string) string {
	return relevance.EntityID(scope, relevance.EntityKey(name))
}

// ids are some ids of nothing, in order.
func ids(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = uuid.NewSHA1(uuid.NameSpaceOID, []byte(fmt.Sprint(i))).String()
	}
	slices.Sort(all)
	return all
}

func named(names ...string) []knowledge.Mention {
	var mentions []knowledge.Mention
	for _, name := range names {
		mentions = append(mentions, knowledge.Mention{Name: name})
	}
	return mentions
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	g, _ := json.MarshalIndent(got, "", " ")
	w, _ := json.MarshalIndent(want, "", " ")
	if string(g) != string(w) {
		t.Errorf("%s:\ngot  %s\nwant %s", what, g, w)
	}
}

func kind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func entityGathered(t *testing.T, w *registerWorld) {
	early := start.Add(-48 * time.Hour)
	first := w.told(t, acme, "a", knowledge.Mention{Name: "Bob Stone", Aliases: []string{"Bobby", "B. Stone", "…"}})
	w.advance(time.Minute)
	second := w.put(t, acme, memory.Memory{Content: "b", OccurredAt: &early},
		knowledge.Mention{Name: "BOB  STONE", Aliases: []string{"Bobby"}}, knowledge.Mention{Name: "Bob Stone", Type: "person"}, knowledge.Mention{Name: "!!"})
	bob := idOf(acme, "bob stone")
	same(t, "entities", w.entities(t, acme), []knowledge.Entity{{
		ID: bob, Canonical: bob, Name: "BOB  STONE", Type: "person", Aliases: []string{"B. Stone", "Bob Stone", "Bobby"},
		FirstSeen: early, LastSeen: start, Mentions: 2, Memories: []memory.ID{first.ID, second.ID},
	}})
	for i := range knowledge.MaxEvidence + 2 {
		w.advance(time.Minute)
		w.told(t, acme, fmt.Sprint("more ", i), named("Bob Stone")...)
	}
	e := w.entities(t, acme)[0]
	same(t, "counted", []int{e.Mentions, len(e.Memories)}, []int{knowledge.MaxEvidence + 4, knowledge.MaxEvidence})
}

func observedAgain(t *testing.T, w *registerWorld) {
	m := w.told(t, acme, "a", named("Ann", "Oslo")...)
	once := w.entities(t, acme)
	w.observe(t, acme, sighting(&m, knowledge.ByTeller, named("Ann", "Oslo")...), sighting(&m, knowledge.ByTeller, named("Ann", "Oslo")...))
	same(t, "again", w.entities(t, acme), once)
	w.observe(t, acme, sighting(&m, "rules", knowledge.Mention{Name: "ann", Type: "person", Aliases: []string{"Annie"}}))
	found, err := w.FindEntities(t.Context(), acme, []string{idOf(acme, "Ann")})
	must(t, err)
	same(t, "by two readers", []any{found[0].Name, found[0].Type, found[0].Aliases, found[0].Mentions}, []any{"Ann", "person", []string{"Annie", "ann"}, 1})
	w.observe(t, acme, sighting(&m, knowledge.ByTeller, named("Ann")...), sighting(&m, "rules"))
	same(t, "corrected", len(w.entities(t, acme)), 1)
	w.observe(t, acme, sighting(&m, knowledge.ByTeller))
	same(t, "nothing any more", w.entities(t, acme), nil)
}

func observedLate(t *testing.T, w *registerWorld) {
	m := w.told(t, acme, "a", named("Ann")...)
	old := sighting(&m, knowledge.ByTeller, named("Bob")...)
	m.Content = "b"
	must(t, w.Memories.Write(t.Context(), acme, func(tx memory.Tx) (err error) {
		m, err = tx.Replace(t.Context(), m, memory.Why{})
		return err
	}))
	w.observe(t, acme, old)
	same(t, "of an old version", w.entities(t, acme)[0].Name, "Ann")
	late := sighting(&m, knowledge.ByTeller, named("Carl")...)
	w.remove(t, acme, m.ID)
	w.observe(t, acme, late, knowledge.Sighting{MemoryID: memory.NewID(), Version: 1, Mentions: named("Dora")}, knowledge.Sighting{MemoryID: "none", Version: 1, Mentions: named("Eve")})
	same(t, "of what is gone", w.entities(t, acme), nil)
}

func mentionsGo(t *testing.T, w *registerWorld) {
	soon := start.Add(time.Hour)
	m := w.told(t, acme, "a", named("Ann", "Bob")...)
	w.put(t, acme, memory.Memory{Content: "b", ExpiresAt: &soon}, named("Ann", "Carl")...)
	w.remove(t, acme, m.ID)
	same(t, "after deleting", len(w.entities(t, acme)), 2)
	w.advance(2 * time.Hour)
	_, err := w.Memories.Sweep(t.Context(), 10)
	must(t, err)
	same(t, "after expiring", w.entities(t, acme), nil)
}

func entitiesPaged(t *testing.T, w *registerWorld) {
	names := []string{"Ann", "Bob", "Carl", "Dora", "Eve"}
	w.told(t, acme, "a", named(names...)...)
	var want, got []string
	for _, name := range names {
		want = append(want, idOf(acme, name))
	}
	slices.Sort(want)
	for after := ""; ; {
		page, err := w.Entities(t.Context(), acme, after, 2)
		must(t, err)
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			got = append(got, e.ID)
		}
		after = got[len(got)-1]
	}
	same(t, "paged", got, want)
	found, err := w.FindEntities(t.Context(), acme, []string{want[3], "none", ids(1)[0], want[1]})
	must(t, err)
	same(t, "found", []string{found[0].ID, found[1].ID}, []string{want[3], want[1]})
}

func mergedAreOne(t *testing.T, w *registerWorld) {
	m := w.told(t, acme, "a", named("Robert", "Bob", "Ann")...)
	robert, bob := idOf(acme, "Robert"), idOf(acme, "Bob")
	w.advance(time.Minute)
	d := w.merge(t, acme, bob, robert)
	same(t, "decision", d, knowledge.Decision{ID: d.ID, Number: 1, Kind: knowledge.Merged, From: bob, Into: robert, Members: []string{bob},
		Rest: []string{robert}, Grounds: byPerson("the same"), At: start.Add(time.Minute)})
	if _, ok := memory.ParseID(d.ID); !ok {
		t.Errorf("id %q", d.ID)
	}
	same(t, "groups", w.groups(t, acme), [][]string{{robert, bob}})
	of, err := w.Groups(t.Context(), acme, []string{bob, idOf(acme, "Ann"), robert, "none"})
	must(t, err)
	same(t, "of the ids", of, []knowledge.Group{{Members: []string{robert, bob}}})
	of, err = w.Groups(t.Context(), acme, []string{})
	must(t, err)
	same(t, "of no ids", len(of), 0)
	for _, e := range w.entities(t, acme) {
		want := map[string]string{bob: robert}[e.ID]
		if want == "" {
			want = e.ID
		}
		same(t, e.Name, e.Canonical, want)
	}
	w.remove(t, acme, m.ID)
	same(t, "when nothing mentions them", w.groups(t, acme), [][]string{{robert, bob}})
}

func mergesInCircles(t *testing.T, w *registerWorld) {
	id := ids(4)
	w.merge(t, acme, id[0], id[1])
	same(t, "back", w.merge(t, acme, id[1], id[0]), knowledge.Decision{})
	w.merge(t, acme, id[1], id[2])
	w.merge(t, acme, id[0], id[3])
	same(t, "round", w.merge(t, acme, id[3], id[0]), knowledge.Decision{})
	same(t, "groups", w.groups(t, acme), [][]string{{id[3], id[2], id[1], id[0]}})
}

func mergesRefused(t *testing.T, w *registerWorld) {
	id := ids(knowledge.MaxGroup + 1)
	merges := []knowledge.Merge{{From: id[0], Into: id[0], Grounds: byRules()}, {From: "Bob", Into: id[0], Grounds: byRules()},
		{From: id[0], Grounds: byRules()}, {From: id[0], Into: id[1], Grounds: knowledge.Grounds{Reason: strings.Repeat("x", knowledge.MaxReason+1)}},
		{From: id[0], Into: id[1], Grounds: knowledge.Grounds{Score: 1.1}}}
	for _, from := range id[1:] {
		merges = append(merges, knowledge.Merge{From: from, Into: id[0], Grounds: byRules()})
	}
	outcomes, err := w.Unite(t.Context(), acme, merges)
	must(t, err)
	for _, o := range outcomes[:5] {
		kind(t, o.Err, fault.Invalid)
	}
	for _, o := range outcomes[5 : len(outcomes)-1] {
		must(t, o.Err)
	}
	kind(t, outcomes[len(outcomes)-1].Err, fault.Conflict)
	same(t, "group", w.groups(t, acme), [][]string{id[:knowledge.MaxGroup]})
}

func mergeUndone(t *testing.T, w *registerWorld) {
	id := ids(5)
	w.told(t, acme, "a", named("Ann", "Bob")...)
	w.merge(t, acme, id[1], id[0])
	w.merge(t, acme, id[3], id[2])
	groups, entities := w.groups(t, acme), w.entities(t, acme)
	d := w.merge(t, acme, id[3], id[1])
	w.advance(time.Minute)
	undone := w.undo(t, acme, d.ID)
	same(t, "groups", w.groups(t, acme), groups)
	same(t, "entities", w.entities(t, acme), entities)
	d.UndoneAt, d.UndoneBy = ptr(start.Add(time.Minute)), "bob"
	same(t, "undone", undone, d)
	w.advance(time.Minute)
	same(t, "undone again", w.undo(t, acme, d.ID), d)
	first := w.merge(t, acme, idOf(acme, "Ann"), idOf(acme, "Bob"))
	w.undo(t, acme, first.ID)
	same(t, "entities again", w.entities(t, acme), entities)
	for _, none := range []string{id[0], "none", ""} {
		_, err := w.Undo(t.Context(), acme, none, "bob")
		kind(t, err, fault.NotFound)
	}
}

func earlierUndone(t *testing.T, w *registerWorld) {
	id := ids(4)
	first := w.merge(t, acme, id[1], id[0])
	w.merge(t, acme, id[2], id[1])
	same(t, "all", w.groups(t, acme), [][]string{{id[0], id[1], id[2]}})
	w.undo(t, acme, first.ID)
	same(t, "without the first", w.groups(t, acme), [][]string{{id[1], id[2]}})
	w.merge(t, acme, id[1], id[0])
	same(t, "made anew", w.groups(t, acme), [][]string{{id[0], id[1], id[2]}})
}

func splitParts(t *testing.T, w *registerWorld) {
	id := ids(5)
	for _, from := range id[1:] {
		w.merge(t, acme, from, id[0])
	}
	w.advance(time.Minute)
	d := w.split(t, acme, id[3], id[0], id[3])
	same(t, "decision", d, knowledge.Decision{ID: d.ID, Number: 5, Kind: knowledge.Parted, Members: []string{id[3], id[0]},
		Rest: []string{id[1], id[2], id[4]}, Grounds: byPerson("others"), At: start.Add(time.Minute)})
	same(t, "groups", w.groups(t, acme), [][]string{{id[1], id[2], id[4]}, {id[3], id[0]}})
	w.split(t, acme, id[0])
	same(t, "alone", w.groups(t, acme), [][]string{{id[1], id[2], id[4]}})
	w.undo(t, acme, d.ID)
	same(t, "undone, under another split", w.groups(t, acme), [][]string{{id[1], id[2], id[3], id[4]}})
}

func splitRefused(t *testing.T, w *registerWorld) {
	id := ids(4)
	w.merge(t, acme, id[1], id[0])
	for _, members := range [][]string{nil, {id[0], id[1]}, {id[2]}, {id[0], id[2]}, {"none"}} {
		_, err := w.Split(t.Context(), acme, knowledge.Split{Members: members, Grounds: byPerson("")})
		kind(t, err, fault.Invalid)
	}
	_, err := w.Split(t.Context(), acme, knowledge.Split{Members: id[:1], Grounds: byPerson(strings.Repeat("x", knowledge.MaxReason+1))})
	kind(t, err, fault.Invalid)
	same(t, "groups", w.groups(t, acme), [][]string{{id[0], id[1]}})
}

func keptApart(t *testing.T, w *registerWorld) {
	id := ids(6)
	rules := func(from, into string) error {
		outcomes, err := w.Unite(t.Context(), acme, []knowledge.Merge{{From: from, Into: into, Grounds: byRules()}})
		must(t, err)
		return outcomes[0].Err
	}
	must(t, rules(id[1], id[0]))
	must(t, rules(id[2], id[0]))
	w.split(t, acme, id[2])
	must(t, rules(id[3], id[2]))
	kind(t, rules(id[2], id[0]), fault.Conflict)
	kind(t, rules(id[1], id[3]), fault.Conflict) // with id[2] it would come to the same
	taken := w.merge(t, acme, id[5], id[4])
	w.undo(t, acme, taken.ID)
	kind(t, rules(id[4], id[5]), fault.Conflict)
	w.merge(t, acme, id[4], id[5])
	w.merge(t, acme, id[2], id[0])
	same(t, "by a person", w.groups(t, acme), [][]string{{id[0], id[1], id[2], id[3]}, {id[5], id[4]}})
}

func decisionsTold(t *testing.T, w *registerWorld) {
	id := ids(5)
	var made []knowledge.Decision
	for i := range 4 {
		w.advance(time.Minute)
		made = append(made, w.merge(t, acme, id[i+1], id[0]))
	}
	made[1] = w.undo(t, acme, made[1].ID)
	slices.Reverse(made)
	ask := func(q knowledge.DecisionQuery) []knowledge.Decision {
		t.Helper()
		page, err := w.Decisions(t.Context(), acme, q)
		must(t, err)
		return page
	}
	same(t, "all", ask(knowledge.DecisionQuery{Limit: 10}), made)
	same(t, "the first page", ask(knowledge.DecisionQuery{Limit: 3}), made[:3])
	same(t, "the second", ask(knowledge.DecisionQuery{Limit: 3, Before: made[2].Number}), made[3:])
	same(t, "of an entity", ask(knowledge.DecisionQuery{Limit: 10, Entity: id[2]}), made[:3]) // among Rest until it was undone
	same(t, "of one only", ask(knowledge.DecisionQuery{Limit: 1, Entity: id[2], Before: made[1].Number}), made[2:3])
	same(t, "of nobody", len(ask(knowledge.DecisionQuery{Limit: 10, Entity: "none"})), 0)
}

func suggestionsSettled(t *testing.T, w *registerWorld) {
	names := []string{"Ann", "Anne", "Bob", "Bobby", "Carl", "Karl", "Dan"}
	w.told(t, acme, "a", named(names[:6]...)...)
	dan := w.told(t, acme, "b", named("Dan")...)
	pair := func(a, b string, score float64) knowledge.Suggestion {
		s := knowledge.Suggestion{A: idOf(acme, a), B: idOf(acme, b), Score: score, Reason: "alike", At: start}
		s.A, s.B = min(s.A, s.B), max(s.A, s.B)
		return s
	}
	list := func() []knowledge.Suggestion {
		t.Helper()
		all, err := w.Suggestions(t.Context(), acme, 10)
		must(t, err)
		return all
	}
	ann, bob, carl, dora := pair("Ann", "Anne", .8), pair("Bob", "Bobby", .9), pair("Carl", "Karl", .7), pair("Dan", "Ann", .6)
	turned := knowledge.Suggestion{A: bob.B, B: bob.A, Score: bob.Score, Reason: bob.Reason, At: bob.At}
	for range 2 {
		must(t, w.Suggest(t.Context(), acme, []knowledge.Suggestion{ann, turned, carl, dora, pair("Dan", "Nobody", .99)}))
		same(t, "in order", list(), []knowledge.Suggestion{bob, ann, carl, dora})
	}
	one, err := w.Suggestions(t.Context(), acme, 1)
	must(t, err)
	same(t, "the first", one, []knowledge.Suggestion{bob})
	w.merge(t, acme, bob.A, bob.B)
	same(t, "once they are one", list(), []knowledge.Suggestion{ann, carl, dora})
	d := w.merge(t, acme, carl.A, carl.B)
	w.undo(t, acme, d.ID)
	same(t, "once they are kept apart", list(), []knowledge.Suggestion{ann, dora})
	w.remove(t, acme, dan.ID)
	same(t, "once nobody mentions it", list(), []knowledge.Suggestion{ann})
	must(t, w.Suggest(t.Context(), acme, nil))
	same(t, "replaced", len(list()), 0)
}

func decisionsMoveHead(t *testing.T, w *registerWorld) {
	id := ids(4)
	head := func() memory.Seq {
		t.Helper()
		h, err := w.Memories.Head(t.Context(), acme)
		must(t, err)
		return h
	}
	w.merge(t, acme, id[1], id[0])
	same(t, "where nobody wrote", head(), 0)
	m := w.told(t, acme, "a", named("Ann")...)
	w.observe(t, acme, sighting(&m, "rules", named("Bob")...))
	must(t, w.Suggest(t.Context(), acme, []knowledge.Suggestion{{A: id[0], B: id[2], At: start}}))
	same(t, "at first", head(), 1)
	d := w.merge(t, acme, id[2], id[1])
	same(t, "after a merge", head(), 2)
	w.merge(t, acme, id[2], id[1])
	same(t, "after no merge", head(), 2)
	w.split(t, acme, id[0])
	same(t, "after a split", head(), 3)
	w.undo(t, acme, d.ID)
	w.undo(t, acme, d.ID)
	same(t, "after undoing", head(), 4)
	w.told(t, acme, "b")
	same(t, "after the next change", head(), 5)
}

func registersApart(t *testing.T, w *registerWorld) {
	id := ids(3)
	scopes := []memory.Scope{acme, {Tenant: "acme", Project: "other"}, {Tenant: "other", Project: "default"}}
	m := w.told(t, acme, "a", named("Ann")...)
	d := w.merge(t, acme, id[1], id[0])
	must(t, w.Suggest(t.Context(), acme, []knowledge.Suggestion{{A: idOf(acme, "Ann"), B: idOf(acme, "Bob"), At: start}}))
	for _, scope := range scopes[1:] {
		w.observe(t, scope, sighting(&m, "rules", named("Bob")...))
		same(t, "entities", w.entities(t, scope), nil)
		found, err := w.FindEntities(t.Context(), scope, []string{idOf(acme, "Ann")})
		must(t, err)
		same(t, "found", len(found), 0)
		same(t, "groups", w.groups(t, scope), [][]string{})
		of, err := w.Groups(t.Context(), scope, id)
		must(t, err)
		same(t, "groups of ids", len(of), 0)
		_, err = w.Undo(t.Context(), scope, d.ID, "bob")
		kind(t, err, fault.NotFound)
		_, err = w.Split(t.Context(), scope, knowledge.Split{Members: id[:1]})
		kind(t, err, fault.Invalid)
		all, err := w.Decisions(t.Context(), scope, knowledge.DecisionQuery{Limit: 10})
		must(t, err)
		same(t, "decisions", len(all), 0)
		own := w.merge(t, scope, id[2], id[0])
		same(t, "number", own.Number, 1)
		must(t, w.Suggest(t.Context(), scope, nil))
	}
	same(t, "where it was", w.groups(t, acme), [][]string{{id[0], id[1]}})
	same(t, "entities where they were", len(w.entities(t, acme)), 1)
}

func registerErased(t *testing.T, w *registerWorld) {
	id := ids(4)
	other := memory.Scope{Tenant: "other", Project: "default"}
	for _, scope := range []memory.Scope{acme, {Tenant: "acme", Project: "second"}, other} {
		w.told(t, scope, "a", named("Ann", "Bob")...)
		w.merge(t, scope, id[1], id[0])
		w.split(t, scope, id[1])
		w.merge(t, scope, id[3], id[2])
		must(t, w.Suggest(t.Context(), scope, []knowledge.Suggestion{{A: min(idOf(scope, "Ann"), idOf(scope, "Bob")), B: max(idOf(scope, "Ann"), idOf(scope, "Bob")), At: start}}))
	}
	receipt, err := w.Memories.EraseTenant(t.Context(), "acme")
	must(t, err)
	same(t, "counted", []int{receipt.Memories, receipt.Other}, []int{2, 6})
	same(t, "groups", [][][]string{w.groups(t, acme), w.groups(t, other)}, [][][]string{{}, {{id[2], id[3]}}})
	same(t, "entities", []int{len(w.entities(t, acme)), len(w.entities(t, other))}, []int{0, 2})
	for scope, want := range map[memory.Scope]int{acme: 0, other: 1} {
		all, err := w.Suggestions(t.Context(), scope, 10)
		must(t, err)
		same(t, "suggestions", len(all), want)
	}
	same(t, "begins anew", w.merge(t, acme, id[0], id[1]).Number, 1)
}

func ptr[T any](v T) *T { return &v }
