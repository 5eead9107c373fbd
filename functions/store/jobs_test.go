package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

var shop = memory.Scope{Tenant: "acme", Project: "default"}

// begin queues a job of three steps.
func (w *world) begin(kind string) job.Job {
	w.t.Helper()
	j, _, err := w.function.Jobs.Start(w.t.Context(), shop, kind, map[string]int{"to": 3}, 3, memory.Key{})
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

// count is a handler that does three steps.
func count(_ context.Context, s *job.Slice) (bool, error) {
	s.Progress.Done++
	return s.Progress.Done == 3, s.GoOn(s.Progress.Done)
}

// due is the event that wakes a worker for the job.
func due(j job.Job) outbox.Record {
	data, _ := json.Marshal(eventing.JobCall{JobID: j.ID, Kind: j.Kind})
	return outbox.Record{
		ID: string(memory.NewID()), Type: outbox.JobDue, Tenant: j.TenantID, Project: j.ProjectID, Subject: string(j.ID), Data: data, Time: start,
	}
}

func TestAJobIsSeenAndDoneByEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.begin("count")
	path := "/v1/jobs/" + string(j.ID)
	at := start.Format(time.RFC3339)
	want := map[string]any{
		"id": string(j.ID), "tenant_id": "acme", "project_id": "default", "kind": "count", "status": "queued",
		"arguments": map[string]any{"to": 3.0}, "progress": map[string]any{"done": 0.0, "total": 3.0}, "attempts": 0.0,
		"created_at": at, "updated_at": at,
	}
	if got := w.must(http.StatusOK, "GET", path, ""); !reflect.DeepEqual(got, want) {
		t.Errorf("queued\n got %v\nwant %v", got, want)
	}
	for range 2 { // delivered again, it finds nothing to do
		if answer := w.deliver(due(j)); answer.Code != http.StatusNoContent {
			t.Errorf("answered %d %s", answer.Code, answer.Body)
		}
		want["status"], want["progress"], want["finished_at"] = "succeeded", map[string]any{"done": 3.0, "total": 3.0}, at
		if got := w.must(http.StatusOK, "GET", path, ""); !reflect.DeepEqual(got, want) {
			t.Errorf("done\n got %v\nwant %v", got, want)
		}
	}
	if answer := w.deliver(due(job.Job{ID: memory.NewID(), TenantID: "acme", ProjectID: "default", Kind: "count"})); answer.Code != http.StatusNoContent {
		t.Errorf("an event of a job that is gone: %d", answer.Code)
	}
}

func TestTheClockGoesOnWithJobsNobodyIsWokenFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.begin("count")
	tick, err := eventing.Due(eventing.DrainDue, eventing.Tick{}, start)
	if err != nil {
		t.Fatal(err)
	}
	if answer := w.deliver(tick); answer.Code != http.StatusNoContent {
		t.Errorf("answered %d %s", answer.Code, answer.Body)
	}
	if got := w.must(http.StatusOK, "GET", "/v1/jobs/"+string(j.ID), ""); got["status"] != "succeeded" {
		t.Errorf("stands as %v", got)
	}
}

func TestJobsPageAndFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want []any
	for i := range 5 {
		want = append([]any{string(w.begin([]string{"count", "sum"}[i%2]).ID)}, want...)
	}
	var got []any
	for cursor, pages := "", 0; ; pages++ {
		page := w.must(http.StatusOK, "GET", "/v1/jobs?limit=2&cursor="+cursor, "")
		for _, j := range page["jobs"].([]any) {
			got = append(got, j.(map[string]any)["id"])
		}
		if cursor = page["next_cursor"].(string); cursor == "" {
			break
		}
		if pages == 0 {
			w.must(http.StatusUnprocessableEntity, "GET", "/v1/jobs?cursor="+cursor, "", "X-Tenant-ID", "rival")
			w.must(http.StatusUnprocessableEntity, "GET", "/v1/memories?cursor="+cursor, "")
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	w.must(http.StatusOK, "DELETE", "/v1/jobs/"+want[0].(string), "")
	for query, n := range map[string]int{"kind=sum": 2, "status=queued": 4, "status=cancelled&kind=count": 1, "kind=other": 0} {
		if page := w.must(http.StatusOK, "GET", "/v1/jobs?"+query, ""); len(page["jobs"].([]any)) != n {
			t.Errorf("%s: %v", query, page)
		}
	}
	w.must(http.StatusUnprocessableEntity, "GET", "/v1/jobs?status=asleep", "")
	w.must(http.StatusUnprocessableEntity, "GET", "/v1/jobs?limit=0", "")
}

func TestAJobIsCalledOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.begin("count")
	path := "/v1/jobs/" + string(j.ID)
	for range 2 { // the second time it has been done
		if got := w.must(http.StatusOK, "DELETE", path, ""); got["status"] != "cancelled" || got["finished_at"] == nil {
			t.Errorf("cancelled as %v", got)
		}
	}
	w.deliver(due(j))
	if got := w.must(http.StatusOK, "GET", path, ""); got["status"] != "cancelled" || got["progress"].(map[string]any)["done"] != 0.0 {
		t.Errorf("it was worked on: %v", got)
	}
	done := w.begin("count")
	w.deliver(due(done))
	w.must(http.StatusConflict, "DELETE", "/v1/jobs/"+string(done.ID), "")
}

func TestAJobOfAnotherIsNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.begin("count").ID
	for _, stranger := range [][]string{{"X-Tenant-ID", "rival"}, {"X-Project-ID", "other"}} {
		for _, method := range []string{"GET", "DELETE"} {
			w.must(http.StatusNotFound, method, "/v1/jobs/"+string(id), "", stranger...)
		}
		if page := w.must(http.StatusOK, "GET", "/v1/jobs", "", stranger...); len(page["jobs"].([]any)) != 0 {
			t.Errorf("%v lists %v", stranger, page)
		}
	}
	w.must(http.StatusNotFound, "GET", fmt.Sprint("/v1/jobs/", memory.NewID()), "")
	w.must(http.StatusUnprocessableEntity, "GET", "/v1/jobs/7", "")
}
