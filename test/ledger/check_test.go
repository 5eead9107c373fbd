package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/test/ledger"
)

// noon is when the histories below begin. What they count are milliseconds.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func micros(ms int64) int64 { return noon.UnixMicro() + ms*1000 }

// during gives a call its times, in milliseconds after noon; one that ends at -1 never did.
func during(call, end int64, o ledger.Op) ledger.Op {
	o.Scope = memory.Scope{Tenant: "acme", Project: "default"}
	o.Name = fmt.Sprintf("%d-%d", call, end)
	o.Call, o.Return = micros(call)*1000, micros(end)*1000
	if end < 0 {
		o.Return = ledger.Never
	}
	return o
}

// reserve asks for a cost and is granted it at a time, for a lease in milliseconds.
func reserve(id memory.ID, cost budget.Cost, at, lease int64) ledger.Op {
	return ledger.Op{Kind: ledger.Reserve, Cost: cost, Lease: lease * 1000, Answer: ledger.Answer{
		Outcome: ledger.Granted, Reservation: id, At: micros(at), Expires: micros(at + lease),
	}}
}

func underKey(key string, o ledger.Op) ledger.Op {
	o.Key = key
	return o
}

func refused(cost budget.Cost, used, held int64) ledger.Op {
	return ledger.Op{Kind: ledger.Reserve, Cost: cost, Lease: 60_000_000, Answer: ledger.Answer{
		Outcome: ledger.Refused, Period: budget.Monthly, Limit: 100, Month: used, Held: held,
	}}
}

func settle(id memory.ID, cost budget.Cost, at int64) ledger.Op {
	return ledger.Op{Kind: ledger.Settle, Reservation: id, Cost: cost, Answer: ledger.Answer{Outcome: ledger.Settled, At: micros(at)}}
}

func over(by budget.Cost, late bool, o ledger.Op) ledger.Op {
	o.Answer.Overrun, o.Answer.Late = by, late
	return o
}

func release(id memory.ID, outcome ledger.Outcome) ledger.Op {
	return ledger.Op{Kind: ledger.Release, Reservation: id, Answer: ledger.Answer{Outcome: outcome}}
}

func told(used, held int64) ledger.Op {
	return ledger.Op{Kind: ledger.Current, Answer: ledger.Answer{Outcome: ledger.Told, Today: used, Month: used, Held: held}}
}

func toldOf(today, month, held int64) ledger.Op {
	o := told(month, held)
	o.Answer.Today = today
	return o
}

const minute = 60_000

// histories are of a budget of 100 a month; those that are wrong say what is wrong with them.
var histories = []struct {
	what  string
	right bool
	ops   []ledger.Op
}{
	{"nothing happened", true, nil},
	{"reserved, settled, read", true, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, settle("a", 50, 4)), during(6, 7, told(50, 0)),
	}},
	{"at the limit", true, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, reserve("b", 40, 4, minute)), during(6, 7, refused(1, 0, 100)),
	}},
	{"one over the limit", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, reserve("b", 41, 4, minute)),
	}},
	{"two at once, together over the limit", false, []ledger.Op{
		during(0, 9, reserve("a", 60, 5, minute)), during(0, 9, reserve("b", 60, 5, minute)),
	}},
	{"what is spent counts against the limit", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, settle("a", 60, 4)), during(6, 8, reserve("b", 60, 7, minute)),
	}},
	{"refused although it fits", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, refused(40, 0, 60)),
	}},
	{"refused for what is held at the time", true, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 9, refused(41, 0, 60)), during(4, 8, settle("a", 1, 6)), during(10, 11, told(1, 0)),
	}},
	{"refused for what was given back before it was asked", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, release("a", ledger.Released)), during(6, 8, refused(41, 0, 60)),
	}},
	{"refused with sums that never were", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 9, refused(41, 0, 61)),
	}},
	{"a settlement is lost", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, settle("a", 50, 4)), during(6, 7, told(0, 0)),
	}},
	{"a settlement keeps its hold", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, settle("a", 50, 4)), during(6, 7, told(50, 60)),
	}},
	{"a settlement that is repeated is booked once", true, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, settle("a", 50, 4)), during(6, 8, settle("a", 50, 4)), during(9, 10, told(50, 0)),
	}},
	{"a settlement that is repeated is booked twice", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, settle("a", 50, 4)), during(6, 8, settle("a", 50, 4)), during(9, 10, told(100, 0)),
	}},
	{"settled again, later", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, settle("a", 50, 4)), during(6, 8, settle("a", 50, 7)), during(9, 10, told(50, 0)),
	}},
	{"settled with two numbers", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, settle("a", 50, 4)), during(6, 8, settle("a", 49, 7)),
	}},
	{"settled with other numbers is a conflict", true, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, settle("a", 50, 4)),
		during(6, 8, ledger.Op{Kind: ledger.Settle, Reservation: "a", Cost: 49, Answer: ledger.Answer{Outcome: ledger.Conflict}}),
		during(6, 8, release("a", ledger.Conflict)), during(9, 10, told(50, 0)),
	}},
	{"a conflict with nothing", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)),
		during(3, 5, ledger.Op{Kind: ledger.Settle, Reservation: "a", Cost: 49, Answer: ledger.Answer{Outcome: ledger.Conflict}}),
	}},
	{"settled and released", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 9, settle("a", 50, 4)), during(3, 9, release("a", ledger.Released)),
	}},
	{"a reservation that was granted is not found", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, release("a", ledger.NotFound)),
	}},
	{"nobody's reservation is not found", true, []ledger.Op{during(3, 5, release("a", ledger.NotFound))}},
	{"more than was held is an overrun, booked in full, and blocks the next", true, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, over(70, false, settle("a", 130, 4))), during(6, 8, refused(1, 130, 0)),
	}},
	{"an overrun is not told", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, settle("a", 130, 4)),
	}},
	{"the end of a lease gives back", true, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, 1000)), during(1002, 1005, reserve("b", 60, 1003, minute)), during(1006, 1008, release("a", ledger.Expired)),
		during(1009, 1010, told(0, 60)),
	}},
	{"given back before its lease has ended", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, 1000)), during(999, 1005, reserve("b", 60, 1000, minute)),
	}},
	{"the end of a lease gives nothing back", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, 1000)), during(3, 5, reserve("b", 1, 4, minute)), during(1002, 1004, reserve("c", 1, 1003, minute)),
		during(1006, 1007, told(0, 62)),
	}},
	{"seen while its lease ends", true, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, 1000)), during(990, 1010, told(0, 0)), during(990, 1010, told(0, 60)),
	}},
	{"settled late is booked, and all of it an overrun", true, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, 1000)), during(1002, 1005, reserve("b", 60, 1003, minute)),
		during(1006, 1008, over(50, true, settle("a", 50, 1007))), during(1009, 1010, told(50, 60)),
	}},
	{"settled late without a word", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, 1000)), during(1006, 1008, settle("a", 50, 1007)),
	}},
	{"settled late takes a hold that is not there any more", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, 1000)), during(1002, 1005, reserve("b", 60, 1003, minute)),
		during(1006, 1008, over(50, true, settle("a", 50, 1007))), during(1009, 1010, told(50, 0)),
	}},
	{"a key that is repeated", true, []ledger.Op{
		during(0, 2, underKey("k", reserve("a", 60, 1, minute))), during(3, 5, underKey("k", reserve("a", 60, 1, minute))), during(6, 7, told(0, 60)),
	}},
	{"a key that is repeated holds twice", false, []ledger.Op{
		during(0, 2, underKey("k", reserve("a", 50, 1, minute))), during(3, 5, underKey("k", reserve("b", 50, 4, minute))), during(6, 7, told(0, 100)),
	}},
	{"one reservation for two requests", false, []ledger.Op{
		during(0, 2, reserve("a", 50, 1, minute)), during(3, 5, reserve("a", 50, 1, minute)),
	}},
	{"cut off, and it happened later", true, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, -1, settle("a", 50, 9)), during(4, 5, told(0, 60)), during(10, 11, told(50, 0)),
	}},
	{"cut off, and it happened by half", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, -1, settle("a", 50, 9)), during(4, 5, told(0, 0)), during(10, 11, told(50, 0)),
	}},
	{"a later reader sees an older state", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 20, settle("a", 50, 10)), during(4, 12, told(50, 0)), during(13, 14, told(0, 60)),
	}},
	{"the ledger's clock is ahead of its callers'", false, []ledger.Op{during(0, 2, reserve("a", 60, 3, minute))}},
	{"the ledger's clock goes back", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(5, 6, settle("a", 50, 5)), during(7, 8, reserve("b", 10, 4, minute)),
	}},
	{"a day ends, and what was spent on it counts for the month", true, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, settle("a", 50, 4)), during(12*60*minute, 12*60*minute+2, toldOf(0, 50, 0)),
	}},
	{"a day ends, and what was spent on it is lost", false, []ledger.Op{
		during(0, 2, reserve("a", 60, 1, minute)), during(3, 5, settle("a", 50, 4)), during(12*60*minute, 12*60*minute+2, toldOf(0, 0, 0)),
	}},
}

func TestTheCheckerKnowsRightFromWrong(t *testing.T) {
	t.Parallel()
	for _, h := range histories {
		t.Run(h.what, func(t *testing.T) {
			t.Parallel()
			limit := budget.Cost(100)
			history := &ledger.History{Limits: budget.Limits{Monthly: &limit}, Ops: h.ops}
			if _, err := history.Linearizable(1_000_000); (err == nil) != h.right {
				t.Errorf("right %v, and the search says %v", h.right, err)
			}
			if got := history.Porcupine(0); (got == porcupine.Ok) != h.right {
				t.Errorf("right %v, and porcupine says %v", h.right, got)
			}
		})
	}
}

// A hint is only where the search begins.
func TestAWrongHintHidesNothing(t *testing.T) {
	t.Parallel()
	limit := budget.Cost(100)
	ops := []ledger.Op{during(0, 9, reserve("a", 60, 3, minute)), during(0, 9, reserve("b", 30, 4, minute))}
	backwards := []ledger.Change{{Reservation: "b", Outcome: ledger.Granted}, {Reservation: "a", Outcome: ledger.Granted}}
	right := &ledger.History{Limits: budget.Limits{Monthly: &limit}, Ops: ops, Order: backwards}
	if way, err := right.Linearizable(1000); way != ledger.Searched || err != nil {
		t.Errorf("got %q, %v", way, err)
	}
	wrong := &ledger.History{Limits: budget.Limits{Monthly: &limit}, Ops: append(ops, during(10, 11, told(0, 60))), Order: backwards}
	if way, err := wrong.Linearizable(1000); err == nil {
		t.Errorf("got %q", way)
	}
}

func TestABudgetIsBoundByWhatMayBeOverrun(t *testing.T) {
	t.Parallel()
	limit := budget.Cost(100)
	ops := []ledger.Op{during(0, 2, reserve("a", 100, 1, minute)), during(3, 5, over(30, false, settle("a", 130, 4)))}
	for used, right := range map[int64]bool{100: true, 130: true, 131: false} {
		h := &ledger.History{Limits: budget.Limits{Monthly: &limit}, Ops: append(ops[:2:2], during(6, 7, told(used, 0)))}
		if err := h.Bound(); (err == nil) != right {
			t.Errorf("%d used: %v", used, err)
		}
	}
	early := &ledger.History{Limits: budget.Limits{Monthly: &limit}, Ops: append(ops[:2:2], during(1, 2, told(130, 0)))}
	if err := early.Bound(); err == nil {
		t.Error("130 used before an overrun was settled is within the bound")
	}
}
