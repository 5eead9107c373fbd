package llm_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

func TestThePayerIsWhoWasNamedLast(t *testing.T) {
	t.Parallel()
	if scope, known := llm.PayerOf(t.Context()); known {
		t.Errorf("got %v", scope)
	}
	for _, half := range []memory.Scope{{}, {Tenant: "acme"}, {Project: "p"}} {
		if _, known := llm.PayerOf(llm.WithPayer(t.Context(), half)); known {
			t.Errorf("%v pays", half)
		}
	}
	ctx := llm.WithPayer(llm.WithPayer(t.Context(), memory.Scope{Tenant: "a", Project: "p"}), memory.Scope{Tenant: "b", Project: "p"})
	if scope, known := llm.PayerOf(context.WithoutCancel(ctx)); !known || scope.Tenant != "b" {
		t.Errorf("got %v, %t", scope, known)
	}
}

func TestAMarkChangesNothingElseOfAnError(t *testing.T) {
	t.Parallel()
	err := fault.New(fault.Timeout, "late")
	marked := fmt.Errorf("ask: %w", llm.Spent(err))
	if !llm.WasSpent(marked) || fault.KindOf(marked) != fault.Timeout || fault.Public(marked) != "late" || !errors.Is(marked, error(err)) {
		t.Errorf("got %v", marked)
	}
	if llm.WasSpent(err) || llm.WasSpent(nil) {
		t.Error("unmarked errors are marked")
	}
}

type refusal struct {
	fault    *fault.Error
	degrades bool
}

func (r refusal) Error() string  { return r.fault.Error() }
func (r refusal) Unwrap() error  { return r.fault }
func (r refusal) Degrades() bool { return r.degrades }

func TestOnlyARefusalByTheBudgetRejects(t *testing.T) {
	t.Parallel()
	over := fault.New(fault.OverBudget, "no money")
	for err, want := range map[error]bool{
		over: true, refusal{over, false}: true, refusal{over, true}: false, fault.New(fault.Unavailable, "away"): false, context.Canceled: false,
	} {
		if llm.Rejected(err) != want {
			t.Errorf("%v: rejected %t", err, !want)
		}
	}
}
