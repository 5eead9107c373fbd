package onnx

import (
	"context"
	"strconv"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
)

// Embedder embeds texts by a sentence model. It reads Model.MaxTokens of a text, prefix and marks included. A model whose
// numbers depend on what is computed beside a text, as those of dynamically quantised ones do, is given one text at a time.
type Embedder struct {
	graph      *graph
	dimensions int
}

var _ embed.Embedder = (*Embedder)(nil)

// vectorOutputs are the outputs with vectors, best first: of texts, or of their tokens.
var vectorOutputs = []string{"sentence_embedding", "last_hidden_state", "token_embeddings"}

// NewEmbedder returns the embedder without opening the model, which happens when it is first asked. Vectors have
// dimensions values, the first ones of the model's; 0 is all. It reads the whole graph for its digest. An Invalid error
// tells that no file says how many dimensions there are, or that there are fewer.
func NewEmbedder(m *Model, dimensions int, o Options) (*Embedder, error) {
	return newEmbedder(m, dimensions, o, open)
}

func newEmbedder(m *Model, dimensions int, o Options, with opener) (*Embedder, error) {
	if dimensions == 0 {
		dimensions = m.Dimensions
	}
	if dimensions < 1 || m.Dimensions > 0 && dimensions > m.Dimensions {
		return nil, fault.New(fault.Invalid, "ONNX model %s has vectors of %d dimensions, not %d", m.Name, m.Dimensions, dimensions)
	}
	if err := m.identify(); err != nil {
		return nil, err
	}
	return &Embedder{newGraph(m, o, vectorOutputs, with), dimensions}, nil
}

// Model is the folder's name and a digest of its files and of how they are used, followed by the dimensions where they
// are not all: another file, pooling, prefix or dimension is another model.
func (e *Embedder) Model() string {
	id := e.graph.model.id()
	if e.dimensions != e.graph.model.Dimensions {
		id += "@" + strconv.Itoa(e.dimensions)
	}
	return id
}

// Dimensions implements embed.Embedder.
func (e *Embedder) Dimensions() int { return e.dimensions }

// Close gives the model's memory back. Whoever asks afterwards is told that it is Unavailable.
func (e *Embedder) Close() error { return e.graph.close() }

// EmbedDocuments implements embed.Embedder.
func (e *Embedder) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	return e.embed(ctx, e.graph.model.Document, texts)
}

// EmbedQuery implements embed.Embedder.
func (e *Embedder) EmbedQuery(ctx context.Context, text string) ([]float32, error) {
	vectors, err := e.embed(ctx, e.graph.model.Query, []string{text})
	if err != nil {
		return nil, err
	}
	return vectors[0], nil
}

func (e *Embedder) embed(ctx context.Context, prefix string, texts []string) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	encodings := make([]encoding, len(texts))
	for i, text := range texts {
		encodings[i] = e.graph.model.tokens.encode(prefix+text, e.graph.model.MaxTokens)
	}
	vectors := make([][]float32, len(texts))
	// One batch at a time, so that an import leaves threads to questions.
	err := e.graph.compute(ctx, encodings, 1, func(i int, row numbers) error {
		v, err := e.pool(row, len(encodings[i].ids))
		if err == nil {
			vectors[i], err = e.finish(v)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return vectors, nil
}

// pool makes one vector of those of a text's tokens, unless the graph has done so.
func (e *Embedder) pool(row numbers, tokens int) ([]float32, error) {
	if len(row.shape) == 1 {
		return row.values, nil
	}
	if len(row.shape) != 2 || row.shape[0] < int64(tokens) || tokens == 0 {
		return nil, e.graph.bad("answers with no vectors of tokens")
	}
	width := int(row.shape[1])
	v := make([]float32, width)
	switch e.graph.model.Pooling {
	case First:
		copy(v, row.values)
	case Max:
		copy(v, row.values)
		for token := 1; token < tokens; token++ {
			for at, x := range row.values[token*width : (token+1)*width] {
				v[at] = max(v[at], x)
			}
		}
	default:
		sums := make([]float64, width)
		for token := range tokens {
			for at, x := range row.values[token*width : (token+1)*width] {
				sums[at] += float64(x)
			}
		}
		for at, sum := range sums {
			v[at] = float32(sum / float64(tokens))
		}
	}
	return v, nil
}

// finish brings a vector to the dimension and the length it shall have.
func (e *Embedder) finish(v []float32) ([]float32, error) {
	if want := e.graph.model.Dimensions; want > 0 && len(v) != want || len(v) < e.dimensions {
		return nil, e.graph.bad("makes vectors of another dimension than its files say")
	}
	if err := embed.Check(v, len(v)); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "ONNX model %s makes vectors that are none", e.graph.model.id())
	}
	return embed.Shorten(v, e.dimensions), nil
}
