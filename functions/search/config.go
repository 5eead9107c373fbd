package search

import (
	"time"

	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/inference"
	"github.com/rae-memory/rae/pkg/redis"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// Config is what the environment says to the function.
type Config struct {
	database.Config
	inference.Embedding
	inference.Reranking
	inference.Budget

	StageTimeout  time.Duration `envconfig:"RAE_SEARCH_STAGE_TIMEOUT" default:"2s" min:"10ms" max:"60s"`
	Index         string        `envconfig:"RAE_SEARCH_INDEX" default:"auto" allowed:"auto|process"` // auto: PostgreSQL finds by itself
	IndexMegabyte int64         `envconfig:"RAE_SEARCH_INDEX_MB" default:"1024" min:"16" max:"1048576"`
	CacheAnswers  int           `envconfig:"RAE_SEARCH_CACHE" default:"4096" min:"0" max:"1000000"` // 0: no answer is kept anywhere

	QdrantURL     string           `envconfig:"RAE_QDRANT_URL"` // empty: vectors are searched without Qdrant
	QdrantKey     telemetry.Secret `envconfig:"RAE_QDRANT_API_KEY"`
	QdrantPrefix  string           `envconfig:"RAE_QDRANT_PREFIX" default:"rae"`
	QdrantTimeout time.Duration    `envconfig:"RAE_QDRANT_TIMEOUT" default:"250ms" min:"10ms" max:"10s"` // of its part of a search

	RedisURL         telemetry.Secret `envconfig:"RAE_REDIS_URL"` // empty: no Redis
	RedisDialTimeout time.Duration    `envconfig:"RAE_REDIS_DIAL_TIMEOUT" default:"100ms" min:"1ms" max:"10s"`
	RedisTimeout     time.Duration    `envconfig:"RAE_REDIS_TIMEOUT" default:"50ms" min:"1ms" max:"10s"`
}

// Check implements serve.Checker.
func (c *Config) Check() error {
	for _, check := range []func() error{c.Config.Check, c.Embedding.Check, c.Reranking.Check} {
		if err := check(); err != nil {
			return err
		}
	}
	if redis.Check(c.RedisURL.Reveal()) != nil {
		return &serve.ConfigError{Name: "RAE_REDIS_URL", Secret: true, Allowed: redis.Address}
	}
	return c.checkQdrant()
}

// OpenRedis returns the Redis of the deployment, nil where there is none. It connects when first used.
func (c *Config) OpenRedis(rt serve.Runtime) (*redis.Client, error) {
	return redis.Open(c.RedisURL.Reveal(), redis.Options{
		DialTimeout: c.RedisDialTimeout, Timeout: c.RedisTimeout, Log: rt.Log, Metrics: rt.Metrics,
	})
}
