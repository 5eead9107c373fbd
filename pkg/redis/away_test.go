package redis_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/embed/embedtest"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/redis"
	"github.com/rae-memory/rae/pkg/search/cachetest"
	"github.com/rae-memory/rae/pkg/servicetest"
)

var here = memory.Scope{Tenant: "acme", Project: "default"}

// slack is what a busy machine may add to a wait; only a failing test takes it whole.
const slack = 400 * time.Millisecond

// peer is a server that does with each connection what it is told, and closes with the test.
func peer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	running.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, connection)
			mu.Unlock()
			running.Go(func() { serve(connection) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, connection := range open {
			_ = connection.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return listener.Addr().String()
}

// mute takes everything and says nothing.
func mute(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// babble answers everything with noise.
func babble(c net.Conn) {
	in := make([]byte, 4096)
	for {
		if _, err := c.Read(in); err != nil {
			return
		}
		noise := make([]byte, 64)
		_, _ = rand.Read(noise)
		if _, err := c.Write(append([]byte("\x00"), noise...)); err != nil {
			return
		}
	}
}

// refused is an address where nobody listens.
func refused(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	return listener.Addr().String()
}

// proxy stands before a server and can be made slow or cut.
func proxy(t *testing.T, upstream string) *toxiproxy.Proxy {
	t.Helper()
	p := toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), "redis", "127.0.0.1:0", upstream)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

func addToxic(t *testing.T, p *toxiproxy.Proxy, toxic string) {
	t.Helper()
	if _, err := p.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		t.Fatal(err)
	}
}

const twoSeconds = `{"name":"slow","type":"latency","stream":"downstream","attributes":{"latency":2000}}`

// use asks each port once, as one request would.
func use(t *testing.T, client *redis.Client) {
	t.Helper()
	answer := cachetest.Answer(here, "question")
	if got, ok := client.Answers().Get(t.Context(), answer.Key); ok {
		t.Errorf("an answer from nowhere: %+v", got)
	}
	client.Answers().Put(t.Context(), answer)
	if got := client.Vectors().Get(t.Context(), []embed.CacheKey{embedtest.Key("a")}); len(got) != 1 || got[0] != nil {
		t.Errorf("a vector from nowhere: %v", got)
	}
	client.Vectors().Put(t.Context(), []embed.CacheKey{embedtest.Key("a")}, [][]float32{{1}})
	if _, err := client.Limits().Take(t.Context(), "acme", 1, 1); err == nil {
		t.Error("a request was counted nowhere")
	}
}

func TestRedisAwayIsNeverWaitedForTwice(t *testing.T) {
	t.Parallel()
	slow := proxy(t, miniredis.RunT(t).Addr())
	addToxic(t, slow, twoSeconds)
	for name, address := range map[string]string{
		"nobody listens": refused(t), "it accepts and says nothing": peer(t, mute), "it babbles": peer(t, babble), "it takes two seconds": slow.Listen,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, registry := new(journal), prometheus.NewRegistry()
			client := open(t, address, redis.Options{OpenFor: time.Hour, Log: log.logger(), Metrics: registry})
			for round := 0; counted(t, registry)["rae_redis_circuit_state"] != 2; round++ {
				began := time.Now()
				use(t, client) // five questions
				if took := time.Since(began); took > 100*time.Millisecond+slack {
					t.Errorf("request %d was held up for %s", round, took)
				}
				if round == 20 {
					t.Fatalf("the circuit stays closed: %v", counted(t, registry))
				}
				<-time.After(260 * time.Millisecond) // until somebody asks again
			}
			errors := counted(t, registry)
			began := time.Now()
			for range 1000 {
				use(t, client)
			}
			if took := time.Since(began); took > slack {
				t.Errorf("a thousand requests behind an open circuit took %s", took)
			}
			if after := counted(t, registry); after["limit error"] != errors["limit error"] || after["answer_get error"] != errors["answer_get error"] {
				t.Errorf("an open circuit let somebody through: %v", after)
			}
			if want := []string{"WARN redis is away: answers stay right and take longer"}; !slices.Equal(log.said(), want) {
				t.Errorf("logged %q", log.said())
			}
			if err := client.Ping(t.Context()); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("health says %v", err)
			}
			if _, err := client.Answers().ForgetTenant(t.Context(), "acme"); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("a tenant is forgotten by %v", err)
			}
		})
	}
}

func TestRedisThatReturnsIsUsedAgain(t *testing.T) {
	t.Parallel()
	server, log, registry := miniredis.RunT(t), new(journal), prometheus.NewRegistry()
	gate := proxy(t, server.Addr())
	client := open(t, gate.Listen, redis.Options{DialTimeout: 5 * time.Second, Timeout: 5 * time.Second, OpenFor: 100 * time.Millisecond, Log: log.logger(), Metrics: registry})
	answer := cachetest.Answer(here, "question")
	answers := client.Answers()
	for range 2 { // gone and back, twice
		answers.Put(t.Context(), answer)
		if _, ok := answers.Get(t.Context(), answer.Key); !ok {
			t.Fatal("the cache does not work")
		}
		gate.Stop()
		until(t, "the circuit opens", func() bool {
			answers.Get(t.Context(), answer.Key)
			return counted(t, registry)["rae_redis_circuit_state"] == 2
		})
		for range 3 { // probes that fail
			<-time.After(300 * time.Millisecond)
			answers.Get(t.Context(), answer.Key)
		}
		if err := gate.Start(); err != nil {
			t.Fatal(err)
		}
		until(t, "the cache works again", func() bool {
			_, ok := answers.Get(t.Context(), answer.Key)
			return ok
		})
	}
	const away, back = "WARN redis is away: answers stay right and take longer", "INFO redis is back"
	if want := []string{away, back, away, back}; !slices.Equal(log.said(), want) {
		t.Errorf("logged %q", log.said())
	}
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 400 {
		if holds() {
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Fatalf("%s: not within 20 s", what)
}

func TestAHalfOpenCircuitLetsOneAsk(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	connections := 0
	address := peer(t, func(c net.Conn) {
		mu.Lock()
		connections++
		mu.Unlock()
		mute(c)
	})
	registry := prometheus.NewRegistry()
	client := open(t, address, redis.Options{OpenFor: 300 * time.Millisecond, Metrics: registry})
	until(t, "the circuit opens", func() bool {
		_ = client.Ping(t.Context())
		return counted(t, registry)["rae_redis_circuit_state"] == 2
	})
	<-time.After(350 * time.Millisecond)
	mu.Lock()
	before := connections
	mu.Unlock()
	var running sync.WaitGroup
	for range 50 {
		running.Go(func() { _ = client.Ping(t.Context()) })
	}
	running.Wait()
	mu.Lock()
	defer mu.Unlock()
	if connections-before > 1 {
		t.Errorf("%d of 50 asked a Redis that may be away", connections-before)
	}
}

func TestACallerWhoLeavesSaysNothingOfRedis(t *testing.T) {
	t.Parallel()
	server, registry := miniredis.RunT(t), prometheus.NewRegistry()
	client := open(t, server.Addr(), redis.Options{DialTimeout: 5 * time.Second, Timeout: 5 * time.Second, Metrics: registry})
	gone, leave := context.WithCancel(t.Context())
	leave()
	for range 20 {
		client.Answers().Get(gone, cachetest.Answer(here, "question").Key)
	}
	if err := client.Ping(t.Context()); err != nil || counted(t, registry)["rae_redis_circuit_state"] != 0 {
		t.Errorf("after twenty callers left: %v", err)
	}
}

func TestARedisThatIsFullStillAnswers(t *testing.T) {
	t.Parallel()
	srv := miniredis.RunT(t)
	client := open(t, srv.Addr(), patient)
	kept, late := cachetest.Answer(here, "before"), cachetest.Answer(here, "after")
	client.Answers().Put(t.Context(), kept)
	srv.Server().SetPreHook(func(c *server.Peer, command string, _ ...string) bool {
		if command == "SET" { // miniredis has no memory to fill; these are the words of Redis
			c.WriteError("OOM command not allowed when used memory > 'maxmemory'.")
			return true
		}
		return false
	})
	for range 20 {
		client.Answers().Put(t.Context(), late)
		if _, ok := client.Answers().Get(t.Context(), kept.Key); !ok {
			t.Fatal("what was kept cannot be read while nothing can be written")
		}
		if _, ok := client.Answers().Get(t.Context(), late.Key); ok {
			t.Fatal("what could not be kept is read")
		}
	}
}

func TestARealRedisThatIsFullStillAnswers(t *testing.T) {
	t.Parallel()
	server := servicetest.OwnRedis(t, map[string]string{"maxmemory": "3mb", "maxmemory-policy": "noeviction"})
	client := open(t, server.URL(), patient)
	vectors, big := client.Vectors(), make([]float32, 15_000)
	big[0] = 1
	kept := -1
	for i := range 200 { // 12 MB
		vectors.Put(t.Context(), []embed.CacheKey{embedtest.Key(fmt.Sprint(i))}, [][]float32{big})
		if got := vectors.Get(t.Context(), []embed.CacheKey{embedtest.Key(fmt.Sprint(i))}); got[0] == nil {
			break
		}
		kept = i
	}
	if kept < 0 || kept > 100 {
		t.Fatalf("%d vectors fit into 3 MB", kept+1)
	}
	for i := range kept + 1 {
		if got := vectors.Get(t.Context(), []embed.CacheKey{embedtest.Key(fmt.Sprint(i))}); got[0] == nil {
			t.Fatalf("vector %d cannot be read while nothing can be written", i)
		}
	}
}

func TestARealRedisMayBeKilledAndComesBack(t *testing.T) {
	t.Parallel()
	server, log := servicetest.OwnRedis(t, nil), new(journal)
	client := open(t, server.URL(), redis.Options{DialTimeout: 5 * time.Second, Timeout: 5 * time.Second, OpenFor: 100 * time.Millisecond, Log: log.logger()})
	answers, answer := client.Answers(), cachetest.Answer(here, "question")
	answers.Put(t.Context(), answer)
	if _, ok := answers.Get(t.Context(), answer.Key); !ok {
		t.Fatal("the cache does not work")
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	until(t, "the circuit opens", func() bool {
		if _, ok := answers.Get(t.Context(), answer.Key); ok {
			t.Error("a dead Redis answers")
		}
		return len(log.said()) > 0
	})
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the cache works again", func() bool {
		answers.Put(t.Context(), answer)
		_, ok := answers.Get(t.Context(), answer.Key)
		return ok
	})
	if want := []string{"WARN redis is away: answers stay right and take longer", "INFO redis is back"}; !slices.Equal(log.said(), want) {
		t.Errorf("logged %q", log.said())
	}
}
