// Package redis fills, with Redis 7.0 or later, the ports that make RAE faster and never righter: a cache of answers
// (search.Cache), one of vectors (embed.Cache), and rate limits that instances share.
//
// Redis may be away, slow, full or lying. Away or slow: after five failures nobody asks it for a while, and meanwhile
// everything is computed. Lying: a value is sealed with the key it was put under, and what does not fit its seal is not
// there. Only commands that both Redis 7.0 and miniredis have are used.
package redis

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/rae-memory/rae/pkg/fault"
)

// Options say how long Redis is waited for and where is told how it fares. The zero value waits as the comments say
// and tells nobody.
type Options struct {
	DialTimeout time.Duration         // to connect, and the most one operation may take with it; 0 = 100 ms
	Timeout     time.Duration         // of an operation on a connection that stands; 0 = 50 ms
	OpenFor     time.Duration         // that Redis is left alone once the circuit is open; 0 = 3 s
	Log         *slog.Logger          // nil: nowhere
	Metrics     prometheus.Registerer // nil: not counted
}

// Client is a connection pool with its guard. It connects when first used and is safe for concurrent use. A nil Client
// is a deployment without Redis: its caches and limits are nil, too.
type Client struct {
	redis *goredis.Client
	guard *guard
}

// Address says what an address looks like, as the end of the sentence "it must be …".
const Address = "a URL such as redis://user:password@host:6379/0, or rediss:// for TLS"

// Check refuses, as Invalid, an address that Open would not take; the empty one is no Redis. The error does not repeat
// the address, which may hold a password.
func Check(address string) error {
	if _, err := goredis.ParseURL(address); err != nil && address != "" {
		return fault.New(fault.Invalid, "the address of Redis must be %s", Address)
	}
	return nil
}

// Open reads the address and touches nothing. The error is that of Check, or tells that metrics of another client are
// registered already.
func Open(address string, o Options) (*Client, error) {
	if err := Check(address); err != nil || address == "" {
		return nil, err
	}
	settings, err := goredis.ParseURL(address)
	if err != nil {
		return nil, err
	}
	silence()
	o.DialTimeout, o.Timeout, o.OpenFor = cmp.Or(o.DialTimeout, 100*time.Millisecond), cmp.Or(o.Timeout, 50*time.Millisecond), cmp.Or(o.OpenFor, 3*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	settings.DialTimeout, settings.ReadTimeout, settings.WriteTimeout, settings.PoolTimeout = o.DialTimeout, o.Timeout, o.Timeout, o.Timeout
	settings.ContextTimeoutEnabled = true
	settings.MaxRetries, settings.DialerRetries = -1, 1 // what fails is computed, not tried again
	settings.PipelinePoolSize = -1                      // one pool, one limit
	settings.Protocol, settings.DisableIdentity = 2, true
	settings.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	g, err := newGuard(o)
	if err != nil {
		return nil, err
	}
	return &Client{redis: goredis.NewClient(settings), guard: g}, nil
}

// silence keeps go-redis, whose logger is one for the whole process, from writing beside ours.
var silence = sync.OnceFunc(func() { goredis.SetLogger(silent{}) })

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// Ping tells whether Redis can be asked. While the circuit is open it says so without asking.
func (c *Client) Ping(ctx context.Context) error {
	return c.guard.do(ctx, "ping", func(ctx context.Context) error { return c.redis.Ping(ctx).Err() })
}

// Close closes the connections. Everything asked afterwards is a miss.
func (c *Client) Close() error {
	if c == nil {
		return nil
	}
	return c.redis.Close()
}
