package memory

import (
	"context"
	"time"
)

// Directory lists the scopes of a store, so that what is kept beside it can be made anew or compared.
type Directory interface {
	// Scopes returns up to limit (>= 1) scopes that were written to and have not been erased since, by tenant and then
	// project as bytes compare, from behind after; the zero Scope stands before all.
	Scopes(ctx context.Context, after Scope, limit int) ([]Scope, error)
}

// ProjectFor is how long one call of Watermarks.Project may work. After it another process may take the lock over.
const ProjectFor = 30 * time.Second

// Watermarks tell how far a projection of a scope has come: the number of the last change that is in it for certain.
// A projection is something made from a scope's feed and kept elsewhere, such as a vector index. Its name is the
// caller's, 1..255 characters; several stand side by side.
type Watermarks interface {
	// Project runs do with the standing mark (0: nothing yet) while holding the scope's lock for that projection,
	// and keeps the mark do returns, higher or lower, unless do fails; the error is returned unchanged. While
	// somebody else, in any process, holds the lock, do is not run and the standing mark is returned at once. do
	// must end within ProjectFor; a mark that comes after somebody took over is not kept (Conflict).
	// Erasing the tenant forgets its marks, also that of a do which is running.
	Project(ctx context.Context, scope Scope, name string, do func(after Seq) (Seq, error)) (Seq, error)
	// Projected returns the standing mark, 0 where there is none.
	Projected(ctx context.Context, scope Scope, name string) (Seq, error)
}
