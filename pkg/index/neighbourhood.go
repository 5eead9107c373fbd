package index

import (
	"context"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// place tells where an entry stands in its session.
func (s *scope) place(n uint32) search.Place {
	e := &s.entries[n]
	return search.Place{Session: s.nameOf[e.session], Turn: e.turn, Speaker: e.speaker}
}

// Neighbourhood finds the turns around hits.
type Neighbourhood struct{ Set *Set }

// Around implements search.Neighbourhood.
func (a Neighbourhood) Around(ctx context.Context, q search.Query, hits []search.Hit, reach int) ([]search.Hit, error) {
	s, release, err := a.Set.read(ctx, q.Scope)
	if err != nil {
		return nil, err
	}
	defer release()
	lens := s.lens(&q, a.Set.now())
	known := make(map[memory.ID]bool, len(hits))
	for _, hit := range hits {
		known[hit.ID] = true
	}
	var around []search.Hit
	for _, hit := range hits {
		seats := s.sessions[s.names[hit.Place.Session]]
		for turn := max(0, hit.Place.Turn-reach); turn <= hit.Place.Turn+reach && turn < len(seats); turn++ {
			e := &s.entries[seats[turn]]
			if !known[e.id] && lens.shows(e) {
				known[e.id] = true
				around = append(around, search.Hit{ID: e.id, Place: s.place(seats[turn])})
			}
		}
	}
	return around, nil
}
