package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/rs/zerolog"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/postgres"
)

// proxied puts a proxy before the database at the URL, and returns it with the URL that leads through it.
func proxied(t *testing.T, direct string) (*toxiproxy.Proxy, string) {
	t.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	p := toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), "postgres", "127.0.0.1:0", u.Host)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	u.Host = p.Listen
	return p, u.String()
}

func addToxic(t *testing.T, p *toxiproxy.Proxy, toxic string) {
	t.Helper()
	if _, err := p.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		t.Fatal(err)
	}
}

func removeToxic(t *testing.T, p *toxiproxy.Proxy, name string) {
	t.Helper()
	if err := p.Toxics.RemoveToxic(context.Background(), name); err != nil {
		t.Fatal(err)
	}
}

func TestABadNetworkSlowsButCorruptsNothing(t *testing.T) {
	t.Parallel()
	for name, toxic := range map[string]string{
		"latency": `{"name":"bad","type":"latency","stream":"downstream","attributes":{"latency":200}}`,
		"slicer":  `{"name":"bad","type":"slicer","stream":"downstream","attributes":{"average_size":7,"size_variation":3,"delay":10}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct := fresh(t)
			p, through := proxied(t, direct)
			db := openAt(t, through, postgres.Options{})
			stored, err := put(t.Context(), db, acme, "before")
			if err != nil {
				t.Fatal(err)
			}
			addToxic(t, p, toxic)
			var callers sync.WaitGroup
			for i := range 8 {
				callers.Go(func() {
					if _, err := put(t.Context(), db, acme, fmt.Sprint(i)); err != nil {
						t.Errorf("write: %v", err)
					}
					if got, err := db.Get(t.Context(), acme, stored.ID, memory.View{}); err != nil || got.Content != "before" {
						t.Errorf("read %q, %v", got.Content, err)
					}
				})
			}
			callers.Wait()
			for i := range 8 {
				wantEffects(t, direct, fmt.Sprint(i), 1)
			}
			checkWhole(t, direct)
		})
	}
}

// Connections that are cut anywhere: a write is acknowledged and there once, or refused and there at most once.
func TestCutConnectionsNeitherLoseNorRepeat(t *testing.T) {
	t.Parallel()
	for name, toxic := range map[string]string{
		"reset":             `{"name":"bad","type":"reset_peer","stream":"downstream","attributes":{"timeout":40}}`,
		"answers cut short": `{"name":"bad","type":"limit_data","stream":"downstream","attributes":{"bytes":6000}}`,
		"requests cut":      `{"name":"bad","type":"limit_data","stream":"upstream","attributes":{"bytes":9000}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct := fresh(t)
			p, through := proxied(t, direct)
			db := openAt(t, through, postgres.Options{})
			if _, err := put(t.Context(), db, acme, "before"); err != nil {
				t.Fatal(err)
			}
			addToxic(t, p, toxic)
			errs := make([]error, 64)
			var callers sync.WaitGroup
			for i := range 8 {
				callers.Go(func() {
					for j := range 8 {
						_, errs[8*i+j] = put(t.Context(), db, acme, fmt.Sprint(8*i+j))
					}
				})
			}
			callers.Wait()
			removeToxic(t, p, "bad")
			refused := 0
			for i, err := range errs {
				memories, records := effects(t, direct, fmt.Sprint(i))
				if memories != records || memories > 1 || err == nil && memories == 0 {
					t.Errorf("write %d (%v) has left %d memories and %d records", i, err, memories, records)
				}
				if err != nil {
					refused++
					wantAway(t, "a write over a cut connection", err)
				}
			}
			t.Logf("%d of %d writes were refused", refused, len(errs))
			if _, err := put(t.Context(), db, acme, "after"); err != nil {
				t.Errorf("once the network is well: %v", err)
			}
			checkWhole(t, direct)
		})
	}
}

func TestAReadOverACutConnectionIsAskedAgain(t *testing.T) {
	t.Parallel()
	p, through := proxied(t, fresh(t))
	db := openAt(t, through, postgres.Options{Connections: 3})
	stored, err := put(t.Context(), db, acme, "kept")
	if err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		p.Stop() // cuts what is connected
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Get(t.Context(), acme, stored.ID, memory.View{}); err != nil || got.Content != "kept" {
			t.Errorf("round %d: %q, %v", round, got.Content, err)
		}
	}
}

func TestASilentNetworkIsNotWaitedForBeyondTheDeadline(t *testing.T) {
	t.Parallel()
	direct := fresh(t)
	p, through := proxied(t, direct)
	db := openAt(t, through, postgres.Options{Patience: time.Second})
	stored, err := put(t.Context(), db, acme, "kept")
	if err != nil {
		t.Fatal(err)
	}
	addToxic(t, p, `{"name":"mute","type":"timeout","stream":"downstream","attributes":{"timeout":0}}`)
	begun := time.Now()
	var callers sync.WaitGroup
	for i := range 20 {
		callers.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			_, err := db.Get(ctx, acme, stored.ID, memory.View{})
			if k := fault.KindOf(err); k != fault.Timeout && k != fault.Unavailable {
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	callers.Wait()
	if took := time.Since(begun); took > 6*time.Second {
		t.Errorf("it took %s until all were told, want about the deadline and the grace of a cancelled statement", took)
	}
	removeToxic(t, p, "mute")
	p.Stop() // what was swallowed does not come back
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	wantRecovery(t, db)
}

// wantRecovery fails unless the store serves within five seconds.
func wantRecovery(t *testing.T, db *postgres.DB) {
	t.Helper()
	begun := time.Now()
	for {
		_, err := put(t.Context(), db, acme, fmt.Sprint("recovered at ", time.Now()))
		if err == nil {
			return
		}
		if time.Since(begun) > 5*time.Second {
			t.Errorf("after 5 s: %v", err)
			return
		}
		<-time.After(20 * time.Millisecond)
	}
}

// A lostAnswer is what a client hears in place of the answer to its COMMIT, which was done.
type lostAnswer string

const (
	silence  lostAnswer = "the connection ends"
	shutdown lostAnswer = "the server says that it goes down"
	late     lostAnswer = "the server says that it goes down after it has said COMMIT"
)

func TestAWriteWhoseAnswerIsLostIsNeverRepeatedBlindly(t *testing.T) {
	t.Parallel()
	for _, how := range []lostAnswer{silence, shutdown} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			direct := fresh(t)
			var runs atomic.Int64
			db := openAt(t, losing(t, direct, how, 2), postgres.Options{})
			if _, err := put(t.Context(), db, acme, "before"); err != nil { // the first COMMIT is its own
				t.Fatal(err)
			}
			err := db.Write(t.Context(), acme, func(tx memory.Tx) error {
				runs.Add(1)
				return tx.Emit(t.Context(), outbox.Record{Type: outbox.JobDue, Data: []byte("once")})
			})
			wantAway(t, "a write whose answer was lost", err)
			if n := runs.Load(); n != 1 {
				t.Errorf("it was run %d times", n)
			}
			if _, records := effects(t, direct, "once"); records != 1 {
				t.Errorf("it has left %d records; it was committed once", records)
			}
		})
	}
	t.Run(string(late), func(t *testing.T) {
		t.Parallel()
		direct := fresh(t)
		db := openAt(t, losing(t, direct, late, 2), postgres.Options{})
		if _, err := put(t.Context(), db, acme, "before"); err != nil {
			t.Fatal(err)
		}
		if _, err := put(t.Context(), db, acme, "once"); err != nil {
			t.Errorf("a write that the database has confirmed: %v", err)
		}
		wantEffects(t, direct, "once", 1)
	})
}

func TestARequestWithAKeyIsRepeatedUntilItSucceedsAndHasOneEffect(t *testing.T) {
	t.Parallel()
	direct := fresh(t)
	db := openAt(t, losing(t, direct, silence, 1, 2, 3, 5, 8), postgres.Options{})
	key := memory.Key{Route: "POST /v1/memories", Key: "k", Fingerprint: "f"}
	attempts := 0
	for {
		attempts++
		err := db.Write(t.Context(), acme, func(tx memory.Tx) error {
			if _, found, err := tx.Answered(t.Context(), key); found || err != nil {
				return err
			}
			if err := tx.Emit(t.Context(), outbox.Record{Type: outbox.JobDue, Data: []byte("keyed")}); err != nil {
				return err
			}
			return tx.Answer(t.Context(), key, []byte("answer"))
		})
		if err == nil {
			break
		}
		wantAway(t, "an attempt", err)
		if attempts > 20 {
			t.Fatal("it never succeeds")
		}
	}
	if _, records := effects(t, direct, "keyed"); attempts < 2 || records != 1 {
		t.Errorf("%d attempts have left %d records, want several and one", attempts, records)
	}
}

// losing is the URL of the database by a proxy that loses the answers to the numbered COMMITs, counted over all
// connections from 1, after the database has given them.
func losing(t *testing.T, direct string, how lostAnswer, which ...int64) string {
	t.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	doomed := map[int64]bool{}
	for _, n := range which {
		doomed[n] = true
	}
	var commits atomic.Int64
	var serving sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); serving.Wait() })
	upstream := u.Host
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer client.Close()
				server, err := new(net.Dialer).DialContext(context.Background(), "tcp", upstream)
				if err != nil {
					return
				}
				defer server.Close()
				serving.Go(func() {
					_, _ = io.Copy(server, client)
					_ = server.Close()
				})
				relayAnswers(client, server, how, func() bool { return doomed[commits.Add(1)] })
			})
		}
	})
	u.Host = listener.Addr().String()
	return u.String()
}

// relayAnswers copies what the server says to the client, until it answers a COMMIT that is to be lost.
func relayAnswers(client, server net.Conn, how lostAnswer, lose func() bool) {
	said := (&pgproto3.CommandComplete{CommandTag: []byte("COMMIT")})
	complete, _ := said.Encode(nil)
	down, _ := (&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "57P01", Message: "terminating connection due to administrator command"}).Encode(nil)
	buffer := make([]byte, 1<<16)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		chunk := buffer[:n]
		at := bytes.Index(chunk, complete)
		if at < 0 || !lose() {
			if _, err := client.Write(chunk); err != nil {
				return
			}
			continue
		}
		switch how {
		case silence:
			_, _ = client.Write(chunk[:at])
		case shutdown:
			_, _ = client.Write(append(bytes.Clone(chunk[:at]), down...))
		case late:
			_, _ = client.Write(append(bytes.Clone(chunk[:at+len(complete)]), down...))
		}
		return
	}
}
