// Package rerank gives candidates a second, costlier ordering: the port every reranker implements and the built-in
// one that needs no model. Package reranktest holds the contract suite of the port.
package rerank

import (
	"context"

	"github.com/rae-memory/rae/pkg/fault"
)

const (
	// MaxDocuments is the largest number of candidates of one call.
	MaxDocuments = 1000
	// MaxDocumentBytes is how much of a document a reranker reads at most; the rest of it has no say.
	MaxDocumentBytes = 64 << 10
	// MaxQueryBytes is how much of a query a reranker reads at most.
	MaxQueryBytes = 8 << 10
)

// Reranker scores documents against a query.
//
// A score lies in 0..1, higher is better; scores of two queries are not comparable. The score of a document depends
// on the query and on which documents it competes with, never on where it stands among them (but see Listwise): equal
// documents have equal scores and the caller breaks ties. Any strings are accepted, empty ones and invalid UTF-8 included. More
// than MaxDocuments is Invalid. When ctx ends Rerank gives up soon and returns its error and no scores, so that a
// caller with a deadline falls back on the order it had. Implementations must be safe for concurrent use.
type Reranker interface {
	// Model is the id of what scores.
	Model() string
	// Rerank returns one score per document, in the order of documents; none for none.
	Rerank(ctx context.Context, query string, documents []string) ([]float64, error)
}

// ProviderLexical is the name of the built-in provider in RAE_RERANK_PROVIDER.
const ProviderLexical = "lexical"

// BuiltIn returns the reranker of a provider that computes in process. Model may be empty (the provider's only one)
// or must be its id. The Invalid error names what exists, in one line fit for the start of a program.
func BuiltIn(provider, model string) (Reranker, error) {
	if provider != ProviderLexical {
		return nil, fault.New(fault.Invalid, "rerank provider %q is unknown; this build has: %s", provider, ProviderLexical)
	}
	l := Lexical{}
	if model != "" && model != l.Model() {
		return nil, fault.New(fault.Invalid, "rerank model %q is unknown; provider %s has: %s", model, ProviderLexical, l.Model())
	}
	return l, nil
}
