package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/pkoukk/tiktoken-go"
	loader "github.com/pkoukk/tiktoken-go-loader"
	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/tokens"
)

// real are the whole tokenizers.
func real(t testing.TB) []*tiktoken.Tiktoken {
	t.Helper()
	tiktoken.SetBpeLoader(loader.NewOfflineLoader())
	var all []*tiktoken.Tiktoken
	for _, name := range []string{"cl100k_base", "o200k_base"} {
		one, err := tiktoken.GetEncoding(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

// most is what the tokenizer that makes most of a text makes of it.
func most(all []*tiktoken.Tiktoken, s string) int {
	n := 0
	for _, one := range all {
		n = max(n, len(one.EncodeOrdinary(s)))
	}
	return n
}

func TestTheFilesAreWhatTheListsSay(t *testing.T) {
	t.Parallel()
	for name, list := range lists() {
		want, err := merges(list)
		if err != nil {
			t.Fatal(err)
		}
		if have, err := os.ReadFile(filepath.Join("..", "..", "pkg", "tokens", name)); err != nil || !bytes.Equal(have, want) {
			t.Errorf("pkg/tokens/%s is out of date (%v): go run ./test/tokens", name, err)
		}
	}
}

// fragments are what texts are drawn from besides any runes: whatever the patterns treat apart.
var fragments = []string{
	"the", "Internationalization", "XMLHttpRequest", "don't", "I'LL", "'s", "'", "’", "fünf", "ÅNGSTRÖM", "e\u0301", "\u0301", "ǅ", "ʰ", "漢字かな交じり文", "한국어", "ไทย", "עברית", "العربية",
	"😀", "👩‍👩‍👧", "1", "12345", "1234567890123456", "½", "Ⅷ", "٣", " ", "  ", "\t", "\u00a0", "\u3000", "\u2028", "\n", "\r\n", "\n\n  ", "/", "//", "...", "-->", "{\"a\":[1,2]}", "x_y", "\u200b", "\x00", "\ufffd",
	strings.Repeat("a", 500), strings.Repeat("=", 600), strings.Repeat("ab1", 90), strings.Repeat("字", 90),
}

func text(t *rapid.T) string {
	part := rapid.OneOf(rapid.SampledFrom(fragments), rapid.String(), rapid.StringMatching(`[A-Za-z' ]{1,20}`))
	return strings.Join(rapid.SliceOfN(part, 0, 12).Draw(t, "parts"), "")
}

func TestTextsAreCountedAsTheTokenizersDo(t *testing.T) {
	t.Parallel()
	all := real(t)
	var c tokens.Counter
	rapid.Check(t, func(rt *rapid.T) {
		s := text(rt)
		counted, want := c.Count(s), most(all, s)
		if counted < want || counted != want && longestRun(s) <= 512 {
			rt.Fatalf("%q: counted %d, it is %d", s, counted, want)
		}
		limit := rapid.IntRange(-1, 2*counted+1).Draw(rt, "limit")
		if c.Fits(s, limit) != (counted <= limit) && len(s) > limit {
			rt.Fatalf("%q is %d tokens and fits into %d: %v", s, counted, limit, c.Fits(s, limit))
		}
	})
}

// longestRun is the length of the longest run of bytes that may be one piece.
func longestRun(s string) int {
	longest := 0
	for _, run := range strings.FieldsFunc(s, unicode.IsSpace) {
		longest = max(longest, len(run))
	}
	for _, run := range strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsSpace(r) }) {
		longest = max(longest, len(run))
	}
	return longest
}

func TestLinesAddUp(t *testing.T) {
	t.Parallel()
	all := real(t)
	var c tokens.Counter
	rapid.Check(t, func(rt *rapid.T) {
		whole, sum := "", 0
		for range rapid.IntRange(1, 4).Draw(rt, "lines") {
			line := "- " + text(rt) + "\n"
			whole += line
			sum += c.Count(line)
		}
		if got := c.Count(whole); got > sum || got < most(all, whole) {
			rt.Fatalf("%q: %d, its lines %d, in truth %d", whole, got, sum, most(all, whole))
		}
	})
}

func TestProseIsCounted(t *testing.T) {
	t.Parallel()
	all := real(t)
	var c tokens.Counter
	for _, file := range []string{"ARCHITECTURE.md", "functions/cmd/rae/testdata/sets/dialogues/corpus.jsonl", "functions/cmd/rae/testdata/sets/manuals/corpus.jsonl", "pkg/memory/memory.go"} {
		content, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		counted, want := c.Count(string(content)), most(all, string(content))
		t.Logf("%s: %d tokens, counted %d", file, want, counted)
		if counted != want {
			t.Errorf("%s is %d tokens, counted %d", file, want, counted)
		}
	}
}
