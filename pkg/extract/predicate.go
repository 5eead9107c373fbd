package extract

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rae-memory/rae/pkg/knowledge"
)

// verb is a clause's verb with what stands around it.
type verb struct {
	form    string // as predicates names it: base, third, past, part or ing
	at      int    // its token
	neg     bool   // "don't", "no longer", "isn't"
	usedTo  bool
	perfect bool // "have worked", "have been working"
	be      bool // a form of be: "is", "have been"
	was     bool
	did     bool
	can     bool
}

// present reports that the clause tells of now: "works", "is working", "has worked".
func (v verb) present() bool {
	switch v.form {
	case "base":
		return !v.did && !v.be && !v.perfect || v.usedTo
	case "third":
		return !v.be && !v.perfect
	case "ing":
		return v.be && !v.was
	}
	return v.perfect && !v.neg
}

// change reports that the clause tells of something that has happened: "moved", "has moved".
func (v verb) change() bool {
	return !v.neg && !v.usedTo && !v.be && (v.form == "past" || v.perfect && v.form == "part")
}

// gone reports that what the clause says is not, or no longer so.
func (v verb) gone() bool { return v.neg || v.usedTo }

// predicates are the verbs that the rules read, by every form. A form may be past and participle in one: it is a
// participle behind "have".
var predicates = sync.OnceValue(func() map[string]map[string]string {
	all := map[string]map[string]string{}
	for line := range strings.Lines(`work works worked worked working
live lives lived lived living
reside resides resided resided residing
move moves moved moved moving
relocate relocates relocated relocated relocating
join joins joined joined joining
start starts started started starting
leave leaves left left leaving
quit quits quit quit quitting
teach teaches taught taught teaching
like likes liked liked -
love loves loved loved -
enjoy enjoys enjoyed enjoyed enjoying
adore adores adored adored -
dislike dislikes disliked disliked -
hate hates hated hated -
detest detests detested detested -
loathe loathes loathed loathed -
stand stands stood stood -
prefer prefers preferred preferred -
speak speaks spoke spoken -
study studies studied studied studying
have has had had -
own owns owned owned -
get gets got got -
adopt adopts adopted adopted -
buy buys bought bought -
purchase purchases purchased purchased -
visit visits visited visited -
go goes went gone -
fly flies flew flown -
travel travels travelled travelled -
travel travels traveled traveled -
plan plans planned planned planning
intend intends intended intended intending
marry marries married married -
turn turns turned turned -
grow grows grew grown -
weigh weighs weighed weighed -`) {
		f := strings.Fields(line)
		for i, form := range []string{"base", "third", "past", "part", "ing"} {
			if f[i] == "-" {
				continue
			}
			if all[f[i]] == nil {
				all[f[i]] = map[string]string{"lemma": f[0]}
			}
			all[f[i]][form] = "yes"
		}
	}
	return all
})

// predicate reads what a clause says of who, from token i on. It returns the token behind what it has read.
func (r *reader) predicate(who party, i int) (int, bool) {
	s := r.s
	v := verb{}
	for ; i < len(s.tokens); i++ {
		switch s.low(i) {
		case "am", "are", "is", "'s":
			if s.low(i) == "'s" && s.match(i+1, "been|got") {
				v.perfect = true
				continue
			}
			v.be = true
			continue
		case "was", "were":
			v.be, v.was = true, true
			continue
		case "been":
			v.be = true
			continue
		case "have", "has":
			next := i + 1
			for adverbs[s.low(next)] || s.match(next, "not|never|recently") {
				next++
			}
			if f := predicates()[s.low(next)]; f["part"] != "" || s.match(next, "been") {
				v.perfect = true
				continue
			}
		case "do", "does":
			v.did = false
			if s.match(i+1, "not") || predicates()[s.low(i+1)]["base"] != "" {
				continue
			}
		case "did":
			v.did = true
			continue
		case "not":
			v.neg = true
			continue
		case "no":
			if s.match(i+1, "longer") {
				v.neg = true
				i++
				continue
			}
		case "used":
			if s.match(i+1, "to") && !v.be {
				v.usedTo = true
				i++
				continue
			}
		case "can", "cannot":
			v.can = true
			v.neg = v.neg || s.low(i) == "cannot"
			continue
		case "never", "will", "would", "could", "might", "may", "should", "must", "shall", "had", "ought", "need":
			return i, false
		}
		if adverbs[s.low(i)] {
			continue
		}
		break
	}
	if i >= len(s.tokens) {
		return i, false
	}
	v.at = i
	low := s.low(i)
	if f := predicates()[low]; f != nil && !(v.be && f["ing"] == "") {
		for _, form := range []string{"part", "past", "third", "base", "ing"} {
			if f[form] != "" && (form != "part" || v.perfect) && (form != "past" || f["base"] == "" || !v.did && !v.usedTo) {
				v.form = form
				break
			}
		}
		if v.form == "past" && f["base"] != "" && low != "quit" {
			v.form = "base"
		}
		if v.can && f["lemma"] != "speak" && f["lemma"] != "stand" || v.did {
			return i, false
		}
		return r.act(who, v, f["lemma"], i+1)
	}
	if v.be && !v.can && !v.did {
		return r.being(who, v, i)
	}
	return i, false
}

// states keeps a statement about who and those told with him.
func (r *reader) states(who party, p pending, next int) int {
	r.say(p, who.from, next)
	for _, other := range who.many {
		p.Subject = other
		r.say(p, who.from, next)
	}
	return next
}

// timed sets negation and what a time would mean: a state's bounds, or its beginning where v changes it.
func timed(p pending, v verb) pending {
	p.Negated = v.gone()
	switch {
	case v.form == "past":
		p.timing = held
	default:
		p.timing = holds
	}
	return p
}

// thingOf is a statement about a named thing of that type.
func (r *reader) thingOf(who party, relation string, name run, typ string) pending {
	return pending{Statement: knowledge.Statement{Kind: knowledge.Told, Subject: who.Mention, Relation: relation, Object: r.mention(name, typ), Confidence: .9}}
}

// act reads what stands behind a verb.
func (r *reader) act(who party, v verb, lemma string, i int) (int, bool) {
	s := r.s
	switch lemma {
	case "work":
		return r.works(who, v, i)
	case "teach":
		if v.present() && s.match(i, "at") {
			if org := r.organisation(i + 1); !org.empty() {
				return r.states(who, timed(r.thingOf(who, "works_at", org, "organisation"), v), org.to), true
			}
		}
	case "live", "reside":
		if (v.present() || v.form == "past" && !v.neg) && s.match(i, "in|at") {
			if place := r.place1(i + 1); !place.empty() {
				p := timed(r.thingOf(who, "lives_in", place, "place"), v)
				return r.states(who, r.wider(p, place), place.to), true
			}
		}
	case "move", "relocate":
		if !v.change() {
			break
		}
		j := i
		if s.match(j, "back|over") {
			j++
		}
		if s.match(j, "from") {
			if from := r.place1(j + 1); !from.empty() {
				j = from.to
			}
		}
		if s.match(j, "to") {
			if place := r.place1(j + 1); !place.empty() {
				p := r.thingOf(who, "lives_in", place, "place")
				p.timing = begins
				return r.states(who, r.wider(p, place), place.to), true
			}
		}
	case "join":
		if v.change() {
			if org := r.organisation(i); !org.empty() && !r.isPersonName(org) && !places[strings.ToLower(s.written(org.from, org.to))] {
				p := r.thingOf(who, "works_at", org, "organisation")
				p.timing, p.Confidence = begins, .75
				return r.states(who, p, org.to), true
			}
		}
	case "start", "get":
		if v.change() {
			if next, ok := r.hired(who, i, lemma); ok {
				return next, true
			}
			if lemma == "get" {
				if s.match(i, "married", "to") {
					return r.weds(who, i+2)
				}
				return r.keeps(who, v, i, begins)
			}
		}
	case "leave", "quit":
		if v.change() {
			return r.quits(who, i)
		}
	case "like", "love", "enjoy", "adore":
		if v.present() && (v.form == "base" || v.form == "third" || v.form == "ing") && !v.usedTo {
			relation := "likes"
			if v.neg {
				relation = "dislikes"
			}
			return r.tastes(who, relation, i)
		}
	case "dislike", "hate", "detest", "loathe":
		if (v.form == "base" || v.form == "third") && !v.gone() {
			return r.tastes(who, "dislikes", i)
		}
	case "stand":
		if v.can && v.neg {
			return r.tastes(who, "dislikes", i)
		}
	case "prefer":
		if (v.form == "base" || v.form == "third") && !v.gone() {
			if object, next := s.thing(i); !object.empty() {
				return r.states(who, r.valued(knowledge.Preference, who.Mention, "prefers", object, .9), next), true
			}
		}
	case "speak":
		if (v.form == "base" || v.form == "third") && !v.usedTo {
			return r.speaksOf(who, v, i)
		}
	case "study":
		return r.learns(who, v, i)
	case "have":
		if (v.form == "base" || v.form == "third") && !v.gone() {
			return r.keeps(who, v, i, holds)
		}
	case "adopt":
		if v.change() {
			return r.keeps(who, v, i, begins)
		}
	case "own":
		if v.present() && s.match(i, "a|an|the|two|three") || s.at(i).upper() {
			if object, next := s.thing(i); !object.empty() {
				return r.states(who, timed(r.valued(knowledge.Told, who.Mention, "owns", object, .85), v), next), true
			}
		}
	case "buy", "purchase":
		if v.change() && (s.match(i, "a|an|two|three|new|the") || s.at(i).upper()) {
			j := i
			if s.match(j, "the") {
				j++
			}
			if object, next := s.thing(j); !object.empty() {
				p := r.valued(knowledge.Told, who.Mention, "bought", object, .9)
				p.timing = happens
				return r.states(who, p, next), true
			}
		}
	case "visit":
		if v.change() {
			return r.travels(who, i)
		}
	case "go", "fly", "travel":
		if v.change() && s.match(i, "to") {
			return r.travels(who, i+1)
		}
	case "plan", "intend":
		if v.present() && !v.neg && !v.perfect && s.match(i, "to") {
			return r.plans(who, i+1)
		}
	case "marry":
		if v.change() {
			return r.weds(who, i)
		}
	case "turn":
		if v.change() {
			return r.ages(who, i, true)
		}
	case "grow":
		if v.change() && s.match(i, "up", "in") {
			if place := r.place1(i + 2); !place.empty() {
				return r.states(who, r.thingOf(who, "comes_from", place, "place"), place.to), true
			}
		}
	case "weigh":
		if v.present() && !v.neg {
			return r.measures(who, i, "weight")
		}
	}
	return i, false
}

// works reads "as an analyst at Siemens" in either order.
func (r *reader) works(who party, v verb, i int) (int, bool) {
	s := r.s
	if !v.present() && (v.form != "past" || v.neg) {
		return i, false
	}
	done := false
	for i < len(s.tokens) {
		switch {
		case s.match(i, "as"):
			job, next := r.job(i + 1)
			if job.empty() {
				return i, done
			}
			r.states(who, timed(r.jobOf(who, job), v), job.to)
			i, done = next, true
		case s.match(i, "at|for"):
			org := r.organisation(i + 1)
			if org.empty() || s.match(i, "for") && r.isPersonName(org) {
				return i, done
			}
			r.states(who, timed(r.thingOf(who, "works_at", org, "organisation"), v), org.to)
			i, done = org.to, true
		default:
			return i, done
		}
	}
	return i, done
}

func (r *reader) isPersonName(name run) bool {
	first := r.s.low(name.from)
	return firstNames[first] && !orgSuffixes[r.s.low(name.to-1)] || r.persons[strings.ToLower(r.s.written(name.from, name.to))]
}

func (r *reader) jobOf(who party, job run) pending {
	p := r.valued(knowledge.Told, who.Mention, "job_title", job, .85)
	p.Literal = true
	return p
}

// job reads an occupation: "a senior data analyst", "the CEO", "head of sales".
func (r *reader) job(i int) (run, int) {
	s := r.s
	if s.match(i, "a|an|the|our|their") {
		i++
	}
	j := i
	for ; j < len(s.tokens) && j-i < 5 && s.at(j).word && !stops[s.low(j)] && !s.match(j, "of|a|an|the|is|'s|not"); j++ {
	}
	if j > i && s.match(j, "of") && jobHeads[s.low(j-1)] && s.at(j+1).word && !noThings[s.low(j+1)] && !s.at(j+1).upper() {
		return run{i, j + 2}, j + 2
	}
	if j == i || !isJob(s.low(j-1)) {
		return run{}, i
	}
	for k := i; k < j-1; k++ {
		if w := s.low(k); noThings[w] || predicates()[w] != nil || adverbs[w] || strings.HasSuffix(w, "ly") {
			return run{}, i
		}
	}
	return run{i, j}, j
}

// isJob tells occupations from other nouns by the list alone: endings like "-er" are as often a "beginner" or a "winner".
func isJob(word string) bool {
	if jobs[word] || jobHeads[word] {
		return true
	}
	head := word[strings.LastIndexByte(word, '-')+1:]
	return jobs[head]
}

// organisation reads a name of one at i.
func (r *reader) organisation(i int) run {
	s := r.s
	if s.match(i, "the") {
		i++
	}
	return s.name(i, "& 's of the and-")
}

// place1 reads the name of a place at i, as far as a comma.
func (r *reader) place1(i int) run {
	s := r.s
	if s.match(i, "the") {
		i++
	}
	name := s.name(i, "")
	if !name.empty() && (r.isPersonName(name) || s.match(name.to, "'s") || languages[s.low(name.from)] && s.low(name.from) != "latin") {
		return run{}
	}
	return name
}

// wider gives a place the name it has with what it lies in: "Portland, Oregon".
func (r *reader) wider(p pending, place run) pending {
	s := r.s
	if s.match(place.to, ",") {
		if outer := s.name(place.to+1, ""); !outer.empty() && !s.match(outer.to, "and|is|'s|lives|works") && !firstNames[s.low(outer.from)] {
			p.Object.Aliases = []string{p.Object.Name + ", " + s.written(outer.from, outer.to)}
		}
	}
	return p
}

// hired reads "a new job as a data analyst at Booking", "working at Booking".
func (r *reader) hired(who party, i int, lemma string) (int, bool) {
	s := r.s
	if lemma == "start" && s.match(i, "working") {
		i++
	} else {
		if s.match(i, "a|an|my|the") {
			i++
		}
		if s.match(i, "new|first|great|dream") {
			i++
		}
		if !s.match(i, "job|position|role|internship") {
			return i, false
		}
		i++
	}
	done := false
	for {
		switch {
		case s.match(i, "as"):
			job, next := r.job(i + 1)
			if job.empty() {
				return i, done
			}
			p := r.jobOf(who, job)
			p.timing = begins
			r.states(who, p, job.to)
			i, done = next, true
		case s.match(i, "at|with|for"):
			org := r.organisation(i + 1)
			if org.empty() {
				return i, done
			}
			p := r.thingOf(who, "works_at", org, "organisation")
			p.timing = begins
			r.states(who, p, org.to)
			i, done = org.to, true
		default:
			return i, done
		}
	}
}

// quits reads "my job at Starbucks", "Nokia".
func (r *reader) quits(who party, i int) (int, bool) {
	s := r.s
	sure := false
	if s.match(i, "my|her|his", "job|position|role", "at|with") {
		i, sure = i+3, true
	}
	org := r.organisation(i)
	if org.empty() || r.isPersonName(org) || places[strings.ToLower(s.written(org.from, org.to))] {
		return i, false
	}
	if !sure && !s.match(org.to, "in|and|last|after|.|!|this") && org.to < len(s.tokens) {
		return i, false
	}
	p := r.thingOf(who, "works_at", org, "organisation")
	p.Negated, p.timing = true, begins
	if !sure {
		p.Confidence = .75
	}
	return r.states(who, p, org.to), true
}

// tastes reads what somebody likes or dislikes.
func (r *reader) tastes(who party, relation string, i int) (int, bool) {
	s := r.s
	if s.match(i, "to") { // "to swim"
		j := i + 1
		for j < len(s.tokens) && s.at(j).word && !stops[s.low(j)] && j-i < 6 {
			j++
		}
		if j == i+1 || noThings[s.low(j-1)] || s.match(i+1, "be|have|see|hear|know|think|say") {
			return i, false
		}
		return r.states(who, r.preference(who, relation, run{i + 1, j}), j), true
	}
	things, next := s.list(i, s.thing)
	for _, thing := range things {
		if named := s.written(thing.from, thing.to); r.persons[strings.ToLower(named)] || firstNames[strings.ToLower(named)] {
			continue
		}
		r.states(who, r.preference(who, relation, thing), thing.to)
	}
	return next, len(things) > 0
}

func (r *reader) preference(who party, relation string, object run) pending {
	return r.valued(knowledge.Preference, who.Mention, relation, object, .9)
}

func (r *reader) speaksOf(who party, v verb, i int) (int, bool) {
	s := r.s
	read := func(i int) (run, int) {
		for s.match(i, "fluent|some|basic|good|native|a|little|bit|of|perfect|excellent") {
			i++
		}
		if languages[s.low(i)] && isUpper(s.at(i).raw) {
			return run{i, i + 1}, i + 1
		}
		return run{}, i
	}
	spoken, next := s.list(i, read)
	for _, language := range spoken {
		p := r.thingOf(who, "speaks", language, "language")
		p.Negated = v.neg
		r.states(who, p, language.to)
	}
	return next, len(spoken) > 0
}

func (r *reader) learns(who party, v verb, i int) (int, bool) {
	s := r.s
	if !v.present() {
		return i, false
	}
	done := false
	if !s.match(i, "at") {
		subject, next := s.thing(i)
		if subject.empty() || s.match(subject.from, "for|hard") {
			return i, false
		}
		p := timed(r.valued(knowledge.Told, who.Mention, "studies", subject, .85), v)
		p.Literal = true
		r.states(who, p, next)
		i, done = next, true
	}
	if s.match(i, "at") {
		if org := r.organisation(i + 1); !org.empty() {
			return r.states(who, timed(r.thingOf(who, "studies_at", org, "organisation"), v), org.to), true
		}
	}
	return i, done
}

// keeps reads pets: "a dog named Rex", "two cats, Tom and Jerry".
func (r *reader) keeps(who party, _ verb, i int, at timing) (int, bool) {
	s := r.s
	counted := s.match(i, "a|an|two|three|four|one|our|my|another")
	j := i + 1
	for j < i+4 && s.at(j).word && !pets[s.low(j)] && !stops[s.low(j)] {
		j++
	}
	if !counted || !pets[s.low(j)] {
		return i, false
	}
	kind := run{j, j + 1}
	k := j + 1
	if s.match(k, "named|called") || s.match(k, ",|:") && s.at(k+1).upper() {
		if names, next := s.list(k+1, func(i int) (run, int) { return s.person(i) }); len(names) > 0 {
			for _, name := range names {
				p := r.thingOf(who, "has_pet", name, "animal")
				p.timing = at
				r.states(who, p, name.to)
			}
			return next, true
		}
	}
	if s.at(k).word && !stops[s.low(k)] { // "a dog bed"
		return i, false
	}
	p := r.literal(knowledge.Told, who.Mention, "has_pet", knowledge.Mention{Name: s.low(j), Type: "animal", Start: s.at(j).start, End: s.at(j).end}, .85)
	p.timing = at
	return r.states(who, p, kind.to), true
}

func (r *reader) travels(who party, i int) (int, bool) {
	place := r.place1(i)
	if place.empty() || events[r.s.low(place.to)] || r.s.at(place.to).word && !stops[r.s.low(place.to)] && !r.s.match(place.to, "twice|once") && r.afterTime(place.to) == place.to {
		return i, false
	}
	p := r.thingOf(who, "visited", place, "place")
	p.timing = happens
	return r.states(who, p, place.to), true
}

// plans reads what somebody plans to do, as far as its time.
func (r *reader) plans(who party, i int) (int, bool) {
	s := r.s
	j := i
	for j < len(s.tokens) && s.at(j).word && j-i < 12 && r.afterTime(j) == j && !s.match(j, "because|so|but|when|while|since|next|this|tomorrow|soon|again") &&
		(!s.match(j, "and|or|in|on|at|by") || r.afterTime(j+1) == j+1 && !s.match(j+1, "i|we|my|the") && !s.match(j, "and")) {
		j++
	}
	if j == i || noThings[s.low(j-1)] && j == i+1 {
		return i, false
	}
	p := r.literal(knowledge.Preference, who.Mention, "plans_to", knowledge.Mention{Name: s.written(i, j), Start: s.at(i).start, End: s.at(j - 1).end}, .85)
	p.Kind, p.timing = knowledge.Told, happens
	return r.states(who, p, j), true
}

func (r *reader) weds(who party, i int) (int, bool) {
	name, next := r.s.person(i)
	if name.empty() {
		return i, false
	}
	p := r.thingOf(who, "married_to", name, "person")
	p.timing = begins
	return r.states(who, p, next), true
}

// ages reads "34", "34 years old"; behind "turned" the number may be followed by a time.
func (r *reader) ages(who party, i int, turned bool) (int, bool) {
	s := r.s
	t := s.at(i)
	n, err := strconv.Atoi(t.raw)
	if err != nil || n < 1 || n > 120 {
		return i, false
	}
	next := i + 1
	if s.match(next, "years", "old") {
		next += 2
	} else if s.match(next, "years", "of", "age") {
		next += 3
	} else if s.match(next, "year", "old") {
		return i, false
	} else if next < len(s.tokens) && !s.match(next, ".|,|!|and|now|but|;|today") && !turned || turned && s.match(next, "in|to|of|%") {
		return i, false
	}
	p := r.literal(knowledge.Told, who.Mention, "age", knowledge.Mention{Name: t.raw, Start: t.start, End: t.end}, .9)
	if turned {
		p.timing = begins
	}
	return r.states(who, p, next), true
}

// measures reads "82 kg", "1.85 m tall".
func (r *reader) measures(who party, i int, relation string) (int, bool) {
	s := r.s
	t, unit := s.at(i), s.at(i+1)
	if t.raw == "" || !isDigit(t.raw[0]) {
		return i, false
	}
	end := i + 2
	switch {
	case relation == "weight" && s.match(i+1, "kg|kilos|pounds|lbs|kilograms"):
	case relation == "height" && s.match(i+1, "m|cm|metres|meters|feet", "tall"):
	default:
		return i, false
	}
	m := knowledge.Mention{Name: r.content[t.start:unit.end], Type: "quantity", Start: t.start, End: unit.end}
	return r.states(who, r.literal(knowledge.Told, who.Mention, relation, m, .9), end), true
}

// being reads what stands behind a form of "be".
func (r *reader) being(who party, v verb, i int) (int, bool) {
	s := r.s
	if s.match(i, "born") && v.was && !v.neg {
		return r.born(who, i+1)
	}
	if v.perfect && s.match(i, "to") && !v.neg {
		return r.travels(who, i+1)
	}
	if v.was && !s.match(i, "married", "to") {
		return i, false
	}
	for adverbs[s.low(i)] {
		i++
	}
	switch {
	case s.match(i, "called|named"):
		return r.called(who, v, i+1)
	case s.match(i, "married") && len(who.many) == 1 && !v.neg && !s.match(i+1, "to"):
		p := pending{Statement: knowledge.Statement{Kind: knowledge.Told, Subject: who.Mention, Relation: "married_to", Object: who.many[0], Confidence: .85}}
		r.say(p, who.from, i+1)
		return i + 1, true
	case s.match(i, "married|engaged", "to"):
		if name, next := s.person(i + 2); !name.empty() && !v.was {
			relation := "married_to"
			if s.match(i, "engaged") {
				relation = "engaged_to"
			}
			return r.states(who, timed(r.thingOf(who, relation, name, "person"), v), next), true
		}
		return i, false
	case s.match(i, "allergic", "to"):
		things, next := s.list(i+2, s.thing)
		for _, thing := range things {
			p := r.valued(knowledge.Told, who.Mention, "allergic_to", thing, .95)
			p.Negated = v.neg
			r.states(who, p, thing.to)
		}
		return next, len(things) > 0
	case diets[s.low(i)] || s.match(i, "a|an") && diets[s.low(i+1)]:
		if !diets[s.low(i)] {
			i++
		}
		if s.at(i+1).word && !stops[s.low(i+1)] {
			return i, false
		}
		t := s.at(i)
		p := r.literal(knowledge.Preference, who.Mention, "diet", knowledge.Mention{Name: t.low, Start: t.start, End: t.end}, .95)
		return r.states(who, timed(p, v), i+1), true
	case s.match(i, "from") && !v.neg:
		if place := r.place1(i + 1); !place.empty() {
			return r.states(who, r.thingOf(who, "comes_from", place, "place"), place.to), true
		}
		return i, false
	case s.match(i, "based", "in"):
		if place := r.place1(i + 2); !place.empty() {
			return r.states(who, r.wider(timed(r.thingOf(who, "lives_in", place, "place"), v), place), place.to), true
		}
		return i, false
	case s.match(i, "fluent", "in"):
		return r.speaksOf(who, v, i+2)
	case s.match(i, "planning", "to") && !v.neg:
		return r.plans(who, i+2)
	case s.match(i, "a", "fan|lover", "of"), s.match(i, "a", "big|huge|great", "fan|lover", "of"), s.match(i, "fond", "of"):
		relation := "likes"
		if v.neg {
			relation = "dislikes"
		}
		for !s.match(i, "of") {
			i++
		}
		return r.tastes(who, relation, i+1)
	case s.match(i, "my|our") && who.kin == "":
		if owner, j, ok := r.possessor(i); ok {
			if kind, next := r.relative(j); kind != "" && !pets[kind] && !s.at(next).upper() && s.low(next) != "'s" && !v.neg {
				r.say(pending{Statement: knowledge.Statement{Kind: knowledge.Told, Subject: owner, Relation: kin[kind], Object: who.Mention,
					Negated: strings.HasPrefix(kind, "ex-"), Confidence: .9}}, who.from, next)
				return next, true
			}
		}
		return i, false
	}
	if next, ok := r.measures(who, i, "height"); ok {
		if s.match(next, "tall") {
			next++
		}
		if s.match(next, "and", "weigh|weighs") {
			if after, ok := r.measures(who, next+2, "weight"); ok {
				next = after
			}
		}
		return next, true
	}
	if v.neg && isDigitAt(s, i) {
		return i, false
	}
	if next, ok := r.ages(who, i, false); ok {
		return next, true
	}
	if s.at(i).upper() && who.Mention.Name == r.speaker.Name && s.low(who.from) == "i" && !v.neg { // "I'm Greta"
		if name, next := s.person(i); !name.empty() && (firstNames[s.low(name.from)] || strings.EqualFold(s.written(name.from, name.to), r.speaker.Name)) && (next >= len(s.tokens) || s.match(next, ".|,|!|and|from")) {
			r.named(who.Mention, name, who.from)
			return next, true
		}
		return i, false
	}
	if !s.match(i, "a|an|the") || who.kin != "" && pets[who.kin] {
		return i, false
	}
	job, next := r.job(i)
	if job.empty() {
		return i, false
	}
	r.states(who, timed(r.jobOf(who, job), v), job.to)
	if s.match(next, "at|of|for|with") {
		if org := r.organisation(next + 1); !org.empty() && !r.isPersonName(org) && !places[strings.ToLower(s.written(org.from, org.to))] {
			return r.states(who, timed(r.thingOf(who, "works_at", org, "organisation"), v), org.to), true
		}
	}
	return next, true
}

func isDigitAt(s *sentence, i int) bool { return s.at(i).raw != "" && isDigit(s.at(i).raw[0]) }

// born reads "on 7 May 1990 in Warsaw" in either order.
func (r *reader) born(who party, i int) (int, bool) {
	s := r.s
	done := false
	for i < len(s.tokens) && s.match(i, "on|in") {
		if told, ok := r.timeFrom(i); ok && told.Start <= s.at(i+1).start && (told.Date.Year > 0 || told.Date.Day > 0) {
			p := r.literal(knowledge.Told, who.Mention, "born_on", knowledge.Mention{Name: r.dateName(told), Type: "date", Start: told.Start, End: told.End}, .95)
			if !told.Fixed { // a birthday without its year
				p.Object.Name = r.content[told.Start:told.End]
			}
			i = r.states(who, p, r.upTo(told.End))
			done = true
			continue
		}
		place := r.place1(i + 1)
		if place.empty() {
			return i, done
		}
		i = r.states(who, r.thingOf(who, "born_in", place, "place"), place.to)
		done = true
	}
	return i, done
}

// called reads a name: of the speaker, or of a relative that is named by it.
func (r *reader) called(who party, v verb, i int) (int, bool) {
	s := r.s
	if v.neg {
		return i, false
	}
	if who.kin == "" {
		if name, next := s.person(i); !name.empty() && s.low(who.from) == "i" {
			r.named(who.Mention, name, who.from)
			return next, true
		}
		return i, false
	}
	if who.named {
		return i, false
	}
	names, next := s.list(i, func(i int) (run, int) { return s.person(i) })
	r.related(*who.owner, who.kin, names, who.from)
	if len(names) == 1 && !pets[who.kin] {
		r.last, r.crowded = nil, false
		r.meet(r.mention(names[0], "person"))
	}
	return next, len(names) > 0
}

var wishVerbs = words(`answer reply respond write speak talk call address remind tell send ask use keep be give explain format show include avoid
	suggest recommend mention assume add start end sign translate summarise summarize offer bring`)

var aboutTheAgent = words(`answer answers reply replies respond response responses me your emoji emojis metric units bullet bullets concise brief short
	formal informal polite tone english german french spanish polish italian sentences markdown language celsius`)

// wish reads a standing instruction to the agent: "always answer in German", "please never …", "from now on …", "call me …".
func (r *reader) wish() bool {
	s := r.s
	role, _ := r.memory.Metadata["role"].(string)
	if !r.hasSpeaker || role != "" && !strings.EqualFold(role, "user") && !strings.EqualFold(role, "human") || s.low(len(s.tokens)-1) == "?" {
		return false
	}
	i, standing, never := 0, false, false
	for ; i < len(s.tokens); i++ {
		switch {
		case s.match(i, "please|,|hi|hello|hey|so|ok|okay|and|also|just"):
			continue
		case s.match(i, "from", "now", "on"):
			standing = true
			i += 2
			continue
		case s.match(i, "in", "future"):
			standing = true
			i++
			continue
		case s.match(i, "always"):
			standing = true
			continue
		case s.match(i, "never"):
			standing, never = true, true
			continue
		case s.match(i, "do", "not"):
			never = true
			i++
			continue
		case s.match(i, "remember|note", "to"):
			standing = true
			i++
			continue
		}
		break
	}
	if !s.at(i).word || !wishVerbs[s.low(i)] {
		return false
	}
	if s.match(i, "call", "me") && !never {
		if name, next := s.person(i + 2); !name.empty() && (next >= len(s.tokens) || s.match(next, ".|!|,|please|from|instead")) {
			p := r.literal(knowledge.Instruction, r.speaker, "preferred_name", r.mention(name, ""), .95)
			r.say(p, 0, next)
			return true
		}
		if !standing {
			return false
		}
	}
	end := i
	for end < len(s.tokens) && (s.at(end).word || s.match(end, "'")) && s.low(end) != "please" {
		end++
	}
	if k := end - 3; k > i && s.match(k, "from", "now", "on") {
		end, standing = k, true
	}
	for k := i; k < end; k++ {
		standing = standing || s.match(k, "every|each|again|whenever|anymore")
	}
	concerns := false
	for k := i; k < end; k++ {
		concerns = concerns || aboutTheAgent[s.low(k)] || s.match(k, "suggest|recommend|mention") && never
	}
	keep := s.match(i, "keep", "your|the|it|answers|replies") || s.match(i, "be", "concise|brief|formal|informal|polite")
	if end-i < 2 || !concerns || !standing && !never && !keep || never && !standing && s.match(i, "be|keep|bring|tell|call|call") {
		return false
	}
	for end > i && s.match(end-1, "and|but|,") {
		end--
	}
	p := r.literal(knowledge.Instruction, r.speaker, "wants_agent_to", knowledge.Mention{Name: s.written(i, end), Start: s.at(i).start, End: s.at(end - 1).end}, .9)
	p.Negated = never
	r.say(p, 0, end)
	return true
}

// readAbroad takes the plainest statements out of a sentence that is not English.
func (r *reader) readAbroad(p passage) {
	r.speaker, r.hasSpeaker = r.speakerOf(p.speaker)
	sentence := r.content[p.Start:p.End]
	if !r.hasSpeaker || strings.ContainsAny(sentence, `?"„“«`) || len(sentence) > 300 {
		return
	}
	lower := strings.Fields(strings.ToLower(sentence))
	if slices.ContainsFunc(lower, func(w string) bool { return unsureAbroad[strings.Trim(w, ",.!;:")] }) {
		return
	}
	r.pending = r.pending[:0]
	for _, rule := range abroad()[r.out.Language] {
		at := rule.pattern.FindStringSubmatchIndex(sentence)
		if at == nil {
			continue
		}
		name := sentence[at[2]:at[3]]
		object := knowledge.Mention{Name: name, Type: rule.typ, Start: p.Start + at[2], End: p.Start + at[3]}
		st := knowledge.Statement{Kind: knowledge.Told, Subject: r.speaker, Relation: rule.relation, Object: object, Literal: rule.typ == "",
			Confidence: .85, Start: p.Start + at[0], End: p.Start + at[1]}
		if rule.relation == "name" || !strings.EqualFold(st.Subject.Name, name) {
			r.keep(st)
		}
	}
}

var unsureAbroad = words(`wenn ob würde wäre könnte vielleicht nicht nie kein keine sagt sagte falls hätte früher si quizás quizá ojalá tal no nunca dice dijo antes
	peut-être ne pas jamais dit disait aurais serais jeśli może nie nigdy mówi powiedział gdyby czy`)
