package redis

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
)

// Vectors is a cache of vectors that instances share. A vector lies under "rae:vectors:v1:" and the digest of what it
// was made of, as little-endian float32.
type Vectors struct{ client *Client }

var _ embed.Cache = (*Vectors)(nil)

// Vectors returns the cache of vectors in this Redis, nil without one.
func (c *Client) Vectors() embed.Cache {
	if c == nil {
		return nil
	}
	return &Vectors{client: c}
}

const (
	vectorsPrefix = "rae:vectors:v1:"
	vectorsFor    = 24 * time.Hour
	maxVector     = 64 << 10 // bytes of a value: 16,000 dimensions
	vectorsAtOnce = 100      // vectors of one operation, so that its time bounds something
)

func vectorKey(key embed.CacheKey) string { return vectorsPrefix + hex.EncodeToString(key[:]) }

// Get implements embed.Cache.
func (v *Vectors) Get(ctx context.Context, keys []embed.CacheKey) [][]float32 {
	vectors := make([][]float32, len(keys))
	for from := 0; from < len(keys); from += vectorsAtOnce {
		to := min(from+vectorsAtOnce, len(keys))
		v.get(ctx, keys[from:to], vectors[from:to])
	}
	return vectors
}

func (v *Vectors) get(ctx context.Context, keys []embed.CacheKey, vectors [][]float32) {
	g, sealed := v.client.guard, make([]*goredis.StringCmd, len(keys))
	err := g.do(ctx, "vector_get", func(ctx context.Context) error {
		_, err := v.client.redis.Pipelined(ctx, func(p goredis.Pipeliner) error {
			for i, key := range keys {
				sealed[i] = p.GetRange(ctx, vectorKey(key), 0, maxVector-1) // not GET: whatever lies there, so much is read
			}
			return nil
		})
		return err
	})
	if err != nil {
		return
	}
	for i, key := range keys {
		value, ok := unseal(vectorKey(key), sealed[i].Val())
		if ok {
			vectors[i], ok = decode(value)
		}
		g.count("vector_get", resultOf(sealed[i].Val(), ok), 1)
	}
}

// Put implements embed.Cache.
func (v *Vectors) Put(ctx context.Context, keys []embed.CacheKey, vectors [][]float32) {
	for from := 0; from < len(keys); from += vectorsAtOnce {
		to := min(from+vectorsAtOnce, len(keys))
		v.put(ctx, keys[from:to], vectors[from:to])
	}
}

func (v *Vectors) put(ctx context.Context, keys []embed.CacheKey, vectors [][]float32) {
	g, kept := v.client.guard, 0
	err := g.do(ctx, "vector_put", func(ctx context.Context) error {
		_, err := v.client.redis.Pipelined(ctx, func(p goredis.Pipeliner) error {
			for i, key := range keys {
				if name, value := vectorKey(key), encode(vectors[i]); len(value) <= maxVector-sealBytes {
					p.Set(ctx, name, seal(name, value), vectorsFor)
					kept++
				}
			}
			return nil
		})
		return err
	})
	if err == nil {
		g.count("vector_put", "ok", kept)
	}
}

// Forget implements embed.Cache.
func (v *Vectors) Forget(ctx context.Context) (int, error) {
	removed, err := v.client.forget(ctx, vectorsPrefix)
	if err != nil {
		return removed, fault.Wrap(fault.Unavailable, err, "redis may still hold vectors, for %s at most; repeat this to be sure", vectorsFor)
	}
	return removed, nil
}

func encode(vector []float32) []byte {
	value := make([]byte, 0, 4*len(vector))
	for _, x := range vector {
		value = binary.LittleEndian.AppendUint32(value, math.Float32bits(x))
	}
	return value
}

// decode is encode backwards, and false for what encode never writes.
func decode(value []byte) ([]float32, bool) {
	if len(value) == 0 || len(value)%4 != 0 {
		return nil, false
	}
	vector := make([]float32, len(value)/4)
	for i := range vector {
		vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(value[4*i:]))
	}
	return vector, true
}
