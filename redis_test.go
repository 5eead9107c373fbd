package rae_test

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/rae-memory/rae"
	embedfn "github.com/rae-memory/rae/functions/embed"
	searchfn "github.com/rae-memory/rae/functions/search"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// besideRedis is the engine over a store of its own, beside the Redis at the address.
func besideRedis(t *testing.T, address string, host serve.Config) *running {
	t.Helper()
	cfg, err := rae.Load()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Store.Store, cfg.Search.RedisURL = "inmem", telemetry.Secret(address)
	// A machine that is busy with other tests is no Redis that is away.
	cfg.Search.RedisDialTimeout, cfg.Search.RedisTimeout = 5*time.Second, 5*time.Second
	opened, err := rae.Open(cfg, serve.Runtime{Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewRegistry(), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	server, err := opened.Serve(host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return &running{Engine: opened, t: t, handler: server.Handler()}
}

// found are the contents of an answer, and whether it was kept.
func found(answer map[string]any) (contents []string, cached bool) {
	results, _ := answer["results"].([]any)
	for _, result := range results {
		contents = append(contents, result.(map[string]any)["memory"].(map[string]any)["content"].(string))
	}
	cached, _ = answer["cached"].(bool)
	return contents, cached
}

func TestTheEngineUsesRedisAndDoesWithoutIt(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	e := besideRedis(t, "redis://"+redis.Addr(), serve.LocalDefaults())
	if status, answer := e.call("POST", "/v1/memories", `{"content":"Mara adopted a greyhound."}`); status != http.StatusCreated {
		t.Fatalf("%d %v", status, answer)
	}
	search := func() ([]string, bool) {
		status, answer := e.call("POST", "/v1/search", `{"query":"greyhound"}`)
		if status != http.StatusOK {
			t.Fatalf("%d %v", status, answer)
		}
		return found(answer)
	}
	want := []string{"Mara adopted a greyhound."}
	if got, cached := search(); cached || !reflect.DeepEqual(got, want) {
		t.Errorf("first: %v, cached %v", got, cached)
	}
	if n := len(redis.Keys()); n != 1 {
		t.Errorf("%d keys in Redis after one search, want 1: the built-in embedder needs no cache", n)
	}
	for _, key := range redis.Keys() {
		if value, _ := redis.Get(key); strings.Contains(value, "Mara") || strings.Contains(value, "adopted") {
			t.Errorf("Redis holds the words of a memory: %q", value)
		}
	}
	if got, cached := search(); !cached || !reflect.DeepEqual(got, want) {
		t.Errorf("again: %v, cached %v", got, cached)
	}
	health := func() (int, any, any) {
		status, answer := e.call("GET", "/health", "")
		return status, answer["status"], answer["components"].(map[string]any)["redis"]
	}
	if status, all, redis := health(); status != 200 || all != "healthy" || redis != "healthy" {
		t.Errorf("health %d %v, redis %v", status, all, redis)
	}
	redis.Close()
	if status, all, redis := health(); status != 200 || all != "degraded" || redis != "unhealthy" {
		t.Errorf("health without Redis %d %v, redis %v", status, all, redis)
	}
	if got, _ := search(); !reflect.DeepEqual(got, want) {
		t.Errorf("without Redis: %v", got)
	}
}

func TestARedisOfAnotherStoreShowsNothingOfIt(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	// Both have the same tenant, the same project and the same number of changes, as a store that was made anew has.
	for _, content := range []string{"The old greyhound.", "The new greyhound."} {
		e := besideRedis(t, "redis://"+redis.Addr(), serve.LocalDefaults())
		if status, answer := e.call("POST", "/v1/memories", `{"content":"`+content+`"}`); status != http.StatusCreated {
			t.Fatalf("%d %v", status, answer)
		}
		_, answer := e.call("POST", "/v1/search", `{"query":"greyhound"}`)
		if got, cached := found(answer); cached || !reflect.DeepEqual(got, []string{content}) {
			t.Errorf("found %v, cached %v; want %q", got, cached, content)
		}
	}
}

func TestErasingATenantEmptiesRedisOfIt(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	e := besideRedis(t, "redis://"+redis.Addr(), serve.LocalDefaults())
	for _, tenant := range []string{"acme", "other"} {
		if status, answer := e.call("POST", "/v1/memories", `{"content":"a greyhound"}`, "X-Tenant-ID", tenant); status != http.StatusCreated {
			t.Fatalf("%d %v", status, answer)
		}
		for _, query := range []string{"greyhound", "a greyhound"} {
			e.call("POST", "/v1/search", `{"query":"`+query+`"}`, "X-Tenant-ID", tenant)
		}
	}
	if n := len(redis.Keys()); n != 4 {
		t.Fatalf("%d keys", n)
	}
	status, receipt := e.call("DELETE", "/v1/tenants/acme/data", "")
	if status != http.StatusOK || receipt["cache_keys"] != 5.0 { // two in this process, two in Redis, an index
		t.Errorf("%d %v", status, receipt)
	}
	if n := len(redis.Keys()); n != 2 {
		t.Errorf("%d keys are left, want the two of the other tenant", n)
	}
	redis.Close()
	if status, answer := e.call("DELETE", "/v1/tenants/other/data", ""); status != http.StatusServiceUnavailable {
		t.Errorf("erased without asking Redis: %d %v", status, answer)
	}
}

func TestEnginesCountRequestsTogether(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	host := serve.LocalDefaults()
	host.RateLimit, host.RateBurst = 1, 3
	var codes []int
	for range 2 {
		e := besideRedis(t, "redis://"+redis.Addr(), host)
		for range 2 {
			status, _ := e.call("POST", "/v1/search", `{"query":"greyhound"}`)
			codes = append(codes, status)
		}
	}
	if !reflect.DeepEqual(codes, []int{200, 200, 200, 429}) {
		t.Errorf("answered %v", codes)
	}
}

func TestAnAddressOfRedisIsCheckedAtTheStart(t *testing.T) {
	t.Setenv("RAE_REDIS_URL", "localhost:6379")
	_, err := rae.Load()
	if err == nil || err.Error() != "RAE_REDIS_URL has a value that is not allowed: it must be a URL such as redis://user:password@host:6379/0, or rediss:// for TLS" || serve.ExitCode(err) != 2 {
		t.Errorf("got %v", err)
	}
}

// This test sets the environment of the process and so cannot run in parallel.
func TestAFunctionAloneOpensRedis(t *testing.T) {
	redis := miniredis.RunT(t)
	t.Setenv("RAE_STORE", "inmem")
	for name, open := range map[string]func(context.Context, serve.Runtime) (serve.Function, error){
		"search": searchfn.Open, "embed": embedfn.Open,
	} {
		for _, c := range []struct {
			address string
			want    serve.Component
		}{{"", serve.Component{Name: "redis", Unused: true}}, {"redis://" + redis.Addr(), serve.Component{Name: "redis"}}} {
			t.Setenv("RAE_REDIS_URL", c.address)
			opened, err := open(t.Context(), serve.Runtime{Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewRegistry()})
			if err != nil {
				t.Fatal(err)
			}
			if got := opened.Health(t.Context()); !slices.Contains(got, c.want) {
				t.Errorf("%s, %q: health %+v, want %+v", name, c.address, got, c.want)
			}
			limiter := opened.(interface{ Limiter() serve.Limiter }).Limiter()
			if (limiter == nil) != c.want.Unused {
				t.Errorf("%s, %q: limiter %v", name, c.address, limiter)
			}
			if err := opened.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}
