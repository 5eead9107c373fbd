package resolve

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/rae-memory/rae/pkg/text"
)

// name is a name taken apart.
type name struct {
	tokens  []string // what of it tells who it is, folded, in order: without titles, legal forms and small words
	every   []string // with small words
	squeeze string   // tokens without a space
	umlauts string   // squeeze with ae, oe and ue as ä, ö and ü are folded
	marked  bool     // it has an ä, ö or ü
	sorted  string   // tokens in order of their letters
	numbers string   // its numbers, "4.10"; "" for none
	scripts string   // of its letters, such as "Latin"
	title   string   // of a person, "captain"
	short   string   // what it abbreviates to, "ibs"; of two words at least
	caps    bool     // it is an abbreviation itself: I.B.S.
	comma   bool     // "Miller, Lily": it has been turned round
	native  string   // letters of a script written without spaces, as they stand; "" for others
}

// folded are letters that Unicode does not take apart.
var folded = strings.NewReplacer("ß", "ss", "ø", "o", "ł", "l", "æ", "ae", "œ", "oe", "đ", "d", "ð", "d", "þ", "th", "ς", "σ", "ı", "i", "ё", "е")

var (
	quoted  = regexp.MustCompile(`["“”«»„]([^"“”«»„]+)["“”«»„]`)
	bracket = regexp.MustCompile(`\(([^)]*)\)`)
	apart   = regexp.MustCompile(`(\p{Ll})(\p{Lu})|(\pL)(\p{Nd})|(\p{Nd})(\pL)`)
	roman   = regexp.MustCompile(`\s(II|III|IV|VI|VII|VIII|IX)$`)
)

// parse takes a name apart; nicks are what it says besides, in quotation marks or, of a person, in brackets.
func parse(written, kind string) (n name, nicks []string) {
	rest := strings.TrimSpace(written)
	for _, m := range quoted.FindAllStringSubmatch(rest, -1) {
		if outside := strings.TrimSpace(quoted.ReplaceAllString(rest, " ")); outside != "" {
			nicks, rest = append(nicks, m[1]), outside
		}
	}
	if kind == person {
		for _, m := range bracket.FindAllStringSubmatch(rest, -1) {
			if outside := strings.TrimSpace(bracket.ReplaceAllString(rest, " ")); outside != "" {
				nicks, rest = append(nicks, m[1]), outside
			}
		}
	}
	if before, after, found := strings.Cut(rest, ","); found {
		switch last := strings.TrimSpace(after); {
		case kind == person && !strings.Contains(after, ",") && last != "" && !legal[strings.ToLower(strings.Trim(last, "."))]:
			rest, n.comma = last+" "+before, true
		case kind == place && states[last] != "":
			rest = before + " " + states[last]
		}
	}
	n.scripts = scriptsOf(rest)
	n.marked = strings.ContainsAny(strings.ToLower(rest), "äöü")
	letters := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, rest)
	n.caps = len([]rune(letters)) >= 2 && len([]rune(letters)) <= 6 && letters == strings.ToUpper(letters) && letters != strings.ToLower(letters) &&
		(!strings.Contains(strings.TrimSpace(rest), " ") || strings.Contains(rest, "."))
	rest = roman.ReplaceAllStringFunc(rest, func(s string) string { return " " + numerals[strings.TrimSpace(s)] })
	if kind == person {
		n.every = fold(strings.NewReplacer("-", " ").Replace(rest))
	} else {
		n.every = fold(strings.NewReplacer("&", " and ", "-", " ", "_", " ", "/", " ").Replace(split(joinInitials(rest))))
	}
	if !strings.Contains(n.scripts, "Latin") && (strings.Contains(n.scripts, "Han") || strings.Contains(n.scripts, "Kana")) {
		var b strings.Builder
		for _, r := range rest {
			if !unicode.IsSpace(r) && !unicode.IsPunct(r) {
				b.WriteRune(r)
			}
		}
		n.native = b.String()
		n.tokens, n.squeeze, n.sorted = []string{n.native}, n.native, n.native
		n.umlauts = n.native
		return n, nicks
	}
	if kind == person {
		n.person()
	} else {
		n.thing(kind)
	}
	n.finish()
	return n, nicks
}

// finish computes from tokens what is compared.
func (n *name) finish() {
	n.squeeze = strings.Join(n.tokens, "")
	n.umlauts = strings.NewReplacer("ae", "a", "oe", "o", "ue", "u").Replace(n.squeeze)
	n.sorted = strings.Join(slices.Sorted(slices.Values(n.tokens)), " ")
	if len(n.tokens) >= 2 {
		for _, token := range n.tokens {
			n.short += string([]rune(token)[:1])
		}
	}
}

// called is the name with another first name.
func (n name) called(first string) name {
	tokens := slices.Clone(n.tokens)
	tokens[0] = first
	called := name{tokens: tokens, every: tokens, scripts: n.scripts, title: n.title, numbers: n.numbers}
	called.finish()
	return called
}

// fold is the words of a text as they are compared.
func fold(s string) []string {
	var words []string
	for _, w := range text.Words(s) {
		words = append(words, folded.Replace(w.Term))
	}
	return words
}

// split puts a space where a word in capitals in the middle, or a number, begins.
func split(s string) string {
	for range 2 { // matches do not overlap
		s = apart.ReplaceAllString(s, "$1$3$5 $2$4$6")
	}
	return s
}

// joinInitials makes I.B.S. IBS, and leaves St. alone.
func joinInitials(s string) string {
	var b strings.Builder
	last := 0
	for _, at := range initials.FindAllStringIndex(s, -1) {
		b.WriteString(s[last:at[0]])
		b.WriteString(strings.ReplaceAll(s[at[0]:at[1]], ".", ""))
		last = at[1]
	}
	b.WriteString(s[last:])
	return b.String()
}

var initials = regexp.MustCompile(`\b\p{Lu}(?:\.\p{Lu})+\b\.?`)

// person leaves titles and what stands behind a name out.
func (n *name) person() {
	tokens := slices.Clone(n.every)
	for len(tokens) > 1 && titles[tokens[0]] != "" {
		if n.title == "" {
			n.title = titles[tokens[0]]
		}
		tokens = tokens[1:]
	}
	for len(tokens) > 1 && (tokens[0] == "the" || tokens[0] == "a") {
		tokens = tokens[1:]
	}
	for len(tokens) > 2 {
		after := tokens[len(tokens)-1]
		if generations[after] == "" && after != "phd" && after != "md" {
			break
		}
		if generations[after] != "" {
			n.numbers = generations[after]
		}
		tokens = tokens[:len(tokens)-1]
	}
	n.tokens = tokens
}

// thing leaves small words, legal forms and words for what it is out, and gathers its numbers.
func (n *name) thing(kind string) {
	tokens := slices.Clone(n.every)
	if kind == place {
		for i, token := range tokens {
			switch token {
			case "st":
				tokens[i] = "saint"
			case "ste":
				tokens[i] = "sainte"
			}
		}
	}
	for i, token := range tokens {
		if token == "bros" {
			tokens[i] = "brothers"
		}
	}
	for cut := kind == organisation || kind == ""; cut; {
		cut = false
		for _, form := range forms {
			if at := len(tokens) - len(form); at > 0 && slices.Equal(tokens[at:], form) {
				tokens, cut = tokens[:at], true
			}
		}
	}
	var kept []string
	var numbers []string
	for i, token := range tokens {
		if token[0] >= '0' && token[0] <= '9' {
			numbers = append(numbers, token)
			continue
		}
		version := token == "v" && i+1 < len(tokens) && tokens[i+1][0] >= '0' && tokens[i+1][0] <= '9'
		if !small[token] && !version {
			kept = append(kept, token)
		}
	}
	if len(kept) == 0 && len(numbers) == 0 {
		kept = tokens
	}
	if len(kept) > 1 || len(numbers) > 0 {
		if told := slices.DeleteFunc(slices.Clone(kept), func(token string) bool { return descriptors[token] }); len(told) > 0 {
			kept = told
		}
	}
	n.tokens, n.numbers = append(kept, numbers...), strings.Join(numbers, ".")
}

// scriptsOf lists the scripts of a text's letters.
func scriptsOf(s string) string {
	var found []string
	for _, r := range s {
		if !unicode.IsLetter(r) {
			continue
		}
		script := "other"
		for _, known := range scripts {
			if unicode.Is(known.table, r) {
				script = known.name
				break
			}
		}
		if !slices.Contains(found, script) {
			found = append(found, script)
		}
	}
	slices.Sort(found)
	return strings.Join(found, "+")
}

var scripts = []struct {
	name  string
	table *unicode.RangeTable
}{
	{"Latin", unicode.Latin}, {"Cyrillic", unicode.Cyrillic}, {"Greek", unicode.Greek}, {"Han", unicode.Han}, {"Kana", unicode.Hiragana},
	{"Kana", unicode.Katakana}, {"Hangul", unicode.Hangul}, {"Arabic", unicode.Arabic}, {"Hebrew", unicode.Hebrew},
	{"Devanagari", unicode.Devanagari}, {"Thai", unicode.Thai}, {"Armenian", unicode.Armenian}, {"Georgian", unicode.Georgian},
}
