package rae

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/serve"
)

// foundation is what the functions stand on in one process. It is hosted with them, last, so that its health is told
// and it is closed when they are.
type foundation struct{ serve.Backing }

var _ serve.Function = (*foundation)(nil)

func (*foundation) Name() string         { return "rae" }
func (*foundation) Register(huma.API)    {}
func (*foundation) Events() http.Handler { return nil }

// Health tells of the database, and that the embedded engine has no Redis to miss. Search tells of Qdrant.
func (f *foundation) Health(ctx context.Context) []serve.Component {
	return append(f.Backing.Health(ctx), serve.Component{Name: "redis", Unused: true})
}
