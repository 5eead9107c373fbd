package llm_test

import (
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/llm"
)

func TestEstimatesCountCharacters(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0, "a": 1, "abc": 1, "abcd": 2, "我今天": 6, "Ünïcode": 2 + 2 + 2, "\xff\xfe": 4, strings.Repeat("buffalo ", 300): 800,
	} {
		if got := llm.EstimateTokens(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestPreparedTextsFit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		tokens int
		want   string
	}{
		{"", 1, ""}, {"abcdef", 0, "abcdef"}, {"abcdef", 2, "abcdef"}, {"abcdefg", 2, "abcdef"}, {"我我我", 4, "我我"}, {"ab我", 2, "ab"}, {"我", 1, ""},
		{"a\x00\xff\xfeb", 0, "a\uFFFD\uFFFDb"}, {"a\x00", 9, "a\uFFFD"},
	} {
		if got := llm.Prepared(c.text, c.tokens); got != c.want || c.tokens > 0 && llm.EstimateTokens(got) > c.tokens {
			t.Errorf("%q to %d: got %q, want %q", c.text, c.tokens, got, c.want)
		}
	}
}
