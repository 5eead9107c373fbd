package relevance_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/text"
)

// weighed is a question over a scope where every term is held by as many memories as holding says; others by none.
func weighed(question string, memories, length int, holding map[string]int) relevance.Question {
	asked := relevance.Ask(question, text.English)
	s := relevance.Statistics{Memories: memories, Length: length, Holding: make([]int, len(asked.Terms))}
	for i, term := range asked.Terms {
		s.Holding[i] = holding[term]
	}
	return asked.Weigh(s)
}

func TestQuestion(t *testing.T) {
	t.Parallel()
	q := weighed("Did the red kite and the red kite meet a dodo near water?", 100, 1000, map[string]int{"red": 20, "kite": 2, "water": 2, "meet": 1, "near": 20})
	var terms []string
	for _, term := range q.Terms {
		terms = append(terms, fmt.Sprint(term.Text, term.Asked))
	}
	if want := []string{"meet2", "kite1", "water5", "red0", "near4"}; !reflect.DeepEqual(terms, want) {
		t.Errorf("%q, want rarest first, then as asked: %q", terms, want)
	}
	// kite-red again the other way round is the same pair; the dodo nobody knows keeps meet and near apart.
	if want := [][2]int{{3, 1}, {1, 0}, {4, 2}}; !reflect.DeepEqual(q.Pairs, want) {
		t.Errorf("pairs %v, want %v", q.Pairs, want)
	}
	if got, want := q.Terms[1].IDF, math.Log(98.5/2.5+1); got != want {
		t.Errorf("idf %g, want %g", got, want)
	}
}

func TestQuestionsHaveLimits(t *testing.T) {
	t.Parallel()
	var words []string
	holding := map[string]int{}
	for i := range 600 {
		word := fmt.Sprintf("w%d", i)
		words, holding[word] = append(words, word), 1+i%7
	}
	asked := relevance.Ask(strings.Join(words, " "), text.English)
	if len(asked.Terms) != 512 {
		t.Errorf("%d terms, want the first 512", len(asked.Terms))
	}
	q := weighed(strings.Join(words, " "), 600, 6000, holding)
	if len(q.Terms) != 48 {
		t.Errorf("%d terms decide, want 48", len(q.Terms))
	}
	for _, term := range q.Terms {
		if holding[term.Text] != 1 {
			t.Errorf("%q decides, which %d memories hold, and a rarer one does not", term.Text, holding[term.Text])
		}
	}
}

func TestGainGrowsWithCountAndShrinksWithLength(t *testing.T) {
	t.Parallel()
	for _, mean := range []int{5, 60, 400} {
		q := weighed("kite", 100, 100*mean, map[string]int{"kite": 3})
		once, twice, long := q.Gain(0, 1, mean), q.Gain(0, 2, mean), q.Gain(0, 1, 4*mean)
		if !(0 < long && long < once && once < twice && twice < float32(q.Total)) {
			t.Errorf("mean %d: once %g, twice %g, in a long memory %g, of %g", mean, once, twice, long, q.Total)
		}
		if share := q.Share(q.Gain(0, 1<<20, 0)); share < .99 || share > 1 {
			t.Errorf("mean %d: the most is %g of what can be had", mean, share)
		}
	}
	short, long := weighed("kite", 100, 1000, map[string]int{"kite": 3}), weighed("kite", 100, 20_000, map[string]int{"kite": 3})
	if a, b := short.Gain(0, 2, 10)/short.Gain(0, 1, 10), long.Gain(0, 2, 200)/long.Gain(0, 1, 200); a >= b {
		t.Errorf("repetition adds %g in short memories, %g in documents", a, b)
	}
}

func TestQuestionsNobodyCanAnswer(t *testing.T) {
	t.Parallel()
	for _, q := range []relevance.Question{weighed("", 0, 0, nil), weighed("red kite", 0, 0, nil), weighed("the who", 10, 100, nil)} {
		d := relevance.Analyze(&memory.Memory{Content: "the red kite"}, text.English)
		if len(q.Terms) != 0 || q.Total != 0 || q.Reader().Evidence(&d) != 0 {
			t.Errorf("%+v", q)
		}
	}
}

// Marks come from an index, so that any sequence must be harmless.
func FuzzEvidenceIsAShare(f *testing.F) {
	f.Add([]byte{1, 2, 255, 3, 0, 0, 1}, []byte{2})
	f.Add([]byte(strings.Repeat("\x01\x00\x02\x03\xff", 40)), []byte{})
	q := weighed("red kite over water", 100, 1000, map[string]int{"red": 20, "kite": 2, "water": 2})
	f.Fuzz(func(t *testing.T, content, extra []byte) {
		length := 0
		read := func(bytes []byte) (marks []relevance.Mark) {
			for _, b := range bytes {
				mark := relevance.Mark(b % 4)
				if b == 255 {
					mark = relevance.Break
				}
				marks = append(marks, mark)
			}
			return marks
		}
		marks := read(content)
		for _, mark := range marks {
			if mark != relevance.Break {
				length++
			}
		}
		if got := q.Evidence(marks, read(extra), length); !(got >= 0 && got <= 1) {
			t.Errorf("evidence %g", got)
		}
	})
}
