package reflect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/eventing"
	function "github.com/rae-memory/rae/functions/reflect"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/learn"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
)

// world is the function behind a real server, over a store in memory.
type world struct {
	*testing.T
	url     string
	db      *inmem.DB
	service *reflection.Service
	learner *learn.Learner
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, db: inmem.New(inmem.Options{})}
	w.service = &reflection.Service{Memories: w.db, Writer: w.db, Keeper: w.db, Store: inmem.NewReflections(w.db)}
	f := function.New(w.service, llm.None{}, slog.New(slog.DiscardHandler))
	w.learner = &learn.Learner{Store: inmem.NewFacts(w.db)}
	f.Learner = w.learner
	mux := http.NewServeMux()
	f.Register(httpapi.New(mux, "test"))
	mux.Handle("/{$}", f.Events())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// texts make one insight.
var texts = []string{
	"The harbour crane stopped because the hydraulic pump leaked.",
	"Again the hydraulic pump of the harbour crane leaked, this time at noon.",
	"A new hydraulic pump for the harbour crane arrives on Thursday.",
	"Until the hydraulic pump is replaced, the harbour crane lifts half the load.",
	"Lunch was late.",
}

// tell stores the texts in a project and returns the memories.
func (w *world) tell(scope memory.Scope) []memory.Memory {
	w.Helper()
	var all []memory.Memory
	err := w.db.Write(w.Context(), scope, func(tx memory.Tx) error {
		all = nil
		for _, text := range texts {
			m, _, err := tx.Put(w.Context(), memory.Memory{Content: text, Layer: memory.Episodic, Importance: 0.5}, memory.Why{})
			if err != nil {
				return err
			}
			all = append(all, m)
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return all
}

// deliver sends every waiting record of the outbox to the function as its event, and returns their types.
func (w *world) deliver() map[string]int {
	w.Helper()
	types := map[string]int{}
	for {
		records, err := w.db.Claim(w.Context(), 100, time.Minute)
		if err != nil {
			w.Fatal(err)
		}
		if len(records) == 0 {
			return types
		}
		for _, record := range records {
			types[record.Type]++
			if status := w.event(record); status >= 300 {
				w.Errorf("%s %s: %d", record.Type, record.Data, status)
			}
			if err := w.db.Done(w.Context(), []string{record.ID}); err != nil {
				w.Fatal(err)
			}
		}
	}
}

// event posts a record as an event and returns the answer's status.
func (w *world) event(record outbox.Record) int {
	w.Helper()
	e, err := eventing.FromRecord(record, "")
	if err != nil {
		w.Fatalf("%s %s: %v", record.Type, record.Data, err)
	}
	header, body, err := eventing.Encode(w.Context(), e)
	if err != nil {
		w.Fatal(err)
	}
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.url+"/", strings.NewReader(string(body)))
	if err != nil {
		w.Fatal(err)
	}
	r.Header = header
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // nothing is read of it
	return response.StatusCode
}

// do sends a request of tenant acme; headers are pairs and replace the tenant.
func (w *world) do(method, path, body string, headers ...string) (int, map[string]any, string) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("X-Tenant-ID", "acme")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		w.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		w.Fatalf("%s %s: %v in %s", method, path, err, raw)
	}
	return response.StatusCode, object, string(raw)
}

// must is do with a status that must come.
func (w *world) must(status int, method, path, body string, headers ...string) map[string]any {
	w.Helper()
	got, object, raw := w.do(method, path, body, headers...)
	if got != status {
		w.Fatalf("%s %s: got %d %s, want %d", method, path, got, raw, status)
	}
	return object
}

var shop = memory.Scope{Tenant: "acme", Project: "default"}

func TestWaitingAnswersWithTheReflection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tell(shop)
	got := w.must(http.StatusOK, "POST", "/v1/reflections", `{"wait":true}`)
	for _, changing := range []string{"id", "memory_ids", "sources", "created_at", "finished_at"} {
		if got[changing] == nil || reflect.DeepEqual(got[changing], []any{}) {
			t.Errorf("%s is %v", changing, got[changing])
		}
		delete(got, changing)
	}
	want := map[string]any{
		"tenant_id": "acme", "project_id": "default", "kind": "insight", "filters": map[string]any{}, "status": "succeeded",
		"method": "extractive", "degraded": []any{}, "stale": false,
		"calls": 0.0, "tokens_in": 0.0, "tokens_out": 0.0, "cost": 0.0,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
}

func TestQueuedWorkIsDoneByEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tell(shop)
	queued := w.must(http.StatusAccepted, "POST", "/v1/reflections", `{"kind":"insight"}`)
	if queued["status"] != "queued" || queued["finished_at"] != nil {
		t.Errorf("queued as %v", queued)
	}
	types := w.deliver()
	if types["memory.derived"] != 1 || types["reflection.created"] != 1 || types["reflection.due"] != 1 {
		t.Errorf("told %v", types)
	}
	if done := w.must(http.StatusOK, "GET", fmt.Sprint("/v1/reflections/", queued["id"]), ""); done["status"] != "succeeded" || len(done["memory_ids"].([]any)) != 1 {
		t.Errorf("ended as %v", done)
	}
}

func TestTheSameKeyGivesTheSameAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tell(shop)
	for _, body := range []string{`{"kind":"consolidate"}`, `{"wait":true}`} {
		key := "key " + body
		status, _, first := w.do("POST", "/v1/reflections", body, "Idempotency-Key", key)
		w.deliver()
		again, _, second := w.do("POST", "/v1/reflections", body, "Idempotency-Key", key)
		if status != again || first != second {
			t.Errorf("%s:\n%d %s\n%d %s", body, status, first, again, second)
		}
		if status, _, raw := w.do("POST", "/v1/reflections", `{"kind":"extract"}`, "Idempotency-Key", key); status != http.StatusConflict {
			t.Errorf("another body under the key: %d %s", status, raw)
		}
	}
	if list := w.must(http.StatusOK, "GET", "/v1/reflections", ""); len(list["reflections"].([]any)) != 2 {
		t.Errorf("listed %v", list)
	}
}

func TestListsPageAndFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want []any
	for i := range 5 {
		r := w.must(http.StatusAccepted, "POST", "/v1/reflections", fmt.Sprintf(`{"kind":%q}`, []string{"insight", "extract"}[i%2]))
		want = append([]any{r["id"]}, want...)
	}
	var got []any
	for cursor, pages := "", 0; ; pages++ {
		page := w.must(http.StatusOK, "GET", "/v1/reflections?limit=2&cursor="+cursor, "")
		for _, r := range page["reflections"].([]any) {
			got = append(got, r.(map[string]any)["id"])
		}
		if cursor = page["next_cursor"].(string); cursor == "" {
			break
		}
		if pages == 0 {
			w.must(http.StatusUnprocessableEntity, "GET", "/v1/reflections?cursor="+cursor, "", "X-Tenant-ID", "rival")
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	w.must(http.StatusOK, "POST", fmt.Sprintf("/v1/reflections/%s/cancel", want[0]), "")
	for query, n := range map[string]int{"kind=extract": 2, "status=queued": 4, "status=cancelled&kind=insight": 1, "kind=decay": 0} {
		if page := w.must(http.StatusOK, "GET", "/v1/reflections?"+query, ""); len(page["reflections"].([]any)) != n {
			t.Errorf("%s: %v", query, page)
		}
	}
}

func TestCancelling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tell(shop)
	queued := w.must(http.StatusAccepted, "POST", "/v1/reflections", `{}`)
	path := fmt.Sprintf("/v1/reflections/%s/cancel", queued["id"])
	for range 2 { // the second time it has been done
		if got := w.must(http.StatusOK, "POST", path, ""); got["status"] != "cancelled" || got["finished_at"] == nil {
			t.Errorf("cancelled as %v", got)
		}
	}
	if types := w.deliver(); types["memory.derived"] != 0 {
		t.Errorf("told %v", types)
	}
	done := w.must(http.StatusOK, "POST", "/v1/reflections", `{"wait":true}`)
	w.must(http.StatusConflict, "POST", fmt.Sprintf("/v1/reflections/%s/cancel", done["id"]), "")
}

func TestAnotherTenantOrProjectSeesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tell(shop)
	id := w.must(http.StatusOK, "POST", "/v1/reflections", `{"wait":true}`)["id"]
	for _, stranger := range [][]string{{"X-Tenant-ID", "rival"}, {"X-Project-ID", "other"}} {
		w.must(http.StatusNotFound, "GET", fmt.Sprint("/v1/reflections/", id), "", stranger...)
		w.must(http.StatusNotFound, "POST", fmt.Sprintf("/v1/reflections/%s/cancel", id), "", stranger...)
		if list := w.must(http.StatusOK, "GET", "/v1/reflections", "", stranger...); len(list["reflections"].([]any)) != 0 {
			t.Errorf("%v lists %v", stranger, list)
		}
		if got := w.must(http.StatusOK, "POST", "/v1/reflections", `{"wait":true}`, stranger...); len(got["memory_ids"].([]any)) != 0 {
			t.Errorf("%v reflects on what is not theirs: %v", stranger, got)
		}
	}
}

func TestBadInputNamesTheField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		method, path, body string
		status             int
		location           string
	}{
		{"POST", "/v1/reflections", `{"kind":"dream"}`, 422, "body.kind"},
		{"POST", "/v1/reflections", `{"filters":{"layers":["reflective"]}}`, 422, "body.filters.layers[0]"},
		{"POST", "/v1/reflections", `{"since":"2026-01-02T00:00:00Z","until":"2026-01-01T00:00:00Z"}`, 422, "body.until"},
		{"POST", "/v1/reflections", `{"filters":{"min_importance":2}}`, 422, "body.filters.min_importance"},
		{"POST", "/v1/reflections", `{"until":"yesterday"}`, 422, "body.until"},
		{"POST", "/v1/reflections", `{"kind":"insight","kind":"decay"}`, 400, "body.kind"},
		{"POST", "/v1/reflections", `{"kinds":"insight"}`, 400, "body.kinds"},
		{"GET", "/v1/reflections?limit=0", "", 422, "query.limit"},
		{"GET", "/v1/reflections?status=asleep", "", 422, "query.status"},
		{"GET", "/v1/reflections?cursor=x", "", 422, "query.cursor"},
		{"GET", "/v1/reflections/7", "", 422, "path.id"},
	} {
		status, object, raw := w.do(tt.method, tt.path, tt.body)
		errs, _ := object["errors"].([]any)
		if status != tt.status || len(errs) == 0 || errs[0].(map[string]any)["location"] != tt.location {
			t.Errorf("%s %s %s: %d %s", tt.method, tt.path, tt.body, status, raw)
		}
	}
}

func TestAStoredConversationReflectsByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 8 { // 4 of 5 texts are worth considering: 32 in all
		w.tell(memory.Scope{Tenant: "acme", Project: "default"})
		err := w.db.Write(w.Context(), shop, func(tx memory.Tx) error {
			for j, text := range texts {
				_, _, err := tx.Put(w.Context(), memory.Memory{Content: fmt.Sprintf("%s That was shift %d.", text, 10*i+j), Layer: memory.Episodic}, memory.Why{})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	types := w.deliver()
	if types["memory.derived"] == 0 || types["reflection.due"] == 0 {
		t.Errorf("told %v", types)
	}
	list := w.must(http.StatusOK, "GET", "/v1/reflections", "")["reflections"].([]any)
	if len(list) != types["reflection.due"] || list[0].(map[string]any)["status"] != "succeeded" {
		t.Errorf("listed %v", list)
	}
}

func TestMaintenanceDecaysOnceADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tell(shop)
	w.deliver()
	tick, err := eventing.Due(eventing.MaintenanceDue, eventing.Tick{Tenant: "acme"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if status := w.event(tick); status != http.StatusNoContent {
			t.Errorf("answered %d", status)
		}
	}
	list := w.must(http.StatusOK, "GET", "/v1/reflections?kind=decay", "")["reflections"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["status"] != "succeeded" {
		t.Errorf("listed %v", list)
	}
}

func TestAnEventOfAMemoryThatIsGoneIsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	record := (&memory.Memory{ID: memory.NewID(), TenantID: "acme", ProjectID: "default", Layer: memory.Episodic,
		Version: 1, Embedding: memory.EmbeddingReady}).Announce(outbox.MemoryStored)
	record.ID, record.Tenant, record.Project, record.Time = string(memory.NewID()), "acme", "default", time.Now()
	if status := w.event(record); status != http.StatusNoContent {
		t.Errorf("answered %d", status)
	}
}

// away is a reader that cannot read.
type away struct{ reflection.Reader }

func (away) Find(context.Context, memory.Scope, []memory.ID, memory.View) ([]memory.Memory, error) {
	return nil, fault.New(fault.Unavailable, "the store is busy")
}

func TestAnEventComesBackWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tell(shop)
	w.service.Memories = away{w.db}
	records, err := w.db.Claim(t.Context(), 1, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if status := w.event(records[0]); status != http.StatusServiceUnavailable {
		t.Errorf("answered %d", status)
	}
}
