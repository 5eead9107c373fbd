package extract

import (
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/text"
)

var phone = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[+(]?\d[\d ()/.-]{4,20}\d`) })

var attributeQualities = words("new work private personal mobile cell home current business direct office main")

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
		if noun == j+1 || noun > j+3 || s.match(noun-1, "thing|part|one|time|way|moment|memory|ones|things") || !s.match(noun, "is|are|'s") {
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
	if s.match(j, "name", "is|'s") && !s.match(i, "his|her") { // whose? it is mostly somebody's who is named here first
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
