package resolve

import (
	"slices"
	"strings"
)

// how is how well two names go together.
type how int

const (
	never  how = iota // something besides the names says that they are two
	unlike            // the names do
	backed            // they may be one, if something else says so
	unique            // they are one, unless it may be another as well
	sure              // they are one, unless something else says no
)

// verdict is what was made of two names.
type verdict struct {
	how    how
	reason string
	alias  bool // one is an alias of the other's
}

// compare looks at all names of two entities, and at what guards them.
func (s *space) compare(a, b *reading) verdict {
	if reason := guard(a, b); reason != "" {
		return verdict{how: never, reason: reason}
	}
	if apart := s.resolver.Apart; apart != nil && apart(a.ID, b.ID) {
		return verdict{how: never, reason: "somebody keeps them apart"}
	}
	kind := a.kind
	if kind == "" {
		kind = b.kind
	}
	best := compareNames(&a.name, &b.name, kind)
	if best.how == sure {
		return best
	}
	try := func(x, y *name) {
		if x.squeeze != y.squeeze || x.scripts != y.scripts || x.numbers != y.numbers {
			return
		}
		v := verdict{how: unique, reason: "one is an alias of the other", alias: true}
		if kind == person && len(y.tokens) == 1 {
			v.how = backed
		}
		if v.how > best.how || v.how == best.how && !best.alias {
			best = v
		}
	}
	for i := range b.other {
		try(&a.name, &b.other[i])
	}
	for i := range a.other {
		try(&b.name, &a.other[i])
	}
	return best
}

// guard tells why two are two whatever their names; "" where nothing does.
func guard(a, b *reading) string {
	if a.kind != "" && b.kind != "" && a.kind != b.kind {
		return "types differ"
	}
	if men[a.name.title] && women[b.name.title] || women[a.name.title] && men[b.name.title] {
		return "titles differ"
	}
	for trait, of := range a.Traits {
		if other := b.Traits[trait]; len(of) > 0 && len(other) > 0 && !slices.ContainsFunc(of, func(v string) bool { return slices.Contains(other, v) }) {
			return trait + " differs"
		}
	}
	return ""
}

func compareNames(a, b *name, kind string) verdict {
	switch {
	case len(a.tokens) == 0 || len(b.tokens) == 0 || a.scripts != b.scripts:
		return verdict{how: unlike, reason: "scripts differ"}
	case a.native != "" || b.native != "":
		if a.native == b.native {
			return verdict{how: sure, reason: "same name"}
		}
		return verdict{how: unlike}
	case kind == person:
		return comparePeople(a, b)
	}
	return compareThings(a, b)
}

func comparePeople(a, b *name) verdict {
	if a.numbers != b.numbers { // father and son
		if a.numbers != "" && b.numbers != "" {
			return verdict{how: unlike}
		}
		return atMost(backed, compareWithout(a, b))
	}
	return compareWithout(a, b)
}

func atMost(most how, v verdict) verdict {
	v.how = min(v.how, most)
	return v
}

// compareWithout compares names of people without what stands behind them.
func compareWithout(a, b *name) verdict {
	switch {
	case a.squeeze == b.squeeze:
		return verdict{how: sure, reason: "same name"}
	case (a.marked || b.marked) && a.umlauts == b.umlauts:
		return verdict{how: sure, reason: "same name, umlauts written out"}
	case len(a.tokens) == 1 || len(b.tokens) == 1:
		return compareSingle(a, b)
	case a.sorted == b.sorted && !slices.ContainsFunc(a.tokens, func(t string) bool { return patronymics[t] }):
		return verdict{how: backed, reason: "same name, turned round"}
	}
	first := given(a.tokens[0], b.tokens[0])
	if first.how == unlike {
		return first
	}
	x, y := without(a.tokens[1:]), without(b.tokens[1:])
	family := relate(x[len(x)-1], y[len(y)-1])
	if family.how == unlike {
		return shortened(a.tokens, b.tokens, first)
	}
	if first.reason == misspeltReason && family.how == backed {
		return verdict{how: unlike}
	}
	middle := between(x[:len(x)-1], y[:len(y)-1])
	worst := first
	for _, v := range []verdict{family, middle} {
		if v.how < worst.how {
			worst = v
		}
	}
	return worst
}

// without is a family name without its particles, all of it where there is nothing else.
func without(tokens []string) []string {
	kept := slices.DeleteFunc(slices.Clone(tokens), func(t string) bool { return particles[t] })
	if len(kept) == 0 {
		return tokens
	}
	return kept
}

// compareSingle compares names one of which is a first or a family name alone.
func compareSingle(a, b *name) verdict {
	if len(b.tokens) == 1 {
		a, b = b, a
	}
	one := a.tokens[0]
	if len(b.tokens) == 1 {
		if v := given(one, b.tokens[0]); v.how >= backed && len(one) > 1 && len(b.tokens[0]) > 1 {
			return verdict{how: backed, reason: v.reason}
		}
		return verdict{how: unlike}
	}
	switch family := b.tokens[len(b.tokens)-1]; {
	case one == family && a.title != "" && a.title == b.title:
		return verdict{how: unique, reason: "same title and family name"}
	case one == family, misspelt(one, family):
		return verdict{how: backed, reason: "a family name alone"}
	case a.title == "" && len([]rune(one)) > 1 && given(one, b.tokens[0]).how >= unique:
		return verdict{how: backed, reason: "a first name alone"}
	}
	return verdict{how: unlike}
}

const (
	misspeltReason = "a name misspelt"
	nicknameReason = "a nickname"
)

// given compares first names.
func given(a, b string) verdict {
	switch {
	case a == b:
		return verdict{how: sure, reason: "same name"}
	case len([]rune(a)) == 1 || len([]rune(b)) == 1:
		if []rune(a)[0] == []rune(b)[0] {
			return verdict{how: backed, reason: "an initial"}
		}
		return verdict{how: unlike}
	case nicknamed(a, b):
		return verdict{how: unique, reason: nicknameReason}
	case misspelt(a, b):
		return verdict{how: backed, reason: misspeltReason}
	case slices.ContainsFunc(nicknames[a], func(root string) bool { return misspelt(root, b) }),
		slices.ContainsFunc(nicknames[b], func(root string) bool { return misspelt(root, a) }):
		return verdict{how: backed, reason: "a nickname of a name misspelt"}
	}
	return verdict{how: unlike}
}

// nicknamed reports whether both are short for one name, or one for the other.
func nicknamed(a, b string) bool {
	return slices.Contains(nicknames[a], b) || slices.Contains(nicknames[b], a) ||
		slices.ContainsFunc(nicknames[a], func(root string) bool { return slices.Contains(nicknames[b], root) })
}

// relate compares words that are no first names.
func relate(a, b string) verdict {
	switch {
	case a == b:
		return verdict{how: sure, reason: "same name"}
	case misspelt(a, b):
		return verdict{how: backed, reason: misspeltReason}
	}
	return verdict{how: unlike}
}

// between compares middle names.
func between(x, y []string) verdict {
	if len(x) > len(y) {
		x, y = y, x
	}
	at := 0
	left := 0 // words of y that are not in x, and are more than an initial
	for _, token := range y {
		switch {
		case at < len(x) && (token == x[at] || []rune(token)[0] == []rune(x[at])[0] && (len([]rune(token)) == 1 || len([]rune(x[at])) == 1) || misspelt(token, x[at])):
			at++
		case len([]rune(token)) > 1:
			left++
		}
	}
	switch {
	case at < len(x):
		return verdict{how: unlike}
	case left > 0:
		return verdict{how: backed, reason: "a middle name more"}
	}
	return verdict{how: sure, reason: "same name but for a middle initial"}
}

// shortened compares names one of which may be the beginning of the other: José García of José García Márquez.
func shortened(x, y []string, first verdict) verdict {
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(x) >= 2 && len(x) < len(y) && slices.Equal(x[1:], y[1:len(x)]) {
		return atMost(backed, verdict{how: first.how, reason: "a family name more"})
	}
	return verdict{how: unlike}
}

func compareThings(a, b *name) verdict {
	switch {
	case a.numbers != b.numbers:
		return verdict{how: unlike, reason: "numbers differ"}
	case a.squeeze == b.squeeze:
		return verdict{how: sure, reason: "same name"}
	case (a.marked || b.marked) && a.umlauts == b.umlauts:
		return verdict{how: sure, reason: "same name, umlauts written out"}
	case a.sorted == b.sorted:
		return verdict{how: sure, reason: "same words in another order"}
	case abbreviates(a, b) || abbreviates(b, a):
		return verdict{how: backed, reason: "an abbreviation"}
	case len(a.tokens) != len(b.tokens):
		return verdict{how: unlike}
	}
	odd, reason := 0, ""
	for i, x := range a.tokens {
		y := b.tokens[i]
		switch short := min(len([]rune(x)), len([]rune(y))); {
		case x == y:
		case short == 1 && len(a.tokens) > 1 && []rune(x)[0] == []rune(y)[0] && max(len(x), len(y)) > 1:
			reason = "a word abbreviated"
		case misspelt(x, y):
			odd++
			reason = misspeltReason
		default:
			return verdict{how: unlike}
		}
	}
	if odd > 1 {
		return verdict{how: unlike}
	}
	return verdict{how: backed, reason: reason}
}

// abbreviates reports whether a is the first letters of b's words.
func abbreviates(a, b *name) bool {
	if !a.caps || len(b.tokens) < 2 {
		return false
	}
	letters := ""
	for _, word := range b.every {
		letters += string([]rune(word)[:1])
	}
	return a.squeeze == b.short || a.squeeze == letters || strings.TrimPrefix(letters, "t") == a.squeeze && b.every[0] == "the"
}
