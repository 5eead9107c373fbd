package relevance

import (
	"cmp"
	"math"
	"slices"

	"github.com/rae-memory/rae/pkg/text"
)

// Limits of a question. Longer ones are cut, not refused: the rarest terms of the first maxWords decide.
const (
	maxWords = 512
	maxTerms = 48
)

// Asked is a question as terms, before it is known how common they are.
type Asked struct {
	Terms []string // distinct, in the order of the question, at most 512

	order []int // every word of the question, as its place in Terms
}

// Ask reads a question.
func Ask(question string, language text.Language) Asked {
	tokens := language.Analyze(question)
	tokens = tokens[:min(len(tokens), maxWords)]
	a := Asked{order: make([]int, len(tokens))}
	at := make(map[string]int, len(tokens))
	for i, token := range tokens {
		place, seen := at[token.Term]
		if !seen {
			place = len(a.Terms)
			at[token.Term] = place
			a.Terms = append(a.Terms, token.Term)
		}
		a.order[i] = place
	}
	return a
}

// Statistics describe the current memories of the scope that is asked.
type Statistics struct {
	Memories int   // how many there are
	Length   int   // the sum of their Document.Length
	Holding  []int // by Asked.Terms: how many of them hold the term in Terms or Extra

	// Past tells, by Asked.Terms, which terms a memory of the past holds, though none may any more. nil: only current
	// memories are asked.
	Past []bool
}

// Term is a term of a question that some memory holds, or held when the past is asked.
type Term struct {
	Text  string
	Asked int     // its place in Asked.Terms
	IDF   float64 // ln((N-n+.5)/(n+.5)+1), above 0
}

// Question is a question with the weights its terms have in one scope.
type Question struct {
	Terms []Term   // known ones, rarest first, at most 48
	Pairs [][2]int // of Terms that stand side by side in the question, each once
	Total float64  // what a memory that holds every term without end would get; 0 when no term is known

	k1, b, mean float64  // of BM25; mean is terms per memory
	weights     []Weight // by Terms
}

// Weigh says what the terms of a question are worth: BM25 (Robertson & Zaragoza, "The Probabilistic Relevance
// Framework", 2009). Short memories say a thing once, so repetition and length mean less in them than in documents:
// k1 goes from .6 to 1.2 and b from .3 to .7 while the mean length goes from 20 to 100 terms.
func (a *Asked) Weigh(s Statistics) Question {
	q := Question{mean: 1}
	if s.Memories > 0 && s.Length > 0 {
		q.mean = float64(s.Length) / float64(s.Memories)
	}
	long := min(1, max(0, (q.mean-20)/80))
	q.k1, q.b = .6+.6*long, .3+.4*long
	q.Terms = a.rarest(s)
	q.weights = make([]Weight, len(q.Terms))
	for i, term := range q.Terms {
		most := term.IDF * (q.k1 + 1)
		q.weights[i] = Weight{most: float32(most), k1: float32(q.k1), b: float32(q.b), mean: float32(q.mean)}
		q.Total += most
	}
	q.Pairs = a.pairs(q.Terms)
	return q
}

// rarest are the terms that decide, rarest first, ties in the order of the question.
func (a *Asked) rarest(s Statistics) []Term {
	known := make([]Term, 0, len(a.Terms))
	for i, term := range a.Terms {
		if s.Holding[i] > 0 || s.Past != nil && s.Past[i] {
			known = append(known, Term{Text: term, Asked: i})
		}
	}
	slices.SortStableFunc(known, func(x, y Term) int { return cmp.Compare(s.Holding[x.Asked], s.Holding[y.Asked]) })
	known = known[:min(len(known), maxTerms)]
	for i := range known {
		n, with := float64(s.Memories), float64(s.Holding[known[i].Asked])
		known[i].IDF = math.Log((n-with+.5)/(with+.5) + 1)
	}
	return known
}

// pairs are the neighbours in the question of which both decide.
func (a *Asked) pairs(terms []Term) [][2]int {
	deciding := make([]int, len(a.Terms)) // by place in a.Terms: 1 + place in terms
	for i, term := range terms {
		deciding[term.Asked] = i + 1
	}
	var pairs [][2]int
	for i := 0; i+1 < len(a.order); i++ {
		x, y := deciding[a.order[i]]-1, deciding[a.order[i+1]]-1
		if x >= 0 && y >= 0 && x != y && !slices.Contains(pairs, [2]int{x, y}) && !slices.Contains(pairs, [2]int{y, x}) {
			pairs = append(pairs, [2]int{x, y})
		}
	}
	return pairs
}

// Gain is what a memory of that many terms earns for holding Terms[term] count times (Document.Counts). Its BM25 is the
// sum over Terms, added in their order in single precision, or two indexes may order ties differently.
func (q *Question) Gain(term int, count uint32, length int) float32 {
	return q.weights[term].Gain(count, length)
}

// Weight is what one term of a question gains, apart from the question: a long list of postings is read with it at
// hand, not looked up for each.
type Weight struct {
	most        float32 // what endless repetition would gain
	k1, b, mean float32
}

// Weight is the weight of Terms[term].
func (q *Question) Weight(term int) Weight { return q.weights[term] }

// Gain is Question.Gain of the term.
func (w Weight) Gain(count uint32, length int) float32 {
	n := float32(count)
	return w.most * n / (n + w.k1*(1-w.b+w.b*float32(length)/w.mean))
}

// Most is what no memory earns more than for Terms[term], however often it holds it.
func (q *Question) Most(term int) float32 { return q.weights[term].most }

// Share is a memory's BM25 as a share of what can be had, 0..1.
func (q *Question) Share(gained float32) float64 { return float64(gained) / q.Total }
