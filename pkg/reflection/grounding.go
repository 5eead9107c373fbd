package reflection

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/text"
)

// Bounds of grounding. The share was set on the sentences of testdata/grounding.jsonl.
const (
	minSupport       = 0.85 // share of a sentence's content words that its sources have to have
	maxSentenceRunes = 400  // of what a model writes; longer is no sentence
	maxCited         = 6    // lines a sentence may rest on: what rests on everything rests on nothing
)

// Grounded reports whether a sentence says what its sources say, as far as words can tell without a model. It does if
//
//   - every number stands in one of them, in figures or, up to twelve, as a word;
//   - every name does: a word with a capital, unless it begins the sentence and is one that sentences begin with;
//   - of its content words, by their stems, six in seven do. Stop words, small talk and words of telling ("mentioned") are
//     none;
//   - each of its clauses denies something if, and only if, the clause of its sources does that has most of its words.
//
// What the rule can't see is who did what to whom: "Ann called Bob" is as good to it as "Bob called Ann". A source is the
// words of a line, behind its speaker and day: "Ann, 2025-03-01: I moved."
func Grounded(sentence string, sources []string) bool {
	if len(sources) == 0 || utf8.RuneCountInString(sentence) > maxSentenceRunes || !isPlain(sentence) {
		return false
	}
	told := tell(sources)
	for _, n := range figures().FindAllString(sentence, -1) {
		if !told.numbers[plainFigure(n)] {
			return false
		}
	}
	for i, t := range text.Words(sentence) {
		written := sentence[t.Start:t.End]
		switch {
		case told.words[t.Term] || strings.ContainsFunc(t.Term, unicode.IsDigit):
		case numerals[t.Term] != "":
			if t.Term != "one" && !told.numbers[numerals[t.Term]] { // "one of them" counts nothing
				return false
			}
		case startsUpper(written) && !told.stems[stemOf(written)] && (i > 0 && written != "I" || !opening(written, t.Term)):
			return false
		}
	}
	content, found := contentOf(sentence), 0
	for _, stem := range content {
		if told.stems[stem] {
			found++
		}
	}
	if len(content) == 0 || float64(found) < minSupport*float64(len(content)) {
		return false
	}
	for _, part := range partings().Split(sentence, -1) {
		if content := contentOf(part); len(content) > 0 && denying(part) != told.denies(content) {
			return false
		}
	}
	return true
}

// tellings is what sources say, taken apart.
type tellings struct {
	words, stems, numbers map[string]bool
	clauses               []clause
}

// clause is a part of a source that may be denied for itself.
type clause struct {
	stems  map[string]bool
	denies bool
}

func tell(sources []string) *tellings {
	told := &tellings{words: map[string]bool{}, stems: map[string]bool{}, numbers: map[string]bool{}}
	for _, source := range sources {
		for _, day := range isoDay().FindAllString(source, -1) {
			if at, err := time.Parse(time.DateOnly, day); err == nil {
				source += " " + at.Format("2 January 2006")
			}
		}
		for _, t := range text.Words(source) {
			told.words[t.Term] = true
			if figure, known := numerals[t.Term]; known {
				told.numbers[figure] = true
			}
		}
		for _, n := range figures().FindAllString(source, -1) {
			told.numbers[plainFigure(n)] = true
		}
		for _, part := range partings().Split(source, -1) {
			c := clause{map[string]bool{}, denying(part)}
			for _, t := range text.Analyze(part) {
				told.stems[t.Term], c.stems[t.Term] = true, true
			}
			told.clauses = append(told.clauses, c)
		}
	}
	return told
}

// denies reports whether the clause that has most of the stems denies something; of equals, whether all do.
func (t *tellings) denies(stems []string) bool {
	most, denies := 0, false
	for _, c := range t.clauses {
		n := 0
		for _, stem := range stems {
			if c.stems[stem] {
				n++
			}
		}
		if n > most {
			most, denies = n, c.denies
		} else if n == most {
			denies = denies && c.denies
		}
	}
	return denies
}

// contentOf is the stems of a sentence's words that say something.
func contentOf(sentence string) []string {
	var stems []string
	for _, t := range text.Analyze(sentence) {
		if !text.Filler(t.Term) && !connectives()[t.Term] && numerals[t.Term] == "" {
			stems = append(stems, t.Term)
		}
	}
	return stems
}

var (
	figures  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\d+(?:[.,:]\d+)*`) })
	isoDay   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b\d{4}-\d\d-\d\d\b`) })
	partings = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[,;:.!?]\s|\s(?:and|but|so|because)\s`) })
)

// plainFigure is a number without what groups its thousands.
func plainFigure(n string) string { return strings.ReplaceAll(n, ",", "") }

// numerals are the words of numbers, with their figures.
var numerals = map[string]string{
	"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10",
	"eleven": "11", "twelve": "12", "twice": "2", "hundred": "100", "thousand": "1000", "million": "1000000", "dozen": "12",
}

// denying reports whether a text denies something, in English or German.
func denying(s string) bool {
	return slices.ContainsFunc(text.Words(s), func(t text.Token) bool {
		return negations[t.Term] || strings.HasSuffix(t.Term, "nt") && strings.ContainsAny(s[t.Start:t.End], "'’") ||
			slices.Contains([]string{"cannot", "nicht", "kein", "keine", "keinen", "nie"}, t.Term)
	})
}

func startsUpper(word string) bool {
	first, _ := utf8.DecodeRuneInString(word)
	return unicode.IsUpper(first)
}

func stemOf(word string) string {
	for _, t := range text.Analyze(word) {
		return t.Term
	}
	return ""
}

// opening reports whether a word may owe its capital to the sentence it begins.
func opening(written, term string) bool {
	stem := stemOf(written)
	return stem == "" || text.StopWord(term) || text.Filler(stem) || connectives()[stem]
}

// connectives are stems of the words by which somebody tells what others said: they say nothing of what was said.
var connectives = sync.OnceValue(func() map[string]bool {
	set := map[string]bool{}
	for _, t := range text.Analyze(`
		mention mentions mentioned describe described discuss discussed report reports reported express expressed share shared explain explained
		note noted state stated add added recall recalled speaker user conversation together both several various multiple repeatedly repeated
		often sometimes usually frequently regularly overall throughout during despite although however while longer after before later earlier
		including includes include within across among between because therefore thus another others other each either people person someone
		became become becomes remain remains remained continue continues continued appear appears consider considers considered
		decide decided decides plan plans planned wish wishes prefer prefers own owns owned have has had
	`) {
		set[t.Term] = true
	}
	return set
})

// isPlain reports whether s is one line without markup or addresses.
func isPlain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsAny(s, "<>[]{}|`\"“”") && !strings.Contains(s, "://") &&
		!strings.ContainsFunc(s, func(r rune) bool { return r != ' ' && !unicode.IsPrint(r) })
}
