package extract

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/text"
	"github.com/rae-memory/rae/pkg/when"
)

// timing says what the time of a clause is the time of.
type timing int

const (
	timeless timing = iota
	holds           // a state: "since" and "until" bound it
	held            // a state in the past: nothing is said without an "until"
	begins          // a change: the state begins there
	happens         // an event: it is then
)

// pending is a statement whose clause's time is not read yet.
type pending struct {
	knowledge.Statement
	timing timing
	clause int // where its clause begins, in bytes
}

// party is who or what a clause is about.
type party struct {
	knowledge.Mention
	from  int    // first token
	kin   string // the kind of relative it is, of owner; "" where it is none
	owner *knowledge.Mention
	named bool
	many  []knowledge.Mention // further ones: "Anna and Ben"
}

// read takes the statements out of one sentence.
func (r *reader) read(p passage) {
	s := &sentence{r.content, tokenize(r.content, p.Start, p.End, r.forms)}
	if len(s.tokens) == 0 || len(s.tokens) > 160 {
		return
	}
	r.speaker, r.hasSpeaker = r.speakerOf(p.speaker)
	r.s, r.times, r.pending = s, r.timesIn(p), r.pending[:0]
	r.relatives()
	asked := s.low(len(s.tokens)-1) == "?"
	if !asked && !slices.ContainsFunc(s.tokens, func(t token) bool { return t.word && unsure[t.low] }) {
		if !r.wish() {
			r.clauses()
		}
	}
	r.settle()
}

// timesIn are the times the sentence names that are known when they are: those told from where the speaker stands need to
// know when that was.
func (r *reader) timesIn(p passage) []when.Told {
	var all []when.Told
	for _, told := range when.Find(r.content[p.Start:p.End], r.now) {
		told.Start, told.End = told.Start+p.Start, told.End+p.Start
		words := strings.ToLower(r.content[told.Start:told.End])
		if !told.Fixed && !r.dated || words == "recently" || words == "lately" {
			if told.Date == (when.Date{}) {
				continue
			}
		}
		if len(words) == 4 && digits(words) && !yearIntroduced(r.content[p.Start:told.Start]) {
			continue // a number as likely as a year
		}
		all = append(all, told)
	}
	return all
}

var introducesYear = words("in since until till of from by to during before after between and early late")

func yearIntroduced(before string) bool {
	words := strings.Fields(before)
	return len(words) > 0 && introducesYear[strings.ToLower(words[len(words)-1])]
}

// known reports whether the time can be resolved.
func (r *reader) known(told when.Told) bool { return told.Fixed || r.dated }

// dateName writes a date as ISO 8601 has it, or as the text does where it cannot be resolved.
func (r *reader) dateName(told when.Told) string {
	d := told.Date
	switch {
	case told.Fixed && d.Month == 0:
		return told.Time.From.Format("2006")
	case told.Fixed && d.Day == 0:
		return told.Time.From.Format("2006-01")
	case told.Fixed:
		return told.Time.From.Format("2006-01-02")
	case !r.dated:
		return r.content[told.Start:told.End]
	}
	from, to := told.Time.From, told.Time.To
	switch {
	case to.Equal(from.AddDate(0, 0, 1)):
		return from.Format("2006-01-02")
	case from.Day() == 1 && to.Equal(from.AddDate(0, 1, 0)):
		return from.Format("2006-01")
	case from.YearDay() == 1 && to.Equal(from.AddDate(1, 0, 0)):
		return from.Format("2006")
	}
	return from.Format("2006-01-02") + "/" + to.Format("2006-01-02")
}

// timeFrom is the first time that begins at token i, or one word or two after it.
func (r *reader) timeFrom(i int) (when.Told, bool) {
	if i >= len(r.s.tokens) {
		return when.Told{}, false
	}
	from, to := r.s.at(i).start, r.s.at(min(i+2, len(r.s.tokens)-1)).start
	for _, told := range r.times {
		if told.Start >= from && told.Start <= to {
			return told, true
		}
	}
	return when.Told{}, false
}

// afterTime is i, or behind the time that begins there.
func (r *reader) afterTime(i int) int {
	for _, told := range r.times {
		if i < len(r.s.tokens) && told.Start == r.s.at(i).start {
			for i < len(r.s.tokens) && r.s.at(i).start < told.End {
				i++
			}
			return i
		}
	}
	return i
}

// clauses reads the sentence clause by clause.
func (r *reader) clauses() {
	var subject *party
	joined := false // the clause begins with "and" or "but" and may do without a subject
	for i := 0; i < len(r.s.tokens); {
		i = r.opening(i)
		if i >= len(r.s.tokens) {
			return
		}
		if next, ok := r.attribute(i); ok {
			i, joined, subject = r.boundary(next), r.joins(next), nil
			continue
		}
		if next, ok := r.appointment(i); ok {
			i = r.boundary(next)
			continue
		}
		next := i
		if who, behind, ok := r.subject(i); ok {
			subject = &who
			behind = r.aside(who, behind)
			next, _ = r.predicate(who, behind)
		} else if joined && subject != nil {
			next, _ = r.predicate(*subject, i)
		} else {
			subject = nil
		}
		next = max(next, i)
		end := r.toBoundary(next)
		i, joined = r.boundary(end), r.joins(end)
	}
}

// opening skips what may stand before a subject.
func (r *reader) opening(i int) int {
	for i < len(r.s.tokens) {
		t := r.s.at(i)
		switch next := r.afterTime(i); {
		case next > i:
			i = next
		case r.s.match(i, "by", "the", "way"), r.s.match(i, "keep", "in", "mind"):
			i += 3
		case r.s.match(i, "remember|note|know", "that|:|,"):
			i += 2
		case r.s.match(i, "remember|note", "i|my|our"):
			i++
		case r.s.match(i, "dear|hi|hello|hey") && r.s.at(i+1).word && r.s.match(i+2, ",|!|-|."):
			i += 3
		case t.word && openers[t.low] && !(isUpper(t.raw) && i > 0 && firstNames[t.low]), !t.word && t.low != `"`:
			i++
		case t.word && digits(t.raw) && r.s.match(i+1, ".|)"):
			i += 2
		default:
			return i
		}
	}
	return i
}

const boundaries = "|,|;|:|-|–|—|(|)|and|but|so|because|!|.|"

// toBoundary is the next token at which a clause may end.
func (r *reader) toBoundary(i int) int {
	for i < len(r.s.tokens) && !strings.Contains(boundaries, "|"+r.s.low(i)+"|") {
		i++
	}
	return i
}

// boundary is behind the boundary at i.
func (r *reader) boundary(i int) int {
	i = r.toBoundary(i)
	for i < len(r.s.tokens) && strings.Contains(boundaries, "|"+r.s.low(i)+"|") {
		i++
	}
	return i
}

// joins reports whether the boundary at i leads to a clause that may share the subject.
func (r *reader) joins(i int) bool {
	return r.s.match(i, "and|but") || r.s.match(i, ",", "and|but")
}

// possessor reads "my", "our", "your", "Anna's", "my wife's" at i.
func (r *reader) possessor(i int) (owner knowledge.Mention, next int, ok bool) {
	switch r.s.low(i) {
	case "my", "our":
		return r.speaker, i + 1, r.hasSpeaker
	case "your":
		return r.addressee, i + 1, r.addressee.Name != ""
	case "his", "her":
		if r.last != nil && !r.crowded {
			return *r.last, i + 1, true
		}
		return owner, i, false
	}
	name, next := r.s.person(i)
	if name.empty() || r.s.low(next) != "'s" {
		return owner, i, false
	}
	return r.mention(name, "person"), next + 1, true
}

// relative reads a kind of relative behind a possessor, with its qualities.
func (r *reader) relative(i int) (kind string, next int) {
	for r.s.at(i).word && kinQualities[r.s.low(i)] {
		i++
	}
	if w := r.s.low(i); kin[w] != "" || pets[w] {
		return w, i + 1
	}
	return "", i
}

// relatives states whose wife, brother or dog is named wherever the sentence does: even a question takes that for
// granted.
func (r *reader) relatives() {
	s := r.s
	for i := 0; i < len(s.tokens); i++ {
		from := i
		owner, j, ok := r.possessor(i)
		if !ok && s.match(i, "his|her") && i > 1 && s.match(i-1, "and") { // "Laura and her brother Max"
			k := i - 2
			for k > 0 && s.at(k-1).upper() {
				k--
			}
			if name, next := s.person(k); !name.empty() && next == i-1 {
				owner, j, ok, from = r.mention(name, "person"), i+1, true, k
			}
		}
		if !ok {
			continue
		}
		kind, j := r.relative(j)
		if kind == "" {
			continue
		}
		if s.match(j, ",") && s.at(j+1).upper() && !s.match(j+2, "and|'s") {
			if name, next := s.person(j + 1); !name.empty() && s.match(next, ",|.") {
				r.related(owner, kind, []run{name}, from)
			}
			continue
		}
		read := func(i int) (run, int) { return s.person(i) }
		if !s.at(j).upper() {
			continue
		}
		if strings.HasSuffix(kind, "s") || kind == "children" {
			names, _ := s.list(j, read)
			r.related(owner, kind, names, from)
		} else if name, _ := s.person(j); !name.empty() {
			r.related(owner, kind, []run{name}, from)
		}
	}
}

// related states the relation between an owner and the relatives, friends or pets that are named.
func (r *reader) related(owner knowledge.Mention, kind string, names []run, from int) {
	for _, name := range names {
		if pets[kind] {
			r.say(pending{Statement: knowledge.Statement{Kind: knowledge.Told, Subject: owner, Relation: "has_pet",
				Object: r.mention(name, "animal"), Confidence: .9}}, from, name.to)
			continue
		}
		one := r.mention(name, "person")
		r.relativesNamed[relativeKey(owner, kind)] = one
		r.say(pending{Statement: knowledge.Statement{Kind: knowledge.Told, Subject: owner, Relation: kin[kind], Object: one,
			Negated: strings.HasPrefix(kind, "ex-"), Confidence: .9}}, from, name.to)
	}
}

func relativeKey(owner knowledge.Mention, kind string) string {
	return strings.ToLower(owner.Name) + " " + kind
}

// subject reads who a clause is about.
func (r *reader) subject(i int) (party, int, bool) {
	s := r.s
	switch s.low(i) {
	case "i", "we":
		if who := (party{Mention: r.speaker, from: i, named: true}); r.hasSpeaker {
			return who, i + 1, true
		}
		return party{}, i, false
	case "you":
		if r.addressee.Name != "" {
			return party{Mention: r.addressee, from: i, named: true}, i + 1, true
		}
		return party{}, i, false
	case "he", "she":
		if r.last != nil && !r.crowded {
			return party{Mention: *r.last, from: i, named: true}, i + 1, true
		}
		return party{}, i, false
	}
	if owner, j, ok := r.possessor(i); ok {
		kind, j := r.relative(j)
		if kind == "" {
			return party{}, i, false
		}
		who := party{from: i, kin: kind, owner: &owner}
		if s.match(j, ",") && s.at(j+1).upper() {
			j++
		}
		typ := "person"
		if pets[kind] {
			typ = "animal"
		}
		if name, next := s.person(j); !name.empty() {
			who.Mention, who.named = r.mention(name, typ), true
			r.meet(who.Mention)
			if s.match(next, ",") && s.at(j-1).low == "," {
				next++
			}
			if s.match(next, "and", "i") {
				return party{Mention: r.speaker, from: i, named: true}, next + 2, r.hasSpeaker
			}
			return who, next, s.low(next) != "'s" || verbAfter(s, next)
		}
		if known, ok := r.relativesNamed[relativeKey(owner, kind)]; ok {
			known.Start, known.End = s.at(i).start, s.at(j-1).end
			who.Mention, who.named = known, true
			r.meet(known)
		} else {
			who.Mention = knowledge.Mention{Name: owner.Name + "'s " + kind, Type: typ, Start: s.at(i).start, End: s.at(j - 1).end}
		}
		return who, j, true
	}
	name, next := s.person(i)
	if name.empty() || !r.isPerson(name, i) {
		return party{}, i, false
	}
	who := party{Mention: r.mention(name, "person"), from: i, named: true}
	if s.match(next, ",", "my|our") { // "Anna, my wife, …"
		if owner, j, ok := r.possessor(next + 1); ok {
			if kind, j := r.relative(j); kind != "" && s.match(j, ",") {
				r.related(owner, kind, []run{name}, i)
				next = j + 1
			}
		}
	}
	for s.match(next, "and") {
		j := next + 1
		if owner, k, ok := r.possessor(j); ok && s.match(j, "my|our|his|her") {
			_ = owner
			if _, l := r.relative(k); l > k {
				j = l
			}
		} else if s.match(j, "his|her") {
			if _, l := r.relative(j + 1); l > j+1 {
				j = l
			}
		}
		other, behind := s.person(j)
		if other.empty() {
			break
		}
		who.many = append(who.many, r.mention(other, "person"))
		next = behind
	}
	r.meet(who.Mention)
	if len(who.many) > 0 {
		r.crowded = true
	}
	return who, next, true
}

func verbAfter(s *sentence, i int) bool { return s.match(i, "'s") && !s.at(i+1).upper() }

// isPerson reports whether a name at the head of a clause is a person's: two words that are no organisation's, a common
// given name, or a name the memory writes elsewhere without need.
func (r *reader) isPerson(name run, i int) bool {
	first, last := r.s.low(name.from), r.s.low(name.to-1)
	if orgSuffixes[last] || languages[first] || places[strings.ToLower(r.s.written(name.from, name.to))] {
		return false
	}
	if name.from > i { // behind a title or label
		return true
	}
	written := r.s.written(name.from, name.to)
	if strings.EqualFold(written, r.speaker.Name) || r.speakers[strings.ToLower(written)] || firstNames[first] {
		return true
	}
	if name.to-name.from > 1 {
		for k := name.from; k < name.to; k++ {
			if w := r.s.low(k); jobs[w] || events[w] || text.StopWord(w) || text.Filler(w) || strings.ToUpper(r.s.at(k).raw) == r.s.at(k).raw && len(w) > 2 {
				return false
			}
		}
		return name.to-name.from < 4
	}
	return r.persons[strings.ToLower(written)]
}

// meet remembers whom "he" and "she" of the next clause mean: the only one there is.
func (r *reader) meet(m knowledge.Mention) {
	if m.Type != "person" || strings.EqualFold(m.Name, r.speaker.Name) {
		return
	}
	r.crowded = r.crowded || r.last != nil && !strings.EqualFold(r.last.Name, m.Name)
	r.last = &m
}

// aside reads "who …" between commas and returns what is behind it.
func (r *reader) aside(who party, i int) int {
	if !r.s.match(i, ",", "who") {
		return i
	}
	r.predicate(who, i+2)
	for j := i + 2; j < len(r.s.tokens); j++ {
		if r.s.low(j) == "," {
			return j + 1
		}
	}
	return len(r.s.tokens)
}

var phone = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[+(]?\d[\d ()/.-]{4,20}\d`) })

var attributeQualities = words("new old work private personal mobile cell home current business direct office main")

// attribute reads "my email is …", "Anna's phone number is …", "my favourite colour is …", "my name is …".
func (r *reader) attribute(i int) (int, bool) {
	s := r.s
	if s.match(i, "you", "can", "reach|contact|email|mail|call", "me") && r.hasSpeaker {
		return r.contact(r.speaker, i, i+4, "at|on|via|under|by")
	}
	owner, j, ok := r.possessor(i)
	if !ok {
		return i, false
	}
	kind, k := r.relative(j)
	if kind != "" && s.match(k, "'s") {
		j = k + 1
		if s.match(j, "name", "is|was|'s") {
			if name, next := s.person(j + 2); !name.empty() {
				r.related(owner, kind, []run{name}, i)
				r.last, r.crowded = nil, false
				if !pets[kind] {
					r.meet(r.mention(name, "person"))
				}
				return next, true
			}
			return i, false
		}
		if known, ok := r.relativesNamed[relativeKey(owner, kind)]; ok {
			owner = known
		} else {
			owner = knowledge.Mention{Name: owner.Name + "'s " + kind, Type: "person", Start: s.at(i).start, End: s.at(k - 1).end}
		}
	}
	if s.match(j, "favourite|favorite") {
		noun := j + 1
		for noun < len(s.tokens) && s.at(noun).word && !s.match(noun, "is|are|was|'s") {
			noun++
		}
		if noun == j+1 || noun > j+3 || !s.match(noun, "is|are|'s") {
			return i, false
		}
		value := noun + 1
		if s.match(value, "the") {
			value++
		}
		relation := snake("favourite_" + strings.ToLower(s.written(j+1, noun)))
		if object, next := s.thing(value); !object.empty() && relation != "" {
			r.say(r.valued(knowledge.Preference, owner, relation, object, .9), i, object.to)
			return next, true
		}
		return i, false
	}
	if s.match(j, "name", "is|'s") {
		if name, next := s.person(j + 2); !name.empty() {
			r.named(owner, name, i)
			return next, true
		}
		return i, false
	}
	if s.match(j, "birthday", "is|'s") || s.match(j, "date", "of", "birth", "is") {
		if told, ok := r.timeFrom(j + 2); ok && told.Date.Day > 0 && told.Fixed {
			r.say(r.dateOf(owner, "born_on", told), i, r.upTo(told.End))
			return r.upTo(told.End), true
		}
		return i, false
	}
	for s.at(j).word && attributeQualities[s.low(j)] {
		j++
	}
	switch {
	case s.match(j, "email|e-mail|mail|email-address"):
		if j++; s.match(j, "address") {
			j++
		}
	case s.match(j, "phone|telephone|mobile|cell|number"):
		if j++; s.match(j, "number") {
			j++
		}
	default:
		return i, false
	}
	if !s.match(j, "is|:|'s|=") {
		return i, false
	}
	for j++; adverbs[s.low(j)] || s.match(j, ":"); j++ {
	}
	return r.contact(owner, i, j, "")
}

// contact reads a mail address or a phone number at i.
func (r *reader) contact(owner knowledge.Mention, from, i int, behind string) (int, bool) {
	s := r.s
	if behind != "" {
		if !s.match(i, behind) {
			return from, false
		}
		i++
	}
	if i >= len(s.tokens) {
		return from, false
	}
	if t := s.at(i); t.low == text.Email {
		r.say(r.literal(knowledge.Told, owner, "email", knowledge.Mention{Name: t.raw, Type: "email", Start: t.start, End: t.end}, .95), from, i+1)
		return i + 1, true
	}
	start := s.at(i).start
	if number := phone().FindString(r.content[start:s.tokens[len(s.tokens)-1].end]); number != "" && countDigits(number) >= 6 {
		end := r.upTo(start + len(number))
		r.say(r.literal(knowledge.Told, owner, "phone", knowledge.Mention{Name: number, Type: "phone", Start: start, End: start + len(number)}, .9), from, end)
		return end, true
	}
	return from, false
}

func countDigits(s string) int {
	n := 0
	for i := range len(s) {
		if isDigit(s[i]) {
			n++
		}
	}
	return n
}

// upTo is the token behind byte end.
func (r *reader) upTo(end int) int {
	i := 0
	for i < len(r.s.tokens) && r.s.tokens[i].start < end {
		i++
	}
	return i
}

// appointment reads "the kickoff meeting is scheduled for 12 March 2024".
func (r *reader) appointment(i int) (int, bool) {
	s := r.s
	from := i
	if s.match(i, "the|our|my|this") {
		i++
	}
	j := i
	for j < len(s.tokens) && j-i < 4 && s.at(j).word && !events[s.low(j)] {
		j++
	}
	if !events[s.low(j)] || j-i > 3 {
		return i, false
	}
	for events[s.low(j)] {
		j++
	}
	name := run{i, j}
	for k := i; k < j-1; k++ {
		if stops[s.low(k)] || noThings[s.low(k)] && s.low(k) != "next" || s.match(k, "is|was|a|an|i|we|have|has") {
			if !s.match(k, "next|last") || k > i {
				return from, false
			}
		}
	}
	switch {
	case s.match(j, "is|was", "scheduled|planned|set", "for|on"):
		j += 3
	case s.match(j, "will", "be|start|begin", "on"):
		j += 3
	case s.match(j, "will", "take", "place", "on"):
		j += 4
	case s.match(j, "takes|took", "place", "on"):
		j += 3
	case s.match(j, "is|was|starts|begins|started|began", "on|from"):
		j += 2
	case s.match(j, "on"):
		j++
	default:
		return from, false
	}
	for _, told := range r.times {
		if told.Start == s.at(j).start && r.known(told) && told.Time.To.Sub(told.Time.From) <= 24*time.Hour {
			event := knowledge.Mention{Name: strings.ToLower(s.at(i).raw) + strings.TrimPrefix(s.written(name.from, name.to), s.at(i).raw), Type: "event", Start: s.at(i).start, End: s.at(name.to - 1).end}
			if s.at(i).upper() && !events[s.low(i)] {
				event.Name = s.written(name.from, name.to)
			}
			p := r.dateOf(event, "occurs_on", told)
			p.From, p.To = &told.Time.From, &told.Time.To
			r.say(p, from, r.upTo(told.End))
			return r.upTo(told.End), true
		}
	}
	return from, false
}
