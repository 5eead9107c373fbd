package extract

import (
	"strings"

	"github.com/rae-memory/rae/pkg/knowledge"
)

// tastes reads what somebody likes or dislikes.
func (r *reader) tastes(who party, relation string, i int) (int, bool) {
	s := r.s
	if s.match(i, "to") { // "to swim"
		j := i + 1
		for j < len(s.tokens) && s.at(j).word && !stops[s.low(j)] && j-i < 6 {
			j++
		}
		if j == i+1 || s.points(i+1, j) || stops[s.low(j)] || s.match(i+1, "be|have|see|hear|know|think|say") {
			return i, false
		}
		return r.states(who, r.preference(who, relation, run{i + 1, j}), j), true
	}
	if s.at(i).word && strings.HasSuffix(s.low(i), "ing") && len(s.low(i)) > 5 {
		doing, next := s.doing(i)
		if doing.empty() {
			return i, false
		}
		r.states(who, r.preference(who, relation, doing), doing.to)
		return next, true
	}
	things, next := s.list(i, s.thing)
	for _, thing := range things {
		if named := strings.ToLower(s.written(thing.from, thing.to)); r.persons[named] || firstNames[named] {
			continue
		}
		r.states(who, r.preference(who, relation, thing), thing.to)
	}
	return next, len(things) > 0
}

// doing reads what somebody is doing at i, as far as it can be understood alone: "baking with her" is baking, and of
// "making him happy" nothing is left.
func (s *sentence) doing(i int) (run, int) {
	j := i
	for j < len(s.tokens) && s.at(j).word && j-i < 9 && !endsDoing[s.low(j)] {
		j++
	}
	for k := i + 1; k < j; k++ {
		if pointers[s.low(k)] {
			if s.match(k-1, "with|for|alongside") && k-1 > i && !(k-1 == i+1 && vague[s.low(i)]) {
				return run{i, k - 1}, j
			}
			return run{}, j
		}
	}
	if j == i+1 && vague[s.low(i)] || s.match(j-1, "new|good|great") || s.low(j) == `"` || j-i >= 9 || stops[s.low(j-1)] || s.at(j).word && pointers[s.low(j)] {
		return run{}, j
	}
	return run{i, j}, j
}

// vague are doings that are none without what is done.
var vague = words("going doing getting making seeing having being taking putting trying coming")

var endsDoing = words("because when while so but since if as although though who which that where and or together lately than more most much today yesterday now too again every each on-weekends")

// pointers mean something only where they stand.
var pointers = words("it that this these those them you him her me us what how when where my your his their our its there here myself yourself himself herself itself everyone everybody someone one")

// points reports whether a word from i to j means something only where it stands.
func (s *sentence) points(i, j int) bool {
	for ; i < j; i++ {
		if pointers[s.low(i)] || s.match(i, "just|help") {
			return true
		}
	}
	return false
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
