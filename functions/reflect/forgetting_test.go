package reflect_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/rae-memory/rae/pkg/memory"
)

func TestForgettingOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.must(http.StatusOK, "GET", "/v1/forgetting", ""); len(got["policies"].([]any)) != 6 || got["grace_days"] != 30.0 {
		t.Errorf("by default %v", got)
	}
	set := w.must(http.StatusOK, "PUT", "/v1/forgetting", `{"policies":[{"layer":"episodic","mode":"archive","after_days":1,"below_importance":0.6}],"grace_days":3}`)
	if got := fmt.Sprint(set["policies"].([]any)[1], set["grace_days"]); got != "map[after_days:1 below_importance:0.6 layer:episodic mode:archive] 3" {
		t.Errorf("set %s", got)
	}
	if got := w.must(http.StatusOK, "GET", "/v1/forgetting", ""); fmt.Sprint(got) != fmt.Sprint(set) {
		t.Errorf("read %v, set %v", got, set)
	}
	if other := w.must(http.StatusOK, "GET", "/v1/forgetting", "", "X-Tenant-ID", "rival"); fmt.Sprint(other) == fmt.Sprint(set) {
		t.Error("another tenant reads the policies")
	}
	w.tell(shop)
	rehearsed := w.must(http.StatusOK, "POST", "/v1/forgetting/run", `{"dry_run":true}`)["dry_run"].(map[string]any)
	if rehearsed["looked"] != 5.0 || rehearsed["archive"] != 0.0 || rehearsed["whole"] != true {
		t.Errorf("rehearsed %v", rehearsed)
	}
	run := w.must(http.StatusOK, "POST", "/v1/forgetting/run", `{"wait":true}`, "Idempotency-Key", "k")["run"].(map[string]any)
	again := w.must(http.StatusOK, "POST", "/v1/forgetting/run", `{"wait":true}`, "Idempotency-Key", "k")["run"].(map[string]any)
	if run["kind"] != "forget" || run["status"] != "succeeded" || run["id"] != again["id"] {
		t.Errorf("ran %v, again %v", run, again)
	}
	w.must(http.StatusConflict, "POST", "/v1/forgetting/run", `{}`, "Idempotency-Key", "k")
	queued := w.must(http.StatusAccepted, "POST", "/v1/forgetting/run", `{}`)["run"].(map[string]any)
	w.deliver()
	if done := w.must(http.StatusOK, "GET", fmt.Sprint("/v1/reflections/", queued["id"]), ""); done["status"] != "succeeded" {
		t.Errorf("by event it is %v", done)
	}
	undone := w.must(http.StatusOK, "POST", fmt.Sprintf("/v1/forgetting/%s/undo", run["id"]), "")["run"].(map[string]any)
	if undone["forgetting"].(map[string]any)["undo_of"] != run["id"] {
		t.Errorf("undone %v", undone)
	}
	if runs := w.must(http.StatusOK, "GET", "/v1/forgetting/runs?limit=2", ""); len(runs["runs"].([]any)) != 2 || runs["next_cursor"] == "" {
		t.Errorf("runs %v", runs)
	}
	w.must(http.StatusNotFound, "POST", fmt.Sprintf("/v1/forgetting/%s/undo", run["id"]), "", "X-Tenant-ID", "rival")
	w.must(http.StatusNotFound, "POST", fmt.Sprintf("/v1/forgetting/%s/undo", memory.NewID()), "")
	w.must(http.StatusUnprocessableEntity, "POST", "/v1/forgetting/no-id/undo", "")
	w.must(http.StatusUnprocessableEntity, "POST", "/v1/reflections", `{"kind":"forget"}`)
}

func TestPoliciesThatCannotBeMeantAreRefusedOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for body, status := range map[string]int{
		`{"policies":[{"layer":"episodic","mode":"archive"}]}`:                                         http.StatusUnprocessableEntity,
		`{"policies":[{"layer":"episodic","mode":"archive","after_days":-1}]}`:                         http.StatusUnprocessableEntity,
		`{"policies":[{"layer":"episodic","mode":"archive","after_days":1e300}]}`:                      http.StatusUnprocessableEntity,
		`{"policies":[{"layer":"episodic","mode":"archive","after_days":NaN}]}`:                        http.StatusBadRequest,
		`{"policies":[{"layer":"episodic","mode":"archive","after_days":1,"below_importance":-0.5}]}`:  http.StatusUnprocessableEntity,
		`{"policies":[{"layer":"episodic","mode":"archive","after_days":1,"below_importance":1e999}]}`: http.StatusUnprocessableEntity,
		`{"policies":[{"layer":"episodic","after_days":1,"shred":true}]}`:                              http.StatusBadRequest,
		`{"policies":[{"layer":"all","mode":"off"}]}`:                                                  http.StatusUnprocessableEntity,
		`{"grace_days":-3,"policies":[]}`:                                                              http.StatusUnprocessableEntity,
	} {
		if got, _, raw := w.do("PUT", "/v1/forgetting", body); got != status {
			t.Errorf("%s: %d %s", body, got, raw)
		}
	}
}
