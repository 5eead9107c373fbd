package embed_test

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
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/embed/embedtest"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/provider/providertest"
)

// faraway is a provider that embeds by hashing. It keeps what it was asked.
type faraway struct {
	mu     sync.Mutex
	asked  [][]string
	kinds  []embed.Kind
	used   llm.Usage
	limits func(texts []string) error            // nil: none
	spoil  func(vectors [][]float32) [][]float32 // nil: nothing
}

func (f *faraway) Embed(ctx context.Context, kind embed.Kind, texts []string) ([][]float32, llm.Usage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked, f.kinds = append(f.asked, slices.Clone(texts)), append(f.kinds, kind)
	if f.limits != nil {
		if err := f.limits(texts); err != nil {
			return nil, llm.Usage{}, err
		}
	}
	vectors, err := new(embed.Hash).EmbedDocuments(ctx, texts)
	for _, v := range vectors { // of any length, as some providers send them
		for i := range v {
			v[i] *= 3
		}
	}
	if f.spoil != nil {
		vectors = f.spoil(vectors)
	}
	return vectors, f.used, err
}

func remote(t *testing.T, p embed.Provider, m llm.Meter, change ...func(*embed.Spec)) *embed.Remote {
	t.Helper()
	s := embed.Spec{Provider: "acme-ai", Model: "vec-1", Dimensions: new(embed.Hash).Dimensions(), MaxTexts: 4}
	for _, c := range change {
		c(&s)
	}
	r, err := embed.NewRemote(p, s, m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRemoteKeepsTheContract(t *testing.T) {
	t.Parallel()
	embedtest.Run(t, "remote", func(t *testing.T) embed.Embedder {
		return remote(t, &faraway{}, new(providertest.Meter), func(s *embed.Spec) { s.MaxTextTokens, s.MaxTokens = 8000, 20_000 })
	})
}

func TestRequestsAreAsLargeAsTheProviderTakes(t *testing.T) {
	t.Parallel()
	p, m := &faraway{used: llm.Usage{TokensIn: 7}}, new(providertest.Meter)
	r := remote(t, p, m, func(s *embed.Spec) { s.MaxTokens = 10 })
	long := strings.Repeat("abc", 12) // twelve tokens: more than a request holds, and asked alone
	texts := []string{"a", "b", "c", "d", "e", long, "abcabcabcabc", "abcabcabcabcabc", "f"}
	got, err := r.EmbedDocuments(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"a", "b", "c", "d"}, {"e"}, {long}, {"abcabcabcabc", "abcabcabcabcabc", "f"}}
	if !reflect.DeepEqual(p.asked, want) {
		t.Errorf("asked %q\nwant  %q", p.asked, want)
	}
	alone, _ := new(embed.Hash).EmbedDocuments(t.Context(), texts)
	for i := range texts {
		if d := distance(got[i], alone[i]); d > 1e-6 {
			t.Errorf("vector %d is another text's: off by %v", i, d)
		}
	}
	first := llm.Call{Operation: "embeddings", Provider: "acme-ai", Model: "vec-1", Most: llm.Usage{TokensIn: 4, Estimated: true}}
	if len(m.Calls()) != 4 || m.Calls()[0] != first || m.Used()[0].TokensIn != 7 {
		t.Errorf("metered %+v, used %+v", m.Calls(), m.Used())
	}
}

func distance(a, b []float32) float64 {
	worst := 0.0
	for i := range a {
		worst = max(worst, math.Abs(float64(a[i]-b[i])))
	}
	return worst
}

func TestTextsAreSentAsTheModelWantsThem(t *testing.T) {
	t.Parallel()
	p := &faraway{}
	r := remote(t, p, new(providertest.Meter), func(s *embed.Spec) {
		s.Prefixes, s.MaxTextTokens, s.MaxTexts = embed.Prefixes{Query: "q: ", Document: "d: "}, 6, 8
	})
	if _, err := r.EmbedQuery(t.Context(), "who?"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.EmbedDocuments(t.Context(), []string{"", " \t", "a\x00\xffb", "0123456789abcdefgh", "我我我我"}); err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"q: who?"}, {"d: .", "d: .", "d: a\uFFFD\uFFFDb", "d: 0123456789abcde", "d: 我我"}}
	if !reflect.DeepEqual(p.asked, want) || !slices.Equal(p.kinds, []embed.Kind{embed.Query, embed.Document}) {
		t.Errorf("asked %q as %q\nwant  %q", p.asked, p.kinds, want)
	}
}

func TestARequestTooLargeIsHalved(t *testing.T) {
	t.Parallel()
	p := &faraway{limits: func(texts []string) error {
		if len(texts) > 2 {
			return fault.New(fault.TooLarge, "two at a time")
		}
		return nil
	}}
	texts := []string{"a", "b", "c", "d", "e"}
	got, err := remote(t, p, new(providertest.Meter), func(s *embed.Spec) { s.MaxTexts = 8 }).EmbedDocuments(t.Context(), texts)
	want, _ := new(embed.Hash).EmbedDocuments(t.Context(), texts)
	if err != nil || len(got) != 5 || distance(got[4], want[4]) > 1e-6 || distance(got[0], want[0]) > 1e-6 {
		t.Errorf("got %d vectors, %v, asking %q", len(got), err, p.asked)
	}
}

func TestATextOfMoreTokensThanEstimatedIsCutAgain(t *testing.T) {
	t.Parallel()
	p := &faraway{limits: func(texts []string) error {
		for _, text := range texts {
			if len(text) > 6 { // a token is a byte here
				return fault.New(fault.Invalid, "too many tokens")
			}
		}
		return nil
	}}
	r := remote(t, p, new(providertest.Meter), func(s *embed.Spec) { s.MaxTextTokens = 6 })
	if _, err := r.EmbedDocuments(t.Context(), []string{"0f9e8d7c6b5a", "ok", "aaaa€€"}); err != nil {
		t.Fatal(err)
	}
	for _, text := range p.asked[len(p.asked)-1] {
		if len(text) > 6 || !utf8.ValidString(text) {
			t.Errorf("sent %q", text)
		}
	}
	p.limits = func([]string) error { return fault.New(fault.Invalid, "whatever it is") }
	p.asked = nil
	if _, err := r.EmbedQuery(t.Context(), "short"); fault.KindOf(err) != fault.Invalid || len(p.asked) != 1 {
		t.Errorf("got %v after %d requests", err, len(p.asked))
	}
}

func TestAnAnswerThatIsNoneNamesTheProvider(t *testing.T) {
	t.Parallel()
	nan, infinite := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		spoil func([][]float32) [][]float32
		says  string
	}{
		"fewer vectors":    {func(v [][]float32) [][]float32 { return v[:1] }, "returned 1 vectors for 2 texts"},
		"more vectors":     {func(v [][]float32) [][]float32 { return append(v, v[0]) }, "returned 3 vectors for 2 texts"},
		"no vectors":       {func([][]float32) [][]float32 { return nil }, "returned 0 vectors for 2 texts"},
		"other dimensions": {func(v [][]float32) [][]float32 { v[1] = v[1][:100]; return v }, "returned 100 dimensions for text 1, want 384"},
		"NaN":              {func(v [][]float32) [][]float32 { v[0][3] = nan; return v }, "none for text 0: vector[3] is not a finite number"},
		"an infinity":      {func(v [][]float32) [][]float32 { v[0][3] = infinite; return v }, "none for text 0: vector[3] is not a finite number"},
		"zero":             {func(v [][]float32) [][]float32 { clear(v[1]); return v }, "none for text 1: vector is zero"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := new(providertest.Meter)
			got, err := remote(t, &faraway{spoil: c.spoil, used: llm.Usage{TokensIn: 9}}, m).EmbedDocuments(t.Context(), []string{"one", "two"})
			if fault.KindOf(err) != fault.Unavailable || got != nil || !strings.Contains(fault.Public(err), "acme-ai, model vec-1, ") || !strings.Contains(fault.Public(err), c.says) {
				t.Errorf("got %d vectors, %v", len(got), err)
			}
			if !llm.WasSpent(err) || m.Used()[0].TokensIn != 9 {
				t.Errorf("what was charged for is not booked: %+v", m.Used())
			}
		})
	}
}

func TestTheMeterHasTheLastWord(t *testing.T) {
	t.Parallel()
	p, over := &faraway{}, fault.New(fault.OverBudget, "no money")
	r := remote(t, p, &providertest.Meter{Refuse: func(int) error { return over }})
	_, first := r.EmbedQuery(t.Context(), "a")
	_, second := r.EmbedDocuments(t.Context(), []string{"a"})
	if !errors.Is(first, over) || !errors.Is(second, over) || len(p.asked) != 0 {
		t.Errorf("got %v and %v after %d requests", first, second, len(p.asked))
	}
	if _, err := embed.NewRemote(p, embed.Spec{Provider: "x", Dimensions: 1, MaxTexts: 1}, nil); err == nil {
		t.Error("a provider without a meter")
	}
}

func TestALongVectorIsShortenedHere(t *testing.T) {
	t.Parallel()
	got, err := remote(t, &faraway{}, new(providertest.Meter), func(s *embed.Spec) { s.Dimensions, s.Native = 128, 384 }).EmbedQuery(t.Context(), "a text of some words")
	whole, _ := new(embed.Hash).EmbedQuery(t.Context(), "a text of some words")
	if want := embed.Shorten(whole, 128); err != nil || len(got) != 128 || distance(got, want) > 1e-6 {
		t.Errorf("got %d dimensions, %v", len(got), err)
	}
}

func TestEveryRequestHasItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r := remote(t, stalled{}, new(providertest.Meter), func(s *embed.Spec) { s.Timeout = 3 * time.Second })
		if _, err := r.EmbedQuery(t.Context(), "a"); fault.KindOf(err) != fault.Timeout || time.Since(began) != 3*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

type stalled struct{}

func (stalled) Embed(ctx context.Context, _ embed.Kind, _ []string) ([][]float32, llm.Usage, error) {
	<-ctx.Done()
	return nil, llm.Usage{}, ctx.Err()
}

func TestModelsAreKnownWhoeverServesThem(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"text-embedding-3-small": "1536 ''", "intfloat/multilingual-e5-large": "1024 'query: '", "intfloat/multilingual-e5-large-instruct": "1024 'Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: '",
		"BAAI/bge-small-en-v1.5": "384 'Represent this sentence for searching relevant passages: '", "bge-m3:latest": "1024 ''", "nomic-embed-text:latest": "768 'search_query: '", "nomic-ai/nomic-embed-text-v1.5": "768 'search_query: '",
		"sentence-transformers/all-MiniLM-L6-v2": "384 ''", "all-minilm:33m": "384 ''", "qwen3-embedding:0.6b": "1024 'Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: '",
		"models/gemini-embedding-001": "3072 ''", "snowflake-arctic-embed2": "1024 'query: '",
	} {
		card, known := embed.Known(name)
		if got := fmt.Sprintf("%d '%s'", card.Dimensions, card.Query); !known || got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	for _, name := range []string{"", "/", "bge", "e5", "text-embedding-3-smaller", "acme-1", "bge-m30"} {
		if card, known := embed.Known(name); known {
			t.Errorf("%q is taken for %+v", name, card)
		}
	}
}

func TestOtherVectorsHaveAnotherId(t *testing.T) {
	t.Parallel()
	id := func(s embed.Spec) string {
		s.MaxTexts, s.Native = 1, 4096
		return remote(t, &faraway{}, new(providertest.Meter), func(to *embed.Spec) { *to = s }).Model()
	}
	bge := embed.Prefixes{Query: "Represent this sentence for searching relevant passages: "}
	for _, c := range []struct {
		spec embed.Spec
		want string
	}{
		{embed.Spec{Model: "text-embedding-3-small", Dimensions: 1536}, "text-embedding-3-small"},
		{embed.Spec{Model: "text-embedding-3-small", Dimensions: 512}, "text-embedding-3-small@512"},
		{embed.Spec{Model: "BAAI/bge-base-en-v1.5", Dimensions: 768, Prefixes: bge}, "BAAI/bge-base-en-v1.5"},
		{embed.Spec{Model: "acme-1", Dimensions: 100}, "acme-1"},
	} {
		if got := id(c.spec); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	bare, other := id(embed.Spec{Model: "bge-base-en", Dimensions: 768}), id(embed.Spec{Model: "bge-base-en", Dimensions: 768, Prefixes: embed.Prefixes{Document: bge.Query}})
	if bare == other || !strings.HasPrefix(bare, "bge-base-en+") || !strings.HasPrefix(other, "bge-base-en+") {
		t.Errorf("got %s without prefixes and %s with another", bare, other)
	}
}

func TestPayersDoNotShareAFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &poor{}
		c := &embed.Cached{Upstream: p, Cache: embed.NewLRU(4)}
		var running sync.WaitGroup
		for _, tenant := range []string{"rich", "broke"} {
			running.Go(func() {
				ctx := llm.WithPayer(t.Context(), memory.Scope{Tenant: tenant, Project: "p"})
				if _, err := c.EmbedQuery(ctx, "the same"); (err == nil) != (tenant == "rich") {
					t.Errorf("%s got %v", tenant, err)
				}
			})
		}
		running.Wait()
	})
}

// poor refuses one tenant, after a while in which flights meet.
type poor struct{ embed.Hash }

func (p *poor) EmbedQuery(ctx context.Context, text string) ([]float32, error) {
	time.Sleep(time.Second)
	if scope, _ := llm.PayerOf(ctx); scope.Tenant == "broke" {
		return nil, fault.New(fault.OverBudget, "the budget of broke is used up")
	}
	return p.Hash.EmbedQuery(ctx, text)
}
