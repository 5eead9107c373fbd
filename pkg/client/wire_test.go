package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/client"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

// dial returns a client of a real server that answers with handle.
func dial(t *testing.T, o client.Options, handle http.HandlerFunc) *client.Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFaultsSurviveTheWire(t *testing.T) {
	t.Parallel()
	for _, kind := range fault.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			told := fault.New(kind, "what happened")
			told.Fields = []fault.Field{{Location: "body.content", Message: "is required"}}
			c := dial(t, client.Options{Retries: -1}, func(w http.ResponseWriter, r *http.Request) { httpapi.WriteProblem(w, r, told) })
			_, err := c.Get(t.Context(), memory.NewID(), memory.View{})
			if fault.KindOf(err) != kind || fault.Public(err) != fault.Public(told) || !reflect.DeepEqual(fault.FieldsOf(err), told.Fields) {
				t.Errorf("got %v: %q %v", fault.KindOf(err), fault.Public(err), fault.FieldsOf(err))
			}
		})
	}
}

func TestARefusalSurvivesTheWire(t *testing.T) {
	t.Parallel()
	scope := memory.Scope{Tenant: "acme", Project: "p"}
	for _, want := range []budget.ExceededError{
		{Period: budget.Daily, Limit: int64(budget.MaxCost), Usage: 1, Reserved: 376_550_000_000, Requested: 100_000_000, OnExhausted: budget.Degrade},
		{Period: budget.MonthlyTokens, Limit: 1 << 62, Usage: 1<<53 + 1, Reserved: 0, Requested: 7, OnExhausted: budget.Reject},
	} {
		want.Scope, want.ResetsAt = scope, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
		c := dial(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) { httpapi.WriteProblem(w, r, &want) })
		_, err := c.Ledger().Reserve(t.Context(), scope, budget.Request{Operation: "chat", Model: "m"})
		var got *budget.ExceededError
		if !errors.As(err, &got) || !reflect.DeepEqual(*got, want) {
			t.Errorf("got %+v, want %+v", err, want)
		}
	}
}

func TestAProxysPageIsNotTrusted(t *testing.T) {
	t.Parallel()
	c := dial(t, client.Options{Retries: -1}, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprint(w, "<html>secrets of the proxy</html>")
	})
	_, err := c.Get(t.Context(), memory.NewID(), memory.View{})
	if fault.KindOf(err) != fault.Unavailable || strings.Contains(err.Error(), "secrets") {
		t.Errorf("got %v (%v), want unavailable without the page", err, fault.KindOf(err))
	}
}

func TestWhoSpeaksIsSaidAndNeverCarriedElsewhere(t *testing.T) {
	t.Parallel()
	for _, o := range []client.Options{
		{Tenant: "acme", Project: "travel", APIKey: "k"}, {Tenant: "acme", Bearer: "b"},
	} {
		var elsewhere bool
		other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere = true }))
		defer other.Close()
		var got http.Header
		c := dial(t, o, func(w http.ResponseWriter, r *http.Request) {
			got = r.Header
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		})
		_, err := c.Get(t.Context(), memory.NewID(), memory.View{})
		if err == nil || elsewhere {
			t.Errorf("a redirect was followed: %v", err)
		}
		want := []string{o.Tenant, o.Project, o.APIKey, strings.TrimSpace("Bearer " + o.Bearer)}
		if o.Bearer == "" {
			want[3] = ""
		}
		if have := []string{got.Get("X-Tenant-ID"), got.Get("X-Project-ID"), got.Get("X-API-Key"), got.Get("Authorization")}; !reflect.DeepEqual(have, want) {
			t.Errorf("headers %q, want %q", have, want)
		}
	}
}

func TestWhatCannotBeAnAddressIsRefused(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "localhost:8080", "ftp://x", "http://", "http://user:secret@x", "http://x?y=z", "http://[::1"} {
		if _, err := client.New(address, client.Options{}); fault.KindOf(err) != fault.Invalid || err == nil {
			t.Errorf("%q: got %v, want invalid", address, err)
		}
	}
	if _, err := client.New("http://x", client.Options{APIKey: "a", Bearer: "b"}); fault.KindOf(err) != fault.Invalid || err == nil {
		t.Errorf("two credentials: got %v, want invalid", err)
	}
}

func TestAListAsksForWhatItsFilterSays(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 3, 1, 9, 0, 0, 0, time.FixedZone("", 3600))
	var got []string
	c := dial(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.URL.Query().Encode())
		next := ""
		if len(got) == 1 {
			next = "further"
		}
		fmt.Fprintf(w, `{"memories":[{"id":"m%d","metadata":{"n":9007199254740993}}],"next_cursor":%q}`, len(got), next)
	})
	f := memory.Filter{Layers: []memory.Layer{memory.Semantic, memory.LongTerm}, Tags: []string{"a b", "ü"}, UserID: "u", Since: &since, MinImportance: 0.25}
	var ids []memory.ID
	for m, err := range c.All(t.Context(), client.Listing{Filter: f, Limit: 7}) {
		if err != nil {
			t.Fatal(err)
		}
		if ids = append(ids, m.ID); fmt.Sprint(m.Metadata["n"]) != "9007199254740993" {
			t.Errorf("metadata %v lost digits", m.Metadata)
		}
	}
	first := "layer=semantic&layer=longterm&limit=7&min_importance=0.25&since=2026-03-01T08%3A00%3A00Z&tag=a+b&tag=%C3%BC&user_id=u"
	want := []string{first, "cursor=further&" + first}
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(ids, []memory.ID{"m1", "m2"}) {
		t.Errorf("got %q and %q, want %q", got, ids, want)
	}
	if _, err := c.List(t.Context(), client.Listing{Filter: memory.Filter{Metadata: memory.Metadata{"a": 1}}}); fault.KindOf(err) != fault.Invalid || err == nil {
		t.Errorf("a filter no list takes: got %v, want invalid", err)
	}
}

func TestAnImportIsReadWhileItIsSent(t *testing.T) {
	t.Parallel()
	taken := make(chan struct{})
	c := dial(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) {
		line := make([]byte, 3)
		if _, err := io.ReadFull(r.Body, line); err != nil {
			t.Errorf("first line: %v", err)
		}
		close(taken)
		rest, _ := io.ReadAll(r.Body)
		w.Header().Set("X-RAE-Consistency", "token")
		fmt.Fprintf(w, `{"lines":%d}`, 1+bytes.Count(rest, []byte("\n")))
	})
	r, w := io.Pipe()
	go func() {
		fmt.Fprint(w, "{}\n")
		<-taken // the first line is there before the second is written: nothing was gathered
		fmt.Fprint(w, "{}\n")
		w.Close() //nolint:errcheck // never fails
	}()
	got, err := c.Import(t.Context(), r)
	if want := (client.Imported{Summary: ingest.Summary{Lines: 2}, Consistency: "token"}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestAnImportThatWasInterruptedTellsHowFarItCame(t *testing.T) {
	t.Parallel()
	summary := ingest.Summary{Lines: 3, Created: 2, Refused: 1, Errors: []ingest.LineError{{Line: 2, Reason: "no"}}}
	c := dial(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) {
		httpapi.WriteProblem(w, r, &ingest.Interrupted{Summary: summary, Err: fault.New(fault.Unavailable, "the store went away")})
	})
	got, err := c.Import(t.Context(), strings.NewReader("{}\n"))
	if fault.KindOf(err) != fault.Unavailable || !reflect.DeepEqual(got.Summary, summary) {
		t.Errorf("got %+v, %v, want %+v and unavailable", got.Summary, err, summary)
	}
}

func TestHalfAnExportIsNoExport(t *testing.T) {
	t.Parallel()
	c := dial(t, client.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `{"id":"1"}`)
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		panic(http.ErrAbortHandler)
	})
	var out strings.Builder
	n, err := c.Export(t.Context(), memory.Filter{}, memory.View{}, &out)
	if fault.KindOf(err) != fault.Unavailable || err == nil || n != int64(out.Len()) {
		t.Errorf("got %d bytes, %v, want unavailable", n, err)
	}
	full := errors.New("disk full")
	c = dial(t, client.Options{}, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, `{"id":"1"}`) })
	if _, err := c.Export(t.Context(), memory.Filter{}, memory.View{}, failing{full}); !errors.Is(err, full) {
		t.Errorf("got %v, want the writer's own error", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
