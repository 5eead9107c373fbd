package eval_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/eval"
	"github.com/rae-memory/rae/pkg/fault"
)

func result() eval.Result {
	return eval.Result{
		Name: "folk/tales", Documents: 10, Questions: 4, Scopes: 1,
		Ways: []eval.Scored{
			{Mode: "hybrid", Figures: eval.Figures{HitAt1: .75, AnyAt5: 1, RecallAt5: .8, RecallAt10: .9, MRRAt10: .8, NDCGAt10: .7, MacroNDCG: .6, P50: 3}},
			{Mode: "floor", Figures: eval.Figures{HitAt1: .5}},
		},
		Context: &eval.ContextFigures{MaxTokens: 2000, Coverage: .9, Whole: .8},
	}
}

func TestAFallIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*eval.Result)
		want   []string
	}{
		"nothing changed":      {func(*eval.Result) {}, nil},
		"within the tolerance": {func(r *eval.Result) { r.Ways[0].Figures.HitAt1 = .74 }, nil},
		"beyond it":            {func(r *eval.Result) { r.Ways[0].Figures.HitAt1 = .7398 }, []string{"folk/tales hybrid hit@1 fell from 0.7500 to 0.7398"}},
		"better":               {func(r *eval.Result) { r.Ways[0].Figures.MacroNDCG = .9 }, nil},
		"slower":               {func(r *eval.Result) { r.Ways[0].Figures.P50 = 9 }, nil},
		"more without an answer": {
			func(r *eval.Result) { r.Ways[0].Figures.ZeroResults = .02 }, []string{"folk/tales hybrid zero_result_rate rose from 0.0000 to 0.0200"},
		},
		"several": {
			func(r *eval.Result) { r.Ways[0].Figures.NDCGAt10, r.Ways[1].Figures.HitAt1 = .5, .4 },
			[]string{"folk/tales hybrid ndcg@10 fell from 0.7000 to 0.5000", "folk/tales floor hit@1 fell from 0.5000 to 0.4000"},
		},
		"in a prompt": {
			func(r *eval.Result) { r.Context.Coverage = .88 }, []string{"folk/tales context evidence_coverage@2000 fell from 0.9000 to 0.8800"},
		},
		"a way not measured": {func(r *eval.Result) { r.Ways = r.Ways[:1] }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "quality.json")
			if err := os.WriteFile(file, eval.Commit([]eval.Result{result()}).JSON(), 0o600); err != nil {
				t.Fatal(err)
			}
			baseline, err := eval.ReadBaseline(file)
			if err != nil {
				t.Fatal(err)
			}
			now := result()
			c.change(&now)
			falls, known, err := baseline.Falls(&now)
			var got []string
			for _, f := range falls {
				got = append(got, f.String())
			}
			if !reflect.DeepEqual(got, c.want) || !known || err != nil {
				t.Errorf("%q, known %v, %v; want %q", got, known, err, c.want)
			}
		})
	}
}

func TestFiguresOfAnotherSetAreNotCompared(t *testing.T) {
	t.Parallel()
	baseline := eval.Commit([]eval.Result{result()})
	other := result()
	other.Name = "other/tales"
	if _, known, err := baseline.Falls(&other); known || err != nil {
		t.Errorf("known %v, %v", known, err)
	}
	smaller := result()
	smaller.Questions--
	if _, _, err := baseline.Falls(&smaller); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a set that changed: %v", err)
	}
	if _, err := eval.ReadBaseline("testdata/none.json"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no file: %v", err)
	}
	if _, err := eval.ReadBaseline("testdata/tiny/qrels.tsv"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no JSON: %v", err)
	}
}

func TestTheReportTellsWhatWasMeasured(t *testing.T) {
	t.Parallel()
	s, right := coin(40, 1)
	_, half := coin(40, 2)
	s.Dir = "folk/tales|of old"
	for i := range s.Questions {
		s.Questions[i].Scope = []string{"a", "b"}[i%2]
		s.Documents = append(s.Documents, eval.Document{ID: "right", Scope: s.Questions[i].Scope})
	}
	r := eval.Judge(s, []eval.Run{{Mode: "hybrid", Answers: right}, {Mode: "floor", Answers: half}})
	r.Context = &eval.ContextFigures{MaxTokens: 2000, Coverage: .9, Whole: .8, Tokens: 1990}
	page := (&eval.Report{Command: "rae eval", Machine: "an abacus, 10 beads", Date: "2026-03-01", Version: "abc", Notes: "Fitted on nothing."}).Markdown([]eval.Result{r})
	for _, part := range []string{
		"`rae eval` on 2026-03-01, revision abc, on an abacus, 10 beads", "Fitted on nothing.", "| folk/tales\\|of old | 40 | 40 | 2 |",
		"| hybrid | 1.0000 |", "| floor | 0.5000 |", "| hybrid − floor | +0.5000 |", "| folk/tales\\|of old | 0.9000 | 0.8000 | 1990 |",
		"The even half", "| floor | 0.0000 |", "| b | floor | 0.0000 |",
	} {
		if !strings.Contains(page, part) {
			t.Errorf("the page lacks %q:\n%s", part, page)
		}
	}
}
