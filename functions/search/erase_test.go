package search_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rae-memory/rae/eventing"
	searchfn "github.com/rae-memory/rae/functions/search"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/qdrant/qdranttest"
	"github.com/rae-memory/rae/pkg/redis"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/servicetest"
)

func TestMain(m *testing.M) { servicetest.Main(m) }

// apart is a search function deployed apart from the store function: all it hears of are events.
type apart struct {
	*world
	function *searchfn.Function
	server   *qdranttest.Server
	redis    *redis.Client
}

func newApart(t *testing.T) *apart {
	t.Helper()
	a := &apart{world: &world{t: t}, server: qdranttest.New(t)}
	cfg := searchfn.Config{StageTimeout: 5 * time.Second, IndexMegabyte: 64, CacheAnswers: 16, QdrantURL: a.server.URL(), QdrantPrefix: "rae", QdrantTimeout: 2 * time.Second}
	cfg.Store = database.InMem
	var err error
	if a.db, err = database.Open(&cfg.Config, nil, nil); err != nil {
		t.Fatal(err)
	}
	rt := serve.Runtime{Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)}
	spaces := &embed.Spaces{Store: a.db.Memories, Resolve: embed.One(new(embed.Hash))}
	if a.function, err = searchfn.New(cfg, a.db, spaces, rt); err != nil {
		t.Fatal(err)
	}
	a.redis, err = redis.Open(servicetest.Redis(t).Database(t), redis.Options{DialTimeout: 5 * time.Second, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.redis.Close() })
	a.function.Share(a.redis.Answers())
	return a
}

// relayed takes what waits in the outbox.
func (a *apart) relayed() (records []outbox.Record) {
	a.t.Helper()
	records, err := a.db.Memories.Claim(a.t.Context(), 100, time.Minute)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, r := range records {
		if err := a.db.Memories.Done(a.t.Context(), []string{r.ID}); err != nil {
			a.t.Fatal(err)
		}
	}
	return records
}

// deliver hands a record to the function as a broker does, and returns the answer.
func (a *apart) deliver(r outbox.Record) int {
	a.t.Helper()
	e, err := eventing.FromRecord(r, "")
	if err != nil {
		a.t.Fatal(err)
	}
	header, body, err := eventing.Encode(a.t.Context(), e)
	if err != nil {
		a.t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(a.t.Context(), http.MethodPost, "/", bytes.NewReader(body))
	request.Header = header
	w := httptest.NewRecorder()
	a.function.Events().ServeHTTP(w, request)
	return w.Code
}

func (a *apart) taken(records ...outbox.Record) {
	a.t.Helper()
	for _, r := range records {
		if status := a.deliver(r); status != http.StatusNoContent {
			a.t.Fatalf("%s is answered %d", r.Type, status)
		}
	}
}

// erase erases the tenant in the store, and returns what is told of it.
func (a *apart) erase(tenant string) outbox.Record {
	a.t.Helper()
	if _, err := a.db.Memories.EraseTenant(a.t.Context(), tenant); err != nil {
		a.t.Fatal(err)
	}
	told := a.relayed()
	if len(told) != 1 || told[0].Type != outbox.TenantErased {
		a.t.Fatalf("told %+v", told)
	}
	return told[0]
}

// points are what Qdrant holds, by tenant.
func (a *apart) points() map[string]int {
	count := map[string]int{}
	for _, collection := range a.server.Collections() {
		for _, p := range a.server.Points(collection) {
			count[p.GetPayload()["tenant"].GetStringValue()]++
		}
	}
	return count
}

// nearest searches by vectors and returns what is found, and what the search did without.
func (a *apart) nearest(scope memory.Scope, query string) (found, degraded []string) {
	a.t.Helper()
	answer, err := a.function.Service().Search(a.t.Context(), search.Request{Scope: scope, Query: query, Limit: 10, Mode: search.Dense})
	if err != nil {
		a.t.Fatal(err)
	}
	for _, r := range answer.Results {
		found = append(found, r.Memory.Content)
	}
	return found, answer.Degraded
}

// cached counts the answers Redis holds for the tenant, and takes them away.
func (a *apart) cached(tenant string) int {
	a.t.Helper()
	n, err := a.redis.Answers().ForgetTenant(a.t.Context(), tenant)
	if err != nil {
		a.t.Fatal(err)
	}
	return n
}

func TestAnErasedTenantIsGoneByEvent(t *testing.T) {
	t.Parallel()
	a := newApart(t)
	other := memory.Scope{Tenant: "other", Project: "default"}
	for i := range 3 {
		a.put(here, memory.Memory{Content: fmt.Sprintf("The red kite flew %d times.", i)})
	}
	a.put(other, memory.Memory{Content: "The red kite landed."})
	a.taken(a.relayed()...)
	for _, scope := range []memory.Scope{here, other} {
		a.nearest(scope, "red kite")
	}
	if got := fmt.Sprint(a.points()); got != fmt.Sprintf("map[%s:3 other:1]", here.Tenant) {
		t.Fatalf("points %s", got)
	}
	news := a.erase(here.Tenant)
	for range 3 { // at least once
		a.taken(news)
	}
	if got := fmt.Sprint(a.points()); got != "map[other:1]" {
		t.Errorf("points left %s", got)
	}
	if a.cached(here.Tenant) != 0 || a.cached("other") != 1 {
		t.Error("answers are left of who was erased, or gone of who was not")
	}
	if found, degraded := a.nearest(other, "red kite"); len(found) != 1 || len(degraded) != 0 {
		t.Errorf("the other finds %q without %q", found, degraded)
	}
}

func TestTheNewsOfAnErasureMayComeLate(t *testing.T) {
	t.Parallel()
	a := newApart(t)
	a.put(here, memory.Memory{Content: "The red kite of the old life."})
	old := a.relayed()
	a.taken(old...)
	news := a.erase(here.Tenant)
	// The tenant begins anew before anybody hears of it, and all that is told comes in the worst order, and again.
	a.put(here, memory.Memory{Content: "The red kite of the new life."})
	fresh := a.relayed()
	for _, order := range [][]outbox.Record{{fresh[0], old[0], news}, {news, old[0]}, {old[0], news, fresh[0]}} {
		a.taken(order...)
		if got := fmt.Sprint(a.points()); got != fmt.Sprintf("map[%s:1]", here.Tenant) {
			t.Fatalf("points %s", got)
		}
		asked := a.server.Calls("Query")
		found, degraded := a.nearest(here, fmt.Sprintf("red kite %d", asked)) // no answer that is kept
		if !slices.Equal(found, []string{"The red kite of the new life."}) || len(degraded) != 0 || a.server.Calls("Query") == asked {
			t.Errorf("found %q, did without %q, asked Qdrant %d times", found, degraded, a.server.Calls("Query")-asked)
		}
	}
}

func TestAnErasureWaitsForQdrant(t *testing.T) {
	t.Parallel()
	a := newApart(t)
	a.put(here, memory.Memory{Content: "The red kite flew."})
	a.taken(a.relayed()...)
	news := a.erase(here.Tenant)
	a.server.Stop()
	if status := a.deliver(news); status != http.StatusServiceUnavailable {
		t.Errorf("while Qdrant is away: %d", status)
	}
	a.server.Start()
	for a.deliver(news) != http.StatusNoContent {
		if t.Context().Err() != nil {
			t.Fatal("Qdrant is back and nothing follows")
		}
	}
	if got := a.points(); len(got) != 0 {
		t.Errorf("points left %v", got)
	}
}
