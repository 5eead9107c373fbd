package ingest_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
)

// slow is a store that takes a second for a transaction, and fails whole when it meets one content.
type slow struct {
	*inmem.DB
	mu      sync.Mutex
	written []int // entries of each transaction
	fails   error
}

func (s *slow) Write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error {
	time.Sleep(time.Second)
	return s.DB.Write(ctx, scope, func(tx memory.Tx) error { return do(slowTx{tx, s}) })
}

type slowTx struct {
	memory.Tx
	of *slow
}

func (t slowTx) PutAll(ctx context.Context, entries []memory.Entry, why memory.Why) ([]memory.Written, error) {
	t.of.mu.Lock()
	t.of.written = append(t.of.written, len(entries))
	t.of.mu.Unlock()
	if slices.ContainsFunc(entries, func(e memory.Entry) bool { return e.Content == "poison" }) {
		return nil, t.of.fails
	}
	return t.Tx.PutAll(ctx, entries, why)
}

type traceKey struct{}

// crowd has so many callers tell something while the first is being written, and returns what became of each.
func crowd(t *testing.T, s *ingest.Service, contents []string) (all []ingest.Stored, failed []error) {
	t.Helper()
	all, failed = make([]ingest.Stored, len(contents)), make([]error, len(contents))
	for i, content := range contents {
		go func() {
			ctx := context.WithValue(t.Context(), traceKey{}, fmt.Sprint("trace ", i))
			all[i], _, failed[i] = s.Put(ctx, here, ingest.Draft{Content: content}, memory.Key{}, memory.Why{Actor: fmt.Sprint("caller ", i)})
		}()
		synctest.Wait() // so that they queue in their order
	}
	time.Sleep(time.Hour)
	synctest.Wait()
	return all, failed
}

func TestWhatIsToldMeanwhileIsWrittenTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := world(t)
		store := &slow{DB: inmem.New(inmem.Options{TraceParent: func(ctx context.Context) string {
			trace, _ := ctx.Value(traceKey{}).(string)
			return trace
		}})}
		s.Store = store
		began := time.Now()
		contents := []string{"zero", "one", "two", "one", "refuse \xff", "five", "zero"}
		all, failed := crowd(t, s, contents)
		var outcomes, heads, faults []any
		for i := range all {
			outcomes, heads, faults = append(outcomes, all[i].Outcome), append(heads, all[i].Head), append(faults, failed[i] != nil)
		}
		same(t, "outcomes", outcomes, []any{memory.Created, memory.Created, memory.Created, memory.Deduplicated, memory.Outcome(""), memory.Created, memory.Deduplicated})
		same(t, "heads", heads, []any{memory.Seq(1), memory.Seq(4), memory.Seq(4), memory.Seq(4), memory.Seq(0), memory.Seq(4), memory.Seq(4)})
		same(t, "failures", faults, []any{false, false, false, false, true, false, false})
		same(t, "memories in each transaction", store.written, []int{1, 5}) // what is no text was refused before
		same(t, "time", time.Since(began), time.Hour)
		if all[3].ID != all[1].ID || all[6].ID != all[0].ID {
			t.Errorf("recognised as another: %+v", all)
		}
		records, err := store.Claim(t.Context(), 10, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		var traces, actors []string
		for i, r := range records {
			traces = append(traces, r.TraceParent)
			history, err := store.History(t.Context(), here, memory.ID(r.Subject))
			if err != nil || len(history) != 1 {
				t.Fatalf("record %d: history %+v, %v", i, history, err)
			}
			actors = append(actors, history[0].Actor)
		}
		same(t, "traces", traces, []string{"trace 0", "trace 1", "trace 2", "trace 5"})
		same(t, "actors", actors, []string{"caller 0", "caller 1", "caller 2", "caller 5"})
	})
}

func TestWhatOneIsToBlameForIsNotTheOthersFailure(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		fails   error
		failed  []int
		written []int
	}{
		{fault.New(fault.Internal, "odd"), []int{2}, []int{1, 3, 1, 1, 1}},
		{fault.New(fault.Invalid, "cannot be kept"), []int{2}, []int{1, 3, 1, 1, 1}},
		{fault.New(fault.Unavailable, "away"), []int{1, 2, 3}, []int{1, 3}}, // it would be for each of them
	} {
		t.Run(fault.KindOf(tc.fails).String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, _ := world(t)
				store := &slow{DB: inmem.New(inmem.Options{}), fails: tc.fails}
				s.Store = store
				_, errs := crowd(t, s, []string{"zero", "one", "poison", "three"})
				var failed []int
				for i, err := range errs {
					if err != nil {
						failed = append(failed, i)
					}
				}
				same(t, "who failed", failed, tc.failed)
				same(t, "memories in each transaction", store.written, tc.written)
			})
		})
	}
}

func TestWhoLeavesWritesNothingAndKeepsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := world(t)
		store := &slow{DB: inmem.New(inmem.Options{})}
		s.Store = store
		put := func(ctx context.Context, content string, err *error) {
			go func() {
				_, _, *err = s.Put(ctx, here, ingest.Draft{Content: content}, memory.Key{}, memory.Why{})
			}()
			synctest.Wait()
		}
		leaving, leave := context.WithCancel(t.Context())
		var first, second, third, fourth error
		put(leaving, "first", &first) // alone: nobody waits for its answer
		put(leaving, "second", &second)
		put(t.Context(), "third", &third)
		put(t.Context(), "fourth", &fourth)
		leave()
		time.Sleep(time.Hour)
		synctest.Wait()
		same(t, "kinds", []fault.Kind{fault.KindOf(first), fault.KindOf(second)}, []fault.Kind{fault.Cancelled, fault.Cancelled})
		page, err := store.List(t.Context(), here, memory.Query{Limit: 10})
		if err != nil || third != nil || fourth != nil {
			t.Fatal(err, third, fourth)
		}
		var kept []string
		for _, m := range page.Memories {
			kept = append(kept, m.Content)
		}
		same(t, "what is kept", strings.Join(kept, ", "), "fourth, third")
	})
}

func TestTogetherIsNotMoreThanAStatementShouldHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := world(t)
		store := &slow{DB: inmem.New(inmem.Options{})}
		s.Store = store
		var contents []string
		for i := range 12 {
			contents = append(contents, fmt.Sprint(i, strings.Repeat(" x", 500_000)))
		}
		_, failed := crowd(t, s, contents)
		same(t, "failures", failed, make([]error, 12))
		same(t, "memories in each transaction", store.written, []int{1, 5, 5, 1})
	})
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
