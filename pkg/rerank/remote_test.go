package rerank_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider/providertest"
	"github.com/rae-memory/rae/pkg/rerank"
	"github.com/rae-memory/rae/pkg/rerank/reranktest"
)

// faraway is a provider that scores by score, or as the built-in one. It keeps what it was asked.
type faraway struct {
	mu    sync.Mutex
	asked [][]string
	used  llm.Usage
	score func(documents []string) []float64
}

func (f *faraway) Rerank(ctx context.Context, query string, documents []string) ([]float64, llm.Usage, error) {
	f.mu.Lock()
	f.asked = append(f.asked, append([]string{query}, documents...))
	f.mu.Unlock()
	if f.score != nil {
		return f.score(documents), f.used, nil
	}
	scores, err := rerank.Lexical{}.Rerank(ctx, query, documents)
	return scores, f.used, err
}

func remote(t *testing.T, p rerank.Provider, m llm.Meter, change ...func(*rerank.Spec)) *rerank.Remote {
	t.Helper()
	s := rerank.Spec{Provider: "acme-ai", Model: "order-1", MaxDocuments: 100}
	for _, c := range change {
		c(&s)
	}
	r, err := rerank.NewRemote(p, s, m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRemoteKeepsTheContract(t *testing.T) {
	t.Parallel()
	reranktest.Run(t, "remote", func(t *testing.T) rerank.Reranker { return remote(t, &faraway{}, new(providertest.Meter)) })
}

func TestOnlyWhatHasToBeIsAsked(t *testing.T) {
	t.Parallel()
	p, m := &faraway{used: llm.Usage{TokensIn: 5}, score: func(d []string) []float64 {
		scores := make([]float64, len(d))
		for i, document := range d {
			scores[i] = float64(document[0]-'a') / 10
		}
		return scores
	}}, new(providertest.Meter)
	r := remote(t, p, m, func(s *rerank.Spec) { s.MaxDocuments, s.MaxTextTokens = 2, 2 })
	got, err := r.Rerank(t.Context(), " who\xff? ", []string{"b", "", "c", " \t", "b", "defghijkl", "d\x00"})
	if want := []float64{.1, 0, .2, 0, .1, .3, .3}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if want := [][]string{{"who", "b", "c"}, {"who", "defghi", "d"}}; !reflect.DeepEqual(p.asked, want) {
		t.Errorf("asked %q\nwant  %q", p.asked, want)
	}
	first := llm.Call{Operation: "rerank", Provider: "acme-ai", Model: "order-1", Most: llm.Usage{TokensIn: 4, Estimated: true}}
	if len(m.Calls()) != 2 || m.Calls()[0] != first || m.Used()[0].TokensIn != 5 {
		t.Errorf("metered %+v, used %+v", m.Calls(), m.Used())
	}
	p.asked = nil
	if got, err := r.Rerank(t.Context(), " \n", []string{"a", "b"}); err != nil || !slices.Equal(got, []float64{0, 0}) || p.asked != nil {
		t.Errorf("a blank query: %v, %v, asked %q", got, err, p.asked)
	}
}

func TestSearchesAreCountedWhereTheyAreCharged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ documents, tokens, searches int }{{1, 5, 1}, {100, 400, 1}, {101, 5, 2}, {60, 600, 2}, {1, 20_000, 1}, {3, 20_000, 2}} {
		m := new(providertest.Meter)
		documents := make([]string, c.documents)
		for i := range documents {
			documents[i] = fmt.Sprintf("%0*d", 3*c.tokens, i)
		}
		r := remote(t, &faraway{score: func(d []string) []float64 { return make([]float64, len(d)) }}, m, func(s *rerank.Spec) { s.MaxDocuments, s.BySearch = 1000, true })
		if _, err := r.Rerank(t.Context(), "q", documents); err != nil || m.Calls()[0].Most.TokensIn != c.searches*rerank.SearchTokens {
			t.Errorf("%+v: %v, metered %+v", c, err, m.Calls())
		}
	}
}

func TestLogitsBecomeScoresInTheirOrder(t *testing.T) {
	t.Parallel()
	logits := []float64{-12.5, 3, 0, math.MaxFloat64, -math.MaxFloat64, .5}
	got, err := remote(t, &faraway{score: func([]string) []float64 { return slices.Clone(logits) }}, new(providertest.Meter)).Rerank(t.Context(), "q", []string{"a", "b", "c", "d", "e", "f"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		for j := range got {
			if got[i] < 0 || got[i] > 1 || logits[i] > logits[j] && got[i] <= got[j] {
				t.Errorf("%v became %v", logits, got)
			}
		}
	}
}

func TestAnAnswerThatIsNoneNamesTheProvider(t *testing.T) {
	t.Parallel()
	for says, scores := range map[string][]float64{
		"returned 1 scores for 2 documents": {1}, "returned 0 scores for 2 documents": nil,
		"returned a score for document 1 that is not a finite number": {1, math.NaN()}, "returned a score for document 0 that is not": {math.Inf(1), 0},
	} {
		m := new(providertest.Meter)
		got, err := remote(t, &faraway{used: llm.Usage{TokensIn: 9}, score: func([]string) []float64 { return scores }}, m).Rerank(t.Context(), "q", []string{"a", "b"})
		if got != nil || fault.KindOf(err) != fault.Unavailable || !llm.WasSpent(err) || !strings.Contains(fault.Public(err), "acme-ai, model order-1, "+says) || m.Used()[0].TokensIn != 9 {
			t.Errorf("got %v, %v; want it to say %q", got, err, says)
		}
	}
}

func TestTheMeterHasTheLastWord(t *testing.T) {
	t.Parallel()
	p, over := &faraway{}, fault.New(fault.OverBudget, "no money")
	if _, err := remote(t, p, &providertest.Meter{Refuse: func(int) error { return over }}).Rerank(t.Context(), "q", []string{"a"}); !errors.Is(err, over) || len(p.asked) != 0 {
		t.Errorf("got %v after %d requests", err, len(p.asked))
	}
	if _, err := rerank.NewRemote(p, rerank.Spec{MaxDocuments: 1}, nil); err == nil {
		t.Error("a provider without a meter")
	}
}

func TestEveryRequestHasItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r := remote(t, stalled{}, new(providertest.Meter), func(s *rerank.Spec) { s.Timeout = 3 * time.Second })
		if _, err := r.Rerank(t.Context(), "q", []string{"a"}); fault.KindOf(err) != fault.Timeout || time.Since(began) != 3*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

type stalled struct{}

func (stalled) Rerank(ctx context.Context, _ string, _ []string) ([]float64, llm.Usage, error) {
	<-ctx.Done()
	return nil, llm.Usage{}, ctx.Err()
}
