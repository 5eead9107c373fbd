package budget_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
)

func TestADryRunPricesEveryCallAndMakesNone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		daily   budget.Cost
		spent   int // millions of tokens, before
		calls   int
		refuses int64 // usage and reservations before the call that is refused; -1: none is
	}{
		{"the budget covers all", 10 * cent, 0, 3, -1},
		{"to the last cent", 6 * cent, 0, 3, -1},
		{"the third is one too many", 5 * cent, 0, 3, int64(4 * cent)},
		{"nothing is left", 2 * cent, 1, 2, int64(2 * cent)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPurse(t, c.daily, budget.Reject)
			for range c.spent {
				if err := p.Spend(p.ctx, million, func(context.Context) (llm.Usage, error) { return million.Most, nil }); err != nil {
					t.Fatal(err)
				}
			}
			used, _ := p.books()
			ctx, run := llm.WithDryRun(p.ctx)
			var want []llm.Quote
			for range c.calls {
				err := p.Spend(ctx, million, func(context.Context) (llm.Usage, error) {
					t.Error("the call was made")
					return llm.Usage{}, nil
				})
				if !llm.IsDryRun(err) {
					t.Fatalf("got %v", err)
				}
				most := million.Most
				most.Estimated = true
				priced := million
				priced.Most = most
				want = append(want, llm.Quote{Call: priced, Cost: "0.02", PriceKnown: true})
			}
			if got := run.Calls(); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			var exceeded *budget.ExceededError
			if refused := run.Refused(); errors.As(refused, &exceeded) != (c.refuses >= 0) || exceeded != nil && exceeded.Usage+exceeded.Reserved != c.refuses {
				t.Errorf("refused by %+v", refused)
			}
			if after, held := p.books(); after != used || held != 0 || run.Failed() != nil {
				t.Errorf("used %v instead of %v, held %v, %v", after, used, held, run.Failed())
			}
		})
	}
}

func TestAQuoteRefusesAsAReservationWould(t *testing.T) {
	t.Parallel()
	p := newPurse(t, 3*cent, budget.Degrade)
	ask := budget.Request{Operation: "embeddings", Provider: "openai", Model: "text-embedding-3-small", TokensIn: 2_000_000}
	_, reserved := p.ledger.Reserve(p.ctx, payer, ask)
	_, run := llm.WithDryRun(p.ctx)
	if err := budget.Quote(p.ctx, p.ledger, payer, ask, run); !llm.IsDryRun(err) {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(run.Refused(), reserved) || reserved == nil {
		t.Errorf("got  %#v\nwant %#v", run.Refused(), reserved)
	}
	for _, wrong := range []budget.Request{{}, {Operation: "chat", Model: "m"}, {Operation: "chat", Model: "m", TokensIn: -1}} {
		_, run := llm.WithDryRun(p.ctx)
		_, reserved := p.ledger.Reserve(p.ctx, payer, wrong)
		if err := budget.Quote(p.ctx, p.ledger, payer, wrong, run); !reflect.DeepEqual(err, reserved) || len(run.Calls()) != 0 {
			t.Errorf("%+v: got %v, a reservation is refused with %v", wrong, err, reserved)
		}
	}
}

// shut are books that cannot be read.
type shut struct{ budget.Purse }

func (shut) Prices(context.Context, string) ([]budget.Price, error) {
	return nil, fault.New(fault.Unavailable, "the ledger is away")
}

func TestADryRunThatCannotBePricedSaysSo(t *testing.T) {
	t.Parallel()
	p := newPurse(t, 3*cent, budget.Degrade)
	p.Guard.Ledger = shut{p.ledger}
	ctx, run := llm.WithDryRun(p.ctx)
	err := p.Spend(ctx, million, nil)
	if fault.Public(err) != "the ledger is away" || fault.KindOf(run.Failed()) != fault.Unavailable || llm.IsDryRun(run.Failed()) {
		t.Errorf("got %v, failed by %v", err, run.Failed())
	}
}
