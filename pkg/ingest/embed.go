package ingest

import (
	"context"
	"math"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// maxDimensions is the widest vector stores take.
const maxDimensions = 16000

// embed returns each text's vectors, paid by the scope: one of every model its memories get vectors of. Where an embedder
// is away, slow or wrong, or the budget does not pay for it, its vectors are missing: a memory is worth keeping without its
// vector, which then follows by event. The caller's own end and a store that does not tell the models are the only errors.
// It is called outside of any transaction.
func (s *Service) embed(ctx context.Context, scope memory.Scope, texts []string) ([][]memory.Vector, error) {
	vectors := make([][]memory.Vector, len(texts))
	if len(texts) == 0 {
		return vectors, ctx.Err()
	}
	embedders, err := s.embedders(ctx, scope)
	if err != nil {
		return nil, err
	}
	payer := llm.WithPayer(ctx, scope)
	for _, e := range embedders {
		if err := s.embedBy(payer, e, texts, vectors); err != nil {
			return nil, err
		}
	}
	return vectors, ctx.Err()
}

// embedders are those of the scope.
func (s *Service) embedders(ctx context.Context, scope memory.Scope) ([]Embedder, error) {
	switch {
	case s.Embedders != nil:
		return s.Embedders(ctx, scope)
	case s.Embedder != nil:
		return []Embedder{s.Embedder}, nil
	}
	return nil, nil
}

// embedBy adds one model's vectors.
func (s *Service) embedBy(ctx context.Context, e Embedder, texts []string, vectors [][]memory.Vector) error {
	limit := s.EmbedTimeout
	if limit <= 0 {
		limit = 10 * time.Second
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	values, err := e.EmbedDocuments(within, texts)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if llm.IsDryRun(err) {
		return nil
	}
	if err == nil {
		err = checkShape(values, len(texts))
	}
	if err != nil { // the text of err may repeat what was embedded, so only its public half is logged
		s.log().WarnContext(ctx, "embedding put off", "memories", len(texts), "model", e.Model(),
			"kind", fault.KindOf(err).String(), "reason", fault.Public(err))
		return nil
	}
	useless := 0
	for i := range values {
		if !directed(values[i]) {
			useless++
			continue
		}
		vectors[i] = append(vectors[i], memory.Vector{Model: e.Model(), Values: values[i]})
	}
	if useless > 0 {
		s.log().WarnContext(ctx, "vectors without a direction refused", "vectors", useless, "model", e.Model())
	}
	return nil
}

// checkShape refuses an answer whose vectors cannot be told apart or compared.
func checkShape(values [][]float32, want int) error {
	if len(values) != want {
		return fault.New(fault.Unavailable, "the embedder returned %d vectors for %d texts", len(values), want)
	}
	for i, vector := range values {
		if len(vector) == 0 || len(vector) > maxDimensions || len(vector) != len(values[0]) {
			return fault.New(fault.Unavailable, "the embedder returned %d dimensions for text %d", len(vector), i)
		}
	}
	return nil
}

// directed reports whether a vector can be compared: NaN, infinities and the zero vector have no cosine.
func directed(vector []float32) bool {
	norm := 0.0
	for _, v := range vector {
		norm += float64(v) * float64(v)
	}
	return norm > 0 && !math.IsInf(norm, 0)
}

// entry is the memory with those of its vectors that there are.
func entry(m memory.Memory, vectors []memory.Vector) memory.Entry {
	return memory.Entry{Memory: m, Vectors: vectors}
}

// entries pairs memories with their vectors.
func entries(memories []memory.Memory, vectors [][]memory.Vector) []memory.Entry {
	all := make([]memory.Entry, len(memories))
	for i := range memories {
		all[i] = entry(memories[i], vectors[i])
	}
	return all
}

// contents lists the texts to embed.
func contents(memories []memory.Memory) []string {
	texts := make([]string, len(memories))
	for i := range memories {
		texts[i] = memories[i].Content
	}
	return texts
}
