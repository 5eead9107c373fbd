package ingest_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// overBudget is the budget's refusal.
type overBudget struct{ degrades bool }

func (overBudget) Error() string         { return "no money" }
func (overBudget) FaultKind() fault.Kind { return fault.OverBudget }
func (overBudget) PublicMessage() string { return "no money" }
func (o overBudget) Degrades() bool      { return o.degrades }

func TestWhatTheBudgetDoesNotPayForIsStoredAllTheSame(t *testing.T) {
	t.Parallel()
	for _, degrades := range []bool{false, true} {
		s, embedder := world(t)
		stood := mustPut(t, s, ingest.Draft{Content: "it stood before"})
		embedder.err = overBudget{degrades}
		draft := json.RawMessage(`{"content":"of a batch"}`)
		changed := "it was changed"
		writes := map[string]func() error{
			"put": func() error {
				_, _, err := s.Put(t.Context(), here, ingest.Draft{Content: "put"}, memory.Key{}, memory.Why{})
				return err
			},
			"put once": func() error {
				_, _, err := s.Put(t.Context(), here, ingest.Draft{Content: "put once"}, memory.Key{Route: "r", Key: "k", Fingerprint: "f"}, memory.Why{})
				return err
			},
			"patch": func() error {
				patch, err := ingest.ParsePatch(json.RawMessage(`{"content":"`+changed+`"}`), "body.")
				if err == nil {
					_, _, err = s.Patch(t.Context(), here, stood.ID, patch, 0, memory.Key{}, memory.Why{})
				}
				return err
			},
			"batch": func() error {
				_, _, err := s.Batch(t.Context(), here, []json.RawMessage{draft}, memory.Key{}, memory.Why{})
				return err
			},
			"conversation": func() error {
				_, _, err := s.Conversation(t.Context(), here, ingest.Conversation{SessionID: "s", Messages: []ingest.Message{{Role: "user", Content: "said"}}}, memory.Key{}, memory.Why{})
				return err
			},
			"import": func() error {
				_, err := s.Import(t.Context(), here, strings.NewReader(`{"content":"imported"}`), memory.Why{}, nil)
				return err
			},
		}
		for name, write := range writes {
			if err := write(); err != nil {
				t.Errorf("%s, degrades %t: %v", name, degrades, err)
			}
		}
		page, err := s.List(t.Context(), here, memory.Query{Limit: 100})
		if err != nil || len(page.Memories) != len(writes) {
			t.Errorf("degrades %t: stored %d of %d, %v", degrades, len(page.Memories), len(writes), err)
		}
		for _, m := range page.Memories {
			if m.Embedding != memory.EmbeddingPending {
				t.Errorf("degrades %t: %q is %s", degrades, m.Content, m.Embedding)
			}
		}
	}
}

func TestWhatAnEventStoresIsNotRefusedByTheBudget(t *testing.T) {
	t.Parallel()
	s, embedder := world(t)
	source := mustPut(t, s, ingest.Draft{Content: "hello"})
	embedder.err = overBudget{}
	derived := memory.Memory{Content: "she said hello", Layer: memory.Reflective, Source: "reflection", DerivedFrom: []memory.Citation{{MemoryID: source.ID, Start: 0, End: 5}}}
	stored, taken, err := s.Derive(t.Context(), here, ingest.Derivation{Event: ingest.Event{Source: "x", ID: "1"}, Memory: derived})
	if err != nil || !taken || stored.Memory.Embedding != memory.EmbeddingPending {
		t.Errorf("got %s, %t, %v", stored.Memory.Embedding, taken, err)
	}
}

func TestWhoseMemoriesTheyArePaysForTheirVectors(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	var payers payers
	s.Embedder = &payers
	mustPut(t, s, ingest.Draft{Content: "hello"})
	if len(payers) != 1 || payers[0] != here {
		t.Errorf("paid by %v", payers)
	}
}

// payers is an embedder that keeps who pays.
type payers []memory.Scope

func (*payers) Model() string { return "payers-2" }

func (p *payers) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	scope, _ := llm.PayerOf(ctx)
	*p = append(*p, scope)
	return [][]float32{{1, 0}}, nil
}
