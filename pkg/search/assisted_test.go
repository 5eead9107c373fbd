package search_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// builtIn scores by id.
type builtIn map[memory.ID]float64

func (b builtIn) Rerank(_ context.Context, _ search.Query, ids []memory.ID) ([]float64, error) {
	scores := make([]float64, len(ids))
	for i, id := range ids {
		scores[i] = b[id]
	}
	return scores, nil
}

// scorer is a Scorer.
type scorer func(ctx context.Context, query string, documents []string) ([]float64, error)

func (f scorer) Rerank(ctx context.Context, query string, documents []string) ([]float64, error) {
	return f(ctx, query, documents)
}

func TestAScorerShiftsTheBuiltInScores(t *testing.T) {
	t.Parallel()
	var asked []string
	a := search.Assisted{BuiltIn: builtIn{"a": .5, "b": .5, "gone": .5}, Memories: shelfOf("b", "a"), Weight: .25, Scorer: scorer(func(_ context.Context, query string, documents []string) ([]float64, error) {
		asked = append([]string{query}, documents...)
		return []float64{0, .2, 1}, nil
	})}
	got, err := a.Rerank(t.Context(), search.Query{Scope: here, Text: "who?"}, []memory.ID{"a", "gone", "b"})
	if want := []float64{.375, .425, .625}; err != nil || len(got) != 3 || !near(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if want := []string{"who?", "content of a", "", "content of b"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

// A hundred candidates, of which the built-in reranker knows a little and the scorer more, nothing, or the contrary.
func TestAScorerIsTrustedAsFarAsItAgrees(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	known, all := builtIn{}, make([]memory.ID, 100)
	for i := range all {
		all[i] = memory.ID(fmt.Sprintf("%03d", i))
		known[all[i]] = float64(i)/200 + random.Float64()/2
	}
	shifted := func(says func(i int) float64) (by float64) {
		t.Helper()
		a := search.Assisted{BuiltIn: known, Memories: shelfOf(all...), Weight: .3, Scorer: scorer(func(context.Context, string, []string) ([]float64, error) {
			scores := make([]float64, len(all))
			for i := range scores {
				scores[i] = says(i)
			}
			return scores, nil
		})}
		got, err := a.Rerank(t.Context(), search.Query{Scope: here}, all)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range all {
			by = max(by, math.Abs(got[i]-known[id]))
		}
		return by
	}
	if by := shifted(func(i int) float64 { return float64(i) / 100 }); by < .1 {
		t.Errorf("one that agrees shifts by %v", by)
	}
	if by := shifted(func(i int) float64 { return map[bool]float64{true: 1}[i == 97] }); by < .1 {
		t.Errorf("one that knows the best of many shifts by %v", by)
	}
	for name, says := range map[string]func(int) float64{
		"contradicts": func(i int) float64 { return 1 - float64(i)/100 }, "says the same of all": func(int) float64 { return .7 },
	} {
		if by := shifted(says); by != 0 {
			t.Errorf("one that %s shifts by %v", name, by)
		}
	}
	sum := 0.0
	for range 100 {
		sum += shifted(func(int) float64 { return random.Float64() }) / 100
	}
	if sum > .03 {
		t.Errorf("one that guesses shifts by %v on average", sum)
	}
}

func near(got, want []float64) bool {
	return slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
}

func TestAScorerThatFailsCostsNothingButItsName(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]scorer{
		"away":   func(context.Context, string, []string) ([]float64, error) { return nil, errors.New("away") },
		"fewer":  func(context.Context, string, []string) ([]float64, error) { return []float64{1}, nil },
		"NaN":    func(context.Context, string, []string) ([]float64, error) { return []float64{1, math.NaN()}, nil },
		"large":  func(context.Context, string, []string) ([]float64, error) { return []float64{1, 1.1}, nil },
		"panics": func(context.Context, string, []string) ([]float64, error) { panic("scorer") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			legs := []search.Leg{leg{name: "lexical", hits: []search.Hit{at("a", .5), at("b", .4)}}}
			s := &search.Service{Legs: legs, Weights: search.Weights{"lexical": 1}, Memories: shelfOf("a", "b"), Reranker: builtIn{"a": .1, "b": .9}}
			want := ask(t, s, search.Request{})
			s.Reranker = search.Assisted{BuiltIn: s.Reranker, Scorer: bad, Memories: s.Memories}
			got := ask(t, s, search.Request{})
			if !slices.Equal(got.Degraded, []string{"rerank"}) || !reflect.DeepEqual(got.Results, want.Results) || ids(got)[0] != "b" {
				t.Errorf("got %v, degraded %v", ids(got), got.Degraded)
			}
		})
	}
}

// However a scorer stalls, and whatever it makes of the context, a search takes no longer than its deadline, to the
// nanosecond: time here passes only when everybody waits.
func TestAStalledScorerCostsAtMostItsDeadline(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ timeout, stage, want time.Duration }{
		"its own deadline": {300 * time.Millisecond, 2 * time.Second, 300 * time.Millisecond}, "that of the stage": {time.Minute, 500 * time.Millisecond, 500 * time.Millisecond},
		"no deadline of its own": {0, 500 * time.Millisecond, 500 * time.Millisecond},
	} {
		for _, minds := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					end := make(chan struct{})
					defer close(end)
					stalled := scorer(func(ctx context.Context, _ string, _ []string) ([]float64, error) {
						if minds {
							<-ctx.Done()
							return nil, ctx.Err()
						}
						<-end
						return []float64{0, 0}, nil
					})
					s := &search.Service{
						Legs: []search.Leg{leg{name: "lexical", hits: []search.Hit{at("a", .5), at("b", .4)}}}, Weights: search.Weights{"lexical": 1}, Memories: shelfOf("a", "b"),
						Reranker:     search.Assisted{BuiltIn: builtIn{"a": .1, "b": .9}, Scorer: stalled, Memories: shelfOf("a", "b"), Timeout: c.timeout},
						StageTimeout: c.stage,
					}
					began := time.Now()
					got := ask(t, s, search.Request{})
					if took := time.Since(began); took != c.want || !slices.Equal(got.Degraded, []string{"rerank"}) || ids(got)[0] != "b" {
						t.Errorf("took %v, want %v; %v, degraded %v", took, c.want, ids(got), got.Degraded)
					}
				})
			})
		}
	}
}

func TestWhoSearchesPays(t *testing.T) {
	t.Parallel()
	var payers []memory.Scope
	s := &search.Service{
		Legs: []search.Leg{leg{name: "lexical", hits: []search.Hit{at("a", .5)}}}, Weights: search.Weights{"lexical": 1}, Memories: shelfOf("a"),
		Reranker: search.Assisted{BuiltIn: builtIn{}, Memories: shelfOf("a"), Scorer: scorer(func(ctx context.Context, _ string, _ []string) ([]float64, error) {
			payer, _ := llm.PayerOf(ctx)
			payers = append(payers, payer)
			return []float64{1}, nil
		})},
	}
	if ask(t, s, search.Request{}); len(payers) != 1 || payers[0] != here {
		t.Errorf("paid by %v", payers)
	}
}
