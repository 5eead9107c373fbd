package llm

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"

	"github.com/rae-memory/rae/pkg/fault"
)

// DryRun finds out what a request would ask of models and what that would cost. Who does the request with its context asks
// no model and changes nothing: a Meter prices a call instead of making it, a client of a provider sends nothing, and a
// store refuses to begin a transaction that writes. Each of them returns NotInDryRun then, so that a path nobody thought of
// is refused too.
type DryRun struct {
	mu      sync.Mutex
	calls   []Quote
	refused error // by the budget
	failed  error // what could not be priced
}

// Quote is a call that would be made, with what it can cost.
type Quote struct {
	Call
	Cost       json.Number // US dollars, every digit
	PriceKnown bool        // false: the dearest known rate was assumed
}

type dryRunKey struct{}

// WithDryRun returns a context in which nothing is asked and nothing is changed, and what will be known of it.
func WithDryRun(ctx context.Context) (context.Context, *DryRun) {
	run := &DryRun{}
	return context.WithValue(ctx, dryRunKey{}, run), run
}

// DryRunOf returns the dry run that ctx is of, nil where it is of none.
func DryRunOf(ctx context.Context) *DryRun {
	run, _ := ctx.Value(dryRunKey{}).(*DryRun)
	return run
}

// Would adds a call that would be made. It may be called by many at once.
func (d *DryRun) Would(q Quote) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, q)
}

// Fail keeps the first refusal by the budget, and apart from it the first of other errors, by which a call could not be
// priced: the caller hears of it whatever the path does without the call.
func (d *DryRun) Fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil:
	case fault.KindOf(err) != fault.OverBudget:
		d.failed = errors.Join(d.failed, err)
	case d.refused == nil:
		d.refused = err
	}
}

// Calls are what would be asked, in the order in which it would.
func (d *DryRun) Calls() []Quote {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

// Refused is the budget's refusal of one of the calls, nil where it covers all.
func (d *DryRun) Refused() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.refused
}

// Failed is why a call could not be priced, nil where all were.
func (d *DryRun) Failed() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// notInDryRun is of a kind that everybody who can do without a model does without it for.
type notInDryRun struct{}

func (notInDryRun) Error() string           { return "this is a dry run: no model is asked, nothing is changed" }
func (notInDryRun) FaultKind() fault.Kind   { return fault.Unavailable }
func (n notInDryRun) PublicMessage() string { return n.Error() }

// NotInDryRun is the error of what is not done because it is a dry run.
func NotInDryRun() error { return notInDryRun{} }

// IsDryRun reports whether something was not done because it is a dry run.
func IsDryRun(err error) bool {
	var n notInDryRun
	return errors.As(err, &n)
}

// NoDryRun stands before what changes something or costs something: in a dry run it is NotInDryRun, else nil.
func NoDryRun(ctx context.Context) error {
	if DryRunOf(ctx) != nil {
		return NotInDryRun()
	}
	return nil
}
