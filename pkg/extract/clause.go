package extract

import (
	"slices"
	"strings"

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
func (r *reader) read(p passage, s *sentence) {
	if len(s.tokens) == 0 || len(s.tokens) > 160 {
		return
	}
	r.speaker, r.hasSpeaker = r.speakerOf(p.speaker)
	r.pending = r.pending[:0]
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

const boundaries = ",|;|:|-|–|—|(|)|and|but|so|because|!|."

// toBoundary is the next token at which a clause may end.
func (r *reader) toBoundary(i int) int {
	for i < len(r.s.tokens) && !oneOf(boundaries, r.s.low(i)) {
		i++
	}
	return i
}

// boundary is behind the boundary at i.
func (r *reader) boundary(i int) int {
	i = r.toBoundary(i)
	for i < len(r.s.tokens) && oneOf(boundaries, r.s.low(i)) {
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
		if severalOf(kind) {
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

// severalOf reports whether a kind of relatives or pets is a plural.
func severalOf(kind string) bool {
	one, plural := strings.CutSuffix(kind, "s")
	return kind == "children" || kind == "puppies" || plural && (kin[one] != "" || pets[one])
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
	if s.match(next, ",") && !s.match(next+1, "who|my|our") { // somebody is addressed
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
	if name.from > i { // behind a title or role
		return true
	}
	written := r.s.written(name.from, name.to)
	if strings.EqualFold(written, r.speaker.Name) || r.speakers[strings.ToLower(written)] || firstNames[first] {
		return true
	}
	if name.to-name.from > 1 {
		for k := name.from; k < name.to; k++ {
			if w := r.s.low(k); jobs[w] || events[w] || text.StopWord(w) || text.Filler(w) || strings.ToUpper(r.s.at(k).raw) == r.s.at(k).raw && len(w) > 2 || w == "ii" || !namelike(r.s.at(k).raw) {
				return false
			}
		}
		return name.to-name.from < 4
	}
	return r.persons[strings.ToLower(written)]
}

// namelike reports whether a capitalised word is written as names are: no digits, and capitals behind its hyphens.
func namelike(word string) bool {
	for part := range strings.SplitSeq(word, "-") {
		if !isUpper(part) || strings.ContainsAny(part, "0123456789") {
			return false
		}
	}
	return true
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

// upTo is the token behind byte end.
func (r *reader) upTo(end int) int {
	i := 0
	for i < len(r.s.tokens) && r.s.tokens[i].start < end {
		i++
	}
	return i
}
