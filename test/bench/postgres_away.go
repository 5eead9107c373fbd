package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/rae-memory/rae/test/process"
)

// find searches the scope of n memories in a mode and returns what was named as degraded.
func find(ctx context.Context, caller *caller, n int, mode, query string) (degraded []string, err error) {
	raw, err := caller.do(ctx, "POST", "/v1/search", map[string]any{"query": query, "mode": mode}, "X-Project-ID", projectOf(n))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Degraded []string `json:"degraded"`
	}
	return answer.Degraded, json.Unmarshal(raw, &answer)
}

// withoutRedis compares a server whose Redis is gone with one that has it.
func (r *productionRun) withoutRedis(ctx context.Context, n int) error {
	if r.redis == nil {
		redis, err := r.services.Redis(nil)
		if err != nil {
			return err
		}
		r.redis = redis
		r.part.About = append(r.part.About, redis.Version()+".")
	}
	c := companion{name: "redis", variable: "RAE_REDIS_URL", address: r.redis.URL()}
	return r.without(ctx, n, c, "hybrid", "search, hybrid, HTTP, Redis down", 1.5)
}

// companion is a server that RAE uses where there is one, and can do without.
type companion struct {
	name     string   // in RAE's health
	variable string   // that names its address
	address  string   // URL
	env      []string // more settings
}

// without measures searches with the companion cut off, in turns with searches of another server that has it.
func (r *productionRun) without(ctx context.Context, n int, c companion, mode, what string, most float64) error {
	ask := func(s *companioned, stream uint64) func(i int) error {
		speaker := newSpeaker(r.seed, stream+uint64(n))
		return func(i int) error { return s.ask(ctx, n, mode, speaker.query(i)) }
	}
	var sides [2]func(i int) error
	for i, away := range []bool{true, false} {
		s, err := r.beside(ctx, c)
		if err != nil {
			return err
		}
		defer s.close()
		sides[i] = ask(s, uint64(7000+i))
		if err := warm(ask(s, uint64(7100+i))); err != nil {
			return err
		}
		if away {
			s.proxy.Stop()
			s.away = c.name
			if err := warm(ask(s, uint64(7200+i))); err != nil { // until nobody tries to reach it any more
				return err
			}
		}
		if err := s.check(ctx); err != nil {
			return err
		}
	}
	t, err := inTurns(ctx, r.blocks, p50s(r.calls, sides[0]), p50s(r.calls, sides[1]))
	if err != nil {
		return err
	}
	r.part.add(compared(what, n, inMilliseconds, t, "healthy").atMost(most))
	return nil
}

// companioned is a server of RAE that reaches its companion through a proxy.
type companioned struct {
	*caller
	companion
	server *process.Process
	proxy  *toxiproxy.Proxy
	away   string // the companion's name once it is cut off
}

func (r *productionRun) beside(ctx context.Context, c companion) (*companioned, error) {
	u, err := url.Parse(c.address)
	if err != nil {
		return nil, err
	}
	proxy := toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), c.name, "127.0.0.1:0", u.Host)
	if err := proxy.Start(); err != nil {
		return nil, err
	}
	u.Host = proxy.Listen
	server, err := r.serve(ctx, r.environment(append(c.env, c.variable+"="+u.String())...)...)
	if err != nil {
		proxy.Stop()
		return nil, err
	}
	return &companioned{caller: newCaller(server.URL), companion: c, server: server, proxy: proxy}, nil
}

func (s *companioned) close() {
	s.caller.close()
	s.server.Kill()
	s.proxy.Stop()
}

// ask searches. What the figure says must be so: nothing but the companion may be missing, and only when it is away.
func (s *companioned) ask(ctx context.Context, n int, mode, query string) error {
	degraded, err := find(ctx, s.caller, n, mode, query)
	if err != nil {
		return err
	}
	for _, stage := range degraded {
		if stage != s.away {
			return fmt.Errorf("a search is degraded by %q", stage)
		}
	}
	return nil
}

// check makes sure that the server sees its companion as it should.
func (s *companioned) check(ctx context.Context) error {
	raw, err := s.do(ctx, "GET", "/health", nil)
	if err != nil {
		return err
	}
	var health struct {
		Components map[string]string `json:"components"`
	}
	if err := json.Unmarshal(raw, &health); err != nil {
		return err
	}
	want := "healthy"
	if s.away != "" {
		want = "unhealthy"
	}
	if got := health.Components[s.name]; got != want {
		return fmt.Errorf("%s is %q to the server, not %q", s.name, got, want)
	}
	return nil
}
