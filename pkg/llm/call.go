package llm

import (
	"context"
	"errors"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Call is a call of somebody's model as it is announced before it is made.
type Call struct {
	Operation string // what for: "embeddings", "rerank", "chat"
	Provider  string // who is asked: "openai"
	Model     string // as the provider names it
	Most      Usage  // what it can consume, estimated on the high side
}

// Meter stands before every model that is not RAE's own. What asks one takes a Meter and asks through it, so that nothing
// is spent that no budget covers.
type Meter interface {
	// Spend does the call on behalf of the payer of ctx, unless the budget refuses: then do is not called and the error is
	// OverBudget. do returns what was consumed, beside an error too where the answer was of no use; a zero Usage means
	// that the provider did not say, and then Most counts. An error of do is returned as it is. Without a payer, or where
	// the budget cannot be asked, do is not called either.
	Spend(ctx context.Context, c Call, do func(context.Context) (Usage, error)) error
}

// Ask makes a call through the meter, within the timeout (0 = the context's), and checks what came of it: an answer that
// check refuses was paid for, and is none. Whatever is asked of somebody else's model is asked by it.
func Ask[A any](ctx context.Context, m Meter, timeout time.Duration, c Call, do func(context.Context) (A, Usage, error), check func(A) error) (A, error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	var answer, none A
	err := m.Spend(ctx, c, func(ctx context.Context) (used Usage, err error) {
		answer, used, err = do(ctx)
		if err == nil {
			if err = check(answer); err != nil {
				err = Spent(err)
			}
		}
		return used, err
	})
	if err != nil {
		return none, err
	}
	return answer, nil
}

// Saver is a Meter that is also told what it need not meter, because a cache had the answers.
type Saver interface {
	// Saved notes, on behalf of the payer of ctx, calls that were not made, and that they would have consumed c.Most
	// together; calls is 0 where a call was made all the same, for less. It must not wait for anything but this process: it
	// is called while somebody waits for an answer. Without a payer nothing is noted.
	Saved(ctx context.Context, c Call, calls int)
}

type payerKey struct{}

// WithPayer returns a context whose calls of models are paid by the scope. Whoever acts for a scope says so here, next to
// the call: a Meter spends nothing for nobody.
func WithPayer(ctx context.Context, scope memory.Scope) context.Context {
	return context.WithValue(ctx, payerKey{}, scope)
}

// PayerOf returns who pays for what is done with ctx.
func PayerOf(ctx context.Context) (memory.Scope, bool) {
	scope, ok := ctx.Value(payerKey{}).(memory.Scope)
	return scope, ok && scope.Tenant != "" && scope.Project != ""
}

// Spent marks the error of a call that the provider may have worked on, and will charge for, though no usable answer came:
// one that was cut off, or that took too long.
func Spent(err error) error { return &spentError{err} }

type spentError struct{ error }

func (s *spentError) Unwrap() error { return s.error }

// WasSpent reports whether the error is marked by Spent.
func WasSpent(err error) bool {
	var s *spentError
	return errors.As(err, &s)
}

// Refused is the error of a model that will not answer this, or of the filter before it: the same request would be refused
// again. why is a word of the provider's, such as "safety".
func Refused(provider, why string) error {
	return &refusedError{fault.New(fault.Invalid, "the model of %s will not answer this (%s)", provider, why)}
}

type refusedError struct{ fault *fault.Error }

func (r *refusedError) Error() string { return r.fault.Error() }
func (r *refusedError) Unwrap() error { return r.fault }

// WasRefused reports whether a model would not answer, or a filter did not let it.
func WasRefused(err error) bool {
	var r *refusedError
	return errors.As(err, &r)
}

// truncatedError marks an answer that the tokens it was given did not suffice for.
type truncatedError struct{ fault *fault.Error }

func (t *truncatedError) Error() string { return t.fault.Error() }
func (t *truncatedError) Unwrap() error { return t.fault }

// WasTruncated reports whether a model had used up its tokens before its answer had ended: about less it may have enough.
func WasTruncated(err error) bool {
	var t *truncatedError
	return errors.As(err, &t)
}

// Rejected reports whether the budget refused a call and wants the whole request refused with it, rather than done
// without the model. Work that no caller waits for is not rejected but put off.
func Rejected(err error) bool {
	var refusal interface{ Degrades() bool }
	return fault.KindOf(err) == fault.OverBudget && !(errors.As(err, &refusal) && refusal.Degrades())
}

// RefilledAt returns when the budget that refused a call begins anew, and false where err is no such refusal or does not
// say. More may be left before that: what is held for other calls may come back, or somebody raise the limit.
func RefilledAt(err error) (time.Time, bool) {
	var refusal interface{ RefilledAt() time.Time }
	if fault.KindOf(err) != fault.OverBudget || !errors.As(err, &refusal) {
		return time.Time{}, false
	}
	at := refusal.RefilledAt()
	return at, !at.IsZero()
}
