package search

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/text"
	"github.com/rae-memory/rae/pkg/when"
)

// An expectation is a kind of thing the answer to a question is likely to hold. The zero one is nothing in particular.
type expectation uint8

const (
	aTime expectation = 1 << iota
	aPerson
	aPlace
	aNumber
)

// understanding is what the words of a question tell about its answer, without a model.
type understanding struct {
	question string
	words    map[string]bool // every word, as text.Words has them
	expects  expectation
	asks     bool // it is put as a question
	code     bool // it has an identifier, a path or the like
	wishes   bool // it asks for something to be done or advised, to which standing wishes may apply
	names    int  // words that are written like names
	spans    []when.Span
	offsets  []when.Offset
	dates    []when.Date
}

// understand reads a question that is asked at now. Any text is one.
func understand(question string, now time.Time) understanding {
	words := text.Words(question)
	words = words[:min(len(words), readWords)]
	u := understanding{question: question, words: make(map[string]bool, len(words)), asks: strings.ContainsAny(question, "?？؟")}
	for i, word := range words {
		source := question[word.Start:word.End]
		if capitalised(source) && !text.StopWord(word.Term) && !u.words[word.Term] && (i > 0 || len(words) == 1) {
			u.names++
		}
		u.code = u.code || strings.ContainsAny(source, "0123456789") && strings.ContainsFunc(source, unicode.IsLetter)
		u.words[word.Term] = true
		u.expects |= askedBy(words, i)
	}
	u.asks = u.asks || u.expects != 0 || u.any(askingWords)
	u.wishes = u.expects == 0 && u.any(wishWords)
	if len(words) < readWords {
		u.spans, u.offsets, u.dates = when.Spans(question, now), when.Offsets(question), when.Dates(question)
	}
	for phrase, expects := range unspacedQuestions {
		if strings.Contains(question, phrase) {
			u.expects |= expects
		}
	}
	return u
}

// Words that make a question, and those that ask for advice or for something to be done.
var (
	askingWords = []string{"what", "which", "why", "how", "did", "does", "do", "is", "are", "was", "were", "can", "could", "would", "should", "was", "wie", "que", "quel"}
	wishWords   = []string{"should", "recommend", "suggest", "advise", "advice", "prefer", "like", "favorite", "favourite", "please", "help", "plan", "write", "make", "could", "can"}
)

// questionWords say what is asked for in a word.
var questionWords = map[string]expectation{
	"when": aTime, "who": aPerson, "whom": aPerson, "whose": aPerson, "where": aPlace,
	"wann": aTime, "wer": aPerson, "wem": aPerson, "wen": aPerson, "wo": aPlace, "wohin": aPlace, "wieviel": aNumber, "wieviele": aNumber,
	"quand": aTime, "qui": aPerson, "ou": 0, "combien": aNumber,
	"cuando": aTime, "quien": aPerson, "donde": aPlace, "cuanto": aNumber, "cuantos": aNumber, "cuantas": aNumber,
	"quando": aTime, "quem": aPerson, "onde": aPlace, "chi": aPerson, "dove": aPlace, "quanti": aNumber, "quante": aNumber,
	"когда": aTime, "кто": aPerson, "где": aPlace, "куда": aPlace, "сколько": aNumber, "متى": aTime, "اين": aPlace, "من": 0, "كم": aNumber,
	"מתי": aTime, "מי": aPerson, "איפה": aPlace, "כמה": aNumber, "kiedy": aTime, "kto": aPerson, "gdzie": aPlace, "ile": aNumber,
}

// unspacedQuestions are those of scripts without spaces between words.
var unspacedQuestions = map[string]expectation{
	"什么时候": aTime, "什麼時候": aTime, "何时": aTime, "几点": aTime, "哪天": aTime, "哪年": aTime, "いつ": aTime, "언제": aTime,
	"谁": aPerson, "誰": aPerson, "누구": aPerson, "哪里": aPlace, "哪裡": aPlace, "哪儿": aPlace, "どこ": aPlace, "어디": aPlace,
	"多少": aNumber, "几个": aNumber, "幾個": aNumber, "いくつ": aNumber, "몇": aNumber,
}

// Nouns behind "what" or "which" that say the same as "when" and "where", and what makes "how" ask for a number.
var (
	timeNouns   = []string{"date", "day", "month", "year", "time", "week", "weekday", "decade"}
	placeNouns  = []string{"city", "country", "place", "town", "state", "location", "venue", "street", "village"}
	personNouns = []string{"person", "name"}
	amounts     = []string{"many", "much", "often", "long", "old", "far", "tall", "big", "large", "deep", "high", "fast"}
)

// askedBy tells what the word at i, with the one behind it, asks for.
func askedBy(words []text.Token, i int) expectation {
	next := ""
	if i+1 < len(words) {
		next = words[i+1].Term
	}
	switch words[i].Term {
	case "what", "which":
		switch {
		case slices.Contains(timeNouns, next):
			return aTime
		case slices.Contains(placeNouns, next):
			return aPlace
		case slices.Contains(personNouns, next):
			return aPerson
		}
		return 0
	case "how":
		switch {
		case next == "long" && i+2 < len(words) && words[i+2].Term == "ago":
			return aTime
		case slices.Contains(amounts, next):
			return aNumber
		}
		return 0
	}
	return questionWords[words[i].Term]
}

// capitalised reports whether a word is written with a capital first.
func capitalised(word string) bool {
	first, _ := utf8.DecodeRuneInString(word)
	return unicode.IsUpper(first)
}
