package reflection

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/rae-memory/rae/pkg/text"
)

// sentence is a quotable stretch of a document: document.body[Start:End].
type sentence struct {
	document *document
	text.Span
	vector vector
	rank   float64 // centrality, the highest of a cluster being 1
}

// Bounds of quoting.
const (
	maxSentences     = 400 // compared in one cluster
	maxSentenceBytes = 400 // longer ones are cut at a space
	minSentenceTerms = 3   // fewer say nothing by themselves
	minWeightyTerms  = 2   // of them that are no small talk
	maxQuotes        = 5   // in one insight
	maxPerMemory     = 2   // quotes from one memory
	maxRedundancy    = 0.7 // cosine above which a sentence repeats one already quoted
	relevance        = 0.7 // weight of centrality against novelty when sentences are picked
	asked            = 0.5 // what a question counts for as evidence: it says what somebody wondered, not what is so
)

// sentences returns the quotable sentences of the documents that speak of one of the sorted terms, the same words
// only once.
func (c *corpus) sentences(documents []*document, terms []int32) []*sentence {
	perDocument := max(1, maxSentences/len(documents))
	seen := map[string]bool{}
	var all []*sentence
	for _, d := range documents {
		taken, at := 0, 0
		for _, span := range text.Sentences(d.body) {
			if len(all) == maxSentences || taken == perDocument {
				break
			}
			span = shorten(d.body, span)
			for at < len(d.tokens) && d.tokens[at].Start < span.Start {
				at++
			}
			end := at
			for end < len(d.tokens) && d.tokens[end].End <= span.End {
				end++
			}
			quoted := d.body[span.Start:span.End]
			if end-at < minSentenceTerms || seen[quoted] || !prose(quoted) {
				continue
			}
			v := c.vector(d.tokens[at:end])
			if len(v) < minWeightyTerms || !v.has(terms) {
				continue
			}
			seen[quoted] = true
			taken++
			all = append(all, &sentence{document: d, Span: span, vector: v})
		}
	}
	return all
}

// shorten cuts an overlong span at the last space that fits; without one it becomes empty.
func shorten(body string, span text.Span) text.Span {
	if span.End-span.Start <= maxSentenceBytes {
		return span
	}
	end := span.Start
	for i, r := range body[span.Start : span.Start+maxSentenceBytes] {
		if unicode.IsSpace(r) {
			end = span.Start + i
		}
	}
	return text.Span{Start: span.Start, End: end}
}

// prose reports whether s reads like words rather than like a blob or a program: more than three letters for every
// sign, digits aside, and no endless word.
func prose(s string) bool {
	letters, signs, run := 0, 0, 0
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			run = 0
			continue
		case unicode.IsLetter(r) || unicode.Is(unicode.Mn, r):
			letters++
		case !unicode.IsDigit(r):
			signs++
		}
		if run++; run > 3*maxTermBytes { // links may be long; scripts without spaces longer
			return unspaced(s)
		}
	}
	return letters > 3*signs
}

// unspaced reports whether s is in a script written without spaces.
func unspaced(s string) bool {
	for _, r := range s {
		if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) {
			return true
		}
	}
	return false
}

// rank gives every sentence its LexRank: the stationary weight of a random walk from sentence to similar sentence
// (Erkan and Radev, "LexRank: Graph-based Lexical Centrality as Salience in Text Summarization", JAIR 22, 2004; the
// continuous form, damping 0.85). A question counts for less.
func rank(sentences []*sentence) {
	const (
		damping    = 0.85
		precision  = 1e-6
		iterations = 100
	)
	n := len(sentences)
	if n == 0 {
		return
	}
	walk := make([]float64, n*n)
	for i := range n {
		walk[i*n+i] = 1
		for j := i + 1; j < n; j++ {
			s := sentences[i].vector.cosine(sentences[j].vector)
			walk[i*n+j], walk[j*n+i] = s, s
		}
	}
	for i := range n {
		row := walk[i*n : (i+1)*n]
		sum := 0.0
		for _, w := range row {
			sum += w
		}
		for j := range row {
			row[j] /= sum
		}
	}
	weight, next := make([]float64, n), make([]float64, n)
	for i := range weight {
		weight[i] = 1 / float64(n)
	}
	for range iterations {
		for j := range next {
			next[j] = (1 - damping) / float64(n)
		}
		for i := range n {
			for j := range n {
				next[j] += damping * weight[i] * walk[i*n+j]
			}
		}
		moved := 0.0
		for i := range n {
			moved += math.Abs(next[i] - weight[i])
		}
		weight, next = next, weight
		if moved < precision {
			break
		}
	}
	highest := slices.Max(weight)
	for i, s := range sentences {
		s.rank = weight[i] / highest
		if question(s.document.body[s.Start:s.End]) {
			s.rank *= asked
		}
	}
}

// question reports whether a sentence asks something.
func question(sentence string) bool {
	return strings.HasSuffix(strings.TrimRight(sentence, "\"'”’»)] "), "?") || strings.HasSuffix(sentence, "？")
}

// pick chooses up to maxQuotes central sentences that do not repeat one another (maximal marginal relevance: Carbonell
// and Goldstein, SIGIR 1998) and returns them in the order of their times. Ties go to the earlier sentence.
func pick(sentences []*sentence) []*sentence {
	var picked []*sentence
	redundancy := make([]float64, len(sentences))
	used := map[*document]int{}
	gone := make([]bool, len(sentences))
	for len(picked) < maxQuotes {
		best, bestScore := -1, 0.0
		for i, s := range sentences {
			if gone[i] || redundancy[i] > maxRedundancy || used[s.document] == maxPerMemory {
				continue
			}
			if score := relevance*s.rank - (1-relevance)*redundancy[i]; best < 0 || score > bestScore {
				best, bestScore = i, score
			}
		}
		if best < 0 {
			break
		}
		gone[best] = true
		used[sentences[best].document]++
		picked = append(picked, sentences[best])
		for i, s := range sentences {
			redundancy[i] = max(redundancy[i], s.vector.cosine(sentences[best].vector))
		}
	}
	inOrder(picked)
	return picked
}

// inOrder puts sentences into the order of their times.
func inOrder(sentences []*sentence) {
	slices.SortStableFunc(sentences, func(a, b *sentence) int {
		return cmp.Or(
			a.document.memory.When().Compare(b.document.memory.When()),
			cmp.Compare(a.document.memory.ID, b.document.memory.ID),
			cmp.Compare(a.Start, b.Start))
	})
}
