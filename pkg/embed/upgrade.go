package embed

import (
	"context"
	"fmt"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
)

// UpgradeKind is the kind of the operator's jobs that look for scopes of a built-in model that is no longer the
// deployment's.
const UpgradeKind = "upgrade-models"

// upgradeStep is how many scopes are looked at in one step.
const upgradeStep = 50

// Upgrade sees to it, once a day, that scopes follow a program that comes with another built-in model: where the active
// model is built in, nobody chose it, and the deployment's is built in, too, a job embeds the scope by the deployment's
// and then switches. That costs nothing but time; any other model somebody has to choose. It may be called at every tick of a
// clock.
func (r *Reembed) Upgrade(ctx context.Context) error {
	own, err := r.Spaces.Resolve("")
	if err != nil || !r.Spaces.free(own) {
		return err
	}
	key := own.Model() + " " + r.Spaces.now().UTC().Format(time.DateOnly)
	if last := r.upgraded.Load(); last != nil && *last == key {
		return nil
	}
	_, _, err = r.Jobs.Start(ctx, job.Operator, UpgradeKind, reembedOrder{Model: own.Model()}, 0, memory.Key{Route: UpgradeKind, Key: key})
	if err == nil {
		r.upgraded.Store(&key)
	}
	return err
}

// UpgradeStep is the handler of UpgradeKind.
func (r *Reembed) UpgradeStep(ctx context.Context, s *job.Slice) (done bool, err error) {
	var order reembedOrder
	if err := s.Read(&order); err != nil {
		return false, err
	}
	var after memory.Scope
	if err := s.At(&after); err != nil {
		return false, err
	}
	page, err := r.Scopes.Scopes(ctx, after, upgradeStep)
	if err != nil {
		return false, fmt.Errorf("list scopes: %w", err)
	}
	for _, scope := range page {
		if err := r.upgrade(ctx, scope, order.Model); err != nil {
			return false, fmt.Errorf("upgrade %s: %w", scope, err)
		}
	}
	s.Progress.Done += int64(len(page))
	s.Progress.Total = s.Progress.Done
	if len(page) < upgradeStep {
		return true, nil
	}
	return false, s.GoOn(page[len(page)-1])
}

// upgrade starts to move a scope to the model, where that is due.
func (r *Reembed) upgrade(ctx context.Context, scope memory.Scope, model string) error {
	m, err := r.Spaces.Now(ctx, scope)
	if err != nil || m.Active == model || m.Chosen || m.Next != "" && m.Next != model {
		return err
	}
	old, err := r.Spaces.Resolve(m.Active)
	if err != nil || !r.Spaces.free(old) {
		return nil // whoever paid for vectors decides
	}
	_, err = r.begin(ctx, scope, reembedOrder{Model: model, Switch: true})
	if fault.KindOf(err) == fault.Conflict { // somebody has just decided
		return nil
	}
	return err
}
