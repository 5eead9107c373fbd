package extract

import (
	"strings"
	"sync"
	"unicode"

	"github.com/rae-memory/rae/pkg/text"
)

// maxIdentified is how much of a text its language is told from, in bytes.
const maxIdentified = 4096

// functionWords are the commonest words of languages in Latin script that are few in the others, without accents.
var functionWords = sync.OnceValue(func() map[string][]string {
	known := map[string][]string{}
	for language, words := range map[string]string{
		"en": "the and of to is in i you it that was for my with on are have not be this at im dont we he she they but what from or by as me your please works lives never always",
		"de": "der die und ich ist nicht das ein eine zu den mit auf von sie es im dem wir sich auch wie wenn meine mein bin bei heisse arbeite wohne jahre aber oder nach wird hat fur alle ihr habe",
		"fr": "a le la les et je est une un des pas que dans pour vous nous il elle mon ma avec sur ce qui suis au du mais ne chez habite jhabite mappelle toutes votre nai jai cest",
		"es": "el la los las y es un una que de en no con por para mi me yo se lo su pero como esta soy del vivo llamo anos todas tengo trabajo",
		"it": "il la di che e un una non per con sono mi del della le gli ma si come anche questo ho tutte nel",
		"pt": "o a os as e de que um uma nao com para por eu meu minha do da em se mas como esta sou ao",
		"nl": "de het een en ik is niet van dat die in op te met voor mijn zijn maar ook wij heb naar alle",
		"pl": "i w nie na jest sie z to do ze jak ale mam jestem moja moj o po przez wszystkie swoj nazywam mieszkam lat pracuje",
		"sv": "och jag ar det att en ett inte som pa med av for den till har min mitt vi du om",
	} {
		for word := range strings.FieldsSeq(words) {
			known[word] = append(known[word], language)
		}
	}
	return known
})

// identify tells the language of a text by its script, and for Latin script by its function words: BCP 47, "" where they
// don't tell.
func identify(s string) string {
	for end := maxIdentified; len(s) > maxIdentified; end-- {
		if s[end]&0xC0 != 0x80 {
			s = s[:end]
		}
	}
	var latin, cyrillic, russian, ukrainian, han, kana, hangul, arabic, persian, hebrew, greek, thai, hindi int
	for _, r := range s {
		switch {
		case r < 'A' || !unicode.IsLetter(r):
		case unicode.Is(unicode.Latin, r):
			latin++
		case unicode.Is(unicode.Cyrillic, r):
			cyrillic++
			if strings.ContainsRune("ыэёЫЭЁ", r) {
				russian++
			} else if strings.ContainsRune("іїєґІЇЄҐ", r) {
				ukrainian++
			}
		case unicode.Is(unicode.Han, r):
			han++
		case unicode.In(r, unicode.Hiragana, unicode.Katakana):
			kana++
		case unicode.Is(unicode.Hangul, r):
			hangul++
		case unicode.Is(unicode.Arabic, r):
			arabic++
			if strings.ContainsRune("پچژگ", r) {
				persian++
			}
		case unicode.Is(unicode.Hebrew, r):
			hebrew++
		case unicode.Is(unicode.Greek, r):
			greek++
		case unicode.Is(unicode.Thai, r):
			thai++
		case unicode.Is(unicode.Devanagari, r):
			hindi++
		}
	}
	most, language := latin, "latin"
	for _, c := range []struct {
		n        int
		language string
	}{{cyrillic, "cyrillic"}, {2 * (han + kana), "zh"}, {2 * hangul, "ko"}, {arabic, "ar"}, {hebrew, "he"}, {greek, "el"}, {thai, "th"}, {hindi, "hi"}} {
		if c.n > most {
			most, language = c.n, c.language
		}
	}
	switch {
	case most == 0, language == "cyrillic" && russian == 0 && ukrainian == 0:
		return ""
	case language == "latin":
		return latinLanguage(s)
	case language == "cyrillic" && ukrainian > russian:
		return "uk"
	case language == "cyrillic":
		return "ru"
	case language == "zh" && kana > 0:
		return "ja"
	case language == "ar" && persian > 0:
		return "fa"
	}
	return language
}

// latinLanguage is the language most of whose function words stand in the text; "" where none does or two draw.
func latinLanguage(s string) string {
	counts := map[string]int{}
	for _, word := range text.Words(s) {
		for _, language := range functionWords()[word.Term] {
			counts[language]++
		}
	}
	best, language, drawn := 0, "", false
	for l, n := range counts {
		switch {
		case n > best:
			best, language, drawn = n, l, false
		case n == best:
			drawn = true
		}
	}
	if drawn {
		return ""
	}
	return language
}
