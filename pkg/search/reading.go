package search

import (
	"strings"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/text"
)

// Bounds of what is read of a memory. Whether a long document has a date or a name in it tells nothing: they all have.
const (
	readBytes = 2 << 10
	readWords = 512
)

// reading is what the text of a short memory tells whoever asks.
type reading struct {
	words  int
	asking float64 // share of its sentences that are questions
	asks   bool    // its last sentence is one
	time   bool    // it says when
	number bool    // it has a number
	named  bool    // it names somebody or something, with a capital, that the question does not
}

// read reads a memory; speaker is who said it, lower-cased.
func (u *understanding) read(content, speaker string) reading {
	content = spoken(content, speaker)
	if len(content) > readBytes {
		return reading{words: readWords}
	}
	var r reading
	sentences := text.Sentences(content)
	questions := 0
	for _, sentence := range sentences {
		said := content[sentence.Start:sentence.End]
		r.asks = isQuestion(said)
		if r.asks {
			questions++
		}
		u.readSentence(said, &r)
	}
	if questions > 0 {
		r.asking = float64(questions) / float64(len(sentences))
	}
	return r
}

// spoken is what was said, without the name of who said it before.
func spoken(content, speaker string) string {
	if name, said, ok := strings.Cut(content, ": "); ok && speaker != "" && strings.EqualFold(name, speaker) {
		return said
	}
	return content
}

func isQuestion(sentence string) bool {
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRight(sentence, `"')»”’ `))
	return strings.ContainsRune("?？؟;", last) && last != ';'
}

// readSentence adds what one sentence has.
func (u *understanding) readSentence(sentence string, r *reading) {
	words := text.Words(sentence)
	for i, word := range words {
		r.words++
		source := sentence[word.Start:word.End]
		digit := '0' <= source[0] && source[0] <= '9'
		switch kind := telling[word.Term]; {
		case kind == tellsTime, digit && len(word.Term) == 4 && (source[0] == '1' || source[0] == '2'):
			r.time = true
		case kind == tellsNumber:
			r.number = true
		case kind == tellsTimeBehind: // "last week", but not "last" alone
			r.time = r.time || i+1 < len(words) && telling[words[i+1].Term] == tellsUnit
		case kind == 0 && i > 0 && capitalised(source) && !u.words[word.Term] && !text.StopWord(word.Term):
			r.named = true
		}
		r.number = r.number || digit
	}
}

// told is what a word tells by itself.
type told uint8

const (
	tellsTime told = 1 + iota
	tellsTimeBehind
	tellsUnit
	tellsNumber
)

// telling are words that tell a time or a number.
var telling = tellingWords(map[told]string{
	tellsTime: `yesterday today tonight tomorrow ago recently since weekend
		monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays thursdays fridays saturdays sundays
		january february march april june july august september october november december
		gestern heute morgen hier aujourdhui demain ayer hoy manana вчера сегодня завтра wczoraj dzisiaj jutro
		昨天 今天 明天 前天 昨日 今日 明日 去年 今年 明年 上周 下周 先週 来週 어제 오늘 내일`,
	tellsTimeBehind: `last next this past few couple several`,
	tellsUnit:       `day days week weeks month months year years night morning evening afternoon summer winter fall autumn spring`,
	tellsNumber:     `one two three four five six seven eight nine ten eleven twelve dozen twice once half hundred thousand`,
})

func tellingWords(lists map[told]string) map[string]told {
	words := map[string]told{}
	for kind, list := range lists {
		for word := range strings.FieldsSeq(list) {
			words[word] = kind
		}
	}
	return words
}
