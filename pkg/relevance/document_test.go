package relevance_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/text"
)

func TestAnalyze(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		in           memory.Memory
		terms, extra []string
		length       int
	}{
		{"sentences are kept apart", memory.Memory{Content: "Kites fly. The. Boats sail!"}, []string{"kite", "fli", "", "boat", "sail"}, nil, 4},
		{"metadata by key, then tags, source and entities", memory.Memory{
			Content:  "Red",
			Metadata: memory.Metadata{"b": []any{"two", true}, "a": json.Number("17"), "c": map[string]any{"x": "zeta", "y": "alpha"}, "d": nil},
			Tags:     []string{"tagged"}, Source: "diary", Entities: []memory.Entity{{Name: "Melanie"}},
		}, []string{"red"}, []string{"17", "two", "true", "alpha", "zeta", "tag", "diari", "melani"}, 1},
		{"metadata that repeats the content is no further evidence", memory.Memory{
			Content:  "The red kite flew over the meadow",
			Metadata: memory.Metadata{"text": "red kite flew over the meadow", "short": "red kite", "more": "Said: The red kite flew over the meadow"},
		}, []string{"red", "kite", "fli", "meadow"}, []string{"red", "kite"}, 4},
		{"nothing", memory.Memory{}, nil, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := relevance.Analyze(&c.in, text.English)
			if len(d.Terms)+len(c.terms) > 0 && !reflect.DeepEqual(d.Terms, c.terms) {
				t.Errorf("terms %q, want %q", d.Terms, c.terms)
			}
			if !reflect.DeepEqual(d.Extra, c.extra) {
				t.Errorf("extra %q, want %q", d.Extra, c.extra)
			}
			if d.Length != c.length {
				t.Errorf("length %d, want %d", d.Length, c.length)
			}
		})
	}
}

func TestCountsAreOfContentAndExtra(t *testing.T) {
	t.Parallel()
	d := relevance.Analyze(&memory.Memory{Content: "A kite. Two kites.", Tags: []string{"kite", "red"}}, text.English)
	want := map[string]uint32{"kite": 3, "two": 1, "red": 1}
	if got := d.Counts(); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestSpeaker(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   memory.Memory
		want string
	}{
		{"by metadata", memory.Memory{Content: "Ann: hi", Metadata: memory.Metadata{"speaker": "Bob"}}, "bob"},
		{"by its opening", memory.Memory{Content: "Ann Marie: hi"}, "ann marie"},
		{"a transcript has several", memory.Memory{Content: "Ann: hi\nBob: hello"}, ""},
		{"one line may end", memory.Memory{Content: "Ann: hi\n"}, "ann"},
		{"a sentence is no name", memory.Memory{Content: "This is what she said: no"}, ""},
		{"a time is no name", memory.Memory{Content: "(noon): lunch"}, ""},
		{"metadata that is no text", memory.Memory{Content: "hi", Metadata: memory.Metadata{"speaker": 7}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := relevance.Speaker(&c.in); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
