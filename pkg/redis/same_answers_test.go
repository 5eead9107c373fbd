package redis_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/index"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/redis"
	"github.com/rae-memory/rae/pkg/search"
)

// lives are the fates of Redis under which the same searches must have the same answers.
var lives = map[string]func(t *testing.T) (address string){
	"a miniredis": servers["miniredis"],
	"a redis":     servers["redis"],
	"cut":         refused,
	"mute":        func(t *testing.T) string { return peer(t, mute) },
	"babbling":    func(t *testing.T) string { return peer(t, babble) },
	"two seconds late": func(t *testing.T) string {
		p := proxy(t, miniredis.RunT(t).Addr())
		addToxic(t, p, twoSeconds)
		return p.Listen
	},
	"random bytes under every key": func(t *testing.T) string {
		return lying(t, func(_ *miniredis.Miniredis, _ string, random *rand.Rand) string {
			noise := make([]byte, random.IntN(2000))
			for i := range noise {
				noise[i] = byte(random.Uint32())
			}
			return string(noise)
		})
	},
	"another's value under every key": func(t *testing.T) string {
		return lying(t, func(m *miniredis.Miniredis, key string, random *rand.Rand) string {
			kind, _, _ := strings.Cut(key, ":v1:")
			others := slices.DeleteFunc(m.Keys(), func(k string) bool { return k == key || !strings.HasPrefix(k, kind) })
			if len(others) == 0 {
				return ""
			}
			value, _ := m.Get(others[random.IntN(len(others))])
			return value
		})
	},
}

// lying is a Redis that takes everything and reads back what it likes.
func lying(t *testing.T, says func(m *miniredis.Miniredis, key string, random *rand.Rand) string) string {
	m, random := miniredis.RunT(t), rand.New(rand.NewPCG(1, 2))
	m.Server().SetPreHook(func(c *server.Peer, command string, args ...string) bool {
		if command != "GETRANGE" {
			return false
		}
		c.WriteBulk(says(m, args[0], random))
		return true
	})
	return m.Addr()
}

// world is a store of two tenants with an index that follows it, at a time that stands still.
type world struct {
	db  *inmem.DB
	set *index.Set
	now time.Time
}

func newWorld() *world {
	w := &world{now: time.Now().Round(time.Second)}
	clock := func() time.Time { return w.now }
	w.db = inmem.New(inmem.Options{Clock: clock})
	w.set = index.NewSet(w.db, new(embed.Hash).Model())
	w.set.Clock = clock
	return w
}

func (w *world) put(t *testing.T, scope memory.Scope, content string) {
	t.Helper()
	v, err := new(embed.Hash).EmbedQuery(t.Context(), content)
	if err != nil {
		t.Fatal(err)
	}
	err = w.db.Write(t.Context(), scope, func(tx memory.Tx) error {
		m := memory.Memory{Content: content, Layer: memory.Episodic, SessionID: "s", Importance: .5}
		_, _, err := tx.Put(t.Context(), m, memory.Why{}, memory.Vector{Model: new(embed.Hash).Model(), Values: v})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// service searches the world with the caches given; nil is none.
func (w *world) service(cache search.Cache, embedder search.Embedder) *search.Service {
	return &search.Service{
		Legs:    []search.Leg{index.Lexical{Set: w.set}, index.Dense{Set: w.set}, search.Linked{Mentions: index.Graph{Set: w.set}}},
		Weights: search.Weights{"lexical": 1, "graph": .1, "dense": .3}, Memories: w.db, Freshness: w.set, Cache: cache,
		Neighbourhood: index.Neighbourhood{Set: w.set}, Reranker: index.Reranker{Set: w.set}, Embedder: embedder,
		Clock: func() time.Time { return w.now }, StageTimeout: 20 * time.Second,
	}
}

// body is what a caller sees of an answer, but for the time it took and whether it was kept.
func body(t *testing.T, s *search.Service, r search.Request) (text string, cached bool) {
	t.Helper()
	response, err := s.Search(t.Context(), r)
	if err != nil {
		t.Fatalf("search: %v", err)
	}
	cached, response.Cached = response.Cached, false
	b, err := json.Marshal(response)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), cached
}

func TestSearchesHaveTheSameAnswersWhateverBecomesOfRedis(t *testing.T) {
	t.Parallel()
	scopes := []memory.Scope{here, {Tenant: "other", Project: "default"}, {Tenant: "acme", Project: "second"}}
	for name, start := range lives {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, hits := newWorld(), atomic.Int64{}
			plain := w.service(nil, new(embed.Hash))
			client := open(t, start(t), redis.Options{DialTimeout: 200 * time.Millisecond, Timeout: 100 * time.Millisecond})
			shared := w.service(client.Answers(), &embed.Cached{Upstream: new(embed.Hash), Cache: client.Vectors()})
			for round := range 6 {
				for i, scope := range scopes {
					w.put(t, scope, fmt.Sprintf("%s keeps greyhound number %d called Pixel-%d in Lisbon", scope.Tenant, round, i))
				}
				for pass := range 2 {
					for _, scope := range scopes {
						for _, r := range []search.Request{
							{Query: "greyhound"}, {Query: "who keeps Pixel-1?", Limit: 3}, {Query: "lissabon greyhouns", Mode: search.Dense},
							{Query: "greyhound", Diversity: .5}, {Query: "greyhound", NoRerank: true}, {Query: "nothing of the kind", Mode: search.Lexical},
						} {
							r.Scope = scope
							if r.Limit == 0 {
								r.Limit = 10
							}
							want, _ := body(t, plain, r)
							got, cached := body(t, shared, r)
							if got != want {
								t.Fatalf("round %d, pass %d, %s %q:\n got %s\nwant %s", round, pass, scope, r.Query, got, want)
							}
							if cached {
								hits.Add(1)
							}
						}
					}
				}
			}
			t.Logf("%d answers came from Redis", hits.Load())
			if healthy := name == "a miniredis" || name == "a redis"; healthy != (hits.Load() > 0) {
				t.Errorf("%d answers came from Redis", hits.Load())
			}
		})
	}
}
