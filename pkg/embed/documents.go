package embed

import (
	"context"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
)

// Documents embeds texts within the timeout (0: the context's alone) and makes sure of what came back: one vector per
// text, each fit to be stored. An embedder that answers otherwise is Unavailable.
func Documents(ctx context.Context, e Embedder, timeout time.Duration, texts []string) ([][]float32, error) {
	return made(ctx, e, timeout, texts, e.EmbedDocuments)
}

// Queries is Documents for texts that are questions.
func Queries(ctx context.Context, e Embedder, timeout time.Duration, texts []string) ([][]float32, error) {
	return made(ctx, e, timeout, texts, func(ctx context.Context, texts []string) ([][]float32, error) {
		vectors := make([][]float32, len(texts))
		var dry error
		for i, text := range texts {
			v, err := e.EmbedQuery(ctx, text)
			switch {
			case llm.IsDryRun(err):
				dry = err // go on: all questions are to be priced
			case err != nil:
				return nil, err
			}
			vectors[i] = v
		}
		return vectors, dry
	})
}

func made(ctx context.Context, e Embedder, timeout time.Duration, texts []string, embed ask) ([][]float32, error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	vectors, err := embed(ctx, texts)
	if err != nil {
		return nil, err
	}
	if len(vectors) != len(texts) {
		return nil, fault.New(fault.Unavailable, "embedding model %s returned %d vectors for %d texts", e.Model(), len(vectors), len(texts))
	}
	for i, v := range vectors {
		if err := Check(v, e.Dimensions()); err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "embedding model %s returned a bad vector for text %d", e.Model(), i)
		}
	}
	return vectors, nil
}
