package index

import (
	"context"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// place tells where an entry stands in its session: a version of the past stands where the memory stands now.
func (s *scope) place(n uint32) search.Place {
	e := &s.entries[n]
	place := search.Place{Session: s.nameOf[e.session], Turn: e.turn, Speaker: e.speaker}
	if !e.current {
		for _, other := range s.byID[e.id] {
			if now := &s.entries[other]; now.current && now.session == e.session {
				place.Turn = now.turn
			}
		}
	}
	return place
}

// shown returns the version of a memory that the lens shows.
func (s *scope) shown(id memory.ID, lens *lens) (n uint32, ok bool) {
	for _, n := range s.byID[id] {
		if lens.shows(&s.entries[n]) {
			return n, true
		}
	}
	return 0, false
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
			id := s.entries[seats[turn]].id
			if n, ok := s.shown(id, lens); ok && !known[id] && s.nameOf[s.entries[n].session] == hit.Place.Session {
				known[id] = true
				around = append(around, search.Hit{ID: id, Place: s.place(n)})
			}
		}
	}
	return around, nil
}
