package qdrant

import (
	"time"

	api "github.com/qdrant/go-client/qdrant"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// conditions say in Qdrant's words what memory.Filter.Match, memory.Memory.TrueAt and memory.Memory.Expired say.
// Qdrant compares numbers as doubles: times are exact to the microsecond until the year 2255, and to 32 of them later.
func conditions(q *search.Query, now time.Time) []*api.Condition {
	must := []*api.Condition{after(fieldExpires, now)}
	if asOf := q.View.AsOf; asOf != nil {
		must = append(must, api.NewRange(fieldValidFrom, &api.Range{Lte: micros(*asOf)}), after(fieldValidTo, *asOf))
	}
	f := &q.Filter
	if len(f.Layers) > 0 {
		layers := make([]string, len(f.Layers))
		for i, layer := range f.Layers {
			layers[i] = string(layer)
		}
		must = append(must, api.NewMatchKeywords(fieldLayer, layers...))
	}
	for _, tag := range f.Tags {
		must = append(must, api.NewMatchKeyword(fieldTags, tag))
	}
	for _, hash := range metadataHashes(f.Metadata) {
		must = append(must, api.NewMatchKeyword(fieldMetadata, hash))
	}
	for _, one := range []struct{ field, value string }{{fieldUser, f.UserID}, {fieldAgent, f.AgentID}, {fieldSession, f.SessionID}} {
		if one.value != "" {
			must = append(must, api.NewMatchKeyword(one.field, one.value))
		}
	}
	if f.Since != nil {
		must = append(must, api.NewRange(fieldWhen, &api.Range{Gte: micros(ceiling(*f.Since))}))
	}
	if f.Until != nil {
		must = append(must, api.NewRange(fieldWhen, &api.Range{Lt: micros(ceiling(*f.Until))}))
	}
	if f.MinImportance > 0 {
		must = append(must, api.NewRange(fieldImportance, &api.Range{Gte: &f.MinImportance}))
	}
	switch f.Archived { // of a point written before there was the field, too, it is empty
	case memory.WithoutArchived:
		must = append(must, api.NewIsEmpty(fieldArchived))
	case memory.OnlyArchived:
		must = append(must, api.NewMatchBool(fieldArchived, true))
	}
	return must
}

// shows reports what conditions say, of a memory at hand.
func shows(q *search.Query, m *memory.Memory, now time.Time) bool {
	return !m.Expired(now) && (q.View.AsOf == nil || m.TrueAt(*q.View.AsOf)) && q.Filter.Match(m)
}

// after lets pass what ends later than t.
func after(field string, t time.Time) *api.Condition {
	return api.NewRange(field, &api.Range{Gt: micros(t)})
}

func micros(t time.Time) *float64 {
	f := float64(t.UnixMicro())
	return &f
}

// ceiling is the first whole microsecond not before t. Kept times are whole ones, so nothing lies between.
func ceiling(t time.Time) time.Time {
	if whole := t.Truncate(time.Microsecond); whole.Before(t) {
		return whole.Add(time.Microsecond)
	}
	return t
}
