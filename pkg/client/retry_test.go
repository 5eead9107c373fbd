package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/client"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

// flaky stands where the network would: it fails the first calls and answers the others, so that a bubble's time can
// pass around it.
type flaky struct {
	fail     int   // calls that fail first
	err      error // with a problem of this error; nil: no connection
	answer   string
	keys     []string
	attempts []time.Time
}

func (f *flaky) RoundTrip(r *http.Request) (*http.Response, error) {
	f.keys = append(f.keys, r.Header.Get("Idempotency-Key"))
	f.attempts = append(f.attempts, time.Now())
	recorder := httptest.NewRecorder()
	switch {
	case len(f.attempts) <= f.fail && f.err == nil:
		return nil, errors.New("connection refused")
	case len(f.attempts) <= f.fail:
		httpapi.WriteProblem(recorder, r, f.err)
	default:
		recorder.Header().Set("Content-Type", "application/json")
		recorder.WriteString(f.answer) //nolint:errcheck // a buffer
	}
	return recorder.Result(), nil
}

func (f *flaky) client(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	o.Tenant, o.HTTPClient = "acme", &http.Client{Transport: f}
	c, err := client.New("http://rae.test", o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var away = fault.New(fault.Unavailable, "the store is away")

func TestWhatMayPassIsTriedAgain(t *testing.T) {
	t.Parallel()
	calls := map[string]func(context.Context, *client.Client) error{
		"a read": func(ctx context.Context, c *client.Client) error {
			_, err := c.Get(ctx, memory.NewID(), memory.View{})
			return err
		},
		"a search": func(ctx context.Context, c *client.Client) error {
			_, err := c.Search(ctx, client.Question{Query: "x"})
			return err
		},
		"a write": func(ctx context.Context, c *client.Client) error {
			_, err := c.Store(ctx, ingest.Draft{Content: "x"})
			return err
		},
		"a deletion": func(ctx context.Context, c *client.Client) error { return c.Delete(ctx, memory.NewID()) },
		"a hold": func(ctx context.Context, c *client.Client) error {
			_, err := c.Ledger().Reserve(ctx, c.Scope(), budget.Request{})
			return err
		},
		"its release": func(ctx context.Context, c *client.Client) error {
			_, err := c.Ledger().Release(ctx, c.Scope(), memory.NewID())
			return err
		},
	}
	failures := map[string]error{
		"no connection": nil, "unavailable": away, "rate limited": fault.New(fault.RateLimited, "slow down"), "timeout": fault.New(fault.Timeout, "too slow"),
	}
	for name, call := range calls {
		for reason, failure := range failures {
			t.Run(name+" after "+reason, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					f := &flaky{fail: 3, err: failure, answer: "{}"}
					if err := call(t.Context(), f.client(t, client.Options{})); err != nil {
						t.Fatalf("got %v after %d attempts", err, len(f.attempts))
					}
					if len(f.attempts) != 4 {
						t.Errorf("got %d attempts, want 4", len(f.attempts))
					}
					for _, key := range f.keys {
						if key != f.keys[0] {
							t.Errorf("keys %q: a repetition under another key is another request", f.keys)
						}
					}
				})
			})
		}
	}
}

func TestEveryWriteHasAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	f := &flaky{answer: "{}"}
	c := f.client(t, client.Options{})
	for range 2 {
		if _, err := c.Store(t.Context(), ingest.Draft{Content: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if f.keys[0] == "" || f.keys[0] == f.keys[1] {
		t.Errorf("keys %q, want two different ones", f.keys)
	}
}

func TestWhatWillNotPassIsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	hopeless := fault.New(fault.Unavailable, "come back tomorrow")
	hopeless.RetryAfter = time.Hour
	for name, failure := range map[string]error{
		"a bad field":        fault.BadField("body.content", "is required"),
		"an internal error":  errors.New("a bug"),
		"a conflict":         fault.New(fault.Conflict, "no"),
		"a refusal":          &budget.ExceededError{Period: budget.Daily},
		"a wait of an hour":  hopeless,
		"a missing resource": fault.New(fault.NotFound, "no"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &flaky{fail: 9, err: failure}
			_, err := f.client(t, client.Options{}).Get(t.Context(), memory.NewID(), memory.View{})
			if fault.KindOf(err) != fault.KindOf(failure) || len(f.attempts) != 1 {
				t.Errorf("got %v after %d attempts, want kind %v after 1", err, len(f.attempts), fault.KindOf(failure))
			}
		})
	}
}

func TestAStreamIsNeverRepeated(t *testing.T) {
	t.Parallel()
	f := &flaky{fail: 1, err: away, answer: "{}"}
	_, err := f.client(t, client.Options{}).Import(t.Context(), strings.NewReader("{}\n"))
	if fault.KindOf(err) != fault.Unavailable || len(f.attempts) != 1 {
		t.Errorf("got %v after %d attempts, want unavailable after 1", err, len(f.attempts))
	}
}

func TestRetriesAreCountedAndCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	for retries, want := range map[int]int{-1: 1, 0: 4, 1: 2} {
		synctest.Test(t, func(t *testing.T) {
			f := &flaky{fail: 99, err: away}
			_, err := f.client(t, client.Options{Retries: retries}).Get(t.Context(), memory.NewID(), memory.View{})
			if fault.KindOf(err) != fault.Unavailable || len(f.attempts) != want {
				t.Errorf("retries %d: got %v after %d attempts, want %d", retries, err, len(f.attempts), want)
			}
		})
	}
}

func TestAServiceThatNamesATimeIsLeftAloneUntilThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		busy := fault.New(fault.RateLimited, "slow down")
		busy.RetryAfter = 7 * time.Second
		f := &flaky{fail: 1, err: busy, answer: "{}"}
		if _, err := f.client(t, client.Options{}).Get(t.Context(), memory.NewID(), memory.View{}); err != nil {
			t.Fatal(err)
		}
		if waited := f.attempts[1].Sub(f.attempts[0]); waited < 7*time.Second || waited > 8*time.Second {
			t.Errorf("waited %v, want the 7 s asked for and a little jitter", waited)
		}
	})
}

func TestTheCallersDeadlineEndsTheWaiting(t *testing.T) {
	t.Parallel()
	t.Run("a wait beyond it is not begun", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			busy := fault.New(fault.RateLimited, "slow down")
			busy.RetryAfter = 7 * time.Second
			f := &flaky{fail: 9, err: busy}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			began := time.Now()
			_, err := f.client(t, client.Options{}).Get(ctx, memory.NewID(), memory.View{})
			if fault.KindOf(err) != fault.RateLimited || time.Since(began) > time.Second {
				t.Errorf("got %v after %v, want rate limited at once", err, time.Since(began))
			}
		})
	})
	t.Run("a caller who goes away is told so", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		f := &flaky{fail: 9}
		_, err := f.client(t, client.Options{}).Get(ctx, memory.NewID(), memory.View{})
		if fault.KindOf(err) != fault.Cancelled {
			t.Errorf("got %v (%v), want cancelled", err, fault.KindOf(err))
		}
	})
}
