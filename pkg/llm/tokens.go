package llm

import (
	"strings"
	"unicode/utf8"
)

// A token is taken to be three ASCII characters or half of any other one: thirds of tokens are what is counted here.
const (
	thirdsOfASCII = 1
	thirdsOfOther = 6
)

func thirds(c rune) int {
	if c < utf8.RuneSelf {
		return thirdsOfASCII
	}
	return thirdsOfOther
}

// EstimateTokens returns how many tokens a text takes, on the high side for any of the usual vocabularies.
func EstimateTokens(text string) int {
	sum := 0
	for _, c := range text {
		sum += thirds(c)
	}
	return (sum + 2) / 3
}

// Prepared is a text as it may be sent to a model: what is no UTF-8, and NUL, which some servers choke on, are replaced, and
// what goes beyond the estimated tokens (0 = any number) is cut off at the edge of a character.
func Prepared(text string, tokens int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	if tokens == 0 || len(text) <= tokens {
		return text
	}
	sum := 0
	for i, c := range text {
		if sum += thirds(c); sum > 3*tokens {
			return text[:i]
		}
	}
	return text
}
