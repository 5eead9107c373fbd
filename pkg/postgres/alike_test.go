package postgres_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/index"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/search/searchtest"
)

var acme = memory.Scope{Tenant: "acme", Project: "default"}

// script is a store that is written to at random, while its words are gathered now and then.
type script struct {
	*testing.T
	*rand.Rand
	db    *postgres.DB
	url   string
	now   time.Time
	words []string
	ids   []memory.ID
	times []time.Time

	asking context.Context // of what is compared: sometimes the parts of a search share what they read
}

func newScript(t *testing.T, seed uint64) *script {
	s := &script{T: t, Rand: rand.New(rand.NewPCG(seed, 1)), url: fresh(t), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s.db = openAt(t, s.url, postgres.Options{Clock: func() time.Time { return s.now }})
	for i := range 60 {
		s.words = append(s.words, fmt.Sprintf("%c%c%ck", 'b'+i%10, "aou"[i%3], 'l'+i/10))
	}
	return s
}

// say makes a text of up to n words, of which the first are common.
func (s *script) say(n int) string {
	said := make([]string, 1+s.IntN(n))
	for i := range said {
		said[i] = s.words[s.IntN(1+s.IntN(len(s.words)))]
		if s.IntN(9) == 0 {
			said[i] += "."
		}
	}
	return strings.Join(said, " ")
}

func (s *script) memory() memory.Memory {
	m := memory.Memory{Content: s.say(30), ExternalID: string(memory.NewID())}
	if s.IntN(2) == 0 {
		m.SessionID = fmt.Sprint("s", s.IntN(4))
	}
	if s.IntN(3) == 0 {
		when := s.now.Add(-time.Duration(s.IntN(100)) * time.Hour)
		m.OccurredAt = &when
	}
	for range s.IntN(4) {
		m.Entities = append(m.Entities, memory.Entity{Name: s.words[s.IntN(20)], Type: []string{"", "person", "place"}[s.IntN(3)]})
	}
	if s.IntN(3) == 0 {
		m.Metadata = memory.Metadata{"kind": s.words[s.IntN(3)]}
	}
	m.Tags = []string{s.words[s.IntN(3)]}
	return m
}

// vector is the direction of a text.
func (s *script) vector(content string) memory.Vector {
	values := make([]float32, 8)
	r := rand.New(rand.NewPCG(uint64(len(content)), uint64(content[0])))
	norm := float32(0)
	for i := range values {
		values[i] = float32(r.IntN(9)) - 3
		norm += values[i] * values[i]
	}
	if norm == 0 {
		values[0], norm = 1, 1
	}
	for i := range values {
		values[i] /= sqrt(norm)
	}
	return memory.Vector{Model: searchtest.Model, Values: values}
}

// step does one thing in a transaction.
func (s *script) step(tx memory.Tx) error {
	why := memory.Why{Actor: "test"}
	pick := func() memory.ID { return s.ids[s.IntN(len(s.ids))] }
	switch n := s.IntN(10); {
	case n < 5 || len(s.ids) < 5:
		m := s.memory()
		stored, _, err := tx.Put(s.Context(), m, why, s.vector(m.Content))
		s.ids = append(s.ids, stored.ID)
		return err
	case n < 8:
		m, err := tx.Get(s.Context(), pick())
		if err != nil {
			return err
		}
		changed := s.memory()
		changed.ID, changed.ExternalID = m.ID, m.ExternalID
		changed.SessionID = m.SessionID // what has moved on has no place in its old session; the two may call that differently
		if s.IntN(2) == 0 {
			changed.Content = m.Content
			_, err = tx.Replace(s.Context(), changed, why)
		} else {
			_, err = tx.Replace(s.Context(), changed, why, s.vector(changed.Content))
		}
		return err
	default:
		id := pick()
		s.ids = slices.DeleteFunc(s.ids, func(other memory.ID) bool { return other == id })
		return tx.Delete(s.Context(), id)
	}
}

func (s *script) run(steps int) {
	s.Helper()
	for done := 0; done < steps; {
		n := 1 + s.IntN(20)
		err := s.db.Write(s.Context(), acme, func(tx memory.Tx) error {
			for range n {
				if err := s.step(tx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			s.Fatal(err)
		}
		done += n
		s.times = append(s.times, s.now)
		s.now = s.now.Add(time.Minute)
		if s.IntN(6) == 0 {
			if _, err := s.db.GatherAll(s.Context(), acme); err != nil {
				s.Fatal(err)
			}
		}
	}
}

// query asks for a few words under some filter and view.
func (s *script) query() search.Query {
	q := search.Query{Scope: acme, Text: s.say(6)}
	q.Vector = s.vector(q.Text).Values
	if s.IntN(3) == 0 {
		q.View.KnownAt = &s.times[s.IntN(len(s.times))]
	}
	switch s.IntN(6) {
	case 0:
		q.Filter.SessionID = fmt.Sprint("s", s.IntN(4))
	case 1:
		q.Filter.Tags = []string{s.words[s.IntN(3)]}
	case 2:
		q.Filter.Metadata = memory.Metadata{"kind": s.words[s.IntN(3)]}
	}
	return q
}

func sqrt(x float32) float32 {
	y := x
	for range 30 {
		y = (y + x/y) / 2
	}
	return y
}

// rows counts the rows of a table, as its owner.
func (s *script) rows(table string) (n int) {
	s.Helper()
	askDatabase(s, s.url, `SELECT count(*) FROM `+table, &n)
	return n
}

// The index in memory follows the same store. Whatever was written, changed, deleted and gathered, the two find the same
// with the same scores, words and places.
func TestTheLegsFindWhatTheIndexFinds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("script ", seed), func(t *testing.T) {
			s := newScript(t, seed)
			for range 3 {
				s.run(150)
				s.compare(25)
			}
			s.deleteAll()
		})
	}
}

func (s *script) compare(questions int) {
	s.Helper()
	set := index.NewSet(s.db, searchtest.Model)
	set.Clock = func() time.Time { return s.now }
	if _, err := set.CatchUp(s.Context(), acme); err != nil {
		s.Fatal(err)
	}
	for n := range questions {
		q, depth := s.query(), 1+s.IntN(60)
		end := func() {}
		if s.asking = s.Context(); n%2 == 0 {
			s.asking, end = s.db.Sit(s.Context(), q)
		}
		hits := s.sameHits(q, depth, postgres.Lexical{DB: s.db}, index.Lexical{Set: set})
		s.sameHits(q, 1+depth/4, postgres.Lexical{DB: s.db}.Sparing(), index.Lexical{Set: set})
		s.sameHits(q, depth, search.Linked{Mentions: postgres.Graph{DB: s.db}}, search.Linked{Mentions: index.Graph{Set: set}})
		s.sameNearest(q, depth, postgres.Dense{DB: s.db, Model: searchtest.Model}, index.Dense{Set: set})
		s.sameGraph(q, postgres.Graph{DB: s.db}, index.Graph{Set: set})
		s.sameAround(q, hits, postgres.Neighbourhood{DB: s.db}, index.Neighbourhood{Set: set})
		s.sameScores(q, postgres.Reranker{DB: s.db}, index.Reranker{Set: set})
		end()
	}
}

// sameNearest compares scores: what two ways of adding tell apart may change places.
func (s *script) sameNearest(q search.Query, depth int, got, want search.Leg) {
	s.Helper()
	found, err := got.Retrieve(s.asking, q, depth)
	if err != nil {
		s.Fatal(err)
	}
	expected, err := want.Retrieve(s.Context(), q, depth)
	if err != nil {
		s.Fatal(err)
	}
	nothing := func(h search.Hit) bool { return h.Score < 1e-5 } // on this side of nothing or on that
	found, expected = slices.DeleteFunc(found, nothing), slices.DeleteFunc(expected, nothing)
	if len(found) != len(expected) {
		s.Fatalf("dense %+v: %d hits, the index has %d", q, len(found), len(expected))
	}
	for i := range found {
		if math.Abs(found[i].Score-expected[i].Score) > 1e-5 {
			s.Fatalf("dense %+v: hit %d is\n%+v, in the index\n%+v", q, i, found[i], expected[i])
		}
	}
}

// sameGraph compares what does not depend on the order in which entities were first met.
func (s *script) sameGraph(q search.Query, got postgres.Graph, want index.Graph) {
	s.Helper()
	found, err := got.Entities(s.asking, acme, q.View)
	if err != nil {
		s.Fatal(err)
	}
	expected, err := want.Entities(s.Context(), acme, q.View)
	if err != nil {
		s.Fatal(err)
	}
	untyped := func(nodes []search.Node) []search.Node { // the type first given, though by a version long deleted
		nodes = slices.Clone(nodes)
		for i := range nodes {
			nodes[i].Type = ""
		}
		return nodes
	}
	if !slices.Equal(untyped(found), untyped(expected)) {
		s.Fatalf("entities at %+v:\n%v, in the index\n%v", q.View, found, expected)
	}
	for _, n := range expected[:min(len(expected), 3)] {
		if got, want := s.near(s.asking, q, got, n), s.near(s.Context(), q, want, n); !reflect.DeepEqual(got, want) {
			s.Fatalf("near %v at %+v:\n%v, in the index\n%v", n, q.View, got, want)
		}
	}
}

// near is what is told of one entity, and of those beside it.
func (s *script) near(ctx context.Context, q search.Query, m search.Mentions, n search.Node) (told []any) {
	s.Helper()
	for _, most := range []int{1, 3, 100} {
		near, err := m.Near(ctx, q, []string{n.ID}, nil, most)
		if err != nil {
			s.Fatal(err)
		}
		var beside []memory.ID
		for _, mention := range near {
			beside = append(beside, mention.Memory)
		}
		around, err := m.Near(ctx, q, nil, beside, most)
		if err != nil {
			s.Fatal(err)
		}
		places, err := m.Places(ctx, q, beside)
		if err != nil {
			s.Fatal(err)
		}
		nodes, err := m.Nodes(ctx, q.Scope, q.View, []string{n.ID})
		if err != nil {
			s.Fatal(err)
		}
		for i := range nodes {
			nodes[i].Type = ""
		}
		told = append(told, near, around, places, nodes)
	}
	return told
}

func (s *script) sameAround(q search.Query, hits []search.Hit, got, want search.Neighbourhood) {
	s.Helper()
	reach := s.IntN(4)
	hits = slices.DeleteFunc(hits, func(h search.Hit) bool { return h.Place.Session == "" })
	hits = hits[:min(len(hits), 5)]
	found, err := got.Around(s.asking, q, hits, reach)
	if err != nil {
		s.Fatal(err)
	}
	expected, err := want.Around(s.Context(), q, hits, reach)
	if err != nil {
		s.Fatal(err)
	}
	if len(found)+len(expected) > 0 && !reflect.DeepEqual(found, expected) {
		s.Fatalf("%d around %+v of %+v:\n%+v, in the index\n%+v", reach, hits, q, found, expected)
	}
}

func (s *script) sameScores(q search.Query, got, want search.Reranker) {
	s.Helper()
	found, err := got.Rerank(s.asking, q, s.ids)
	if err != nil {
		s.Fatal(err)
	}
	expected, err := want.Rerank(s.Context(), q, s.ids)
	if err != nil {
		s.Fatal(err)
	}
	if !slices.Equal(found, expected) {
		s.Fatalf("%+v: scores\n%v, in the index\n%v", q, found, expected)
	}
}

func (s *script) sameHits(q search.Query, depth int, got, want search.Leg) []search.Hit {
	s.Helper()
	found, err := got.Retrieve(s.asking, q, depth)
	if err != nil {
		s.Fatal(err)
	}
	expected, err := want.Retrieve(s.Context(), q, depth)
	if err != nil {
		s.Fatal(err)
	}
	if len(found) != len(expected) {
		s.Fatalf("%s of %+v: %d hits, the index has %d", got.Name(), q, len(found), len(expected))
	}
	for i := range found {
		if !reflect.DeepEqual(found[i], expected[i]) {
			s.Fatalf("%s of %+v: hit %d is\n%+v, in the index\n%+v", got.Name(), q, i, found[i], expected[i])
		}
	}
	return found
}

// deleteAll deletes every memory and looks whether anything of them remains to be searched.
func (s *script) deleteAll() {
	s.Helper()
	if _, err := s.db.GatherAll(s.Context(), acme); err != nil {
		s.Fatal(err)
	}
	if s.rows("term_blocks") == 0 || s.rows("graph_edges") == 0 {
		s.Fatal("nothing was gathered or linked")
	}
	err := s.db.Write(s.Context(), acme, func(tx memory.Tx) error {
		_, err := tx.DeleteWhere(s.Context(), memory.Filter{}, 10_000)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	for _, table := range []string{"memories", "memory_versions", "memory_vectors", "term_blocks", "graph_nodes", "graph_edges"} {
		if n := s.rows(table); n != 0 {
			s.Errorf("%d rows remain in %s", n, table)
		}
	}
}
