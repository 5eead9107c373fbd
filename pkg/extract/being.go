package extract

import (
	"strconv"
	"strings"

	"github.com/rae-memory/rae/pkg/knowledge"
)

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
	} else if next < len(s.tokens) && !s.match(next, ".|,|!|and|now|but|;|today") && !(turned && (s.match(next, "on|in|recently") || r.afterTime(next) > next)) {
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
		// "from Google" is no place: only what is known to be one, or is said with more of an address
		if place := r.place1(i + 1); !place.empty() && (places[strings.ToLower(s.written(place.from, place.to))] || s.match(i-1, "originally") || s.match(place.to, ",") && s.at(place.to+1).upper()) {
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
	if job.empty() || s.match(i, "the") && !s.match(next, "of|at|for") { // "the driver", today
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
