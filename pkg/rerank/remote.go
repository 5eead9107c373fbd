package rerank

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
)

// Provider scores documents elsewhere, one request a call. Its answer is checked by Remote.
type Provider interface {
	// Rerank returns one score per document, in the order of documents, the higher the better, and what the request
	// consumed, zero where the provider does not say. Query and documents are not blank and valid UTF-8. It must honour
	// ctx. Its errors are classified and name the provider; one that is charged for all the same is marked by llm.Spent.
	Rerank(ctx context.Context, query string, documents []string) ([]float64, llm.Usage, error)
}

// SearchTokens is what a search counts as where searches are charged for, and not tokens: a price of 2.00 dollars per
// million is one of 2.00 dollars per thousand searches. A search has up to SearchDocuments documents of up to
// SearchDocumentTokens; longer ones count as several.
const (
	SearchTokens         = 1000
	SearchDocuments      = 100
	SearchDocumentTokens = 500
)

// Spec says what is asked of a provider. Provider, Model and MaxDocuments are required.
type Spec struct {
	Provider      string        // who is asked, in errors and on bills
	Model         string        // as the provider names it
	MaxDocuments  int           // of one request
	MaxTextTokens int           // of the query or a document, whose rest has no say; 0 = any number
	BySearch      bool          // searches are charged for, not tokens
	Timeout       time.Duration // of one request with its repetitions; 0 = the context's
}

// Remote is a Reranker over a provider. It asks through a meter, in as many requests as the provider's limits make
// necessary, and not about what is blank or equal to another. Fewer scores than documents, and what is no number, are an
// Unavailable error that names the provider. Where a score lies outside 0..1, as those of models without a last
// activation do, all are brought there by the logistic function.
type Remote struct {
	provider Provider
	spec     Spec
	meter    llm.Meter
}

var _ Reranker = (*Remote)(nil)

// NewRemote returns the reranker. There is none without a meter.
func NewRemote(p Provider, s Spec, meter llm.Meter) (*Remote, error) {
	if meter == nil {
		return nil, fault.New(fault.Internal, "rerank provider %s has no meter before it", s.Provider)
	}
	if s.MaxDocuments < 1 {
		return nil, fault.New(fault.Internal, "rerank provider %s is asked for %d documents", s.Provider, s.MaxDocuments)
	}
	return &Remote{provider: p, spec: s, meter: meter}, nil
}

// Model is the provider's name of the model.
func (r *Remote) Model() string { return r.spec.Model }

// Rerank implements Reranker.
func (r *Remote) Rerank(ctx context.Context, query string, documents []string) ([]float64, error) {
	if len(documents) > MaxDocuments {
		return nil, fault.New(fault.Invalid, "%d documents are too many; %d at most", len(documents), MaxDocuments)
	}
	if err := ctx.Err(); err != nil || len(documents) == 0 {
		return nil, err
	}
	scores := make([]float64, len(documents))
	if query = prepared(query, MaxQueryBytes, r.spec.MaxTextTokens); query == "" {
		return scores, nil
	}
	asked, places := distinct(documents, r.spec.MaxTextTokens)
	var got []float64
	var dry error
	for start := 0; start < len(asked); start += r.spec.MaxDocuments {
		some, err := r.request(ctx, query, asked[start:min(start+r.spec.MaxDocuments, len(asked))])
		switch {
		case llm.IsDryRun(err):
			dry = err // go on: all requests are to be priced
		case err != nil:
			return nil, err
		}
		got = append(got, some...)
	}
	if dry != nil {
		return nil, dry
	}
	within01(got)
	for i, place := range places {
		if place >= 0 {
			scores[i] = got[place]
		}
	}
	return scores, nil
}

// distinct are the documents to ask about, each of so many tokens at most, and where each of all is among them, -1 for a
// blank one.
func distinct(documents []string, tokens int) (asked []string, places []int) {
	known, places := map[string]int{}, make([]int, len(documents))
	for i, document := range documents {
		document = prepared(document, MaxDocumentBytes, tokens)
		place, seen := known[document]
		switch {
		case document == "":
			place = -1
		case !seen:
			place = len(asked)
			known[document], asked = place, append(asked, document)
		}
		places[i] = place
	}
	return asked, places
}

// prepared is a text as it is sent, "" for a blank one.
func prepared(text string, bytes, tokens int) string {
	return strings.TrimSpace(llm.Prepared(text[:min(len(text), bytes)], tokens))
}

// request asks the provider once, through the meter.
func (r *Remote) request(ctx context.Context, query string, documents []string) ([]float64, error) {
	call := llm.Call{
		Operation: "rerank", Provider: r.spec.Provider, Model: r.spec.Model,
		Most: llm.Usage{TokensIn: r.most(query, documents), Estimated: true},
	}
	return llm.Ask(ctx, r.meter, r.spec.Timeout, call, func(ctx context.Context) ([]float64, llm.Usage, error) {
		return r.provider.Rerank(ctx, query, documents)
	}, func(scores []float64) error { return r.check(scores, len(documents)) })
}

// most is what a request consumes: every document is read with the query.
func (r *Remote) most(query string, documents []string) int {
	asked, tokens, searches := llm.EstimateTokens(query), 0, 0
	for _, document := range documents {
		read := asked + llm.EstimateTokens(document)
		tokens += read
		searches += (read + SearchDocumentTokens - 1) / SearchDocumentTokens
	}
	if r.spec.BySearch {
		return SearchTokens * ((searches + SearchDocuments - 1) / SearchDocuments)
	}
	return tokens
}

func (r *Remote) check(scores []float64, documents int) error {
	if len(scores) != documents {
		return r.bad("returned %d scores for %d documents", len(scores), documents)
	}
	for i, score := range scores {
		if math.IsNaN(score) || math.IsInf(score, 0) {
			return r.bad("returned a score for document %d that is not a finite number", i)
		}
	}
	return nil
}

func (r *Remote) bad(format string, args ...any) error {
	return fault.New(fault.Unavailable, "rerank provider %s, model %s, %s", r.spec.Provider, r.spec.Model, fmt.Sprintf(format, args...))
}

// within01 brings scores of which one lies outside 0..1 there, in place and in their order.
func within01(scores []float64) {
	for _, score := range scores {
		if score < 0 || score > 1 {
			for i, logit := range scores {
				scores[i] = 1 / (1 + math.Exp(-logit))
			}
			return
		}
	}
}
