package httpapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
)

// overdraft is a fault with members, as budget.ExceededError is one.
type overdraft struct{ limit json.Number }

func (overdraft) Error() string         { return "secret cause" }
func (overdraft) FaultKind() fault.Kind { return fault.OverBudget }
func (overdraft) PublicMessage() string { return "the daily budget is used up" }
func (o overdraft) ProblemMembers() map[string]any {
	return map[string]any{"limit": o.limit, "status": "no"}
}

func answer(err error) *http.Response {
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	httpapi.WriteProblem(rec, r.WithContext(httpapi.Observe(r.Context(), func(error) {})), err)
	return rec.Result()
}

func TestEveryKindSurvivesTwoHops(t *testing.T) {
	t.Parallel()
	statuses := map[int]fault.Kind{}
	for _, kind := range fault.Kinds() {
		first := &fault.Error{
			Kind: kind, Message: "what happened", Err: errors.New("secret cause"), RetryAfter: 1500 * time.Millisecond,
			Fields: []fault.Field{{Location: "body.tags[1]", Message: "is bad"}},
		}
		hop := answer(first)
		if other, taken := statuses[hop.StatusCode]; taken {
			t.Errorf("%v and %v share status %d", kind, other, hop.StatusCode)
		}
		statuses[hop.StatusCode] = kind
		if hop.StatusCode < 400 || hop.StatusCode > 504 {
			t.Errorf("%v has status %d", kind, hop.StatusCode)
		}
		second := httpapi.ReadProblem(hop)
		third := httpapi.ReadProblem(answer(fmt.Errorf("ask the other: %w", second)))
		want := &fault.Error{Kind: kind, Message: "what happened", Fields: first.Fields, RetryAfter: 2 * time.Second}
		if kind == fault.Internal {
			want.Message = "internal error"
		}
		for _, got := range []error{second, third} {
			if !reflect.DeepEqual(got, error(want)) {
				t.Errorf("%v arrives as %#v", kind, got)
			}
		}
	}
}

func TestMembersSurviveTwoHops(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("reserve: %w", overdraft{"123.4500000000000000001"})
	for hop := range 2 {
		err = fmt.Errorf("hop %d: %w", hop, httpapi.ReadProblem(answer(err)))
	}
	var more fault.Detailed
	if !errors.As(err, &more) {
		t.Fatalf("no members in %#v", err)
	}
	want := map[string]any{"limit": json.Number("123.4500000000000000001")}
	if got := more.ProblemMembers(); !reflect.DeepEqual(got, want) {
		t.Errorf("members = %v, want %v", got, want)
	}
	if fault.KindOf(err) != fault.OverBudget || fault.Public(err) != "the daily budget is used up" {
		t.Errorf("%v: %s", fault.KindOf(err), fault.Public(err))
	}
}

func TestAProblemTellsNothingOfItsCause(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		errors.New("secret cause"),
		fault.Wrap(fault.Internal, errors.New("secret cause"), "secret cause"),
		fault.Wrap(fault.Unavailable, errors.New("secret cause"), "the store is away"),
		overdraft{"1"},
	} {
		if body := readBody(t, answer(err)); strings.Contains(body, "secret") {
			t.Errorf("%v is told: %s", err, body)
		}
	}
}

func TestAProblemIsExactlyTheDocument(t *testing.T) {
	t.Parallel()
	resp := answer(&fault.Error{
		Kind: fault.Invalid, Message: "query.limit is too large", Fields: []fault.Field{{Location: "query.limit", Message: "is too large"}},
	})
	const want = `{"detail":"query.limit is too large",` +
		`"error":{"message":"query.limit is too large","type":"invalid_request_error","param":"query.limit","code":"invalid"},` +
		`"errors":[{"location":"query.limit","message":"is too large"}],"status":422,` +
		`"title":"Unprocessable Entity","type":"urn:rae:problem:invalid"}` + "\n"
	if got := readBody(t, resp); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestUnauthenticatedSaysHowToAuthenticate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fails("/v1/locked", fault.New(fault.Unauthenticated, "no credential"), nil)
	for _, resp := range []*http.Response{w.get("/v1/locked"), answer(fault.New(fault.Unauthenticated, "no credential"))} {
		readProblem(t, resp, http.StatusUnauthorized)
		if got := resp.Header.Values("WWW-Authenticate"); !reflect.DeepEqual(got, []string{`Bearer realm="rae"`}) {
			t.Errorf("WWW-Authenticate = %q", got)
		}
	}
}

func TestAHandlersFaultIsItsProblemAndTheObserversError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	err := &fault.Error{Kind: fault.Unavailable, Message: "the store is away", RetryAfter: 3 * time.Second}
	w.fails("/v1/away", err, nil)
	resp := w.get("/v1/away")
	p, text := readProblem(t, resp, http.StatusServiceUnavailable)
	if p.Detail != "the store is away" || resp.Header.Get("Retry-After") != "3" {
		t.Errorf("%q, Retry-After %q", text, resp.Header.Get("Retry-After"))
	}
	if len(w.seen) != 1 || !errors.Is(w.seen[0], err) {
		t.Errorf("the observer saw %v", w.seen)
	}
}

func TestAnswersThatAreNoProblemDocuments(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		status      int
		media, body string
		kind        fault.Kind
	}{
		{502, "text/html", "<h1>proxy</h1>", fault.Unavailable},
		{503, "", "", fault.Unavailable},
		{504, "text/plain", "x", fault.Timeout},
		{408, "application/problem+json", `{"type":"urn:rae:problem:request_timeout","detail":"slow"}`, fault.Timeout},
		{405, "application/problem+json", `{"type":"urn:rae:problem:method_not_allowed","detail":"no"}`, fault.Invalid},
		{404, "application/json", `{"type":"urn:rae:problem:denied"}`, fault.NotFound},
		{404, "application/problem+json", `{"type":`, fault.NotFound},
		{404, "application/problem+json", `[]`, fault.NotFound},
		{409, "application/problem+json; charset=utf-8", `{"type":"about:blank","status":409}`, fault.Conflict},
		{301, "text/html", "", fault.Internal},
		{418, "", "", fault.Invalid},
	} {
		resp := &http.Response{
			StatusCode: row.status,
			Header:     http.Header{"Content-Type": {row.media}, "Retry-After": {"99999999"}},
			Body:       io.NopCloser(strings.NewReader(row.body)),
		}
		err := httpapi.ReadProblem(resp)
		if err == nil || fault.KindOf(err) != row.kind || strings.Contains(err.Error(), "proxy") {
			t.Errorf("%d %q is %v (%v), want %v", row.status, row.body, fault.KindOf(err), err, row.kind)
		}
		if got := fault.RetryAfterOf(err); got != 24*time.Hour {
			t.Errorf("%d waits %v", row.status, got)
		}
	}
	if err := httpapi.ReadProblem(&http.Response{StatusCode: 204, Body: http.NoBody}); err != nil {
		t.Errorf("204 is %v", err)
	}
}

func TestAnInternalErrorNobodyObservesIsLogged(t *testing.T) { // not parallel: it borrows the default logger
	var log bytes.Buffer
	standing := slog.Default()
	defer slog.SetDefault(standing)
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	httpapi.WriteProblem(httptest.NewRecorder(), r, fault.New(fault.NotFound, "expected"))
	httpapi.WriteProblem(httptest.NewRecorder(), r, errors.New("disk gone"))
	if got := log.String(); !strings.Contains(got, "disk gone") || strings.Contains(got, "expected") {
		t.Errorf("the log says %q", got)
	}
}
