package eventing_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/fault"
)

func TestAnEventCrossesTheWireInBinaryMode(t *testing.T) {
	t.Parallel()
	var got eventing.Event
	var mode string
	broker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mode = r.Header.Get("Ce-Specversion")
		e, err := eventing.Decode(r.Header, r.Body)
		if err != nil {
			t.Error(err)
		}
		got = e
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(broker.Close)
	e := anEvent(t, "m1")
	if err := (&eventing.HTTPSender{URL: broker.URL, Client: broker.Client()}).Send(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	equal(t, "mode", mode, "1.0")
	equal(t, "event", got, eventing.Event{
		ID: e.ID(), Source: "/rae/store", Type: eventing.MemoryStored, Subject: "m1", Scope: scope, Time: noon, Data: e.Data(),
	})
}

func TestABrokersAnswerDecidesWhetherAnEventMayBeSentAgain(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status int
		kind   fault.Kind
	}{
		{400, fault.Malformed}, {401, fault.Denied}, {403, fault.Denied}, {404, fault.Unavailable}, {409, fault.Unavailable},
		{413, fault.TooLarge}, {415, fault.Unsupported}, {422, fault.Invalid}, {429, fault.RateLimited}, {500, fault.Unavailable}, {503, fault.Unavailable},
	} {
		t.Run(http.StatusText(tc.status), func(t *testing.T) {
			t.Parallel()
			broker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(tc.status)
			}))
			t.Cleanup(broker.Close)
			err := (&eventing.HTTPSender{URL: broker.URL, Client: broker.Client()}).Send(t.Context(), anEvent(t, "m1"))
			equal(t, "kind", fault.KindOf(err), tc.kind)
			equal(t, "wait", fault.RetryAfterOf(err), 7*time.Second)
		})
	}
	for _, status := range []int{200, 202, 204} {
		broker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(broker.Close)
		if err := (&eventing.HTTPSender{URL: broker.URL, Client: broker.Client()}).Send(t.Context(), anEvent(t, "m1")); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestABrokerThatIsAwayOrHangsIsUnavailable(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(hangs.Close)
	t.Cleanup(func() { close(release) })
	err := (&eventing.HTTPSender{URL: hangs.URL, Client: hangs.Client(), Timeout: 20 * time.Millisecond}).Send(t.Context(), anEvent(t, "m1"))
	equal(t, "kind of one that hangs", fault.KindOf(err), fault.Unavailable)
	gone := httptest.NewServer(nil)
	gone.Close()
	err = (&eventing.HTTPSender{URL: gone.URL, Client: gone.Client()}).Send(t.Context(), anEvent(t, "m1"))
	equal(t, "kind of one that is away", fault.KindOf(err), fault.Unavailable)
}
