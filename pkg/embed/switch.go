package embed

import (
	"context"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
)

// ForgetKind is the kind of the jobs that remove the vectors of a model.
const ForgetKind = "forget-vectors"

// forgetStep is how many vectors go in one transaction.
const forgetStep = 500

// Standing is which models a scope has, and how far its memories have vectors of each.
type Standing struct {
	Active   string                     `json:"active" doc:"Model that searches use."`
	Next     string                     `json:"next,omitempty" doc:"Model the project is being moved to."`
	Previous string                     `json:"previous,omitempty" doc:"Model that can be switched back to."`
	Chosen   bool                       `json:"chosen" doc:"Somebody chose the active model; otherwise it follows the one that comes with the program."`
	Coverage map[string]memory.Coverage `json:"coverage" doc:"How many memories have vectors, by model."`
}

// Stands tells which models the scope has.
func (r *Reembed) Stands(ctx context.Context, scope memory.Scope) (Standing, error) {
	m, err := r.Spaces.Now(ctx, scope)
	if err != nil {
		return Standing{}, err
	}
	s := Standing{Active: m.Active, Next: m.Next, Previous: m.Previous, Chosen: m.Chosen, Coverage: map[string]memory.Coverage{}}
	for _, model := range m.Wanted() {
		if s.Coverage[model], err = r.Spaces.Store.Coverage(ctx, scope, model); err != nil {
			return Standing{}, err
		}
	}
	return s, nil
}

// Switch lets searches of the scope use its next model, in this process at once and in all others within FollowWithin.
// The model used so far becomes the previous one: what is written goes on getting its vectors, until it is forgotten.
// Conflict where there is no next model, and while it covers less than covered (0..1) of the memories.
func (r *Reembed) Switch(ctx context.Context, scope memory.Scope, covered float64) (memory.Models, error) {
	now, err := r.Spaces.Now(ctx, scope)
	if err != nil {
		return now, err
	}
	if now.Next == "" {
		return now, fault.New(fault.Conflict, "the project is on its way to no other model; it uses %s", now.Active)
	}
	c, err := r.Spaces.Store.Coverage(ctx, scope, now.Next)
	if err != nil {
		return now, err
	}
	if c.Share() < covered {
		return now, fault.New(fault.Conflict, "only %d of %d memories have a vector of %s", c.Vectors, c.Memories, now.Next)
	}
	if _, err := r.Spaces.Resolve(now.Next); err != nil {
		return now, err
	}
	return r.Spaces.Choose(ctx, scope, func(m memory.Models) (memory.Models, error) {
		if m.Next != now.Next || m.Active != now.Active {
			return m, fault.New(fault.Conflict, "somebody has chosen another model meanwhile")
		}
		return memory.Models{Active: m.Next, Previous: m.Active, Chosen: true}, nil
	})
}

// Rollback lets searches of the scope use the model from before the last switch again. The one it leaves is the next one
// from then on, and can be switched to once more. Conflict where there is none to go back to.
func (r *Reembed) Rollback(ctx context.Context, scope memory.Scope) (memory.Models, error) {
	return r.Spaces.Choose(ctx, scope, func(m memory.Models) (memory.Models, error) {
		if m.Previous == "" {
			return m, fault.New(fault.Conflict, "the project was not switched, or the model before %s is forgotten", m.Active)
		}
		if m.Next != "" {
			return m, fault.New(fault.Conflict, "the project is on its way to %s: forget it first", m.Next)
		}
		return memory.Models{Active: m.Previous, Next: m.Active, Chosen: true}, nil
	})
}

// Forget ends that memories get vectors of the model, which is not the active one, and queues a job that removes those
// there are.
func (r *Reembed) Forget(ctx context.Context, scope memory.Scope, model string) (job.Job, error) {
	if model == "" {
		return job.Job{}, fault.BadField("model", "must name a model")
	}
	_, err := r.Spaces.Choose(ctx, scope, func(m memory.Models) (memory.Models, error) {
		if m.Active == model {
			return m, fault.New(fault.Conflict, "searches use %s", model)
		}
		if m.Next == model {
			m.Next = ""
		}
		if m.Previous == model {
			m.Previous = ""
		}
		return m, nil
	})
	if err != nil {
		return job.Job{}, err
	}
	c, err := r.Spaces.Store.Coverage(ctx, scope, model)
	if err != nil {
		return job.Job{}, err
	}
	j, _, err := r.Jobs.Start(ctx, scope, ForgetKind, reembedOrder{Model: model}, int64(c.Vectors), memory.Key{})
	return j, err
}

// ForgetStep is the handler of ForgetKind.
func (r *Reembed) ForgetStep(ctx context.Context, s *job.Slice) (done bool, err error) {
	var order reembedOrder
	if err := s.Read(&order); err != nil {
		return false, err
	}
	n, err := r.Spaces.Store.ForgetModel(ctx, s.Scope(), order.Model, forgetStep)
	if err != nil {
		return false, err
	}
	s.Progress.Done += int64(n)
	s.Progress.Total = max(s.Progress.Total, s.Progress.Done)
	return n == 0, nil
}

// Handlers are the handlers of all jobs of models, by kind.
func (r *Reembed) Handlers() map[string]job.Handler {
	return map[string]job.Handler{ReembedKind: r.Step, ForgetKind: r.ForgetStep, UpgradeKind: r.UpgradeStep}
}
