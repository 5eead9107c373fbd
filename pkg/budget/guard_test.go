package budget_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

var payer = memory.Scope{Tenant: "acme", Project: "p"}

// purse is a ledger with a limit, and a guard before it.
type purse struct {
	*budget.Guard
	t      *testing.T
	ledger budget.Ledger
	ctx    context.Context
}

func newPurse(t *testing.T, daily budget.Cost, then budget.Exhaustion) *purse {
	t.Helper()
	ledger := inmem.NewLedger(inmem.New(inmem.Options{}), budget.Policy{Defaults: budget.Limits{Daily: &daily, OnExhausted: then}})
	return &purse{&budget.Guard{Ledger: ledger}, t, ledger, llm.WithPayer(t.Context(), payer)}
}

// books are what is used and held, in dollars of embeddings by text-embedding-3-small: 0.02 per million tokens.
func (p *purse) books() (used, held budget.Cost) {
	p.t.Helper()
	status, err := p.ledger.Current(p.t.Context(), payer)
	if err != nil {
		p.t.Fatal(err)
	}
	return status.DailyUsage, status.DailyReserved
}

// million is a call that can consume a million tokens: two cents.
var million = llm.Call{Operation: "embeddings", Provider: "openai", Model: "text-embedding-3-small", Most: llm.Usage{TokensIn: 1_000_000}}

const cent = budget.USD / 100

func TestTheGuardBooksWhatACallCost(t *testing.T) {
	t.Parallel()
	away := fault.New(fault.Unavailable, "away")
	for _, c := range []struct {
		name string
		used llm.Usage
		err  error
		want budget.Cost
	}{
		{"what the provider said", llm.Usage{TokensIn: 500_000}, nil, cent},
		{"more than was held", llm.Usage{TokensIn: 2_000_000}, nil, 4 * cent},
		{"all it could where the provider said nothing", llm.Usage{}, nil, 2 * cent},
		{"nothing where the provider refused", llm.Usage{}, away, 0},
		{"all it could where the answer was lost", llm.Usage{}, llm.Spent(away), 2 * cent},
		{"what a useless answer cost", llm.Usage{TokensIn: 500_000}, away, cent},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPurse(t, 100*cent, budget.Reject)
			var within budget.Cost
			err := p.Spend(p.ctx, million, func(context.Context) (llm.Usage, error) {
				_, within = p.books()
				return c.used, c.err
			})
			used, held := p.books()
			if !errors.Is(err, c.err) || within != 2*cent || used != c.want || held != 0 {
				t.Errorf("got %v; held %v during the call; booked %v, want %v; held %v after it", err, within, used, c.want, held)
			}
		})
	}
}

func TestTheGuardRefusesBeforeTheCall(t *testing.T) {
	t.Parallel()
	called := func(context.Context) (llm.Usage, error) {
		t.Error("the provider was called")
		return llm.Usage{}, nil
	}
	for then, rejected := range map[budget.Exhaustion]bool{budget.Reject: true, budget.Degrade: false} {
		p := newPurse(t, cent, then)
		err := p.Spend(p.ctx, million, called)
		var exceeded *budget.ExceededError
		if fault.KindOf(err) != fault.OverBudget || !errors.As(err, &exceeded) || llm.Rejected(err) != rejected {
			t.Errorf("%s: got %v, rejected %t", then, err, llm.Rejected(err))
		}
	}
	p := newPurse(t, cent, budget.Reject)
	if err := p.Spend(t.Context(), million, called); fault.KindOf(err) != fault.Internal {
		t.Errorf("without a payer: %v", err)
	}
	p.Ledger = faulty{Purse: p.ledger, reserve: fault.New(fault.Unavailable, "the ledger is away")}
	if err := p.Spend(p.ctx, million, called); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("without a ledger: %v", err)
	}
}

func TestManyCallersNeverOverspend(t *testing.T) {
	t.Parallel()
	p := newPurse(t, 20*cent, budget.Reject) // ten calls
	var called atomic.Int32
	var running sync.WaitGroup
	for range 100 {
		running.Go(func() {
			_ = p.Spend(p.ctx, million, func(context.Context) (llm.Usage, error) {
				called.Add(1)
				return million.Most, nil
			})
		})
	}
	running.Wait()
	if used, held := p.books(); called.Load() != 10 || used != 20*cent || held != 0 {
		t.Errorf("%d calls, %v booked, %v held", called.Load(), used, held)
	}
}

func TestACallIsBookedWhenItsCallerHasLeft(t *testing.T) {
	t.Parallel()
	p := newPurse(t, 100*cent, budget.Reject)
	ctx, leave := context.WithCancel(p.ctx)
	err := p.Spend(ctx, million, func(ctx context.Context) (llm.Usage, error) {
		leave()
		return llm.Usage{}, llm.Spent(ctx.Err())
	})
	if used, held := p.books(); fault.KindOf(err) != fault.Cancelled || used != 2*cent || held != 0 {
		t.Errorf("got %v, booked %v, held %v", err, used, held)
	}
}

func TestACallThatPanicsIsBooked(t *testing.T) {
	t.Parallel()
	p := newPurse(t, 100*cent, budget.Reject)
	func() {
		defer func() { _ = recover() }()
		_ = p.Spend(p.ctx, million, func(context.Context) (llm.Usage, error) { panic("adapter") })
	}()
	if used, held := p.books(); used != 2*cent || held != 0 {
		t.Errorf("booked %v, held %v", used, held)
	}
}

func TestAHoldOutlivesItsCall(t *testing.T) {
	t.Parallel()
	for within, want := range map[time.Duration]time.Duration{0: budget.DefaultTTL, 10 * time.Second: 70 * time.Second, 100 * time.Hour: budget.MaxTTL} {
		synctest.Test(t, func(t *testing.T) {
			var asked budget.Request
			g := budget.Guard{Ledger: faulty{asked: &asked, reserve: fault.New(fault.Unavailable, "enough")}}
			ctx := llm.WithPayer(t.Context(), payer)
			if within > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, within)
				defer cancel()
			}
			_ = g.Spend(ctx, million, nil)
			if want := (budget.Request{Operation: "embeddings", Provider: "openai", Model: "text-embedding-3-small", TokensIn: 1_000_000, TTL: want}); !reflect.DeepEqual(asked, want) {
				t.Errorf("asked for %+v, want %+v", asked, want)
			}
		})
	}
}

func TestASettlementIsTriedAgainAndAtLastLogged(t *testing.T) {
	t.Parallel()
	away := fault.New(fault.Unavailable, "the ledger is away")
	for _, c := range []struct {
		name     string
		failures []error
		settled  bool
		tries    int
	}{
		{"away once", []error{away}, true, 2},
		{"away for ever", []error{away, away, away, away}, false, 3},
		{"refused", []error{fault.New(fault.Conflict, "settled with other numbers")}, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPurse(t, 100*cent, budget.Reject)
				var log strings.Builder
				f := faulty{Purse: p.ledger, settle: c.failures, tries: new(int)}
				p.Guard.Ledger, p.Log = f, slog.New(slog.NewTextHandler(&log, nil))
				err := p.Spend(p.ctx, million, func(context.Context) (llm.Usage, error) { return million.Most, nil })
				if err != nil {
					t.Errorf("the call was paid for and its answer withheld: %v", err)
				}
				used, held := p.books()
				if settled := used == 2*cent && held == 0; settled != c.settled || *f.tries != c.tries || strings.Contains(log.String(), "could not be booked") == c.settled {
					t.Errorf("booked %v, held %v after %d tries; log: %s", used, held, *f.tries, log.String())
				}
			})
		})
	}
}

// faulty is a ledger that fails.
type faulty struct {
	budget.Purse
	asked   *budget.Request
	reserve error
	settle  []error
	tries   *int
}

func (f faulty) Reserve(ctx context.Context, scope memory.Scope, r budget.Request) (budget.Reservation, error) {
	if f.asked != nil {
		*f.asked = r
	}
	if f.reserve != nil {
		return budget.Reservation{}, f.reserve
	}
	return f.Purse.Reserve(ctx, scope, r)
}

func (f faulty) Settle(ctx context.Context, scope memory.Scope, id memory.ID, s budget.Settle) (budget.Reservation, error) {
	*f.tries++
	if *f.tries <= len(f.settle) {
		return budget.Reservation{}, f.settle[*f.tries-1]
	}
	return f.Purse.Settle(ctx, scope, id, s)
}

func TestWhoAsksIsToldWhatCallsCameTo(t *testing.T) {
	t.Parallel()
	p := newPurse(t, 100*cent, budget.Reject)
	ctx, tally := llm.WithTally(p.ctx)
	away := fault.New(fault.Unavailable, "away")
	for _, c := range []struct {
		used llm.Usage
		err  error
	}{{llm.Usage{TokensIn: 500_000}, nil}, {llm.Usage{}, away}, {llm.Usage{}, llm.Spent(away)}} {
		if err := p.Spend(ctx, million, func(context.Context) (llm.Usage, error) { return c.used, c.err }); !errors.Is(err, c.err) {
			t.Fatal(err)
		}
	}
	dear := million
	dear.Most.TokensIn = 1_000_000_000_000
	if err := p.Spend(ctx, dear, nil); fault.KindOf(err) != fault.OverBudget {
		t.Fatal(err)
	}
	used, _ := p.books()
	if want := (llm.Bill{Calls: 3, TokensIn: 1_500_000, NanoUSD: int64(3 * cent)}); tally.Sum() != want || used != 3*cent {
		t.Errorf("summed %+v, want %+v; booked %v", tally.Sum(), want, used)
	}
	if llm.TallyOf(p.ctx) != nil {
		t.Error("who does not ask is told")
	}
}
