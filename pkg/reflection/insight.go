package reflection

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxInsights = 8 // of one reflection
	minTopic    = 2 // terms that name a topic: one alone is a word that recurs
	maxTopic    = 5
	sharedBy    = 0.3 // share of a cluster's memories, and never fewer than two, that a term must stand in to name it
	minSources  = 2   // memories an insight must quote
)

// insights drafts one insight per cluster that has a topic and something to quote, the most telling first.
func (c *corpus) insights(documents []*document) []draft {
	var drafts []draft
	for _, cluster := range clusters(documents) {
		if d, ok := c.insight(cluster); ok {
			drafts = append(drafts, d)
		}
	}
	slices.SortStableFunc(drafts, func(a, b draft) int { return cmp.Compare(b.importance(1), a.importance(1)) })
	return drafts[:min(len(drafts), maxInsights)]
}

// insight drafts what a cluster says in its own words: a heading of its shared terms and dates, and its central
// sentences verbatim.
func (c *corpus) insight(cluster cluster) (draft, bool) {
	topic, ids := c.topic(cluster.documents)
	if len(topic) < minTopic {
		return draft{}, false
	}
	candidates := c.sentences(cluster.documents, ids)
	rank(candidates)
	picked := pick(candidates)
	d := draft{topic: strings.Join(topic, ", "), tags: topic, count: len(cluster.documents)}
	sources := map[*document]bool{}
	var content strings.Builder
	d.head = "Recurring topic: " + d.topic + " " + heading(d.count, cluster.documents) + "."
	content.WriteString(d.head)
	for _, s := range picked {
		q := quote{s.document.memory, s.Start, s.End}
		content.WriteString(line(q))
		d.quotes = append(d.quotes, q)
		sources[s.document] = true
	}
	if len(sources) < minSources {
		return draft{}, false
	}
	d.content, d.evidence, d.shown = content.String(), d.quotes, shown(candidates, picked)
	d.importance = weigh(cluster, len(d.content))
	return d, true
}

// shown are the sentences a model is shown of a group: those picked, and the most central of the others, in their order.
func shown(candidates, picked []*sentence) []quote {
	others := slices.DeleteFunc(slices.Clone(candidates), func(s *sentence) bool { return slices.Contains(picked, s) })
	slices.SortStableFunc(others, func(a, b *sentence) int { return cmp.Compare(b.rank, a.rank) })
	all := append(slices.Clone(picked), others[:min(len(others), max(0, maxShown-len(picked)))]...)
	inOrder(all)
	quotes := make([]quote, len(all))
	for i, s := range all {
		quotes[i] = quote{s.document.memory, s.Start, s.End}
	}
	return quotes
}

// weigh scores an insight: 0.4 importance + 0.3 utility + 0.2 novelty + 0.1 confidence, each 0..1.
//   - importance: the mean importance of its memories
//   - utility: the reading it saves, 1 - its bytes / the bytes of its memories
//   - novelty: the share of its sources that no standing insight cites
//   - confidence: the mean similarity of its memories, full at 0.5
func weigh(cluster cluster, size int) func(novelty float64) float64 {
	importance, read := 0.0, 0
	for _, d := range cluster.documents {
		importance += d.memory.Importance
		read += len(d.memory.Content)
	}
	importance /= float64(len(cluster.documents))
	utility := max(0, 1-float64(size)/float64(max(read, 1)))
	confidence := min(1, cluster.cohesion/0.5)
	return func(novelty float64) float64 {
		return round(0.4*importance + 0.3*utility + 0.2*novelty + 0.1*confidence)
	}
}

// round keeps four decimals within 0..1.
func round(score float64) float64 {
	return math.Round(min(1, max(0, score))*1e4) / 1e4
}

// topic names the cluster by the terms most of its weight lies in, as they are commonly written there, and returns
// their numbers sorted.
func (c *corpus) topic(documents []*document) ([]string, []int32) {
	mass, count := map[int32]float64{}, map[int32]int{}
	for _, d := range documents {
		for _, t := range d.vector {
			mass[t.id] += t.weight
			count[t.id]++
		}
	}
	surfaces := c.surfaces(documents)
	var shared []int32
	for id, n := range count {
		if n >= 2 && float64(n) >= sharedBy*float64(len(documents)) && telling(surfaces[id]) {
			shared = append(shared, id)
		}
	}
	slices.SortFunc(shared, func(a, b int32) int { return cmp.Or(cmp.Compare(mass[b], mass[a]), cmp.Compare(a, b)) })
	shared = shared[:min(len(shared), maxTopic)]
	words := make([]string, len(shared))
	for i, id := range shared {
		words[i] = surfaces[id]
	}
	words = union(words) // two stems may be written alike
	slices.Sort(shared)
	return words, shared
}

// surfaces tells how each term of the documents is most often written, in lower case; of equals the shortest.
func (c *corpus) surfaces(documents []*document) map[int32]string {
	written := map[int32]map[string]int{}
	for _, d := range documents {
		for _, token := range d.tokens {
			id := c.terms[token.Term]
			if written[id] == nil {
				written[id] = map[string]int{}
			}
			written[id][strings.ToLower(d.body[token.Start:token.End])]++
		}
	}
	commonest := make(map[int32]string, len(written))
	for id, forms := range written {
		best := ""
		for form, n := range forms {
			if best == "" || cmp.Or(cmp.Compare(n, forms[best]), cmp.Compare(len(best), len(form)), cmp.Compare(best, form)) > 0 {
				best = form
			}
		}
		commonest[id] = best
	}
	return commonest
}

// telling reports whether a word can name a topic: letters enough, and no bare number.
func telling(word string) bool {
	letters := 0
	for _, r := range word {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	return letters >= 3 || letters == 2 && utf8.RuneCountInString(word) == 2 && unspaced(word)
}
