package text

import (
	"fmt"

	"github.com/blevesearch/snowballstem"
)

// Language says how text becomes terms. The zero value is English. An index and the questions put to it must use the
// same one.
type Language uint8

// The languages. In each of them scripts written without spaces (Han, Kana, Hangul, Thai and the like) become
// overlapping pairs of characters, so that any two neighbours can be found without a dictionary.
const (
	English Language = iota // stop words removed, stemmed
	Simple                  // words as Words returns them: nothing removed, nothing stemmed
	CJK                     // as Simple, full-width and half-width forms taken as one, a long vowel's "ー" as a letter
)

// languages are their names, in order.
var languages = [...]string{"english", "simple", "cjk"}

// String returns the name a setting has for it.
func (l Language) String() string {
	if int(l) < len(languages) {
		return languages[l]
	}
	return fmt.Sprintf("language %d", l)
}

// ParseLanguage reads what String writes; ok is false for any other text.
func ParseLanguage(name string) (l Language, ok bool) {
	for i, known := range languages {
		if name == known {
			return Language(i), true
		}
	}
	return English, false
}

// Analyze returns the index terms of s in order. English: lower-cased, accents folded, stop words removed (question
// words among them: a question shares its "when" with every other question and with no answer), stemmed by Porter's
// English stemmer ("Porter2", snowballstem.org) after strong verbs and irregular plurals have been brought to their
// base. Simple and CJK: lower-cased and folded, and nothing else.
func (l Language) Analyze(s string) []Token {
	switch l {
	case Simple:
		return Words(s)
	case CJK:
		return wideWords(s)
	}
	tokens := make([]Token, 0, len(s)/7+1)
	env := snowballstem.NewEnv("")
	for word := range words(s, unspaced) {
		if _, stop := stopWords[word.Term]; stop {
			continue
		}
		word.Term = stem(env, word.Term)
		tokens = append(tokens, word)
	}
	return tokens
}

// wideWords are the words of s when its widths are folded. Their spans are in s.
func wideWords(s string) []Token {
	folded, origin := foldWidth(s)
	tokens := make([]Token, 0, len(folded)/3+1)
	for word := range words(folded, unspacedOrLong) {
		if origin != nil {
			word.Start, word.End = origin[word.Start], origin[word.End]
		}
		tokens = append(tokens, word)
	}
	return tokens
}

// unspacedOrLong takes the mark of a long vowel for the Kana it stands behind; Unicode has it in no script.
func unspacedOrLong(r rune) bool { return r == 'ー' || unspaced(r) }
