package reflection

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
)

// What use is worth, in importance.
const (
	hitsWorth     = 0.1 // of a memory that answers hold often, now
	manyHits      = 100 // that count as often
	hitsHalfLife  = 30 * oneDay
	feedbackWorth = 0.2 // of a memory that all say helps; less of one that few have said anything of
	doubt         = 2   // answers without an opinion that are counted beside those given
)

// Importance is what the importance of a memory is made of. All are 0..1 but FromFeedback.
type Importance struct {
	Stands       float64   `json:"stands" doc:"What it is now: what it was made of when it last changed by 0.05 or more."`
	Told         float64   `json:"told" doc:"What somebody told it to be."`
	ToldAt       time.Time `json:"told_at"`
	Faded        float64   `json:"faded" doc:"What is left of that: it fades from when the memory was last told or used."`
	FromHits     float64   `json:"from_hits" doc:"0 to 0.1: 0.1 * ln(1+hits)/ln(101), halved for every 30 days since the last."`
	FromFeedback float64   `json:"from_feedback" doc:"-0.2 to 0.2: 0.2 * score/(helpful+unhelpful+2)."`
	Target       float64   `json:"target" doc:"The sum, never below the layer's floor or what was told, whichever is less. The day's decay brings it there."`
}

// importanceOf is the importance of a memory told like that and used like that. Whatever use adds wears off, and what it takes away
// leaves the floor: what nobody found is not buried, and what everybody found is not found for that alone. It follows from
// what was told and used, never from how often it was worked out.
func importanceOf(told *memory.Version, stands float64, use memory.Use, f fading, now time.Time) Importance {
	i := Importance{Stands: stands, Told: told.Importance, ToldAt: told.RecordedFrom}
	since := told.RecordedFrom
	if used := use.LastUsedAt; used != nil {
		if used.After(since) {
			since = *used
		}
		often := min(1, math.Log1p(float64(use.Hits))/math.Log1p(manyHits))
		i.FromHits = round(hitsWorth * often * math.Exp2(-float64(max(0, now.Sub(*used)))/float64(hitsHalfLife)))
	}
	i.Faded = round(f.of(told.Importance, now.Sub(since)))
	i.FromFeedback = math.Round(1e4*feedbackWorth*use.Score/float64(use.Helpful+use.Unhelpful+doubt)) / 1e4
	i.Target = round(max(i.Faded+i.FromHits+i.FromFeedback, min(f.floor, told.Importance)))
	return i
}

// UseOf is how a memory is used, and what its importance is made of. NotFound when it does not stand.
type UseOf struct {
	MemoryID memory.ID `json:"memory_id"`
	memory.Use
	Importance Importance `json:"importance"`
}

// UseOf tells how a memory is used. Keeper and Uses are required.
func (s *Service) UseOf(ctx context.Context, scope memory.Scope, id memory.ID) (UseOf, error) {
	versions, err := s.Keeper.History(ctx, scope, id)
	if err != nil {
		return UseOf{}, err
	}
	uses, err := s.Uses.Use(ctx, scope, []memory.ID{id})
	if err != nil {
		return UseOf{}, err
	}
	policies, err := s.Store.Policies(ctx, scope)
	if err != nil {
		return UseOf{}, fmt.Errorf("read how %s fades: %w", scope, err)
	}
	told, use := toldLast(versions), uses[id]
	if use.Recent == nil {
		use.Recent = []memory.Feedback{}
	}
	f := policies.of(versions[0].Layer).fading()
	return UseOf{id, use, importanceOf(&told, versions[0].Importance, use, f, s.now())}, nil
}
