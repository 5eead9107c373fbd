package text

import (
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// foldWidth replaces full-width Latin and half-width Kana and Hangul by their usual forms (UAX #11), and a Kana
// followed by a mark of voicing by the one character both make. origin tells where in s each byte of folded came from,
// the end included; it is nil when nothing was replaced. Ends of runs of folded's characters are ends in s.
func foldWidth(s string) (folded string, origin []int) {
	if !hasWidths(s) {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	origin = make([]int, 0, len(s)+1)
	for i := 0; i < len(s); {
		r, size := decode(s[i:])
		if r == utf8.RuneError { // kept as it is, for words to skip
			out, origin = append(out, s[i:i+size]...), appendN(origin, i, size)
			i += size
			continue
		}
		r = usual(r)
		if mark, more := decode(s[i+size:]); isVoicing(usual(mark)) {
			if voiced, ok := composed(r, usual(mark)); ok {
				r, size = voiced, size+more
			}
		}
		out, origin = utf8.AppendRune(out, r), appendN(origin, i, utf8.RuneLen(r))
		i += size
	}
	return string(out), append(origin, len(s))
}

// hasWidths reports whether foldWidth may have something to do.
func hasWidths(s string) bool {
	for _, r := range s {
		if r >= utf8.RuneSelf && (usual(r) != r || isVoicing(r)) {
			return true
		}
	}
	return false
}

func usual(r rune) rune {
	if folded := width.LookupRune(r).Folded(); folded != 0 {
		return folded
	}
	return r
}

// isVoicing reports whether r is one of the two combining marks of Kana, as in か + ゛ = が.
func isVoicing(r rune) bool { return r == '\u3099' || r == '\u309A' }

func composed(r, mark rune) (rune, bool) {
	both := norm.NFC.String(string([]rune{r, mark}))
	one, size := utf8.DecodeRuneInString(both)
	return one, size == len(both)
}

func appendN(list []int, value, n int) []int {
	for range n {
		list = append(list, value)
	}
	return list
}
