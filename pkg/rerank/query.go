package rerank

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/text"
	"github.com/rae-memory/rae/pkg/when"
)

// maxTerms is how many terms of a query count. A question has ten; what is longer is a pasted text, whose beginning
// says what it is about.
const maxTerms = 64

// query is a question taken apart.
type query struct {
	plain   bool             // terms are plain words: the question has nothing but stop words
	literal string           // what to look for when there is no word at all, such as an emoji
	index   map[string]int32 // number of each distinct term
	terms   []int32          // in the order of the question
	places  [][]int          // where each distinct term stands in terms
	numbers []int32          // distinct terms with a digit
	names   []int32          // distinct terms written with a capital, unless all are
	date    when.Date        // asked for, or the zero date

	// Set by weigh, from the candidates.
	idf        []float64
	meanLength float64
}

func readQuery(s string) *query {
	q := &query{index: map[string]int32{}}
	tokens := text.Analyze(s)
	if len(tokens) == 0 {
		q.plain, tokens = true, text.Words(s)
	}
	if len(tokens) == 0 {
		q.literal = strings.TrimSpace(s)
	}
	for _, token := range tokens[:min(len(tokens), maxTerms)] {
		term, known := q.index[token.Term]
		if !known {
			term = int32(len(q.index))
			q.index[token.Term] = term
			q.places = append(q.places, nil)
			if isNumber(token.Term) {
				q.numbers = append(q.numbers, term)
			}
		}
		first, _ := utf8.DecodeRuneInString(s[token.Start:])
		if unicode.IsUpper(first) && !slices.Contains(q.names, term) {
			q.names = append(q.names, term)
		}
		q.places[term] = append(q.places[term], len(q.terms))
		q.terms = append(q.terms, term)
	}
	if len(q.names) == len(q.index) { // A TITLE OR A SHOUT: capitals tell nothing
		q.names = nil
	}
	if dates := when.Dates(s); len(dates) > 0 {
		q.date = dates[0]
	}
	return q
}

// isNumber reports whether a term has a digit.
func isNumber(term string) bool {
	for i := 0; i < len(term); i++ {
		if '0' <= term[i] && term[i] <= '9' {
			return true
		}
	}
	return false
}
