package tokens_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/tokens"
)

// patterns are the published ones, but for \s+(?!\S), which package regexp doesn't know: piece does what it says. \s is
// what Unicode calls white space there, and ASCII's alone here.
func patterns() map[string]*regexp.Regexp {
	compile := func(pattern string) *regexp.Regexp {
		pattern = strings.ReplaceAll(pattern, `[^\s`, `[^\s\v\x{85}\p{Z}`)
		return regexp.MustCompile(`^(?:` + strings.ReplaceAll(strings.ReplaceAll(pattern, `\s*`, `[\s\v\x{85}\p{Z}]*`), `\s+`, `[\s\v\x{85}\p{Z}]+`) + `)`)
	}
	const contractions = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
	return map[string]*regexp.Regexp{
		"cl100k": compile(contractions + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+`),
		"o200k": compile(`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+` + contractions + `?` +
			`|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*` + contractions + `?` +
			`|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+`),
	}
}

// piece is the length of the first piece of s by a pattern.
func piece(pattern *regexp.Regexp, s string) int {
	match := pattern.FindString(s)
	blank := !strings.ContainsFunc(match, func(r rune) bool { return !unicode.IsSpace(r) })
	if !blank || strings.HasSuffix(match, "\n") || strings.HasSuffix(match, "\r") || len(match) == len(s) {
		return len(match)
	}
	if _, last := utf8.DecodeLastRuneInString(match); last < len(match) {
		return len(match) - last
	}
	return len(match)
}

func TestTextsAreCutAsThePatternsSay(t *testing.T) {
	t.Parallel()
	all := patterns()
	runes := rapid.SampledFrom([]rune("aeszZAÉéǅʰ漢字ー한ไא\u0301\u0308'’ſstrvemldSTLD 1٣½Ⅷ.-/=😀\u200d\t\n\r\v\u0085\u00a0\u2028\u3000\x00\ufffd"))
	property := func(rt *rapid.T) {
		s := string(rapid.SliceOfN(runes, 1, 24).Draw(rt, "runes"))
		for name, pattern := range all {
			for rest := s; rest != ""; {
				got, want := tokens.Cuts[name](rest), piece(pattern, rest)
				if got != want {
					rt.Fatalf("%s cuts %q off %q, the pattern %q", name, rest[:got], rest, rest[:want])
				}
				rest = rest[got:]
			}
		}
	}
	for range 50 {
		rapid.Check(t, property)
	}
}
