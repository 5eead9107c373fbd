package extract

import (
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
	does    bool
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
			v.does = s.low(i) == "does"
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
		if v.can && f["lemma"] != "speak" && f["lemma"] != "stand" || v.did || !v.agrees(r, who) {
			return i, false
		}
		return r.act(who, v, f["lemma"], i+1)
	}
	if v.be && !v.can && !v.did {
		return r.being(who, v, i)
	}
	return i, false
}

// agrees reports whether the verb's form is the subject's: what does not agree is no verb, or the subject is no name.
func (v verb) agrees(r *reader, who party) bool {
	switch r.s.low(who.from) {
	case "i", "we", "you":
		return v.form != "third"
	}
	several := len(who.many) > 0 || severalOf(who.kin)
	if who.Mention.Name == r.speaker.Name { // "my wife and I"
		return true
	}
	return several && v.form != "third" || !several && (v.form != "base" || v.does || v.usedTo || v.can)
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
			return r.quits(who, i, lemma == "quit")
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
		if v.change() && (s.match(i, "a|an|two|three|new|the") || s.match(i, "myself|ourselves", "a|an|two|three|new") || s.at(i).upper()) {
			j := i
			if s.match(j, "the|myself|ourselves") {
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
	if place.empty() || place.to-place.from == 1 && orgSuffixes[r.s.low(place.from)] || events[r.s.low(place.to)] || r.s.at(place.to).word && !stops[r.s.low(place.to)] && !r.s.match(place.to, "twice|once") && r.afterTime(place.to) == place.to {
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
	for j < len(s.tokens) && s.at(j).word && j-i < 12 && r.afterTime(j) == j && !s.match(j, "because|so|but|and|when|while|since|if|soon|again|with") {
		j++
	}
	for j > i && stops[s.low(j-1)] { // "in", before the time
		j--
	}
	if j == i || s.points(i, j) || pointers[s.low(j)] || j-i == 12 || s.low(j) == `"` {
		return i, false
	}
	p := r.literal(knowledge.Told, who.Mention, "plans_to", knowledge.Mention{Name: s.written(i, j), Start: s.at(i).start, End: s.at(j - 1).end}, .85)
	p.timing = happens
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
