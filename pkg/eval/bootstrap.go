package eval

import (
	"math/rand/v2"
	"slices"
)

// Interval is where a figure lies with 95 % confidence.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// How often questions are drawn anew. The seed is fixed, so that equal answers have equal intervals.
const (
	resamples = 1000
	seed      = 20260301
)

// Intervals tells how far the main figures may be chance, by their names: the percentile bootstrap over questions
// (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993), 1,000 times.
func Intervals(s *Set, answers []Answer) map[string]Interval {
	return spread(samplesOf(s, answers))
}

// Difference is how much better one way of finding is than another.
type Difference struct {
	Mean float64 `json:"mean"`
	Interval
}

// Differences compares two ways of finding, by main figure: both are resampled with the same questions (the paired
// bootstrap), so that how hard the questions are cancels out. answers and others are of the same questions in the same
// order.
func Differences(s *Set, answers, others []Answer) map[string]Difference {
	samples, theirs := samplesOf(s, answers), samplesOf(s, others)
	for i := range samples.worth {
		for m := range samples.worth[i] {
			samples.worth[i][m] -= theirs.worth[i][m]
		}
	}
	all := make([]int, len(samples.worth))
	for i := range all {
		all[i] = i
	}
	means := samples.means(all)
	differences := map[string]Difference{}
	for name, interval := range spread(samples) {
		differences[name] = Difference{Mean: means[slices.Index(mainFigures[:], name)], Interval: interval}
	}
	return differences
}

// mainFigures are those with intervals.
var mainFigures = [...]string{"hit@1", "recall@5", "mrr@10", "ndcg@10", "macro_ndcg@10"}

const macro = len(mainFigures) - 1 // a mean over categories, which the others before it are not

// samples are what is drawn from: a row for each question.
type samples struct {
	worth      [][macro]float64 // by question and main figure
	category   []int            // of each question
	categories int
}

func samplesOf(s *Set, answers []Answer) samples {
	out := samples{worth: make([][macro]float64, len(answers)), category: make([]int, len(answers))}
	known := map[string]int{}
	for i := range answers {
		w := s.worthOf(&answers[i])
		out.worth[i] = [macro]float64{w.hit1, w.recall5, w.reciprocal, w.ndcg}
		name := answers[i].Question.Category
		if _, ok := known[name]; !ok {
			known[name] = len(known)
		}
		out.category[i] = known[name]
	}
	out.categories = len(known)
	return out
}

// means are the main figures of the questions drawn. The macro figure is the mean over the categories that were.
func (s *samples) means(drawn []int) (means [len(mainFigures)]float64) {
	gains, counts := make([]float64, s.categories), make([]float64, s.categories)
	for _, i := range drawn {
		for m, w := range s.worth[i] {
			means[m] += w / float64(len(drawn))
		}
		gains[s.category[i]] += s.worth[i][macro-1]
		counts[s.category[i]]++
	}
	present := 0.0
	for c, gain := range gains {
		if counts[c] > 0 {
			means[macro] += gain / counts[c]
			present++
		}
	}
	means[macro] /= max(1, present)
	return means
}

func spread(s samples) map[string]Interval {
	if len(s.worth) == 0 {
		return nil
	}
	random := rand.New(rand.NewPCG(seed, uint64(len(s.worth))))
	var all [len(mainFigures)][]float64
	drawn := make([]int, len(s.worth))
	for range resamples {
		for i := range drawn {
			drawn[i] = random.IntN(len(drawn))
		}
		for m, mean := range s.means(drawn) {
			all[m] = append(all[m], mean)
		}
	}
	intervals := map[string]Interval{}
	for m, name := range mainFigures {
		slices.Sort(all[m])
		intervals[name] = Interval{Low: quantile(all[m], .025), High: quantile(all[m], .975)}
	}
	return intervals
}
