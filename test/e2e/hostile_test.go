package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestBadInputIsAnsweredInWordsAndNeverA5xx(t *testing.T) {
	t.Parallel()
	w := serve(t, "")
	const memories, unknown = "/v1/memories", "01939a4c-7b1e-7c44-9d53-0f5a6a3e9b10"
	deep := strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33)
	for _, row := range []struct {
		name         string
		status       int
		method, path string
		body         any
		field        string // a location that must be named; "" for none
		headers      []string
	}{
		{"no tenant", 400, "GET", memories, nil, "header.X-Tenant-ID", []string{"X-Tenant-ID", ""}},
		{"a tenant that is a path", 400, "GET", memories, nil, "header.X-Tenant-ID", []string{"X-Tenant-ID", "../etc"}},
		{"broken JSON", 400, "POST", memories, `{"content":`, "", nil},
		{"nothing", 400, "POST", memories, ``, "", nil},
		{"invalid UTF-8", 400, "POST", memories, "{\"content\":\"\xff\"}", "", nil},
		{"NUL", 400, "POST", memories, `{"content":"a\u0000"}`, "body.content", nil},
		{"a lone surrogate", 400, "POST", memories, `{"content":"\ud800"}`, "", nil},
		{"the same key twice", 400, "POST", memories, `{"content":"a","content":"b"}`, "body.content", nil},
		{"an unknown key", 400, "POST", memories, `{"content":"a","colour":"red"}`, "body.colour", nil},
		{"33 levels", 400, "POST", memories, `{"content":"a","metadata":` + deep + `}`, "", nil},
		{"a wrong type", 422, "POST", memories, `{"content":7}`, "body.content", nil},
		{"no content", 422, "POST", memories, `{}`, "body.content", nil},
		{"an unknown layer", 422, "POST", memories, `{"content":"a","layer":"eternal"}`, "body.layer", nil},
		{"importance of 2", 422, "POST", memories, `{"content":"a","importance":2}`, "body.importance", nil},
		{"importance of NaN", 400, "POST", memories, `{"content":"a","importance":NaN}`, "", nil},
		{"a time that is none", 422, "POST", memories, `{"content":"a","occurred_at":"yesterday"}`, "body.occurred_at", nil},
		{"a memory of 2 MiB", 422, "POST", memories, object{"content": strings.Repeat("x", 2<<20)}, "body.content", nil},
		{"a body of 9 MiB", 413, "POST", memories, object{"content": strings.Repeat("x", 9<<20)}, "", nil},
		{"a query of 2 MiB", 413, "POST", "/v1/search", object{"query": strings.Repeat("x ", 1<<20)}, "", nil},
		{"text where JSON belongs", 415, "POST", memories, `{"content":"a"}`, "", []string{"Content-Type", "text/plain"}},
		{"an unknown id", 404, "GET", memories + "/" + unknown, nil, "", nil},
		{"an unknown reflection", 404, "GET", "/v1/reflections/" + unknown, nil, "", nil},
		{"an unknown job", 404, "DELETE", "/v1/jobs/" + unknown, nil, "", nil},
		{"an unknown reservation", 404, "POST", "/v1/reservations/" + unknown + "/settle", object{"cost": 1}, "", nil},
		{"an id that is none", 422, "GET", memories + "/seven", nil, "path.id", nil},
		{"an unknown path", 404, "GET", "/v1/nothing", nil, "", nil},
		{"a wrong method", 405, "PUT", memories, nil, "", nil},
		{"a bad cursor", 422, "GET", memories + "?cursor=abc", nil, "query.cursor", nil},
		{"a bad cursor of prices", 422, "GET", "/v1/prices?cursor=%00", nil, "query.cursor", nil},
		{"a limit of 1001", 422, "GET", memories + "?limit=1001", nil, "query.limit", nil},
		{"an unknown parameter", 422, "GET", memories + "?colour=red", nil, "query.colour", nil},
		{"a token of another project", 422, "POST", "/v1/search", object{"query": "a"}, "header.X-RAE-Consistency", []string{"X-RAE-Consistency", "abc"}},
		{"an empty query", 422, "POST", "/v1/search", object{"query": ""}, "body.query", nil},
		{"a limit of 0", 422, "POST", "/v1/search", object{"query": "a", "limit": 0}, "body.limit", nil},
		{"an unknown mode", 422, "POST", "/v1/search", object{"query": "a", "mode": "psychic"}, "body.mode", nil},
		{"a filter of nothing", 422, "POST", memories + "/delete", object{"filter": object{}}, "body.filter", nil},
		{"an empty batch", 422, "POST", memories + "/batch", object{"memories": []object{}}, "body.memories", nil},
		{"a negative cost", 422, "POST", "/v1/reservations", object{"operation": "a", "model": "m", "max_cost": -1}, "body.max_cost", nil},
		{"a daily limit over the monthly", 422, "PUT", "/v1/budgets", object{"monthly_limit": 1, "daily_limit": 2}, "body.daily_limit", nil},
		{"a budget with ten decimals", 422, "PUT", "/v1/budgets", `{"monthly_limit":0.0000000001}`, "body.monthly_limit", nil},
		{"an unknown kind", 422, "POST", "/v1/reflections", object{"kind": "dream"}, "body.kind", nil},
		{"an unknown embedding model", 404, "POST", "/v1/embeddings", object{"input": "a", "model": "gpt-9"}, "", nil},
		{"no documents", 400, "POST", "/v1/rerank", object{"query": "a", "documents": []string{}}, "body.documents", nil},
	} {
		a := w.do(row.method, row.path, row.body, row.headers...)
		named := false
		for _, e := range a.list("errors") {
			named = named || text(e, "location") == row.field
		}
		if a.status != row.status || row.field != "" && !named || a.header.Get("X-Request-ID") == "" ||
			a.header.Get("Content-Type") != "application/problem+json" || text(a.body, "detail") == "" {
			t.Errorf("%s: got %v (%s), want %d naming %s", row.name, a, a.header.Get("Content-Type"), row.status, row.field)
		}
	}
	if left := w.want(http.StatusOK, "GET", memories, nil).list("memories"); len(left) != 0 {
		t.Errorf("something of it was stored: %v", left)
	}
}

func TestALongQueryIsCutAndAnswered(t *testing.T) {
	t.Parallel()
	w := serve(t, "")
	stored := w.want(http.StatusCreated, "POST", "/v1/memories", object{"content": "The lighthouse keeper collects barometers."})
	words := []string{"lighthouse", "barometers"}
	for i := len(words); i < 2000; i++ {
		words = append(words, fmt.Sprintf("word%d", i))
	}
	found := w.want(http.StatusOK, "POST", "/v1/search", object{"query": strings.Join(words, " ")}).list("results")
	if len(found) != 1 || text(found[0], "memory", "id") != stored.body["id"] {
		t.Errorf("found %v", found)
	}
}

func TestAnImportReportsItsBadLinesAndCarriesOn(t *testing.T) {
	t.Parallel()
	w := serve(t, "")
	lines := []string{
		`{"content":"first"}`, `{"content":`, ``, `{"content":"fourth","layer":"eternal"}`, "{\"content\":\"\xff\"}",
		`{"content":"` + strings.Repeat("x", 5<<20) + `"}`, `{"content":"last"}`,
	}
	a := w.want(http.StatusOK, "POST", "/v1/memories/import", strings.Join(lines, "\n"), "Content-Type", "application/x-ndjson")
	var refused []string
	for _, e := range a.list("errors") {
		if refused = append(refused, fmt.Sprint(e["line"])); text(e, "reason") == "" {
			t.Errorf("no reason in %v", e)
		}
	}
	if a.number("created") != 2 || fmt.Sprint(refused) != "[2 4 5 6]" {
		t.Errorf("got %v", a)
	}
}

func TestPoisonIsRefusedAndLaterEventsFlow(t *testing.T) {
	t.Parallel()
	w := serve(t, "")
	stored := w.want(http.StatusCreated, "POST", "/v1/memories", object{"content": "The orchard is pruned in February."})
	id := text(stored.body, "id")
	event := func(data string, change ...string) []string {
		headers := []string{
			"X-Tenant-ID", "", "Ce-Specversion", "1.0", "Ce-Id", "e-1", "Ce-Source", "/test", "Ce-Type", "dev.rae.memory.stored.v1",
			"Ce-Tenantid", "demo", "Ce-Projectid", "default", "Ce-Subject", id, "Content-Type", "application/json",
		}
		return append(append(headers, change...), "Ce-Time", "2026-11-23T12:00:00Z")
	}
	good := fmt.Sprintf(`{"memory_id":%q,"tenant_id":"demo","project_id":"default","layer":"episodic","version":1,"embedding":"ready"}`, id)
	for name, poison := range map[string]struct {
		data    string
		headers []string
	}{
		"broken JSON":            {`{"memory_id":`, event("")},
		"no data":                {``, event("")},
		"data of another shape":  {`{"colour":"red"}`, event("")},
		"an unknown type":        {good, event("", "Ce-Type", "dev.rae.memory.dreamt.v1")},
		"no id":                  {good, event("", "Ce-Id", "")},
		"another version":        {good, event("", "Ce-Specversion", "0.3")},
		"a tenant that is none":  {good, event("", "Ce-Tenantid", "../x")},
		"a tenant of two minds":  {good, event("", "Ce-Tenantid", "stranger")},
		"a million bytes":        {`{"memory_id":"` + strings.Repeat("x", 2<<20) + `"}`, event("")},
		"structured and broken":  {`{"specversion":"1.0"`, event("", "Content-Type", "application/cloudevents+json", "Ce-Specversion", "")},
		"something else at all":  {`hello`, []string{"X-Tenant-ID", "", "Content-Type", "text/plain"}},
		"an event full of nulls": {"\x00\x00\x00", event("")},
	} {
		a := w.do("POST", "/", poison.data, poison.headers...)
		// A broker gives up on 400, 413, 415 and 422; it would bring 404, 409, 429 and 5xx back for ever.
		switch a.status {
		case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		default:
			t.Errorf("%s: got %v, want a refusal that is final", name, a)
		}
	}
	if a := w.do("POST", "/", good, event("")...); a.status != http.StatusNoContent && a.status != http.StatusAccepted && a.status != http.StatusOK {
		t.Errorf("a good event after them: %v", a)
	}
	w.converseFor("after", 60)
	queued := w.want(http.StatusAccepted, "POST", "/v1/reflections", object{"kind": "insight"}, "X-Project-ID", "after")
	w.soon(10*time.Second, "the product's own events flow", func() bool {
		path := "/v1/reflections/" + text(queued.body, "id")
		return text(w.want(http.StatusOK, "GET", path, nil, "X-Project-ID", "after").body, "status") == "succeeded"
	})
}
