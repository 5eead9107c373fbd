package search

import (
	"context"
	"errors"

	lru "github.com/hashicorp/golang-lru/v2"
)

// LRU is a Cache in this process. Of more answers than it may hold, those unused for longest go.
type LRU struct {
	answers *lru.Cache[CacheKey, CachedAnswer]
}

var _ Cache = (*LRU)(nil)

// NewCache returns a cache in this process of at most size answers (size >= 1).
func NewCache(size int) *LRU {
	answers, err := lru.New[CacheKey, CachedAnswer](max(1, size))
	if err != nil { // only for a size below 1
		panic(err)
	}
	return &LRU{answers: answers}
}

// Get implements Cache.
func (c *LRU) Get(_ context.Context, key CacheKey) (CachedAnswer, bool) { return c.answers.Get(key) }

// Put implements Cache.
func (c *LRU) Put(_ context.Context, answer CachedAnswer) { c.answers.Add(answer.Key, answer) }

// ForgetTenant implements Cache and never fails.
func (c *LRU) ForgetTenant(_ context.Context, tenant string) (int, error) {
	removed := 0
	for _, key := range c.answers.Keys() {
		if key.Scope.Tenant == tenant && c.answers.Remove(key) {
			removed++
		}
	}
	return removed, nil
}

// Layered is a near cache before one that instances share. What the far one knows is kept near from then on.
type Layered struct{ Near, Far Cache }

var _ Cache = Layered{}

// Get implements Cache.
func (l Layered) Get(ctx context.Context, key CacheKey) (CachedAnswer, bool) {
	if answer, ok := l.Near.Get(ctx, key); ok {
		return answer, true
	}
	answer, ok := l.Far.Get(ctx, key)
	if ok && answer.Key == key { // what lies under a wrong key is not handed on
		l.Near.Put(ctx, answer)
	}
	return answer, ok
}

// Put implements Cache.
func (l Layered) Put(ctx context.Context, answer CachedAnswer) {
	l.Near.Put(ctx, answer)
	l.Far.Put(ctx, answer)
}

// ForgetTenant implements Cache: it forgets in both, also when one of them fails.
func (l Layered) ForgetTenant(ctx context.Context, tenant string) (int, error) {
	near, nearErr := l.Near.ForgetTenant(ctx, tenant)
	far, farErr := l.Far.ForgetTenant(ctx, tenant)
	return near + far, errors.Join(nearErr, farErr)
}
