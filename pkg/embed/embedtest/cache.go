package embedtest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/embed"
)

// RunCache holds a cache to the contract of embed.Cache. on names it; open returns an empty one that holds at least 1,000 vectors.
func RunCache(t *testing.T, on string, open func(*testing.T) embed.Cache) {
	run := contract.Begin(t, "embedtest.cache", on)
	run.Clause(t, "a vector comes back to the bit", func(t *testing.T) {
		cache := open(t)
		keys := []embed.CacheKey{Key("a"), Key("b"), Key("c")}
		vectors := [][]float32{
			{1, -0.1, float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32, math.MaxFloat32},
			{3}, make([]float32, 4096),
		}
		vectors[2][4095] = 1
		cache.Put(t.Context(), keys, vectors)
		wantVectors(t, cache, keys, vectors)
	})
	run.Clause(t, "vectors come in the order of keys, nil where there is none", func(t *testing.T) {
		cache := open(t)
		a, b := []float32{1, 0}, []float32{0, 1}
		cache.Put(t.Context(), []embed.CacheKey{Key("a"), Key("b")}, [][]float32{a, b})
		wantVectors(t, cache, []embed.CacheKey{Key("b"), Key("none"), Key("a"), Key("b")}, [][]float32{b, nil, a, b})
		wantVectors(t, cache, nil, nil)
		cache.Put(t.Context(), nil, nil)
	})
	run.Clause(t, "the later of two vectors under a key stands", func(t *testing.T) {
		cache := open(t)
		for _, v := range [][]float32{{1, 0}, {0, 1}} {
			cache.Put(t.Context(), []embed.CacheKey{Key("a")}, [][]float32{v})
			wantVectors(t, cache, []embed.CacheKey{Key("a")}, [][]float32{v})
		}
	})
	run.Clause(t, "what is forgotten is gone, and something new is kept", func(t *testing.T) {
		cache := open(t)
		a, b := Key("a"), Key("b")
		cache.Put(t.Context(), []embed.CacheKey{a, b}, [][]float32{{1, 0}, {0, 1}})
		wantVectors(t, cache, []embed.CacheKey{a, b}, [][]float32{{1, 0}, {0, 1}})
		if n, err := cache.Forget(t.Context()); n < 2 || err != nil {
			t.Errorf("forgot %d, %v", n, err)
		}
		wantVectors(t, cache, []embed.CacheKey{a, b}, [][]float32{nil, nil})
		if n, err := cache.Forget(t.Context()); n != 0 || err != nil {
			t.Errorf("forgot %d of nothing, %v", n, err)
		}
		cache.Put(t.Context(), []embed.CacheKey{a}, [][]float32{{1, 0}})
		wantVectors(t, cache, []embed.CacheKey{a, b}, [][]float32{{1, 0}, nil})
	})
	run.Clause(t, "a batch may be large", func(t *testing.T) {
		cache := open(t)
		keys, vectors := make([]embed.CacheKey, 1000), make([][]float32, 1000)
		for i := range keys {
			keys[i], vectors[i] = Key(fmt.Sprint(i)), []float32{float32(i), 1}
		}
		cache.Put(t.Context(), keys, vectors)
		wantVectors(t, cache, keys, vectors)
	})
	run.Clause(t, "many may use it at once", func(t *testing.T) {
		cache := open(t)
		var running sync.WaitGroup
		for range 8 {
			running.Go(func() {
				for i := range 100 {
					key, v := Key(fmt.Sprint(i%10)), []float32{float32(i % 10), 1}
					cache.Put(context.WithoutCancel(t.Context()), []embed.CacheKey{key}, [][]float32{v})
					if got := cache.Get(t.Context(), []embed.CacheKey{key}); len(got) != 1 || got[0] != nil && !slices.Equal(got[0], v) {
						t.Errorf("got %v, want %v", got, v)
						return
					}
				}
			})
		}
		running.Wait()
	})
}

// Key names a vector in these tests.
func Key(name string) embed.CacheKey { return sha256.Sum256([]byte(name)) }

func wantVectors(t *testing.T, cache embed.Cache, keys []embed.CacheKey, want [][]float32) {
	t.Helper()
	got := cache.Get(t.Context(), keys)
	if len(got) != len(want) {
		t.Fatalf("%d keys got %d vectors", len(keys), len(got))
	}
	for i := range want {
		if (got[i] == nil) != (want[i] == nil) || !slices.EqualFunc(got[i], want[i], func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
			t.Errorf("vector %d is another: %.3v, want %.3v", i, got[i], want[i])
		}
	}
}
