package budget

import (
	"context"
	"log/slog"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ llm.Meter = (*Guard)(nil)

// Guard is the llm.Meter over a ledger: it reserves what a call can cost, makes the call, and settles what it did cost.
// What is paid for nothing is settled too: a call that was cut off is booked as if it had consumed all it could. What the
// provider refused is released. What was booked is added to the context's llm.Tally. In a dry run (llm.DryRun) it prices the call and makes none.
type Guard struct {
	Ledger    Purse
	Keeper    Keeper                       // nil: what caches spare is not written down
	Observer  Observer                     // nil: nobody is told
	RequestID func(context.Context) string // of the request a call is made for; nil: unknown
	Log       *slog.Logger                 // told when a settlement failed; nil = slog.Default()

	spared savings
}

// Purse is what a Guard needs of a ledger: to spend, and to tell in a dry run what would be spent.
type Purse interface {
	Spender
	Statements
}

const (
	holdMargin     = time.Minute     // that a hold outlives the deadline of its call: the time to settle
	settleTimeout  = 5 * time.Second // of one attempt to settle, which the end of the caller does not stop
	settleAttempts = 3
	settleWait     = 200 * time.Millisecond // before the second attempt, doubled for each further one
)

// Spend implements llm.Meter.
func (g *Guard) Spend(ctx context.Context, c llm.Call, do func(context.Context) (llm.Usage, error)) error {
	payer, known := llm.PayerOf(ctx)
	if !known {
		return fault.New(fault.Internal, "nobody was named who pays for %s by %s", c.Operation, c.Provider)
	}
	request := Request{
		Operation: c.Operation, Provider: c.Provider, Model: c.Model,
		TokensIn: int64(max(c.Most.TokensIn, 1)), MaxTokensOut: int64(c.Most.TokensOut), TTL: lease(ctx, time.Now()),
	}
	if run := llm.DryRunOf(ctx); run != nil {
		err := Quote(ctx, g.Ledger, payer, request, run)
		if !llm.IsDryRun(err) {
			run.Fail(err) // or who does without the call would be told that it costs nothing
		}
		return err
	}
	held, err := g.Ledger.Reserve(ctx, payer, request)
	if err != nil {
		outcome := NotAsked
		if fault.KindOf(err) == fault.OverBudget {
			outcome = OverBudget
		}
		g.observe().Called(payer, c, outcome, nil)
		return err
	}
	all := c.Most // where nobody says what was consumed
	all.Estimated = true
	start, returned := time.Now(), false
	defer func() {
		if !returned { // it panicked, after who knows what
			g.finish(ctx, payer, c, Failed, &held, all, start)
		}
	}()
	used, err := do(ctx)
	returned = true
	outcome := Answered
	if err != nil {
		outcome = Failed
	}
	switch {
	case used.TokensIn > 0 || used.TokensOut > 0:
	case err == nil || llm.WasSpent(err):
		used = all
	default:
		used = llm.Usage{}
	}
	g.finish(ctx, payer, c, outcome, &held, used, start)
	return err
}

// lease is how long a hold must last for a call with the deadline of ctx, in whole seconds.
func lease(ctx context.Context, now time.Time) time.Duration {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		return DefaultTTL
	}
	return min(max((deadline.Sub(now)+holdMargin).Round(time.Second), MinTTL), MaxTTL)
}

// finish settles what was used, or releases the hold where that is nothing. It goes on after the caller has left, because
// the money is spent. What cannot be booked is logged; its hold counts until the lease ends.
func (g *Guard) finish(ctx context.Context, payer memory.Scope, c llm.Call, o Outcome, held *Reservation, used llm.Usage, start time.Time) {
	took := time.Since(start)
	ctx = context.WithoutCancel(ctx)
	var ended Reservation
	var err error
	for attempt, wait := 1, settleWait; ; attempt, wait = attempt+1, 2*wait {
		if ended, err = g.end(ctx, payer, held, used, took); err == nil || !mayPass(err) || attempt == settleAttempts {
			break
		}
		<-time.After(wait)
	}
	if err != nil {
		o = Unbooked
		g.log().ErrorContext(ctx, "what a call cost could not be booked", "reservation", held.ID, "operation", held.Operation, "provider", held.Provider,
			"model", held.Model, "tokens_in", used.TokensIn, "tokens_out", used.TokensOut, "err", err)
	}
	bill := llm.Bill{Calls: 1, TokensIn: used.TokensIn, TokensOut: used.TokensOut}
	if ended.Settlement != nil {
		bill.NanoUSD = int64(ended.Settlement.Cost)
	}
	llm.TallyOf(ctx).Add(bill)
	g.observe().Called(payer, c, o, ended.Settlement)
	g.writeDue(ctx)
}

func (g *Guard) end(ctx context.Context, payer memory.Scope, held *Reservation, used llm.Usage, took time.Duration) (Reservation, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if used.TokensIn == 0 && used.TokensOut == 0 {
		return g.Ledger.Release(ctx, payer, held.ID)
	}
	return g.Ledger.Settle(ctx, payer, held.ID, Settle{
		TokensIn: int64(used.TokensIn), TokensOut: int64(used.TokensOut), CachedTokens: int64(min(used.CachedTokens, used.TokensIn)),
		Latency: min(max(took, 0), MaxLatency), Estimated: used.Estimated, RequestID: g.requestID(ctx),
	})
}

// mayPass reports whether the ledger may take later what it did not take now.
func mayPass(err error) bool {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Timeout, fault.RateLimited:
		return true
	}
	return false
}

func (g *Guard) log() *slog.Logger {
	if g.Log != nil {
		return g.Log
	}
	return slog.Default()
}

func (g *Guard) observe() Observer {
	if g.Observer != nil {
		return g.Observer
	}
	return unobserved{}
}

func (g *Guard) requestID(ctx context.Context) string {
	if g.RequestID == nil {
		return ""
	}
	id := g.RequestID(ctx)
	if checkRequestID("", id) != nil {
		return "" // a call that was made is booked, whoever caused it
	}
	return id
}
