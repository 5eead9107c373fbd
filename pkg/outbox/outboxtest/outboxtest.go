// Package outboxtest is the contract suite of outbox.Queue: what every implementation must do, told in clauses.
package outboxtest

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Emit writes records in one committed transaction per call, in order; all of one call belong to one tenant and project.
type Emit func(ctx context.Context, records ...outbox.Record) error

// Open returns an empty queue that tells the time by clock, and the way to fill it.
type Open func(t *testing.T, clock func() time.Time) (outbox.Queue, Emit)

// Run holds the queue named by on to its contract.
func Run(t *testing.T, on string, open Open) {
	run := contract.Begin(t, "outboxtest", on)
	for _, clause := range []struct {
		name string
		run  func(*testing.T, *world)
	}{
		{"a record is handed out as it was written", handedOutAsWritten},
		{"records come oldest first, and no more than the limit", oldestFirst},
		{"an empty queue hands out nothing", emptyQueue},
		{"a claimed record is not handed out again while the lease lasts", leaseHolds},
		{"a lease that ended makes the record due again", leaseEnds},
		{"done removes, and unknown ids are ignored", doneRemoves},
		{"retry waits, counts the attempt and keeps the reason", retryWaits},
		{"a record that is due again comes before younger ones", dueAgainComesFirst},
		{"bury moves a record to the dead letters", buryMoves},
		{"dead letters are listed newest first, within the limit", deadNewestFirst},
		{"a record that was sent can be put to the dead letters, once, with each reason", interOnce},
		{"what is no record is not put to the dead letters", interStranger},
		{"a dead letter that is revived is handed out as new", reviveAsNew},
		{"retry and bury of an unknown id change nothing", unknownIDs},
		{"a later record of a subject waits for the earlier one", subjectOrder},
		{"an earlier record that waits for its retry holds back the later ones", subjectHeldByRetry},
		{"a buried record lets the later ones of its subject go", buryReleases},
		{"equal subjects of two scopes do not wait for one another", subjectsAreScoped},
		{"records without a subject do not wait for one another", noSubject},
		{"lag counts what waits and what is dead", lagCounts},
		{"concurrent relays never share a record", concurrentClaims},
		{"whatever relays do, each subject is delivered in order", orderUnderRelays},
	} {
		run.Clause(t, clause.name, func(t *testing.T) {
			w := &world{now: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)}
			w.queue, w.emit = open(t, w.clock)
			clause.run(t, w)
		})
	}
}

const lease = time.Minute

// world is one queue, with a clock that stands still until it is moved.
type world struct {
	queue outbox.Queue
	emit  Emit

	mu  sync.Mutex
	now time.Time
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// record returns the n-th record of a subject, written now.
func (w *world) record(n int, subject string) outbox.Record {
	return outbox.Record{
		ID: fmt.Sprintf("0190a000-0000-7000-8000-%012d", n), Type: outbox.MemoryStored, Tenant: "acme", Project: "default",
		Subject: subject, Data: fmt.Appendf(nil, `{"n":%d}`, n), Time: w.clock(),
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
}

func (w *world) fill(t *testing.T, records ...outbox.Record) {
	t.Helper()
	if err := w.emit(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
}

func (w *world) claim(t *testing.T, limit int) []outbox.Record {
	t.Helper()
	records, err := w.queue.Claim(t.Context(), limit, lease)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// claimIDs claims and returns the numbers of the records.
func (w *world) claimIDs(t *testing.T, limit int) []string {
	t.Helper()
	return ids(w.claim(t, limit))
}

func ids(records []outbox.Record) []string {
	list := []string{}
	for _, r := range records {
		list = append(list, r.ID)
	}
	return list
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %v\nwant %v", what, got, want)
	}
}
