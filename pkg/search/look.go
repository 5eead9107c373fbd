package search

import (
	"context"
	"maps"
	"math"
	"slices"

	"github.com/rae-memory/rae/pkg/relevance"
)

// seat is a place in a conversation.
type seat struct {
	session string
	turn    int
}

// look is the last look at the best candidates of one question: it reads what they say.
type look struct {
	*understanding
	at       map[seat]*candidate // all candidates that stand in a conversation
	seated   map[string]int      // how many those are, by session
	readings map[seat]reading    // of those that were read
	terms    map[string]uint64   // a bit for each of the question's terms that a candidate holds
	rarity   []float64           // of the terms, by their bits
}

// priorHolders keeps the rarity of terms sane where candidates are few.
const priorHolders = 600

func newLook(u *understanding, all []*candidate) *look {
	l := &look{
		understanding: u, at: make(map[seat]*candidate, len(all)), seated: map[string]int{},
		readings: map[seat]reading{}, terms: map[string]uint64{},
	}
	holders := map[string]int{}
	for _, c := range all {
		if c.place.Session != "" {
			l.at[seat{c.place.Session, c.place.Turn}] = c
			l.seated[c.place.Session]++
		}
		for _, term := range c.terms {
			holders[term]++
		}
	}
	terms := slices.Sorted(maps.Keys(holders)) // in one order, so that equal sums are equal to the last bit
	for i, term := range terms[:min(len(terms), 64)] {
		l.terms[term] = 1 << i
		l.rarity = append(l.rarity, math.Log1p(priorHolders/(float64(holders[term])+.5)))
	}
	return l
}

// look gives the results, which are the best of the candidates, their features and final scores.
func (q *inquiry) look(ctx context.Context, candidates []*candidate, results []scored) {
	newLook(q.understanding, candidates).score(results)
	for i, worth := range q.bestLines(ctx, results) {
		results[i].features[bestLine] = worth
	}
	q.addStanding(results)
	q.addNewest(results)
	for i := range results {
		results[i].final = results[i].features.score()
	}
	q.addTimes(results)
	q.addRevisions(results)
}

// score reads the candidates and gives each its features and what they make of it.
func (l *look) score(results []scored) {
	read := make([]reading, len(results))
	for i := range results {
		m, place := &results[i].memory, results[i].place
		if l.seated[place.Session] > 1 {
			read[i] = l.read(m.Content, relevance.Speaker(m))
			l.readings[seat{place.Session, place.Turn}] = read[i]
		}
	}
	for i := range results {
		r := &results[i]
		if l.seated[r.place.Session] < 2 {
			r.features = alone(r.own, r.context.Speaker)
		} else {
			r.features = features{ownScore: r.own, speaker: r.context.Speaker, session: r.context.Session, sessionBest: r.context.Best}
			l.answers(&r.features, &read[i])
			l.among(r)
		}
		r.final = r.features.score()
	}
}

// alone are the features of what stands in no conversation. It is all there is of one, and its own score is taken for
// its cover, too: counting a document's rare words once more made every set of documents worse (docs/adr/0050).
func alone(own, said float64) features {
	return features{ownScore: own, session: own, sessionBest: own, cover: own, coverNear: own, speaker: said}
}

// answers says whether a memory has the kind of thing that is asked for.
func (l *look) answers(f *features, r *reading) {
	f[brief] = 1 - min(1, float64(r.words)/fullLength)
	f[asking] = r.asking
	f[naming] = share(r.named)
	f[toldTime] = share(r.time && l.expects&aTime != 0)
	f[toldNumber] = share(r.number && l.expects&aNumber != 0)
	f[toldPerson] = share(r.named && l.expects&aPerson != 0)
	f[toldPlace] = share(r.named && l.expects&aPlace != 0)
}

// among says what the turns around a candidate add.
func (l *look) among(r *scored) {
	held := l.held(r.candidate)
	f := &r.features
	near := held
	for i, step := range [...]int{-1, -2, 1, 2} {
		at := seat{r.place.Session, r.place.Turn + step}
		other := l.at[at]
		if other == nil {
			continue
		}
		f[before1+feature(i)] = other.own
		near |= l.held(other)
		if step == -1 && l.readings[at].asks {
			f[reply] = other.own
		}
	}
	f[cover], f[coverNear] = l.share(held), l.share(near)
}

// held are the bits of the terms a candidate holds.
func (l *look) held(c *candidate) uint64 {
	bits := uint64(0)
	for _, term := range c.terms {
		bits |= l.terms[term]
	}
	return bits
}

// share is what the terms weigh of all.
func (l *look) share(bits uint64) float64 {
	there, all := 0.0, 0.0
	for i, weight := range l.rarity {
		all += weight
		if bits&(1<<i) != 0 {
			there += weight
		}
	}
	if all == 0 {
		return 0
	}
	return there / all
}

func share(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
