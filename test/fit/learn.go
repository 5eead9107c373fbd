package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rae-memory/rae/pkg/search"
)

// lesson is a question's candidates, by their features, and which are relevant.
type lesson struct {
	features []map[string]float64
	relevant []bool
}

// weights are by feature's name.
type weights map[string]float64

// How the weights are learned: the probability of the relevant candidates among all of a question, a softmax of their
// scores (Cao et al., "Learning to Rank: From Pairwise Approach to Listwise Approach", 2007), is made as great as it can
// be, less half of ridge times the sum of squares; by gradient descent with momentum and a step for each weight (Kingma &
// Ba, "Adam", 2015).
const (
	ridge = .03
	steps = 400
	pace  = .1
)

// against are the features that may only count against a candidate. All others may only count in its favour: a sign that
// contradicts what a feature means was learned from an accident of these sets.
var against = []string{"brief", "asking"}

// lent are what a turn borrows from its neighbours: always something, never more than half of what is its own.
var lent = []string{"before_1", "before_2", "after_1", "after_2"}

// evidence are the features whose weights sum up to 2, which fixes the scale.
var evidence = append([]string{"own", "session", "session_best", "cover", "cover_near", "speaker", "reply"}, lent...)

func learn(lessons []lesson) weights {
	names := search.FeatureNames()
	t := teacher{names: names, spread: spreads(lessons, names)}
	for i := range lessons {
		t.rows = append(t.rows, t.row(&lessons[i]))
	}
	w := make([]float64, len(names))
	momentum, power := make([]float64, len(names)), make([]float64, len(names))
	for step := 1; step <= steps; step++ {
		gradient := t.gradient(w)
		for k, g := range gradient {
			g += ridge * w[k]
			momentum[k] = .9*momentum[k] + .1*g
			power[k] = .999*power[k] + .001*g*g
			m, p := momentum[k]/(1-math.Pow(.9, float64(step))), power[k]/(1-math.Pow(.999, float64(step)))
			w[k] -= pace * m / (math.Sqrt(p) + 1e-8)
		}
		t.bound(w)
	}
	return t.scaled(w)
}

// teacher holds what is learned from, each feature in units of its spread.
type teacher struct {
	names  []string
	spread []float64
	rows   []row
}

type row struct {
	features [][]float64
	share    []float64 // of each candidate among the relevant
}

func (t *teacher) row(l *lesson) row {
	var r row
	relevant := 0.0
	for _, yes := range l.relevant {
		if yes {
			relevant++
		}
	}
	for i, named := range l.features {
		values := make([]float64, len(t.names))
		for k, name := range t.names {
			values[k] = named[name] / t.spread[k]
		}
		r.features = append(r.features, values)
		r.share = append(r.share, 0)
		if l.relevant[i] {
			r.share[i] = 1 / relevant
		}
	}
	return r
}

// spreads are the standard deviations of the features, 1 for one that never varies.
func spreads(lessons []lesson, names []string) []float64 {
	spread := make([]float64, len(names))
	for k, name := range names {
		n, sum, squares := 0.0, 0.0, 0.0
		for i := range lessons {
			for _, f := range lessons[i].features {
				n, sum, squares = n+1, sum+f[name], squares+f[name]*f[name]
			}
		}
		spread[k] = 1
		if variance := squares/n - sum*sum/n/n; variance > 1e-12 {
			spread[k] = math.Sqrt(variance)
		}
	}
	return spread
}

// gradient is that of the mean loss.
func (t *teacher) gradient(w []float64) []float64 {
	g := make([]float64, len(w))
	for i := range t.rows {
		r := &t.rows[i]
		scores, most := make([]float64, len(r.features)), math.Inf(-1)
		for j, f := range r.features {
			for k := range w {
				scores[j] += w[k] * f[k]
			}
			most = max(most, scores[j])
		}
		total := 0.0
		for j := range scores {
			scores[j] = math.Exp(scores[j] - most)
			total += scores[j]
		}
		for j, f := range r.features {
			miss := (scores[j]/total - r.share[j]) / float64(len(t.rows))
			for k := range w {
				g[k] += miss * f[k]
			}
		}
	}
	return g
}

// bound puts weights back to where they may be.
func (t *teacher) bound(w []float64) {
	own := 0.0
	for k, name := range t.names {
		if slices.Contains(against, name) {
			w[k] = min(0, w[k])
		} else {
			w[k] = max(0, w[k])
		}
		if name == "own" {
			own = w[k] / t.spread[k]
		}
	}
	for k, name := range t.names {
		if slices.Contains(lent, name) {
			w[k] = min(max(w[k], .05*own*t.spread[k]), .5*own*t.spread[k])
		}
	}
}

// scaled are the weights of features as they are.
func (t *teacher) scaled(w []float64) weights {
	total := 0.0
	for k, name := range t.names {
		if slices.Contains(evidence, name) {
			total += w[k] / t.spread[k]
		}
	}
	out := weights{}
	for k, name := range t.names {
		out[name] = w[k] / t.spread[k] * 2 / total
	}
	return out
}

// order sorts what was found by the weights.
func (w weights) order(q *question) []string {
	if w == nil {
		return q.found
	}
	names := search.FeatureNames()
	places := make([]int, len(q.found))
	scores := make([]float64, len(q.found))
	for i := range places {
		places[i] = i
		for _, name := range names {
			scores[i] += w[name] * q.features[i][name]
		}
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	ids := make([]string, len(places))
	for i, place := range places {
		ids[i] = q.found[place]
	}
	return ids
}

func (w weights) String() string {
	var b strings.Builder
	for _, name := range search.FeatureNames() {
		fmt.Fprintf(&b, "%s: %.3f\n", name, w[name])
	}
	return b.String()
}
