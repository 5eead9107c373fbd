package rerank_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/rerank"
	"github.com/rae-memory/rae/pkg/rerank/reranktest"
)

// shown is what a language model is shown.
type shown struct {
	Question string
	Passages []struct {
		Number int
		Text   string
	}
}

// reader is a language model that puts passages in order as order says, by the built-in reranker where it says nothing. It
// keeps what it was asked.
type reader struct {
	order func(shown) []int
	says  string // instead
	err   error

	mu    sync.Mutex
	asked []llm.Request
}

func (r *reader) Complete(ctx context.Context, q llm.Request) (llm.Response, error) {
	r.mu.Lock()
	r.asked = append(r.asked, q)
	r.mu.Unlock()
	if r.err != nil || r.says != "" {
		return llm.Response{Text: r.says}, r.err
	}
	var s shown
	if err := json.Unmarshal([]byte(q.Messages[1].Content), &s); err != nil {
		return llm.Response{}, err
	}
	order := r.order
	if order == nil {
		order = byWords
	}
	text, err := json.Marshal(map[string]any{"order": order(s)})
	return llm.Response{Text: string(text)}, err
}

// byWords orders as the built-in reranker does, and equal ones by what they say.
func byWords(s shown) []int {
	texts, order := make([]string, len(s.Passages)), make([]int, len(s.Passages))
	for i, p := range s.Passages {
		texts[i], order[i] = p.Text, p.Number
	}
	scores, _ := rerank.Lexical{}.Rerank(context.Background(), s.Question, texts)
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(scores[b-1], scores[a-1]), cmp.Compare(texts[a-1], texts[b-1]))
	})
	return order
}

// bySize puts the largest number first.
func bySize(s shown) []int {
	order := make([]int, len(s.Passages))
	for i, p := range s.Passages {
		order[i] = p.Number
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(s.Passages[b-1].Text, s.Passages[a-1].Text) })
	return order
}

func listwise(t *testing.T, m llm.Model, documents int) *rerank.Listwise {
	t.Helper()
	l, err := rerank.NewListwise(m, "words-1", documents)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// inOrder are the documents, best first.
func inOrder(t *testing.T, l *rerank.Listwise, documents ...string) []string {
	t.Helper()
	scores, err := l.Rerank(t.Context(), "which?", documents)
	if err != nil {
		t.Fatal(err)
	}
	best := make([]int, len(documents))
	for i := range best {
		best[i] = i
	}
	slices.SortStableFunc(best, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	sorted := make([]string, len(documents))
	for i, at := range best {
		sorted[i] = documents[at]
	}
	return sorted
}

func TestListwiseKeepsTheContract(t *testing.T) {
	t.Parallel()
	reranktest.Run(t, "listwise", func(t *testing.T) rerank.Reranker { return listwise(t, &reader{}, 20) })
}

func TestAModelIsAskedForAnOrder(t *testing.T) {
	t.Parallel()
	m := &reader{order: bySize}
	got, err := listwise(t, m, 20).Rerank(t.Context(), " who <did> it?\x00 ", []string{"b", " ", "d & e", "b", "a" + strings.Repeat("x", 5000)})
	if want := []float64{2. / 3, 0, 1, 2. / 3, 1. / 3}; err != nil || !closeTo(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	want := `{"question":"who <did> it?` + "\uFFFD" + `","passages":[{"number":1,"text":"b"},{"number":2,"text":"d & e"},{"number":3,"text":"a` + strings.Repeat("x", 899) + `"}]}` + "\n"
	q := m.asked[0]
	if len(m.asked) != 1 || q.Messages[1].Content != want || q.Messages[0].Role != "system" || q.Operation != "rerank" || q.MaxTokens < 200 {
		t.Errorf("asked %+v\nwant  %s", m.asked, want)
	}
	if err := llm.CheckSchema(q.Schema); err != nil {
		t.Error(err)
	}
	for _, none := range [][]string{nil, {"one"}, {"same", "same"}, {" ", ""}} {
		m.asked = nil
		if got, err := listwise(t, m, 20).Rerank(t.Context(), "q", none); err != nil || len(got) != len(none) || len(m.asked) > 0 {
			t.Errorf("%q: got %v, %v after %d requests", none, got, err, len(m.asked))
		}
	}
	if got, err := listwise(t, m, 20).Rerank(t.Context(), " \n", []string{"a", "b"}); err != nil || !slices.Equal(got, []float64{0, 0}) || len(m.asked) > 0 {
		t.Errorf("a blank query: got %v, %v", got, err)
	}
}

func closeTo(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) < 1e-9 })
}

func TestTheBestRiseFromTheEnd(t *testing.T) {
	t.Parallel()
	documents := make([]string, 60) // in the worst order
	for i := range documents {
		documents[i] = fmt.Sprintf("%03d", i)
	}
	m := &reader{order: bySize}
	got := inOrder(t, listwise(t, m, 50), documents...)
	if want := []string{"049", "048", "047", "046", "045", "044", "043", "042", "041", "040"}; !slices.Equal(got[:10], want) {
		t.Errorf("first come %q", got[:10])
	}
	if !slices.Equal(got[50:], documents[50:]) {
		t.Errorf("those it is not asked about come as %q", got[50:])
	}
	var first []string
	for _, q := range m.asked {
		var s shown
		if err := json.Unmarshal([]byte(q.Messages[1].Content), &s); err != nil {
			t.Fatal(err)
		}
		first = append(first, fmt.Sprintf("%d from %s", len(s.Passages), s.Passages[0].Text))
	}
	if want := []string{"20 from 030", "20 from 020", "20 from 010", "20 from 000"}; !slices.Equal(first, want) {
		t.Errorf("asked about %q", first)
	}
	slices.Sort(got)
	if !slices.Equal(got, documents) {
		t.Errorf("documents were lost: %q", got)
	}
}

func TestAnOrderWithGapsIsFilledAsTheDocumentsCame(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		order []int
		want  []string
	}{
		"all":            {[]int{3, 1, 4, 2}, []string{"c", "a", "d", "b"}},
		"one":            {[]int{3}, []string{"c", "a", "b", "d"}},
		"one twice":      {[]int{4, 4, 2}, []string{"d", "b", "a", "c"}},
		"some of others": {[]int{0, 9, -1, 2, math.MaxInt}, []string{"b", "a", "c", "d"}},
	} {
		m := &reader{order: func(shown) []int { return c.order }}
		if got := inOrder(t, listwise(t, m, 20), "a", "b", "c", "d"); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestAnOrderThatIsNoneIsToldAndNotGuessed(t *testing.T) {
	t.Parallel()
	over := fault.New(fault.OverBudget, "nothing left")
	for name, c := range map[string]struct {
		model *reader
		want  fault.Kind
	}{
		"no numbers":      {&reader{order: func(shown) []int { return nil }}, fault.Unavailable},
		"others' numbers": {&reader{order: func(shown) []int { return []int{7, 8} }}, fault.Unavailable},
		"no JSON":         {&reader{says: "a, b"}, fault.Unavailable},
		"no money":        {&reader{err: over}, fault.OverBudget},
	} {
		if got, err := listwise(t, c.model, 20).Rerank(t.Context(), "q", []string{"a", "b"}); got != nil || fault.KindOf(err) != c.want || err == nil {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	if _, err := listwise(t, llm.None{}, 20).Rerank(t.Context(), "q", []string{"a", "b"}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("no model: %v", err)
	}
	if _, err := rerank.NewListwise(llm.None{}, "m", 1); err == nil {
		t.Error("one document is put in order")
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := listwise(t, &reader{}, 20).Rerank(gone, "q", []string{"a", "b"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
