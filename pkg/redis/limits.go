package redis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/go-redis/redis_rate/v10"
)

// Limits counts requests of tenants for all instances together, by the generic cell rate algorithm: ITU-T I.371 as a
// script in Redis, whose clock is everybody's.
type Limits struct {
	client  *Client
	limiter *redis_rate.Limiter
}

// Limits returns the rate limits in this Redis, nil without one.
func (c *Client) Limits() *Limits {
	if c == nil {
		return nil
	}
	return &Limits{client: c, limiter: redis_rate.NewLimiter(c.redis)}
}

// Take counts one request of the tenant against perSecond of them a second, and burst at once; both are 1 or more. It
// returns 0 when the request may pass, else how long to wait, at most the time in which a burst fills up again. An
// error says that Redis was not there to count.
func (l *Limits) Take(ctx context.Context, tenant string, perSecond, burst int) (time.Duration, error) {
	digest := sha256.Sum256([]byte(tenant))
	var counted *redis_rate.Result
	err := l.client.guard.do(ctx, "limit", func(ctx context.Context) (err error) {
		counted, err = l.limiter.Allow(ctx, "rae:"+hex.EncodeToString(digest[:16]), redis_rate.Limit{Rate: perSecond, Burst: burst, Period: time.Second})
		return err
	})
	if err != nil {
		return 0, err
	}
	l.client.guard.count("limit", "ok", 1)
	if counted.Allowed > 0 {
		return 0, nil
	}
	longest := time.Duration(burst) * time.Second / time.Duration(perSecond)
	return min(max(counted.RetryAfter, time.Millisecond), max(longest, time.Millisecond)), nil
}
