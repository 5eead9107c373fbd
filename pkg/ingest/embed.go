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

// embed returns one vector per text, paid by the scope. Where the embedder is away, slow or wrong the vectors are empty:
// a memory is worth keeping without its vector, which then follows by event. So it is where the budget is used up, unless
// it says that its callers shall be refused. That and the caller's own end are the only errors. It is called outside of
// any transaction.
func (s *Service) embed(ctx context.Context, scope memory.Scope, texts []string) ([]memory.Vector, error) {
	vectors := make([]memory.Vector, len(texts))
	if s.Embedder == nil || len(texts) == 0 {
		return vectors, ctx.Err()
	}
	limit := s.EmbedTimeout
	if limit <= 0 {
		limit = 10 * time.Second
	}
	within, cancel := context.WithTimeout(llm.WithPayer(ctx, scope), limit)
	defer cancel()
	values, err := s.Embedder.EmbedDocuments(within, texts)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if llm.Rejected(err) {
		return nil, err
	}
	if err == nil {
		err = checkShape(values, len(texts))
	}
	if err != nil { // the text of err may repeat what was embedded, so only its public half is logged
		s.log().WarnContext(ctx, "embedding put off", "memories", len(texts), "model", s.Embedder.Model(),
			"kind", fault.KindOf(err).String(), "reason", fault.Public(err))
		return vectors, nil
	}
	useless := 0
	for i := range values {
		if !directed(values[i]) {
			useless++
			continue
		}
		vectors[i] = memory.Vector{Model: s.Embedder.Model(), Values: values[i]}
	}
	if useless > 0 {
		s.log().WarnContext(ctx, "vectors without a direction refused", "vectors", useless, "model", s.Embedder.Model())
	}
	return vectors, nil
}

// embedAside is embed for work that no caller waits for, whom a refusal by the budget could reach.
func (s *Service) embedAside(ctx context.Context, scope memory.Scope, texts []string) ([]memory.Vector, error) {
	vectors, err := s.embed(ctx, scope, texts)
	if llm.Rejected(err) {
		s.log().WarnContext(ctx, "embedding put off", "memories", len(texts), "model", s.Embedder.Model(), "kind", fault.OverBudget.String())
		return make([]memory.Vector, len(texts)), nil
	}
	return vectors, err
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

// entry is the memory with its vector, where there is one.
func entry(m memory.Memory, v memory.Vector) memory.Entry {
	e := memory.Entry{Memory: m}
	if v.Values != nil {
		e.Vectors = []memory.Vector{v}
	}
	return e
}

// entries pairs memories with their vectors.
func entries(memories []memory.Memory, vectors []memory.Vector) []memory.Entry {
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
