package rerank

import (
	"context"
	"math"
	"strings"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/text"
	"github.com/rae-memory/rae/pkg/when"
)

const lexicalModel = "lexical-v1"

// Weights of the features. A feature the query does not ask for (no number in it, a single term) is left out and
// the others share its weight, so a score is always their weighted mean.
const (
	weightTerms  = 0.50 // BM25-like: how much is said about the terms, for the document's length
	weightCover  = 0.20 // which of the terms occur at all
	weightNear   = 0.15 // how close together they stand
	weightPairs  = 0.20 // neighbours in the query that are neighbours in the document
	weightPhrase = 0.10 // the longest stretch of the query that is quoted
	weightNumber = 0.05 // numbers asked for, beyond their weight as terms
	weightName   = 0.05 // capitalised words asked for, likewise
	weightDate   = 0.15 // the date asked for
)

const (
	// saturation and lengthShare are k1 and b of BM25.
	saturation  = 0.9
	lengthShare = 0.4
	// Inverse document frequency is taken over the candidates and priorDocuments imaginary ones, priorShare of
	// which hold the term. Candidates were chosen for holding the terms, so among themselves they make every term
	// look common; and one or two alone would make it worthless or priceless.
	priorDocuments = 30
	priorShare     = 0.2
)

// Lexical is the built-in reranker, model "lexical-v1". It knows no synonyms: it reads candidates more closely than
// an index does, with the positions of the query's terms, its numbers, names and date. Time is linear in the length
// of the documents. The zero value is ready to use.
type Lexical struct{}

var _ Reranker = Lexical{}

// Model returns "lexical-v1".
func (Lexical) Model() string { return lexicalModel }

// Rerank fails when there are more than MaxDocuments and when ctx ends.
func (Lexical) Rerank(ctx context.Context, query string, documents []string) ([]float64, error) {
	if len(documents) > MaxDocuments {
		return nil, fault.New(fault.Invalid, "cannot rerank %d documents; at most %d", len(documents), MaxDocuments)
	}
	q := readQuery(clip(query, MaxQueryBytes))
	read := make([]reading, len(documents))
	for i, d := range documents {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		read[i] = q.read(clip(d, MaxDocumentBytes))
	}
	q.weigh(read)
	scores := make([]float64, len(documents))
	for i := range read {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		scores[i] = q.score(&read[i])
	}
	return scores, nil
}

// hit is an occurrence of the query's term number term as the document's term number at.
type hit struct{ term, at int32 }

// reading is what a document has to say about the query.
type reading struct {
	hits   []hit   // in the order of the document
	length int     // in terms
	date   float64 // how well its best date agrees with the one asked for
	quoted bool    // it has the query's literal
}

// read finds the query's terms in a document.
func (q *query) read(document string) reading {
	var r reading
	if q.literal != "" {
		r.quoted = strings.Contains(document, q.literal)
		return r
	}
	tokens := q.analyze(document)
	r.length = len(tokens)
	for at, token := range tokens {
		if term, ok := q.index[token.Term]; ok {
			r.hits = append(r.hits, hit{term, int32(at)})
		}
	}
	if q.date != (when.Date{}) {
		for _, d := range when.Dates(document) {
			r.date = max(r.date, q.date.Agrees(d))
		}
	}
	return r
}

// weigh sets the weight of every term from how many of the documents hold it, and their mean length.
func (q *query) weigh(documents []reading) {
	holders := make([]int, len(q.index))
	last := make([]int, len(q.index)) // the last document counted for the term, from 1
	total := 0
	for i := range documents {
		total += documents[i].length
		for _, h := range documents[i].hits {
			if last[h.term] != i+1 {
				last[h.term] = i + 1
				holders[h.term]++
			}
		}
	}
	q.meanLength = float64(max(total, 1)) / float64(max(len(documents), 1))
	q.idf = make([]float64, len(q.index))
	for term, n := range holders {
		with := float64(n) + priorDocuments*priorShare
		without := float64(len(documents)-n) + priorDocuments*(1-priorShare)
		q.idf[term] = math.Log1p((without + .5) / (with + .5))
	}
}

// score is the weighted mean of the features the query asks for.
func (q *query) score(r *reading) float64 {
	switch {
	case r.quoted:
		return 1
	case len(r.hits) == 0:
		return 0
	}
	counts := make([]int32, len(q.index))
	for _, h := range r.hits {
		counts[h.term]++
	}
	norm := saturation * (1 - lengthShare + lengthShare*float64(r.length)/q.meanLength)
	said, covered, all := 0.0, 0.0, 0.0
	for term, idf := range q.idf {
		all += idf
		if tf := float64(counts[term]); tf > 0 {
			said += idf * tf / (tf + norm)
			covered += idf
		}
	}
	var sum mean
	sum.add(weightTerms, said/all)
	sum.add(weightCover, covered/all)
	if len(q.idf) > 1 {
		sum.add(weightNear, covered/all*nearness(r.hits, counts))
		pairs, run := q.sequence(r.hits)
		sum.add(weightPairs, pairs)
		sum.add(weightPhrase, run)
	}
	q.addShare(&sum, weightNumber, q.numbers, counts)
	q.addShare(&sum, weightName, q.names, counts)
	if q.date != (when.Date{}) {
		sum.add(weightDate, r.date)
	}
	return min(max(sum.total/sum.weights, 0), 1)
}

// addShare adds the weighted share of the listed terms that occur, if any are listed.
func (q *query) addShare(sum *mean, weight float64, terms []int32, counts []int32) {
	if len(terms) == 0 {
		return
	}
	there, all := 0.0, 0.0
	for _, term := range terms {
		all += q.idf[term]
		if counts[term] > 0 {
			there += q.idf[term]
		}
	}
	sum.add(weight, there/all)
}

// mean is a weighted mean in the making.
type mean struct{ total, weights float64 }

func (m *mean) add(weight, value float64) {
	m.total += weight * value
	m.weights += weight
}

// nearness is 1 when all the query's terms that the document has stand side by side somewhere, and falls with the
// length of the shortest stretch that holds them all; 0 when there is only one.
func nearness(hits []hit, counts []int32) float64 {
	distinct := 0
	for _, n := range counts {
		if n > 0 {
			distinct++
		}
	}
	if distinct < 2 {
		return 0
	}
	inside := make([]int32, len(counts))
	held, left, shortest := 0, 0, int32(math.MaxInt32)
	for _, h := range hits {
		if inside[h.term]++; inside[h.term] == 1 {
			held++
		}
		for held == distinct {
			first := hits[left]
			shortest = min(shortest, h.at-first.at)
			if inside[first.term]--; inside[first.term] == 0 {
				held--
			}
			left++
		}
	}
	return float64(distinct-1) / float64(shortest)
}

// sequence compares the order of the query's terms with the document's: the weighted share of the query's
// neighbouring pairs that are neighbours in the document too (half for a pair turned round or with one term
// between), and the longest stretch of the query, of two terms or more, that the document repeats, as a share of
// the query.
func (q *query) sequence(hits []hit) (pairs, run float64) {
	best := make([]float64, len(q.terms)) // of the pair that ends at this place in the query
	length := make([]int, len(q.terms))   // of the stretch that ends at this place in the query and at the last hit
	next := make([]int, len(q.terms))
	longest := 0
	for i, h := range hits {
		clear(next)
		for _, place := range q.places[h.term] {
			next[place] = 1
		}
		for back := i - 1; back >= 0 && h.at-hits[back].at <= 2; back-- {
			before, gap := hits[back], h.at-hits[back].at
			for _, place := range q.places[h.term] {
				switch {
				case place > 0 && q.terms[place-1] == before.term && gap == 1:
					best[place] = 1
					next[place] = length[place-1] + 1
					longest = max(longest, next[place])
				case place > 0 && q.terms[place-1] == before.term:
					best[place] = max(best[place], .5)
				}
				if place+1 < len(q.terms) && q.terms[place+1] == before.term && gap == 1 {
					best[place+1] = max(best[place+1], .5)
				}
			}
		}
		length, next = next, length
	}
	there, all := 0.0, 0.0
	for place := 1; place < len(q.terms); place++ {
		weight := q.idf[q.terms[place-1]] + q.idf[q.terms[place]]
		all += weight
		there += weight * best[place]
	}
	return there / all, float64(longest) / float64(len(q.terms))
}

// clip returns the first limit bytes of s; a character cut in two is invalid UTF-8, which reads as nothing.
func clip(s string, limit int) string { return s[:min(len(s), limit)] }

// analyze returns the terms of s as the query's own were made.
func (q *query) analyze(s string) []text.Token {
	if q.plain {
		return text.Words(s)
	}
	return text.Analyze(s)
}
