// Package onnx embeds and reranks by sentence models and cross-encoders that lie in a folder, in this process and without a
// network: ONNX graphs beside the tokenizer and the settings they were trained with (Model).
//
// The graph is computed by ONNX Runtime, a shared library that is opened when a model is first used. That needs cgo, so it
// is in builds with the tag onnx alone; all others read folders and refuse to use them (Built).
package onnx

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rae-memory/rae/pkg/fault"
)

// Options say how models are computed.
type Options struct {
	Library string // ONNX Runtime's; "" = libonnxruntime.so, where the system looks for libraries
	Threads int    // batches that are computed at the same time, each by one thread; 0 = as many as there are processors
}

// session computes one graph. It must be safe for concurrent use.
type session interface {
	// run computes a batch and gives up when ctx ends, with its error.
	run(ctx context.Context, b *batch) (*numbers, error)
	close() error
}

// batch is what a graph reads: tables of rows times columns, row by row. A place that no text fills has mask 0.
type batch struct {
	rows, columns    int
	ids, mask, kinds []int64
}

// numbers are what a graph answers: the values of a table with so many rows, columns and so on.
type numbers struct {
	shape  []int64
	values []float32
}

// opener opens a graph; of the outputs it computes the first that there is.
type opener func(o Options, file string, outputs []string) (session, error)

const (
	maxRows = 32
	// maxPlaces is how large a batch may be, so that whoever waits for a thread does so for some tenths of a second at most.
	maxPlaces = 1024
)

// graph is a model that is opened when it is first used.
type graph struct {
	model   *Model
	options Options
	outputs []string
	open    opener
	threads chan struct{}

	mu      sync.RWMutex // held for reading while the session is used
	session session      // nil: not opened yet
	closed  bool
}

func newGraph(m *Model, o Options, outputs []string, open opener) *graph {
	if o.Threads < 1 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	return &graph{model: m, options: o, outputs: outputs, open: open, threads: make(chan struct{}, o.Threads)}
}

// compute runs the graph over all encodings, so many batches at a time, and hands each one's numbers, which are its own, to
// take, which may be called by several goroutines at once.
func (g *graph) compute(ctx context.Context, encodings []encoding, atATime int, take func(i int, row numbers) error) error {
	batches := g.batches(encodings)
	work, stop := context.WithCancel(ctx)
	defer stop()
	var next atomic.Int64
	one := func() (err error) {
		defer func() {
			if p := recover(); p != nil { // nobody stands above this goroutine
				err = fmt.Errorf("ONNX model %s panicked: %T", g.model.id(), p)
			}
		}()
		for n := next.Add(1) - 1; n < int64(len(batches)); n = next.Add(1) - 1 {
			if err := g.batch(work, encodings, batches[n], take); err != nil {
				return err
			}
		}
		return nil
	}
	if atATime = min(atATime, len(batches)); atATime <= 1 {
		return one()
	}
	var first error
	var fails sync.Once
	var running sync.WaitGroup
	for range atATime {
		running.Go(func() {
			if err := one(); err != nil {
				fails.Do(func() {
					first = err
					stop() // the others need not go on
				})
			}
		})
	}
	running.Wait()
	return first
}

// batches tells which encodings go together: those of about one length, so that little of a batch is empty, and always the
// same ones, in whatever order they come, so that numbers don't depend on it.
func (g *graph) batches(encodings []encoding) [][]int {
	order := make([]int, len(encodings))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if by := len(encodings[a].ids) - len(encodings[b].ids); by != 0 {
			return by
		}
		return slices.Compare(encodings[a].ids, encodings[b].ids)
	})
	var batches [][]int
	for len(order) > 0 {
		n := 1
		for !g.model.single && n < min(len(order), maxRows) && (n+1)*len(encodings[order[n]].ids) <= maxPlaces {
			n++
		}
		batches, order = append(batches, order[:n]), order[n:]
	}
	return batches
}

func (g *graph) batch(ctx context.Context, encodings []encoding, which []int, take func(i int, row numbers) error) error {
	answer, err := g.run(ctx, pack(encodings, which, g.model.tokens.pad))
	if err != nil {
		return err
	}
	each := len(answer.values) / len(which)
	for place, i := range which {
		if err := take(i, numbers{answer.shape[1:], answer.values[place*each : (place+1)*each]}); err != nil {
			return err
		}
	}
	return nil
}

// pack lays encodings side by side.
func pack(encodings []encoding, which []int, pad int64) *batch {
	b := &batch{rows: len(which), columns: len(encodings[which[len(which)-1]].ids)}
	size := b.rows * b.columns
	b.ids, b.mask, b.kinds = make([]int64, size), make([]int64, size), make([]int64, size)
	for row, i := range which {
		from := row * b.columns
		filled := copy(b.ids[from:], encodings[i].ids)
		copy(b.kinds[from:], encodings[i].kinds)
		for at := range b.columns {
			if at < filled {
				b.mask[from+at] = 1
			} else {
				b.ids[from+at] = pad
			}
		}
	}
	return b
}

// run waits for a thread and computes a batch.
func (g *graph) run(ctx context.Context, b *batch) (*numbers, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case g.threads <- struct{}{}:
	}
	defer func() { <-g.threads }()
	if err := g.ready(); err != nil {
		return nil, err
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.session == nil {
		return nil, g.bad("is closed")
	}
	answer, err := g.session.run(ctx, b)
	if ended := ctx.Err(); ended != nil {
		return nil, ended
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "ONNX model %s cannot be computed", g.model.id())
	}
	size := int64(1)
	for _, n := range answer.shape {
		size *= n
	}
	if len(answer.shape) < 2 || answer.shape[0] != int64(b.rows) || size != int64(len(answer.values)) {
		return nil, g.bad("answers with a table that is none")
	}
	return answer, nil
}

// ready opens the graph where that has not been done. What fails is tried again with the next question.
func (g *graph) ready() error {
	g.mu.RLock()
	opened := g.session != nil || g.closed
	g.mu.RUnlock()
	if opened {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.session != nil || g.closed {
		return nil
	}
	s, err := g.open(g.options, g.model.file, g.outputs)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "ONNX model %s cannot be opened", g.model.id())
	}
	g.session = s
	return nil
}

// close waits for what is being computed and gives the graph's memory back. Nothing is computed afterwards.
func (g *graph) close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	if g.session == nil {
		return nil
	}
	err := g.session.close()
	g.session = nil
	return err
}

func (g *graph) bad(what string) error {
	return fault.New(fault.Unavailable, "ONNX model %s %s", g.model.id(), what)
}
