package search_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

var here = memory.Scope{Tenant: "acme", Project: "default"}

// leg answers with what it was given.
type leg struct {
	name    string
	hits    []search.Hit
	do      func(ctx context.Context) error // nil: at once
	without string                          // stage it had to do without; "" = none
}

func (l leg) Name() string { return l.name }

func (l leg) Retrieve(ctx context.Context, _ search.Query, depth int) ([]search.Hit, error) {
	if l.do != nil {
		if err := l.do(ctx); err != nil {
			return nil, err
		}
	}
	hits := l.hits[:min(depth, len(l.hits))]
	if l.without != "" {
		return hits, fmt.Errorf("asked another: %w", &search.Degraded{Stage: l.without, Err: errors.New("connection refused to 10.0.0.7")})
	}
	return hits, nil
}

// shelf finds memories by id.
type shelf map[memory.ID]memory.Memory

func (s shelf) Find(_ context.Context, scope memory.Scope, ids []memory.ID, _ memory.View) ([]memory.Memory, error) {
	var found []memory.Memory
	for _, id := range ids {
		if m, ok := s[id]; ok && m.Scope() == scope {
			found = append(found, m)
		}
	}
	return found, nil
}

func shelfOf(ids ...memory.ID) shelf {
	s := shelf{}
	for _, id := range ids {
		s[id] = memory.Memory{ID: id, TenantID: here.Tenant, ProjectID: here.Project, Content: "content of " + string(id), Layer: memory.Episodic, Importance: .5}
	}
	return s
}

func at(id memory.ID, score float64) search.Hit { return search.Hit{ID: id, Score: score} }

func ids(r search.Response) []memory.ID {
	var all []memory.ID
	for _, result := range r.Results {
		all = append(all, result.Memory.ID)
	}
	return all
}

func ask(t *testing.T, s *search.Service, r search.Request) search.Response {
	t.Helper()
	r.Scope = here
	if r.Query == "" {
		r.Query = "question"
	}
	if r.Limit == 0 {
		r.Limit = 10
	}
	response, err := s.Search(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func TestFusion(t *testing.T) {
	t.Parallel()
	weights := search.Weights{"lexical": 3, "dense": 1}
	t.Run("a memory both legs find outranks what one finds as well", func(t *testing.T) {
		t.Parallel()
		s := &search.Service{
			Legs:    []search.Leg{leg{name: "lexical", hits: []search.Hit{at("a", .5), at("b", .5)}}, leg{name: "dense", hits: []search.Hit{at("b", .9)}}},
			Weights: weights, Memories: shelfOf("a", "b"),
		}
		if got := ids(ask(t, s, search.Request{})); !reflect.DeepEqual(got, []memory.ID{"b", "a"}) {
			t.Errorf("order %v", got)
		}
	})
	t.Run("ties break by id", func(t *testing.T) {
		t.Parallel()
		s := &search.Service{Legs: []search.Leg{leg{name: "lexical", hits: []search.Hit{at("c", .5), at("a", .5), at("b", .5)}}}, Weights: weights, Memories: shelfOf("a", "b", "c")}
		if got := ids(ask(t, s, search.Request{})); !reflect.DeepEqual(got, []memory.ID{"a", "b", "c"}) {
			t.Errorf("order %v", got)
		}
	})
	t.Run("a leg that only helps out is not even asked when enough is found", func(t *testing.T) {
		t.Parallel()
		asked := 0
		counted := func(context.Context) error { asked++; return nil }
		s := &search.Service{
			Legs:    []search.Leg{leg{name: "lexical", hits: []search.Hit{at("a", .5), at("b", .4)}}, leg{name: "dense", hits: []search.Hit{at("z", 1), at("b", 1)}, do: counted}},
			Weights: search.Weights{"lexical": 1, "dense": -.3}, Memories: shelfOf("a", "b", "z"),
		}
		if got := ids(ask(t, s, search.Request{Limit: 2})); !reflect.DeepEqual(got, []memory.ID{"a", "b"}) || asked != 0 {
			t.Errorf("order %v, asked %d times", got, asked)
		}
		if got := ids(ask(t, s, search.Request{Limit: 3})); !reflect.DeepEqual(got, []memory.ID{"a", "b", "z"}) {
			t.Errorf("when too little is found: %v", got)
		}
	})
	t.Run("of equal turns in one session, those beside the answer come first", func(t *testing.T) {
		t.Parallel()
		turn := func(id memory.ID, n int, score float64) search.Hit {
			return search.Hit{ID: id, Score: score, Place: search.Place{Session: "s", Turn: n}}
		}
		for _, beside := range []int{2, 3, 5, 6} {
			s := &search.Service{
				Legs:    []search.Leg{leg{name: "lexical", hits: []search.Hit{turn("match", 4, .6), turn("a-far", 50, .1), turn("b-beside", beside, .1)}}},
				Weights: weights, Memories: shelfOf("match", "a-far", "b-beside"),
			}
			if got := ids(ask(t, s, search.Request{})); !reflect.DeepEqual(got, []memory.ID{"match", "b-beside", "a-far"}) {
				t.Errorf("turn %d beside turn 4: order %v", beside, got)
			}
		}
	})
	t.Run("where a memory stands is told by whichever leg knows", func(t *testing.T) {
		t.Parallel()
		turn := func(id memory.ID, n int, score float64) search.Hit {
			return search.Hit{ID: id, Score: score, Place: search.Place{Session: "s", Turn: n}}
		}
		s := &search.Service{
			Legs: []search.Leg{
				leg{name: "dense", hits: []search.Hit{at("match", .6), at("a-far", .1), at("b-beside", .1)}},
				leg{name: "lexical", hits: []search.Hit{turn("match", 4, .6), turn("a-far", 50, .1), turn("b-beside", 5, .1)}},
			},
			Weights: weights, Memories: shelfOf("match", "a-far", "b-beside"),
		}
		if got := ids(ask(t, s, search.Request{})); !reflect.DeepEqual(got, []memory.ID{"match", "b-beside", "a-far"}) {
			t.Errorf("order %v", got)
		}
	})
	t.Run("of equal turns, the one said by whom the question names comes first", func(t *testing.T) {
		t.Parallel()
		said := func(id memory.ID, speaker string) search.Hit {
			return search.Hit{ID: id, Score: .5, Place: search.Place{Speaker: speaker}}
		}
		s := &search.Service{Legs: []search.Leg{leg{name: "lexical", hits: []search.Hit{said("a", "jonas"), said("b", "mara lind")}}}, Weights: weights, Memories: shelfOf("a", "b")}
		if got := ids(ask(t, s, search.Request{Query: "What did Mara adopt?"})); !reflect.DeepEqual(got, []memory.ID{"b", "a"}) {
			t.Errorf("order %v", got)
		}
	})
	t.Run("of equal turns, the one in the session that answers comes first", func(t *testing.T) {
		t.Parallel()
		turn := func(id memory.ID, session string, n int, score float64) search.Hit {
			return search.Hit{ID: id, Score: score, Place: search.Place{Session: session, Turn: n}}
		}
		s := &search.Service{Legs: []search.Leg{leg{name: "lexical", hits: []search.Hit{
			turn("best", "s", 40, .9), turn("a", "t", 10, .5), turn("a2", "t", 30, .1), turn("b", "s", 10, .5),
		}}}, Weights: weights, Memories: shelfOf("best", "a", "a2", "b")}
		if got := ids(ask(t, s, search.Request{})); !reflect.DeepEqual(got, []memory.ID{"best", "b", "a", "a2"}) {
			t.Errorf("order %v", got)
		}
	})
	t.Run("scores lie in 0..1 and fall", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(rt *rapid.T) {
			var hits []search.Hit
			var known []memory.ID
			for i := range rapid.IntRange(1, 30).Draw(rt, "hits") {
				id := memory.ID(fmt.Sprintf("m%02d", i))
				known = append(known, id)
				hits = append(hits, search.Hit{ID: id, Score: rapid.Float64Range(0, 1).Draw(rt, "score"), Place: search.Place{
					Session: rapid.SampledFrom([]string{"", "s", "t"}).Draw(rt, "session"), Turn: i, Speaker: rapid.SampledFrom([]string{"", "question"}).Draw(rt, "speaker"),
				}})
			}
			s := &search.Service{Legs: []search.Leg{leg{name: "lexical", hits: hits}}, Weights: weights, Memories: shelfOf(known...)}
			last := 1.0
			for _, result := range ask(t, s, search.Request{Limit: 100, Diversity: 0}).Results {
				if result.Score < 0 || result.Score > 1 || result.Score > last {
					rt.Fatalf("score %g after %g", result.Score, last)
				}
				last = result.Score
			}
		})
	})
}

func TestAFailedStageIsNamedAndNoMore(t *testing.T) {
	t.Parallel()
	broken := func(context.Context) error { return errors.New("connection refused to 10.0.0.7") }
	weights := search.Weights{"lexical": 1, "dense": 1}
	good := leg{name: "lexical", hits: []search.Hit{at("a", .5)}}
	for _, c := range []struct {
		name    string
		service search.Service
		want    []string
	}{
		{"a leg that fails", search.Service{Legs: []search.Leg{good, leg{name: "dense", do: broken}}}, []string{"dense"}},
		{"a leg that panics", search.Service{Legs: []search.Leg{good, leg{name: "dense", do: func(context.Context) error { panic("index out of range") }}}}, []string{"dense"}},
		{"an embedder that fails", search.Service{Legs: []search.Leg{good, leg{name: "dense"}}, Embedder: embedder{broken}}, []string{"dense"}},
		{"a reranker that fails", search.Service{Legs: []search.Leg{good}, Reranker: reranker{err: errors.New("x")}}, []string{"rerank"}},
		{"a reranker that miscounts", search.Service{Legs: []search.Leg{good}, Reranker: reranker{scores: []float64{1, 2, 3}}}, []string{"rerank"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := c.service
			s.Weights, s.Memories, s.Cache = weights, shelfOf("a"), search.NewCache(8)
			for range 2 { // a degraded answer is not kept
				response := ask(t, &s, search.Request{})
				if !reflect.DeepEqual(response.Degraded, c.want) || response.Cached {
					t.Errorf("degraded %v, cached %v", response.Degraded, response.Cached)
				}
				if got := ids(response); !reflect.DeepEqual(got, []memory.ID{"a"}) {
					t.Errorf("found %v", got)
				}
			}
		})
	}
	t.Run("when every leg fails there is no answer, and no secret in the error", func(t *testing.T) {
		t.Parallel()
		s := &search.Service{Legs: []search.Leg{leg{name: "lexical", do: broken}}, Weights: weights, Memories: shelfOf()}
		_, err := s.Search(t.Context(), search.Request{Scope: here, Query: "x", Limit: 1})
		if fault.KindOf(err) != fault.Unavailable || strings.Contains(fault.Public(err), "10.0.0.7") {
			t.Errorf("%v: %q", fault.KindOf(err), fault.Public(err))
		}
	})
	t.Run("a leg that hangs costs its deadline", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
			s := &search.Service{Legs: []search.Leg{good, leg{name: "dense", do: hang}}, Weights: weights, Memories: shelfOf("a"), StageTimeout: time.Second}
			began := time.Now()
			response, err := s.Search(t.Context(), search.Request{Scope: here, Query: "x", Limit: 1})
			if err != nil || !reflect.DeepEqual(response.Degraded, []string{"dense"}) || time.Since(began) != time.Second {
				t.Errorf("%v after %s, %v", response.Degraded, time.Since(began), err)
			}
		})
	})
	t.Run("a caller who leaves ends the search", func(t *testing.T) {
		t.Parallel()
		ctx, leave := context.WithCancel(t.Context())
		s := &search.Service{Legs: []search.Leg{leg{name: "lexical", do: func(ctx context.Context) error { leave(); <-ctx.Done(); return ctx.Err() }}}, Weights: weights, Memories: shelfOf()}
		if _, err := s.Search(ctx, search.Request{Scope: here, Query: "x", Limit: 1}); fault.KindOf(err) != fault.Cancelled {
			t.Errorf("%v", err)
		}
	})
}

func TestALegThatDoesWithoutSomethingAnswersAndSaysSo(t *testing.T) {
	t.Parallel()
	var observed []string
	s := &search.Service{
		Legs:    []search.Leg{leg{name: "dense", hits: []search.Hit{at("a", .5), at("b", .4)}, without: "qdrant"}},
		Weights: search.Weights{"dense": 1}, Memories: shelfOf("a", "b"), Cache: search.NewCache(8),
		Observe: func(stage string, _ time.Duration, err error) {
			if err != nil {
				observed = append(observed, stage)
			}
		},
	}
	for range 2 { // the second could come from the cache
		got := ask(t, s, search.Request{Mode: search.Dense})
		if !reflect.DeepEqual(ids(got), []memory.ID{"a", "b"}) || !reflect.DeepEqual(got.Degraded, []string{"qdrant"}) || got.Cached {
			t.Errorf("found %v, degraded %v, cached %v", ids(got), got.Degraded, got.Cached)
		}
		if got.Results[0].Scores.Dense == nil {
			t.Error("the leg's scores are missing")
		}
	}
	if !reflect.DeepEqual(observed, []string{"qdrant", "qdrant"}) {
		t.Errorf("observed failures of %v", observed)
	}
	s.Legs = append(s.Legs, leg{name: "graph", without: "qdrant"})
	if got := ask(t, s, search.Request{}); !reflect.DeepEqual(got.Degraded, []string{"qdrant"}) {
		t.Errorf("two legs without it: degraded %v", got.Degraded)
	}
}

type embedder struct{ do func(context.Context) error }

func (e embedder) EmbedQuery(ctx context.Context, _ string) ([]float32, error) { return nil, e.do(ctx) }

type reranker struct {
	scores []float64
	err    error
}

func (r reranker) Rerank(context.Context, search.Query, []memory.ID) ([]float64, error) {
	return r.scores, r.err
}

func TestTheIndexIsNeverBelieved(t *testing.T) {
	t.Parallel()
	foreign := memory.Memory{ID: "foreign", TenantID: "other", ProjectID: "default", Content: "secret"}
	kept := shelfOf("a", "b")
	kept["foreign"] = foreign
	b := kept["b"]
	b.UserID = "u2"
	kept["b"] = b
	s := &search.Service{
		Legs:    []search.Leg{leg{name: "lexical", hits: []search.Hit{at("foreign", 1), at("deleted", .9), at("b", .8), at("a", .7)}}},
		Weights: search.Weights{"lexical": 1}, Memories: liar{kept},
	}
	if got := ids(ask(t, s, search.Request{Limit: 1, Filter: memory.Filter{UserID: ""}})); !reflect.DeepEqual(got, []memory.ID{"b"}) {
		t.Errorf("found %v", got)
	}
	if got := ids(ask(t, s, search.Request{Limit: 4, Filter: memory.Filter{UserID: "u2"}})); !reflect.DeepEqual(got, []memory.ID{"b"}) {
		t.Errorf("filtered: %v", got)
	}
}

// liar is a store that forgets to look at the scope.
type liar struct{ shelf }

func (l liar) Find(_ context.Context, _ memory.Scope, ids []memory.ID, _ memory.View) ([]memory.Memory, error) {
	var found []memory.Memory
	for _, id := range ids {
		if m, ok := l.shelf[id]; ok {
			found = append(found, m)
		}
	}
	return found, nil
}

func TestCachedAnswersNeverShowTheExpired(t *testing.T) {
	t.Parallel()
	now := time.Now()
	soon := now.Add(time.Minute)
	kept := shelfOf("a")
	a := kept["a"]
	a.ExpiresAt = &soon
	kept["a"] = a
	s := &search.Service{
		Legs: []search.Leg{leg{name: "lexical", hits: []search.Hit{at("a", 1)}}}, Weights: search.Weights{"lexical": 1}, Memories: kept,
		Cache: search.NewCache(8), Clock: func() time.Time { return now },
	}
	ask(t, s, search.Request{})
	if !ask(t, s, search.Request{}).Cached {
		t.Fatal("not cached")
	}
	now = soon
	delete(kept, "a") // as a store does
	if got := ask(t, s, search.Request{}); got.Cached || len(got.Results) != 0 {
		t.Errorf("cached %v, %v", got.Cached, ids(got))
	}
}

func TestCachedAnswersAgeByTheServicesClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) // long before the machine's own time
	s := &search.Service{
		Legs: []search.Leg{leg{name: "lexical", hits: []search.Hit{at("a", 1)}}}, Weights: search.Weights{"lexical": 1}, Memories: shelfOf("a"),
		Cache: search.NewCache(8), Clock: func() time.Time { return now },
	}
	for _, step := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {4 * time.Minute, true}, {2 * time.Minute, false}} {
		now = now.Add(step.after)
		if got := ask(t, s, search.Request{}).Cached; got != step.want {
			t.Errorf("%s later: cached %v, want %v", step.after, got, step.want)
		}
	}
}

func TestDiversityKeepsCopiesApart(t *testing.T) {
	t.Parallel()
	kept := shelfOf("a", "b", "c")
	for id, content := range map[memory.ID]string{"a": "the red kite flew", "b": "the red kite flew", "c": "a boiler broke"} {
		m := kept[id]
		m.Content = content
		kept[id] = m
	}
	s := &search.Service{Legs: []search.Leg{leg{name: "lexical", hits: []search.Hit{at("a", .9), at("b", .9), at("c", .5)}}}, Weights: search.Weights{"lexical": 1}, Memories: kept}
	if got := ids(ask(t, s, search.Request{Limit: 2})); !reflect.DeepEqual(got, []memory.ID{"a", "b"}) {
		t.Errorf("by score: %v", got)
	}
	if got := ids(ask(t, s, search.Request{Limit: 2, Diversity: .5})); !reflect.DeepEqual(got, []memory.ID{"a", "c"}) {
		t.Errorf("diverse: %v", got)
	}
}

// head is an index that has seen so much.
type head memory.Seq

func (h head) CatchUp(context.Context, memory.Scope) (memory.Seq, error) { return memory.Seq(h), nil }

func TestAReaderIsNeverServedLessThanItHasSeen(t *testing.T) {
	t.Parallel()
	s := &search.Service{
		Legs: []search.Leg{leg{name: "lexical", hits: []search.Hit{at("a", 1)}}}, Weights: search.Weights{"lexical": 1}, Memories: shelfOf("a"),
		Freshness: head(7), Cache: search.NewCache(8),
	}
	for range 2 { // the second could come from the cache
		if got := ask(t, s, search.Request{AtLeast: 7}); got.Seq != 7 || len(got.Results) != 1 {
			t.Errorf("at 7: %+v", got)
		}
		if _, err := s.Search(t.Context(), search.Request{Scope: here, Query: "question", Limit: 10, AtLeast: 8}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a write this store has not seen: %v", err)
		}
	}
}
