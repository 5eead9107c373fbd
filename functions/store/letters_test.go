package store_test

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// refused posts the event as a Knative broker posts what a subscriber would not take.
func (w *world) refused(r outbox.Record, dest, code, data string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.deliver(r, "Ce-Knativeerrordest", dest, "Ce-Knativeerrorcode", code, "Ce-Knativeerrordata", data)
}

func TestABrokersDeadLettersCanBeReadAndSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.begin("count")
	r := due(j)
	for range 2 { // a broker may post it twice
		if a := w.refused(r, "http://rae-store.rae.svc.cluster.local", "422", "eyJkZXRhaWwiOiJubyJ9"); a.Code != http.StatusNoContent {
			t.Fatalf("answered %d %s", a.Code, a.Body)
		}
	}
	if a := w.refused(r, "http://rae-search.rae.svc.cluster.local", "400", "line one\nline two"); a.Code != http.StatusNoContent {
		t.Fatalf("answered %d %s", a.Code, a.Body)
	}
	want := []any{map[string]any{
		"id": r.ID, "type": "job.due", "tenant_id": "acme", "project_id": "default", "subject": string(j.ID), "attempts": 1.0,
		"data": map[string]any{"job_id": string(j.ID), "kind": "count"}, "time": start.Format(time.RFC3339),
		"reason": `http://rae-store.rae.svc.cluster.local answered 422: {"detail":"no"}; http://rae-search.rae.svc.cluster.local answered 400: line one line two`,
	}}
	letters := w.must(http.StatusOK, "GET", "/v1/dead-letters", "")
	if !reflect.DeepEqual(letters["dead_letters"], want) || letters["total"] != 1.0 {
		t.Errorf("dead letters\n got %v\nwant %v", letters, want)
	}
	if job := w.must(http.StatusOK, "GET", "/v1/jobs/"+string(j.ID), ""); job["status"] != "queued" {
		t.Errorf("a dead letter was taken for the event: the job is %v", job["status"])
	}

	path := "/v1/dead-letters/" + r.ID + "/replay"
	waiting := letters["waiting"].(float64)
	w.must(http.StatusAccepted, "POST", path, "")
	if got := w.must(http.StatusOK, "GET", "/v1/dead-letters", ""); got["total"] != 0.0 || got["waiting"] != waiting+1 {
		t.Errorf("after the replay: %v", got)
	}
	w.must(http.StatusNotFound, "POST", path, "")
	w.must(http.StatusUnprocessableEntity, "POST", "/v1/dead-letters/ping-1/replay", "")
}

// A clock event has no record; it comes again by itself.
func TestADeadClockEventIsTakenAndForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("{}"))
	for name, value := range map[string]string{
		"Ce-Id": "ping-1", "Ce-Source": "/apis/v1/namespaces/rae/pingsources/rae-drain", "Ce-Specversion": "1.0", "Ce-Type": eventing.Ping,
		"Ce-Raeclock": "drain.due", "Ce-Knativeerrorcode": "503", "Content-Type": "application/json",
	} {
		request.Header.Set(name, value)
	}
	request.RemoteAddr, request.Host = "127.0.0.1:50000", "127.0.0.1"
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, request)
	if answer.Code != http.StatusNoContent {
		t.Errorf("answered %d %s", answer.Code, answer.Body)
	}
	if got := w.must(http.StatusOK, "GET", "/v1/dead-letters", ""); got["total"] != 0.0 {
		t.Errorf("dead letters: %v", got)
	}
}

func TestDeadLettersAreTheAdministrators(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ method, path string }{
		{"GET", "/v1/dead-letters"}, {"POST", "/v1/dead-letters/" + string(memory.NewID()) + "/replay"},
	} {
		if a := w.do(c.method, c.path, "", "X-Forwarded-For", "203.0.113.7"); a.Code != http.StatusForbidden {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.Code, a.Body)
		}
	}
}
