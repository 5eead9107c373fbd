package embed_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/embed/embedtest"
)

// counting is an embedder that remembers what it was asked.
type counting struct {
	embed.Hash
	mu        sync.Mutex
	documents [][]string
	queries   []string
	before    func() error // before every answer
}

func (c *counting) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	c.mu.Lock()
	c.documents = append(c.documents, slices.Clone(texts))
	c.mu.Unlock()
	if c.before != nil {
		if err := c.before(); err != nil {
			return nil, err
		}
	}
	return c.Hash.EmbedDocuments(ctx, texts)
}

func (c *counting) EmbedQuery(ctx context.Context, text string) ([]float32, error) {
	c.mu.Lock()
	c.queries = append(c.queries, text)
	c.mu.Unlock()
	if c.before != nil {
		if err := c.before(); err != nil {
			return nil, err
		}
	}
	return c.Hash.EmbedQuery(ctx, text)
}

func TestCachedKeepsTheContract(t *testing.T) {
	t.Parallel()
	for name, cache := range map[string]func() embed.Cache{
		"with a cache":          func() embed.Cache { return embed.NewLRU(1000) },
		"with two":              func() embed.Cache { return embed.Layered{Near: embed.NewLRU(2), Far: embed.NewLRU(1000)} },
		"with one that forgets": func() embed.Cache { return embed.NewLRU(1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			embedtest.Run(t, "hash behind a cache", func(*testing.T) embed.Embedder { return &embed.Cached{Upstream: new(embed.Hash), Cache: cache()} })
		})
	}
}

func TestCachesOfVectorsKeepTheContract(t *testing.T) {
	t.Parallel()
	embedtest.RunCache(t, "memory", func(*testing.T) embed.Cache { return embed.NewLRU(5000) })
	embedtest.RunCache(t, "two in memory", func(*testing.T) embed.Cache {
		return embed.Layered{Near: embed.NewLRU(2), Far: embed.NewLRU(5000)}
	})
}

func TestOnlyWhatIsMissingIsAskedUpstream(t *testing.T) {
	t.Parallel()
	upstream := new(counting)
	c := &embed.Cached{Upstream: upstream, Cache: embed.NewLRU(100)}
	for _, texts := range [][]string{{"a", "b", "a"}, {"b", "c", "a", "d"}, {"d", "a"}} {
		if _, err := c.EmbedDocuments(t.Context(), texts); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // a query is not the document of the same words
		if _, err := c.EmbedQuery(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	if want := [][]string{{"a", "b"}, {"c", "d"}}; !reflect.DeepEqual(upstream.documents, want) || !slices.Equal(upstream.queries, []string{"a"}) {
		t.Errorf("asked for documents %v and queries %v", upstream.documents, upstream.queries)
	}
}

func TestAThousandMissesAreOneCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many = 1000
		answer := make(chan struct{})
		upstream := &counting{before: func() error { <-answer; return nil }}
		c := &embed.Cached{Upstream: upstream, Cache: embed.NewLRU(100)}
		var running sync.WaitGroup
		for i := range many {
			running.Go(func() {
				var v []float32
				var err error
				if i%2 == 0 {
					v, err = c.EmbedQuery(t.Context(), "the same question")
				} else {
					var batch [][]float32
					if batch, err = c.EmbedDocuments(t.Context(), []string{"the same text"}); err == nil {
						v = batch[0]
					}
				}
				if err != nil || embed.Check(v, c.Dimensions()) != nil {
					t.Errorf("got %d values, %v", len(v), err)
				}
			})
		}
		synctest.Wait() // all of them have asked, and nobody has an answer
		close(answer)
		running.Wait()
		if len(upstream.queries) != 1 || len(upstream.documents) != 1 {
			t.Errorf("%d callers made %d calls for a query and %d for a document", many, len(upstream.queries), len(upstream.documents))
		}
	})
}

func TestWhoeverWaitsIsNotHarmedByTheFirstGoingAway(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	upstream := &counting{before: func() error { arrived <- struct{}{}; <-release; return nil }}
	c := &embed.Cached{Upstream: upstream, Cache: embed.NewLRU(100)}
	leaving, leave := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := c.EmbedQuery(leaving, "a"); first <- err }()
	<-arrived
	go func() { _, err := c.EmbedQuery(t.Context(), "a"); second <- err }()
	leave()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
	close(release)
	if err := <-second; err != nil {
		t.Errorf("who waited got %v", err)
	}
	if len(upstream.queries) != 1 {
		t.Errorf("%d calls", len(upstream.queries))
	}
}

func TestAFailureIsNotKept(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	fails := []func() error{func() error { return away }, func() error { panic("bad") }, func() error { return nil }}
	upstream := &counting{before: func() error { f := fails[0]; fails = fails[1:]; return f() }}
	c := &embed.Cached{Upstream: upstream, Cache: embed.NewLRU(100)}
	if _, err := c.EmbedQuery(t.Context(), "a"); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
	if _, err := c.EmbedQuery(t.Context(), "a"); err == nil || err.Error() != "embedder panicked: string" {
		t.Errorf("got %v", err)
	}
	if v, err := c.EmbedQuery(t.Context(), "a"); err != nil || embed.Check(v, c.Dimensions()) != nil {
		t.Errorf("got %d values, %v", len(v), err)
	}
}

// untrue is a cache that answers with what it was told to.
type untrue struct{ says [][]float32 }

func (u untrue) Get(context.Context, []embed.CacheKey) [][]float32 { return u.says }
func (untrue) Put(context.Context, []embed.CacheKey, [][]float32)  {}
func (untrue) Forget(context.Context) (int, error)                 { return 0, nil }

func TestACacheOfVectorsThatLiesIsNotBelieved(t *testing.T) {
	t.Parallel()
	want, err := new(embed.Hash).EmbedQuery(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	infinite := slices.Clone(want)
	infinite[3] = float32(math.Inf(1))
	for name, says := range map[string][][]float32{
		"nothing": nil, "too many": {want, want}, "a short vector": {want[1:]}, "zeros": {make([]float32, len(want))}, "an infinity": {infinite},
	} {
		c := &embed.Cached{Upstream: new(embed.Hash), Cache: untrue{says}}
		if got, err := c.EmbedQuery(t.Context(), "a"); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got another vector, %v", name, err)
		}
	}
}

func TestACacheStandsOnlyBeforeEmbeddersWorthIt(t *testing.T) {
	t.Parallel()
	for _, e := range []embed.Embedder{new(embed.Hash), new(embed.Static)} {
		if embed.WithCache(e, embed.NewLRU(1)) != e {
			t.Errorf("%s has a cache before it, which takes longer than it", e.Model())
		}
	}
	for name, far := range map[string]embed.Cache{"alone": nil, "with others": embed.NewLRU(10)} {
		upstream := new(counting)
		e := embed.WithCache(upstream, far)
		for range 2 {
			if _, err := e.EmbedQuery(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
		}
		if far != nil { // another instance finds what this one asked for
			if _, err := embed.WithCache(upstream, far).EmbedQuery(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
		}
		if len(upstream.queries) != 1 {
			t.Errorf("%s: asked %d times", name, len(upstream.queries))
		}
	}
}
