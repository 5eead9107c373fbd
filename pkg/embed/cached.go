package embed

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
)

// Cache keeps vectors by what they were made of. It may lose any of them at any time. Get and Put must not fail: what
// goes wrong is a miss, reported by the implementation. Both must honour ctx and be safe for concurrent use. Nobody
// changes a vector that was put or got.
type Cache interface {
	// Get returns a vector per key, in the order of keys, nil where there is none.
	Get(ctx context.Context, keys []CacheKey) [][]float32
	// Put keeps vectors under the keys at the same places.
	Put(ctx context.Context, keys []CacheKey, vectors [][]float32)
	// Forget removes everything that was put before the call and returns how many vectors that were: no vector tells whose
	// text it was made of, so whoever must be forgotten is forgotten with all others. The error is Unavailable when it
	// cannot be known that nothing is left.
	Forget(ctx context.Context) (int, error)
}

// CacheKey names a vector by the digest of model, kind and text.
type CacheKey [sha256.Size]byte

// Kind tells documents from queries: a model may embed the same text differently.
type Kind byte

const (
	Document Kind = 'd'
	Query    Kind = 'q'
)

// keyOf is equal for equal parts only, wherever model and text are cut.
func keyOf(model string, k Kind, text string) CacheKey {
	content := sha256.Sum256([]byte(text))
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, uint64(len(model))) // a hash takes everything
	_, _ = h.Write([]byte(model))
	_, _ = h.Write([]byte{byte(k)})
	_, _ = h.Write(content[:])
	return CacheKey(h.Sum(nil))
}

// nearVectors is how many vectors WithCache keeps in this process: 6 MB of 384 dimensions, 25 MB of 1,536.
const nearVectors = 4096

// WithCache puts a cache in this process before an embedder that is worth one, and behind it far, which instances share
// and which may be nil. Every other embedder is returned as it is. This is the one place that decides it: the built-in
// embedders make a vector in microseconds, less than it takes to look one up over a network, and cost nothing; whatever
// else there is asks another process or a heavy model.
func WithCache(e Embedder, far Cache) Embedder {
	if Free(e) {
		return e
	}
	var cache Cache = NewLRU(nearVectors)
	if far != nil {
		cache = Layered{Near: cache, Far: far}
	}
	return &Cached{Upstream: e, Cache: cache}
}

// Cached is an Embedder that asks another one only for what its cache doesn't hold. However many ask for the same
// texts at once on behalf of one payer, the upstream is asked once.
//
// The upstream works on when the caller that came first goes away, because others may be waiting for the same vectors;
// Timeout bounds it instead.
type Cached struct {
	Upstream Embedder
	Cache    Cache
	Timeout  time.Duration // of one question to the cache and the upstream together; 0 = 30 s

	flights singleflight.Group
}

var _ Embedder = (*Cached)(nil)

// spared is an upstream that wants to know what it was not asked: texts whose vectors the cache held, and how many calls
// that were, 0 where it is asked for others all the same. It must not wait for anything but this process.
type spared interface {
	Spared(ctx context.Context, k Kind, texts []string, calls int)
}

const defaultFlight = 30 * time.Second

// Model returns the upstream's.
func (c *Cached) Model() string { return c.Upstream.Model() }

// Dimensions returns the upstream's.
func (c *Cached) Dimensions() int { return c.Upstream.Dimensions() }

// EmbedDocuments asks the upstream, in one call, for the texts the cache doesn't hold.
func (c *Cached) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	if len(texts) == 0 {
		return nil, ctx.Err()
	}
	return c.embed(ctx, Document, texts, c.Upstream.EmbedDocuments)
}

// EmbedQuery asks the upstream when the cache doesn't hold the text.
func (c *Cached) EmbedQuery(ctx context.Context, text string) ([]float32, error) {
	vectors, err := c.embed(ctx, Query, []string{text}, func(ctx context.Context, texts []string) ([][]float32, error) {
		v, err := c.Upstream.EmbedQuery(ctx, texts[0])
		return [][]float32{v}, err
	})
	if err != nil {
		return nil, err
	}
	return vectors[0], nil
}

// Forget empties the cache.
func (c *Cached) Forget(ctx context.Context) (int, error) { return c.Cache.Forget(ctx) }

// ask is one of the two questions to an embedder.
type ask func(ctx context.Context, texts []string) ([][]float32, error)

// embed joins the flight of those that want the same texts, or starts it. The cache is asked within the flight: who
// comes a moment after it ended finds there what it brought.
func (c *Cached) embed(ctx context.Context, k Kind, texts []string, upstream ask) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	keys, name := make([]CacheKey, len(texts)), sha256.New()
	if payer, known := llm.PayerOf(ctx); known { // a refusal is the payer's own: nobody else is to read of its budget
		_, _ = io.WriteString(name, payer.Tenant+"\x00"+payer.Project+"\x00")
	}
	if llm.DryRunOf(ctx) != nil { // nor is anybody to get the answer of a question that is only priced
		_, _ = io.WriteString(name, "dry run "+rand.Text())
	}
	for i, text := range texts {
		keys[i] = keyOf(c.Model(), k, text)
		_, _ = name.Write(keys[i][:])
	}
	texts = slices.Clone(texts) // the flight may outlive the caller
	flight := c.flights.DoChan(string(name.Sum(nil)), func() (vectors any, err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(c.Timeout, defaultFlight))
		defer cancel()
		defer func() {
			if p := recover(); p != nil { // nobody stands above this goroutine
				err = fmt.Errorf("embedder panicked: %T", p)
			}
		}()
		return c.fetch(ctx, k, keys, texts, upstream)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case landed := <-flight:
		if landed.Err != nil {
			return nil, landed.Err
		}
		shared := landed.Val.([][]float32)
		own := make([][]float32, len(shared)) // others hold the same vectors, the cache among them
		for i, v := range shared {
			own[i] = slices.Clone(v)
		}
		return own, nil
	}
}

// fetch takes from the cache what it holds and asks the upstream for the rest, each text once.
func (c *Cached) fetch(ctx context.Context, k Kind, keys []CacheKey, texts []string, upstream ask) ([][]float32, error) {
	vectors := c.known(ctx, keys)
	c.tell(ctx, k, texts, vectors)
	var missing []string
	var missingKeys []CacheKey
	place := map[CacheKey]int{}
	for i, key := range keys {
		if _, asked := place[key]; vectors[i] == nil && !asked {
			place[key] = len(missing)
			missing, missingKeys = append(missing, texts[i]), append(missingKeys, key)
		}
	}
	if len(missing) == 0 {
		return vectors, nil
	}
	made, err := upstream(ctx, missing)
	if err != nil {
		return nil, err
	}
	if len(made) != len(missing) {
		return nil, fault.New(fault.Unavailable, "the embedder gave %d vectors for %d texts", len(made), len(missing))
	}
	for i, key := range keys {
		if at, asked := place[key]; vectors[i] == nil && asked {
			vectors[i] = made[at]
		}
	}
	c.keep(ctx, missingKeys, made)
	return vectors, nil
}

// tell tells the upstream which texts it is not asked for. Who joined a flight is not counted.
func (c *Cached) tell(ctx context.Context, k Kind, texts []string, vectors [][]float32) {
	upstream, wants := c.Upstream.(spared)
	if !wants {
		return
	}
	var hits []string
	for i, v := range vectors {
		if v != nil {
			hits = append(hits, texts[i])
		}
	}
	switch len(hits) {
	case 0:
	case len(texts):
		upstream.Spared(ctx, k, hits, 1)
	default:
		upstream.Spared(ctx, k, hits, 0)
	}
}

// known are the vectors the cache holds, nil where it holds none that may be believed.
func (c *Cached) known(ctx context.Context, keys []CacheKey) [][]float32 {
	vectors := c.Cache.Get(ctx, keys)
	if len(vectors) != len(keys) {
		return make([][]float32, len(keys))
	}
	vectors = slices.Clone(vectors)
	for i, v := range vectors {
		if v != nil && Check(v, c.Dimensions()) != nil {
			vectors[i] = nil
		}
	}
	return vectors
}

// keep puts those vectors that would be believed.
func (c *Cached) keep(ctx context.Context, keys []CacheKey, vectors [][]float32) {
	var good []CacheKey
	var kept [][]float32
	for i, v := range vectors {
		if Check(v, c.Dimensions()) == nil {
			good, kept = append(good, keys[i]), append(kept, v)
		}
	}
	if len(good) > 0 {
		c.Cache.Put(ctx, good, kept)
	}
}
