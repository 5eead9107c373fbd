package search

import (
	"cmp"
	"context"
	"slices"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
)

// Mentions tells which memories mention which entities. An entity is known by its id, relevance.EntityID; a memory counts
// where the query's filter and view show it.
type Mentions interface {
	// Near returns what mentions the entities, and those that the memories mention, ordered by entity, the newest first: at
	// most most memories of each, among the newest MaxScanned versions that mention it. Text and Found of q do not count.
	Near(ctx context.Context, q Query, entities []string, memories []memory.ID, most int) ([]Mention, error)
	// Places returns the memories as hits, with Score 0 and where they stand, in the order of their ids.
	Places(ctx context.Context, q Query, ids []memory.ID) ([]Hit, error)
	// Nodes returns those of the entities that a visible memory mentions, in the order of their ids.
	Nodes(ctx context.Context, scope memory.Scope, view memory.View, ids []string) ([]Node, error)
	// Entities lists the entities that a visible memory mentions, most mentioned first, ties by name.
	Entities(ctx context.Context, scope memory.Scope, view memory.View) ([]Node, error)
}

// Mention says that a memory mentions an entity.
type Mention struct {
	Entity string
	Memory memory.ID
	All    []string // every entity the memory mentions, in the order of their ids
}

// MaxScanned is how many versions that mention an entity are looked at for the newest that may be seen, so that a name that
// stands in everything costs no more than another.
const MaxScanned = 8192

// Bounds of what the graph leg looks at. In a conversation everything mentions its speakers: such a name leads nowhere.
const (
	mostAsked   = 2048 // memories of an entity that the question names, where nothing else was found
	mostLinked  = 32   // memories of an entity that leads from what was found to more
	mostBeside  = 16   // … that leads from there to yet more
	mostCrossed = 256  // entities of the latter kind
	mostFound   = 10   // memories found otherwise from which links are followed
)

// Linked is the graph leg: it follows mentions, two links far, from the entities a question names and from what the other
// legs found to memories that share no word with the question.
type Linked struct {
	Mentions Mentions
	Names    knowledge.Identities // who is one with whom; nil: everybody is alone
}

// Name returns "graph".
func (Linked) Name() string { return string(Graph) }

// Retrieve returns what the links lead to; of what q.Found has, nothing. Scores are shares of the best one's.
func (l Linked) Retrieve(ctx context.Context, q Query, depth int) ([]Hit, error) {
	if depth < 1 {
		return nil, ctx.Err()
	}
	named := NamedIn(q.Scope, q.Text)
	if l.Names != nil {
		w, err := wholeOf(ctx, l.Names, q.Scope, named)
		if err != nil {
			return nil, err
		}
		named, l.Mentions = w.canonicals(named), mentionsAsOne{l.Mentions, l.Names}
	}
	found, ids := worthOf(q.Found)
	if len(named)+len(ids) == 0 {
		return nil, ctx.Err()
	}
	most := mostLinked
	if len(ids) == 0 {
		most = mostAsked
	}
	first, err := l.Mentions.Near(ctx, q, named, ids, most+1)
	if err != nil {
		return nil, err
	}
	followed, links := map[string]bool{}, []relevance.Link(nil)
	for of, mentions := range byEntity(first) {
		if followed[of] = true; len(mentions) <= most || len(ids) == 0 {
			links = follow(links, mentions, most)
		}
	}
	more, err := l.Mentions.Near(ctx, q, crossed(first, links, followed), nil, mostBeside+1)
	if err != nil {
		return nil, err
	}
	for _, mentions := range byEntity(more) {
		if len(mentions) <= mostBeside {
			links = follow(links, mentions, mostBeside)
		}
	}
	reached := relevance.Spread(links, named, found)
	return l.hits(ctx, q, reached[:min(depth, len(reached))])
}

// hits says where the memories stand.
func (l Linked) hits(ctx context.Context, q Query, reached []relevance.Reached) ([]Hit, error) {
	if len(reached) == 0 {
		return nil, ctx.Err()
	}
	ids, worth := make([]memory.ID, len(reached)), make(map[memory.ID]float64, len(reached))
	for i, r := range reached {
		ids[i], worth[r.ID] = r.ID, r.Score
	}
	hits, err := l.Mentions.Places(ctx, q, ids)
	for i := range hits {
		hits[i].Score = worth[hits[i].ID]
	}
	slices.SortFunc(hits, func(a, b Hit) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID)) })
	return hits, err
}

// NamedIn returns the ids of all entities that the text could name, in their order: most of them are nobody's.
func NamedIn(scope memory.Scope, text string) []string {
	keys := map[string]bool{}
	for key := range relevance.NamesIn(text) {
		keys[key] = true
	}
	ids := make([]string, 0, len(keys))
	for key := range keys {
		ids = append(ids, relevance.EntityID(scope, key))
	}
	slices.Sort(ids)
	return ids
}

// worthOf is what the best of the hits count as beginnings: the better by more than their scores say.
func worthOf(found []Hit) (map[memory.ID]float64, []memory.ID) {
	found = found[:min(len(found), mostFound)]
	worth, ids := make(map[memory.ID]float64, len(found)), make([]memory.ID, 0, len(found))
	for _, hit := range found {
		if hit.Score > 0 {
			worth[hit.ID] = hit.Score * hit.Score
			ids = append(ids, hit.ID)
		}
	}
	slices.Sort(ids)
	return worth, ids
}

func byEntity(mentions []Mention) map[string][]Mention {
	by := map[string][]Mention{}
	for _, m := range mentions {
		by[m.Entity] = append(by[m.Entity], m)
	}
	return by
}

func follow(links []relevance.Link, mentions []Mention, most int) []relevance.Link {
	for _, m := range mentions[:min(most, len(mentions))] {
		links = append(links, relevance.Link{Entity: m.Entity, Memory: m.Memory})
	}
	return links
}

// crossed are the entities that linked memories mention besides, those that most of them do first, ties by id.
func crossed(near []Mention, links []relevance.Link, followed map[string]bool) []string {
	linked := make(map[memory.ID]bool, len(links))
	for _, l := range links {
		linked[l.Memory] = true
	}
	counts := map[string]int{}
	for _, m := range near {
		if !linked[m.Memory] {
			continue
		}
		linked[m.Memory] = false // once
		for _, other := range m.All {
			if !followed[other] {
				counts[other]++
			}
		}
	}
	others := make([]string, 0, len(counts))
	for other := range counts {
		others = append(others, other)
	}
	slices.SortFunc(others, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	others = others[:min(len(others), mostCrossed)]
	slices.Sort(others)
	return others
}
