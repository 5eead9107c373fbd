package rae

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"sync"

	"github.com/rae-memory/rae/pkg/serve"
)

// Instance is the engine as Knative's function runtime hosts it: the runtime calls Start once, Handle for every request
// and Stop at the end, and asks Ready and Alive.
type Instance struct {
	engine  *Engine
	handler http.Handler
	stop    context.CancelFunc
	running sync.WaitGroup
}

// New is what the function runtime calls first.
func New() *Instance { return &Instance{} }

// Start reads the environment and opens the engine. The runtime's own copy of the environment is not used: there is
// one way to configure RAE.
func (i *Instance) Start(ctx context.Context, _ map[string]string) error {
	host := serve.Defaults()
	if err := serve.Load(&host); err != nil {
		return err
	}
	cfg, err := Load()
	if err != nil {
		return err
	}
	rt, err := serve.NewRuntime(&host, os.Stderr, slog.String("service", "rae"))
	if err != nil {
		return err
	}
	engine, err := Open(cfg, rt)
	if err != nil {
		return err
	}
	server, err := engine.Serve(host)
	if err != nil {
		return errors.Join(err, engine.Close(ctx))
	}
	i.engine, i.handler = engine, server.Handler()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	i.stop = stop
	i.running.Go(func() { i.engine.Run(running) })
	return nil
}

// Handle answers one request.
func (i *Instance) Handle(w http.ResponseWriter, r *http.Request) {
	if i.handler == nil {
		http.Error(w, "not started", http.StatusServiceUnavailable)
		return
	}
	i.handler.ServeHTTP(w, r)
}

// Ready reports whether requests can be answered.
func (i *Instance) Ready(ctx context.Context) (bool, error) {
	if i.engine == nil {
		return false, errors.New("not started")
	}
	for _, f := range i.engine.functions {
		for _, c := range f.Health(ctx) {
			if c.Critical && c.Err != nil {
				return false, c.Err
			}
		}
	}
	return true, nil
}

// Alive reports that the process answers; a restart would mend nothing else.
func (i *Instance) Alive(context.Context) (bool, error) { return true, nil }

// Stop ends what Start began. Requests have ended before.
func (i *Instance) Stop(ctx context.Context) error {
	if i.engine == nil {
		return nil
	}
	i.stop()
	i.running.Wait()
	return i.engine.Close(ctx)
}
