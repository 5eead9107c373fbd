// Package resolve decides which of the names in memories are names of one and the same.
//
// It looks at pairs that blocking brings together, never at all of them, and at each pair as a reader would: do the names
// allow it, do the types, does anything else say that they are two, and do they stand in the same kind of sentence? What
// only the names allow is left apart, and suggested.
package resolve

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// Thresholds on scores of pairs.
const (
	Certain   = .9 // from here on two are made one
	Suggested = .6 // from here on somebody is asked
	alike     = .85
)

// Mentioned is an entity as a project's memories mention it.
type Mentioned struct {
	ID       string
	Name     string
	Type     string // "" = not known
	Aliases  []string
	Mentions int
	Contexts []string // sentences that mention it; a few tell enough
	// Traits are what it has one of at a time: "email" → its address, "works_at", "speaker in <session>" → who spoke. Two
	// with one trait and no value in common are two.
	Traits map[string][]string
	Group  string // with whom it is one already: the same for all of them; "" = with nobody
}

// Link is two entities, by their ids, that may be one.
type Link struct {
	A, B   string // A < B
	Score  float64
	Method string // "rules" or "judge"
	Reason string // why, in words
}

// Resolution is who is one with whom.
type Resolution struct {
	Groups      [][]string // new or grown; the one that should stand for all first
	Links       []Link     // why: what Groups rest on, the most certain first
	Suggestions []Link     // what is too uncertain, the most certain first
}

// Pair is two entities that a Judge is asked about.
type Pair struct{ A, B *Mentioned }

// Judge is asked about what rules leave open. Its answer has, for each pair in their order, how likely they are one, 0..1.
type Judge interface {
	Judge(ctx context.Context, pairs []Pair) ([]float64, error)
}

// Resolver decides. The zero value does, by rules alone.
type Resolver struct {
	// Embed returns vectors of texts in their order, whose cosine tells how alike they are; nil: only words are compared.
	Embed func(ctx context.Context, texts []string) ([][]float32, error)
	Judge Judge // nil: what rules leave open stays apart
	// Apart reports whether somebody has said that two, by their ids, are two. nil: nobody has.
	Apart func(a, b string) bool
}

// most is what a judge is asked in one run.
const most = 200

// Resolve decides who is one with whom. Its time grows with the number of entities, not its square. Errors are those of
// Embed and Judge.
func (r *Resolver) Resolve(ctx context.Context, mentioned []Mentioned) (Resolution, error) {
	s := newSpace(mentioned, r)
	links, err := s.links(ctx)
	if err != nil {
		return Resolution{}, err
	}
	if links, err = s.judged(ctx, r.Judge, links); err != nil {
		return Resolution{}, err
	}
	return s.cluster(links), ctx.Err()
}

// space is what is looked at in one run.
type space struct {
	resolver *Resolver
	all      []*reading
	terms    map[string]int // in how many contexts a term stands
	contexts int
}

// reading is an entity with its name taken apart.
type reading struct {
	*Mentioned
	nth   int
	kind  string // its type, in one of the words kinds has
	name  name
	other []name // its aliases
	said  []sentence
	emb   []float32
}

func newSpace(mentioned []Mentioned, r *Resolver) *space {
	s := &space{resolver: r, terms: map[string]int{}}
	for i := range mentioned {
		m := &mentioned[i]
		e := &reading{Mentioned: m, nth: i, kind: kindOf(m.Type)}
		var nicks []string
		e.name, nicks = parse(m.Name, e.kind)
		for _, alias := range slices.Concat(m.Aliases, nicks) {
			n, _ := parse(alias, e.kind)
			if len(n.tokens) == 0 {
				continue
			}
			e.other = append(e.other, n)
			if e.kind == person && len(n.tokens) == 1 && len(e.name.tokens) > 1 { // "Kate" of Katherine Miller is Kate Miller, too
				e.other = append(e.other, e.name.called(n.tokens[0]))
			}
		}
		s.read(e)
		s.all = append(s.all, e)
	}
	return s
}

// judged has the judge decide what is open, as far as most reaches.
func (s *space) judged(ctx context.Context, judge Judge, links []link) ([]link, error) {
	if judge == nil {
		return links, nil
	}
	var open []int
	for i := range links {
		if links[i].score >= Suggested && links[i].score < Certain && len(open) < most {
			open = append(open, i)
		}
	}
	if len(open) == 0 {
		return links, nil
	}
	pairs := make([]Pair, len(open))
	for i, at := range open {
		pairs[i] = Pair{links[at].a.Mentioned, links[at].b.Mentioned}
	}
	likely, err := judge.Judge(ctx, pairs)
	if err != nil {
		return nil, err
	}
	for i := range min(len(likely), len(open)) {
		l := &links[open[i]]
		l.score, l.method = min(max(likely[i], 0), 1), "judge"
	}
	slices.SortStableFunc(links, byScore)
	return links, nil
}

// link is a pair with what was made of it.
type link struct {
	a, b   *reading
	score  float64
	method string
	reason string
}

func byScore(a, b link) int {
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.a.ID, b.a.ID), cmp.Compare(a.b.ID, b.b.ID),
		cmp.Compare(a.a.nth, b.a.nth), cmp.Compare(a.b.nth, b.b.nth))
}

func (l *link) told() Link {
	return Link{A: min(l.a.ID, l.b.ID), B: max(l.a.ID, l.b.ID), Score: l.score, Method: cmp.Or(l.method, "rules"), Reason: l.reason}
}

// kinds are the words for types that are compared; another type is itself.
var kinds = map[string]string{
	"person": person, "people": person, "human": person, "user": person, "speaker": person, "per": person,
	"organisation": organisation, "organization": organisation, "company": organisation, "org": organisation, "business": organisation,
	"institution": organisation, "team": organisation,
	"place": place, "location": place, "city": place, "country": place, "town": place, "region": place, "loc": place, "gpe": place,
	"product": "product", "software": "product", "device": "product", "app": "product",
}

const (
	person       = "person"
	organisation = "organisation"
	place        = "place"
)

func kindOf(kind string) string {
	kind = strings.ToLower(strings.TrimSpace(kind))
	return cmp.Or(kinds[kind], kind)
}
