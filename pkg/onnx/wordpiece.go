package onnx

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// wordpiece cuts texts into entries of a vocabulary as BERT and its kin were trained (Wu et al., 2016; Devlin et al., 2018):
// cleaned, perhaps lowered, cut at spaces and punctuation, each word then into the longest entries from the left.
//
// What a text says is text: "[SEP]" in one is cut like any other characters, so that no memory writes marks for the model.
type wordpiece struct {
	vocabulary map[string]int64
	unknown    int64
	prefix     string // of entries that continue a word
	longest    int    // characters of a word; what is longer is unknown
	widest     int    // bytes of the longest entry, prefix included

	clean, chinese, strip, lower bool
}

// tokens are the ids of a text, at most limit of them.
func (w *wordpiece) tokens(text string, limit int) []int64 {
	var ids []int64
	for word := range w.words(text) {
		if len(ids) >= limit {
			return ids[:limit]
		}
		ids = w.pieces(ids, word)
	}
	return ids[:min(len(ids), limit)]
}

// words are the text's, from left to right, normalised.
func (w *wordpiece) words(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for field := range strings.FieldsFuncSeq(strings.ToValidUTF8(text, ""), w.apart) {
			field = w.normal(field)
			from := 0
			for at, r := range field {
				alone := punctuation(r) || w.chinese && ideograph(r)
				if !alone && !unicode.IsSpace(r) {
					continue
				}
				end := at + utf8.RuneLen(r)
				if from < at && !yield(field[from:at]) || alone && !yield(field[at:end]) {
					return
				}
				from = end
			}
			if from < len(field) && !yield(field[from:]) {
				return
			}
		}
	}
}

// apart reports whether a character is a space between words. Cleaning takes away some that Unicode calls spaces, and
// what they stood between becomes one word.
func (w *wordpiece) apart(r rune) bool { return unicode.IsSpace(r) && !(w.clean && dropped(r)) }

// normal is a word without what the model never read.
func (w *wordpiece) normal(word string) string {
	if ascii(word) {
		if w.clean {
			word = strings.Map(func(r rune) rune {
				if dropped(r) {
					return -1
				}
				return r
			}, word)
		}
		if w.lower {
			word = strings.ToLower(word)
		}
		return word
	}
	if w.strip {
		word = norm.NFD.String(word)
	}
	var b strings.Builder
	b.Grow(len(word))
	for _, r := range word {
		switch {
		case w.clean && dropped(r), w.strip && unicode.Is(unicode.Mn, r):
		case w.lower && r == 'İ': // its lower case is two characters
			b.WriteString("i̇")
		case w.lower:
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// pieces adds the entries a word is made of, or the unknown one where some of it is in no entry.
func (w *wordpiece) pieces(ids []int64, word string) []int64 {
	if utf8.RuneCountInString(word) > w.longest {
		return append(ids, w.unknown)
	}
	before := len(ids)
	for at := 0; at < len(word); {
		mark := ""
		if at > 0 {
			mark = w.prefix
		}
		end := min(len(word), at+w.widest-len(mark))
		for ; end > at; end-- {
			if end < len(word) && !utf8.RuneStart(word[end]) {
				continue
			}
			if id, ok := w.vocabulary[mark+word[at:end]]; ok {
				ids = append(ids, id)
				break
			}
		}
		if end <= at {
			return append(ids[:before], w.unknown)
		}
		at = end
	}
	return ids
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// dropped are the characters that cleaning takes away: controls, formats, private ones, and what stands for none.
func dropped(r rune) bool {
	switch r {
	case '\t', '\n', '\r':
		return false
	case 0, utf8.RuneError:
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co)
}

// punctuation is what stands alone: what Unicode calls so, and all of ASCII that is neither letter, digit nor space.
func punctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return r > ' ' && r < 0x7f && !(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
	}
	return unicode.IsPunct(r)
}

// ideograph are the characters of the CJK blocks that BERT sets apart, each a word.
func ideograph(r rune) bool {
	switch {
	case r >= 0x4E00 && r <= 0x9FFF, r >= 0x3400 && r <= 0x4DBF, r >= 0x20000 && r <= 0x2A6DF, r >= 0x2A700 && r <= 0x2B73F,
		r >= 0x2B740 && r <= 0x2B81F, r >= 0x2B920 && r <= 0x2CEAF, r >= 0xF900 && r <= 0xFAFF, r >= 0x2F800 && r <= 0x2FA1F:
		return true
	}
	return false
}
