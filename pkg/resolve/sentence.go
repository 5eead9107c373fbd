package resolve

import (
	"math"
	"regexp"
	"strings"

	"github.com/rae-memory/rae/pkg/text"
)

// sentence is what a context says, without the name.
type sentence struct {
	terms map[string]bool
	plain string // its words, for an embedder
}

// longestContext is how much of a context is read, in bytes.
const longestContext = 600

var (
	address  = regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}`)
	employer = regexp.MustCompile(`^(?:,? (?:of|from|at)|(?: \pL+)? (?:works|worked) (?:at|for)) (\p{Lu}[\pL\pN&-]*(?: \p{Lu}[\pL\pN&-]*)*)`)
)

// read takes the contexts of an entity in: what stands in them, and what they say it has one of.
func (s *space) read(e *reading) {
	own := map[string]bool{}
	for _, n := range append([]name{e.name}, e.other...) {
		for _, token := range n.every {
			own[token] = true
		}
	}
	for _, context := range e.Contexts {
		context = context[:min(len(context), longestContext)]
		said := sentence{terms: map[string]bool{}}
		for _, w := range text.Analyze(context) {
			if word := strings.Join(fold(context[w.Start:w.End]), ""); !own[word] {
				said.terms[w.Term] = true
				said.plain += context[w.Start:w.End] + " "
			}
		}
		for term := range said.terms {
			s.terms[term]++
		}
		s.contexts++
		e.said = append(e.said, said)
		if e.kind == person {
			e.trait("email", address.FindAllString(strings.ToLower(context), -1))
			if _, after, found := strings.Cut(context, e.Name); found {
				if m := employer.FindStringSubmatch(after); m != nil {
					e.trait("employer", []string{strings.Join(fold(m[1]), " ")})
				}
			}
		}
	}
}

// trait notes values the entity has, in a map of its own.
func (e *reading) trait(name string, values []string) {
	if len(values) == 0 {
		return
	}
	traits := map[string][]string{}
	for key, all := range e.Traits {
		traits[key] = all
	}
	traits[name] = append(traits[name][:len(traits[name]):len(traits[name])], values...)
	m := *e.Mentioned
	m.Traits = traits
	e.Mentioned = &m
}

// enough is what two contexts must have in common, of the lesser one.
const enough = .4

// overlap is how much of what one of two contexts says the other says, too, 0..1: shared terms by their rarity, of the
// context that says less; the most of any two.
func (s *space) overlap(a, b *reading) (most float64) {
	names := map[string]bool{}
	for _, e := range []*reading{a, b} {
		for _, token := range e.name.every {
			names[token] = true
		}
	}
	weigh := func(terms map[string]bool) (w float64) {
		for term := range terms {
			w += s.rarity(term, names)
		}
		return w
	}
	for i := range a.said {
		for j := range b.said {
			x, y := a.said[i].terms, b.said[j].terms
			if len(y) < len(x) {
				x, y = y, x
			}
			var shared float64
			for term := range x {
				if y[term] {
					shared += s.rarity(term, names)
				}
			}
			if of := min(weigh(x), weigh(y)); shared > 0 && of > 0 {
				most = max(most, shared/of)
			}
		}
	}
	return most
}

// rarity is the inverse document frequency of a term among all contexts; words of names have none.
func (s *space) rarity(term string, names map[string]bool) float64 {
	if names[term] {
		return 0
	}
	return math.Log(1 + float64(s.contexts)/float64(1+s.terms[term]))
}
