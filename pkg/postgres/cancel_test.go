package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
)

// Two thousand requests that are cancelled at any moment: whoever is answered is answered with what it asked for, and
// connections are kept.
func TestCancelledRequestsCrossNoAnswersAndKeepTheirConnections(t *testing.T) { // not parallel: it counts goroutines
	url := fresh(t)
	idle := goleak.IgnoreCurrent()
	db, err := postgres.Open(url, postgres.Options{Connections: 4, Patience: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	const callers, each = 20, 100
	ids := make([]memory.ID, callers)
	for n := range ids {
		m, err := put(t.Context(), db, acme, fmt.Sprint("nonce ", n))
		if err != nil {
			t.Fatal(err)
		}
		ids[n] = m.ID
	}
	var answered, cancelled atomic.Int64
	var running sync.WaitGroup
	for n := range callers {
		running.Go(func() {
			for i := range each {
				ctx, cancel := context.WithCancel(t.Context())
				timer := time.AfterFunc(time.Duration(rand.IntN(20_000))*time.Microsecond, cancel)
				content, err := ask(ctx, db, ids[n], n, i)
				timer.Stop()
				cancel()
				switch {
				case err == nil && content != fmt.Sprint("nonce ", n):
					t.Errorf("caller %d was answered %q", n, content)
				case err == nil:
					answered.Add(1)
				case errors.Is(err, context.Canceled) || fault.KindOf(err) == fault.Cancelled:
					cancelled.Add(1)
				default:
					t.Errorf("caller %d: %v", n, err)
				}
			}
		})
	}
	running.Wait()
	opened := db.Connected()
	t.Logf("%d answered, %d cancelled, %d connections opened for a pool of 4", answered.Load(), cancelled.Load(), opened)
	if answered.Load() < 100 || cancelled.Load() < 100 {
		t.Error("too few of either: the test proves little")
	}
	if opened > 4+callers*each/20 {
		t.Errorf("%d connections were opened: cancelling gives them up", opened)
	}
	if inUse, _, _ := db.Stats(); inUse != 0 {
		t.Errorf("%d connections were not returned", inUse)
	}
	checkWhole(t, url)
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, idle)
}

// ask reads the memory, every fourth time in a write that leaves something behind only if it is not cancelled.
func ask(ctx context.Context, db *postgres.DB, id memory.ID, n, i int) (content string, err error) {
	if i%4 != 0 {
		m, err := db.Get(ctx, acme, id, memory.View{})
		return m.Content, err
	}
	err = db.Write(ctx, acme, func(tx memory.Tx) error {
		m, err := tx.Get(ctx, id)
		if err != nil {
			return err
		}
		content = m.Content
		_, _, err = tx.Put(ctx, memory.Memory{Content: fmt.Sprint(n, "/", i)}, memory.Why{Actor: "test"})
		return err
	})
	return content, err
}
