package serve

import (
	"context"
	"time"
)

// Backing is the database a function opened for itself. Functions embed it for their Health and Close; its zero value
// is a database that somebody else opens, watches and closes.
type Backing struct {
	Ping    func(context.Context) error
	Release func() error
}

// Health asks the database. Without it a function cannot do its job.
func (b *Backing) Health(ctx context.Context) []Component {
	if b.Ping == nil {
		return nil
	}
	return []Component{{Name: "database", Critical: true, Err: b.Ping(ctx)}}
}

// Close closes the database.
func (b *Backing) Close(context.Context) error {
	if b.Release == nil {
		return nil
	}
	return b.Release()
}

// asideTimeout is less than a health request waits: what hangs is itself down, not the function.
const asideTimeout = time.Second

// Aside is the health of what a function works without, slower or with less. Where it is not used, ping is not called.
func Aside(ctx context.Context, name string, used bool, ping func(context.Context) error) Component {
	if !used {
		return Component{Name: name, Unused: true}
	}
	ctx, cancel := context.WithTimeout(ctx, asideTimeout)
	defer cancel()
	return Component{Name: name, Err: ping(ctx)}
}
