package memorytest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

func transactionClauses() []clause {
	return []clause{
		{"a transaction that fails leaves nothing, and its error comes back unchanged", failureLeavesNothing},
		{"a transaction that panics leaves nothing and the store goes on", panicLeavesNothing},
		{"a transaction whose caller has gone leaves nothing", cancelledLeavesNothing},
		{"a transaction of a dry run does not begin", dryRunLeavesNothing},
		{"a transaction sees what it wrote", readsOwnWrites},
		{"nobody sees a transaction before it has committed", unseenBeforeCommit},
		{"a refused change leaves the rest of its transaction standing", refusalLeavesRest},
		{"an idempotent request finds its answer", answersFound},
		{"a key used for another request is a conflict", answersConflict},
		{"answers live and die with their transaction", answersCommit},
		{"answers are kept for a day and forgotten some day", answersAge},
		{"an event is taken once by each consumer", onceTaken},
		{"an event taken in a transaction that failed can be taken again", onceUndone},
	}
}

func announcementClauses() []clause {
	return []clause{
		{"every change announces itself, without the content", changesAnnounced},
		{"a transaction that fails announces nothing", failureAnnouncesNothing},
		{"what lapsed or was swept is announced as deleted", lapseAnnounced},
		{"what goes with its source is announced as deleted", derivedAnnounced},
		{"a record emitted by hand carries the scope, an id and the time", emitted},
	}
}

func dryRunLeavesNothing(t *testing.T, w *world) {
	w.add(t, acme, full(), vector(1))
	before := snapshot(t, w)
	ctx, _ := llm.WithDryRun(t.Context())
	began := false
	err := w.store.Write(ctx, acme, func(tx memory.Tx) error {
		began = true
		_, _, err := tx.Put(ctx, note("new"), asker, vector(2))
		return err
	})
	if began || !llm.IsDryRun(err) {
		t.Errorf("began %t, %v", began, err)
	}
	if _, err := w.store.EraseTenant(ctx, acme.Tenant); !llm.IsDryRun(err) {
		t.Errorf("erase: %v", err)
	}
	same(t, "everything", json.RawMessage(snapshot(t, w)), json.RawMessage(before))
	if found, err := w.store.Find(ctx, acme, nil, memory.View{}); err != nil || len(found) != 0 {
		t.Errorf("a dry run cannot read: %v, %v", found, err)
	}
}

func failureLeavesNothing(t *testing.T, w *world) {
	standing := w.add(t, acme, full(), vector(1))
	before := snapshot(t, w)
	failure := errors.New("something of the caller's")
	err := w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
		if _, _, err := tx.Put(t.Context(), note("new"), asker, vector(2)); err != nil {
			return err
		}
		next := standing
		next.Content, next.Tags = "changed", []string{"changed"}
		if _, err := tx.Replace(t.Context(), next, asker); err != nil {
			return err
		}
		if _, err := tx.Attach(t.Context(), standing.ID, 2, vector(3)); err != nil {
			return err
		}
		if err := tx.Delete(t.Context(), standing.ID); err != nil {
			return err
		}
		if err := tx.Answer(t.Context(), memory.Key{Route: "r", Key: "k", Fingerprint: "f"}, []byte("{}")); err != nil {
			return err
		}
		if _, err := tx.Once(t.Context(), "c", "s", "e"); err != nil {
			return err
		}
		return failure
	})
	if err != failure { //nolint:errorlint // the very same error
		t.Fatalf("got %v, want the caller's own error", err)
	}
	same(t, "everything", json.RawMessage(snapshot(t, w)), json.RawMessage(before))
	w.write(t, acme, func(tx memory.Tx) error {
		_, found, err := tx.Answered(t.Context(), memory.Key{Route: "r", Key: "k", Fingerprint: "f"})
		same(t, "answered", found, false)
		return err
	})
}

// snapshot renders everything that can be read of acme.
func snapshot(t *testing.T, w *world) string {
	t.Helper()
	page := w.list(t, acme, memory.Query{})
	var histories [][]memory.Version
	for _, m := range page.Memories {
		histories = append(histories, w.history(t, acme, m.ID))
	}
	return render([]any{page, histories, w.head(t, acme), w.changes(t, acme, 0)})
}

func panicLeavesNothing(t *testing.T, w *world) {
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was lost")
			}
		}()
		_ = w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
			if _, _, err := tx.Put(t.Context(), note("new"), asker); err != nil {
				return err
			}
			panic("a bug of the caller's")
		})
	}()
	same(t, "head", w.head(t, acme), 0)
	w.add(t, acme, note("new"))
}

func cancelledLeavesNothing(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(t.Context())
	err := w.store.Write(ctx, acme, func(tx memory.Tx) error {
		_, _, err := tx.Put(ctx, note("new"), asker)
		cancel()
		return err
	})
	kind(t, err, fault.Cancelled)
	kind(t, w.store.Write(ctx, acme, func(memory.Tx) error {
		t.Error("a cancelled write ran")
		return nil
	}), fault.Cancelled)
	same(t, "head", w.head(t, acme), 0)
	_, err = w.store.List(ctx, acme, memory.Query{Limit: 10})
	kind(t, err, fault.Cancelled)
}

func readsOwnWrites(t *testing.T, w *world) {
	w.write(t, acme, func(tx memory.Tx) error {
		m, _, err := tx.Put(t.Context(), note("new"), asker)
		if err != nil {
			return err
		}
		read, err := tx.Get(t.Context(), m.ID)
		if err != nil {
			return err
		}
		same(t, "read", read, m)
		_, outcome, err := tx.Put(t.Context(), note("new"), asker)
		same(t, "outcome", outcome, memory.Deduplicated)
		if err != nil {
			return err
		}
		if err := tx.Delete(t.Context(), m.ID); err != nil {
			return err
		}
		_, err = tx.Get(t.Context(), m.ID)
		kind(t, err, fault.NotFound)
		return nil
	})
}

func unseenBeforeCommit(t *testing.T, w *world) {
	standing := w.add(t, acme, note("standing"))
	read := make(chan string, 1)
	w.write(t, acme, func(tx memory.Tx) error {
		if _, _, err := tx.Put(t.Context(), note("new"), asker); err != nil {
			return err
		}
		go func() { // a store may let the reader wait for the commit, but not show what is not committed
			page, err := w.store.List(t.Context(), acme, memory.Query{Limit: 10})
			if err != nil {
				read <- err.Error()
				return
			}
			read <- render(contents(page.Memories))
		}()
		return tx.Delete(t.Context(), standing.ID)
	})
	switch got := <-read; got {
	case `["standing"]`, `["new"]`: // before or after, never between
	default:
		t.Fatalf("a reader saw %s", got)
	}
}

func refusalLeavesRest(t *testing.T, w *world) {
	m := w.add(t, acme, note("x"))
	w.write(t, acme, func(tx memory.Tx) error {
		if _, _, err := tx.Put(t.Context(), note("before"), asker); err != nil {
			return err
		}
		clash := note("clash")
		clash.ID = m.ID
		_, _, err := tx.Put(t.Context(), clash, asker, vector(1))
		kind(t, err, fault.Conflict)
		_, _, err = tx.Put(t.Context(), memory.Memory{Content: "\xff"}, asker)
		kind(t, err, fault.Invalid)
		_, _, err = tx.Put(t.Context(), note("after"), asker)
		return err
	})
	same(t, "listed", contents(w.list(t, acme, memory.Query{}).Memories), []string{"after", "before", "x"})
	same(t, "head", w.head(t, acme), 3)
}

func answersFound(t *testing.T, w *world) {
	key := memory.Key{Route: "POST /v1/memories", Key: "k1", Fingerprint: "f1"}
	w.write(t, acme, func(tx memory.Tx) error {
		_, found, err := tx.Answered(t.Context(), key)
		same(t, "answered before", found, false)
		if err != nil {
			return err
		}
		if err := tx.Answer(t.Context(), memory.Key{}, []byte("nothing")); err != nil {
			return err
		}
		return tx.Answer(t.Context(), key, []byte(`{"id":1}`))
	})
	w.write(t, acme, func(tx memory.Tx) error {
		answer, found, err := tx.Answered(t.Context(), key)
		same(t, "answered", found, true)
		same(t, "answer", string(answer), `{"id":1}`)
		if err != nil {
			return err
		}
		_, found, err = tx.Answered(t.Context(), memory.Key{})
		same(t, "answered without a key", found, false)
		if err != nil {
			return err
		}
		_, found, err = tx.Answered(t.Context(), memory.Key{Route: "POST /v1/conversations", Key: "k1", Fingerprint: "f1"})
		same(t, "answered on another route", found, false)
		return err
	})
}

func answersConflict(t *testing.T, w *world) {
	key := memory.Key{Route: "r", Key: "k1", Fingerprint: "f1"}
	w.write(t, acme, func(tx memory.Tx) error { return tx.Answer(t.Context(), key, []byte("{}")) })
	key.Fingerprint = "f2"
	w.write(t, acme, func(tx memory.Tx) error {
		_, _, err := tx.Answered(t.Context(), key)
		kind(t, err, fault.Conflict)
		kind(t, tx.Answer(t.Context(), key, []byte("other")), fault.Conflict)
		return nil
	})
}

func answersCommit(t *testing.T, w *world) {
	key := memory.Key{Route: "r", Key: "k1", Fingerprint: "f1"}
	failure := errors.New("failed")
	err := w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
		if err := tx.Answer(t.Context(), key, []byte("{}")); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Fatal(err)
	}
	w.write(t, acme, func(tx memory.Tx) error {
		_, found, err := tx.Answered(t.Context(), key)
		same(t, "answered", found, false)
		return err
	})
}

func answersAge(t *testing.T, w *world) {
	key := memory.Key{Route: "r", Key: "k1", Fingerprint: "f1"}
	w.write(t, acme, func(tx memory.Tx) error { return tx.Answer(t.Context(), key, []byte("{}")) })
	for _, age := range []struct {
		after time.Duration
		want  bool
	}{{24 * time.Hour, true}, {30 * 24 * time.Hour, false}} {
		w.advance(age.after)
		if _, err := w.store.Sweep(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
		w.write(t, acme, func(tx memory.Tx) error {
			_, found, err := tx.Answered(t.Context(), key)
			same(t, "answered after "+age.after.String(), found, age.want)
			return err
		})
	}
}

func onceTaken(t *testing.T, w *world) {
	type event struct{ consumer, source, id string }
	for _, c := range []struct {
		event
		first bool
	}{
		{event{"store", "/embed", "e1"}, true},
		{event{"store", "/embed", "e1"}, false},
		{event{"search", "/embed", "e1"}, true},
		{event{"store", "/reflect", "e1"}, true},
		{event{"store", "/embed", "e2"}, true},
	} {
		w.write(t, acme, func(tx memory.Tx) error {
			first, err := tx.Once(t.Context(), c.consumer, c.source, c.id)
			same(t, "first", first, c.first)
			return err
		})
	}
}

func onceUndone(t *testing.T, w *world) {
	failure := errors.New("failed")
	for range 2 {
		err := w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
			first, err := tx.Once(t.Context(), "store", "/embed", "e1")
			same(t, "first", first, true)
			if err != nil {
				return err
			}
			return failure
		})
		if !errors.Is(err, failure) {
			t.Fatal(err)
		}
	}
}

// relay takes every record out of the outbox, in order.
func relay(t *testing.T, queue outbox.Queue) []outbox.Record {
	t.Helper()
	var all []outbox.Record
	for {
		records, err := queue.Claim(t.Context(), 100, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 {
			return all
		}
		for _, r := range records {
			all = append(all, r)
			if err := queue.Done(t.Context(), []string{r.ID}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func changesAnnounced(t *testing.T, w *world) {
	queue := w.store.(outbox.Queue)
	m := w.add(t, acme, full())
	w.attach(t, acme, m.ID, 1, vector(1))
	next := m
	next.Content = "changed"
	w.replace(t, acme, next)
	w.put(t, acme, next) // recognised: nothing to tell
	w.remove(t, acme, m.ID)
	var got []string
	for _, r := range relay(t, queue) {
		same(t, "scope", []string{r.Tenant, r.Project, r.Subject}, []string{"acme", "default", string(m.ID)})
		same(t, "time", r.Time, start)
		got = append(got, r.Type+" "+string(r.Data))
	}
	data := func(version, embedding string) string {
		return `{"memory_id":"` + string(m.ID) + `","tenant_id":"acme","project_id":"default","layer":"semantic","version":` +
			version + `,"embedding":"` + embedding + `","session_id":"s1","user_id":"ann","agent_id":"helper"}`
	}
	same(t, "announced", got, []string{
		"memory.stored " + data("1", "pending"),
		"memory.updated " + data("1", "ready"),
		"memory.updated " + data("2", "pending"),
		"memory.deleted " + data("2", "pending"),
	})
}

func failureAnnouncesNothing(t *testing.T, w *world) {
	queue := w.store.(outbox.Queue)
	failure := errors.New("failed")
	err := w.store.Write(t.Context(), acme, func(tx memory.Tx) error {
		if _, _, err := tx.Put(t.Context(), note("x"), asker); err != nil {
			return err
		}
		if err := tx.Emit(t.Context(), outbox.Record{Type: outbox.MemoryDerived, Subject: "x", Data: []byte("{}")}); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Fatal(err)
	}
	same(t, "announced", len(relay(t, queue)), 0)
	w.add(t, acme, note("x"))
	same(t, "announced", len(relay(t, queue)), 1)
}

func lapseAnnounced(t *testing.T, w *world) {
	queue := w.store.(outbox.Queue)
	lapsed, swept := mayfly(t, w, acme, "lapsed"), mayfly(t, w, acme, "swept")
	w.advance(2 * time.Hour)
	again := w.add(t, acme, note("lapsed"))
	if _, err := w.store.Sweep(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	type news struct{ Kind, Subject string }
	var got []news
	for _, r := range relay(t, queue) {
		got = append(got, news{r.Type, r.Subject})
	}
	// one record of a subject at a time: the deletions come in the second round
	same(t, "announced", got, []news{
		{outbox.MemoryStored, string(lapsed.ID)}, {outbox.MemoryStored, string(swept.ID)}, {outbox.MemoryStored, string(again.ID)},
		{outbox.MemoryDeleted, string(lapsed.ID)}, {outbox.MemoryDeleted, string(swept.ID)},
	})
}

func emitted(t *testing.T, w *world) {
	queue := w.store.(outbox.Queue)
	given := outbox.Record{
		ID: "0190a000-0000-7000-8000-000000000001", Type: outbox.BudgetWarning, Tenant: "forged", Project: "forged",
		Subject: "s", Data: []byte(`{"a":1}`), Time: start.Add(-time.Hour), TraceParent: "00-a-b-01",
	}
	w.write(t, acme, func(tx memory.Tx) error {
		if err := tx.Emit(t.Context(), given); err != nil {
			return err
		}
		return tx.Emit(t.Context(), outbox.Record{Type: outbox.BudgetExceeded, Data: []byte("{}")})
	})
	records := relay(t, queue)
	given.Tenant, given.Project = "acme", "default"
	same(t, "records", len(records), 2)
	same(t, "the first", records[0], given)
	if _, ok := memory.ParseID(records[1].ID); !ok {
		t.Errorf("the id %q is no UUID", records[1].ID)
	}
	same(t, "time", records[1].Time, start)
	same(t, "scope", records[1].Tenant+"/"+records[1].Project, "acme/default")
}
