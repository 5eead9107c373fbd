package rerank_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/rerank"
	"github.com/rae-memory/rae/pkg/rerank/reranktest"
)

func TestLexicalKeepsTheContract(t *testing.T) {
	t.Parallel()
	reranktest.Run(t, "lexical", func(*testing.T) rerank.Reranker { return rerank.Lexical{} })
}

func rank(t *testing.T, query string, documents ...string) []float64 {
	t.Helper()
	got, err := rerank.Lexical{}.Rerank(t.Context(), query, documents)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestLexicalPrefers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, query, better, worse string }{
		{"more of the terms", "red apple pie", "an apple pie", "an apple tart"},
		{"terms close together", "budget review meeting", "review of the budget in a meeting",
			"budget is due. The weather was fine and nobody came. A review followed. Then much later another meeting"},
		{"terms in the order asked", "dog bites man", "a dog bites a man", "a man bites a dog"},
		{"the phrase as it is quoted", "support group for parents", "she leads a support group for parents", "parents of the group support her"},
		{"the number asked for", "ticket 4711", "ticket 4711 is open", "ticket 4712 is open"},
		{"the whole number, not a part of it", "order 47", "the order has number 47", "the order has number 4711"},
		{"the name asked for", "what did Melanie paint", "Melanie paints a sunrise", "Caroline paints a sunrise"},
		{"the date asked for, however it is written", "what happened on 7 May 2023", "2023-05-07: nothing special happened", "2023-06-08: nothing special happened"},
		{"a month's name where it is a date", "what happened in May", "it happened in May, by the river", "it may have happened by the river"},
		{"inflected terms to other ones", "painting sunsets", "she paints a sunset", "she cooks a supper"},
		{"the shorter of two that say the same", "lost keys", "the keys are lost", "the keys are lost " + strings.Repeat("and the rain falls on the hills of the north ", 20)},
		{"question words too when there is nothing else", "to be or not to be", "to be or not to be, that is it", "whatever you say goes"},
		{"the emoji asked for", "🎉", "we won 🎉", "we lost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := rank(t, c.query, c.worse, c.better); got[1] <= got[0] {
				t.Errorf("%q scores %.3f, %q scores %.3f", c.better, got[1], c.worse, got[0])
			}
		})
	}
}

func TestLexicalPrefersTheTermFewCandidatesHave(t *testing.T) {
	t.Parallel()
	documents := append(slices.Repeat([]string{"a report was made there today"}, 5), "a zebra was seen there today")
	if got := rank(t, "zebra report", documents...); got[5] <= got[0] {
		t.Errorf("got %.3f", got)
	}
}

func TestLexicalGivesNothingForNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ query, document string }{
		{"apples", "oranges"}, {"", "oranges"}, {"apples", ""}, {"", ""}, {"🎉", "oranges"}, {" ", " "},
	} {
		if got := rank(t, c.query, c.document); got[0] != 0 {
			t.Errorf("%q against %q scores %v", c.document, c.query, got[0])
		}
	}
}

func TestLexicalScoresAQuotedQueryHigh(t *testing.T) {
	t.Parallel()
	const query = "support group in Lisbon"
	if got := rank(t, query, query, "nothing of it"); got[0] < .7 || got[1] != 0 {
		t.Errorf("got %.3f", got)
	}
}

func TestLexicalReadsOnlyTheBeginningOfALongDocument(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat("filler ", rerank.MaxDocumentBytes/7+1)
	if got := rank(t, "needle", "needle "+filler, filler+" needle"); got[0] == 0 || got[1] != 0 {
		t.Errorf("got %v", got)
	}
}

func TestLexicalScoresLieInRange(t *testing.T) {
	t.Parallel()
	words := rapid.SampledFrom([]string{"May", "may", "2023", "7", "in", "Anna", "anna", "dog", "the", "bites", "ü", "猫", "2023-05-07", "🎉", "\xff"})
	phrase := rapid.Map(rapid.SliceOfN(words, 0, 12), func(w []string) string { return strings.Join(w, " ") })
	rapid.Check(t, func(t *rapid.T) {
		query, documents := phrase.Draw(t, "query"), rapid.SliceOfN(phrase, 0, 6).Draw(t, "documents")
		got, err := rerank.Lexical{}.Rerank(context.Background(), query, documents)
		if err != nil {
			t.Fatal(err)
		}
		for i, score := range got {
			if !(score >= 0 && score <= 1) {
				t.Fatalf("document %q scores %v for %q", documents[i], score, query)
			}
		}
		slices.Reverse(documents)
		back, err := rerank.Lexical{}.Rerank(context.Background(), query, documents)
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(back)
		if !slices.Equal(got, back) {
			t.Fatalf("scores %v, in the reverse order %v", got, back)
		}
	})
}

// expiring is a context whose deadline passes at the n-th question.
type expiring struct {
	context.Context
	left atomic.Int32
}

func (e *expiring) Err() error {
	if e.left.Add(-1) < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

func TestLexicalGivesUpInTheMiddleWhenTheDeadlinePasses(t *testing.T) {
	t.Parallel()
	for _, asked := range []int32{1, 50, 150} { // while reading and while scoring
		ctx := &expiring{Context: t.Context()}
		ctx.left.Store(asked)
		got, err := rerank.Lexical{}.Rerank(ctx, "document", slices.Repeat([]string{"a document"}, 100))
		if !errors.Is(err, context.DeadlineExceeded) || got != nil {
			t.Errorf("after %d documents: %d scores, error %v", asked, len(got), err)
		}
	}
}

func TestBuiltInNamesWhatExists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ provider, model, want string }{
		{"lexical", "", ""},
		{"lexical", "lexical-v1", ""},
		{"cohere", "", `rerank provider "cohere" is unknown; this build has: lexical`},
		{"lexical", "rerank-v3.5", `rerank model "rerank-v3.5" is unknown; provider lexical has: lexical-v1`},
	} {
		got := ""
		if _, err := rerank.BuiltIn(c.provider, c.model); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("BuiltIn(%q, %q): got %q, want %q", c.provider, c.model, got, c.want)
		}
	}
}

func BenchmarkLexical(b *testing.B) {
	const turn = "Caroline: I went to a LGBTQ support group yesterday and it was so powerful, number %d of many. The stories were so inspiring!"
	for _, n := range []int{50, 1000} {
		documents := make([]string, n)
		for i := range documents {
			documents[i] = fmt.Sprintf(turn, i)
		}
		b.Run(fmt.Sprintf("%dturns", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (rerank.Lexical{}).Rerank(b.Context(), "When did Caroline go to the LGBTQ support group?", documents); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "documents/s")
		})
	}
}
