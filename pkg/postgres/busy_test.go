package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
)

func TestABusyPoolRefusesSoonAndRecovers(t *testing.T) {
	t.Parallel()
	url := fresh(t)
	db := openAt(t, url, postgres.Options{Connections: 2, Patience: 200 * time.Millisecond})
	one, two := memory.Scope{Tenant: "acme", Project: "one"}, memory.Scope{Tenant: "acme", Project: "two"}
	held1, release1 := hold(t, db, one)
	<-held1
	held2, release2 := hold(t, db, two)
	<-held2

	begun := time.Now()
	refusals := make([]error, 200)
	var callers sync.WaitGroup
	for i := range refusals {
		callers.Go(func() {
			if i%2 == 0 {
				_, refusals[i] = db.Get(t.Context(), one, memory.NewID(), memory.View{})
			} else {
				_, refusals[i] = put(t.Context(), db, memory.Scope{Tenant: "acme", Project: fmt.Sprint("p", i%8)}, fmt.Sprint(i))
			}
		})
	}
	callers.Wait()
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("200 callers of a busy pool waited %s for a refusal, want some 200 ms", took)
	}
	for i, err := range refusals {
		if problem := away(err); problem != "" {
			t.Fatalf("caller %d: %v: %s", i, err, problem)
		}
	}
	if inUse, _, most := db.Stats(); inUse != 2 || most != 2 {
		t.Errorf("%d connections of %d are in use, want both", inUse, most)
	}

	for _, release := range []func() error{release1, release2} {
		if err := release(); err != nil {
			t.Error(err)
		}
	}
	if _, err := put(t.Context(), db, one, "after"); err != nil {
		t.Errorf("once the connections are free: %v", err)
	}
	if n := db.Connected(); n > 2 {
		t.Errorf("%d connections were opened, want the same 2 all along", n)
	}
	checkWhole(t, url)
}

func TestWritersDoNotWaitForEverBehindAStuckOne(t *testing.T) {
	t.Parallel()
	db := open(t, postgres.Options{})
	held, release := hold(t, db, acme)
	<-held
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	begun := time.Now()
	errs := make([]error, 50)
	var writers sync.WaitGroup
	for i := range errs {
		writers.Go(func() { _, errs[i] = put(ctx, db, acme, fmt.Sprint(i)) })
	}
	writers.Wait()
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("they waited %s, want 10 s", took)
	}
	for _, err := range errs {
		wantAway(t, "a writer behind a stuck one", err)
	}
	if inUse, _, _ := db.Stats(); inUse != 1 {
		t.Errorf("%d connections are in use, want that of the stuck one", inUse)
	}
	if err := release(); err != nil {
		t.Errorf("the stuck one, at last: %v", err)
	}
	if _, err := put(t.Context(), db, acme, "after"); err != nil {
		t.Errorf("the next one: %v", err)
	}
}
