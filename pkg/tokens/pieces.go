package tokens

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cutCL100K returns the length of the first piece of s, not empty, by the pattern of cl100k_base:
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
func cutCL100K(s string) int {
	if n := contraction(s); n > 0 {
		return n
	}
	before := ahead(s)
	if n := run(s[before:], unicode.IsLetter); n > 0 {
		return before + n
	}
	return cutOther(s, "\r\n")
}

// cutO200K does so by the pattern of o200k_base, which begins with
//
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//
// and goes on like the other, but for a "/" among the ends of lines behind punctuation.
func cutO200K(s string) int {
	for _, word := range []func(string) int{endsLower, beginsUpper} {
		for _, before := range []int{ahead(s), 0} { // a mark may be both what stands ahead and the word
			if n := word(s[before:]); n > 0 {
				return before + n + contraction(s[before+n:])
			}
		}
	}
	return cutOther(s, "\r\n/")
}

// endsLower is the length of [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+ at the beginning of s. What is in
// both classes is given back where nothing of the second follows.
func endsLower(s string) int {
	upper := run(s, isUpper)
	if n := run(s[upper:], isLower); n > 0 {
		return upper + n
	}
	for upper > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:upper])
		if isLower(r) {
			return upper
		}
		upper -= size
	}
	return 0
}

// beginsUpper is the length of [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]* at the beginning of s.
func beginsUpper(s string) int {
	upper := run(s, isUpper)
	if upper == 0 {
		return 0
	}
	return upper + run(s[upper:], isLower)
}

func isUpper(r rune) bool {
	if r < utf8.RuneSelf {
		return 'A' <= r && r <= 'Z'
	}
	return unicode.In(r, unicode.Lu, unicode.Lt, unicode.Lm, unicode.Lo, unicode.M)
}

func isLower(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z'
	}
	return unicode.In(r, unicode.Ll, unicode.Lm, unicode.Lo, unicode.M)
}

// cutOther is the length of a piece that holds no word: three digits, punctuation or white space.
func cutOther(s, lineEnds string) int {
	first, size := utf8.DecodeRuneInString(s)
	if unicode.IsNumber(first) {
		for range 2 {
			if next, more := utf8.DecodeRuneInString(s[size:]); unicode.IsNumber(next) {
				size += more
			}
		}
		return size
	}
	space := 0
	if first == ' ' {
		space = 1
	}
	if n := run(s[space:], isMark); n > 0 {
		n += space
		for n < len(s) && strings.IndexByte(lineEnds, s[n]) >= 0 {
			n++
		}
		return n
	}
	blank := run(s, unicode.IsSpace)
	if line := strings.LastIndexAny(s[:blank], "\r\n"); line >= 0 {
		return line + 1
	}
	if _, last := utf8.DecodeLastRuneInString(s[:blank]); blank < len(s) && blank > last {
		return blank - last // the last goes with the word behind it
	}
	return blank
}

// isMark reports whether r is neither white space, letter nor number.
func isMark(r rune) bool { return !unicode.IsSpace(r) && !unicode.IsLetter(r) && !unicode.IsNumber(r) }

// ahead is the length of [^\r\n\p{L}\p{N}]? at the beginning of s.
func ahead(s string) int {
	r, size := utf8.DecodeRuneInString(s)
	if r == '\r' || r == '\n' || unicode.IsLetter(r) || unicode.IsNumber(r) {
		return 0
	}
	return size
}

// contraction is the length of (?i:'s|'t|'re|'ve|'m|'ll|'d)? at the beginning of s.
func contraction(s string) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	switch s[1] | 0x20 {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v', 'l':
		if len(s) < 3 {
			return 0
		}
		switch strings.ToLower(s[1:3]) {
		case "re", "ve", "ll":
			return 3
		}
	}
	if strings.HasPrefix(s[1:], "ſ") { // the long s folds to s
		return 1 + len("ſ")
	}
	return 0
}

// run is the length of the runes at the beginning of s that are of a class.
func run(s string, of func(rune) bool) int {
	for i, r := range s {
		if !of(r) {
			return i
		}
	}
	return len(s)
}
