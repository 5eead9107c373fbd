package onnx

import (
	"context"
	"math"
	"strings"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/rerank"
)

// Reranker scores texts by a cross-encoder, which reads the question and a text together, Model.MaxTokens of both, and of
// the longer one the less. A score is the logistic function of the model's one number, or, where it has two, the
// probability of the second. What is blank scores 0.
type Reranker struct {
	graph *graph
}

var _ rerank.Reranker = (*Reranker)(nil)

// scoreOutputs are the outputs with scores.
var scoreOutputs = []string{"logits"}

// NewReranker returns the reranker without opening the model, which happens when it is first asked. It
// reads the whole graph for its digest. An Invalid error tells that the model sorts texts into more classes than two.
func NewReranker(m *Model, o Options) (*Reranker, error) { return newReranker(m, o, open) }

func newReranker(m *Model, o Options, with opener) (*Reranker, error) {
	if m.labels > 2 {
		return nil, fault.New(fault.Invalid, "ONNX model %s is no cross-encoder: it tells %d classes apart", m.Name, m.labels)
	}
	if err := m.identify(); err != nil {
		return nil, err
	}
	return &Reranker{newGraph(m, o, scoreOutputs, with)}, nil
}

// Model is the folder's name and a digest of its files.
func (r *Reranker) Model() string { return r.graph.model.id() }

// Close gives the model's memory back. Whoever asks afterwards is told that it is Unavailable.
func (r *Reranker) Close() error { return r.graph.close() }

// Rerank implements rerank.Reranker.
func (r *Reranker) Rerank(ctx context.Context, query string, documents []string) ([]float64, error) {
	if len(documents) > rerank.MaxDocuments {
		return nil, fault.New(fault.Invalid, "%d documents are too many; %d at most", len(documents), rerank.MaxDocuments)
	}
	if err := ctx.Err(); err != nil || len(documents) == 0 {
		return nil, err
	}
	scores := make([]float64, len(documents))
	if blank(query) {
		return scores, nil
	}
	m := r.graph.model
	asked := m.tokens.words.tokens(query[:min(len(query), rerank.MaxQueryBytes)], m.MaxTokens)
	var pairs []encoding
	places, known := make([]int, len(documents)), map[string]int{}
	for i, document := range documents {
		document = document[:min(len(document), rerank.MaxDocumentBytes)]
		place, seen := known[document]
		switch {
		case blank(document):
			place = -1
		case !seen:
			place = len(pairs)
			known[document], pairs = place, append(pairs, m.tokens.encodePair(asked, document, m.MaxTokens))
		}
		places[i] = place
	}
	got := make([]float64, len(pairs))
	err := r.graph.compute(ctx, pairs, cap(r.graph.threads), func(i int, row numbers) (err error) {
		got[i], err = r.score(row)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, place := range places {
		if place >= 0 {
			scores[i] = got[place]
		}
	}
	return scores, nil
}

func blank(text string) bool { return strings.TrimSpace(text) == "" }

// score brings what a model says of a pair to 0..1.
func (r *Reranker) score(row numbers) (float64, error) {
	if len(row.shape) != 1 || len(row.values) < 1 || len(row.values) > 2 {
		return 0, r.graph.bad("answers with no score")
	}
	logit := float64(row.values[len(row.values)-1])
	if len(row.values) == 2 {
		logit -= float64(row.values[0]) // the second of two probabilities is the logistic function of the difference
	}
	if math.IsNaN(logit) {
		return 0, r.graph.bad("answers with a score that is none")
	}
	return 1 / (1 + math.Exp(-logit)), nil
}
