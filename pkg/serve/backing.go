package serve

import "context"

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
