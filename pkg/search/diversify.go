package search

// diversify picks limit results by maximal marginal relevance (Carbonell & Goldstein, 1998): each next one is worth
// its score less diversity times its likeness to the most similar one already picked. Likeness is the Jaccard index
// of terms; diversity 0..1 is 1-lambda of the paper.
func diversify(results []scored, diversity float64, limit int) []scored {
	terms := make([]map[string]struct{}, len(results))
	for i := range results {
		terms[i] = termSet(results[i].memory.Content)
	}
	best := 0.0
	for i := range results {
		best = max(best, results[i].final)
	}
	if best == 0 {
		return results
	}
	likeness := make([]float64, len(results)) // to the nearest picked
	taken := make([]bool, len(results))
	var picked []scored
	for len(picked) < min(limit, len(results)) {
		next, value := -1, 0.0
		for i := range results {
			v := (1-diversity)*results[i].final/best - diversity*likeness[i]
			if !taken[i] && (next < 0 || v > value) {
				next, value = i, v
			}
		}
		taken[next] = true
		picked = append(picked, results[next])
		for i := range results {
			if !taken[i] {
				likeness[i] = max(likeness[i], jaccard(terms[i], terms[next]))
			}
		}
	}
	return picked
}

// jaccard is |a and b| / |a or b|, 0..1; two empty sets are alike.
func jaccard(a, b map[string]struct{}) float64 {
	if len(a) == 0 && len(b) == 0 {
		return 1
	}
	both := 0
	for t := range a {
		if _, ok := b[t]; ok {
			both++
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}
