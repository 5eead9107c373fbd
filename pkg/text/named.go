package text

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Kinds of what Named and Forms find.
const (
	URL      = "url"
	Email    = "email"
	Date     = "date"
	Quantity = "quantity"
	Name     = "name"
)

// Mention is a thing named in a text: Source[Start:End], word for word.
type Mention struct {
	Span
	Name string // as written
	Kind string
}

// form is a kind of thing that is recognised by how it is written.
type form struct {
	kind    string
	needs   string // one of these characters stands in all of the kind: looking for it is cheaper than for the form
	pattern *regexp.Regexp
}

// forms are tried in this order; what one has taken, the later ones leave alone. They are compiled when first used:
// that takes most of a millisecond, which is not every start's to pay.
var forms = sync.OnceValue(func() []form {
	return []form{
		{URL, ":", regexp.MustCompile(`\bhttps?://[^\s\pC<>"']{3,200}`)},
		{Email, "@", regexp.MustCompile(`\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}\b`)},
		{Date, "0123456789", regexp.MustCompile(`\b\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])\b`)},
		{Date, "0123456789", regexp.MustCompile(`\b(?:[1-9]|[12]\d|3[01])(?:st|nd|rd|th)? (?:of )?` + months + `(?:,? \d{4})?\b`)},
		{Date, "0123456789", regexp.MustCompile(`\b` + months + ` (?:[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?(?:,? \d{4})?\b`)},
		{Quantity, "0123456789", regexp.MustCompile(`[$€£]\s?\d[\d.,]{0,20}\d|[$€£]\s?\d|\b\d[\d.,]{0,20} ?(?:%|(?:km|kg|mg|cm|mm|ms|MB|GB|TB|kB|mph|kWh|kW|EUR|USD|PLN|euros?|dollars?|pounds?|miles?|hours?|minutes?|days?|weeks?|months?|years?)\b)`)},
	}
})

const months = `(?:January|February|March|April|May|June|July|August|September|October|November|December)`

// particles may stand inside a name without a capital.
var particles = map[string]bool{"van": true, "von": true, "de": true, "der": true, "den": true, "di": true, "da": true, "del": true, "la": true, "of": true}

// openings are what a new clause may follow, and its first word begin with a capital for.
const openings = ":;\"“”„«»‘([{—–*•\n\t"

// maxForms bounds how many things of one form, and half of how many things in all, are taken from one text.
const maxForms = 200

// maxNameBytes bounds a word of a name: longer runs of letters are blobs, not words.
const maxNameBytes = 40

// Forms finds web and mail addresses, dates and quantities, in order and none within another. Of each form it takes the
// first 200.
func Forms(s string) []Mention {
	var all []Mention
	for _, p := range forms() {
		if !strings.ContainsAny(s, p.needs) {
			continue
		}
		for _, at := range p.pattern.FindAllStringIndex(s, maxForms) {
			span := Span{Start: at[0], End: at[1]}
			if p.kind == URL {
				span.End = span.Start + len(strings.TrimRight(s[span.Start:span.End], ".,;:!?)]}"))
			}
			if !within(all, span) {
				all = append(all, Mention{span, s[span.Start:span.End], p.kind})
			}
		}
	}
	inOrder(all)
	return all
}

// Named finds what Forms does, and names, in order; it stops where it has 400. A name is two or more capitalised words
// in a row that do not begin a sentence: what begins one may owe its capital to the grammar.
func Named(s string) []Mention {
	all := Forms(s)
	formed := len(all)
	for _, sentence := range Sentences(s) {
		for _, span := range names(s, sentence) {
			if !within(all[:formed], span) {
				all = append(all, Mention{span, s[span.Start:span.End], Name})
			}
		}
		if len(all) >= 2*maxForms {
			break
		}
	}
	inOrder(all)
	return all
}

func within(all []Mention, span Span) bool {
	return slices.ContainsFunc(all, func(m Mention) bool { return m.Start < span.End && span.Start < m.End })
}

func inOrder(all []Mention) {
	slices.SortFunc(all, func(a, b Mention) int { return cmp.Compare(a.Start, b.Start) })
}

// names finds runs of capitalised words in one sentence, the first word of every clause left out.
func names(s string, sentence Span) []Span {
	var spans []Span
	var run []Token
	end := func() {
		for len(run) > 0 && particles[s[run[len(run)-1].Start:run[len(run)-1].End]] {
			run = run[:len(run)-1]
		}
		if len(run) > 1 {
			spans = append(spans, Span{Start: run[0].Start, End: run[len(run)-1].End})
		}
		run = nil
	}
	before := sentence.Start // end of the word before
	opening := true          // the word begins the sentence, or a clause of it
	for i, word := range Words(s[sentence.Start:sentence.End]) {
		word.Start, word.End = word.Start+sentence.Start, word.End+sentence.Start
		written, gap := s[word.Start:word.End], s[min(before, word.Start):word.Start] // bigrams overlap
		if before = word.End; gap != " " {                                            // a comma, a dash, a bracket: another thing
			end()
			opening = i == 0 || strings.ContainsAny(gap, openings)
		}
		switch {
		case !opening && capitalised(written) && !Filler(word.Term) && !StopWord(word.Term):
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
	return unicode.IsUpper(first) && size < len(word) && len(word) <= maxNameBytes && !strings.ContainsFunc(word, unicode.IsDigit) &&
		!strings.ContainsAny(word, "'’")
}
