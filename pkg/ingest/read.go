package ingest

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Get returns one memory as the view shows it. A missing, deleted, expired or foreign id is the same NotFound.
func (s *Service) Get(ctx context.Context, scope memory.Scope, id memory.ID, at memory.View) (memory.Memory, error) {
	if err := named(scope); err != nil {
		return memory.Memory{}, err
	}
	m, err := s.Store.Get(ctx, scope, id, at)
	if err != nil {
		return memory.Memory{}, err
	}
	one := []memory.Memory{m}
	err = s.nameModels(ctx, scope, at, one)
	return one[0], err
}

// nameModels says of which models memories have vectors. What is read as it was in the past says nothing of them: vectors
// are those of the present.
func (s *Service) nameModels(ctx context.Context, scope memory.Scope, at memory.View, all []memory.Memory) error {
	if s.Vectors == nil || at.KnownAt != nil || len(all) == 0 {
		return nil
	}
	ids := make([]memory.ID, len(all))
	for i := range all {
		ids[i] = all[i].ID
	}
	models, err := s.Vectors.VectorModels(ctx, scope, ids)
	for i := range all {
		all[i].EmbeddingModels = models[all[i].ID]
	}
	return err
}

// List returns one page of the memories that match, newest first. Invalid names a filter at fault under "query.".
func (s *Service) List(ctx context.Context, scope memory.Scope, q memory.Query) (memory.Page, error) {
	if err := cmp.Or(named(scope), checkQuery(q)); err != nil {
		return memory.Page{}, err
	}
	page, err := s.Store.List(ctx, scope, q)
	if err != nil {
		return memory.Page{}, err
	}
	return page, s.nameModels(ctx, scope, q.View, page.Memories)
}

// History returns every version of a memory, newest first.
func (s *Service) History(ctx context.Context, scope memory.Scope, id memory.ID) ([]memory.Version, error) {
	if err := named(scope); err != nil {
		return nil, err
	}
	return s.Store.History(ctx, scope, id)
}

// Head is the number of the scope's last change: what a reader must have seen to see every write so far.
func (s *Service) Head(ctx context.Context, scope memory.Scope) (memory.Seq, error) {
	return s.Store.Head(ctx, scope)
}

func checkQuery(q memory.Query) error {
	c := complaints{prefix: "query."}
	c.filter(&q.Filter)
	c.when("as_of", q.AsOf)
	c.when("known_at", q.KnownAt)
	if q.Limit < 1 || q.Limit > 1000 {
		c.add("limit", "must be between 1 and 1000")
	}
	return c.err()
}

// filter checks what selects memories; names differ between a query and a body only in the prefix.
func (c *complaints) filter(f *memory.Filter) {
	query := strings.HasPrefix(c.prefix, "query.")
	layers, tags := "layers", "tags"
	if query {
		layers, tags = "layer", "tag"
	}
	if len(f.Layers) > len(memory.Layers()) {
		c.add(layers, "must be at most %d layers", len(memory.Layers()))
	} else {
		for i, layer := range f.Layers {
			c.layer(layers+"["+strconv.Itoa(i)+"]", layer)
		}
	}
	c.tags(tags, f.Tags)
	c.metadata("metadata", f.Metadata)
	c.name("user_id", f.UserID, MaxName)
	c.name("agent_id", f.AgentID, MaxName)
	c.name("session_id", f.SessionID, MaxName)
	c.when("since", f.Since)
	c.when("until", f.Until)
	if f.Since != nil && f.Until != nil && !f.Since.Before(*f.Until) {
		c.add("until", "must be after since")
	}
	c.importance("min_importance", f.MinImportance)
	if !f.Archived.Valid() {
		c.add("archived", "must be include or only, or left out")
	}
}

// CheckSelection refuses a filter or a view that no memory could match by the limits memories are kept to; it names
// every field at fault, the filter's below at and the view's times beside it.
func CheckSelection(f *memory.Filter, v memory.View, at string) error {
	c := complaints{prefix: at + "."}
	c.filter(f)
	c.prefix = strings.TrimSuffix(at, "filters")
	c.when("as_of", v.AsOf)
	c.when("known_at", v.KnownAt)
	return c.err()
}

// checkSelection refuses a filter that cannot select or, being empty, would select everything.
func checkSelection(f *memory.Filter, at string) error {
	if f.Empty() {
		return fault.BadField(at, "must restrict something; an empty filter would delete everything")
	}
	c := complaints{prefix: at + "."}
	c.filter(f)
	return c.err()
}
