package eval

import (
	"math"
	"slices"
	"time"
)

// Answer is what an engine found for one question: document ids, best first.
type Answer struct {
	Question Question
	Found    []string
	Took     time.Duration
}

// Figures are means over questions, each 0..1, and times in milliseconds. Relevance is binary.
type Figures struct {
	HitAt1      float64            `json:"hit@1"`
	AnyAt5      float64            `json:"any@5"`     // share of questions with any relevant document in the first five
	RecallAt5   float64            `json:"recall@5"`  // mean share of the relevant documents found in the first five
	RecallAt10  float64            `json:"recall@10"` // … ten
	MRRAt10     float64            `json:"mrr@10"`
	NDCGAt10    float64            `json:"ndcg@10"`
	MacroNDCG   float64            `json:"macro_ndcg@10"` // mean of the categories' means
	ZeroResults float64            `json:"zero_result_rate"`
	P50         float64            `json:"p50_ms"`
	P95         float64            `json:"p95_ms"`
	Questions   int                `json:"queries"`
	ByCategory  map[string]Figures `json:"by_category,omitempty"`
}

// Named is one figure with the name it has in JSON and in tables.
type Named struct {
	Name  string
	Value float64
}

// Shares are the figures that are shares, in the order they are told.
func (f *Figures) Shares() []Named {
	return []Named{
		{"hit@1", f.HitAt1}, {"any@5", f.AnyAt5}, {"recall@5", f.RecallAt5}, {"recall@10", f.RecallAt10}, {"mrr@10", f.MRRAt10},
		{"ndcg@10", f.NDCGAt10}, {"macro_ndcg@10", f.MacroNDCG}, {"zero_result_rate", f.ZeroResults},
	}
}

// Measure scores the answers of a set (Järvelin & Kekäläinen, "Cumulated Gain-Based Evaluation of IR Techniques",
// 2002, for nDCG).
func Measure(s *Set, answers []Answer) Figures {
	all := mean(s, answers)
	byCategory := map[string][]Answer{}
	for _, a := range answers {
		byCategory[a.Question.Category] = append(byCategory[a.Question.Category], a)
	}
	all.ByCategory = map[string]Figures{}
	for category, some := range byCategory {
		f := mean(s, some)
		f.MacroNDCG = f.NDCGAt10
		all.ByCategory[category] = f
		all.MacroNDCG += f.NDCGAt10 / float64(len(byCategory))
	}
	return all
}

// mean is Measure without the categories.
func mean(s *Set, answers []Answer) Figures {
	f := Figures{Questions: len(answers)}
	if len(answers) == 0 {
		return f
	}
	share := 1 / float64(len(answers))
	times := make([]float64, len(answers))
	for i := range answers {
		a := &answers[i]
		times[i] = milliseconds(a.Took)
		w := s.worthOf(a)
		f.HitAt1 += share * w.hit1
		f.AnyAt5 += share * w.any5
		f.RecallAt5 += share * w.recall5
		f.RecallAt10 += share * w.recall10
		f.MRRAt10 += share * w.reciprocal
		f.NDCGAt10 += share * w.ndcg
		if len(a.Found) == 0 {
			f.ZeroResults += share
		}
	}
	f.P50, f.P95 = quantiles(times)
	return f
}

// worth is what one answer is worth.
type worth struct{ hit1, any5, recall5, recall10, reciprocal, ndcg float64 }

func (s *Set) worthOf(a *Answer) (w worth) {
	relevant := s.Relevant[a.Question.ID]
	gain, first, found5, found10 := 0.0, 0, 0, 0
	for rank, id := range a.Found[:min(10, len(a.Found))] {
		if !relevant[id] {
			continue
		}
		if first == 0 {
			first = rank + 1
		}
		gain += 1 / math.Log2(float64(rank)+2)
		found10++
		if rank < 5 {
			found5++
		}
	}
	ideal := 0.0
	for rank := range min(10, len(relevant)) {
		ideal += 1 / math.Log2(float64(rank)+2)
	}
	if first == 1 {
		w.hit1 = 1
	}
	if found5 > 0 {
		w.any5 = 1
	}
	if first > 0 {
		w.reciprocal = 1 / float64(first)
	}
	w.recall5 = float64(found5) / float64(len(relevant))
	w.recall10 = float64(found10) / float64(len(relevant))
	w.ndcg = gain / ideal
	return w
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quantiles sorts times and reads the median and the 95th percentile at the nearest rank.
func quantiles(times []float64) (p50, p95 float64) {
	slices.Sort(times)
	return quantile(times, .5), quantile(times, .95)
}

// quantile reads a sorted list, not empty, at the nearest rank.
func quantile(sorted []float64, q float64) float64 {
	return sorted[max(0, min(len(sorted)-1, int(math.Ceil(q*float64(len(sorted))))-1))]
}
