package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
)

// caller calls a ledger and writes down what it calls and hears.
type caller struct {
	name   string // of the process
	ledger budget.Ledger
	log    *log
	calls  atomic.Int64
}

// call makes the call that o describes, and completes o.
func (c *caller) call(ctx context.Context, o *Op) error {
	o.Name = fmt.Sprintf("%s-%d", c.name, c.calls.Add(1))
	o.Call = time.Now().UnixNano()
	if err := c.log.write(entry{Call: o}); err != nil {
		return err
	}
	o.Answer = c.make(ctx, o)
	o.Return = time.Now().UnixNano()
	return c.log.write(entry{Name: o.Name, Return: o.Return, Answer: &o.Answer})
}

func (c *caller) make(ctx context.Context, o *Op) Answer {
	switch o.Kind {
	case Reserve:
		r, err := c.ledger.Reserve(ctx, o.Scope, budget.Request{
			Operation: "chat", Model: o.model(), MaxCost: &o.Cost, TTL: time.Duration(o.Lease) * time.Microsecond, IdempotencyKey: o.Key,
		})
		if err != nil {
			return failed(err)
		}
		return Answer{Outcome: Granted, Reservation: r.ID, At: r.CreatedAt.UnixMicro(), Expires: r.ExpiresAt.UnixMicro()}
	case Settle:
		r, err := c.ledger.Settle(ctx, o.Scope, o.Reservation, budget.Settle{Cost: &o.Cost})
		if err != nil {
			return failed(err)
		}
		s := r.Settlement
		return Answer{Outcome: Settled, At: s.SettledAt.UnixMicro(), Late: s.Late, Overrun: s.Overrun}
	case Release:
		r, err := c.ledger.Release(ctx, o.Scope, o.Reservation)
		if err != nil {
			return failed(err)
		}
		return Answer{Outcome: Outcome(r.Status)}
	default:
		s, err := c.ledger.Current(ctx, o.Scope)
		if err != nil {
			return failed(err)
		}
		return Answer{Outcome: Told, Today: int64(s.DailyUsage), Month: int64(s.MonthlyUsage), Held: int64(s.MonthlyReserved)}
	}
}

// model is the name of the model a reserve is for. It says whose reservation a row of the database is; what shares a key
// has to ask for the same.
func (o *Op) model() string {
	if o.Key != "" {
		return o.Key
	}
	return o.Name
}

func failed(err error) Answer {
	var exceeded *budget.ExceededError
	if errors.As(err, &exceeded) {
		a := Answer{Outcome: Refused, Period: exceeded.Period, Limit: exceeded.Limit, Held: exceeded.Reserved}
		if exceeded.Period == budget.Daily {
			a.Today = exceeded.Usage
		} else {
			a.Month = exceeded.Usage
		}
		return a
	}
	a := Answer{Outcome: Broken, Error: err.Error()}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), fault.KindOf(err) == fault.Unavailable:
		a.Outcome = Unknown
	case fault.KindOf(err) == fault.Conflict:
		a.Outcome = Conflict
	case fault.KindOf(err) == fault.NotFound:
		a.Outcome = NotFound
	}
	return a
}
