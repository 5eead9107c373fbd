package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/eval"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// subject is the engine as package eval measures it: every haystack is a project of its own.
type subject struct {
	engine    *rae.Engine
	tenant    string
	projects  map[string]memory.Scope // by haystack, whose names no project need take
	documents map[memory.ID]string    // ids as the set has them
	degraded  int
}

func newSubject(engine *rae.Engine) *subject {
	return &subject{
		engine: engine, tenant: "eval-" + string(memory.NewID()),
		projects: map[string]memory.Scope{}, documents: map[memory.ID]string{},
	}
}

func (s *subject) scope(haystack string) memory.Scope {
	scope, known := s.projects[haystack]
	if !known {
		scope = memory.Scope{Tenant: s.tenant, Project: fmt.Sprintf("haystack-%d", len(s.projects)+1)}
		s.projects[haystack] = scope
	}
	return scope
}

// forget erases what the run stored: the store may be one that stays.
func (s *subject) forget(ctx context.Context) error {
	_, err := s.engine.Memories.Erase(ctx, s.tenant)
	return err
}

// Remember stores the documents. A document that is refused would falsify every figure, so it ends the run.
func (s *subject) Remember(ctx context.Context, haystack string, documents []eval.Document) error {
	for some := range slices.Chunk(documents, ingest.MaxBatch) {
		items := make([]json.RawMessage, len(some))
		for i := range some {
			d := &some[i]
			item, err := json.Marshal(ingest.Draft{
				Content: d.Text, Metadata: d.Meta, ExternalID: d.ID, SessionID: d.Session(), OccurredAt: d.OccurredAt(),
			})
			if err != nil {
				return fmt.Errorf("document %s: %w", d.ID, err)
			}
			items[i] = item
		}
		results, _, err := s.engine.Memories.Batch(ctx, s.scope(haystack), items, memory.Key{}, memory.Why{Actor: "rae eval"})
		if err != nil {
			return err
		}
		for i, r := range results {
			if r.Status == ingest.Refused {
				return fault.New(fault.Invalid, "document %s was refused: %s", some[i].ID, r.Error.Detail)
			}
			s.documents[r.ID] = some[i].ID
		}
	}
	return nil
}

// way is the engine asked in one mode.
type way struct {
	*subject
	mode search.Mode
}

// Ask searches the haystack.
func (w way) Ask(ctx context.Context, haystack, question string, limit int) ([]string, error) {
	found, err := w.engine.Search.Search(ctx, search.Request{Scope: w.scope(haystack), Query: question, Limit: limit, Mode: w.mode})
	if err != nil {
		return nil, err
	}
	w.note(found.Degraded)
	ids := make([]string, len(found.Results))
	for i := range found.Results {
		ids[i] = w.documents[found.Results[i].Memory.ID]
	}
	return ids, nil
}

// Pack makes a context of the haystack.
func (s *subject) Pack(ctx context.Context, haystack, question string, maxTokens int) (eval.Packed, error) {
	made, err := s.engine.Search.Context(ctx, search.Request{Scope: s.scope(haystack), Query: question}, maxTokens)
	if err != nil {
		return eval.Packed{}, err
	}
	s.note(made.Degraded)
	packed := eval.Packed{Tokens: made.Tokens, Bytes: map[string]int{}}
	for _, c := range made.Citations {
		packed.Bytes[s.documents[c.MemoryID]] += c.End - c.Start
	}
	return packed, nil
}

func (s *subject) note(degraded []string) {
	if len(degraded) > 0 {
		s.degraded++
	}
}
