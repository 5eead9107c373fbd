// Package embed turns text into vectors: the port every embedder implements, the check every vector passes before it
// is stored, the built-in embedder that needs no download, and the backfill that gives pending memories their
// vectors. Package embedtest holds the contract suite of the port.
package embed

import (
	"context"
	"math"

	"github.com/rae-memory/rae/pkg/fault"
)

// Embedder makes vectors. Documents and queries are told apart because some models prefix them differently.
//
// Every vector has Dimensions values, is finite and has length 1; equal texts give equal vectors from the same
// model, whatever stands beside them in the batch. Any string is accepted, the empty one and invalid UTF-8 included.
// Errors are classified: RateLimited, Unavailable and Timeout may be retried. Implementations must be safe for
// concurrent use and must give up when ctx ends.
type Embedder interface {
	// Model is the id stored with every vector. Another algorithm, weights or dimension is another id.
	Model() string
	// Dimensions is the length of every vector.
	Dimensions() int
	// EmbedDocuments returns one vector per text, in the order of texts; none for none.
	EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error)
	// EmbedQuery returns the vector to compare with those of documents.
	EmbedQuery(ctx context.Context, text string) ([]float32, error)
}

// The names of the built-in providers in RAE_EMBED_PROVIDER.
const (
	ProviderStatic = "static" // Static: knows meanings, of English
	ProviderHash   = "hash"   // Hash: knows words, of any language
)

// BuiltIn returns the embedder of a provider that computes in process. Model may be empty (the provider's only one)
// or must be its id. The Invalid error names what exists, in one line fit for the start of a program.
func BuiltIn(provider, model string) (Embedder, error) {
	var e Embedder
	switch provider {
	case ProviderStatic:
		e = new(Static)
	case ProviderHash:
		e = new(Hash)
	default:
		return nil, fault.New(fault.Invalid, "embedding provider %q is unknown; this build has: %s, %s", provider, ProviderStatic, ProviderHash)
	}
	if model != "" && model != e.Model() {
		return nil, fault.New(fault.Invalid, "embedding model %q is unknown; provider %s has: %s", model, provider, e.Model())
	}
	return e, nil
}

// ModelOf is the id of a built-in provider's model, "" where there is no such provider.
func ModelOf(provider string) string {
	e, err := BuiltIn(provider, "")
	if err != nil {
		return ""
	}
	return e.Model()
}

// Check refuses, as Invalid, a vector that must not be stored: one whose length is not dim, one that holds NaN or
// an infinity, and the zero vector, which has no direction and is as near to everything as to nothing.
func Check(v []float32, dim int) error {
	if len(v) != dim {
		return fault.New(fault.Invalid, "vector has %d dimensions, want %d", len(v), dim)
	}
	zero := true
	for i, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return fault.New(fault.Invalid, "vector[%d] is not a finite number", i)
		}
		zero = zero && x == 0
	}
	if zero {
		return fault.New(fault.Invalid, "vector is zero")
	}
	return nil
}

// Shorten returns the first dim values of v at length 1, dim in 1..len(v). Where these are all zero, which happens
// to short texts in sparse models, the largest value of v stands in at its index modulo dim, so that no zero vector
// leaves. v is left alone.
func Shorten(v []float32, dim int) []float32 {
	short := make([]float32, dim)
	copy(short, v)
	var sum float64
	for _, x := range short {
		sum += float64(float64(x) * float64(x)) // the conversion forbids fusing, so every machine agrees
	}
	if sum == 0 {
		largest := 0
		for i, x := range v {
			if math.Abs(float64(x)) > math.Abs(float64(v[largest])) {
				largest = i
			}
		}
		short[largest%dim] = float32(math.Copysign(1, float64(v[largest])))
		return short
	}
	norm := math.Sqrt(sum)
	for i, x := range short {
		short[i] = float32(float64(x) / norm)
	}
	return short
}
