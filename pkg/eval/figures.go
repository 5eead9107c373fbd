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

func mean(s *Set, answers []Answer) Figures {
	f := Figures{Questions: len(answers)}
	if len(answers) == 0 {
		return f
	}
	share := 1 / float64(len(answers))
	times := make([]float64, len(answers))
	for i, a := range answers {
		times[i] = float64(a.Took) / float64(time.Millisecond)
		relevant := s.Relevant[a.Question.ID]
		if len(a.Found) == 0 {
			f.ZeroResults += share
		}
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
			f.HitAt1 += share
		}
		if found5 > 0 {
			f.AnyAt5 += share
		}
		if first > 0 {
			f.MRRAt10 += share / float64(first)
		}
		f.RecallAt5 += share * float64(found5) / float64(len(relevant))
		f.RecallAt10 += share * float64(found10) / float64(len(relevant))
		f.NDCGAt10 += share * gain / ideal
	}
	slices.Sort(times)
	f.P50, f.P95 = quantile(times, .5), quantile(times, .95)
	return f
}

// quantile reads a sorted list at the nearest rank.
func quantile(sorted []float64, q float64) float64 {
	return sorted[min(len(sorted)-1, int(math.Ceil(q*float64(len(sorted))))-1)]
}
