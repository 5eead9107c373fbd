package redis_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/embed/embedtest"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/redis"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/search/cachetest"
	"github.com/rae-memory/rae/pkg/serve/limittest"
	"github.com/rae-memory/rae/pkg/servicetest"
)

// patient waits longer than any test machine is busy; for tests of what is answered, not of when.
var patient = redis.Options{DialTimeout: 10 * time.Second, Timeout: 10 * time.Second}

// open connects to host:port or a whole URL, and closes with the test.
func open(t testing.TB, address string, o redis.Options) *redis.Client {
	t.Helper()
	if !strings.Contains(address, "://") {
		address = "redis://" + address
	}
	client, err := redis.Open(address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestMain(m *testing.M) { servicetest.Main(m) }

// servers are what every contract is run on: each function gives an empty one.
var servers = map[string]func(t *testing.T) (address string){
	"miniredis": func(t *testing.T) string { return miniredis.RunT(t).Addr() },
	"redis":     func(t *testing.T) string { return servicetest.Redis(t).Database(t) },
}

func TestAnswersKeepTheContract(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cachetest.Run(t, name, func(t *testing.T) search.Cache { return open(t, start(t), patient).Answers() })
		})
		t.Run(name+" behind memory", func(t *testing.T) {
			t.Parallel()
			cachetest.Run(t, "memory before "+name, func(t *testing.T) search.Cache { return behindMemory{open(t, start(t), patient).Answers()} })
		})
	}
}

// behindMemory is Redis behind a cache in this process, with what each forgets counted once.
type behindMemory struct{ far search.Cache }

func (b behindMemory) layers() search.Layered {
	return search.Layered{Near: search.NewCache(1), Far: b.far}
}
func (b behindMemory) Get(ctx context.Context, key search.CacheKey) (search.CachedAnswer, bool) {
	return b.layers().Get(ctx, key)
}
func (b behindMemory) Put(ctx context.Context, answer search.CachedAnswer) {
	b.layers().Put(ctx, answer)
}
func (b behindMemory) ForgetTenant(ctx context.Context, tenant string) (int, error) {
	return b.layers().ForgetTenant(ctx, tenant)
}

func TestVectorsKeepTheContract(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			embedtest.RunCache(t, name, func(t *testing.T) embed.Cache { return open(t, start(t), patient).Vectors() })
		})
		t.Run(name+" before an embedder", func(t *testing.T) {
			t.Parallel()
			embedtest.Run(t, "hash behind "+name, func(t *testing.T) embed.Embedder {
				return &embed.Cached{Upstream: new(embed.Hash), Cache: open(t, start(t), patient).Vectors()}
			})
		})
	}
}

func TestLimitsKeepTheContract(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limittest.Run(t, name, func(t *testing.T) limittest.Limiter { return open(t, start(t), patient).Limits() })
		})
	}
}

func TestInstancesShareWhatIsInRedis(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := start(t)
			one, other := open(t, address, patient), open(t, address, patient)
			answer := cachetest.Answer(here, "question")
			one.Answers().Put(t.Context(), answer)
			if _, ok := other.Answers().Get(t.Context(), answer.Key); !ok {
				t.Error("an answer is not shared")
			}
			one.Vectors().Put(t.Context(), []embed.CacheKey{embedtest.Key("a")}, [][]float32{{1}})
			if got := other.Vectors().Get(t.Context(), []embed.CacheKey{embedtest.Key("a")}); got[0] == nil {
				t.Error("a vector is not shared")
			}
			if wait, err := one.Limits().Take(t.Context(), "acme", 1, 1); wait != 0 || err != nil {
				t.Errorf("the first request: %s, %v", wait, err)
			}
			if wait, err := other.Limits().Take(t.Context(), "acme", 1, 1); wait == 0 || err != nil {
				t.Errorf("the second request, elsewhere: %s, %v", wait, err)
			}
		})
	}
}

func TestAnswersEndInRedisToo(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	answers := open(t, server.Addr(), patient).Answers()
	answer := cachetest.Answer(here, "question") // for a minute
	answers.Put(t.Context(), answer)
	endless := cachetest.Answer(here, "another")
	endless.Until = time.Now().Add(1000 * time.Hour)
	answers.Put(t.Context(), endless)
	past := cachetest.Answer(here, "a third")
	past.Until = time.Now().Add(-time.Second)
	answers.Put(t.Context(), past)
	if n := len(server.Keys()); n != 2 {
		t.Errorf("%d keys, want 2", n)
	}
	server.FastForward(61 * time.Second)
	if _, ok := answers.Get(t.Context(), answer.Key); ok {
		t.Error("an answer outlives its time")
	}
	server.FastForward(time.Hour)
	if keys := server.Keys(); len(keys) != 0 {
		t.Errorf("left for ever: %v", keys)
	}
}

func TestNoNameAndNoWordOfATenantIsAKey(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client := open(t, server.Addr(), patient)
	answer := cachetest.Answer(here, "question")
	client.Answers().Put(t.Context(), answer)
	if _, err := client.Limits().Take(t.Context(), here.Tenant, 1, 1); err != nil {
		t.Fatal(err)
	}
	for _, key := range server.Keys() {
		if strings.Contains(key, here.Tenant) {
			t.Errorf("key %q names its tenant", key)
		}
	}
}

func TestAnAddressThatCannotBeUsedIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"localhost:6379", "http://user:hunter2@host", "redis://user:hunter2@host/database", "redis://:hunter2@host:6379/0?dial_timeout=x", "redis://hunter2\n"} {
		_, err := redis.Open(address, redis.Options{})
		if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestNoAddressIsNoRedis(t *testing.T) {
	t.Parallel()
	client, err := redis.Open("", redis.Options{})
	if client != nil || err != nil || client.Answers() != nil || client.Vectors() != nil || client.Limits() != nil || client.Close() != nil {
		t.Errorf("got %v, %v", client, err)
	}
}

func TestOperationsAreCounted(t *testing.T) {
	t.Parallel()
	server, registry := miniredis.RunT(t), prometheus.NewRegistry()
	o := patient
	o.Metrics = registry
	client := open(t, server.Addr(), o)
	answer := cachetest.Answer(here, "question")
	client.Answers().Get(t.Context(), answer.Key)
	client.Answers().Put(t.Context(), answer)
	client.Answers().Get(t.Context(), answer.Key)
	client.Vectors().Get(t.Context(), []embed.CacheKey{embedtest.Key("a"), embedtest.Key("b")})
	for _, key := range server.Keys() {
		if err := server.Set(key, "rubbish"); err != nil {
			t.Fatal(err)
		}
	}
	client.Answers().Get(t.Context(), answer.Key)
	want := map[string]float64{"answer_get miss": 1, "answer_put ok": 1, "answer_get hit": 1, "answer_get lie": 1, "vector_get miss": 2}
	for name, n := range want {
		if got := counted(t, registry)[name]; got != n {
			t.Errorf("%s: %v, want %v", name, got, n)
		}
	}
	if _, err := redis.Open("redis://"+server.Addr(), o); err == nil {
		t.Error("a second client counts on the same registry")
	}
}

// counted are rae_redis_operations_total by operation and result, and the state of the circuit.
func counted(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, family := range families {
		for _, m := range family.Metric {
			if family.GetType() == dto.MetricType_GAUGE {
				counts[family.GetName()] = m.GetGauge().GetValue()
				continue
			}
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetValue())
			}
			counts[strings.Join(labels, " ")] = m.GetCounter().GetValue()
		}
	}
	return counts
}

// journal is a log that can be read back.
type journal struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines.Write(p)
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// said are the levels and messages logged.
func (j *journal) said() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var said []string
	for line := range strings.Lines(j.lines.String()) {
		_, rest, _ := strings.Cut(line, " level=")
		level, rest, _ := strings.Cut(rest, ` msg="`)
		message, _, _ := strings.Cut(rest, `"`)
		said = append(said, level+" "+message)
	}
	return said
}
