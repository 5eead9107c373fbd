package main

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestEvalPrintsItsFigures(t *testing.T) {
	t.Parallel()
	keys := []string{
		"any@5", "by_category", "hit@1", "macro_ndcg@10", "mode", "mrr@10", "ndcg@10", "p50_ms", "p95_ms", "queries", "recall@10", "recall@5",
		"set", "zero_result_rate",
	}
	const set = "testdata/conversation"
	for _, store := range []string{"sqlite", "inmem"} {
		t.Run("one JSON object with the documented keys, over "+store, func(t *testing.T) {
			t.Parallel()
			r := raeIn(t, t.TempDir(), "", "eval", "--set", set, "--mode", "lexical", "--store", store, "--json")
			got := decoded[map[string]any](t, r)
			if found := slices.Sorted(maps.Keys(got)); !slices.Equal(found, keys) {
				t.Errorf("keys %v, want %v", found, keys)
			}
			delete(got, "p50_ms")
			delete(got, "p95_ms")
			delete(got, "by_category")
			want := map[string]any{
				"set": set, "mode": "lexical", "queries": 4.0, "hit@1": 0.75, "any@5": 0.75, "recall@5": 0.75, "recall@10": 0.75,
				"mrr@10": 0.75, "ndcg@10": 0.75, "macro_ndcg@10": 2.5 / 3, "zero_result_rate": 0.25,
			}
			if !near(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
	t.Run("without --mode, hybrid for programs", func(t *testing.T) {
		t.Parallel()
		got := decoded[map[string]any](t, raeIn(t, t.TempDir(), "", "eval", "--set", set, "--json"))
		if found := slices.Sorted(maps.Keys(got)); !slices.Equal(found, keys) || got["mode"] != "hybrid" {
			t.Errorf("mode %v, keys %v, want %v", got["mode"], found, keys)
		}
	})
	t.Run("and everything side by side for people", func(t *testing.T) {
		t.Parallel()
		r := raeIn(t, t.TempDir(), "", "eval", "--set", set)
		var rows []string
		for line := range strings.Lines(r.stdout) {
			if fields := strings.Fields(line); len(fields) > 0 {
				rows = append(rows, fields[0])
			}
		}
		want := []string{set + ":", "mode", "hybrid", "lexical", "dense", "floor", "hybrid,", "hybrid", "…", "category"}
		for _, category := range []string{"how", "where", "who"} {
			want = append(want, category, category, category, category)
		}
		if want = append(want, "set", "testdata/conversation"); r.code != 0 || !slices.Equal(rows, want) {
			t.Errorf("got %+v with rows %v, want rows %v", r, rows, want)
		}
	})
	t.Run("which programs may have too: one object, hybrid's figures where they always are", func(t *testing.T) {
		t.Parallel()
		got := decoded[measured](t, raeIn(t, t.TempDir(), "", "eval", "--set", set, "--json", "--mode", "all"))
		if modes := slices.Sorted(maps.Keys(got.Modes)); !slices.Equal(modes, []string{"dense", "floor", "hybrid", "lexical"}) {
			t.Errorf("modes %v", modes)
		}
		if hybrid := got.Modes["hybrid"]; got.Mode != "hybrid" || got.NDCGAt10 != hybrid.NDCGAt10 || got.Questions != 4 {
			t.Errorf("%s %+v, want %+v", got.Mode, got.Figures, hybrid)
		}
		if got.Context.MaxTokens != 2000 || got.Context.Coverage != 1 || len(got.Gain) != 5 || len(got.Intervals) != 4 || got.HeldOut["floor"].Questions != 2 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("half of the haystacks", func(t *testing.T) {
		t.Parallel()
		for half, where := range map[string]string{"odd": "how", "even": "who"} { // kitchen comes before trip
			got := decoded[measured](t, raeIn(t, t.TempDir(), "", "eval", "--set", set, "--json", "--split", half, "--mode", "floor"))
			if _, ok := got.ByCategory[where]; got.Questions != 2 || !ok {
				t.Errorf("%s: %+v", half, got)
			}
		}
	})
	t.Run("one object for each set of a folder", func(t *testing.T) {
		t.Parallel()
		r := raeIn(t, t.TempDir(), "", "eval", "--set", "testdata", "--json", "--mode", "dense", "--limit-queries", "3")
		for line := range strings.Lines(r.stdout) {
			var m measured
			if err := json.Unmarshal([]byte(line), &m); err != nil || m.Questions != 3 {
				t.Errorf("%v: %s", err, line)
			}
		}
		if strings.Count(r.stdout, "\n") != 3 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("your own store is left alone", func(t *testing.T) {
		t.Parallel()
		data := filepath.Join(t.TempDir(), "data")
		raeIn(t, data, "", "eval", "--set", set)
		if r := raeIn(t, data, "", "export", "--tenant", "eval", "--project", "haystack-1"); r.stdout != "" {
			t.Errorf("found %q", r.stdout)
		}
	})
}

// near compares figures, whose sums depend on the order of their terms.
func near(got, want map[string]any) bool {
	return maps.EqualFunc(got, want, func(a, b any) bool {
		x, isNumber := a.(float64)
		y, alsoNumber := b.(float64)
		if isNumber && alsoNumber {
			return x-y < 1e-9 && y-x < 1e-9
		}
		return a == b
	})
}
