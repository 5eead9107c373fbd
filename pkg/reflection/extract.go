package reflection

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

const (
	minMentions    = 3  // memories that must mention an entity
	maxEntities    = 50 // of one reflection
	maxStatements  = 8  // sentences quoted of one entity
	maxEntityRunes = 100
)

// entity is a thing that several memories mention.
type entity struct {
	name  string // as first written
	kind  string
	where []statement // one per memory
}

// statement is the sentence in which a document first mentions an entity.
type statement struct {
	document *document
	text.Span
}

// mentions drafts one memory for every entity that at least minMentions memories mention: what they say of it, word
// for word. It counts and quotes; it concludes nothing.
func (c *corpus) mentions(documents []*document) []draft {
	index := map[string]int{}
	var entities []entity
	for _, d := range documents {
		seen := map[string]bool{}
		sentences := text.Sentences(d.body)
		for _, m := range text.Named(d.body) {
			key := m.Kind + " " + strings.ToLower(m.Name)
			if seen[key] || utf8.RuneCountInString(m.Name) > maxEntityRunes {
				continue
			}
			at := slices.IndexFunc(sentences, func(s text.Span) bool { return s.Start <= m.Start && m.End <= s.End })
			if at < 0 || sentences[at].End-sentences[at].Start > maxSentenceBytes {
				continue
			}
			seen[key] = true
			i, known := index[key]
			if !known {
				i = len(entities)
				index[key] = i
				entities = append(entities, entity{name: m.Name, kind: m.Kind})
			}
			entities[i].where = append(entities[i].where, statement{d, sentences[at]})
		}
	}
	entities = slices.DeleteFunc(entities, func(e entity) bool { return len(e.where) < minMentions })
	slices.SortStableFunc(entities, func(a, b entity) int { return cmp.Compare(len(b.where), len(a.where)) })
	var drafts []draft
	for _, e := range entities[:min(len(entities), maxEntities)] {
		drafts = append(drafts, e.draft())
	}
	return drafts
}

// draft quotes the newest statements on the entity, in the order of their times.
func (e *entity) draft() draft {
	d := draft{topic: e.name, tags: []string{e.kind}, count: len(e.where), entities: []memory.Entity{{Name: e.name, Type: e.kind}}}
	var said []*document
	importance := 0.0
	for _, s := range e.where {
		said = append(said, s.document)
		importance += s.document.memory.Importance
	}
	importance /= float64(len(e.where))
	d.importance = func(float64) float64 { return round(importance) }
	d.content = e.name + " is mentioned in " + plural(len(e.where), "memory")
	if days := period(said); days != "" {
		d.content += " (" + days + ")"
	}
	d.content += ":"
	for _, s := range e.where[max(0, len(e.where)-maxStatements):] {
		q := quote{s.document.memory, s.Start, s.End}
		d.content += line(q)
		d.quotes = append(d.quotes, q)
	}
	return d
}
