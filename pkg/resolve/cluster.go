package resolve

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/rae-memory/rae/pkg/knowledge"
)

// weighed is a pair whose names go together.
type weighed struct {
	link
	verdict
	overlap float64
}

// links weighs the pairs whose names go together, the most certain first.
func (s *space) links(ctx context.Context) ([]link, error) {
	var open []*weighed
	for i, pair := range s.candidates() {
		if i%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		a, b := pair[0], pair[1]
		if a.Group != "" && a.Group == b.Group {
			continue
		}
		if v := s.compare(a, b); v.how >= backed {
			open = append(open, &weighed{link: link{a: a, b: b, reason: v.reason}, verdict: v})
		}
	}
	for _, w := range open {
		if w.how < sure {
			w.overlap = s.overlap(w.a, w.b)
		}
	}
	if err := s.embed(ctx, open); err != nil {
		return nil, err
	}
	partners := map[*reading][]*weighed{}
	for _, w := range open {
		partners[w.a], partners[w.b] = append(partners[w.a], w), append(partners[w.b], w)
	}
	links := make([]link, len(open))
	for i, w := range open {
		w.score = s.score(w, partners)
		links[i] = w.link
		links[i].reason = w.verdict.reason
		if w.overlap >= enough {
			links[i].reason += "; mentioned alike"
		}
	}
	slices.SortFunc(links, byScore)
	return links, nil
}

// score is how likely the two are one, 0..1.
func (s *space) score(w *weighed, partners map[*reading][]*weighed) float64 {
	if w.how == sure {
		return .97
	}
	back := w.overlap >= enough
	rivals, stronger := false, false
	for _, side := range [2][2]*reading{{w.a, w.b}, {w.b, w.a}} {
		for _, r := range partners[side[0]] {
			other := r.a
			if other == side[0] {
				other = r.b
			}
			if r == w || side[0].knownAs(other) || s.compare(other, side[1]).how >= backed {
				continue // or it may be one with the other, too
			}
			rivals = true
			stronger = stronger || r.alias && !w.alias || r.how == sure || r.overlap >= enough && r.overlap > w.overlap-.15 && !w.alias
		}
	}
	switch {
	case w.alias && w.how == unique && !(rivals && stronger):
		return .95
	case back && !stronger:
		return .91 + .05*w.overlap
	case w.how == unique && !rivals:
		return .93
	case w.how == unique:
		return .7
	case w.verdict.reason == misspeltReason && !rivals:
		return .75
	}
	return .65
}

// embed looks, where words do not tell, whether two are mentioned alike by what an embedder makes of it.
func (s *space) embed(ctx context.Context, open []*weighed) error {
	if s.resolver.Embed == nil {
		return nil
	}
	var texts []string
	var asked []*reading
	seen := map[*reading]bool{}
	for _, w := range open {
		for _, e := range []*reading{w.a, w.b} {
			if w.how < sure && w.overlap < enough && !seen[e] && len(e.said) > 0 && e.said[0].plain != "" {
				seen[e] = true
				texts, asked = append(texts, e.said[0].plain), append(asked, e)
			}
		}
	}
	if len(texts) == 0 {
		return nil
	}
	vectors, err := s.resolver.Embed(ctx, texts)
	if err != nil {
		return err
	}
	for i, e := range asked {
		e.emb = vectors[i]
	}
	for _, w := range open {
		if w.how < sure && w.overlap < enough && cosine(w.a.emb, w.b.emb) >= alike {
			w.overlap = enough
		}
	}
	return nil
}

func cosine(a, b []float32) float64 {
	if len(a) == 0 || len(a) != len(b) {
		return 0
	}
	var dot, x, y float64
	for i := range a {
		dot, x, y = dot+float64(a[i])*float64(b[i]), x+float64(a[i])*float64(a[i]), y+float64(b[i])*float64(b[i])
	}
	if x == 0 || y == 0 {
		return 0
	}
	return dot / math.Sqrt(x*y)
}

// cluster puts together who is linked for certain, the most certain first, as long as nobody on one side is known to be
// another than somebody on the other: a chain of links joins nobody whom its ends keep apart.
func (s *space) cluster(links []link) Resolution {
	of := make([][]*reading, len(s.all))
	grown := map[*reading]bool{} // by the first of a cluster
	groups := map[string][]*reading{}
	for _, e := range s.all {
		of[e.nth] = []*reading{e}
		if e.Group != "" {
			groups[e.Group] = append(groups[e.Group], e)
		}
	}
	for _, members := range groups {
		for _, e := range members {
			of[e.nth] = members
		}
	}
	var r Resolution
	seen := map[[2]string]bool{}
	for i := range links {
		l := &links[i]
		x, y := of[l.a.nth], of[l.b.nth]
		together := x[0] == y[0]
		switch {
		case together && l.score >= Certain:
			r.Links = append(r.Links, l.told())
			continue
		case together || l.score < Suggested:
			continue
		case l.score >= Certain && len(x)+len(y) <= knowledge.MaxGroup && s.compatible(x, y):
			joined := slices.Concat(x, y)
			delete(grown, y[0])
			grown[joined[0]] = true
			for _, e := range joined {
				of[e.nth] = joined
			}
			r.Links = append(r.Links, l.told())
			continue
		}
		told := l.told()
		told.Score = min(told.Score, Certain-.01)
		if ends := [2]string{told.A, told.B}; !seen[ends] {
			seen[ends] = true
			r.Suggestions = append(r.Suggestions, told)
		}
	}
	nth := map[string]int{}
	for _, e := range s.all {
		nth[e.ID] = e.nth
	}
	r.Suggestions = slices.DeleteFunc(r.Suggestions, func(l Link) bool { return of[nth[l.A]][0] == of[nth[l.B]][0] }) // by way of others, meanwhile
	for first := range grown {
		r.Groups = append(r.Groups, s.told(of[first.nth]))
	}
	slices.SortFunc(r.Groups, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	return r
}

// compatible reports whether nobody of x is known to be another than somebody of y. A name that one among them has as an
// alias may look like none of those it goes with.
func (s *space) compatible(x, y []*reading) bool {
	all := slices.Concat(x, y)
	covered := func(e, other *reading) bool {
		return slices.ContainsFunc(all, func(o *reading) bool {
			if o == e || !o.knownAs(e) {
				return false
			}
			v := compareNames(&o.name, &other.name, cmp.Or(o.kind, other.kind))
			return v.how >= backed && v.reason != nicknameReason // that may be anybody's
		})
	}
	for _, a := range x {
		for _, b := range y {
			switch v := s.compare(a, b); {
			case v.how == never:
				return false
			case v.how == unlike && !covered(a, b) && !covered(b, a):
				return false
			}
		}
	}
	return true
}

// knownAs reports whether the other's name is an alias of e's, or what e's abbreviates to.
func (e *reading) knownAs(other *reading) bool {
	return slices.ContainsFunc(e.other, func(n name) bool { return n.squeeze == other.name.squeeze }) ||
		e.kind != person && abbreviates(&other.name, &e.name)
}

// told are the ids of a cluster, that of whoever should stand for all first: who stands for a group does already, else
// who is mentioned most, by the longest name.
func (s *space) told(members []*reading) []string {
	slices.SortFunc(members, func(a, b *reading) int {
		stands := func(e *reading) int {
			if e.Group == e.ID {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(stands(a), stands(b)), cmp.Compare(b.Mentions, a.Mentions), cmp.Compare(len(b.name.tokens), len(a.name.tokens)),
			cmp.Compare(len(b.name.squeeze), len(a.name.squeeze)), cmp.Compare(a.ID, b.ID))
	})
	ids := make([]string, len(members))
	for i, e := range members {
		ids[i] = e.ID
	}
	return ids
}
