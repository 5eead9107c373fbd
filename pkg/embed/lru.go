package embed

import (
	"context"
	"errors"

	lru "github.com/hashicorp/golang-lru/v2"
)

// LRU is a Cache in this process. Of more vectors than it may hold, those unused for longest go.
type LRU struct {
	vectors *lru.Cache[CacheKey, []float32]
}

var _ Cache = (*LRU)(nil)

// NewLRU returns a cache of at most size vectors (size >= 1).
func NewLRU(size int) *LRU {
	vectors, err := lru.New[CacheKey, []float32](max(1, size))
	if err != nil { // only for a size below 1
		panic(err)
	}
	return &LRU{vectors: vectors}
}

// Get implements Cache.
func (c *LRU) Get(_ context.Context, keys []CacheKey) [][]float32 {
	vectors := make([][]float32, len(keys))
	for i, key := range keys {
		vectors[i], _ = c.vectors.Get(key)
	}
	return vectors
}

// Put implements Cache.
func (c *LRU) Put(_ context.Context, keys []CacheKey, vectors [][]float32) {
	for i, key := range keys {
		c.vectors.Add(key, vectors[i])
	}
}

// Forget implements Cache.
func (c *LRU) Forget(context.Context) (int, error) {
	n := c.vectors.Len()
	c.vectors.Purge()
	return n, nil
}

// Layered is a near cache before one that instances share. What the far one knows is kept near from then on.
type Layered struct{ Near, Far Cache }

var _ Cache = Layered{}

// Get implements Cache: the far one is asked for what the near one doesn't hold.
func (l Layered) Get(ctx context.Context, keys []CacheKey) [][]float32 {
	vectors := l.Near.Get(ctx, keys)
	var missing []CacheKey
	var places []int
	for i, v := range vectors {
		if v == nil {
			missing, places = append(missing, keys[i]), append(places, i)
		}
	}
	if len(missing) == 0 {
		return vectors
	}
	var found []CacheKey
	var kept [][]float32
	for i, v := range l.Far.Get(ctx, missing) {
		if v != nil {
			vectors[places[i]] = v
			found, kept = append(found, missing[i]), append(kept, v)
		}
	}
	l.Near.Put(ctx, found, kept)
	return vectors
}

// Put implements Cache.
func (l Layered) Put(ctx context.Context, keys []CacheKey, vectors [][]float32) {
	l.Near.Put(ctx, keys, vectors)
	l.Far.Put(ctx, keys, vectors)
}

// Forget implements Cache: what is in both counts twice.
func (l Layered) Forget(ctx context.Context) (int, error) {
	far, err := l.Far.Forget(ctx) // first: it would be kept near again
	near, nearErr := l.Near.Forget(ctx)
	return far + near, errors.Join(err, nearErr)
}
