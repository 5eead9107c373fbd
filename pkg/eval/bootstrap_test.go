package eval_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/rae-memory/rae/pkg/eval"
)

// coin is a set of n questions, and answers of which every period-th is right.
func coin(n, period int) (*eval.Set, []eval.Answer) {
	s := &eval.Set{Dir: "x", Relevant: map[string]map[string]bool{}}
	var answers []eval.Answer
	for i := range n {
		q := eval.Question{ID: fmt.Sprint(i), Scope: "s", Category: []string{"a", "b"}[i%2]}
		s.Questions = append(s.Questions, q)
		s.Relevant[q.ID] = map[string]bool{"right": true}
		a := eval.Answer{Question: q, Found: []string{"wrong"}}
		if i%period == 0 {
			a.Found = []string{"right"}
		}
		answers = append(answers, a)
	}
	return s, answers
}

func TestIntervalsAreAsWideAsTheNormalApproximationSays(t *testing.T) {
	t.Parallel()
	for _, n := range []int{100, 400, 1600} {
		s, answers := coin(n, 4)
		mean := eval.Measure(s, answers).HitAt1
		got := eval.Intervals(s, answers)["hit@1"]
		half := 1.96 * math.Sqrt(mean*(1-mean)/float64(n))
		if width := (got.High - got.Low) / 2; width < .85*half || width > 1.15*half || got.Low >= mean || got.High <= mean {
			t.Errorf("%d questions: %+v around %g, want ±%.4f", n, got, mean, half)
		}
	}
}

func TestIntervalsAreTheSameEveryTime(t *testing.T) {
	t.Parallel()
	s, answers := coin(50, 3)
	if a, b := eval.Intervals(s, answers), eval.Intervals(s, answers); !reflect.DeepEqual(a, b) {
		t.Errorf("%v and %v", a, b)
	}
	if got := eval.Intervals(s, nil); got != nil {
		t.Errorf("of no questions: %v", got)
	}
}

func TestDifferencesArePaired(t *testing.T) {
	t.Parallel()
	s, weak := coin(200, 2)
	strong := slices.Clone(weak)
	for i := range strong { // right in second place where it was wrong, and in both where it was right: +.5 each
		if i%2 == 0 {
			weak[i].Found = []string{"wrong", "right"}
			strong[i].Found = []string{"right"}
		} else {
			weak[i].Found = nil
			strong[i].Found = []string{"wrong", "right"}
		}
	}
	gain := eval.Differences(s, strong, weak)["mrr@10"]
	if math.Abs(gain.Mean-.5) > 1e-9 || math.Abs(gain.High-gain.Low) > 1e-9 {
		t.Errorf("a gain of .5 on every question is %+v: how hard the questions are must cancel out", gain)
	}
	for name, none := range eval.Differences(s, weak, weak) {
		if none != (eval.Difference{}) {
			t.Errorf("%s differs from itself by %+v", name, none)
		}
	}
	macro := eval.Differences(s, strong, weak)["macro_ndcg@10"]
	want := eval.Measure(s, strong).MacroNDCG - eval.Measure(s, weak).MacroNDCG
	if math.Abs(macro.Mean-want) > 1e-9 {
		t.Errorf("macro: %g, want %g", macro.Mean, want)
	}
}
