package eval_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/eval"
	"github.com/rae-memory/rae/pkg/memory"
)

func floorOf(t *testing.T, documents ...eval.Document) func(question string) []string {
	t.Helper()
	f := eval.NewFloor()
	if err := f.Remember(t.Context(), "s", documents); err != nil {
		t.Fatal(err)
	}
	return func(question string) []string {
		found, err := f.Ask(t.Context(), "s", question, 10)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
}

func filler(n int) string { return strings.Repeat("filler ", n) }

// crowd is some documents of one text and some of another.
func crowd(m int, one string, n int, other string) (all []eval.Document) {
	for i := range m + n {
		text := one
		if i >= m {
			text = other
		}
		all = append(all, eval.Document{ID: "crowd", Text: text})
	}
	return all
}

func TestTheFloorIsBM25(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		documents []eval.Document
		question  string
		want      []string
	}{
		"a rare word outweighs a common one": {
			[]eval.Document{{ID: "a", Text: "boat boat tree"}, {ID: "b", Text: "boat zebra tree"}, {ID: "c", Text: "boat lamp tree"}},
			"boat zebra", []string{"b", "a", "c"},
		},
		// Mean length 30: twice in 50 terms earns 2/(2+.9(.6+.4·50/30)) = .637, once in 10 1/(1+.9(.6+.4·10/30)) = .602.
		// With b .75 it is .597 and .690, the other way about.
		"b is .4": {
			[]eval.Document{{ID: "short", Text: "kite " + filler(9)}, {ID: "twice", Text: "kite kite " + filler(48)}},
			"kite", []string{"twice", "short"},
		},
		// All are of one length. Three times a word in two of twelve earns 1.649·3/3.9 = 1.268; once, and a word in five of
		// twelve, (1.649+.860)/1.9 = 1.320. With k1 1.2 it is 1.178 and 1.140.
		"k1 is .9": {
			append([]eval.Document{{ID: "thrice", Text: "kite kite kite sand"}, {ID: "both", Text: "kite pond sand sand"}}, crowd(4, "pond sand sand sand", 6, "sand sand sand sand")...),
			"kite pond", []string{"both", "thrice", "crowd", "crowd", "crowd", "crowd"},
		},
		"words are stemmed, stop words are none": {
			[]eval.Document{{ID: "a", Text: "the and when was"}, {ID: "b", Text: "She was painting"}},
			"When was the painted", []string{"b"},
		},
		"ties are in the order of the documents": {
			[]eval.Document{{ID: "z", Text: "kite"}, {ID: "a", Text: "kite"}, {ID: "m", Text: "kite"}}, "kite", []string{"z", "a", "m"},
		},
		"metadata values are searched, keys and ids are not": {
			[]eval.Document{
				{ID: "kite", Text: "nothing", Meta: memory.Metadata{"kite": true}},
				{ID: "a", Text: "nothing", Meta: memory.Metadata{"toys": []any{map[string]any{"x": "kite"}}}},
				{ID: "b", Text: "nothing", Meta: memory.Metadata{"n": json.Number("4711"), "none": nil}},
			},
			"kite 4711", []string{"a", "b"},
		},
		"a copy of the text in metadata counts once": {
			[]eval.Document{
				{ID: "a", Text: "a kite over the harbour"},
				{ID: "b", Text: "a kite over the harbour", Meta: memory.Metadata{"plain": "a kite over the harbour"}},
			},
			"kite", []string{"a", "b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := floorOf(t, c.documents...)(c.question); !reflect.DeepEqual(got, c.want) {
				t.Errorf("found %v, want %v", got, c.want)
			}
		})
	}
}

func TestTheFloorAnswersFromTheHaystackAskedAlone(t *testing.T) {
	t.Parallel()
	f := eval.NewFloor()
	for _, scope := range []string{"one", "two"} {
		if err := f.Remember(t.Context(), scope, []eval.Document{{ID: scope, Text: "kite"}}); err != nil {
			t.Fatal(err)
		}
	}
	for scope, want := range map[string][]string{"one": {"one"}, "two": {"two"}, "three": nil} {
		if got, err := f.Ask(t.Context(), scope, "kite", 10); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: found %v, %v", scope, got, err)
		}
	}
	if got, err := f.Ask(t.Context(), "one", "kite", 0); err != nil || len(got) != 0 {
		t.Errorf("none were asked for: %v, %v", got, err)
	}
}
