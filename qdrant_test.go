package rae_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/qdrant/qdranttest"
)

// TestQdrantIsKeptAskedAndErased runs the engine beside a Qdrant: events take vectors there, searches ask it, an outage
// is named and costs no answer, and an erased tenant is gone from it.
func TestQdrantIsKeptAskedAndErased(t *testing.T) {
	t.Parallel()
	server := qdranttest.New(t)
	e := startWith(t, func(cfg *rae.Config) {
		cfg.Search.QdrantURL, cfg.Search.QdrantTimeout = server.URL(), 2*time.Second
	})
	for i := range 3 {
		if status, answer := e.call("POST", "/v1/memories", fmt.Sprintf(`{"content":"The red kite flew %d times."}`, i)); status != 201 {
			t.Fatalf("%d %v", status, answer)
		}
	}
	collection := e.Qdrant.Index.Collection()
	eventually(t, "events take the vectors to Qdrant", func() bool {
		there := false
		drifted, err := e.Qdrant.Drifted(t.Context(), "", func(stored, indexed int, behind int64) {
			there = stored == 3 && indexed == 3 && behind == 0 // else what is missing comes from the feed, Qdrant or not
		})
		return err == nil && there && len(drifted) == 0
	})

	component := func() any {
		_, health := e.call("GET", "/health", "")
		return fmt.Sprint(health["status"], " ", health["components"].(map[string]any)["qdrant"])
	}
	ask := func(question string) string {
		status, answer := e.call("POST", "/v1/search", fmt.Sprintf(`{"query":%q,"mode":"dense"}`, question))
		return fmt.Sprint(status, " ", len(answer["results"].([]any)), " ", answer["degraded"])
	}
	if got := component(); got != "healthy healthy" {
		t.Errorf("health %v", got)
	}
	asked := server.Calls("Query")
	if got := ask("red kite"); got != "200 3 []" || server.Calls("Query") == asked {
		t.Errorf("search %s, Qdrant asked %d times", got, server.Calls("Query")-asked)
	}
	server.Stop()
	if got := component(); got != "degraded unhealthy" {
		t.Errorf("health while it is away: %v", got)
	}
	for range 2 { // the second could come from the cache
		if got := ask("a red kite flew"); got != "200 3 [qdrant]" {
			t.Errorf("search while it is away: %s", got)
		}
	}
	if status, answer := e.call("DELETE", "/v1/tenants/acme/data", ""); status != 503 {
		t.Errorf("erasure while it is away: %d %v", status, answer)
	}
	server.Start()
	eventually(t, "Qdrant is well again", func() bool { return component() == "healthy healthy" })
	eventually(t, "what could not be erased is erased by event", func() bool { return len(server.Points(collection)) == 0 })
	if status, receipt := e.call("DELETE", "/v1/tenants/acme/data", ""); status != 200 {
		t.Errorf("erasure: %d %v", status, receipt)
	}
}
