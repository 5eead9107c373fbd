package rae_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// TestADryRunTellsWhatItWouldCostAndDoesNothing asks every route that can be priced, with money and without.
func TestADryRunTellsWhatItWouldCostAndDoesNothing(t *testing.T) {
	const embedding, scoring = "embeddings openai text-embedding-3-small", "rerank cohere rerank-v3.5"
	var long []string // more than fits one request
	for i := range 40 {
		long = append(long, fmt.Sprintf(`"%d %s"`, i, strings.Repeat("greyhound ", 2_460)))
	}
	routes := []struct {
		name, path, body string
		calls            []string
	}{
		{"vectors", "/v1/embeddings", `{"input":["a","b"]}`, []string{embedding}},
		{"vectors of questions, each asked for itself", "/v1/embeddings", `{"input":["a","b"],"input_type":"query"}`, []string{embedding, embedding}},
		{"vectors of more than a request may hold", "/v1/embeddings", `{"input":[` + strings.Join(long, ",") + `]}`, []string{embedding, embedding, embedding}},
		{"scores", "/v1/rerank", `{"query":"q","documents":["d"]}`, []string{scoring}},
		{"a search", "/v1/search", `{"query":"Who has a greyhound?"}`, []string{embedding, scoring}},
		{"a search by vectors alone", "/v1/search", `{"query":"Who has a greyhound?","mode":"dense"}`, []string{embedding}},
		{"a search by words, unaided", "/v1/search", `{"query":"Who has a greyhound?","mode":"lexical","rerank":false}`, nil},
		{"a context", "/v1/context", `{"query":"Who has a greyhound?"}`, []string{embedding, scoring}},
		{"a memory", "/v1/memories", `{"content":"Ada has a parrot."}`, []string{embedding}},
		{"memories", "/v1/memories/batch", `{"memories":[{"content":"Ada has a parrot."},{"content":"I have a goldfish."},{"wrong":1}]}`, []string{embedding}},
		{"turns", "/v1/conversations", `{"session_id":"s","messages":[{"role":"user","content":"I have a goldfish."}]}`, []string{embedding}},
		{"an insight, quoted", "/v1/reflections", `{}`, nil},
		{"decay", "/v1/reflections", `{"kind":"decay","wait":true}`, nil},
		{"a reservation", "/v1/reservations", `{"operation":"chat","provider":"openai","model":"gpt-4o","max_cost":0.0000005}`, []string{"chat openai gpt-4o"}},
	}
	deployments(t, func(w *world) {
		w.must(201, "POST", "/v1/memories", `{"content":"Mara has a greyhound."}`)
		w.must(201, "POST", "/v1/memories", `{"content":"Jonas has a cat."}`)
		asked := w.asked.Load()
		seen := func() map[string]any {
			got := map[string]any{}
			for _, path := range []string{"/v1/memories", "/v1/budgets/current", "/v1/costs", "/v1/reflections?kind=insight", "/v1/reflections?kind=decay", "/v1/jobs?kind=reembed"} {
				got[path] = w.must(200, "GET", path, "")
			}
			delete(got["/v1/budgets/current"].(map[string]any), "projected_month_end")
			return got
		}
		before := seen()
		for _, r := range routes {
			w.Run(r.name, func(t *testing.T) {
				got := w.ask("POST", r.path, r.body, "X-Dry-Run", "true", "Idempotency-Key", "dry "+r.name)
				var calls []string
				total := 0.0
				told, _ := got.body["calls"].([]any)
				for _, c := range told {
					call := c.(map[string]any)
					calls = append(calls, fmt.Sprintf("%v %v %v", call["operation"], call["provider"], call["model"]))
					total += call["cost"].(float64)
					if call["price_known"] != true || call["cost"] == 0.0 || call["tokens_in"] == 0.0 && call["operation"] != "chat" {
						t.Errorf("the call is priced %v", call)
					}
				}
				if !reflect.DeepEqual(calls, r.calls) || got.status != 200 || got.body["dry_run"] != true || got.body["allowed"] != true || got.body["refused_by"] != nil {
					t.Errorf("answered %d %v, want the calls %v", got.status, got.body, r.calls)
				}
				if cost, _ := got.body["cost"].(float64); cost < total*.999 || cost > total*1.001 {
					t.Errorf("costs %v, and its calls %v together", cost, total)
				}
				for value, says := range map[string]string{"maybe": "must be true or false", "": "must be true or false", "TRUE": "must be true or false"} {
					if got := w.ask("POST", r.path, r.body, "X-Dry-Run", value); got.status != 400 || !strings.Contains(fmt.Sprint(got.body["errors"]), "header.X-Dry-Run") || !strings.Contains(fmt.Sprint(got.body), says) {
						t.Errorf("X-Dry-Run: %s: %d %v", value, got.status, got.body)
					}
				}
			})
		}
		w.must(422, "POST", "/v1/memories", `{"content":""}`, "X-Dry-Run", "true")
		w.must(422, "POST", "/v1/search", `{"query":"q","limit":1000}`, "X-Dry-Run", "true")
		for _, route := range []string{
			"PUT /v1/budgets", "GET /v1/memories", "POST /v1/memories/delete", "POST /v1/graph/query", "DELETE /v1/tenants/acme/data",
		} {
			method, path, _ := strings.Cut(route, " ")
			if got := w.ask(method, path, `{}`, "X-Dry-Run", "true"); got.status != 400 || !strings.Contains(fmt.Sprint(got.body), "a dry run is not supported here") {
				w.Errorf("%s: %d %v", route, got.status, got.body)
			}
		}
		if after := seen(); !reflect.DeepEqual(after, before) {
			w.Errorf("something was changed:\nbefore %v\nafter  %v", before, after)
		}
		if n := w.asked.Load(); n != asked {
			w.Errorf("the provider was asked %d times", n-asked)
		}

		w.must(200, "PUT", "/v1/budgets", `{"daily_limit":0,"monthly_limit":1,"on_exhausted":"degrade"}`)
		for _, r := range routes {
			got := w.must(200, "POST", r.path, r.body, "X-Dry-Run", "true")
			by, _ := got["refused_by"].(map[string]any)
			if told, _ := got["calls"].([]any); len(told) != len(r.calls) || got["allowed"] != (len(r.calls) == 0) {
				w.Errorf("%s, without money: %v", r.name, got)
			}
			if len(r.calls) > 0 && (by["period"] != "daily" || by["limit"] != 0.0 || by["usage"] != .04 || by["on_exhausted"] != "degrade" || by["resets_at"] == nil) {
				w.Errorf("%s is refused by %v", r.name, by)
			}
		}
		// What was only priced was not remembered under its key.
		w.must(200, "PUT", "/v1/budgets", `{}`)
		if got := w.must(201, "POST", "/v1/memories", `{"content":"something else"}`, "Idempotency-Key", "dry a memory"); got["embedding"] != "ready" {
			w.Errorf("stored %v", got)
		}
		w.must(201, "POST", "/v1/reservations", `{"operation":"chat","model":"gpt-4o","max_cost":1}`, "Idempotency-Key", "dry a reservation")
	})
}

// TestWhatIsFreeCostsNothingInADryRun asks an engine that embeds and reranks by itself.
func TestWhatIsFreeCostsNothingInADryRun(t *testing.T) {
	t.Parallel()
	e := start(t)
	for path, body := range map[string]string{
		"/v1/embeddings": `{"input":"a"}`, "/v1/rerank": `{"query":"q","documents":["d"]}`, "/v1/search": `{"query":"q"}`, "/v1/context": `{"query":"q"}`,
		"/v1/memories": `{"content":"c"}`, "/v1/reflections": `{}`,
	} {
		want := map[string]any{"dry_run": true, "calls": []any{}, "cost": 0.0, "allowed": true}
		if status, got := e.call("POST", path, body, "X-Dry-Run", "true"); status != 200 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d %v", path, status, got)
		}
		if status, got := e.call("POST", path, body, "X-Dry-Run", "false"); status/100 != 2 || got["dry_run"] != nil {
			t.Errorf("%s is no dry run: %d %v", path, status, got)
		}
	}
	if status, got := e.call("POST", "/", `{}`, "Ce-Specversion", "1.0", "Ce-Type", "dev.rae.drain.due.v1", "Ce-Source", "/rae/clock", "Ce-Id", "1", "X-Tenant-ID", "", "X-Dry-Run", "true"); status != 400 {
		t.Errorf("an event: %d %v", status, got)
	}
}
