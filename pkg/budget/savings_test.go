package budget_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// keeper is the keeper of a ledger, counting, and failing as it is told to.
type keeper struct {
	budget.Keeper
	mu    sync.Mutex
	calls int
	lose  []error // of the first calls: they are written down, and the answer is lost
}

func (k *keeper) Save(ctx context.Context, scope memory.Scope, s []budget.Saving) ([]budget.Line, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls++
	lines, err := k.Keeper.Save(ctx, scope, s)
	if k.calls <= len(k.lose) && k.lose[k.calls-1] != nil {
		return nil, k.lose[k.calls-1]
	}
	return lines, err
}

// saver is a guard that writes savings down in a ledger of its own.
func saver(t *testing.T, lose ...error) (*budget.Guard, *keeper, budget.Ledger) {
	t.Helper()
	ledger := inmem.NewLedger(inmem.New(inmem.Options{}), budget.Policy{})
	k := &keeper{Keeper: ledger, lose: lose}
	return &budget.Guard{Ledger: ledger, Keeper: k, Log: slog.New(slog.DiscardHandler)}, k, ledger
}

func spared(t *testing.T, l budget.Ledger, payer memory.Scope) (hits, tokens int64, saved budget.Cost) {
	t.Helper()
	report, err := l.Costs(context.WithoutCancel(t.Context()), payer, budget.CostQuery{})
	if err != nil {
		t.Fatal(err)
	}
	return report.Total.CacheHits, report.Total.SavedTokens, report.Total.Saved
}

func TestSavingsAreWrittenDownTogetherAndNotWhileAnybodyWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, k, ledger := saver(t)
		ctx := llm.WithPayer(t.Context(), payer)
		for range 1000 {
			g.Saved(ctx, million, 1)
		}
		g.Saved(ctx, million, 0) // a call that was made for less
		synctest.Wait()
		if k.calls != 0 {
			t.Errorf("%d writes within the minute", k.calls)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if k.calls != 0 {
			t.Errorf("%d writes by themselves: a function that sleeps would be woken", k.calls)
		}
		g.Saved(ctx, million, 1)
		synctest.Wait()
		hits, tokens, saved := spared(t, ledger, payer)
		if k.calls != 1 || hits != 1001 || tokens != 1_002_000_000 || saved != 1002*2*cent {
			t.Errorf("after the next hit: %d writes, %d hits, %d tokens, %v", k.calls, hits, tokens, saved)
		}
		time.Sleep(time.Minute)
		g.Saved(ctx, million, 1)
		time.Sleep(time.Minute)
		if err := g.Spend(ctx, million, func(context.Context) (llm.Usage, error) { return million.Most, nil }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if hits, _, _ := spared(t, ledger, payer); k.calls != 2 || hits != 1002 {
			t.Errorf("after the next call: %d writes, %d hits", k.calls, hits)
		}
	})
}

func TestClosingWritesDownWhatIsNoted(t *testing.T) {
	t.Parallel()
	g, k, ledger := saver(t)
	id := "req-1"
	g.RequestID = func(context.Context) string { return id }
	other := memory.Scope{Tenant: "other", Project: "p"}
	g.Saved(llm.WithPayer(t.Context(), payer), million, 1)
	g.Saved(llm.WithPayer(t.Context(), other), million, 1)
	id = "req-2"
	g.Saved(llm.WithPayer(t.Context(), other), million, 1)
	g.Saved(t.Context(), million, 1) // for nobody
	for range 2 {
		if err := g.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mine, _, _ := spared(t, ledger, payer)
	theirs, _, _ := spared(t, ledger, other)
	if mine != 1 || theirs != 2 || k.calls != 2 {
		t.Errorf("%d and %d hits in %d writes", mine, theirs, k.calls)
	}
	for scope, want := range map[memory.Scope]string{payer: "req-1", other: ""} { // "": it was more than one
		page, err := ledger.Calls(t.Context(), scope, budget.CallQuery{})
		if err != nil || len(page.Calls) != 1 || page.Calls[0].RequestID != want {
			t.Errorf("%s: got %+v, %v; want request %q", scope, page, err, want)
		}
	}
}

func TestSavingsThatCouldNotBeWrittenDownAreToldAgainAndCountOnce(t *testing.T) {
	t.Parallel()
	away := fault.New(fault.Unavailable, "the answer was lost")
	synctest.Test(t, func(t *testing.T) {
		g, _, ledger := saver(t, away)
		ctx := llm.WithPayer(t.Context(), payer)
		g.Saved(ctx, million, 1)
		if err := g.Close(t.Context()); !errors.Is(err, away) {
			t.Errorf("closing tells %v", err)
		}
		g.Saved(ctx, million, 1) // must not be added to the one that may have been written down
		if err := g.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if hits, _, _ := spared(t, ledger, payer); hits != 2 {
			t.Errorf("%d hits, want 2", hits)
		}
	})
}

func TestWhatIsNotedOfSavingsIsBoundedAndItsLossLogged(t *testing.T) {
	t.Parallel()
	const payers, room = 1500, 1000
	away := fault.New(fault.Unavailable, "away")
	g, _, ledger := saver(t)
	g.Keeper = &keeper{Keeper: nowhere{away}}
	var log strings.Builder
	g.Log = slog.New(slog.NewTextHandler(&log, nil))
	scope := func(i int) memory.Scope { return memory.Scope{Tenant: fmt.Sprintf("t%d", i), Project: "p"} }
	for i := range payers {
		g.Saved(llm.WithPayer(t.Context(), scope(i)), million, 1)
	}
	_ = g.Close(t.Context()) // which is away
	g.Keeper = ledger
	if err := g.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var kept int64
	for i := range payers {
		hits, _, _ := spared(t, ledger, scope(i))
		kept += hits
	}
	if kept < room || kept >= payers || !strings.Contains(log.String(), "lost=") {
		t.Errorf("%d of %d were kept; log: %s", kept, payers, log.String())
	}
}

// nowhere is a keeper that is away.
type nowhere struct{ err error }

func (n nowhere) Save(context.Context, memory.Scope, []budget.Saving) ([]budget.Line, error) {
	return nil, n.err
}

// witness counts what it is told.
type witness struct {
	mu     sync.Mutex
	called []string
	saved  atomic.Int64
}

func (w *witness) Called(payer memory.Scope, c llm.Call, o budget.Outcome, booked *budget.Settlement) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := payer.String() + " " + c.Model + " " + string(o)
	if booked != nil {
		text += " " + booked.Cost.String()
	}
	w.called = append(w.called, text)
}

func (w *witness) Saved(_ memory.Scope, l *budget.Line) { w.saved.Add(int64(l.Saved)) }

func TestAnObserverIsToldOfEveryCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := fault.New(fault.Unavailable, "away")
		w := &witness{}
		p := newPurse(t, 7*cent, budget.Reject)
		p.Observer, p.Keeper = w, p.ledger
		_ = p.Spend(p.ctx, million, func(context.Context) (llm.Usage, error) { return llm.Usage{TokensIn: 500_000}, nil })
		_ = p.Spend(p.ctx, million, func(context.Context) (llm.Usage, error) { return llm.Usage{}, away })
		_ = p.Spend(p.ctx, million, func(context.Context) (llm.Usage, error) { return llm.Usage{}, llm.Spent(away) })
		ledger := p.Ledger
		p.Ledger = faulty{Purse: ledger, settle: []error{away, away, away}, tries: new(int)}
		_ = p.Spend(p.ctx, million, func(context.Context) (llm.Usage, error) { return million.Most, nil })
		p.Ledger = faulty{Purse: ledger, reserve: away}
		_ = p.Spend(p.ctx, million, nil)
		p.Ledger = ledger
		dear := million
		dear.Most.TokensIn *= 100
		_ = p.Spend(p.ctx, dear, nil)
		p.Saved(p.ctx, million, 1)
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		const of = "acme/p text-embedding-3-small "
		want := []string{of + "ok 0.01", of + "failed", of + "failed 0.02", of + "unbooked", of + "not_asked", of + "over_budget"}
		if fmt.Sprint(w.called) != fmt.Sprint(want) || w.saved.Load() != int64(2*cent) {
			t.Errorf("got  %q, %d saved\nwant %q", w.called, w.saved.Load(), want)
		}
	})
}

func TestTheGuardTellsTheLogWhatItKnowsOfACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPurse(t, 100*cent, budget.Reject)
		id := "req-1"
		p.RequestID = func(context.Context) string { return id }
		type told struct {
			latency   int64
			estimated bool
			request   string
		}
		var want []told
		for _, c := range []struct {
			used  llm.Usage
			id    string
			after time.Duration
			want  told
		}{
			{llm.Usage{TokensIn: 1}, "req-1", 1200 * time.Millisecond, told{1200, false, "req-1"}},
			{llm.Usage{TokensIn: 1, Estimated: true}, "req-2", 300 * time.Microsecond, told{1, true, "req-2"}},
			{llm.Usage{}, "not an id", 0, told{0, true, ""}}, // the provider said nothing
		} {
			id = c.id
			if err := p.Spend(p.ctx, million, func(context.Context) (llm.Usage, error) {
				time.Sleep(c.after) // of synctest's clock
				return c.used, nil
			}); err != nil {
				t.Fatal(err)
			}
			want = append([]told{c.want}, want...)
			time.Sleep(time.Second)
		}
		page, err := p.ledger.Calls(t.Context(), payer, budget.CallQuery{})
		if err != nil {
			t.Fatal(err)
		}
		var got []told
		for _, l := range page.Calls {
			got = append(got, told{l.LatencyMS, l.Estimated, l.RequestID})
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
