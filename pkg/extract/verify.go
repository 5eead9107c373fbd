package extract

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
	"github.com/rae-memory/rae/pkg/when"
)

// Why something a model said was dropped.
const (
	dropForeign   = "memory"    // it names a text it was not given
	dropQuote     = "quote"     // the text has no such words
	dropSubject   = "subject"   // nobody of this name is meant there
	dropObject    = "object"    // nor is this said of it
	dropRelation  = "relation"  // no relation
	dropTime      = "time"      // the words tell no such time; the statement stays, without it
	dropAlias     = "alias"     // no text has this name
	dropAssistant = "assistant" // what an assistant says is no evidence
	dropInjected  = "injection" // an instruction of a text that tries to instruct
	dropRepeated  = "repeated"
	dropMany      = "too_many"
)

// Bounds of what is believed of one memory.
const (
	mostStatements   = 16
	maxQuoteBytes    = 1000
	maxRelationBytes = 64
	maxAliases       = 8
)

// verify keeps of an answer what the texts bear out: one extraction for each text, of which only what was read is filled in.
//
// A statement holds if its quote stands in its memory byte for byte, and subject and object with it:
//   - the object's words stand in the quote, or it is its speaker and the quote says "me" (or "my", "us", …);
//   - the subject stands in the quote, or it is its speaker; or it is named in another text of the request and the quote says
//     "she" (or another pronoun of the third person), or speaks there and the quote says "you".
//
// A time stays only if pkg/when finds it in the quote, from when the memory happened.
func (s *sheet) verify(said *answer, dropped drops) []knowledge.Extraction {
	found := make([]knowledge.Extraction, len(s.memories))
	aliases := s.aliases(said.Names, dropped)
	for i := range said.Statements {
		c := &said.Statements[i]
		at := c.Memory - 1
		if at < 0 || at >= len(s.memories) {
			dropped[dropForeign]++
			continue
		}
		st, why := s.statement(at, c, dropped)
		if why == "" && slices.ContainsFunc(found[at].Statements, func(other knowledge.Statement) bool { return sameStatement(&st, &other) }) {
			why = dropRepeated
		}
		if why == "" && len(found[at].Statements) == mostStatements {
			why = dropMany
		}
		if why != "" {
			dropped[why]++
			continue
		}
		found[at].Statements = append(found[at].Statements, st)
	}
	for i := range found {
		for j := range found[i].Statements {
			st := &found[i].Statements[j]
			for _, m := range []*knowledge.Mention{&st.Subject, &st.Object} {
				if m == &st.Object && st.Literal {
					continue
				}
				if known, ok := aliases[folded(m.Name)]; ok {
					m.Type, m.Aliases = cmp.Or(m.Type, known.Type), known.Aliases
				}
				found[i].Mentions = mentioning(found[i].Mentions, *m)
			}
		}
	}
	return found
}

// mentioning adds a mention unless it is there.
func mentioning(all []knowledge.Mention, m knowledge.Mention) []knowledge.Mention {
	if i := slices.IndexFunc(all, func(o knowledge.Mention) bool { return folded(o.Name) == folded(m.Name) }); i >= 0 {
		all[i].Type = cmp.Or(all[i].Type, m.Type)
		return all
	}
	return append(all, m)
}

func sameStatement(a, b *knowledge.Statement) bool {
	return a.Relation == b.Relation && a.Negated == b.Negated && folded(a.Subject.Name) == folded(b.Subject.Name) && folded(a.Object.Name) == folded(b.Object.Name)
}

// statement is what holds of a claim about the memory, or why nothing does.
func (s *sheet) statement(at int, c *claim, dropped drops) (st knowledge.Statement, why string) {
	m, sent := s.memories[at], s.texts[at]
	if _, silent := sayer(m); silent {
		return st, dropAssistant
	}
	quote := strings.TrimSpace(c.Quote)
	start := strings.Index(sent, quote)
	if start < 0 {
		quote = llm.Inert(quote)
		start = strings.Index(sent, quote)
	}
	if start < 0 || len(quote) > maxQuoteBytes || len(text.Words(quote)) == 0 {
		return st, dropQuote
	}
	st.Start, st.End = start, start+len(quote)
	quote = m.Content[st.Start:st.End]
	st.Kind = knowledge.Kind(c.Kind)
	if st.Kind == knowledge.Instruction && Commands(clip(m.Content)) {
		return st, dropInjected
	}
	if st.Relation = relation(c.Relation); st.Relation == "" {
		return st, dropRelation
	}
	st.Negated, st.Literal = c.Negated, c.Literal
	if st.Confidence = c.Confidence; !(st.Confidence >= 0) {
		st.Confidence = 0
	}
	st.Confidence = min(math.Round(st.Confidence*100)/100, 1)
	words := wordsOf(quote)
	subject, ok := s.subject(at, c, &st, words)
	if !ok {
		return st, dropSubject
	}
	object, ok := s.object(at, c, &st, words)
	if !ok || folded(subject.Name) == folded(object.Name) {
		return st, dropObject
	}
	st.Subject, st.Object = subject, object
	st.From, st.To = s.times(m, quote, c, dropped)
	return st, ""
}

// subject is whom the claim is about.
func (s *sheet) subject(at int, c *claim, st *knowledge.Statement, words map[string]bool) (knowledge.Mention, bool) {
	m := knowledge.Mention{Name: strings.TrimSpace(c.Subject), Type: kindOf(c.SubjectType)}
	if !isName(m.Name) {
		return m, false
	}
	if m.Start, m.End = locate(s.memories[at].Content, m.Name, st.Start, st.End); m.End > 0 {
		return m, true
	}
	if folded(m.Name) == folded(speakerOf(s.memories[at])) {
		return m, true
	}
	speaks, named := s.knows(m.Name)
	return m, speaks && said(words, "you", "your", "youre", "youve", "yours") || (speaks || named) && said(words, third...)
}

// third are English pronouns that mean somebody, or something, named elsewhere.
var third = []string{"he", "she", "they", "it", "him", "her", "them", "his", "hers", "their", "theirs", "its", "hes", "shes", "theyre", "theyve"}

// object is what the claim says of its subject.
func (s *sheet) object(at int, c *claim, st *knowledge.Statement, words map[string]bool) (knowledge.Mention, bool) {
	m := knowledge.Mention{Name: strings.TrimSpace(c.Object), Type: kindOf(c.ObjectType)}
	if !isName(m.Name) {
		return m, false
	}
	if m.Start, m.End = locate(s.memories[at].Content, m.Name, st.Start, st.End); m.End > 0 {
		return m, true
	}
	if !st.Literal {
		return m, folded(m.Name) == folded(speakerOf(s.memories[at])) && said(words, "i", "me", "my", "mine", "us", "we", "our", "myself")
	}
	// A value may be put more plainly, of words that stand there: "vegetarian" for "Vegetarian food".
	told := text.Words(m.Name)
	return m, len(told) > 0 && !slices.ContainsFunc(told, func(t text.Token) bool { return !words[t.Term] && !text.StopWord(t.Term) })
}

// knows reports whether somebody of the name speaks in one of the texts, and whether one of them names it.
func (s *sheet) knows(name string) (speaks, named bool) {
	for i, m := range s.memories {
		speaks = speaks || folded(name) == folded(speakerOf(m))
		_, end := locate(s.texts[i], name, 0, len(s.texts[i]))
		named = named || end > 0
	}
	return speaks, named
}

// aliases are the further names that the texts have, by folded name.
func (s *sheet) aliases(names []named, dropped drops) map[string]named {
	known := map[string]named{}
	for _, n := range names {
		kept := named{Name: n.Name, Type: kindOf(n.Type)}
		for _, alias := range n.Aliases {
			alias = strings.TrimSpace(alias)
			_, there := s.knows(alias)
			if !isName(alias) || !there || len(kept.Aliases) == maxAliases {
				dropped[dropAlias]++
				continue
			}
			if folded(alias) != folded(n.Name) && !slices.Contains(kept.Aliases, alias) {
				kept.Aliases = append(kept.Aliases, alias)
			}
		}
		known[folded(n.Name)] = kept
	}
	return known
}

// times are those of the claim that the quote tells.
func (s *sheet) times(m *memory.Memory, quote string, c *claim, dropped drops) (from, to *time.Time) {
	spans := spansOf(quote, m.OccurredAt)
	read := func(told *string) *time.Time {
		if told == nil || strings.TrimSpace(*told) == "" {
			return nil
		}
		t, ok := isoTime(strings.TrimSpace(*told))
		if ok && slices.ContainsFunc(spans, func(s when.Span) bool { return !t.Before(s.From.Truncate(day)) && !t.After(s.To) }) {
			return &t
		}
		dropped[dropTime]++
		return nil
	}
	from, to = read(c.From), read(c.To)
	if from != nil && to != nil && !from.Before(*to) {
		dropped[dropTime]++
		return nil, nil
	}
	return from, to
}

const day = 24 * time.Hour

// spansOf are the stretches of time a text names for somebody who said it at that time; where nobody knows when, only those
// that say their year.
func spansOf(quote string, at *time.Time) []when.Span {
	if at != nil {
		return when.Spans(quote, *at)
	}
	var spans []when.Span
	for _, d := range when.Dates(quote) {
		if d.Year == 0 {
			continue
		}
		first, years, months, days := time.Date(d.Year, time.Month(max(d.Month, 1)), max(d.Day, 1), 0, 0, 0, 0, time.UTC), 0, 0, 0
		switch {
		case d.Month == 0:
			years = 1
		case d.Day == 0:
			months = 1
		default:
			days = 1
		}
		spans = append(spans, when.Span{From: first, To: first.AddDate(years, months, days)})
	}
	return spans
}

// isoTime reads a year, a month, a day or an instant.
func isoTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.DateOnly, "2006-01", "2006", time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// isName reports whether s may name something: printable words in one line, no markup.
func isName(s string) bool {
	return s != "" && len(s) <= maxName && utf8.ValidString(s) && len(text.Words(s)) > 0 &&
		!strings.ContainsFunc(s, func(r rune) bool { return r == '<' || r == '>' || r != ' ' && !unicode.IsPrint(r) })
}

// kindOf is a type in the form knowledge gives, "" where it is none.
func kindOf(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if len(s) > 32 || strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }) {
		return ""
	}
	return s
}

// relation brings a relation into snake case; "" where nothing of it is left.
func relation(s string) string {
	var spaced strings.Builder
	before := ' '
	for _, r := range s {
		if unicode.IsUpper(r) && unicode.IsLower(before) {
			spaced.WriteByte(' ')
		}
		spaced.WriteRune(r)
		before = r
	}
	var parts []string
	size := -1
	for _, t := range text.Words(strings.ReplaceAll(spaced.String(), "_", " ")) {
		plain := !strings.ContainsFunc(t.Term, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
		if size += len(t.Term) + 1; plain && size <= maxRelationBytes {
			parts = append(parts, t.Term)
		}
	}
	return strings.Join(parts, "_")
}

// locate finds a name in content[start:end], as it is written or else in other capitals; end is 0 where it is not there. A
// name is whole words.
func locate(content, name string, start, end int) (int, int) {
	wanted := text.Words(name)
	if len(wanted) == 0 {
		return 0, 0
	}
	stands := text.Words(content[start:end])
	for i := 0; i+len(wanted) <= len(stands); i++ {
		if slices.EqualFunc(stands[i:i+len(wanted)], wanted, func(a, b text.Token) bool { return a.Term == b.Term }) {
			return start + stands[i].Start, start + stands[i+len(wanted)-1].End
		}
	}
	return 0, 0
}

// folded is a name by which equal ones are recognised.
func folded(name string) string {
	var terms []string
	for _, t := range text.Words(name) {
		terms = append(terms, t.Term)
	}
	return strings.Join(terms, " ")
}

func wordsOf(s string) map[string]bool {
	set := map[string]bool{}
	for _, t := range text.Words(s) {
		set[t.Term] = true
	}
	return set
}

func said(words map[string]bool, any ...string) bool {
	return slices.ContainsFunc(any, func(w string) bool { return words[w] })
}
