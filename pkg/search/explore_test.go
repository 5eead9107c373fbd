package search_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// mentions are memories as the lists of entities they mention, oldest first.
type mentions struct {
	lists [][]string
	slow  bool
}

func (m mentions) Near(ctx context.Context, _ search.Query, entities []string, _ []memory.ID, most int) (near []search.Mention, err error) {
	if m.slow {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	entities = slices.Clone(entities)
	slices.Sort(entities)
	for _, id := range slices.Compact(entities) {
		taken := 0
		for n, list := range slices.Backward(m.lists) {
			if taken < most && slices.Contains(list, id) {
				taken++
				near = append(near, search.Mention{Entity: id, Memory: memory.ID(fmt.Sprintf("m%03d", n)), All: list})
			}
		}
	}
	return near, nil
}

func (m mentions) Places(context.Context, search.Query, []memory.ID) ([]search.Hit, error) {
	return nil, nil
}

func (m mentions) Nodes(_ context.Context, _ memory.Scope, _ memory.View, ids []string) (nodes []search.Node, err error) {
	for _, id := range ids {
		n := search.Node{ID: id, Name: id}
		for _, list := range m.lists {
			if slices.Contains(list, id) {
				n.Mentions++
			}
		}
		if n.Mentions > 0 {
			nodes = append(nodes, n)
		}
	}
	return nodes, nil
}

func (m mentions) Entities(context.Context, memory.Scope, memory.View) ([]search.Node, error) {
	return nil, errors.ErrUnsupported
}

// facts are all there are, of one version each.
type facts []knowledge.Fact

func (f facts) Get(context.Context, memory.Scope, memory.ID, memory.View) (knowledge.Fact, error) {
	return knowledge.Fact{}, errors.ErrUnsupported
}

func (f facts) History(context.Context, memory.Scope, memory.ID) ([]knowledge.Fact, error) {
	return nil, errors.ErrUnsupported
}

func (f facts) List(_ context.Context, _ memory.Scope, q knowledge.FactQuery) (page knowledge.FactPage, err error) {
	for _, one := range f {
		if one.ID > q.After && one.In(q.View) && (len(q.Relations) == 0 || slices.Contains(q.Relations, one.Relation)) &&
			(slices.Contains(q.Entities, one.Subject.ID) || slices.Contains(q.Entities, one.Object.ID)) {
			if len(page.Facts) == q.Limit {
				page.Next = page.Facts[q.Limit-1].ID
				break
			}
			page.Facts = append(page.Facts, one)
		}
	}
	return page, nil
}

var today = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

func day(n int) *time.Time {
	t := today.AddDate(0, 0, n)
	return &t
}

func factOf(id memory.ID, subject, relation, object string, from, to *time.Time) knowledge.Fact {
	return knowledge.Fact{
		ID: id, Subject: knowledge.Thing{ID: subject, Name: subject}, Relation: relation, Object: knowledge.Thing{ID: object, Name: object},
		ValidFrom: from, ValidTo: to, Confidence: .8, Evidence: []memory.Citation{{MemoryID: "told" + id, Start: 1, End: 4}},
	}
}

func explorer(m mentions, f facts) search.Explorer {
	return search.Explorer{Mentions: m, Facts: f, Clock: func() time.Time { return today }}
}

// world of a random graph, and what a plain search over it reaches.
type maze struct {
	mentions
	facts
}

func drawMaze(rt *rapid.T) (m maze) {
	name := rapid.Custom(func(rt *rapid.T) string { return fmt.Sprintf("e%02d", rapid.IntRange(0, 8).Draw(rt, "entity")) })
	for range rapid.IntRange(0, 8).Draw(rt, "memories") {
		list := rapid.SliceOfNDistinct(name, 1, 3, rapid.ID).Draw(rt, "mentioned")
		slices.Sort(list)
		m.lists = append(m.lists, list)
	}
	for n := range rapid.IntRange(0, 10).Draw(rt, "facts") {
		from, lasts := rapid.IntRange(-9, 3).Draw(rt, "from"), rapid.IntRange(1, 12).Draw(rt, "lasts")
		m.facts = append(m.facts, factOf(memory.ID(fmt.Sprintf("f%02d", n)), name.Draw(rt, "subject"),
			rapid.SampledFrom([]string{"knows", "owns"}).Draw(rt, "relation"), name.Draw(rt, "object"), day(from), day(from+lasts)))
	}
	return m
}

// beside is who stands beside whom at a time, by the relations (none: all).
func (m *maze) beside(at time.Time, relations []string) map[string]map[string]bool {
	beside := map[string]map[string]bool{}
	join := func(a, b, relation string) {
		if a == b || len(relations) > 0 && !slices.Contains(relations, relation) {
			return
		}
		for _, ends := range [][2]string{{a, b}, {b, a}} {
			if beside[ends[0]] == nil {
				beside[ends[0]] = map[string]bool{}
			}
			beside[ends[0]][ends[1]] = true
		}
	}
	for _, list := range m.lists {
		for _, a := range list {
			for _, b := range list {
				join(a, b, search.MentionedWith)
			}
		}
	}
	for i := range m.facts {
		if f := &m.facts[i]; f.TrueAt(at) {
			join(f.Subject.ID, f.Object.ID, f.Relation)
		}
	}
	return beside
}

func distances(beside map[string]map[string]bool, from string) map[string]int {
	far := map[string]int{from: 0}
	for frontier := []string{from}; len(frontier) > 0; {
		at := frontier[0]
		frontier = frontier[1:]
		for other := range beside[at] {
			if _, seen := far[other]; !seen {
				far[other] = far[at] + 1
				frontier = append(frontier, other)
			}
		}
	}
	return far
}

func TestWalksAndPathsAreThoseOfAPlainSearch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := drawMaze(rt)
		x := explorer(m.mentions, m.facts)
		asOf := day(rapid.IntRange(-10, 10).Draw(rt, "as of"))
		relations := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"knows", "owns", search.MentionedWith}), 0, 2, rapid.ID).Draw(rt, "relations")
		w := search.Walk{View: memory.View{AsOf: asOf}, Depth: rapid.IntRange(0, 5).Draw(rt, "depth"), Relations: relations, Induced: true}
		beside := m.beside(*asOf, relations)
		from, to := "e00", "e01"
		known, err := x.Known(t.Context(), memory.Scope{}, w.View, []string{from, to})
		if err != nil {
			rt.Fatal(err)
		}
		w.Start = []string{from}
		sub, err := x.Explore(t.Context(), w)
		if !slices.Contains(known, from) {
			if fault.KindOf(err) != fault.NotFound {
				rt.Fatalf("of nobody: %v", err)
			}
			return
		}
		if err != nil || sub.Truncated {
			rt.Fatalf("%v, truncated %t", err, sub.Truncated)
		}
		far := distances(beside, from)
		var want, got []string
		for id, hops := range far {
			if hops <= w.Depth {
				want = append(want, id)
			}
		}
		last := 0
		for _, n := range sub.Nodes {
			got = append(got, n.ID)
			if far[n.ID] < last {
				rt.Fatalf("%s is nearer than what comes before it", n.ID)
			}
			last = far[n.ID]
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			rt.Fatalf("reached %v, want %v", got, want)
		}
		joined := map[[2]string]bool{}
		for _, e := range sub.Edges {
			joined[[2]string{e.From, e.To}], joined[[2]string{e.To, e.From}] = true, true
			if !beside[e.From][e.To] || len(e.Evidence) == 0 {
				rt.Fatalf("edge %+v", e)
			}
		}
		for _, a := range want {
			for _, b := range want {
				if beside[a][b] && !joined[[2]string{a, b}] {
					rt.Fatalf("no edge from %s to %s", a, b)
				}
			}
		}
		if !slices.Contains(known, to) {
			return
		}
		w.Depth = rapid.IntRange(1, search.MaxHops).Draw(rt, "max depth")
		paths, err := x.Path(t.Context(), w, from, to)
		if err != nil {
			rt.Fatal(err)
		}
		hops, leads := far[to]
		if leads = leads && hops <= w.Depth; leads != (len(paths.Paths) > 0) {
			rt.Fatalf("%d paths of %d hops", len(paths.Paths), hops)
		}
		var before []string
		for _, p := range paths.Paths {
			if len(p.Nodes) != hops+1 || len(p.Hops) != hops || p.Nodes[0] != from || p.Nodes[hops] != to {
				rt.Fatalf("path %v, want %d hops", p.Nodes, hops)
			}
			if before != nil && slices.Compare(before, p.Nodes) >= 0 {
				rt.Fatalf("%v comes after %v", p.Nodes, before)
			}
			before = p.Nodes
			for n, hop := range p.Hops {
				if len(hop) == 0 || !beside[p.Nodes[n]][p.Nodes[n+1]] {
					rt.Fatalf("hop %d of %v: %v", n, p.Nodes, hop)
				}
			}
		}
	})
}

func TestAHubIsCutAndSaysSo(t *testing.T) {
	t.Parallel()
	var m mentions
	for n := range 50_000 {
		m.lists = append(m.lists, []string{fmt.Sprintf("e%05d", n), "hub"})
	}
	sub, err := explorer(m, nil).Explore(t.Context(), search.Walk{Start: []string{"hub"}, Depth: 2})
	if err != nil || !sub.Truncated || len(sub.Nodes) != 33 || sub.Nodes[1].ID != "e49968" {
		t.Errorf("%v, truncated %t, %d nodes %v", err, sub.Truncated, len(sub.Nodes), sub.Nodes[:2])
	}
	limited, err := explorer(m, nil).Explore(t.Context(), search.Walk{Start: []string{"hub"}, Depth: 2, Limit: 5})
	if err != nil || !limited.Truncated || len(limited.Nodes) != 5 {
		t.Errorf("%v, truncated %t, %d nodes", err, limited.Truncated, len(limited.Nodes))
	}
}

func TestAWalkEndsWithWhatItHasWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	x := explorer(mentions{lists: [][]string{{"a", "b"}}, slow: true}, nil)
	x.Patience = time.Millisecond
	sub, err := x.Explore(t.Context(), search.Walk{Start: []string{"a"}, Depth: 2})
	if err != nil || !sub.Truncated || len(sub.Nodes) != 1 {
		t.Errorf("%v, truncated %t, %v", err, sub.Truncated, sub.Nodes)
	}
	paths, err := x.Path(t.Context(), search.Walk{Depth: 3}, "a", "b")
	if err != nil || !paths.Truncated || len(paths.Paths) != 0 {
		t.Errorf("%v, truncated %t, %v", err, paths.Truncated, paths.Paths)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := x.Explore(gone, search.Walk{Start: []string{"a"}, Depth: 2}); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who left hears %v", err)
	}
}

func TestFactsAreToldAsOfATime(t *testing.T) {
	t.Parallel()
	f := facts{
		factOf("1", "ann", "works_at", "helio", day(-30), day(-10)), factOf("2", "ann", "works_at", "tarn", day(-10), nil),
		factOf("3", "ann", "works_at", "later", day(9), nil), factOf("4", "bob", "knows", "ann", nil, nil),
	}
	x := explorer(mentions{}, f)
	told := func(view memory.View) (now, former []memory.ID) {
		t.Helper()
		about, err := x.About(t.Context(), memory.Scope{}, view, "ann")
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range about.Facts {
			now = append(now, one.ID)
		}
		for _, one := range about.Former {
			former = append(former, one.ID)
		}
		return now, former
	}
	if now, former := told(memory.View{}); !slices.Equal(now, []memory.ID{"4", "2"}) || !slices.Equal(former, []memory.ID{"1"}) {
		t.Errorf("now %v, before %v", now, former)
	}
	if now, former := told(memory.View{AsOf: day(-20)}); !slices.Equal(now, []memory.ID{"4", "1"}) || len(former) > 0 {
		t.Errorf("then %v, before %v", now, former)
	}
	sub, err := x.Explore(t.Context(), search.Walk{Start: []string{"ann"}, Depth: 1, Relations: []string{"works_at"}})
	if err != nil || len(sub.Edges) != 1 || sub.Edges[0].To != "tarn" || sub.Edges[0].Evidence[0].Start != 1 || len(sub.Nodes) != 2 {
		t.Errorf("%v %+v", err, sub)
	}
}

func TestOfManyWaysTheShortestAreTold(t *testing.T) {
	t.Parallel()
	m := mentions{lists: [][]string{{"a", "b"}, {"a", "c"}, {"b", "c"}, {"b", "d"}, {"c", "d"}, {"d", "e"}, {"a", "x"}, {"x", "y"}, {"y", "e"}}}
	paths, err := explorer(m, nil).Path(t.Context(), search.Walk{Depth: 6}, "a", "e")
	var got []string
	for _, p := range paths.Paths {
		got = append(got, strings.Join(p.Nodes, ""))
	}
	if want := []string{"abde", "acde", "axye"}; err != nil || !slices.Equal(got, want) || paths.Truncated {
		t.Errorf("%v, %v, want %v", err, got, want)
	}
	if paths, err = explorer(m, nil).Path(t.Context(), search.Walk{Depth: 2}, "a", "e"); err != nil || len(paths.Paths) != 0 {
		t.Errorf("%v, %v within two hops", err, paths.Paths)
	}
}
