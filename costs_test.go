package rae_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/embed"
)

func TestWhatIsPaidAndWhatACacheSparesIsLoggedUnderTheRequestThatCausedIt(t *testing.T) {
	t.Parallel()
	p, folder := startProvider(t), t.TempDir()
	start := func() *running {
		return startLogging(t, io.Discard, func(c *rae.Config) {
			c.Store.DataDir, c.Search.CacheAnswers = folder, 0
			c.Embed.EmbedProvider, c.Embed.EmbedModel, c.Embed.EmbedBaseURL, c.Embed.EmbedKey = "openai", "text-embedding-3-small", p.URL, providerKey
			c.Embed.EmbedDimensions = new(embed.Hash).Dimensions()
		})
	}
	e := start()
	if status, stored := e.call("POST", "/v1/memories", `{"content":"Mara has a greyhound."}`, "X-Request-ID", "store-1"); status != 201 {
		t.Fatalf("store: %d %v", status, stored)
	}
	for _, id := range []string{"search-1", "search-2", "search-3"} {
		if status, found := e.call("POST", "/v1/search", `{"query":"Who has a greyhound?"}`, "X-Request-ID", id); status != 200 || len(found["results"].([]any)) != 1 {
			t.Fatalf("search: %d %v", status, found)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
	r.Host = "127.0.0.1"
	answer := httptest.NewRecorder()
	e.handler.ServeHTTP(answer, r)
	const of = `{model="text-embedding-3-small",operation="embeddings",project_id="default",provider="openai",tenant_id="acme"} `
	if want := "\nrae_llm_cost_total" + of + "0.04\n"; !strings.Contains(answer.Body.String(), want) {
		t.Errorf("the metrics do not have %q", want)
	}
	e.stop() // which writes down what was spared
	e = start()
	_, log := e.call("GET", "/v1/costs/calls", "")
	var got []string
	for _, one := range log["calls"].([]any) {
		line := one.(map[string]any)
		got = append(got, fmt.Sprint(line["request_id"], " hit ", line["cache_hit"], " calls ", line["calls"], " cost ", line["cost"], " measured ", line["latency_ms"].(float64) > 0))
	}
	want := []string{" hit true calls 2 cost 0 measured false", "search-1 hit false calls 1 cost 0.02 measured true", "store-1 hit false calls 1 cost 0.02 measured true"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	_, overview := e.call("GET", "/v1/costs/overview", "")
	if overview["cache_hit_rate"] != .5 || overview["tenant_id"] != "acme" {
		t.Errorf("got %v", overview)
	}
}
