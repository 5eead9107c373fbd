package llm_test

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
)

func TestADryRunStopsWhatIsDoneInItsContextAndNothingElse(t *testing.T) {
	t.Parallel()
	ctx, run := llm.WithDryRun(t.Context())
	deep := context.WithoutCancel(context.WithValue(ctx, refusal{}, 1))
	if llm.DryRunOf(deep) != run || llm.DryRunOf(t.Context()) != nil {
		t.Error("a context is of another dry run than it was made for")
	}
	if err := fmt.Errorf("write: %w", llm.NoDryRun(deep)); !llm.IsDryRun(err) || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
	if err := llm.NoDryRun(t.Context()); err != nil || llm.IsDryRun(err) || llm.IsDryRun(fault.New(fault.Unavailable, "away")) {
		t.Errorf("got %v", err)
	}
}

func TestADryRunKeepsWhatManySay(t *testing.T) {
	t.Parallel()
	_, run := llm.WithDryRun(t.Context())
	var asking sync.WaitGroup
	for range 50 {
		asking.Go(func() { run.Would(llm.Quote{Cost: "0.1", PriceKnown: true}) })
	}
	asking.Wait()
	first, away := fault.New(fault.OverBudget, "first"), fault.New(fault.Unavailable, "away")
	for _, err := range []error{nil, first, fault.New(fault.OverBudget, "second"), away} {
		run.Fail(err)
	}
	got := run.Calls()
	if len(got) != 50 || !reflect.DeepEqual(run.Refused(), error(first)) || fault.Public(run.Failed()) != "away" {
		t.Errorf("%d calls, refused by %v, failed by %v", len(got), run.Refused(), run.Failed())
	}
	if got[0].Cost = "9"; run.Calls()[0].Cost != "0.1" {
		t.Error("what was told can be changed from outside")
	}
}
