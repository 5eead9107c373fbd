package relevance

import "math"

// What the evidence of a memory is made of. Fitted on every other LoCoMo conversation; README.md has the figures on the
// rest.
const (
	passageWeight   = .75
	closenessWeight = 1.1
	passageWindow   = 2  // sentences scored together
	longDocument    = 60 // terms from which a passage is worth looking at apart from its memory
	pairReach       = 3  // tokens two neighbours of the question may lie apart to count as a pair
)

// Mark is what one token of a document is to a question: i+1 for its Terms[i], Other, or Break.
type Mark uint8

// Marks that are no term of the question.
const (
	Other Mark = 0             // a term the question does not ask for
	Break Mark = math.MaxUint8 // the end of a sentence
)

// term is the mark's place in Question.Terms, maxTerms or more when it is none of them. One comparison tells, which
// also spares the bounds check behind it: this is asked of every token of every candidate.
func (m Mark) term() uint8 { return uint8(m) - 1 }

// Evidence looks at where the question's terms stand, which BM25 cannot see: it weighs the best passage of a long memory
// and how closely terms that stand together in the question stand together in it (Tao & Zhai, "An Exploration of
// Proximity Measures in Information Retrieval", 2007). content and extra are Document.Terms and Extra as marks,
// length is Document.Length. 0..1; 0 when the question has no Terms.
func (q *Question) Evidence(content, extra []Mark, length int) float64 {
	if len(q.Terms) == 0 {
		return 0
	}
	evidence := passageWeight*q.bestPassage(content, extra, length) + closenessWeight*q.closeness(content)
	return evidence / (q.Total * (passageWeight + closenessWeight))
}

// A Reader takes the evidence of documents, one after the other. It is not for several goroutines at once.
type Reader struct {
	question       *Question
	marks          map[string]Mark
	content, extra []Mark
}

// Reader returns a reader of documents for this question.
func (q *Question) Reader() *Reader {
	marks := make(map[string]Mark, len(q.Terms)+1)
	marks[SentenceBreak] = Break
	for i, term := range q.Terms {
		marks[term.Text] = Mark(i + 1)
	}
	return &Reader{question: q, marks: marks}
}

// Evidence is Question.Evidence of the document.
func (r *Reader) Evidence(d *Document) float64 {
	r.content, r.extra = r.mark(d.Terms, r.content[:0]), r.mark(d.Extra, r.extra[:0])
	return r.question.Evidence(r.content, r.extra, d.Length)
}

func (r *Reader) mark(terms []string, into []Mark) []Mark {
	for _, term := range terms {
		into = append(into, r.marks[term])
	}
	return into
}

// bestPassage is the BM25 of the best window of passageWindow sentences, with lengths relative to a window of usual
// size and the saturation of short texts.
func (q *Question) bestPassage(content, extra []Mark, length int) float64 {
	if length < longDocument { // a short memory is its own passage
		return q.whole(content, extra, length)
	}
	w := window{question: q}
	full := false
	for _, mark := range content {
		if mark == Break {
			if full || w.slot == passageWindow-1 {
				w.score()
			}
			full = w.next() || full
			continue
		}
		w.take(mark)
	}
	w.score()
	return w.best // below Total, whose k1 is never less than a passage's
}

// window is the last passageWindow sentences of a memory that is being read.
type window struct {
	question *Question
	counts   [passageWindow][maxTerms]uint8
	found    [passageWindow]int // of the question's terms
	lengths  [passageWindow]int
	slot     int // of the sentence being read
	best     float64
}

func (w *window) take(mark Mark) {
	w.lengths[w.slot]++
	if t := mark.term(); t < maxTerms && w.counts[w.slot][t] < math.MaxUint8 {
		w.counts[w.slot][t]++
		w.found[w.slot]++
	}
}

// next begins a sentence in place of the oldest. It reports whether the slots came round.
func (w *window) next() bool {
	w.slot++
	round := w.slot == passageWindow
	if round {
		w.slot = 0
	}
	if w.found[w.slot] > 0 {
		w.counts[w.slot] = [maxTerms]uint8{}
	}
	w.found[w.slot], w.lengths[w.slot] = 0, 0
	return round
}

func (w *window) score() {
	const k1, b, usual = .6, .3, 12 * passageWindow
	length, found, sum := 0, 0, 0.0
	for i := range w.lengths {
		length += w.lengths[i]
		found += w.found[i]
	}
	if found == 0 { // most sentences of a long memory
		return
	}
	norm := k1 * (1 - b + b*float64(length)/usual)
	terms := w.question.Terms[:min(len(w.question.Terms), maxTerms)]
	for t := range terms {
		count := 0
		for i := range w.counts {
			count += int(w.counts[i][t])
		}
		if count > 0 {
			sum += terms[t].IDF * float64(count) * (k1 + 1) / (float64(count) + norm)
		}
	}
	w.best = max(w.best, sum)
}

// closeness adds up, for each pair of neighbours in the question, how near they come to each other in tokens:
// min(idf)/distance, distance 1..pairReach, sentence breaks counting one.
func (q *Question) closeness(content []Mark) float64 {
	if len(q.Pairs) == 0 {
		return 0
	}
	var nearest [maxTerms][maxTerms]uint8
	for i, mark := range content {
		a := mark.term()
		if a >= maxTerms {
			continue
		}
		for j := i + 1; j < len(content) && j <= i+pairReach; j++ {
			b := content[j].term()
			if b >= maxTerms || b == a {
				continue
			}
			x, y := min(a, b), max(a, b)
			if d := uint8(j - i); nearest[x][y] == 0 || d < nearest[x][y] {
				nearest[x][y] = d
			}
		}
	}
	sum := 0.0
	for _, pair := range q.Pairs {
		if d := nearest[min(pair[0], pair[1])][max(pair[0], pair[1])]; d > 0 {
			sum += min(q.Terms[pair[0]].IDF, q.Terms[pair[1]].IDF) / float64(d)
		}
	}
	return sum
}

// whole is the BM25 of a memory of that many terms.
func (q *Question) whole(content, extra []Mark, length int) float64 {
	var counts [maxTerms]int
	for _, list := range [][]Mark{content, extra} {
		for _, mark := range list {
			if t := mark.term(); t < maxTerms {
				counts[t]++
			}
		}
	}
	sum := 0.0
	for t, term := range q.Terms {
		if count := float64(counts[t]); count > 0 {
			sum += term.IDF * count * (q.k1 + 1) / (count + q.k1*(1-q.b+q.b*float64(length)/q.mean))
		}
	}
	return sum
}
