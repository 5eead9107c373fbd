package searchtest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

func rerankerClauses() []clause {
	return []clause{
		{"each id has its score, in the order given", scoresInOrder},
		{"an id that is unknown, deleted, expired or foreign scores 0", unseenScoresNothing},
		{"what filter or view hides scores 0", hiddenScoresNothing},
		{"known_at scores the version known then", scoresThePast},
		{"of a thousand facts, told late and corrected, it scores at any pair of times what an oracle shows", rerankedFacts},
		{"a question without known words scores nothing", noWordsNoScore},
		{"a caller that went away gets no scores", rerankCancelled},
	}
}

func (w *world) rerank(t *testing.T, q search.Query, memories ...memory.Memory) []float64 {
	t.Helper()
	q = ready(q)
	w.catchUp(t, q.Scope)
	ids := make([]memory.ID, len(memories))
	for i := range memories {
		ids[i] = memories[i].ID
	}
	scores, err := w.Reranker.Rerank(t.Context(), q, ids)
	if err != nil {
		t.Fatal(err)
	}
	if len(scores) != len(ids) {
		t.Fatalf("%d scores for %d ids", len(scores), len(ids))
	}
	for _, score := range scores {
		if !(score >= 0 && score <= 1) {
			t.Errorf("score %g", score)
		}
	}
	return scores
}

func scoresInOrder(t *testing.T, w *world) {
	m := w.say(t, "a red kite flew over the meadow", "grey boats drifted past", "the red door", "a kite")
	q := search.Query{Text: "red kite"}
	scores := w.rerank(t, q, m...)
	if scores[0] <= scores[2] || scores[0] <= scores[3] || scores[2] <= 0 || scores[1] != 0 {
		t.Errorf("scores %v", scores)
	}
	slices.Reverse(m)
	slices.Reverse(scores)
	same(t, "in the reverse order", w.rerank(t, q, m...), scores)
	same(t, "of nothing", w.rerank(t, q), nil)
	same(t, "of one twice", w.rerank(t, q, m[3], m[3]), []float64{scores[3], scores[3]})
}

func unseenScoresNothing(t *testing.T, w *world) {
	short := memory.Memory{Content: "red kite short", ExpiresAt: at(start.Add(time.Hour))}
	m := w.put(t, acme, memory.Memory{Content: "red kite"}, memory.Memory{Content: "red kite gone"}, short)
	foreign := w.put(t, memory.Scope{Tenant: "other", Project: "default"}, memory.Memory{Content: "red kite"})
	m = append(m, foreign[0], memory.Memory{ID: memory.NewID()})
	w.remove(t, m[1])
	w.advance(time.Hour)
	scores := w.rerank(t, search.Query{Text: "red kite"}, m...)
	if scores[0] <= 0 {
		t.Errorf("what may be seen scores %g", scores[0])
	}
	same(t, "scores of what may not be seen", scores[1:], make([]float64, 4))
}

func hiddenScoresNothing(t *testing.T, w *world) {
	m := w.put(t, acme, memory.Memory{Content: "red kite", UserID: "ann", ValidTo: at(start.Add(-time.Hour))})[0]
	for name, q := range map[string]search.Query{
		"filter":   {Filter: memory.Filter{UserID: "bob"}},
		"as_of":    {View: memory.View{AsOf: &start}},
		"known_at": {View: memory.View{KnownAt: at(start.Add(-time.Hour))}},
	} {
		q.Text = "red kite"
		same(t, "score under "+name, w.rerank(t, q, m), []float64{0})
	}
	if got := w.rerank(t, search.Query{Text: "red kite", Filter: memory.Filter{UserID: "ann"}}, m); got[0] <= 0 {
		t.Errorf("what passes scores %g", got[0])
	}
}

func scoresThePast(t *testing.T, w *world) {
	m := w.say(t, "a red kite")[0]
	w.advance(time.Hour)
	m.Content = "a grey boat"
	w.replace(t, m)
	past, now := search.Query{Text: "kite", View: memory.View{KnownAt: &start}}, search.Query{Text: "kite"}
	if got := w.rerank(t, past, m); got[0] <= 0 {
		t.Errorf("in the past it scores %g", got[0])
	}
	same(t, "now it scores", w.rerank(t, now, m), []float64{0})
}

func noWordsNoScore(t *testing.T, w *world) {
	m := w.say(t, "the red kite")
	for _, question := range []string{"what is this?", "", "unheard"} {
		same(t, question, w.rerank(t, search.Query{Text: question}, m...), []float64{0})
	}
}

func rerankCancelled(t *testing.T, w *world) {
	m := w.say(t, "the red kite")[0]
	w.catchUp(t, acme)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if scores, err := w.Reranker.Rerank(ctx, search.Query{Scope: acme, Text: "kite"}, []memory.ID{m.ID}); !errors.Is(err, context.Canceled) || scores != nil {
		t.Errorf("scores %v, %v", scores, err)
	}
}
