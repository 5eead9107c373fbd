package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/text"
)

// words is a set of lower-case words.
func words(list string) map[string]bool {
	all := map[string]bool{}
	for word := range strings.FieldsSeq(list) {
		all[word] = true
	}
	return all
}

// token is a word, a sign or a whole address of a sentence: Content[start:end].
type token struct {
	start, end int
	raw        string
	low        string // lower case; contractions as their words: "am" for "'m", "not" for "n't"
	word       bool
	apart      bool // signs that are no tokens stand before it: it goes on with nothing
}

// upper reports whether the token is a word that begins with a capital and is no word that often has one.
func (t token) upper() bool { return t.word && isUpper(t.raw) && !noNames[t.low] }

// contractions are the second halves of words, as they are read.
var contractions = map[string]string{"'m": "am", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "'s": "'s"}

// tokenize reads the sentence content[from:to]. Marks of emphasis and what stands in quotation marks are left out: the
// first means nothing and the second is somebody else's; a quotation leaves the sign `"`.
func tokenize(content string, from, to int, forms []text.Mention) []token {
	tokens := make([]token, 0, (to-from)/4+4)
	s := content[:to]
	for i := from; i < to; {
		for len(forms) > 0 && forms[0].Start < i {
			forms = forms[1:]
		}
		if len(forms) > 0 && forms[0].Start == i && forms[0].End <= to && (forms[0].Kind == text.URL || forms[0].Kind == text.Email) {
			tokens = append(tokens, token{start: i, end: forms[0].End, raw: s[i:forms[0].End], low: forms[0].Kind})
			i = forms[0].End
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case letterOrDigit(r):
			end, first := wordEnd(s, i), len(tokens)
			tokens = appendWord(tokens, s, i, end)
			tokens[first].apart = i > from && strings.ContainsRune("*_#", rune(s[i-1]))
			i = end
		case closing(r) != 0:
			tokens = append(tokens, token{start: i, end: i + size, raw: `"`, low: `"`})
			end := strings.IndexRune(s[i+size:], closing(r))
			if end < 0 {
				return tokens
			}
			i += size + end + utf8.RuneLen(closing(r))
		case unicode.IsSpace(r) || r == '*' || r == '_' || r == '#' || r == utf8.RuneError:
			i += size
		default:
			tokens = append(tokens, token{start: i, end: i + size, raw: s[i : i+size], low: s[i : i+size]})
			i += size
		}
	}
	return tokens
}

// closing is the mark that ends a quotation which r begins, else 0.
func closing(r rune) rune {
	switch r {
	case '"':
		return '"'
	case '“', '„':
		return '”'
	case '«':
		return '»'
	case '`':
		return '`'
	}
	return 0
}

func letterOrDigit(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r))
}

// wordEnd is where the word that begins at i ends: letters and digits, and within them single hyphens, apostrophes and
// ampersands; full stops and commas between digits; the full stop of a title.
func wordEnd(s string, i int) int {
	for end := i; end < len(s); {
		r, size := utf8.DecodeRuneInString(s[end:])
		if letterOrDigit(r) {
			end += size
			continue
		}
		next, _ := utf8.DecodeRuneInString(s[end+size:])
		joins := strings.ContainsRune("-'’&", r) && letterOrDigit(next) || strings.ContainsRune(".,", r) && end > i && isDigit(s[end-1]) && unicode.IsDigit(next)
		if !joins {
			if r == '.' && dotted(s[i:end+1]) {
				end++
			}
			return end
		}
		end += size
	}
	return len(s)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// appendWord appends a word, its contraction as a word of its own.
func appendWord(tokens []token, s string, start, end int) []token {
	raw := s[start:end]
	low := strings.ToLower(strings.ReplaceAll(raw, "’", "'"))
	at := strings.LastIndexAny(raw, "'’")
	if at <= 0 {
		return append(tokens, token{start: start, end: end, raw: raw, low: strings.TrimSuffix(low, "."), word: true})
	}
	if strings.HasSuffix(low, "n't") {
		verb := strings.TrimSuffix(low, "n't")
		switch verb {
		case "ca":
			verb = "can"
		case "wo":
			verb = "will"
		}
		if n := at - 1; n > 0 {
			return append(tokens, token{start: start, end: start + n, raw: raw[:n], low: verb, word: true}, token{start: start + n, end: end, raw: raw[n:], low: "not", word: true})
		}
	}
	tail := strings.ReplaceAll(raw[at:], "’", "'")
	if reading, ok := contractions[strings.ToLower(tail)]; ok {
		return append(tokens, token{start: start, end: start + at, raw: raw[:at], low: strings.ToLower(raw[:at]), word: true}, token{start: start + at, end: end, raw: raw[at:], low: reading, word: true})
	}
	return append(tokens, token{start: start, end: end, raw: raw, low: low, word: true})
}

// sentence is a cursor over the tokens of one sentence.
type sentence struct {
	content string
	tokens  []token
}

func (s *sentence) at(i int) token {
	if i < 0 || i >= len(s.tokens) {
		return token{}
	}
	return s.tokens[i]
}

func (s *sentence) low(i int) string { return s.at(i).low }

// written is the source of tokens i to j, exclusive.
func (s *sentence) written(i, j int) string { return s.content[s.tokens[i].start:s.tokens[j-1].end] }

func (s *sentence) match(i int, words ...string) bool {
	for k, word := range words {
		if !oneOf(word, s.low(i+k)) {
			return false
		}
	}
	return true
}

// oneOf reports whether a word is in a list with "|" between.
func oneOf(list, word string) bool {
	for word != "" {
		one, rest, more := strings.Cut(list, "|")
		if one == word {
			return true
		}
		if !more {
			break
		}
		list = rest
	}
	return false
}

// run is a range of tokens.
type run struct{ from, to int }

func (r run) empty() bool { return r.to <= r.from }

var particles = words("van von de der den di da del la le of upon du dos el bin al y und")

// name reads a run of capitalised words that begins at i: a proper name of at most five words. joins are words and signs
// that may stand within one beside particles.
func (s *sentence) name(i int, joins string) run {
	j := i
	if !s.at(j).upper() {
		return run{}
	}
	for j++; j < len(s.tokens) && j-i < 8; j++ {
		t := s.at(j)
		switch {
		case t.apart || s.tokens[j].start-s.tokens[j-1].end > 1:
		case t.word && isUpper(t.raw) && !stopsName(t):
			continue
		case t.word && digits(t.raw) && len(t.raw) < 4:
			continue
		case (particles[t.low] || oneOf(joins, t.low)) && s.at(j+1).upper():
			continue
		case t.low == "of" && s.at(j+1).low == "the" && s.at(j+2).upper():
			j++
			continue
		case t.low == "'s" && oneOf(joins, "'s") && s.at(j+1).upper() && orgSuffixes[s.low(j+1)]:
			continue
		}
		break
	}
	if j-i > 6 {
		return run{}
	}
	return run{i, j}
}

func stopsName(t token) bool { return noNames[t.low] && t.low != "new" }

func digits(word string) bool {
	return word != "" && !strings.ContainsFunc(word, func(r rune) bool { return r < '0' || r > '9' })
}

// person reads a name of a person at i: titles and roles before it are skipped, "Jr." behind it too.
func (s *sentence) person(i int) (name run, next int) {
	for s.at(i).word && (titles[s.low(i)] || roles[s.low(i)] && isUpper(s.at(i).raw)) && s.at(i+1).word && isUpper(s.at(i+1).raw) {
		i++
	}
	name = s.name(i, "")
	next = name.to
	for !name.empty() && titles[s.low(name.to-1)] {
		name.to--
	}
	return name, next
}

// thing reads a noun phrase of at most five words at i, its article left out. next is behind it.
func (s *sentence) thing(i int) (name run, next int) {
	if s.match(i, "a|an|some|any|all|two|three|four") {
		i++
	}
	if s.match(i, "lot|lots|bit|pair|couple", "of") {
		i += 2
	}
	if !s.at(i).word || noThings[s.low(i)] || stops[s.low(i)] || s.match(i, "of|have|has|show|shows") {
		return run{}, i
	}
	j := i
	for ; j < len(s.tokens) && s.at(j).word && !stops[s.low(j)] && (j == i || !s.at(j).apart); j++ {
		if t := s.low(j); t == "not" || t == "'s" && !isUpper(s.at(j+1).raw) || t == "a" || t == "an" || t == "the" || t == "would" || t == "will" {
			return run{}, j
		}
	}
	if j-i > 5 || j == i || pointers[s.low(j-1)] || s.low(j) == `"` || !strings.ContainsFunc(s.written(i, j), unicode.IsLetter) {
		return run{}, j
	}
	for k := i; k < j; k++ {
		if t := s.low(k); t == "i" || t == "we" || t == "he" || t == "she" || t == "they" || t == "you" || t == "my" || t == "is" || t == "are" || t == "was" || k > i && predicates()[t] != nil && isVerbForm(t) {
			return run{}, j
		}
	}
	return run{i, j}, j
}

// isVerbForm tells third persons and pasts, which no noun phrase the rules read has inside, from words that may be nouns.
func isVerbForm(w string) bool {
	return strings.HasSuffix(w, "s") && w != "plans" && w != "works" && w != "studies" && w != "visits" && w != "moves" && w != "likes" || w == "moved" || w == "bought" || w == "went"
}

// list reads things with commas and "and" between, by read. Without a closing "and" only the first counts.
func (s *sentence) list(i int, read func(int) (run, int)) (all []run, next int) {
	first, next := read(i)
	if first.empty() {
		return nil, next
	}
	all = []run{first}
	var more []run
	for j := next; ; {
		comma := s.low(j) == ","
		if comma {
			j++
		}
		last := s.match(j, "and|or")
		if last {
			j++
		}
		if !comma && !last {
			return all, next
		}
		for s.match(j, "a", "little|bit|some") {
			j += 2
		}
		item, behind := read(j)
		if item.empty() || s.match(behind, "is|are|was|'s") {
			return all, next
		}
		more = append(more, item)
		if j = behind; last {
			return append(all, more...), j
		}
	}
}
