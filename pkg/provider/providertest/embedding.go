package providertest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/embed/embedtest"
)

// Embedding is an adapter to a provider of vectors under test.
type Embedding struct {
	Name string // of the provider
	// Open makes the adapter, for a server at the address and with Key.
	Open func(address string) (embed.Provider, error)
	// Texts reads a request.
	Texts func(body []byte) ([]string, error)
	// Answer is an answer in the provider's format, of vectors as JSON.
	Answer func(vectors []string) string
	// Wrong are further answers to two texts that are none, by what is wrong with them; Good is a vector in them.
	Wrong map[string]string
}

// Good is a vector of as many dimensions as a server under RunEmbedding shall send.
func Good() string { return vector(func(v []float32) { v[0] = 1 }) }

func vector(change func([]float32)) string {
	v := make([]float32, new(embed.Hash).Dimensions())
	change(v)
	return encoded(v)
}

func encoded(v []float32) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(text)
}

// RunEmbedding holds the adapter to the contract of embed.Embedder, behind embed.Remote, and to what package provider
// promises.
func RunEmbedding(t *testing.T, s Embedding) {
	answer := func(_ *http.Request, body []byte) string {
		texts, err := s.Texts(body)
		if err != nil {
			t.Errorf("asked %s: %v", body, err)
		}
		vectors, err := new(embed.Hash).EmbedDocuments(context.Background(), texts)
		if err != nil {
			t.Error(err)
		}
		told := make([]string, len(vectors))
		for i, v := range vectors {
			told[i] = encoded(v)
		}
		return s.Answer(told)
	}
	embedtest.Run(t, s.Name, func(t *testing.T) embed.Embedder { return s.remote(t, Serve(t, "", answer).URL) })
	wrong := map[string]string{
		"nothing": "null", "an empty object": "{}", "another API": `{"choices":[]}`, "an error as 200": `{"error":{"message":"no","code":"x"}}`,
		"fewer vectors": s.Answer([]string{Good()}), "no vectors": s.Answer(nil), "more vectors": s.Answer([]string{Good(), Good(), Good()}),
	}
	for name, other := range map[string]string{
		"other dimensions": "[1,2,3]", "null for a vector": "null", "null for a number": "[1,null]", "NaN": "[1,NaN]", "text for a number": `["NaN"]`,
		"a number too large": "[1e99" + Good()[len("[1"):], "a zero vector": vector(func([]float32) {}), "text": `"AACAPw=="`,
	} {
		wrong[name] = s.Answer([]string{Good(), other})
	}
	maps.Copy(wrong, s.Wrong)
	Run(t, s.Name+" embeddings", Subject{
		Name: s.Name, Answer: answer, Wrong: wrong,
		Ask: func(ctx context.Context, address string) error {
			_, err := s.remote(t, address).EmbedDocuments(ctx, []string{Words, "more of them"})
			return err
		},
	})
}

func (s *Embedding) remote(t *testing.T, address string) embed.Embedder {
	t.Helper()
	p, err := s.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	r, err := embed.NewRemote(p, embed.Spec{Provider: s.Name, Model: "m", Dimensions: new(embed.Hash).Dimensions(), MaxTexts: 8, MaxTextTokens: 8191}, new(Meter))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
