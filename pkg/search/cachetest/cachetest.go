// Package cachetest is the contract suite of search.Cache: every cache of answers runs it.
package cachetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// tenants are names that run together, or mean something, where keys are put together carelessly.
var tenants = []string{"acme", "acme2", "acm", "a", "a:b", "a/b", "*", "acm?", "[a-z]cme", "{acme}", "acme\x00", "", "Ącme", "ac\\me", "acme default"}

// Run holds a cache to its contract. on names it; open returns an empty cache that holds at least 1,000 answers.
func Run(t *testing.T, on string, open func(*testing.T) search.Cache) {
	run := contract.Begin(t, "cachetest", on)
	run.Clause(t, "an answer comes back as it was put", func(t *testing.T) {
		cache := open(t)
		answers := []search.CachedAnswer{
			Answer(memory.Scope{Tenant: "acme", Project: "default"}, "one"),
			Answer(memory.Scope{Tenant: "acme", Project: "default"}, "none"),
		}
		answers[1].Results = []search.CachedResult{{ID: "bare"}}
		for _, answer := range answers {
			cache.Put(t.Context(), answer)
		}
		for _, want := range answers {
			wantAnswer(t, cache, want)
		}
	})
	run.Clause(t, "what was not put is not there", func(t *testing.T) {
		cache := open(t)
		want := Answer(memory.Scope{Tenant: "acme", Project: "default"}, "one")
		wantNone(t, cache, want.Key)
		cache.Put(t.Context(), want)
		for name, change := range map[string]func(*search.CacheKey){
			"a later write":   func(k *search.CacheKey) { k.Seq++ },
			"an earlier one":  func(k *search.CacheKey) { k.Seq-- },
			"another request": func(k *search.CacheKey) { k.Request[31]++ },
			"another project": func(k *search.CacheKey) { k.Scope.Project = "other" },
			"another tenant":  func(k *search.CacheKey) { k.Scope.Tenant = "other" },
			"the cut between tenant and project": func(k *search.CacheKey) {
				k.Scope = memory.Scope{Tenant: "acmed", Project: "efault"}
			},
		} {
			key := want.Key
			change(&key)
			if got, ok := cache.Get(t.Context(), key); ok {
				t.Errorf("%s gets %v", name, got)
			}
		}
	})
	run.Clause(t, "the later of two answers under a key stands", func(t *testing.T) {
		cache := open(t)
		answer := Answer(memory.Scope{Tenant: "acme", Project: "default"}, "one")
		cache.Put(t.Context(), answer)
		answer.Results = answer.Results[1:]
		cache.Put(t.Context(), answer)
		wantAnswer(t, cache, answer)
	})
	run.Clause(t, "no tenant gets or loses another's answer, however they are called", func(t *testing.T) {
		cache := open(t)
		kept := map[string][]search.CachedAnswer{}
		for _, tenant := range tenants {
			for _, project := range []string{"default", "", "p:q"} {
				answer := Answer(memory.Scope{Tenant: tenant, Project: project}, "the same question")
				answer.Results[0].ID = memory.ID("of " + tenant + " in " + project)
				cache.Put(t.Context(), answer)
				kept[tenant] = append(kept[tenant], answer)
			}
		}
		for i, erased := range tenants {
			for _, tenant := range tenants[i:] {
				for _, want := range kept[tenant] {
					wantAnswer(t, cache, want)
				}
			}
			wantForgotten(t, cache, erased, 3)
			wantForgotten(t, cache, erased, 0)
			for _, gone := range kept[erased] {
				wantNone(t, cache, gone.Key)
			}
		}
	})
	run.Clause(t, "forgetting finds every one of many", func(t *testing.T) {
		cache := open(t)
		const many = 900 // more than one page of any iteration
		for i := range many {
			cache.Put(t.Context(), Answer(memory.Scope{Tenant: "acme", Project: fmt.Sprint(i % 7)}, fmt.Sprint(i)))
		}
		other := Answer(memory.Scope{Tenant: "other", Project: "1"}, "1")
		cache.Put(t.Context(), other)
		wantForgotten(t, cache, "acme", many)
		wantAnswer(t, cache, other)
	})
	run.Clause(t, "many may use it at once", func(t *testing.T) {
		cache := open(t)
		var running sync.WaitGroup
		for worker := range 8 {
			running.Go(func() {
				for i := range 100 {
					answer := Answer(memory.Scope{Tenant: fmt.Sprint(worker % 3), Project: "default"}, fmt.Sprint(i%10))
					cache.Put(context.WithoutCancel(t.Context()), answer)
					if got, ok := cache.Get(t.Context(), answer.Key); ok && !same(got, answer) {
						t.Errorf("worker %d got another's answer: %+v", worker, got)
						return
					}
					if i%25 == 0 {
						if _, err := cache.ForgetTenant(t.Context(), fmt.Sprint(worker%3)); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		running.Wait()
	})
}

// Answer is an answer of two results to a question in a scope, with scores that show what rounding does to them.
func Answer(scope memory.Scope, question string) search.CachedAnswer {
	third, tiny, zero := 1.0/3, math.SmallestNonzeroFloat64, 0.0
	return search.CachedAnswer{
		Key:   search.CacheKey{Scope: scope, Request: sha256.Sum256([]byte(question)), Seq: 7},
		Until: time.Now().Add(time.Minute).UTC().Round(0),
		Results: []search.CachedResult{
			{ID: "a", Score: third, Scores: search.Scores{Lexical: &third, Recency: &tiny, Graph: &zero},
				Explain: &search.Explanation{MatchedTerms: []string{"zażółć", "\u2028", "<b>"}, Fused: third, Weights: search.Weights{"lexical": 1, "dense": -.3}}},
			{ID: "b", Score: math.Nextafter(third, 0), Explain: &search.Explanation{MatchedTerms: []string{}}},
		},
	}
}

func wantAnswer(t *testing.T, cache search.Cache, want search.CachedAnswer) {
	t.Helper()
	got, ok := cache.Get(t.Context(), want.Key)
	if !ok {
		t.Errorf("the answer of %q is gone", want.Key.Scope)
	} else if !same(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

// same ignores Until, which is the only part that differs between two equal answers of this suite.
func same(got, want search.CachedAnswer) bool {
	return got.Key == want.Key && !got.Until.IsZero() && reflect.DeepEqual(got.Results, want.Results)
}

func wantNone(t *testing.T, cache search.Cache, key search.CacheKey) {
	t.Helper()
	if got, ok := cache.Get(t.Context(), key); ok {
		t.Errorf("%q still gets %+v", key.Scope, got)
	}
}

func wantForgotten(t *testing.T, cache search.Cache, tenant string, want int) {
	t.Helper()
	if n, err := cache.ForgetTenant(t.Context(), tenant); err != nil || n != want {
		t.Errorf("forgetting %q: %d answers, error %v; want %d", tenant, n, err, want)
	}
}
