package embed_test

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider/providertest"
)

// thrifty is a meter that keeps what it was told was spared.
type thrifty struct {
	providertest.Meter
	saved []saved
}

type saved struct {
	call  llm.Call
	calls int
}

func (t *thrifty) Saved(_ context.Context, c llm.Call, calls int) {
	t.saved = append(t.saved, saved{c, calls})
}

func TestWhatACacheSparedIsTold(t *testing.T) {
	t.Parallel()
	m, far := &thrifty{}, &faraway{}
	e := embed.WithCache(remote(t, far, m, func(s *embed.Spec) { s.Prefixes = embed.Prefixes{Document: "doc: "} }), nil)
	ask := func(texts ...string) {
		t.Helper()
		if _, err := e.EmbedDocuments(t.Context(), texts); err != nil {
			t.Fatal(err)
		}
	}
	query := func(text string) {
		t.Helper()
		if _, err := e.EmbedQuery(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	of := func(calls int, texts ...string) saved {
		call := llm.Call{Operation: "embeddings", Provider: "acme-ai", Model: "vec-1", Most: llm.Usage{Estimated: true}}
		for _, text := range texts {
			call.Most.TokensIn += llm.EstimateTokens(text)
		}
		return saved{call, calls}
	}
	ask("the first", "the second") // nothing is known yet
	ask("the first", "the second") // all of it is
	ask("the first", "the third")  // half of it
	query("the first")             // a query is another text than a document
	query("the first")
	want := []saved{of(1, "doc: the first", "doc: the second"), of(0, "doc: the first"), of(1, "the first")}
	if !reflect.DeepEqual(m.saved, want) {
		t.Errorf("got  %+v\nwant %+v", m.saved, want)
	}
	if len(m.Calls()) != 3 {
		t.Errorf("%d calls were made", len(m.Calls()))
	}

	far.used = llm.Usage{TokensIn: 10}
	query(strings.Repeat("x", 60)) // estimated at 20
	m.saved = nil
	query(strings.Repeat("x", 60))
	if got := m.saved[0].call.Most.TokensIn; got != 10 {
		t.Errorf("a provider that counts half of the estimate: %d tokens were spared, want 10", got)
	}
}

func TestAMeterThatDoesNotAskIsNotTold(t *testing.T) {
	t.Parallel()
	e := embed.WithCache(remote(t, &faraway{}, &providertest.Meter{}), nil)
	for range 2 {
		if _, err := e.EmbedQuery(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
	}
}
