package store_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// operation is what these tests read of the API document.
type operation struct {
	Summary     string
	Description string
	Parameters  []struct {
		Name     string
		In       string
		Required bool
	}
	Responses map[string]any
}

func operations(t *testing.T) map[string]operation {
	t.Helper()
	var document struct {
		Paths map[string]map[string]operation
	}
	if err := json.Unmarshal(newWorld(t).do("GET", "/openapi.json", "").Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	all := map[string]operation{}
	for path, methods := range document.Paths {
		for method, op := range methods {
			all[strings.ToUpper(method)+" "+path] = op
		}
	}
	return all
}

func TestTheDocumentHasEveryRouteOfTheFunction(t *testing.T) {
	t.Parallel()
	all := operations(t)
	for _, route := range []string{
		"POST /v1/memories", "GET /v1/memories", "POST /v1/memories/batch", "POST /v1/memories/delete",
		"POST /v1/memories/import", "GET /v1/memories/export", "GET /v1/memories/{id}", "PATCH /v1/memories/{id}",
		"DELETE /v1/memories/{id}", "GET /v1/memories/{id}/history", "POST /v1/memories/{id}/feedback", "GET /v1/memories/{id}/use",
		"POST /v1/conversations", "DELETE /v1/tenants/{tenant}/data",
		"GET /v1/blocks", "PUT /v1/blocks/{name}", "GET /v1/blocks/{name}", "PATCH /v1/blocks/{name}", "DELETE /v1/blocks/{name}",
		"GET /v1/blocks/{name}/history", "POST /v1/blocks/{name}/undo",
		"GET /v1/jobs", "GET /v1/jobs/{id}", "DELETE /v1/jobs/{id}", "GET /v1/embedding-models", "POST /v1/embedding-models",
		"GET /v1/dead-letters", "POST /v1/dead-letters/{id}/replay", "POST /v1/embedding-models/switch", "POST /v1/embedding-models/rollback", "DELETE /v1/embedding-models/{model}",
	} {
		op, ok := all[route]
		if !ok || op.Summary == "" || op.Description == "" {
			t.Errorf("%s is not described: %+v", route, op)
		}
		delete(all, route)
	}
	for route := range all {
		t.Errorf("%s is not in this test", route)
	}
}

func TestEveryRouteOfATenantsDataAsksForTheTenant(t *testing.T) {
	t.Parallel()
	for route, op := range operations(t) {
		asks := map[string]bool{}
		for _, p := range op.Parameters {
			asks[p.In+" "+p.Name] = true
		}
		whole := strings.Contains(route, "/tenants/") || strings.Contains(route, "/dead-letters") // the administrator's
		if !whole && (!asks["header X-Tenant-ID"] || !asks["header X-Project-ID"]) {
			t.Errorf("%s does not ask whose data it is about", route)
		}
		if method, _, _ := strings.Cut(route, " "); method != "GET" && !strings.Contains(route, "/import") && !strings.Contains(route, "/tenants/") && !asks["header Idempotency-Key"] {
			t.Errorf("%s takes no Idempotency-Key", route)
		}
	}
}
