package postgres_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/servicetest"
)

func TestARestartUnderLoadLosesNothingAndIsOverSoon(t *testing.T) {
	t.Parallel()
	server := servicetest.OwnPostgres(t, nil)
	url := migrated(t, server)
	db := openAt(t, url, postgres.Options{Patience: 2 * time.Second})
	ctx, stop := context.WithCancel(t.Context())
	var acknowledged sync.Map // content
	var refused atomic.Int64
	var writers sync.WaitGroup
	for n := range 16 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				content := fmt.Sprintf("%d/%d", n, i)
				scope := memory.Scope{Tenant: "acme", Project: fmt.Sprint("p", n%3)}
				_, err := put(context.WithoutCancel(ctx), db, scope, content)
				if err == nil {
					acknowledged.Store(content, true)
					continue
				}
				refused.Add(1)
				wantAway(t, "a write during a restart", err)
				<-time.After(20 * time.Millisecond)
			}
		})
	}
	for range 3 {
		<-time.After(300 * time.Millisecond)
		if err := server.Restart(true); err != nil {
			t.Error(err)
			break
		}
		wantRecovery(t, db)
	}
	stop()
	writers.Wait()

	if refused.Load() == 0 {
		t.Error("no write was refused: nothing was restarted under load")
	}
	times := written(t, url)
	count := 0
	acknowledged.Range(func(content, _ any) bool {
		count++
		if times[content.(string)] != 1 {
			t.Errorf("%q was acknowledged and is there %d times", content, times[content.(string)])
		}
		return true
	})
	t.Logf("3 restarts: %d writes were acknowledged, %d refused", count, refused.Load())
	checkWhole(t, url)
}

// written counts the effects of puts by content: memories, each of which must have its one record.
func written(t *testing.T, url string) map[string]int {
	t.Helper()
	rows, err := connect(t, url).Query(t.Context(), `SELECT convert_from(data, 'UTF8'), count(*)::int FROM outbox WHERE type = 'job.due'
		GROUP BY data`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	times := map[string]int{}
	for rows.Next() {
		var content string
		var n int
		if err := rows.Scan(&content, &n); err != nil {
			t.Fatal(err)
		}
		times[content] = n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return times
}

func TestADatabaseThatIsAwayIsNotStormed(t *testing.T) {
	t.Parallel()
	p, through := proxied(t, fresh(t))
	db := openAt(t, through, postgres.Options{})
	if _, err := put(t.Context(), db, acme, "before"); err != nil {
		t.Fatal(err)
	}
	p.Stop()
	knocks := slammed(t, p.Listen)
	const calls = 100
	var callers sync.WaitGroup
	begun := time.Now()
	for i := range calls {
		callers.Go(func() {
			_, err := put(t.Context(), db, memory.Scope{Tenant: "acme", Project: fmt.Sprint("p", i)}, "lost")
			wantAway(t, "a write to a database that is away", err)
		})
	}
	callers.Wait()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s until %d callers were told", took, calls)
	}
	if n := knocks.Load(); n > calls+4 { // and once more for each connection that was cut
		t.Errorf("%d calls knocked %d times", calls, n)
	}
}

// slammed listens at the address and closes what connects; it returns how often somebody did.
func slammed(t *testing.T, address string) *atomic.Int64 {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var knocks atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			knocks.Add(1)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return &knocks
}
