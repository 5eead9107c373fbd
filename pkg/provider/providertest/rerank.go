package providertest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/rae-memory/rae/pkg/rerank"
	"github.com/rae-memory/rae/pkg/rerank/reranktest"
)

// Reranking is an adapter to a provider of scores under test.
type Reranking struct {
	Name string // of the provider
	// Open makes the adapter, for a server at the address and with Key.
	Open func(address string) (rerank.Provider, error)
	// Question reads a request as it should be, and fails where it is not.
	Question func(r *http.Request, body []byte) (query string, documents []string, err error)
	// Before, Item and After are an answer in the provider's format: the index and the score of each item are %d and %g.
	Before, Item, After string
}

// RunReranking holds the adapter to the contract of rerank.Reranker, behind rerank.Remote, and to what package provider
// promises.
func RunReranking(t *testing.T, s Reranking) {
	reranktest.Run(t, s.Name, func(t *testing.T) rerank.Reranker {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			answers(200, "application/json", s.answer(t, r, body))(w, r)
		}))
		t.Cleanup(server.Close)
		return s.remote(t, server.URL)
	})
	item := func(index, score string) string {
		return fmt.Sprintf(`{"index":%s,"relevance_score":%s,"score":%s}`, index, score, score)
	}
	wrong := map[string]string{"another API": `{"embeddings":[]}`, "null": "null", "text": `"yes"`}
	for name, items := range map[string]string{
		"fewer scores":       item("0", "0.5"),
		"no scores":          "",
		"one index twice":    item("0", "0.5") + "," + item("0", "0.5"),
		"an index too large": item("0", "0.5") + "," + item("2", "0.5"),
		"a negative index":   item("0", "0.5") + "," + item("-1", "0.5"),
		"no index":           item("0", "0.5") + `,{"relevance_score":1}`,
		"no score":           item("0", "0.5") + `,{"index":1}`,
		"null for a score":   item("0", "0.5") + "," + item("1", "null"),
		"NaN for a score":    item("0", "0.5") + "," + item("1", "NaN"),
		"text for a score":   item("0", "0.5") + "," + item("1", `"1"`),
	} {
		wrong[name] = s.Before + items + s.After
	}
	Run(t, s.Name+" rerank", Subject{
		Name: s.Name, Wrong: wrong,
		Ask: func(ctx context.Context, address string) error {
			_, err := s.remote(t, address).Rerank(ctx, Words, []string{Words, "something else"})
			return err
		},
		Answer: func(r *http.Request, body []byte) string { return s.answer(t, r, body) },
	})
}

func (s *Reranking) remote(t *testing.T, address string) rerank.Reranker {
	t.Helper()
	p, err := s.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rerank.NewRemote(p, rerank.Spec{Provider: s.Name, Model: "m", MaxDocuments: 100}, new(Meter))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// answer scores by the built-in reranker, best first, as providers sort.
func (s *Reranking) answer(t *testing.T, r *http.Request, body []byte) string {
	query, documents, err := s.Question(r, body)
	if err != nil {
		t.Errorf("asked %s %s: %v", r.URL, body, err)
		return ""
	}
	scores, err := rerank.Lexical{}.Rerank(context.WithoutCancel(r.Context()), query, documents)
	if err != nil {
		t.Error(err)
	}
	places := make([]int, len(scores))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	text := s.Before
	for n, at := range places {
		if n > 0 {
			text += ","
		}
		text += fmt.Sprintf(s.Item, at, scores[at])
	}
	return text + s.After
}

// Exactly reads a request into what is documented of it, and fails where there is something else.
func Exactly(body []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
