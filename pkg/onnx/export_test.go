package onnx

import (
	"context"
	"slices"
	"sync"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/rerank"
)

// Encode is what the model reads of a text, or of two.
func (m *Model) Encode(limit int, texts ...string) (ids, kinds []int64) {
	var e encoding
	if len(texts) == 1 {
		e = m.tokens.encode(texts[0], limit)
	} else {
		e = m.tokens.encodePair(m.tokens.words.tokens(texts[0], limit), texts[1], limit)
	}
	return e.ids, e.kinds
}

// Batch is what a graph was given.
type Batch struct{ Rows, Columns, Empty int }

// Fake is a graph that Answer computes, of one row at a time: its ids and kinds, without what fills it up.
type Fake struct {
	Answer func(ids, kinds []int64) (shape []int64, values []float32)
	Fail   error                           // of every batch
	Broken error                           // of opening
	During func(ctx context.Context) error // called with each batch

	mu             sync.Mutex
	Batches        []Batch
	Opened, Closed int
	Asked          []string // outputs
}

// Embedder returns one over the fake.
func (f *Fake) Embedder(m *Model, dimensions int, o Options) (*Embedder, error) {
	return newEmbedder(m, dimensions, o, f.open)
}

// Reranker returns one over the fake.
func (f *Fake) Reranker(m *Model, o Options) (*Reranker, error) { return newReranker(m, o, f.open) }

var (
	_ embed.Embedder  = (*Embedder)(nil)
	_ rerank.Reranker = (*Reranker)(nil)
)

func (f *Fake) open(_ Options, _ string, outputs []string) (session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Asked = outputs
	if f.Broken != nil {
		return nil, f.Broken
	}
	f.Opened++
	return f, nil
}

func (f *Fake) close() error {
	f.Closed++
	return nil
}

func (f *Fake) run(ctx context.Context, b *batch) (*numbers, error) {
	filled := 0
	answer := &numbers{}
	for row := range b.rows {
		from := row * b.columns
		end := from + b.columns
		for end > from && b.mask[end-1] == 0 {
			end--
		}
		filled += end - from
		shape, values := f.Answer(b.ids[from:end], b.kinds[from:end])
		if len(shape) == 2 && shape[0] == int64(end-from) { // of tokens: what is empty has vectors, too
			width := int(shape[1])
			values = append(values, slices.Repeat([]float32{99}, (b.columns-int(shape[0]))*width)...)
			shape = []int64{int64(b.columns), shape[1]}
		}
		answer.shape = append([]int64{int64(b.rows)}, shape...)
		answer.values = append(answer.values, values...)
	}
	f.mu.Lock()
	f.Batches = append(f.Batches, Batch{b.rows, b.columns, b.rows*b.columns - filled})
	f.mu.Unlock()
	if f.During != nil {
		if err := f.During(ctx); err != nil {
			return nil, err
		}
	}
	return answer, f.Fail
}
