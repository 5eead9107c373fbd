// Package embedtest is the contract suite of embed.Embedder. Every embedder, built in or remote, runs it.
package embedtest

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/embed"
)

// hostile are texts that have broken embedders.
var hostile = []struct{ name, text string }{
	{"empty", ""},
	{"blank", " \t\n\u3000"},
	{"emoji", "🎉🎉👩‍👩‍👧‍👦"},
	{"punctuation", "?!… — ///"},
	{"only stop words", "to be or not to be"},
	{"one letter", "x"},
	{"NUL bytes", "a\x00b\x00"},
	{"invalid UTF-8", "\xff\xfe caf\xe9"},
	{"lone combining marks", "\u0301\u0301"},
	{"Chinese without spaces", "我今天去了超市买了很多苹果"},
	{"right to left", "ذهبت إلى السوق שלום עולם"},
	{"mixed scripts", "Zoë买了3個 яблока in 東京"},
	{"stack trace", "panic: runtime error\n\tmain.go:42 +0x1f\ngoroutine 1 [running]:"},
	{"one word of 20,000 letters", strings.Repeat("pneumono", 2500)},
	{"2,000 words", strings.Repeat("the quick brown fox jumps over the lazy dog again ", 200)},
	{"one word 5,000 times", strings.Repeat("buffalo ", 5000)},
}

// Run holds the embedder that open returns, named by on, to the contract of embed.Embedder.
func Run(t *testing.T, on string, open func(*testing.T) embed.Embedder) {
	run := contract.Begin(t, "embedtest", on)
	run.Clause(t, "every vector is finite, of the stated dimension and of length 1", func(t *testing.T) {
		e := open(t)
		for _, h := range hostile {
			wantUnit(t, h.name, e.Dimensions(), query(t, e, h.text))
			wantUnit(t, h.name, e.Dimensions(), documents(t, e, h.text)[0])
		}
	})
	run.Clause(t, "a model has an id and a dimension that do not change", func(t *testing.T) {
		a, b := open(t), open(t)
		query(t, a, "a first text")
		if a.Model() == "" || a.Model() != b.Model() || a.Dimensions() < 1 || a.Dimensions() != b.Dimensions() {
			t.Errorf("got %q with %d dimensions and %q with %d", a.Model(), a.Dimensions(), b.Model(), b.Dimensions())
		}
	})
	run.Clause(t, "no texts give no vectors", func(t *testing.T) {
		e := open(t)
		for _, none := range [][]string{nil, {}} {
			if got, err := e.EmbedDocuments(t.Context(), none); err != nil || len(got) != 0 {
				t.Errorf("got %d vectors, error %v", len(got), err)
			}
		}
	})
	run.Clause(t, "vectors come in the order of their texts, whatever stands beside them", func(t *testing.T) {
		e := open(t)
		texts := make([]string, 0, len(hostile)+1)
		for _, h := range hostile {
			texts = append(texts, h.text)
		}
		texts = append(texts, texts[0])
		together := documents(t, e, texts...)
		for i, s := range texts {
			if alone := documents(t, open(t), s)[0]; cosine(alone, together[i]) < .9999 {
				t.Errorf("text %d (%.20q) has another vector alone than in a batch: cosine %f", i, s, cosine(alone, together[i]))
			}
		}
	})
	run.Clause(t, "equal texts have equal vectors", func(t *testing.T) {
		e := open(t)
		const s = "Anna moved to Lisbon in May 2023"
		first, second := documents(t, e, s, "something else", s), query(t, e, s)
		if !slices.Equal(first[0], first[2]) {
			t.Error("the same document twice in a batch has two vectors")
		}
		if again := query(t, e, s); !slices.Equal(second, again) {
			t.Error("the same query asked twice has two vectors")
		}
	})
	run.Clause(t, "the caller may change what it was given", func(t *testing.T) {
		e := open(t)
		v := query(t, e, "a text")
		want := slices.Clone(v)
		clear(v)
		if got := query(t, e, "a text"); !slices.Equal(got, want) {
			t.Error("a vector changed by its caller came back changed")
		}
	})
	run.Clause(t, "a text is nearer to one that says nearly the same than to a stranger", func(t *testing.T) {
		e := open(t)
		for _, c := range []struct{ query, near, far string }{
			{"where did Anna move to?", "Anna moved to Lisbon last spring", "the invoice was paid by bank transfer"},
			{"database connection timeouts", "the database connection timed out again", "grandmother bakes apple cake on Sundays"},
			{"我今天去了超市", "今天我去超市买苹果", "机器学习模型训练完成"},
			{"Привет, как дела?", "привет как твои дела сегодня", "курс доллара снова вырос"},
		} {
			q, docs := query(t, e, c.query), documents(t, e, c.near, c.far)
			if near, far := cosine(q, docs[0]), cosine(q, docs[1]); near <= far {
				t.Errorf("%q: cosine %.3f to %q, %.3f to %q", c.query, near, c.near, far, c.far)
			}
		}
	})
	run.Clause(t, "a caller that went away gets no vectors", func(t *testing.T) {
		e := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := e.EmbedDocuments(ctx, []string{"a", "b"}); !errors.Is(err, context.Canceled) {
			t.Errorf("EmbedDocuments: got %v", err)
		}
		if _, err := e.EmbedQuery(ctx, "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("EmbedQuery: got %v", err)
		}
	})
	run.Clause(t, "many may embed at once", func(t *testing.T) {
		e := open(t)
		want := query(t, e, hostile[11].text)
		done := make(chan []float32)
		for range 8 {
			go func() {
				var v []float32
				for range 20 {
					v, _ = e.EmbedQuery(t.Context(), hostile[11].text)
				}
				done <- v
			}()
		}
		for range 8 {
			if got := <-done; !slices.Equal(got, want) {
				t.Error("concurrent callers get other vectors")
			}
		}
	})
}

func query(t *testing.T, e embed.Embedder, s string) []float32 {
	t.Helper()
	v, err := e.EmbedQuery(t.Context(), s)
	if err != nil {
		t.Fatalf("embed query %.40q: %v", s, err)
	}
	return v
}

func documents(t *testing.T, e embed.Embedder, texts ...string) [][]float32 {
	t.Helper()
	vectors, err := e.EmbedDocuments(t.Context(), texts)
	if err != nil {
		t.Fatalf("embed %d documents: %v", len(texts), err)
	}
	if len(vectors) != len(texts) {
		t.Fatalf("%d texts got %d vectors", len(texts), len(vectors))
	}
	return vectors
}

func wantUnit(t *testing.T, name string, dim int, v []float32) {
	t.Helper()
	if err := embed.Check(v, dim); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if norm := math.Sqrt(dot(v, v)); math.Abs(norm-1) > 1e-4 {
		t.Errorf("%s: length %f", name, norm)
	}
}

func cosine(a, b []float32) float64 { return dot(a, b) / math.Sqrt(dot(a, a)*dot(b, b)) }

func dot(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}
