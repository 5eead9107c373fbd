package extract

import (
	"strings"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/knowledge"
)

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
		if w := s.low(k); noThings[w] || verdicts[w] || predicates()[w] != nil || adverbs[w] || strings.HasSuffix(w, "ly") {
			return run{}, i
		}
	}
	return run{i, j}, j
}

// verdicts before an occupation tell how well somebody does something, not what he is.
var verdicts = words("good bad great terrible lousy decent amazing better best big real natural born fast slow horrible awful excellent poor wonderful fantastic brilliant careful nervous keen avid")

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
	name := s.name(i, "&|'s|of|the")
	if !name.empty() && s.match(name.to, "'s") && (!s.at(name.to+1).word || stops[s.low(name.to+1)]) { // "McDonald's"
		name.to++
	}
	return name
}

// place1 reads the name of a place at i, as far as a comma.
func (r *reader) place1(i int) run {
	s := r.s
	if s.match(i, "the") {
		i++
	}
	name := s.name(i, "")
	if !name.empty() && (utf8.RuneCountInString(s.at(name.to-1).raw) < 3 && name.to-name.from > 1 || r.isPersonName(name) || s.match(name.to, "'s") || languages[s.low(name.from)] && s.low(name.from) != "latin") {
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
func (r *reader) quits(who party, i int, jobOnly bool) (int, bool) {
	s := r.s
	sure := false
	if s.match(i, "my|her|his", "job|position|role", "at|with") {
		i, sure = i+3, true
	}
	org := r.organisation(i)
	if org.empty() || r.isPersonName(org) || places[strings.ToLower(s.written(org.from, org.to))] {
		return i, false
	}
	if !sure && jobOnly || !sure && !s.match(org.to, "in|and|last|after|.|!|this") && org.to < len(s.tokens) {
		return i, false
	}
	p := r.thingOf(who, "works_at", org, "organisation")
	p.Negated, p.timing = true, begins
	if !sure {
		p.Confidence = .75
	}
	return r.states(who, p, org.to), true
}

func (r *reader) learns(who party, v verb, i int) (int, bool) {
	s := r.s
	if !v.present() || v.form == "part" || v.form == "past" {
		return i, false
	}
	done := false
	if !s.match(i, "at") {
		subject, next := s.thing(i)
		if subject.empty() || s.match(subject.from, "for|hard|real|really|all") || s.match(subject.to-1, "hard|alone|abroad") || s.match(who.from, "we") {
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
