package ledger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
)

// Where a process is when it is killed.
const (
	afterReserve = "after reserve" // it holds, and waits
	inReserve    = "in reserve"    // it reserves for the second time, perhaps
	inSettle     = "in settle"     // it settles, perhaps
)

// KillReport is what Kills did.
type KillReport struct {
	Kills    int
	Where    map[string]int
	Held     int // reservations that were held when their process was killed
	Settled  int // that were settled, by a process that heard of it or not
	CameBack int // that came back when their lease ended
	Billed   int // that a successor settled within their lease
}

func (r *KillReport) String() string {
	return fmt.Sprintf("%d kills (%s %d, %s %d, %s %d): %d reservations left held, of which %d were billed by a successor and %d came back with their lease; %d settled by the one killed",
		r.Kills, afterReserve, r.Where[afterReserve], inReserve, r.Where[inReserve], inSettle, r.Where[inSettle], r.Held, r.Billed, r.CameBack, r.Settled)
}

// Kills ends so many processes between reserve and settle, each with a budget of its own that its hold nearly uses up, and
// checks that the hold counts as long as its lease lasts and no longer, that it is settled or comes back, and that no
// money is made or lost by it. The database at the URL is as in Options.
func Kills(ctx context.Context, url, dir string, seed uint64, kills int) (*KillReport, error) {
	if err := keepJournal(ctx, url); err != nil {
		return nil, err
	}
	db, err := postgres.Open(url, postgres.Options{})
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // never fails
	file, err := os.Create(filepath.Join(dir, "survivor"))
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // read again, by name
	k := &killer{
		url: url, dir: dir, random: rand.New(rand.NewPCG(seed, 2)), report: &KillReport{Where: map[string]int{}},
		caller: &caller{name: "survivor", ledger: postgres.NewLedger(db, budget.Policy{}), log: &log{file: file}},
	}
	for i := range kills {
		if err := k.round(ctx, i); err != nil {
			return k.report, fmt.Errorf("kill %d: %w", i, err)
		}
	}
	return k.report, k.check(ctx)
}

type killer struct {
	*caller
	url, dir  string
	random    *rand.Rand
	report    *KillReport
	histories []*History
}

// What the budgets of killed processes are: one hold uses one up.
const (
	killLimit = 1_000_000_000
	killCost  = 700_000_001 // what a survivor settles for; who is killed would have settled for one less
	killLease = time.Minute
)

// round kills one process, and looks at its budget before its lease has ended.
func (k *killer) round(ctx context.Context, i int) error {
	scope := memory.Scope{Tenant: fmt.Sprintf("killed-%d", i), Project: "default"}
	limit := budget.Cost(killLimit)
	limits := budget.Limits{Monthly: &limit}
	if _, err := k.ledger.PutLimits(ctx, scope, limits); err != nil {
		return err
	}
	where := []string{afterReserve, inReserve, inSettle}[i%3]
	p, err := start(assignment{Name: scope.Tenant, URL: k.url, Log: filepath.Join(k.dir, scope.Tenant), Stop: where})
	if err != nil {
		return err
	}
	_, err = bufio.NewReader(p.stdout).ReadString('\n') // it is there
	if where != afterReserve {
		<-time.After(time.Duration(k.random.Int64N(int64(15 * time.Millisecond))))
	}
	if err := errors.Join(err, p.kill()); err != nil {
		return err
	}
	k.report.Kills++
	k.report.Where[where]++
	h := &History{Scope: scope, Limits: limits}
	if h.Ops, err = readLog(p.Log); err != nil {
		return err
	}
	k.histories = append(k.histories, h)
	return k.survive(ctx, h, i)
}

// survive makes the calls of those who were not killed: one that the hold is in the way of, and every other time the
// settlement that the process did not come to.
func (k *killer) survive(ctx context.Context, h *History, i int) error {
	calls := []Op{
		{Kind: Current, Scope: h.Scope},
		{Kind: Reserve, Scope: h.Scope, Cost: killLimit - killCost + 1, Lease: killLease.Microseconds()},
	}
	for _, o := range h.Ops {
		if i%2 == 0 && o.Answer.Outcome == Granted {
			calls = append(calls, Op{Kind: Settle, Scope: h.Scope, Reservation: o.Answer.Reservation, Cost: killCost})
		}
	}
	for _, o := range append(calls, Op{Kind: Current, Scope: h.Scope}) {
		if err := k.call(ctx, &o); err != nil {
			return err
		}
		h.Ops = append(h.Ops, o)
		if o.Answer.Outcome == Broken || o.Answer.Outcome == Unknown {
			return errors.New(o.String())
		}
	}
	return nil
}

// check holds all budgets to what a run's are held to, and then lets every lease end.
func (k *killer) check(ctx context.Context) error {
	rows, err := readRows(ctx, k.url)
	if err != nil {
		return err
	}
	for _, h := range k.histories {
		k.count(rows[h.Scope])
	}
	rows, err = Audit(ctx, k.url, k.histories)
	if rows == nil {
		return err
	}
	errs := []error{err}
	for _, h := range k.histories {
		h.Resolve(rows[h.Scope])
		_, err := h.Linearizable(1_000_000)
		errs = append(errs, err, h.Bound())
	}
	return firstOf(errors.Join(append(errs, k.spendAgain(ctx))...))
}

// count adds to the report what became of a killed process' reservations.
func (k *killer) count(rows *Rows) {
	if rows == nil {
		return // killed before it had reserved
	}
	for _, row := range rows.Reservations {
		switch {
		case row.Cost != killCost: // the survivor's
		case row.Settlement == nil:
			k.report.Held++
			k.report.CameBack++
		case row.Settlement.Cost == killCost:
			k.report.Held++
			k.report.Billed++
		default:
			k.report.Settled++
		}
	}
}

// spendAgain reserves, when every lease has ended, all that is not spent: it must be there, to the last nano-dollar.
func (k *killer) spendAgain(ctx context.Context) error {
	later := time.Now().Add(budget.MaxTTL)
	db, err := postgres.Open(k.url, postgres.Options{Clock: func() time.Time { return later }})
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // never fails
	ledger := postgres.NewLedger(db, budget.Policy{})
	for _, h := range k.histories {
		status, err := ledger.Current(ctx, h.Scope)
		if err != nil {
			return err
		}
		rest := killLimit - status.MonthlyUsage
		r, err := ledger.Reserve(ctx, h.Scope, budget.Request{Operation: "chat", Model: "m", MaxCost: &rest})
		if err != nil {
			return fmt.Errorf("%s: %d are not spent and every lease has ended: %w", h.Scope, rest, err)
		}
		if _, err := ledger.Release(ctx, h.Scope, r.ID); err != nil {
			return err
		}
	}
	return nil
}

// waitToBeKilled does what comes before the place where the process is to be killed, says so, and goes on.
func (a *assignment) waitToBeKilled(c *caller) error {
	ctx := context.Background()
	scope := memory.Scope{Tenant: a.Name, Project: "default"}
	reserve := Op{Kind: Reserve, Scope: scope, Cost: killCost, Lease: killLease.Microseconds()}
	if a.Stop == inReserve { // the pool is open, and the reservation not made
		if err := c.call(ctx, &Op{Kind: Current, Scope: scope}); err != nil {
			return err
		}
		fmt.Println("there")
	}
	if err := c.call(ctx, &reserve); err != nil {
		return err
	}
	if a.Stop != inReserve {
		fmt.Println("there")
	}
	if a.Stop == inSettle {
		if err := c.call(ctx, &Op{Kind: Settle, Scope: scope, Reservation: reserve.Answer.Reservation, Cost: killCost - 1}); err != nil {
			return err
		}
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}
