package rae

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/redis"
	"github.com/rae-memory/rae/pkg/serve"
)

// foundation is what the functions stand on in one process. It is hosted with them, last, so that its health is told
// and it is closed when they are.
type foundation struct {
	serve.Backing
	redis *redis.Client // nil where there is none
}

var _ serve.Function = (*foundation)(nil)

func (*foundation) Name() string         { return "rae" }
func (*foundation) Register(huma.API)    {}
func (*foundation) Events() http.Handler { return nil }

// Health tells of the database and of Redis. Search tells of Qdrant.
func (f *foundation) Health(ctx context.Context) []serve.Component {
	return append(f.Backing.Health(ctx), serve.Aside(ctx, "redis", f.redis != nil, f.redis.Ping))
}

// Close closes both.
func (f *foundation) Close(ctx context.Context) error {
	return errors.Join(f.Backing.Close(ctx), f.redis.Close())
}
