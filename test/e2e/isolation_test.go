package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// secret stands in everything the owner stores.
const secret = "quetzalfeather"

// own gives the owner something of everything, and returns the ids by the beginning of the routes that read them. It
// stays below what a reflection would begin by itself for, so that nothing moves while strangers try.
func (w *world) own() map[string]string {
	w.Helper()
	key := []string{"Idempotency-Key", "shared-key"}
	m := w.want(http.StatusCreated, "POST", "/v1/memories", object{
		"content": "Montezuma keeps the " + secret + " in the temple.", "external_id": "shared", "tags": []string{secret},
		"entities": []object{{"name": "Montezuma", "type": "person"}, {"name": "Temple" + secret}}, "session_id": "shared", "metadata": object{"k": secret},
	}, key...)
	w.converseFor("default", 10)
	w.want(http.StatusCreated, "PUT", "/v1/blocks/shared", object{"content": "Say nothing of the " + secret + "."}, key...)
	w.want(http.StatusOK, "PATCH", "/v1/blocks/shared", object{"append": "Nor of the temple."})
	w.want(http.StatusOK, "PUT", "/v1/budgets", object{"monthly_limit": 77, "daily_limit": 33})
	r := w.want(http.StatusCreated, "POST", "/v1/reservations", object{"operation": secret, "model": "gpt-4o", "max_cost": 1}, key...)
	w.want(http.StatusOK, "PUT", "/v1/prices/"+secret, object{"input_per_million": 1, "output_per_million": 2})
	reflection := w.want(http.StatusOK, "POST", "/v1/reflections", object{"kind": "insight", "wait": true}, key...)
	entities := w.want(http.StatusOK, "GET", "/v1/entities", nil).list("entities")
	at := slices.IndexFunc(entities, func(e object) bool { return text(e, "name") == "Montezuma" })
	if at < 0 {
		w.Fatalf("no entity Montezuma in %v", entities)
	}
	w.want(http.StatusCreated, "POST", "/v1/memories", object{"content": "I work at Siemens and my wife Anna lives in Berlin.", "user_id": secret})
	w.want(http.StatusOK, "POST", "/v1/reflections", object{"kind": "extract", "wait": true})
	facts := w.want(http.StatusOK, "GET", "/v1/facts", nil).list("facts")
	operations := w.want(http.StatusOK, "GET", "/v1/knowledge/operations?all=true", nil).list("operations")
	if len(facts) == 0 || len(operations) == 0 {
		w.Fatalf("facts %v, operations %v", facts, operations)
	}
	w.want(http.StatusOK, "PUT", "/v1/forgetting", object{"policies": []object{{"layer": "sensory", "mode": "archive", "after_days": 77}}})
	forgotten, _ := w.want(http.StatusOK, "POST", "/v1/forgetting/run", object{"wait": true}, key...).body["run"].(object)
	w.want(http.StatusOK, "POST", "/v1/memories/"+text(m.body, "id")+"/feedback", object{"helpful": true, "comment": secret}, key...)
	w.want(http.StatusOK, "POST", "/v1/entities/"+text(entities[at], "id")+"/merge", object{"into": "Temple" + secret, "reason": secret}, key...)
	merges := w.want(http.StatusOK, "GET", "/v1/entities/merges", nil).list("merges")
	if len(merges) == 0 {
		w.Fatal("no merge is told")
	}
	return map[string]string{
		"/v1/facts/{id}": text(facts[0], "id"), "/v1/knowledge/operations/{id}": text(operations[0], "id"),
		"/v1/forgetting/{id}": text(forgotten, "id"), "/v1/entities/merges/{id}": text(merges[0], "id"),
		"/v1/memories/{id}": text(m.body, "id"), "/v1/reservations/{id}": text(r.body, "id"),
		"/v1/reflections/{id}": text(reflection.body, "id"), "/v1/entities/{id}": text(entities[at], "id"),
		"/v1/jobs/{id}": w.reembed(),
	}
}

// reembed runs a job of the owner's project by the command line, beside the server, and returns its id.
func (w *world) reembed() string {
	w.Helper()
	command := exec.CommandContext(w.Context(), filepath.Join(programs, "rae"), "reembed", "--to", "static-256-v1", "--tenant", "demo", "--json", "--quiet")
	command.Env = append(os.Environ(), "RAE_DATA_DIR="+w.data)
	out, err := command.Output()
	var done struct{ Jobs []object }
	if err == nil {
		err = json.Unmarshal(out, &done)
	}
	if err != nil || len(done.Jobs) != 1 || text(done.Jobs[0], "status") != "succeeded" {
		w.Fatalf("rae reembed: %v, %s", err, out)
	}
	return text(done.Jobs[0], "id")
}

// snapshot is everything the owner can read, for comparing.
func (w *world) snapshot() string {
	w.Helper()
	var b strings.Builder
	for _, path := range []string{
		"/v1/memories/export", "/v1/budgets/current", "/v1/reflections?kind=insight", "/v1/entities?limit=1000", "/v1/prices?limit=1000",
		"/v1/costs?group_by=model", "/v1/costs/calls", "/v1/jobs?kind=reembed", "/v1/embedding-models",
		"/v1/blocks", "/v1/blocks/shared/history", "/v1/facts", "/v1/knowledge/operations?all=true", "/v1/entities/merges",
		"/v1/entities/suggestions", "/v1/forgetting", "/v1/forgetting/runs",
	} {
		a := w.want(http.StatusOK, "GET", path, nil)
		// How long the month has gone on changes by itself.
		b.Write(regexp.MustCompile(`"projected_month_end":[0-9.]+`).ReplaceAll(a.raw, nil))
	}
	return b.String()
}

// probes are the bodies with which a stranger tries each route; every route of the document must be here.
var probes = map[string]any{
	"GET /v1/blocks":                          nil,
	"PUT /v1/blocks/{name}":                   object{"content": "mine"},
	"GET /v1/blocks/{name}":                   nil,
	"PATCH /v1/blocks/{name}":                 object{"append": "mine"},
	"DELETE /v1/blocks/{name}":                nil,
	"GET /v1/blocks/{name}/history":           nil,
	"POST /v1/blocks/{name}/undo":             nil,
	"PUT /v1/budgets":                         object{"monthly_limit": 1},
	"GET /v1/budgets/current":                 nil,
	"GET /v1/budgets/tenant":                  nil,
	"PUT /v1/budgets/tenant":                  object{"monthly_limit": 1000},
	"POST /v1/context":                        object{"query": secret},
	"POST /v1/conversations":                  object{"session_id": "shared", "messages": []object{{"role": "user", "content": "hello"}}},
	"GET /v1/costs":                           nil,
	"GET /v1/costs/calls":                     nil,
	"GET /v1/costs/overview":                  nil,
	"POST /v1/costs/savings":                  object{"savings": []object{{"id": "01968f3e-0000-7000-8000-000000000001", "operation": "embeddings", "model": "m", "calls": 1, "tokens_in": 1}}},
	"POST /v1/embeddings":                     object{"input": "hello"},
	"GET /v1/embedding-models":                nil,
	"POST /v1/embedding-models":               object{"model": "hash-384-v1"},
	"POST /v1/embedding-models/switch":        object{"covered": 0},
	"POST /v1/embedding-models/rollback":      nil,
	"DELETE /v1/embedding-models/{model}":     nil,
	"GET /v1/entities":                        nil,
	"GET /v1/entities/{id}":                   nil,
	"POST /v1/graph/query":                    object{"query": "Montezuma"},
	"GET /v1/entities/merges":                 nil,
	"GET /v1/entities/suggestions":            nil,
	"POST /v1/entities/merges/{id}/undo":      nil,
	"POST /v1/entities/{id}/merge":            object{"into": "Montezuma"},
	"POST /v1/entities/{id}/split":            object{"names": []string{"Montezuma"}},
	"GET /v1/facts":                           nil,
	"GET /v1/facts/{id}":                      nil,
	"GET /v1/facts/{id}/history":              nil,
	"GET /v1/forgetting":                      nil,
	"PUT /v1/forgetting":                      object{"policies": []object{{"layer": "episodic", "mode": "archive", "after_days": 0}}},
	"POST /v1/forgetting/run":                 object{"wait": true},
	"GET /v1/forgetting/runs":                 nil,
	"POST /v1/forgetting/{id}/undo":           nil,
	"POST /v1/graph/path":                     object{"from": "Montezuma", "to": "Tenochtitlan"},
	"POST /v1/graph/subgraph":                 object{"entities": []string{"Montezuma"}},
	"GET /v1/knowledge/operations":            nil,
	"POST /v1/knowledge/operations/{id}/undo": nil,
	"GET /v1/memories/{id}/use":               nil,
	"POST /v1/memories/{id}/feedback":         object{"helpful": false},
	"GET /v1/jobs":                            nil,
	"GET /v1/jobs/{id}":                       nil,
	"DELETE /v1/jobs/{id}":                    nil,
	"GET /v1/memories":                        nil,
	"POST /v1/memories":                       object{"content": "mine", "external_id": "shared", "session_id": "shared"},
	"POST /v1/memories/batch":                 object{"memories": []object{{"content": "mine too"}}},
	"POST /v1/memories/delete":                object{"filter": object{"session_id": "shared"}},
	"GET /v1/memories/export":                 nil,
	"POST /v1/memories/import":                `{"content":"mine as well"}`,
	"DELETE /v1/memories/{id}":                nil,
	"GET /v1/memories/{id}":                   nil,
	"PATCH /v1/memories/{id}":                 object{"importance": 0.9},
	"GET /v1/memories/{id}/history":           nil,
	"GET /v1/models":                          nil,
	"GET /v1/models/{model}":                  nil,
	"GET /v1/prices":                          nil,
	"PUT /v1/prices/{model}":                  object{"input_per_million": 9, "output_per_million": 9},
	"GET /v1/reflections":                     nil,
	"POST /v1/reflections":                    object{"kind": "insight", "wait": true},
	"GET /v1/reflections/{id}":                nil,
	"POST /v1/reflections/{id}/cancel":        nil,
	"POST /v1/rerank":                         object{"query": "q", "documents": []string{"a"}},
	"POST /v1/reservations":                   object{"operation": "chat", "model": "gpt-4o", "max_cost": 0.1},
	"GET /v1/reservations/{id}":               nil,
	"POST /v1/reservations/{id}/release":      nil,
	"POST /v1/reservations/{id}/settle":       object{"cost": 0.1},
	"POST /v1/search":                         object{"query": "Who keeps the " + secret + "?"},
	"DELETE /v1/tenants/{tenant}/data":        nil,
	"GET /v1/dead-letters":                    nil,
	"POST /v1/dead-letters/{id}/replay":       nil,
}

// routes are the operations of the API document.
func (w *world) routes() []string {
	w.Helper()
	var routes []string
	paths, _ := w.want(http.StatusOK, "GET", "/openapi.json", nil).body["paths"].(object)
	for path, item := range paths {
		for method := range item.(object) {
			if strings.HasPrefix(path, "/v1/") {
				routes = append(routes, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(routes)
	return routes
}

func TestStrangersSeeNothingByAnyRoute(t *testing.T) {
	t.Parallel()
	w := serve(t, "")
	ids := w.own()
	before := w.snapshot()
	if !strings.Contains(before, secret) {
		t.Fatal("the owner has no secret: this test would prove nothing")
	}
	routes := w.routes()
	for _, stranger := range [][]string{{"X-Tenant-ID", "stranger"}, {"X-Tenant-ID", "demo", "X-Project-ID", "elsewhere"}} {
		for _, route := range routes {
			body, known := probes[route]
			if !known {
				t.Errorf("%s is not tried by this test", route)
				continue
			}
			if route == "DELETE /v1/tenants/{tenant}/data" || strings.Contains(route, "/v1/dead-letters") {
				continue // below; the operator's
			}
			if stranger[1] == "demo" && strings.Contains(route, "/v1/prices") {
				continue // prices are the tenant's, not the project's
			}
			method, path, _ := strings.Cut(route, " ")
			headers := append(slices.Clone(stranger), "Idempotency-Key", "shared-key")
			if strings.HasSuffix(path, "/import") {
				headers = append(headers, "Content-Type", "application/x-ndjson")
			}
			if strings.Contains(path, "{id}") {
				w.strangerAsks(t, method, path, ids, body, headers)
				continue
			}
			path = strings.Replace(strings.Replace(path, "{model}", "rae-hash-1", 1), "{name}", "shared", 1)
			a := w.do(method, path, body, headers...)
			leaks := strings.Contains(string(a.raw), secret) && !strings.Contains(fmt.Sprint(body), secret) || strings.Contains(string(a.raw), "temple")
			for _, id := range ids {
				leaks = leaks || strings.Contains(string(a.raw), id)
			}
			// Whether a project can be switched to another model is its own affair.
			conflict := a.status == http.StatusConflict && !strings.HasPrefix(path, "/v1/embedding-models")
			if leaks || a.status >= 500 || conflict {
				t.Errorf("%s as %v: %v", route, stranger, a)
			}
		}
	}
	w.want(http.StatusOK, "DELETE", "/v1/tenants/stranger/data", nil)
	if after := w.snapshot(); after != before {
		t.Errorf("a stranger changed what the owner has:\nbefore %s\nafter  %s", last(before, 3000), last(after, 3000))
	}
}

// strangerAsks asks for the owner's id and for one nobody has; the two answers must be the same.
func (w *world) strangerAsks(t *testing.T, method, path string, ids map[string]string, body any, headers []string) {
	t.Helper()
	kind := path[:strings.Index(path, "{id}")+len("{id}")]
	owners, nobodys := ids[kind], "01939a4c-7b1e-7c44-9d53-0f5a6a3e9b10"
	if owners == "" {
		t.Errorf("the owner has no %s", kind)
		return
	}
	ask := func(id, key string) string {
		headers := append(slices.Clone(headers), "Idempotency-Key", key)
		a := w.do(method, strings.Replace(path, "{id}", id, 1), body, headers...)
		if a.status != http.StatusNotFound {
			t.Errorf("%s %s as %v: got %v, want 404", method, path, headers, a)
		}
		return strings.ReplaceAll(string(a.raw), id, "ID")
	}
	if theirs, none := ask(owners, "key-1"), ask(nobodys, "key-2"); theirs != none {
		t.Errorf("%s %s: an id that is another's reads %q, one that is nobody's %q", method, path, theirs, none)
	}
}
