package text

import (
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
	CJK                     // as Simple, with full-width and half-width forms of a character taken as one
)

// String returns the name a setting has for it.
func (l Language) String() string {
	switch l {
	case Simple:
		return "simple"
	case CJK:
		return "cjk"
	}
	return "english"
}

// Analyze returns the index terms of s in order. English: lower-cased, accents folded, stop words removed (question
// words among them: a question shares its "when" with every other question and with no answer), stemmed by Porter's
// English stemmer ("Porter2", snowballstem.org) after strong verbs and irregular plurals have been brought to their
// base. Simple and CJK: lower-cased and folded, and nothing else.
func (l Language) Analyze(s string) []Token {
	if l != English {
		return Words(s)
	}
	tokens := make([]Token, 0, len(s)/7+1)
	env := snowballstem.NewEnv("")
	for word := range words(s) {
		if _, stop := stopWords[word.Term]; stop {
			continue
		}
		word.Term = stem(env, word.Term)
		tokens = append(tokens, word)
	}
	return tokens
}
