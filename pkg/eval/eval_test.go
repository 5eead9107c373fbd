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

func TestHalvesAreEveryOtherHaystackByName(t *testing.T) {
	t.Parallel()
	s := &eval.Set{Dir: "x", Relevant: map[string]map[string]bool{}}
	for _, scope := range []string{"d", "b", "c", "a", "e"} { // the order of the names counts, not that of the file
		s.Documents = append(s.Documents, eval.Document{ID: "of " + scope, Scope: scope})
		s.Questions = append(s.Questions, eval.Question{ID: "about " + scope, Scope: scope})
	}
	for half, want := range map[eval.Half][]string{eval.Odd: {"c", "a", "e"}, eval.Even: {"d", "b"}} {
		part, err := s.HalfOf(half)
		if err != nil || !reflect.DeepEqual(part.Scopes(), want) || len(part.Questions) != len(want) {
			t.Errorf("%s: %v with %d questions, %v, want %v", half, part.Scopes(), len(part.Questions), err, want)
		}
	}
	s.Questions = s.Questions[3:4]
	if _, err := s.HalfOf(eval.Even); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a half without a question: %v", err)
	}
}

func TestASetIsNamedByItsFolderWhereverItIsReachedFrom(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"testdata/tiny", "testdata/tiny/", "../eval/testdata/./tiny"} {
		if s := (&eval.Set{Dir: dir}); s.Name() != "testdata/tiny" {
			t.Errorf("%s is called %s", dir, s.Name())
		}
	}
}

// oracle answers q1 rightly in first place, q2 with one of two in second place.
type oracle struct{ stored map[string]int }

func (o *oracle) Remember(_ context.Context, scope string, documents []eval.Document) error {
	o.stored[scope] += len(documents)
	return nil
}

func (o *oracle) Ask(_ context.Context, _, question string, _ int) ([]string, error) {
	switch question {
	case "which kite":
		return []string{"d1", "d2"}, nil
	case "which boiler":
		return []string{"d9", "d2"}, nil
	}
	return nil, nil
}

func unseen(int, int) {}

// run loads a set into what finds and asks its questions.
func run(t *testing.T, s *eval.Set, k eval.Keeper, f eval.Finder) []eval.Answer {
	t.Helper()
	if err := eval.Fill(t.Context(), k, s, unseen); err != nil {
		t.Fatal(err)
	}
	answers, err := eval.Ask(t.Context(), f, s, unseen)
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

func TestFiguresAreTheirDefinitions(t *testing.T) {
	t.Parallel()
	o := &oracle{stored: map[string]int{}}
	s := tiny(t)
	f := eval.Measure(s, run(t, s, o, o))
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

type failing struct{}

func (failing) Ask(context.Context, string, string, int) ([]string, error) {
	return nil, errors.New("away")
}

func (failing) Pack(context.Context, string, string, int) (eval.Packed, error) {
	return eval.Packed{}, errors.New("away")
}

func TestAnEngineThatFailsEndsTheRun(t *testing.T) {
	t.Parallel()
	if _, err := eval.Ask(t.Context(), failing{}, tiny(t), unseen); err == nil {
		t.Error("answers were given for a run that failed")
	}
	if _, err := eval.Cover(t.Context(), failing{}, tiny(t), 100, unseen); err == nil {
		t.Error("figures were given for a run that failed")
	}
}

// packer puts parts of documents into every text.
type packer map[string]int

func (p packer) Pack(context.Context, string, string, int) (eval.Packed, error) {
	return eval.Packed{Tokens: 40, Bytes: p}, nil
}

func TestCoverageIsTheShareOfEvidenceInTheText(t *testing.T) {
	t.Parallel()
	s := tiny(t)
	length := map[string]int{}
	for _, d := range s.Documents {
		length[d.ID] = len(d.Text)
	}
	for name, c := range map[string]struct {
		in              packer
		coverage, whole float64
	}{ // q1 needs d1, q2 needs d1 and d2
		"all of it":  {packer{"d1": length["d1"], "d2": length["d2"], "d3": 1}, 1, 1},
		"one of two": {packer{"d1": length["d1"]}, .75, .5},
		"half of d2": {packer{"d1": length["d1"], "d2": length["d2"] / 2}, .75 + .25*float64(length["d2"]/2)/float64(length["d2"]), .5},
		"nothing":    {packer{}, 0, 0},
	} {
		f, err := eval.Cover(t.Context(), c.in, s, 100, unseen)
		if err != nil || math.Abs(f.Coverage-c.coverage) > 1e-9 || f.Whole != c.whole || f.Tokens != 40 || f.MaxTokens != 100 {
			t.Errorf("%s: %+v, %v; want %g and %g", name, f, err, c.coverage, c.whole)
		}
	}
}
