package e2e_test

import (
	"context"
	"net/http"
	"testing"
	"time"
)

func TestEachFunctionRunsAlone(t *testing.T) {
	t.Parallel()
	for name, main := range map[string]struct {
		method, path string
		body         any
		status       int
	}{
		"store":   {"POST", "/v1/memories", object{"content": "alone"}, http.StatusCreated},
		"search":  {"POST", "/v1/search", object{"query": "alone"}, http.StatusOK},
		"embed":   {"POST", "/v1/embeddings", object{"input": "alone"}, http.StatusOK},
		"rerank":  {"POST", "/v1/rerank", object{"query": "alone", "documents": []string{"alone", "together"}}, http.StatusOK},
		"reflect": {"POST", "/v1/reflections", object{"kind": "decay", "wait": true}, http.StatusOK},
		"budget":  {"GET", "/v1/budgets/current", nil, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, name, t.TempDir(), nil, []string{"RAE_AUTH=none"})
			w.want(http.StatusOK, "GET", "/health/live", nil, "X-Tenant-ID", "")
			w.want(http.StatusOK, "GET", "/health/ready", nil, "X-Tenant-ID", "")
			w.want(main.status, main.method, main.path, main.body)
			w.want(http.StatusOK, "GET", "/metrics", nil, "X-Tenant-ID", "")
			if err := w.process.Terminate(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := w.process.Wait(ctx); err != nil {
				t.Errorf("exit: %v, want 0", err)
			}
		})
	}
}

func TestStoreAndSearchShareAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := start(t, "store", dir, nil, []string{"RAE_AUTH=none"})
	search := start(t, "search", dir, nil, []string{"RAE_AUTH=none"})
	for _, fact := range []string{"The ferry leaves from pier four.", "The museum is closed on Mondays."} {
		stored := store.want(http.StatusCreated, "POST", "/v1/memories", object{"content": fact})
		found := search.want(http.StatusOK, "POST", "/v1/search", object{"query": fact, "limit": 1}, "X-RAE-Consistency", stored.header.Get("X-RAE-Consistency"))
		if results := found.list("results"); len(results) != 1 || text(results[0], "memory", "id") != stored.body["id"] {
			t.Errorf("%s: %v", fact, found)
		}
	}
}
