package rae_test

import (
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	budgetfn "github.com/rae-memory/rae/functions/budget"
	embedfn "github.com/rae-memory/rae/functions/embed"
	searchfn "github.com/rae-memory/rae/functions/search"
	storefn "github.com/rae-memory/rae/functions/store"
	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/serve"
)

// Not parallel: functions that run alone read the environment.
func TestAFunctionAloneTellsTheBudgetFunctionWhatItPaidAndWhatItsCacheSpared(t *testing.T) {
	rt := func() serve.Runtime {
		return serve.Runtime{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Version: "test"}
	}
	for name, c := range map[string]struct {
		open serve.Open
		path string
		body func(n int) string
	}{
		"embed":  {embedfn.Open, "/v1/embeddings", func(int) string { return `{"input":"Who has a greyhound?"}` }},
		"search": {searchfn.Open, "/v1/search", func(int) string { return `{"query":"Who has a greyhound?"}` }},
		"store": {storefn.Open, "/v1/memories", func(n int) string {
			return `{"content":"Mara has a greyhound.","occurred_at":"2026-11-0` + strconv.Itoa(n+1) + `T00:00:00Z"}` // another memory of the same words
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ledger := inmem.NewLedger(inmem.New(inmem.Options{}), budget.Policy{})
			host := serve.LocalDefaults()
			host.Auth = auth.None
			books, err := serve.New(host, rt(), budgetfn.New(ledger, auth.RequireAdmin, slog.New(slog.DiscardHandler)))
			if err != nil {
				t.Fatal(err)
			}
			listening := httptest.NewServer(books.Handler())
			defer listening.Close()
			p := startProvider(t)
			for variable, value := range map[string]string{
				"RAE_STORE": "inmem", "RAE_BUDGET_URL": listening.URL, "RAE_EMBED_PROVIDER": "openai", "RAE_EMBED_BASE_URL": p.URL, "RAE_EMBED_API_KEY": providerKey,
				"RAE_EMBED_DIMENSIONS": strconv.Itoa(new(embed.Hash).Dimensions()), "RAE_SEARCH_CACHE": "0",
			} {
				t.Setenv(variable, value)
			}
			f, err := c.open(t.Context(), rt())
			if err != nil {
				t.Fatal(err)
			}
			server, err := serve.New(host, rt(), f)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 3 {
				r := httptest.NewRequestWithContext(t.Context(), "POST", c.path, strings.NewReader(c.body(n)))
				r.RemoteAddr, r.Host = "127.0.0.1:4711", "127.0.0.1"
				for header, value := range map[string]string{"X-Tenant-ID": "acme", "X-Request-ID": "req-" + strconv.Itoa(n), "Content-Type": "application/json"} {
					r.Header.Set(header, value)
				}
				answer := httptest.NewRecorder()
				if server.Handler().ServeHTTP(answer, r); answer.Code > 299 {
					body, _ := io.ReadAll(answer.Body)
					t.Fatalf("%d %s", answer.Code, body)
				}
			}
			if err := f.Close(context.WithoutCancel(t.Context())); err != nil {
				t.Fatal(err)
			}
			page, err := ledger.Calls(t.Context(), memory.Scope{Tenant: "acme", Project: "default"}, budget.CallQuery{})
			if err != nil || len(page.Calls) != 2 {
				t.Fatalf("got %+v, %v", page, err)
			}
			spared, paid := page.Calls[0], page.Calls[1]
			if !spared.CacheHit || spared.Calls != 2 || spared.Saved == 0 || paid.RequestID != "req-0" || paid.LatencyMS == 0 || paid.Cost != budget.USD/50 {
				t.Errorf("paid %+v\nspared %+v", paid, spared)
			}
		})
	}
}
