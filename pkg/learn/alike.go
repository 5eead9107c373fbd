package learn

import (
	"slices"
	"strings"
	"unicode"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/relevance"
)

// differ reports whether two objects of a single-valued relation are certainly not the same, nor both true at once. Where that
// is not certain they may stand side by side.
func (s *single) differ(a, b *knowledge.Fact) bool {
	first, second := words(a.Object.Name), words(b.Object.Name)
	switch {
	case slices.Equal(first, second):
		return false
	case s.exact:
		return strings.Join(first, "") != strings.Join(second, "") && !within(first, second) && !within(second, first)
	case a.Object.Type != "" && b.Object.Type != "" && a.Object.Type != b.Object.Type && s.named:
		return false
	case s.named && !(named(&a.Object) && named(&b.Object)):
		return false
	case s.place && isRegion(first) != isRegion(second): // one may lie in the other
		return false
	}
	return !within(first, second) && !within(second, first) && !initials(first, second) && !initials(second, first) &&
		!misspelt(strings.Join(first, " "), strings.Join(second, " "))
}

// words are those of a name by which it is compared, without a company's legal form and an article.
func words(name string) []string {
	all := strings.Fields(relevance.EntityKey(name))
	some := slices.DeleteFunc(slices.Clone(all), func(w string) bool { return slices.Contains(forms, w) })
	if len(some) == 0 {
		return all
	}
	return some
}

var forms = []string{"inc", "ltd", "llc", "gmbh", "ag", "corp", "corporation", "co", "company", "plc", "the", "a", "an"}

// within reports whether every word of a is one of b's: "New York" and "New York City".
func within(a, b []string) bool {
	for _, word := range a {
		if !slices.Contains(b, word) {
			return false
		}
	}
	return true
}

// initials reports whether a is made of the first letters of b's words: "NYC" and "New York City".
func initials(a, b []string) bool {
	if len(a) != 1 || len(b) < 2 || len([]rune(a[0])) != len(b) {
		return false
	}
	for i, letter := range []rune(a[0]) {
		if []rune(b[i])[0] != letter {
			return false
		}
	}
	return true
}

// misspelt reports whether two names differ as spellings of one do: by one letter, or by two in a long name. Digits are no
// letters.
func misspelt(a, b string) bool {
	allowed := 1
	switch n := min(len(a), len(b)); {
	case n < 5:
		return false
	case n >= 10:
		allowed = 2
	}
	if strings.ContainsFunc(a+b, unicode.IsDigit) {
		return false
	}
	return distance([]rune(a), []rune(b)) <= allowed
}

// distance is the number of letters to insert, to remove, to change or to swap with the next (optimal string alignment,
// after Damerau 1964).
func distance(a, b []rune) int {
	before, last, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			next[j] = min(last[j]+1, next[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, last, next = last, next, before
	}
	return last[len(b)]
}

// named reports whether a thing has a name of its own: its type is known, or it is written with a capital or in a script
// that has none.
func named(t *knowledge.Thing) bool {
	for _, word := range strings.Fields(t.Name) {
		for _, letter := range word {
			if unicode.IsLetter(letter) && !unicode.IsLower(letter) {
				return true
			}
			break
		}
	}
	return t.Type != ""
}
