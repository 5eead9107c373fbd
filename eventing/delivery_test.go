package eventing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/telemetry"
)

func TestDeliveryFollowsKnativesRetryTable(t *testing.T) {
	t.Parallel()
	second := time.Second
	for _, tc := range []struct {
		name     string
		status   int
		panics   bool
		wait     string // Retry-After
		max      time.Duration
		attempts int
		took     time.Duration
	}{
		{name: "200", status: 200, attempts: 1},
		{name: "202", status: 202, attempts: 1},
		{name: "302", status: 302, attempts: 1},
		{name: "400", status: 400, attempts: 1},
		{name: "402", status: 402, attempts: 1},
		{name: "410", status: 410, attempts: 1},
		{name: "422", status: 422, attempts: 1},
		{name: "404", status: 404, attempts: 6, took: 31 * second},
		{name: "408", status: 408, attempts: 6, took: 31 * second},
		{name: "409", status: 409, attempts: 6, took: 31 * second},
		{name: "429", status: 429, attempts: 6, took: 31 * second},
		{name: "500", status: 500, attempts: 6, took: 31 * second},
		{name: "503", status: 503, attempts: 6, took: 31 * second},
		{name: "no answer", panics: true, attempts: 6, took: 31 * second},
		{name: "Retry-After is not minded", status: 503, wait: "10", attempts: 6, took: 31 * second},
		{name: "Retry-After is minded", status: 503, wait: "10", max: time.Minute, attempts: 6, took: (4*10 + 16) * second},
		{name: "Retry-After is minded up to a point", status: 503, wait: "1000", max: 20 * second, attempts: 6, took: 100 * second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				attempts, dead := 0, 0
				b := open(t, eventing.BrokerConfig{
					Backoff: second, RetryAfterMax: tc.max,
					OnDead: func(_ []byte, _ string, status int, _ string) {
						dead++
						equal(t, "status of the dead letter", status, tc.status)
					},
				}, eventing.Subscription{
					Name: "s", Types: []string{eventing.MemoryStored},
					Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						attempts++
						if tc.panics {
							panic("boom")
						}
						w.Header().Set("Retry-After", tc.wait)
						w.WriteHeader(tc.status)
					}),
				})
				start := time.Now()
				if err := b.Send(t.Context(), anEvent(t, "m1")); err != nil {
					t.Fatal(err)
				}
				equal(t, "attempts", attempts, tc.attempts)
				equal(t, "time", time.Since(start), tc.took)
				equal(t, "dead letters", dead, map[bool]int{true: 0, false: 1}[tc.status == 200 || tc.status == 202])
			})
		})
	}
}

func TestAPoisonEventIsDeadAndThoseBehindItFlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got seen
		var letters []string
		poison, next, other := anEvent(t, "m1"), anEvent(t, "m1"), anEvent(t, "m2")
		b := open(t, eventing.BrokerConfig{
			Concurrency: 1,
			OnDead: func(letter []byte, subscriber string, status int, reason string) {
				letters = append(letters, string(letter))
				equal(t, "subscriber", subscriber, "s")
				equal(t, "status", status, 422)
				if !strings.Contains(reason, "event.data.x") {
					t.Errorf("the reason does not name the field: %s", reason)
				}
			},
		}, eventing.Subscription{
			Name: "s", Types: []string{eventing.MemoryStored},
			Handler: taking(func(_ context.Context, e eventing.Event) error {
				if e.ID == poison.ID() {
					return fault.BadField("event.data.x", "is poison\n")
				}
				got.add(e.ID)
				return nil
			}),
		})
		for _, e := range []event.Event{poison, next, other} {
			if err := b.Send(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		equal(t, "what flowed", got.all(), []string{next.ID(), other.ID()})
		equal(t, "number of dead letters", len(letters), 1)
		var letter map[string]any
		if err := json.Unmarshal([]byte(letters[0]), &letter); err != nil {
			t.Fatal(err)
		}
		equal(t, "id", letter["id"], any(poison.ID()))
		equal(t, "knativeerrordest", letter["knativeerrordest"], any("urn:rae:subscription:s"))
		equal(t, "knativeerrorcode", letter["knativeerrorcode"], any(422.0))
		replayed, err := eventing.Decode(structuredHeader(), strings.NewReader(letters[0]))
		if err != nil {
			t.Fatalf("a dead letter cannot be replayed: %v", err)
		}
		equal(t, "id of the replay", replayed.ID, poison.ID())
	})
}

func TestASubjectKeepsItsOrderThroughRetriesAndHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tries, got seen
		b := open(t, eventing.BrokerConfig{Concurrency: 2, Backoff: time.Second}, eventing.Subscription{
			Name: "s", Types: []string{eventing.MemoryStored},
			Handler: taking(func(_ context.Context, e eventing.Event) error {
				if e.Subject == "slow" && tries.add(e.ID) <= 2 {
					return fault.New(fault.Unavailable, "not yet")
				}
				got.add(e.ID)
				return nil
			}),
		})
		var slow, fast []string
		for range 3 {
			e := anEvent(t, "slow")
			slow = append(slow, e.ID())
			if err := b.Publish(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 20 {
			e := anEvent(t, fmt.Sprint("fast", i%2))
			fast = append(fast, e.ID())
			if err := b.Publish(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		equal(t, "what came before the first second", len(got.all()), len(fast))
		time.Sleep(time.Minute) // the bubble's, which costs nothing
		equal(t, "what came after it, in order", got.all()[len(fast):], slow)
	})
}

func TestADeadLetterTellsTheAnswerInCharactersAHeaderMayHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reasons []string
		b := open(t, eventing.BrokerConfig{
			OnDead: func(letter []byte, _ string, _ int, reason string) {
				var attributes struct {
					Data string `json:"knativeerrordata"`
				}
				if err := json.Unmarshal(letter, &attributes); err != nil {
					t.Error(err)
				}
				reasons = append(reasons, reason, attributes.Data)
			},
		}, eventing.Subscription{
			Name: "s", Types: []string{eventing.MemoryStored},
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, "no\x00\n\xff\u00e4")
				_, _ = io.WriteString(w, strings.Repeat("x", 2000))
			}),
		})
		if err := b.Send(t.Context(), anEvent(t, "m1")); err != nil {
			t.Fatal(err)
		}
		want := "no    " + strings.Repeat("x", 1017)
		equal(t, "reasons", reasons, []string{want, want})
	})
}

func TestAFunctionOfTheProcessSeesAndAnswersWhatItWouldOverHTTP(t *testing.T) {
	t.Parallel()
	later := fault.New(fault.RateLimited, "too many")
	later.RetryAfter = 7 * time.Second
	for name, fails := range map[string]error{
		"done": nil, "done before": fault.New(fault.Conflict, "it is"), "refused": fault.BadField("event.data", "is odd\u00e4 %s", strings.Repeat("x", 2000)),
		"away": fault.New(fault.Unavailable, "away"), "later": later, "broken": errors.New("secret"), "over budget": fault.New(fault.OverBudget, "poor"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := anEvent(t, "m1")
				e.SetExtension("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
				run := func(wrap func(http.Handler) http.Handler) (told []string) {
					function := taking(func(ctx context.Context, e eventing.Event) error {
						told = append(told, fmt.Sprintf("%+v, data %s, trace %s", e, e.Data, telemetry.Traceparent(ctx)))
						copy(e.Data, "spoiled")
						return fails
					})
					b := open(t, eventing.BrokerConfig{RetryAfterMax: time.Minute, OnDead: func(letter []byte, _ string, status int, reason string) {
						told = append(told, fmt.Sprintf("dead %s, %d, %s", letter, status, reason))
					}}, eventing.Subscription{Name: "s", Types: []string{eventing.MemoryStored}, Handler: wrap(function)})
					if err := b.Send(t.Context(), e); err != nil {
						t.Fatal(err)
					}
					return told
				}
				began := time.Now()
				over := run(func(h http.Handler) http.Handler { return http.HandlerFunc(h.ServeHTTP) })
				took := time.Since(began)
				within := run(func(h http.Handler) http.Handler { return h })
				equal(t, "what was seen and told", within, over)
				equal(t, "time it took", time.Since(began), 2*took)
			})
		})
	}
}
