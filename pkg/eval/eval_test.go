package eval_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/eval"
	"github.com/rae-memory/rae/pkg/fault"
)

func tiny(t *testing.T) *eval.Set {
	t.Helper()
	s, err := eval.Load(filepath.Join("testdata", "tiny"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLoad(t *testing.T) {
	t.Parallel()
	s := tiny(t)
	if got := s.Scopes(); !reflect.DeepEqual(got, []string{"one", "two"}) {
		t.Errorf("scopes %v", got)
	}
	if len(s.Documents) != 3 || len(s.Questions) != 2 {
		t.Errorf("%d documents, %d questions with labels", len(s.Documents), len(s.Questions))
	}
	if want := map[string]bool{"d1": true, "d2": true}; !reflect.DeepEqual(s.Relevant["q2"], want) {
		t.Errorf("q2: %v, want %v: grade 0 is not relevant", s.Relevant["q2"], want)
	}
	if got := s.Documents[0].OccurredAt(); got == nil || !got.Equal(time.Date(2023, 5, 8, 13, 56, 0, 0, time.UTC)) {
		t.Errorf("d1 occurred at %v", got)
	}
	if got := s.Documents[1].OccurredAt(); got != nil {
		t.Errorf("a time was invented: %v", got)
	}
	if a, b, c := s.Documents[0].Session(), s.Documents[1].Session(), s.Documents[2].Session(); a != "1" || b != "s" || c != "" {
		t.Errorf("sessions %q %q %q", a, b, c)
	}
	if _, err := eval.Load("testdata/none"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a folder that is not there: %v", err)
	}
	if found, err := eval.Find("testdata"); err != nil || !reflect.DeepEqual(found, []string{filepath.Join("testdata", "tiny")}) {
		t.Errorf("found %v, %v", found, err)
	}
}

// oracle answers q1 rightly in first place, q2 with one of two in second place.
type oracle struct{ stored map[string]int }

func (o *oracle) Remember(_ context.Context, scope string, documents []eval.Document) error {
	o.stored[scope] += len(documents)
	return nil
}

func (o *oracle) Ask(_ context.Context, scope, question string, limit int) ([]string, error) {
	switch question {
	case "which kite":
		return []string{"d1", "d2"}, nil
	case "which boiler":
		return []string{"d9", "d2"}, nil
	}
	return nil, nil
}

func TestFiguresAreTheirDefinitions(t *testing.T) {
	t.Parallel()
	o := &oracle{stored: map[string]int{}}
	f, err := eval.Run(t.Context(), o, tiny(t), func(string, int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]int{"one": 2, "two": 1}; !reflect.DeepEqual(o.stored, want) {
		t.Errorf("stored %v, want %v", o.stored, want)
	}
	second := 1 / math.Log2(3)
	ndcg := second / (1 + second) // of q2: found at rank 2, ideal ranks 1 and 2
	for name, c := range map[string][2]float64{
		"hit@1": {f.HitAt1, .5}, "any@5": {f.AnyAt5, 1}, "recall@5": {f.RecallAt5, .75}, "recall@10": {f.RecallAt10, .75},
		"mrr@10": {f.MRRAt10, .75}, "ndcg@10": {f.NDCGAt10, (1 + ndcg) / 2}, "macro": {f.MacroNDCG, (1 + ndcg) / 2},
		"zero results": {f.ZeroResults, 0}, "hard ndcg": {f.ByCategory["hard"].NDCGAt10, ndcg},
	} {
		if math.Abs(c[0]-c[1]) > 1e-9 {
			t.Errorf("%s is %g, want %g", name, c[0], c[1])
		}
	}
	if f.Questions != 2 {
		t.Errorf("%d questions", f.Questions)
	}
}

type failing struct{ oracle }

func (failing) Ask(context.Context, string, string, int) ([]string, error) {
	return nil, errors.New("away")
}

func TestAnEngineThatFailsEndsTheRun(t *testing.T) {
	t.Parallel()
	if _, err := eval.Run(t.Context(), &failing{oracle{map[string]int{}}}, tiny(t), func(string, int, int) {}); err == nil {
		t.Error("figures were given for a run that failed")
	}
}
