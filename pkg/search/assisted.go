package search

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
)

// Scorer scores texts against a query, 0..1, in the order given; rerank.Reranker is one.
type Scorer interface {
	Rerank(ctx context.Context, query string, documents []string) ([]float64, error)
}

// Assisted is a Reranker that mixes what a Scorer, which may be far away, says of the candidates' contents into what the
// built-in one says. The weight of the second look was fitted to the built-in one, so the Scorer only shifts its scores,
// and by the less the less it agrees with them (trust).
//
// When the Scorer fails, or is not there within Timeout, or within ctx, whether it minds that or not, the built-in scores
// stand, and a *Degraded error beside them says so.
type Assisted struct {
	BuiltIn  Reranker
	Scorer   Scorer
	Memories Finder
	Timeout  time.Duration // of the Scorer; 0 = the context's
	Weight   float64       // of a Scorer that is trusted, 0..1; 0 = 0.25
}

const assistance = .25

// Rerank implements Reranker.
func (a Assisted) Rerank(ctx context.Context, q Query, ids []memory.ID) ([]float64, error) {
	within := ctx
	if a.Timeout > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, a.Timeout)
		defer cancel()
	}
	type opinion struct {
		scores []float64
		err    error
	}
	said := make(chan opinion, 1) // one who comes late blocks nobody
	go func() {
		var o opinion
		defer func() {
			if p := recover(); p != nil { // nobody stands above this goroutine
				o = opinion{err: fmt.Errorf("reranker panicked: %T", p)}
			}
			said <- o
		}()
		o.scores, o.err = a.ask(within, q, ids)
	}()
	scores, err := a.BuiltIn.Rerank(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	var other opinion
	select {
	case other = <-said:
	case <-within.Done():
		other.err = within.Err()
	}
	if other.err == nil {
		other.err = checkScores(other.scores, len(ids))
	}
	if other.err != nil {
		return scores, &Degraded{Stage: "rerank", Err: other.err}
	}
	weight := cmp.Or(a.Weight, assistance) * trust(scores, other.scores)
	for i := range scores {
		scores[i] = (1-weight)*scores[i] + weight*other.scores[i]
	}
	return scores, nil
}

// ask reads what the candidates say and has it scored. One that cannot be read says nothing, and scores 0.
func (a Assisted) ask(ctx context.Context, q Query, ids []memory.ID) ([]float64, error) {
	memories, err := a.Memories.Find(ctx, q.Scope, ids, q.View)
	if err != nil {
		return nil, fmt.Errorf("read %d candidates: %w", len(ids), err)
	}
	place := make(map[memory.ID]int, len(ids))
	for i, id := range ids {
		place[id] = i
	}
	texts := make([]string, len(ids))
	for i := range memories {
		if at, asked := place[memories[i].ID]; asked {
			texts[at] = memories[i].Content
		}
	}
	return a.Scorer.Rerank(ctx, q.Text, texts)
}

func checkScores(scores []float64, want int) error {
	if len(scores) != want {
		return fmt.Errorf("reranker gave %d scores for %d candidates", len(scores), want)
	}
	for i, score := range scores {
		if math.IsNaN(score) || score < 0 || score > 1 {
			return fmt.Errorf("reranker gave a score for candidate %d that is none", i)
		}
	}
	return nil
}
