package search_test

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"

	searchfn "github.com/rae-memory/rae/functions/search"
	"github.com/rae-memory/rae/pkg/serve"
)

// These tests set the environment of the process and so cannot run in parallel.

func TestTheFunctionAloneOpensRedis(t *testing.T) {
	redis := miniredis.RunT(t)
	t.Setenv("RAE_STORE", "inmem")
	for _, c := range []struct {
		address string
		want    serve.Component
	}{{"", serve.Component{Name: "redis", Unused: true}}, {"redis://" + redis.Addr(), serve.Component{Name: "redis"}}} {
		t.Setenv("RAE_REDIS_URL", c.address)
		opened, err := searchfn.Open(t.Context(), serve.Runtime{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
		if err != nil {
			t.Fatal(err)
		}
		if got := opened.Health(t.Context()); !slices.Contains(got, c.want) {
			t.Errorf("%q: health %+v, want %+v", c.address, got, c.want)
		}
		limiter := opened.(interface{ Limiter() serve.Limiter }).Limiter()
		if (limiter == nil) != c.want.Unused {
			t.Errorf("%q: limiter %v", c.address, limiter)
		}
		if err := opened.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
