package qdrant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// Dense is the leg that matches meaning by asking Qdrant. What was written since Qdrant's copy was made it reads from
// the feed and compares itself, so that a search sees every committed write. When Qdrant is away, slow, begun anew, too
// far behind or not to be believed, Fallback answers and the error is a *search.Degraded of the stage "qdrant". Questions
// about what RAE knew in the past are always Fallback's: Qdrant holds current versions only.
type Dense struct {
	Index    *Index
	Feed     memory.Feed
	Marks    memory.Watermarks
	Model    string     // the model of the vectors, to read them from the feed
	Fallback search.Leg // finds the same without Qdrant
	Places   Places     // nil: hits don't tell where they stand in a conversation
	Clock    func() time.Time
}

// Places tells where memories stand in their conversations, in the order of ids; nowhere for one it does not know.
type Places interface {
	Places(ctx context.Context, scope memory.Scope, ids []memory.ID) ([]search.Place, error)
}

var _ search.Leg = (*Dense)(nil)

// Stage is what a search that did without Qdrant names as degraded.
const Stage = "qdrant"

// Name returns "dense".
func (*Dense) Name() string { return string(search.Dense) }

// Retrieve finds the memories nearest to q.Vector. The score is the cosine, above 0.
func (d *Dense) Retrieve(ctx context.Context, q search.Query, depth int) ([]search.Hit, error) {
	if len(q.Vector) == 0 || q.View.KnownAt != nil {
		return d.Fallback.Retrieve(ctx, q, depth)
	}
	hits, err := d.ask(ctx, &q, depth)
	if err == nil {
		return hits, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	hits, failed := d.Fallback.Retrieve(ctx, q, depth)
	if failed != nil {
		return nil, errors.Join(failed, err)
	}
	return hits, &search.Degraded{Stage: Stage, Err: err}
}

// ask answers from Qdrant and the changes it does not have yet. The watermark is read first and Qdrant last: whatever is
// not below the mark is among the changes, and whatever is, is in Qdrant.
func (d *Dense) ask(ctx context.Context, q *search.Query, depth int) ([]search.Hit, error) {
	if len(q.Vector) != d.Index.dimensions {
		return nil, fmt.Errorf("a vector of %d dimensions is of another model than the collection's, of %d", len(q.Vector), d.Index.dimensions)
	}
	generation, err := d.Index.generation(ctx)
	if err != nil {
		return nil, err
	}
	mark, err := d.Marks.Projected(ctx, q.Scope, d.Index.projection(generation))
	if err != nil {
		return nil, fmt.Errorf("read watermark of %s: %w", q.Scope, err)
	}
	recent, err := d.since(ctx, q, mark)
	if err != nil {
		return nil, err
	}
	rows := recent.rows
	if mark > 0 { // else whatever Qdrant holds of the scope is no projection of it
		err = d.Index.read(ctx, func(ctx context.Context) error {
			old, err := d.nearest(ctx, generation, q, depth+len(recent.changed))
			for _, r := range old {
				if !recent.changed[r.id] {
					rows = append(rows, r)
				}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return d.hits(ctx, q.Scope, rows, depth)
}

// nearest asks Qdrant. Finding nothing proves nothing: the collection may have been begun anew, so it is asked which it is.
func (d *Dense) nearest(ctx context.Context, generation string, q *search.Query, limit int) ([]row, error) {
	rows, err := d.Index.Tenant(q.Scope).nearest(ctx, generation, q, limit, d.now())
	if err != nil || len(rows) > 0 {
		return rows, err
	}
	standing, err := d.Index.look(ctx)
	if err == nil && standing != generation {
		err = errors.New("the collection has been begun anew")
	}
	return nil, err
}

// hits makes rows the leg's answer: best first, ties by id, no more than depth, where each stands.
func (d *Dense) hits(ctx context.Context, scope memory.Scope, rows []row, depth int) ([]search.Hit, error) {
	rows = slices.DeleteFunc(rows, func(r row) bool { return r.score <= 0 })
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.id, b.id)) })
	rows = rows[:min(depth, len(rows))]
	hits := make([]search.Hit, len(rows))
	ids := make([]memory.ID, len(rows))
	for i, r := range rows {
		hits[i], ids[i] = search.Hit{ID: r.id, Score: min(1, r.score)}, r.id
	}
	if d.Places == nil || len(hits) == 0 {
		return hits, nil
	}
	places, err := d.Places.Places(ctx, scope, ids)
	if err != nil {
		return nil, fmt.Errorf("place %d hits of %s: %w", len(ids), scope, err)
	}
	for i := range hits {
		hits[i].Place = places[i]
	}
	return hits, nil
}

// read runs a call of a search, within its time, unless Qdrant is left alone. A collection that is gone is looked up
// anew next time.
func (x *Index) read(ctx context.Context, call func(context.Context) error) error {
	err := x.reading.do(ctx, x.timeout, call)
	if err != nil && answered(err) {
		x.known.Store(nil)
	}
	return err
}

func (d *Dense) now() time.Time {
	if d.Clock != nil {
		return d.Clock()
	}
	return time.Now()
}
