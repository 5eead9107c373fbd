package qdrant

import (
	"context"
	"fmt"
	"math"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// maxRecent is how many changes a search compares by itself: about what Qdrant would take to answer. Further behind,
// Fallback is the better answer.
const maxRecent = 1000

// recent is what changed since a watermark: which memories, and how those a query may see score.
type recent struct {
	changed map[memory.ID]bool
	rows    []row
}

// since reads and scores what changed after the mark. Too much, or an erasure in between, is an error.
func (d *Dense) since(ctx context.Context, q *search.Query, mark memory.Seq) (recent, error) {
	changes, err := d.Feed.Changes(ctx, q.Scope, d.Model, mark, maxRecent+1)
	if err != nil {
		return recent{}, fmt.Errorf("read changes of %s after %d: %w", q.Scope, mark, err)
	}
	if len(changes) > maxRecent {
		return recent{}, fmt.Errorf("the copy of %s is more than %d changes behind", q.Scope, maxRecent)
	}
	latest := map[memory.ID]*memory.Change{}
	changed := map[memory.ID]bool{}
	for i := range changes {
		c := &changes[i]
		if c.Reset {
			return recent{}, fmt.Errorf("the copy of %s is of before an erasure", q.Scope)
		}
		changed[c.Version.ID] = true
		if current(c) {
			latest[c.Version.ID] = c
		} else if c.Gone {
			delete(latest, c.Version.ID)
		}
	}
	now := d.now()
	var rows []row
	for id, c := range latest {
		if len(c.Vector) == len(q.Vector) && shows(q, &c.Version.Memory, now) {
			rows = append(rows, row{id, cosine(c.Vector, q.Vector)})
		}
	}
	return recent{changed, rows}, nil
}

// current reports whether the change tells the version that stands.
func current(c *memory.Change) bool { return !c.Gone && !c.Reset && c.Version.RecordedTo == nil }

// cosine of two vectors of equal length; 0 when one has none.
func cosine(a, b []float32) float64 {
	var dot, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		dot, aa, bb = dot+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return dot / math.Sqrt(aa*bb)
}
