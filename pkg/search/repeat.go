package search

import (
	"strings"
	"unicode"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// sameThing is the share of a memory's terms from which another that holds nothing else repeats it.
const sameThing = .9

// saying is what a memory says, as far as a repeat is recognised by it.
type saying struct {
	content string
	speaker string
	terms   map[string]struct{} // stems, and the words that turn a sentence into its opposite
}

func sayingOf(m *memory.Memory) saying {
	terms := termSet(m.Content)
	for _, word := range text.Words(m.Content) {
		if denies(word.Term) {
			terms[word.Term] = struct{}{}
		}
	}
	return saying{content: m.Content, speaker: speakerOf(m), terms: terms}
}

// denies reports whether a word, folded, is one of those that analysis drops but a meaning hangs on.
func denies(word string) bool {
	switch word {
	case "no", "not", "nor", "cannot", "cant", "wont", "shant":
		return true
	}
	return strings.HasSuffix(word, "nt") && text.StopWord(word) // dont, isnt, wasnt …
}

// repeatsAny reports whether one of the others says it all: the same speaker, every term of it, and hardly more, none of
// which is a number or a denial.
func (s *saying) repeatsAny(others []saying) bool {
	for i := range others {
		if s.repeats(&others[i]) {
			return true
		}
	}
	return false
}

func (s *saying) repeats(other *saying) bool {
	if s.speaker != other.speaker || float64(len(s.terms)) < sameThing*float64(len(other.terms)) {
		return false
	}
	if len(s.terms) == 0 { // nothing to compare but the bytes: a smile is not a tear
		return s.content == other.content
	}
	for term := range s.terms {
		if _, ok := other.terms[term]; !ok {
			return false
		}
	}
	for term := range other.terms {
		if _, ok := s.terms[term]; !ok && (denies(term) || strings.ContainsFunc(term, unicode.IsNumber)) {
			return false
		}
	}
	return true
}

func termSet(content string) map[string]struct{} {
	set := map[string]struct{}{}
	for _, token := range text.Analyze(content) {
		set[token.Term] = struct{}{}
	}
	return set
}
