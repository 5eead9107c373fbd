package extract

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
	"github.com/rae-memory/rae/pkg/when"
)

// Bounds of what is read out of one memory. A memory that has more is flagged "truncated".
const (
	maxStatements = 500
	maxMentions   = 1000
	maxName       = 200 // bytes
)

// rulesEdition names the rules. It changes whenever they read anything otherwise, so that what was read before can be
// told from what is read now.
const rulesEdition = "rules/1"

// Rules reads memories without a model: names, dates, quantities and addresses, and statements of a plain kind in plain
// sentences. It would rather say nothing than something wrong: questions, conditions, wishes, doubts, quotations and
// what others are reported to say are no statements, nor are the words of an assistant. "I" is who says the memory: its
// metadata's name, or the label of the line, or the sender of the mail, or else its user. English, and a few sentences of
// German, French, Spanish and Polish. The time it takes is linear in the length of the text; it never fails.
//
// The relations it states:
//
//	of people   name, preferred_name, age, born_on, born_in, comes_from, lives_in, lives_with, height, weight, email, phone,
//	            works_at, job_title, studies, studies_at, speaks, visited, bought, owns, has_pet, plans_to
//	to people   married_to, engaged_to, partner_of, parent_of, child_of, sibling_of, relative_of, friend_of, colleague_of, reports_to
//	wishes      likes, dislikes, prefers, diet, allergic_to, favourite_… ("favourite_colour")
//	to agents   wants_agent_to (negated: is not to), preferred_name
//	of events   occurs_on
//
// Dates are named as ISO 8601 has them: "2023-05-07", "2023-05", "2023", or with a slash between two days.
type Rules struct{}

// Extract implements knowledge.Extractor. It calls nobody, and ends early only with the context's error.
func (Rules) Extract(ctx context.Context, _ memory.Scope, told []memory.Memory) ([]knowledge.Extraction, error) {
	all := make([]knowledge.Extraction, 0, len(told))
	for i := range told {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		all = append(all, readMemory(&told[i], addressee(told, i)))
	}
	return all, nil
}

// reader reads one memory.
type reader struct {
	content   string
	memory    *memory.Memory
	now       time.Time
	dated     bool // now is when the memory happened; otherwise nothing is told from it
	forms     []text.Mention
	own       knowledge.Mention // who says the memory
	addressee knowledge.Mention // whom it is said to; empty: not known
	silent    bool              // whoever says it states nothing: an assistant, a tool

	speakers       map[string]bool              // in lower case: who says lines of it
	persons        map[string]bool              // in lower case: names it gives somebody
	relativesNamed map[string]knowledge.Mention // by relativeKey
	last           *knowledge.Mention           // whom "she" would mean
	crowded        bool                         // it might mean several

	// Of the sentence at hand.
	s          *sentence
	speaker    knowledge.Mention
	hasSpeaker bool
	times      []when.Told
	pending    []pending

	out  knowledge.Extraction
	full bool
}

func readMemory(m *memory.Memory, to knowledge.Mention) knowledge.Extraction {
	r := &reader{content: m.Content, memory: m, addressee: to, speakers: map[string]bool{}, persons: map[string]bool{},
		relativesNamed: map[string]knowledge.Mention{}, forms: text.Forms(m.Content)}
	if m.OccurredAt != nil {
		r.now, r.dated = *m.OccurredAt, true
	} else {
		r.now = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // any: what is told from it is not used
	}
	r.out = knowledge.Extraction{MemoryID: m.ID, Version: m.Version, Method: "rules", Edition: rulesEdition}
	r.own, r.silent = sayer(m)
	if !utf8.ValidString(m.Content) { // no store holds such
		r.out.Flags = []string{"no_prose"}
		return r.out
	}
	all := passages(m.Content)
	for _, p := range all {
		if p.speaker.End > 0 {
			r.speakers[strings.ToLower(m.Content[p.speaker.Start:p.speaker.End])] = true
		}
	}
	var prose strings.Builder
	for _, p := range all {
		if prose.Len() > maxIdentified {
			break
		}
		prose.WriteString(m.Content[p.Start:p.End] + "\n")
	}
	r.out.Language = identify(prose.String())
	r.introduce(all)
	r.senders(all)
	forms := r.forms
	for _, p := range all {
		for len(r.forms) > 0 && r.forms[0].End <= p.Start {
			r.forms = r.forms[1:]
		}
		s := &sentence{r.content, tokenize(r.content, p.Start, p.End, r.forms)}
		r.s, r.times = s, r.timesIn(p)
		switch {
		case r.full:
		case r.out.Language == "en" || r.out.Language == "":
			r.read(p, s)
		default:
			r.readAbroad(p)
		}
		r.names(s)
	}
	r.forms = forms
	r.finish(len(all) == 0)
	return r.out
}

// sayer is who says a memory as a whole, and whether that is somebody who states nothing about anybody.
func sayer(m *memory.Memory) (knowledge.Mention, bool) {
	role, _ := m.Metadata["role"].(string)
	name := ""
	for _, key := range []string{"speaker", "name", "author"} {
		if value, ok := m.Metadata[key].(string); ok && strings.TrimSpace(value) != "" && len(value) <= maxName && utf8.ValidString(value) {
			name = strings.TrimSpace(value)
			break
		}
	}
	switch strings.ToLower(role) {
	case "assistant", "system", "tool", "function", "developer":
		if name == "" || !isUpper(name) {
			return knowledge.Mention{}, true
		}
	}
	switch {
	case name != "":
	case m.UserID != "" && len(m.UserID) <= maxName:
		name = m.UserID
	default:
		name = "user"
	}
	return knowledge.Mention{Name: name, Type: "person"}, false
}

// addressee is whom memory i is said to: where its session has two named speakers, the other one.
func addressee(told []memory.Memory, i int) knowledge.Mention {
	session := told[i].SessionID
	if session == "" {
		return knowledge.Mention{}
	}
	name := func(m *memory.Memory) string {
		s, _ := m.Metadata["name"].(string)
		return s
	}
	own, other := name(&told[i]), ""
	if own == "" {
		return knowledge.Mention{}
	}
	for k := max(0, i-20); k < min(len(told), i+20); k++ {
		if n := name(&told[k]); told[k].SessionID == session && n != "" && n != own && len(n) <= maxName {
			if other != "" && other != n {
				return knowledge.Mention{}
			}
			other = n
		}
	}
	if other == "" {
		return knowledge.Mention{}
	}
	return knowledge.Mention{Name: other, Type: "person"}
}

// speakerOf is who says a sentence: the label of its line, or whoever says the memory.
func (r *reader) speakerOf(label text.Span) (knowledge.Mention, bool) {
	if label.End == 0 {
		return r.own, !r.silent
	}
	name := strings.Trim(r.content[label.Start:label.End], " *_")
	switch strings.ToLower(name) {
	case "assistant", "system", "tool", "ai", "bot":
		return knowledge.Mention{}, false
	case "user", "human":
		return r.own, !r.silent
	}
	return knowledge.Mention{Name: name, Type: "person", Start: label.Start, End: label.End}, true
}

// introduce finds out who speaks where the memory says "my name is …" and nothing else has a name for him: it is the
// name of "user", and another one of a user's id.
func (r *reader) introduce(all []passage) {
	if r.silent || r.own.Name != "user" && r.own.Name != r.memory.UserID {
		return
	}
	for _, p := range all {
		if words := strings.ToLower(r.content[p.Start:min(p.End, p.Start+100)]); !strings.Contains(words, "my name") && !strings.Contains(words, "i'm ") && !strings.Contains(words, "i’m ") && !strings.Contains(words, "i am ") {
			continue
		}
		s := &sentence{r.content, tokenize(r.content, p.Start, min(p.End, p.Start+100), nil)}
		for i := range s.tokens {
			j := 0
			switch {
			case s.match(i, "my", "name", "is|'s"):
				j = i + 3
			case s.match(i, "i", "am") && (i == 0 || s.match(i-1, ",|!|.|hi|hello|hey")) && firstNames[s.low(i+2)]:
				j = i + 2
			}
			if j > 0 && p.speaker.End == 0 {
				if name, next := s.person(j); !name.empty() && (next == len(s.tokens) || !s.at(next).word || s.match(next, "and|from")) {
					said := s.written(name.from, name.to)
					if r.own.Name != "user" {
						r.own.Aliases = []string{said}
						return
					}
					r.own = knowledge.Mention{Name: said, Type: "person", Start: s.at(name.from).start, End: s.at(name.to - 1).end}
					return
				}
			}
		}
	}
}

// senders states the addresses of mails' senders, from their headers.
func (r *reader) senders(all []passage) {
	var done text.Span
	for _, p := range all {
		if p.speaker == done || p.speaker.End == 0 {
			continue
		}
		done = p.speaker
		rest := r.content[p.speaker.End:]
		if end := strings.IndexByte(rest, '\n'); end >= 0 {
			rest = rest[:end]
		}
		for _, f := range r.forms {
			if f.Kind == text.Email && f.Start >= p.speaker.End && f.End <= p.speaker.End+len(rest) && strings.HasPrefix(strings.TrimLeft(rest, `" `), "<") {
				who := knowledge.Mention{Name: r.content[p.speaker.Start:p.speaker.End], Type: "person", Start: p.speaker.Start, End: p.speaker.End}
				r.pending = append(r.pending[:0], pending{Statement: knowledge.Statement{Kind: knowledge.Told, Subject: who, Relation: "email",
					Object: knowledge.Mention{Name: f.Name, Type: "email", Start: f.Start, End: f.End}, Literal: true, Confidence: .95, Start: p.speaker.Start, End: f.End}})
				r.settle()
			}
		}
	}
}

// mention is the thing that tokens name.
func (r *reader) mention(name run, typ string) knowledge.Mention {
	s := r.s
	m := knowledge.Mention{Name: s.written(name.from, name.to), Type: typ, Start: s.at(name.from).start, End: s.at(name.to - 1).end}
	if typ == "person" {
		r.persons[strings.ToLower(m.Name)] = true
	}
	return m
}

// literal is a statement whose object is a value.
func (r *reader) literal(kind knowledge.Kind, subject knowledge.Mention, relation string, value knowledge.Mention, confidence float64) pending {
	return pending{Statement: knowledge.Statement{Kind: kind, Subject: subject, Relation: relation, Object: value, Literal: true, Confidence: confidence}}
}

// valued is a statement whose object is a noun phrase: a thing where it is a name, else a value.
func (r *reader) valued(kind knowledge.Kind, subject knowledge.Mention, relation string, object run, confidence float64) pending {
	m := r.mention(object, "")
	literal := false
	for k := object.from; k < object.to; k++ {
		literal = literal || !isUpper(r.s.at(k).raw)
	}
	return pending{Statement: knowledge.Statement{Kind: kind, Subject: subject, Relation: relation, Object: m, Literal: literal, Confidence: confidence}}
}

func (r *reader) dateOf(subject knowledge.Mention, relation string, told when.Told) pending {
	return r.literal(knowledge.Told, subject, relation, knowledge.Mention{Name: r.dateName(told), Type: "date", Start: told.Start, End: told.End}, .9)
}

// named states what somebody is called.
func (r *reader) named(who knowledge.Mention, name run, from int) {
	object := r.mention(name, "")
	if who.Name == "user" {
		who.Name = object.Name
	}
	p := r.literal(knowledge.Told, who, "name", object, .9)
	r.pending = append(r.pending, p)
	r.place(&r.pending[len(r.pending)-1], from, name.to)
}

// say keeps a statement that tokens from to next say, until the clause's time is known. Nobody is related to himself:
// two of one name are not told apart here, so nothing is said of them.
func (r *reader) say(p pending, from, next int) {
	if p.Subject.Name == "" || p.Object.Name == "" || len(p.Subject.Name) > maxName || len(p.Object.Name) > maxName ||
		strings.EqualFold(p.Subject.Name, p.Object.Name) {
		return
	}
	r.pending = append(r.pending, p)
	r.place(&r.pending[len(r.pending)-1], from, next)
}

func (r *reader) place(p *pending, from, next int) {
	p.clause = r.s.at(from).start
	p.Start, p.End = p.clause, r.s.at(min(next, len(r.s.tokens))-1).end
	p.Start = min(p.Start, p.End)
}

// settle gives the sentence's statements the times that are told with them and keeps them.
func (r *reader) settle() {
	for k := range r.times {
		told := &r.times[k]
		if !r.known(*told) {
			continue
		}
		clause := -1
		for i := range r.pending {
			if at := r.pending[i].clause; r.pending[i].timing != timeless && at <= told.Start && at > clause {
				clause = at
			}
		}
		for i := range r.pending { // a time may open the sentence
			if at := r.pending[i].clause; clause < 0 && r.pending[i].timing != timeless {
				clause = at
			}
		}
		before := lastWord(r.content[:told.Start])
		if first, _, _ := strings.Cut(strings.ToLower(r.content[told.Start:told.End]), " "); first == "since" || first == "until" {
			before = first
		}
		for i := range r.pending {
			if p := &r.pending[i]; p.clause == clause {
				p.at(*told, before)
			}
		}
	}
	for _, p := range r.pending {
		if p.timing == held && p.To == nil {
			continue
		}
		if p.From != nil && p.To != nil && !p.From.Before(*p.To) {
			continue // a text that contradicts itself
		}
		r.keep(p.Statement)
	}
	r.pending = r.pending[:0]
}

// at takes up a time of the clause; before is the word before it.
func (p *pending) at(told when.Told, before string) {
	from, to := told.Time.From, told.Time.To
	state := p.timing == holds || p.timing == held || p.timing == begins
	switch {
	case p.timing == timeless:
		return
	case p.timing == happens && p.From == nil:
		p.From, p.To = &from, &to
	case state && (before == "since" || before == "from") && p.From == nil:
		p.From = &from
	case state && (before == "until" || before == "till" || before == "to") && p.To == nil:
		p.To = &to
	case p.timing == begins && p.From == nil:
		p.From = &from
	default:
		return
	}
	p.End = max(p.End, told.End)
	p.Start = min(p.Start, told.Start)
}

func lastWord(s string) string {
	s = strings.TrimRight(s, " ")
	return strings.ToLower(s[strings.LastIndexAny(s, " \n\t,(")+1:])
}

// keep adds a statement that is not said already.
func (r *reader) keep(st knowledge.Statement) {
	if len(r.out.Statements) >= maxStatements {
		r.full = true
		return
	}
	for i := max(0, len(r.out.Statements)-50); i < len(r.out.Statements); i++ {
		o := &r.out.Statements[i]
		if o.Relation == st.Relation && o.Negated == st.Negated && strings.EqualFold(o.Subject.Name, st.Subject.Name) && strings.EqualFold(o.Object.Name, st.Object.Name) {
			return
		}
	}
	r.out.Statements = append(r.out.Statements, st)
}

// names adds the dates and the proper names of a sentence.
func (r *reader) names(s *sentence) {
	if len(r.out.Mentions) >= maxMentions {
		r.full = true
		return
	}
	for _, told := range r.times {
		if r.known(told) {
			r.out.Mentions = append(r.out.Mentions, knowledge.Mention{Name: r.dateName(told), Type: "date", Start: told.Start, End: told.End})
		}
	}
	for i := 0; i < len(s.tokens); {
		name := s.name(i, "&")
		if name.empty() || titles[s.low(i)] {
			i++
			continue
		}
		m := knowledge.Mention{Name: s.written(name.from, name.to), Start: s.at(name.from).start, End: s.at(name.to - 1).end}
		m.Type = r.typeOf(s, name)
		opening := i == 0 || !s.at(i-1).word && s.at(i-1).low != ","
		if i = name.to; m.Type != "" || !opening || name.to-name.from > 1 {
			r.out.Mentions = append(r.out.Mentions, m)
			r.meet(m)
		}
	}
}

// typeOf tells what a name is by its words and those before it; "" where nothing tells.
func (r *reader) typeOf(s *sentence, name run) string {
	written, first, last := strings.ToLower(s.written(name.from, name.to)), s.low(name.from), s.low(name.to-1)
	switch {
	case r.persons[written] || r.speakers[written] || titles[s.low(name.from-1)]:
		return "person"
	case languages[written]:
		return "language"
	case places[written]:
		return "place"
	case orgSuffixes[last] || first == "university":
		return "organisation"
	case firstNames[first]:
		return "person"
	}
	return ""
}

// finish adds what the statements name and orders it all. blank says that nothing of the memory is prose.
func (r *reader) finish(blank bool) {
	for _, f := range r.forms {
		if len(r.out.Mentions) < maxMentions && f.Kind != text.Date && len(f.Name) <= maxName {
			r.out.Mentions = append(r.out.Mentions, knowledge.Mention{Name: f.Name, Type: f.Kind, Start: f.Start, End: f.End})
		}
	}
	for _, st := range r.out.Statements {
		r.out.Mentions = append(r.out.Mentions, st.Subject)
		if !st.Literal {
			r.out.Mentions = append(r.out.Mentions, st.Object)
		}
	}
	r.out.Mentions = once(slices.DeleteFunc(r.out.Mentions, func(m knowledge.Mention) bool { return m.Name == "" || len(m.Name) > maxName }))
	r.out.Flags = nil
	if len(Suspicious(r.content)) > 0 {
		r.out.Flags = append(r.out.Flags, "injection")
	}
	if blank && strings.TrimSpace(r.content) != "" {
		r.out.Flags = append(r.out.Flags, "no_prose")
	}
	if r.full {
		r.out.Flags = append(r.out.Flags, "truncated")
	}
}

// once keeps, of mentions of one place in the text, the one whose type is known, and of those that stand nowhere one a name.
func once(all []knowledge.Mention) []knowledge.Mention {
	slices.SortStableFunc(all, func(a, b knowledge.Mention) int {
		typed := func(m knowledge.Mention) int {
			if m.Type == "" {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End), cmp.Compare(typed(a), typed(b)))
	})
	kept := all[:0]
	for _, m := range all {
		if n := len(kept); n > 0 && m.End > 0 && kept[n-1].End > m.Start && kept[n-1].Start <= m.Start {
			if kept[n-1].Type == "" && kept[n-1].Start == m.Start {
				kept[n-1].Type = m.Type
			}
			if kept[n-1].End >= m.End {
				continue
			}
		}
		if m.End == 0 && slices.ContainsFunc(kept, func(k knowledge.Mention) bool { return k.End == 0 && k.Name == m.Name }) {
			continue
		}
		kept = append(kept, m)
	}
	return kept
}

// snake writes words as a relation; "" where they make none.
func snake(s string) string {
	s = strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_':
			return c
		case c == ' ' || c == '-':
			return '_'
		}
		return -1
	}, s)
	if len(s) > 64 || strings.HasSuffix(s, "_") {
		return ""
	}
	return s
}
