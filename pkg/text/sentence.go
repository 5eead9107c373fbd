package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sentences splits s into sentences and lines; spans are trimmed of white space and never empty. A full stop ends a
// sentence only before white space, so "3.5" and "example.org" stay whole.
func Sentences(s string) []Span {
	var spans []Span
	start := 0
	cut := func(end int) {
		for start < end {
			r, size := utf8.DecodeRuneInString(s[start:end])
			if !unicode.IsSpace(r) {
				break
			}
			start += size
		}
		trimmed := start + len(strings.TrimRightFunc(s[start:end], unicode.IsSpace))
		if trimmed > start {
			spans = append(spans, Span{start, trimmed})
		}
		start = end
	}
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch r {
		case '\n', '\r', '。', '！', '？':
			cut(i)
		case '.', '!', '?', '…':
			next, _ := utf8.DecodeRuneInString(s[i:])
			if i == len(s) || unicode.IsSpace(next) {
				cut(i)
			}
		}
	}
	cut(len(s))
	return spans
}
