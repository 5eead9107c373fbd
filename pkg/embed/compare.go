package embed

import (
	"context"
	"fmt"
	"slices"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
)

// Comparison is the result of a job of ReembedKind: what a switch would change.
type Comparison struct {
	Model    string          `json:"model"`              // the one the scope was embedded by
	Against  string          `json:"against,omitempty"`  // the one searches used when it was done; absent where that is the same
	Coverage memory.Coverage `json:"coverage"`           // of the model
	Covered  float64         `json:"covered"`            // share of the memories, 0..1
	Sample   int             `json:"sample,omitempty"`   // memories that have vectors of both and were ranked
	Queries  int             `json:"queries,omitempty"`  // stored texts whose nearest were looked for among them
	Overlap  *float64        `json:"overlap,omitempty"`  // overlap@10: mean share of the ten nearest that both models agree on, 0..1
	Switched bool            `json:"switched,omitempty"` // searches use the model from now on
}

// Bounds of a comparison: what is held in memory, and computed, in one step of a job.
const (
	comparedMemories = 1000
	comparedQueries  = 50
	comparedNearest  = 10
	comparedPage     = 250
)

// conclude compares, switches where the order says so, and reports.
func (r *Reembed) conclude(ctx context.Context, s *job.Slice, models memory.Models, order reembedOrder) error {
	c := Comparison{Model: order.Model}
	var err error
	if c.Coverage, err = r.Spaces.Store.Coverage(ctx, s.Scope(), order.Model); err != nil {
		return err
	}
	c.Covered = c.Coverage.Share()
	// Others give vectors, too: writers, and the consumer of what they missed. The job ends by what there is.
	s.Progress = job.Progress{Done: int64(c.Coverage.Vectors), Total: int64(c.Coverage.Memories)}
	if models.Active != order.Model {
		if err := r.compare(ctx, s.Scope(), models.Active, &c); err != nil {
			return err
		}
		if order.Switch {
			if c.Switched, err = r.switchUnchosen(ctx, s.Scope(), order.Model, c.Coverage); err != nil {
				return err
			}
		}
	}
	return s.Report(c)
}

// switchUnchosen switches to a model that covers everything, unless somebody chose otherwise meanwhile.
func (r *Reembed) switchUnchosen(ctx context.Context, scope memory.Scope, model string, c memory.Coverage) (switched bool, err error) {
	if c.Vectors < c.Memories { // written while we looked: the next try reaches it
		return false, fault.New(fault.Unavailable, "%d of %d memories have no vector of %s yet", c.Memories-c.Vectors, c.Memories, model)
	}
	_, err = r.Spaces.Choose(ctx, scope, func(m memory.Models) (memory.Models, error) {
		switched = m.Next == model && !m.Chosen
		if switched {
			m = memory.Models{Active: model, Previous: m.Active}
		}
		return m, nil
	})
	return switched, err
}

// compare ranks a sample of the memories by both models: every so many of them is a question, whose vector is the one
// stored with it, so that nothing is embedded and nothing is paid.
func (r *Reembed) compare(ctx context.Context, scope memory.Scope, against string, c *Comparison) error {
	c.Against = against
	old, err := r.sample(ctx, scope, against)
	if err != nil {
		return err
	}
	fresh, err := r.sample(ctx, scope, c.Model)
	if err != nil {
		return err
	}
	var ids []sampled
	for key := range old {
		if fresh[key] != nil {
			ids = append(ids, key)
		}
	}
	if c.Sample = len(ids); len(ids) < 2 {
		return nil
	}
	slices.SortFunc(ids, func(a, b sampled) int { return slices.Compare([]byte(a.id), []byte(b.id)) })
	step := max(1, len(ids)/comparedQueries)
	sum := 0.0
	for at := 0; at < len(ids) && c.Queries < comparedQueries; at += step {
		sum += agreement(nearest(old, ids, at), nearest(fresh, ids, at))
		c.Queries++
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	mean := sum / float64(c.Queries)
	c.Overlap = &mean
	return nil
}

// sampled names one version of a memory.
type sampled struct {
	id      memory.ID
	version int
}

// sample reads the vectors of the model of up to comparedMemories current versions, from the beginning of the feed.
func (r *Reembed) sample(ctx context.Context, scope memory.Scope, model string) (map[sampled][]float32, error) {
	vectors := map[sampled][]float32{}
	for after := memory.Seq(0); len(vectors) < comparedMemories; {
		changes, err := r.Memories.Changes(ctx, scope, model, after, comparedPage)
		if err != nil {
			return nil, fmt.Errorf("read vectors of %s: %w", model, err)
		}
		for i := range changes {
			c := &changes[i]
			if !c.Gone && !c.Reset && c.Version.RecordedTo == nil && c.Vector != nil {
				vectors[sampled{c.Version.ID, c.Version.Memory.Version}] = c.Vector
			}
		}
		if len(changes) < comparedPage {
			break
		}
		after = changes[len(changes)-1].Seq
	}
	return vectors, nil
}

// nearest returns the places of the ten memories nearest to the one at a place, by cosine, ties by place. The vectors
// have length 1.
func nearest(vectors map[sampled][]float32, ids []sampled, at int) []int {
	query := vectors[ids[at]]
	scores := make([]float64, len(ids))
	places := make([]int, 0, len(ids)-1)
	for i, id := range ids {
		if i == at {
			continue
		}
		places = append(places, i)
		for d, x := range vectors[id][:min(len(query), len(vectors[id]))] {
			scores[i] += float64(x) * float64(query[d])
		}
	}
	slices.SortStableFunc(places, func(a, b int) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return 0
	})
	return places[:min(comparedNearest, len(places))]
}

// agreement is the share of a that is in b, of equal length.
func agreement(a, b []int) float64 {
	both := 0
	for _, place := range a {
		if slices.Contains(b, place) {
			both++
		}
	}
	return float64(both) / float64(len(a))
}
