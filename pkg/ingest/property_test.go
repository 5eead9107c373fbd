package ingest_test

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

func TestHoweverATranscriptIsPostedItStandsOnceAndInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		s, _ := world(t)
		// Neighbours differ, as turns of two speakers do, but words come again.
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"yes", "no", "why?"}), 1, 12).Draw(r, "words")
		all := make([]ingest.Message, len(words))
		for i, word := range words {
			all[i] = ingest.Message{ID: fmt.Sprint(i), Role: []string{"user", "assistant"}[i%2], Content: word}
		}
		if rapid.Bool().Draw(r, "distinct words instead of ids") {
			for i := range all {
				all[i].ID, all[i].Content = "", fmt.Sprintf("%s %d", all[i].Content, i)
			}
		}
		for done := 0; done < len(all); {
			from := rapid.SampledFrom([]int{0, done}).Draw(r, "from") // the transcript so far again, or only what is new
			to := rapid.IntRange(done+1, len(all)).Draw(r, "to")
			for range rapid.IntRange(1, 2).Draw(r, "times") {
				mustConverse(t, s, all[from:to]...)
			}
			done = to
		}
		var want []string
		for i, m := range all {
			want = append(want, fmt.Sprintf("%d %s: %s", i+1, m.Role, m.Content))
		}
		if got := transcript(t, s); !reflect.DeepEqual(got, want) {
			r.Fatalf("got  %q\nwant %q", got, want)
		}
	})
}

func TestAPatchAppliedTwiceIsAppliedOnce(t *testing.T) {
	t.Parallel()
	value := rapid.Custom(func(r *rapid.T) any {
		return rapid.SampledFrom([]any{nil, true, "x", []any{"a"}, map[string]any{"k": nil, "l": "y"}, map[string]any{}}).Draw(r, "value")
	})
	object := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c"}), value, 0, 3)
	rapid.Check(t, func(r *rapid.T) {
		s, _ := world(t)
		m := mustPut(t, s, ingest.Draft{Content: "x", Metadata: object.Draw(r, "standing")})
		patch := ingest.Patch{Metadata: ingest.Change[memory.Metadata]{Present: true, Value: object.Draw(r, "patch")}}
		once, _, err := s.Patch(t.Context(), here, m.ID, patch, 0, memory.Key{}, memory.Why{})
		if err != nil {
			r.Fatal(err)
		}
		twice, _, err := s.Patch(t.Context(), here, m.ID, patch, 0, memory.Key{}, memory.Why{})
		if err != nil || !reflect.DeepEqual(once, twice) {
			r.Fatalf("got %+v, %v\nwant %+v", twice, err, once)
		}
	})
}
