package reflection

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// mention is a thing named in a text by rule: text[Start:End].
type mention struct {
	text.Span
	name string // as written
	kind string // "email", "url", "date", "quantity" or "name"
}

// form is a kind of thing that is recognised by how it is written.
type form struct {
	kind    string
	pattern *regexp.Regexp
}

// forms are tried in this order; what one has taken, the later ones leave alone. They are compiled when first used:
// that takes most of a millisecond, which is not every start's to pay.
var forms = sync.OnceValue(func() []form {
	return []form{
		{"url", regexp.MustCompile(`\bhttps?://[^\s\pC<>"']{3,200}`)},
		{"email", regexp.MustCompile(`\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}\b`)},
		{"date", regexp.MustCompile(`\b\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])\b`)},
		{"date", regexp.MustCompile(`\b(?:[1-9]|[12]\d|3[01])(?:st|nd|rd|th)? (?:of )?` + months + `(?:,? \d{4})?\b`)},
		{"date", regexp.MustCompile(`\b` + months + ` (?:[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?(?:,? \d{4})?\b`)},
		{"quantity", regexp.MustCompile(`[$€£]\s?\d[\d.,]{0,20}\d|[$€£]\s?\d|\b\d[\d.,]{0,20} ?(?:%|(?:km|kg|mg|cm|mm|ms|MB|GB|TB|kB|mph|kWh|kW|EUR|USD|PLN|euros?|dollars?|pounds?|miles?|hours?|minutes?|days?|weeks?|months?|years?)\b)`)},
	}
})

const months = `(?:January|February|March|April|May|June|July|August|September|October|November|December)`

// particles may stand inside a name without a capital.
var particles = map[string]bool{"van": true, "von": true, "de": true, "der": true, "den": true, "di": true, "da": true, "del": true, "la": true, "of": true}

// openings are what a new clause may follow, and its first word begin with a capital for.
const openings = ":;\"“”„«»‘([{—–*•\n\t"

// maxMentions bounds what is taken from one memory.
const maxMentions = 200

// mentions finds the things a text names, in order. A name is two or more capitalised words in a row that do not begin
// a sentence: what begins one may owe its capital to the grammar.
func mentions(s string) []mention {
	var all []mention
	for _, p := range forms() {
		for _, at := range p.pattern.FindAllStringIndex(s, maxMentions) {
			span := text.Span{Start: at[0], End: at[1]}
			if p.kind == "url" {
				span.End = span.Start + len(strings.TrimRight(s[span.Start:span.End], ".,;:!?)]}"))
			}
			if !slices.ContainsFunc(all, func(m mention) bool { return m.Start < span.End && span.Start < m.End }) {
				all = append(all, mention{span, s[span.Start:span.End], p.kind})
			}
		}
	}
	taken := len(all)
	for _, sentence := range text.Sentences(s) {
		for _, span := range names(s, sentence) {
			if !slices.ContainsFunc(all[:taken], func(m mention) bool { return m.Start < span.End && span.Start < m.End }) {
				all = append(all, mention{span, s[span.Start:span.End], "name"})
			}
		}
		if len(all) >= 2*maxMentions {
			break
		}
	}
	slices.SortFunc(all, func(a, b mention) int { return cmp.Compare(a.Start, b.Start) })
	return all
}

// names finds runs of capitalised words in one sentence, the first word of every clause left out.
func names(s string, sentence text.Span) []text.Span {
	var spans []text.Span
	var run []text.Token
	end := func() {
		for len(run) > 0 && particles[s[run[len(run)-1].Start:run[len(run)-1].End]] {
			run = run[:len(run)-1]
		}
		if len(run) > 1 {
			spans = append(spans, text.Span{Start: run[0].Start, End: run[len(run)-1].End})
		}
		run = nil
	}
	before := sentence.Start // end of the word before
	opening := true          // the word begins the sentence, or a clause of it
	for i, word := range text.Words(s[sentence.Start:sentence.End]) {
		word.Start, word.End = word.Start+sentence.Start, word.End+sentence.Start
		written, gap := s[word.Start:word.End], s[min(before, word.Start):word.Start] // bigrams overlap
		if before = word.End; gap != " " {                                            // a comma, a dash, a bracket: another thing
			end()
			opening = i == 0 || strings.ContainsAny(gap, openings)
		}
		switch {
		case !opening && capitalised(written) && !fillers()[word.Term] && !text.StopWord(word.Term):
			run = append(run, word)
		case len(run) > 0 && particles[written]:
			run = append(run, word)
		default:
			end()
		}
		opening = false
	}
	end()
	return spans
}

// capitalised reports whether a word begins with a capital and is a word: two letters or more, none of it a digit.
func capitalised(word string) bool {
	first, size := utf8.DecodeRuneInString(word)
	return unicode.IsUpper(first) && size < len(word) && len(word) <= maxTermBytes && !strings.ContainsFunc(word, unicode.IsDigit) &&
		!strings.ContainsAny(word, "'’")
}

// mentioned is the folded names of what a memory is about: the entities it was given and the names in its text.
func mentioned(m *memory.Memory, body string) []string {
	var folded []string
	for _, e := range m.Entities {
		folded = append(folded, strings.ToLower(e.Name))
	}
	for _, found := range mentions(body) {
		if found.kind != "quantity" {
			folded = append(folded, strings.ToLower(found.name))
		}
	}
	slices.Sort(folded)
	return slices.Compact(folded)
}
