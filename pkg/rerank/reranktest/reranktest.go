// Package reranktest is the contract suite of rerank.Reranker. Every reranker, built in or remote, runs it.
package reranktest

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/rerank"
)

// hostile are texts that have broken rerankers, as queries and as documents.
var hostile = []string{
	"", " \t\n", "🎉🎉", "?!… ///", "to be or not to be", "x", "a\x00b", "\xff\xfe caf\xe9", "\u0301\u0301",
	"我今天去了超市买了很多苹果", "ذهبت إلى السوق שלום עולם", "Zoë买了3個 яблока in 東京",
	"panic: runtime error\n\tmain.go:42 +0x1f\ngoroutine 1 [running]:",
	strings.Repeat("pneumono", 2500), strings.Repeat("the quick brown fox jumps over the lazy dog ", 250),
	strings.Repeat("buffalo ", 5000), "2023-13-45 99 May 0000", "May",
}

// Run holds the reranker that open returns, named by on, to the contract of rerank.Reranker.
func Run(t *testing.T, on string, open func(*testing.T) rerank.Reranker) {
	run := contract.Begin(t, "reranktest", on)
	run.Clause(t, "every score lies in 0..1, whatever the texts", func(t *testing.T) {
		r := open(t)
		for _, query := range hostile {
			for i, score := range scores(t, r, query, hostile...) {
				if math.IsNaN(score) || score < 0 || score > 1 {
					t.Errorf("query %.20q, document %.20q: score %v", query, hostile[i], score)
				}
			}
		}
	})
	run.Clause(t, "a model has an id that does not change", func(t *testing.T) {
		if a, b := open(t).Model(), open(t).Model(); a == "" || a != b {
			t.Errorf("got %q and %q", a, b)
		}
	})
	run.Clause(t, "no documents give no scores", func(t *testing.T) {
		if got := scores(t, open(t), "anything"); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
	run.Clause(t, "what answers the question stands above what does not", func(t *testing.T) {
		r := open(t)
		for _, c := range []struct {
			query string
			best  int
			docs  []string
		}{
			{"When did Caroline go to the support group?", 1, []string{
				"Melanie paints a sunrise over the lake.", "Caroline went to a support group yesterday.", "The invoice was paid by bank transfer."}},
			{"database connection timeout", 2, []string{
				"grandmother bakes apple cake on Sundays", "the train was late again", "the database connection timed out after 30 seconds: timeout"}},
			{"我今天去了超市", 0, []string{"今天我去超市买了苹果", "机器学习模型训练完成"}},
		} {
			got := scores(t, r, c.query, c.docs...)
			if top := slices.Index(got, slices.Max(got)); top != c.best {
				t.Errorf("%q: document %d is on top of %v, want %d", c.query, top, got, c.best)
			}
		}
	})
	run.Clause(t, "a score does not depend on where its document stands", func(t *testing.T) {
		r := open(t)
		docs := append([]string{"Caroline went to a support group", "the group met in May 2023", "Caroline's group"}, hostile...)
		const query = "did Caroline's support group meet in May 2023?"
		there := scores(t, r, query, docs...)
		slices.Reverse(docs)
		back := scores(t, r, query, docs...)
		slices.Reverse(back)
		for i := range there {
			if math.Abs(there[i]-back[i]) > 1e-6 {
				t.Errorf("document %d scores %v, and %v in the reverse order", i, there[i], back[i])
			}
		}
	})
	run.Clause(t, "equal documents have equal scores", func(t *testing.T) {
		got := scores(t, open(t), "support group", "a support group", "something else", "a support group")
		if got[0] != got[2] {
			t.Errorf("got %v", got)
		}
	})
	run.Clause(t, "the same call has the same answer", func(t *testing.T) {
		r := open(t)
		first, again := scores(t, r, "support group of Caroline", hostile...), scores(t, r, "support group of Caroline", hostile...)
		if !slices.Equal(first, again) {
			t.Errorf("got %v, then %v", first, again)
		}
	})
	run.Clause(t, "the limit of documents is taken and one more is refused", func(t *testing.T) {
		r := open(t)
		docs := slices.Repeat([]string{"a document"}, rerank.MaxDocuments+1)
		if got := scores(t, r, "document", docs[1:]...); len(got) != rerank.MaxDocuments {
			t.Errorf("got %d scores", len(got))
		}
		if _, err := r.Rerank(t.Context(), "document", docs); fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want an invalid fault", err)
		}
	})
	run.Clause(t, "a caller that went away gets no scores", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		got, err := open(t).Rerank(ctx, "a", []string{"a", "b"})
		if !errors.Is(err, context.Canceled) || got != nil {
			t.Errorf("got %v, error %v", got, err)
		}
	})
	run.Clause(t, "many may rerank at once", func(t *testing.T) {
		r := open(t)
		want := scores(t, r, "quick brown fox", hostile...)
		done := make(chan []float64)
		for range 8 {
			go func() {
				got, _ := r.Rerank(t.Context(), "quick brown fox", hostile)
				done <- got
			}()
		}
		for range 8 {
			if got := <-done; !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		}
	})
}

func scores(t *testing.T, r rerank.Reranker, query string, documents ...string) []float64 {
	t.Helper()
	got, err := r.Rerank(t.Context(), query, documents)
	if err != nil {
		t.Fatalf("rerank %d documents for %.40q: %v", len(documents), query, err)
	}
	if len(got) != len(documents) {
		t.Fatalf("%d documents got %d scores", len(documents), len(got))
	}
	return got
}
