package store_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

func (w *world) remembered(content string) string {
	w.t.Helper()
	var m memory.Memory
	if r := w.do("POST", "/v1/memories", `{"content":"`+content+`"}`); json.Unmarshal(r.Body.Bytes(), &m) != nil || m.ID == "" {
		w.t.Fatalf("stored %s", r.Body)
	}
	return "/v1/memories/" + string(m.ID)
}

func TestFeedbackCountsOnceUnderItsKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.remembered("a")
	say := func(body, key string) ingest.Rated {
		t.Helper()
		var rated ingest.Rated
		r := w.do("POST", path+"/feedback", body, "Idempotency-Key", key)
		if r.Code != http.StatusOK || json.Unmarshal(r.Body.Bytes(), &rated) != nil {
			t.Fatalf("%s: %d %s", body, r.Code, r.Body)
		}
		return rated
	}
	for range 3 {
		if got := say(`{"helpful":true,"query":"what?","comment":"yes\nindeed"}`, "k"); got.Helpful != 1 || got.Score != 1 {
			t.Errorf("under the key: %+v", got)
		}
	}
	say(`{"helpful":false}`, "")
	say(`{"score":0.25}`, "")
	if got := say(`{"score":-0.5}`, ""); got.Helpful != 2 || got.Unhelpful != 2 || got.Score != -0.25 {
		t.Errorf("in all: %+v", got)
	}
	if r := w.do("POST", path+"/feedback", `{"helpful":false}`, "Idempotency-Key", "k"); r.Code != http.StatusConflict {
		t.Errorf("other feedback under the key: %d", r.Code)
	}
	var use struct {
		memory.Use
		Importance struct{ Stands, Target float64 }
	}
	r := w.do("GET", path+"/use", "")
	if r.Code != http.StatusOK || json.Unmarshal(r.Body.Bytes(), &use) != nil || use.Helpful != 2 || len(use.Recent) != 4 ||
		use.Recent[3].Comment != "yes\nindeed" || use.Importance.Stands == use.Importance.Target {
		t.Errorf("use: %d %s", r.Code, r.Body)
	}
}

func TestFeedbackThatCannotBeMeantIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.remembered("a")
	for body, status := range map[string]int{
		`{}`:                         http.StatusUnprocessableEntity,
		`{"helpful":true,"score":1}`: http.StatusUnprocessableEntity,
		`{"score":1.01}`:             http.StatusUnprocessableEntity,
		`{"score":-1e300}`:           http.StatusUnprocessableEntity,
		`{"score":NaN}`:              http.StatusBadRequest,
		`{"score":"1"}`:              http.StatusUnprocessableEntity,
		`{"helpful":null}`:           http.StatusUnprocessableEntity,
		`{"helpful":true,"why":"x"}`: http.StatusBadRequest,
		`{"helpful":true,"comment":"` + strings.Repeat("x", 2001) + `"}`:   http.StatusUnprocessableEntity,
		`{"helpful":true,"query":"` + strings.Repeat("x", 4097) + `"}`:     http.StatusUnprocessableEntity,
		`{"helpful":true,"request_id":"` + strings.Repeat("x", 257) + `"}`: http.StatusUnprocessableEntity,
	} {
		if r := w.do("POST", path+"/feedback", body); r.Code != status {
			t.Errorf("%.60s: %d %s", body, r.Code, r.Body)
		}
	}
	missing := w.do("POST", "/v1/memories/"+string(memory.NewID())+"/feedback", `{"helpful":true}`)
	foreign := w.do("POST", path+"/feedback", `{"helpful":true}`, "X-Tenant-ID", "rival")
	if missing.Code != http.StatusNotFound || foreign.Code != http.StatusNotFound || problem(t, missing) != problem(t, foreign) {
		t.Errorf("missing %s, foreign %s", missing.Body, foreign.Body)
	}
	if r := w.do("GET", path+"/use", "", "X-Tenant-ID", "rival"); r.Code != http.StatusNotFound {
		t.Errorf("the use of a foreign memory: %d %s", r.Code, r.Body)
	}
}

// problem is what a problem document says, without what names the request.
func problem(t *testing.T, r interface{ Result() *http.Response }) string {
	t.Helper()
	var p struct{ Type, Title, Detail string }
	if err := json.NewDecoder(r.Result().Body).Decode(&p); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(p)
}

func TestTenThousandOpinionsOfOneMemoryAreOneRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.remembered("a")
	for i := range 10_000 {
		if r := w.do("POST", path+"/feedback", fmt.Sprintf(`{"helpful":%t,"comment":"%d"}`, i%2 == 0, i)); r.Code != http.StatusOK {
			t.Fatalf("%d: %d %s", i, r.Code, r.Body)
		}
	}
	var use memory.Use
	r := w.do("GET", path+"/use", "")
	if json.Unmarshal(r.Body.Bytes(), &use) != nil || use.Helpful != 5000 || use.Unhelpful != 5000 || use.Score != 0 || len(use.Recent) != 20 || len(r.Body.Bytes()) > 8192 {
		t.Errorf("%d bytes: %s", r.Body.Len(), r.Body)
	}
}
