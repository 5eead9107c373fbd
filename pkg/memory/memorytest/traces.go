package memorytest

import (
	"context"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// TracedStore is a store with its outbox.
type TracedStore interface {
	memory.Store
	outbox.Queue
}

// RunTraced holds a store that asks trace for the trace of a context to naming those of whoever tells a change. It opens
// one store.
func RunTraced(t *testing.T, on string, open func(t *testing.T, trace func(context.Context) string) TracedStore) {
	type key struct{}
	run := contract.Begin(t, "memorytest/traces", on)
	run.Clause(t, "an announcement names the trace of whoever tells the change", func(t *testing.T) {
		store := open(t, func(ctx context.Context) string {
			trace, _ := ctx.Value(key{}).(string)
			return trace
		})
		by := func(trace string) context.Context { return context.WithValue(t.Context(), key{}, trace) }
		ours := by("ours")
		err := store.Write(ours, acme, func(tx memory.Tx) error {
			all, err := tx.PutAll(ours, []memory.Entry{
				{Memory: note("a")}, {Memory: note("b"), Told: by("bob's")}, {Memory: note("c"), Told: by("ann's")}, {Memory: note("d")},
			}, asker)
			if err != nil {
				return err
			}
			return tx.Delete(ours, all[1].Memory.ID)
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for range 2 { // the deletion waits for the news of what was stored
			records, err := store.Claim(t.Context(), 10, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				got = append(got, r.Type+" "+r.TraceParent)
				if err := store.Done(t.Context(), []string{r.ID}); err != nil {
					t.Fatal(err)
				}
			}
		}
		same(t, "announced", got, []string{
			"memory.stored ours", "memory.stored bob's", "memory.stored ann's", "memory.stored ours", "memory.deleted ours",
		})
	})
}
