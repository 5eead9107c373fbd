package search_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/search/cachetest"
)

func TestLRUKeepsTheContract(t *testing.T) {
	t.Parallel()
	cachetest.Run(t, "memory", func(*testing.T) search.Cache { return search.NewCache(2000) })
}

func TestLayeredKeepsTheContract(t *testing.T) {
	t.Parallel()
	cachetest.Run(t, "two in memory", func(*testing.T) search.Cache {
		return search.Layered{Near: none{}, Far: search.NewCache(2000)}
	})
}

// none keeps nothing.
type none struct{}

func (none) Get(context.Context, search.CacheKey) (search.CachedAnswer, bool) {
	return search.CachedAnswer{}, false
}
func (none) Put(context.Context, search.CachedAnswer)          {}
func (none) ForgetTenant(context.Context, string) (int, error) { return 0, nil }

func TestLayeredKeepsNearWhatIsFar(t *testing.T) {
	t.Parallel()
	near, far := search.NewCache(8), search.NewCache(8)
	answer := cachetest.Answer(here, "question")
	far.Put(t.Context(), answer)
	if _, ok := (search.Layered{Near: near, Far: far}).Get(t.Context(), answer.Key); !ok {
		t.Fatal("what is far is not found")
	}
	if got, ok := near.Get(t.Context(), answer.Key); !ok || !reflect.DeepEqual(got, answer) {
		t.Errorf("near holds %+v", got)
	}
	if n, err := (search.Layered{Near: near, Far: far}).ForgetTenant(t.Context(), here.Tenant); n != 2 || err != nil {
		t.Errorf("forgot %d of 2, %v", n, err)
	}
}

// lying answers every question with what it was told to.
type lying struct {
	says func(search.CacheKey) search.CachedAnswer
}

func (l lying) Get(_ context.Context, key search.CacheKey) (search.CachedAnswer, bool) {
	return l.says(key), true
}
func (lying) Put(context.Context, search.CachedAnswer)          {}
func (lying) ForgetTenant(context.Context, string) (int, error) { return 0, nil }

func TestACacheThatLiesChangesNoAnswer(t *testing.T) {
	t.Parallel()
	now := time.Now()
	past := now.Add(-time.Second)
	kept := shelfOf("a", "b", "expired")
	expired := kept["expired"]
	expired.ExpiresAt = &past
	kept["expired"] = expired
	foreign := kept["b"]
	foreign.ID, foreign.TenantID = "foreign", "other"
	kept["foreign"] = foreign
	honest := func(key search.CacheKey, ids ...memory.ID) search.CachedAnswer {
		answer := search.CachedAnswer{Key: key, Until: now.Add(time.Minute)}
		for _, id := range ids {
			answer.Results = append(answer.Results, search.CachedResult{ID: id, Score: .5})
		}
		return answer
	}
	s := &search.Service{
		Legs: []search.Leg{leg{name: "lexical", hits: []search.Hit{at("a", 1)}}}, Weights: search.Weights{"lexical": 1}, Memories: liar{kept},
		Clock: func() time.Time { return now },
	}
	want := ask(t, s, search.Request{})
	for name, says := range map[string]func(search.CacheKey) search.CachedAnswer{
		"nothing at all": func(search.CacheKey) search.CachedAnswer { return search.CachedAnswer{} },
		"another tenant's answer": func(k search.CacheKey) search.CachedAnswer {
			k.Scope.Tenant = "other"
			return honest(k, "b")
		},
		"the answer to another request": func(k search.CacheKey) search.CachedAnswer {
			k.Request[0]++
			return honest(k, "b")
		},
		"an answer from before a write": func(k search.CacheKey) search.CachedAnswer {
			k.Seq--
			return honest(k, "b")
		},
		"an answer that is too old": func(k search.CacheKey) search.CachedAnswer {
			answer := honest(k, "b")
			answer.Until = now
			return answer
		},
		"another tenant's memory": func(k search.CacheKey) search.CachedAnswer { return honest(k, "b", "foreign") },
		"an expired memory":       func(k search.CacheKey) search.CachedAnswer { return honest(k, "expired") },
		"a memory that is gone":   func(k search.CacheKey) search.CachedAnswer { return honest(k, "b", "gone") },
		"the same memory twice":   func(k search.CacheKey) search.CachedAnswer { return honest(k, "b", "b") },
		"more than was asked for": func(k search.CacheKey) search.CachedAnswer {
			return honest(k, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k")
		},
	} {
		s.Cache = lying{says}
		if got := ask(t, s, search.Request{}); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	s.Cache = lying{func(k search.CacheKey) search.CachedAnswer { return honest(k, "b") }}
	if got := ask(t, s, search.Request{}); !got.Cached || len(got.Results) != 1 || got.Results[0].Memory.ID != "b" {
		t.Errorf("an answer that holds is not believed: %+v", got)
	}
}

// spy is a cache that tells the last key it was asked for.
type spy struct {
	none
	asked *[]search.CacheKey
}

func (s spy) Get(_ context.Context, key search.CacheKey) (search.CachedAnswer, bool) {
	*s.asked = append(*s.asked, key)
	return search.CachedAnswer{}, false
}

func keyOf(t testing.TB, r search.Request) (search.CacheKey, bool) {
	t.Helper()
	var asked []search.CacheKey
	s := &search.Service{
		Legs: []search.Leg{leg{name: "lexical"}}, Weights: search.Weights{"lexical": 1}, Memories: shelf{},
		Freshness: head(7), Cache: spy{asked: &asked},
	}
	if _, err := s.Search(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if len(asked) == 0 {
		return search.CacheKey{}, false
	}
	return asked[0], true
}

// FuzzCacheKey plays two requests that share their bytes but not the places where these are cut.
func FuzzCacheKey(f *testing.F) {
	f.Add("a", "bc", "q", "t", "ab", "c", "q", "t")
	f.Add("a:b", "c", "q", "", "a", "b:c", "q", "")
	f.Add("a", "b", "q\x00t", "", "a", "b", "q", "\x00t")
	f.Add("a", "b", "\xff", "", "a", "b", "\xfe", "")
	f.Add("a", "b", "\ufffd", "", "a", "b", "\xfe", "")
	f.Add("a", "b", "q", "\xff", "a", "b", "q", "\ufffd")
	f.Add("a", "b", "q", `","x":"`, "a", "b", `q","x":"`, "")
	f.Fuzz(func(t *testing.T, tenant1, project1, query1, tag1, tenant2, project2, query2, tag2 string) {
		request := func(tenant, project, query, tag string) search.Request {
			r := search.Request{Scope: memory.Scope{Tenant: tenant, Project: project}, Query: query, Limit: 10}
			if tag != "" {
				r.Filter.Tags = []string{tag}
			}
			return r
		}
		first, kept1 := keyOf(t, request(tenant1, project1, query1, tag1))
		second, kept2 := keyOf(t, request(tenant2, project2, query2, tag2))
		if !kept1 || !kept2 {
			return // not cached at all
		}
		equal := tenant1 == tenant2 && project1 == project2 && query1 == query2 && tag1 == tag2
		if (first == second) != equal || (first.Digest() == second.Digest()) != equal {
			t.Errorf("%q and %q: keys %x and %x", []string{tenant1, project1, query1, tag1}, []string{tenant2, project2, query2, tag2}, first.Digest(), second.Digest())
		}
	})
}

func TestKeysTellEveryPartOfARequestApart(t *testing.T) {
	t.Parallel()
	at := time.Unix(1, 0)
	base := search.Request{Scope: here, Query: "q", Limit: 10}
	keys := map[[32]byte]string{}
	for name, change := range map[string]func(*search.Request){
		"nothing": func(*search.Request) {}, "query": func(r *search.Request) { r.Query = "p" }, "limit": func(r *search.Request) { r.Limit = 9 },
		"mode": func(r *search.Request) { r.Mode = search.Lexical }, "user": func(r *search.Request) { r.Filter.UserID = "u" },
		"agent": func(r *search.Request) { r.Filter.AgentID = "u" }, "as of": func(r *search.Request) { r.View.AsOf = &at },
		"known at": func(r *search.Request) { r.View.KnownAt = &at }, "rerank": func(r *search.Request) { r.NoRerank = true },
		"diversity":            func(r *search.Request) { r.Diversity = .5 },
		"a number in metadata": func(r *search.Request) { r.Filter.Metadata = memory.Metadata{"n": 1.0} },
		"a text in metadata":   func(r *search.Request) { r.Filter.Metadata = memory.Metadata{"n": "1"} },
	} {
		r := base
		change(&r)
		key, ok := keyOf(t, r)
		if !ok {
			t.Errorf("%s: not cached", name)
		}
		if other, taken := keys[key.Digest()]; taken {
			t.Errorf("%s and %s share a key", name, other)
		}
		keys[key.Digest()] = name
	}
	insisting := base
	insisting.AtLeast = 3
	if key, _ := keyOf(t, insisting); keys[key.Digest()] != "nothing" {
		t.Error("what the caller insisted on changes the key of the same answer")
	}
}
