// Package text turns content into the units the engine compares: terms for the lexical leg, plain words for hashed
// features, sentences for citations. Every unit keeps its byte span in the source.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
	"golang.org/x/text/unicode/norm"
)

// Token is one unit of text. Source[Start:End] is what it was made from.
type Token struct {
	Term       string
	Start, End int
}

// Span is a half-open range of bytes.
type Span struct{ Start, End int }

// Analyze is English.Analyze.
func Analyze(s string) []Token { return English.Analyze(s) }

// Words returns the lower-cased, accent-folded words of s, nothing removed and nothing stemmed.
func Words(s string) []Token {
	tokens := make([]Token, 0, len(s)/5+1)
	for word := range words(s, unspaced) {
		tokens = append(tokens, word)
	}
	return tokens
}

// stem reduces an English word; anything that is not plain ASCII letters is left as it is.
func stem(env *snowballstem.Env, word string) string {
	if len(word) < 3 {
		return word
	}
	for i := 0; i < len(word); i++ {
		if word[i] < 'a' || word[i] > 'z' {
			return word
		}
	}
	if base, ok := irregular[word]; ok {
		word = base
	}
	env.SetCurrent(word)
	english.Stem(env)
	return env.Current()
}

// words yields maximal runs of letters and digits. An apostrophe inside a word joins it ("don't" is one word, "dont");
// a possessive "'s" is cut off. What is unspaced becomes bigrams.
func words(s string, unspaced func(rune) bool) func(yield func(Token) bool) {
	return func(yield func(Token) bool) {
		for i := 0; i < len(s); {
			r, size := decode(s[i:])
			switch {
			case unspaced(r):
				end := i
				for end < len(s) {
					r, size := decode(s[end:])
					if !unspaced(r) {
						break
					}
					end += size
				}
				if !bigrams(s, i, end, yield) {
					return
				}
				i = end
			case inWord(r):
				end := i
				for end < len(s) {
					r, size := decode(s[end:])
					if !inWord(r) || unspaced(r) {
						break
					}
					end += size
				}
				end = joinApostrophe(s, end, unspaced)
				if !yield(Token{Term: fold(s[i:end]), Start: i, End: end}) {
					return
				}
				i = end
			default:
				i += size
			}
		}
	}
}

// joinApostrophe extends a word that ended at end over one apostrophe and the letters behind it.
func joinApostrophe(s string, end int, unspaced func(rune) bool) int {
	quote, size := decode(s[end:])
	if quote != '\'' && quote != '’' {
		return end
	}
	after := end + size
	for after < len(s) {
		r, size := decode(s[after:])
		if !unicode.IsLetter(r) || unspaced(r) {
			break
		}
		after += size
	}
	if after == end+size {
		return end
	}
	return after
}

// decode is utf8.DecodeRuneInString with a fast path; at the end of s it returns (0, 0).
func decode(s string) (rune, int) {
	if len(s) == 0 {
		return 0, 0
	}
	if s[0] < utf8.RuneSelf {
		return rune(s[0]), 1
	}
	return utf8.DecodeRuneInString(s)
}

func inWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r))
}

// unspaced reports whether r belongs to a script written without spaces between words.
func unspaced(r rune) bool {
	return r >= 0x0E00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// bigrams yields the overlapping pairs of characters of s[start:end]; a lone character is yielded by itself.
func bigrams(s string, start, end int, yield func(Token) bool) bool {
	_, first := utf8.DecodeRuneInString(s[start:])
	if start+first == end {
		return yield(Token{Term: s[start:end], Start: start, End: end})
	}
	for i := start; ; {
		_, a := utf8.DecodeRuneInString(s[i:])
		if i+a >= end {
			return true
		}
		_, b := utf8.DecodeRuneInString(s[i+a:])
		if !yield(Token{Term: s[i : i+a+b], Start: i, End: i + a + b}) {
			return false
		}
		i += a
	}
}

// fold lower-cases a word, drops accents and apostrophes, and cuts a possessive "'s".
func fold(word string) string {
	plain := true
	for i := 0; i < len(word); i++ {
		if c := word[i]; c >= utf8.RuneSelf || c == '\'' {
			plain = false
			break
		}
	}
	if plain {
		return strings.ToLower(word)
	}
	word = strings.ToLower(strings.ReplaceAll(word, "’", "'"))
	word = strings.TrimSuffix(word, "'s")
	var b strings.Builder
	for _, r := range norm.NFKD.String(word) {
		if r != '\'' && !unicode.Is(unicode.Mn, r) {
			b.WriteRune(r)
		}
	}
	if b.Len() == 0 { // only marks: keep them rather than yield an empty term
		return word
	}
	return b.String()
}

// Hidden reports whether a character is a control or a bidirectional override or isolate: what would make two different names
// look alike, or break a line.
func Hidden(r rune) bool {
	return unicode.IsControl(r) || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}
