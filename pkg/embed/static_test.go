package embed_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/embed/embedtest"
)

func TestStaticKeepsTheContract(t *testing.T) {
	t.Parallel()
	embedtest.Run(t, "static", func(*testing.T) embed.Embedder { return new(embed.Static) })
}

// Vectors are stored with the model's id. When this fails, stored vectors no longer fit new ones: either undo what
// changed them or give the model a new id.
func TestStaticIsTheSameOnEveryMachineAndInEveryVersion(t *testing.T) {
	t.Parallel()
	wantVectors(t, new(embed.Static), "bddbc649309912e12ecb6c21669765b60e636bc71ad5e587ad110a8fecf3958e")
}

// test/distil writes what its own tokenizer and arithmetic make of some texts, in floating point.
func TestStaticIsWhatWasDistilled(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("testdata/static-256-v1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(file))
	for lines.Scan() {
		var want struct {
			Text   string
			Vector []float32
		}
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		got, err := new(embed.Static).EmbedQuery(t.Context(), want.Text)
		if err != nil {
			t.Fatal(err)
		}
		if c := cosine(got, want.Vector); c < .999 {
			t.Errorf("%q: cosine %.4f to the vector it was distilled to", want.Text, c)
		}
	}
}

func TestStaticKnowsMeanings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ query, near, far string }{
		{"what pets does she have?", "Anna adopted a kitten and two puppies", "Anna paid the invoice for the kitchen"},
		{"who is a physician?", "my cousin works as a doctor at the hospital", "my cousin works as a welder at the shipyard"},
		{"why was the site down", "the web server ran out of memory and crashed", "the red wine ran over the table and dripped"},
		{"myocardial infarction", "she survived a heart attack", "she survived a shipwreck"},
		{"automobiles", "he sold the old car", "he sold the old piano"},
	} {
		q, err := new(embed.Static).EmbedQuery(t.Context(), c.query)
		if err != nil {
			t.Fatal(err)
		}
		v, err := new(embed.Static).EmbedDocuments(t.Context(), []string{c.near, c.far})
		if err != nil {
			t.Fatal(err)
		}
		if near, far := cosine(q, v[0]), cosine(q, v[1]); near <= far {
			t.Errorf("%q: %.3f to %q, %.3f to %q", c.query, near, c.near, far, c.far)
		}
	}
}

func TestStaticGivesEveryTextAVectorThatMayBeStored(t *testing.T) {
	t.Parallel()
	s := new(embed.Static)
	rapid.Check(t, func(t *rapid.T) {
		text := anyText().Draw(t, "text")
		v, err := s.EmbedQuery(context.Background(), text)
		if err != nil {
			t.Fatal(err)
		}
		if err := embed.Check(v, s.Dimensions()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestStaticTellsTextsWithoutWordsApart(t *testing.T) {
	t.Parallel()
	wantTextsWithoutWordsApart(t, new(embed.Static))
}

func FuzzStatic(f *testing.F) {
	for _, s := range []string{"", " \n", "🎉", "don't", "a\xffb", "Zoë’s 3.5 km", "我今天去了超市", "##ing", "Привет, мир"} {
		f.Add(s)
	}
	model := new(embed.Static)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := model.EmbedQuery(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		if err := embed.Check(v, model.Dimensions()); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if length := math.Sqrt(cosine(v, v)); math.Abs(length-1) > 1e-4 {
			t.Errorf("%q: length %f", text, length)
		}
	})
}

func TestClosenessIsTheCosine(t *testing.T) {
	t.Parallel()
	model := new(embed.Static)
	texts := []string{"a greyhound ran along the beach", "", "quarterly figures", "my puppy"}
	got, err := model.Closeness(t.Context(), "dog", texts)
	if err != nil {
		t.Fatal(err)
	}
	asked, _ := model.EmbedQuery(t.Context(), "dog")
	vectors, _ := model.EmbedDocuments(t.Context(), texts)
	want := make([]float64, len(texts))
	for i, v := range vectors {
		want[i] = cosine(asked, v)
	}
	if !reflect.DeepEqual(got, want) || got[3] <= got[2] {
		t.Errorf("got %v, want %v", got, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := model.Closeness(ctx, "dog", texts); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// BenchmarkCloseness compares a question with the lines of eight transcripts.
func BenchmarkCloseness(b *testing.B) {
	lines := slices.Repeat([]string{"I went to the museum with my sister last weekend, and we saw dinosaurs there"}, 200)
	model := new(embed.Static)
	for b.Loop() {
		if _, err := model.Closeness(b.Context(), "when did she go to the museum", lines); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(lines)*b.N)/b.Elapsed().Seconds(), "lines/s")
}

func BenchmarkStatic(b *testing.B) {
	benchmarkSentences(b, new(embed.Static))
	b.Run("first", func(b *testing.B) { // what the first text costs a process, less the pages read from disk
		ctx := b.Context()
		for b.Loop() {
			if _, err := new(embed.Static).EmbedQuery(ctx, "hello"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// cosine of vectors of length 1.
func cosine(a, b []float32) float64 {
	var dot float64
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
	}
	return dot
}
