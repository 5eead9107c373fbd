package search

import (
	"cmp"
	"math"
	"slices"
)

// trust is how much of its weight a Scorer gets for a question, 0..1: as much as what it prefers stands high by the
// built-in scores too. A scorer that knows nothing of the matter prefers what stands nowhere in particular, and would
// spoil every answer by its full weight; one that knows more agrees about much and differs about the best
// (docs/adr/0040-paid-models.md has what each costs and gains). Where the built-in scores say nothing there is nothing to
// spoil.
func trust(builtIn, said []float64) float64 {
	if len(builtIn) == 0 || slices.Max(builtIn) == slices.Min(builtIn) {
		return 1
	}
	// What chance brings about lies within half of 1/√n of one half, nine times in ten.
	beyond := (agreement(builtIn, said) - .5) * math.Sqrt(float64(len(said)))
	share := min(max(beyond, 0), 1)
	return share * share
}

// agreement is where what said scores above its mean stands in known, each by how far above: 1 the highest, 0 the lowest,
// and one half what chance gives.
func agreement(known, said []float64) float64 {
	mean := 0.0
	for _, s := range said {
		mean += s / float64(len(said))
	}
	sum, weights := 0.0, 0.0
	for i, place := range places(known) {
		if above := said[i] - mean; above > 0 {
			sum, weights = sum+above*place, weights+above
		}
	}
	if weights == 0 {
		return .5
	}
	return sum / weights
}

// places are where each score stands among all, between 0 the lowest and 1 the highest; equal ones share the middle of
// theirs.
func places(scores []float64) []float64 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	at := make([]float64, len(scores))
	for start := 0; start < len(order); {
		end := start
		for end < len(order) && scores[order[end]] == scores[order[start]] {
			end++
		}
		for _, i := range order[start:end] {
			at[i] = float64(start+end) / 2 / float64(len(order))
		}
		start = end
	}
	return at
}
