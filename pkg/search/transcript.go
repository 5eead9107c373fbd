package search

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/text"
)

// Bounds of what is taken for a transcript, and of what is read of one.
const (
	fewestLines     = 4
	mostLines       = 400
	transcripts     = 8
	transcriptBytes = 32 << 10
)

// A line of a transcript, a conversation in one memory, is what somebody said. Lines are looked at as if they were turns,
// each a memory of its own.
type line struct {
	speaker string // lower-cased
	said    string
}

// linesOf splits a memory into what was said, nil when it is no transcript: most lines must open with a name.
func linesOf(content string) []line {
	if len(content) > transcriptBytes || strings.Count(content, "\n") < fewestLines-1 {
		return nil
	}
	var lines []line
	named := 0
	for said := range strings.SplitSeq(content, "\n") {
		if said = strings.TrimSpace(said); said == "" {
			continue
		}
		l := line{said: said}
		if name, rest, ok := strings.Cut(said, ": "); ok && relevance.IsName(name) {
			l = line{strings.ToLower(name), rest}
			named++
		}
		lines = append(lines, l)
	}
	if len(lines) < fewestLines || len(lines) > mostLines || 2*named < len(lines) {
		return nil
	}
	return lines
}

// vocabulary recognises the terms of a question in words as they are written.
type vocabulary struct {
	terms map[string]relevance.Mark
	known map[string]relevance.Mark // of words met before: most words come many times
}

func (v *vocabulary) mark(word string) relevance.Mark {
	mark, known := v.known[word]
	if known {
		return mark
	}
	mark = v.terms[word]
	if stems := text.Analyze(word); mark == relevance.Other && len(stems) == 1 {
		mark = v.terms[stems[0].Term]
	}
	v.known[word] = mark
	return mark
}

// heard is a line as the question's terms see it.
type heard struct {
	line
	of      int // the result it is a line of
	turn    int
	close   float64          // to the question, by their vectors; 0..1, from what most lines have
	content []relevance.Mark // Mark i+1 is the i-th term asked
	length  int
}

// bestLines gives every transcript among the results what its best line is worth as an answer, by its place in results.
// Lines of all of them are weighed together, so that what they are worth can be compared.
func (q *inquiry) bestLines(ctx context.Context, results []scored) map[int]float64 {
	asked := relevance.Ask(q.question, text.English)
	asked.Terms = asked.Terms[:min(len(asked.Terms), maxLineTerms)]
	v := vocabulary{terms: map[string]relevance.Mark{}, known: map[string]relevance.Mark{}}
	for i, term := range asked.Terms {
		v.terms[term] = relevance.Mark(i + 1)
	}
	var all []heard
	for i := range results[:min(len(results), transcripts)] {
		for turn, line := range linesOf(results[i].memory.Content) {
			h := heard{line: line, of: i, turn: turn}
			h.listen(&v)
			all = append(all, h)
		}
	}
	if len(all) == 0 {
		return nil
	}
	weighed := weigh(&asked, all)
	weighed.dense = q.compare(ctx, all)
	candidates := make([]*candidate, len(all))
	var turns []scored
	var of []int
	for i := range all {
		h := &all[i]
		c := &candidate{
			id: memory.ID(strconv.Itoa(i)), own: weighed.worth(h), terms: weighed.held(h),
			place: Place{Session: strconv.Itoa(h.of), Turn: h.turn, Speaker: h.speaker},
		}
		candidates[i] = c
		if c.own > 0 || h.turn > 0 && candidates[i-1].own > 0 { // no other can be an answer, or the reply that is one
			turns = append(turns, scored{candidate: c, memory: memory.Memory{Content: h.said}})
			of = append(of, h.of)
		}
	}
	addContext(q.understanding, candidates)
	newLook(q.understanding, candidates).score(turns)
	best := map[int]float64{}
	for i := range turns {
		best[of[i]] = max(best[of[i]], turns[i].final)
	}
	return best
}

// compare gives lines their closeness to the question and returns how much it counts beside their words, 0 where vectors
// can't be had at once or the request wants none. As in fusion, lines count from what nearly all have: vectors are all
// somewhat alike.
func (q *inquiry) compare(ctx context.Context, lines []heard) float64 {
	closer, instant := q.embedder.(Closer)
	weight := max(0, q.weights[string(Dense)])
	if !instant || q.Mode != Hybrid || weight == 0 {
		return 0
	}
	said := make([]string, len(lines))
	for i := range lines {
		said[i] = lines[i].said
	}
	all, err := closer.Closeness(ctx, q.Query, said)
	if err != nil { // the context has ended: who waits no longer needs no better answer
		return 0
	}
	floor := slices.Sorted(slices.Values(all))[len(all)*3/4]
	for i, c := range all {
		lines[i].close = max(0, (c-floor)/(1-min(floor, .99)))
	}
	return weight
}

// maxLineTerms is how many terms of a question are looked for in lines.
const maxLineTerms = 48

// listen notes where the terms asked for stand in the line.
func (h *heard) listen(v *vocabulary) {
	for i, sentence := range text.Sentences(h.said) {
		if i > 0 {
			h.content = append(h.content, relevance.Break)
		}
		for _, word := range text.Words(h.said[sentence.Start:sentence.End]) {
			if text.StopWord(word.Term) {
				continue
			}
			h.content = append(h.content, v.mark(word.Term))
			h.length++
		}
	}
}

// lineQuestion is a question weighed by lines.
type lineQuestion struct {
	relevance.Question
	dense  float64 // what closeness counts beside words
	places []int   // by the mark of an asked term: 1 + its place in Terms, 0 for one that no line holds
}

func weigh(asked *relevance.Asked, lines []heard) *lineQuestion {
	statistics := relevance.Statistics{Memories: len(lines), Holding: make([]int, len(asked.Terms))}
	last := make([]int, len(asked.Terms)+1)
	for i := range lines {
		statistics.Length += lines[i].length
		for _, mark := range lines[i].content {
			if mark != relevance.Other && mark != relevance.Break && last[mark] != i+1 {
				last[mark] = i + 1
				statistics.Holding[mark-1]++
			}
		}
	}
	q := &lineQuestion{Question: asked.Weigh(statistics), places: make([]int, len(asked.Terms)+1)}
	for i, term := range q.Terms {
		q.places[term.Asked+1] = i + 1
	}
	for i := range lines {
		for at, mark := range lines[i].content {
			if mark != relevance.Break {
				lines[i].content[at] = relevance.Mark(q.places[mark])
			}
		}
	}
	return q
}

// worth is the own score of a line, made as that of a memory is.
func (q *lineQuestion) worth(h *heard) float64 {
	return (q.words(h) + q.dense*h.close) / (1 + q.dense)
}

// words is what the words of a line are worth.
func (q *lineQuestion) words(h *heard) float64 {
	if q.Total == 0 {
		return 0
	}
	counts := make([]uint32, len(q.Terms))
	for _, mark := range h.content {
		if mark != relevance.Other && mark != relevance.Break {
			counts[mark-1]++
		}
	}
	gained := float32(0)
	for i, n := range counts {
		if n > 0 {
			gained += q.Gain(i, n, h.length)
		}
	}
	return (q.Share(gained) + rerankWeight*q.Evidence(h.content, nil, h.length)) / (1 + rerankWeight)
}

func (q *lineQuestion) held(h *heard) []string {
	var terms []string
	for i := range q.Terms {
		if slices.Contains(h.content, relevance.Mark(i+1)) {
			terms = append(terms, q.Terms[i].Text)
		}
	}
	return terms
}
