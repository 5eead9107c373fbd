package embed_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/embed/embedtest"
)

func TestHashKeepsTheContract(t *testing.T) {
	t.Parallel()
	embedtest.Run(t, "hash", func(*testing.T) embed.Embedder { return new(embed.Hash) })
}

// Vectors are stored with the model's id. When this fails, stored vectors no longer fit new ones: either undo what
// changed them or give the model a new id.
func TestHashIsTheSameOnEveryMachineAndInEveryVersion(t *testing.T) {
	t.Parallel()
	wantVectors(t, new(embed.Hash), "98bd4706571cdf74471001333239ea108ce3bde38bef4841d37d4824da34cb91")
}

// wantVectors holds the vectors of some texts, to the bit, to their checksum.
func wantVectors(t *testing.T, e embed.Embedder, want string) {
	t.Helper()
	sum := sha256.New()
	for _, s := range []string{
		"", " \n", "🎉", "to be or not to be", "When did Caroline go to the LGBTQ support group?", "Zoë's café, 3.5 km",
		"我今天去了超市", "ذهبت إلى السوق", "Привет, мир", strings.Repeat("buffalo buffaloes ", 1000), "a\xffb",
	} {
		v, err := e.EmbedQuery(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if err := binary.Write(sum, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		t.Errorf("%s makes other vectors than it did: %s", e.Model(), got)
	}
}

func TestHashGivesEveryTextAVectorThatMayBeStored(t *testing.T) {
	t.Parallel()
	h := new(embed.Hash)
	rapid.Check(t, func(t *rapid.T) {
		s := anyText().Draw(t, "text")
		v, err := h.EmbedQuery(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		if err := embed.Check(v, h.Dimensions()); err != nil {
			t.Fatal(err)
		}
	})
}

// anyText draws texts of any characters, of few and of any bytes.
func anyText() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-c .]{0,40}`),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
}

func TestHashTellsTextsWithoutWordsApart(t *testing.T) {
	t.Parallel()
	wantTextsWithoutWordsApart(t, new(embed.Hash))
}

func wantTextsWithoutWordsApart(t *testing.T, e embed.Embedder) {
	t.Helper()
	v, err := e.EmbedDocuments(t.Context(), []string{"🎉🎉", "🎉", "🐍", "", "  "})
	if err != nil {
		t.Fatal(err)
	}
	const same = .999
	if cosine(v[0], v[1]) < same {
		t.Error("one and two of the same emoji point elsewhere")
	}
	for i := 1; i < len(v); i++ {
		for j := i + 1; j < len(v); j++ {
			if cosine(v[i], v[j]) > same {
				t.Errorf("texts %d and %d have the same vector", i, j)
			}
		}
	}
}

func BenchmarkHash(b *testing.B) { benchmarkSentences(b, new(embed.Hash)) }

func benchmarkSentences(b *testing.B, e embed.Embedder) {
	for _, c := range []struct{ name, text string }{
		{"10words", "Caroline went to the LGBTQ support group yesterday and loved it"},
		{"30words", "I went to a support group yesterday and it was so powerful, the stories were inspiring and I was " +
			"thankful for all the love and the help that everybody gave to me"},
	} {
		b.Run(c.name, func(b *testing.B) {
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.EmbedQuery(ctx, c.text); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sentences/s")
		})
	}
}
