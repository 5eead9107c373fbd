package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rae-memory/rae/test/process"
)

// startRAE starts the server on a data folder.
func (b *bench) startRAE(ctx context.Context, dir string) (*process.Process, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return b.serve(ctx, "RAE_DATA_DIR="+dir)
}

// serve starts the server with settings.
func (b *bench) serve(ctx context.Context, env ...string) (*process.Process, error) {
	return process.Start(ctx, process.Command{
		Path: filepath.Join(b.programs, "rae"), Args: []string{"serve"}, Dir: b.dir, Env: append(env, "RAE_LOG_LEVEL=info"),
	})
}

// coldStarts times exec to first answer of RAE and of a server that does nothing, in turns.
func (b *embeddedRun) coldStarts(ctx context.Context) error {
	dir := filepath.Join(b.dir, "starts")
	var hello, live, search sample
	first := func(start func() (*process.Process, error), method, path string, body any) (time.Duration, error) {
		p, err := start()
		if err != nil {
			return 0, err
		}
		defer p.Kill()
		caller := newCaller(p.URL)
		defer caller.close()
		_, err = caller.do(ctx, method, path, body)
		return time.Since(p.Started), err
	}
	startHello := func() (*process.Process, error) {
		return process.Start(ctx, process.Command{Path: filepath.Join(b.programs, "hello"), Dir: b.dir})
	}
	startRAE := func() (*process.Process, error) { return b.startRAE(ctx, dir) }
	for i := range b.starts + 1 { // the first of each warms the file cache and makes the store
		for _, one := range []struct {
			into         *sample
			start        func() (*process.Process, error)
			method, path string
			body         any
		}{
			{&hello, startHello, "GET", "/", nil},
			{&live, startRAE, "GET", "/health/live", nil},
			{&search, startRAE, "POST", "/v1/search", map[string]any{"query": "anything"}},
		} {
			took, err := first(one.start, one.method, one.path, one.body)
			if err != nil {
				return err
			}
			if i > 0 {
				*one.into = append(*one.into, took)
			}
		}
	}
	world := milliseconds(hello.p50())
	b.part.add(took(fmt.Sprintf("hello world: exec → first answer, %d starts", b.starts), 0, hello))
	b.part.add(took("rae serve: exec → first answer (GET /health/live)", 0, live).against("hello world", world).within(15 * time.Millisecond))
	b.part.add(took("rae serve: exec → first search (store opened)", 0, search).against("hello world", world))
	return nil
}
