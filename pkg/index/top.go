package index

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/rae-memory/rae/pkg/relevance"
)

// top keeps the best candidates seen, at most limit. The worst stands at the root.
type top struct {
	limit int
	kept  []candidate
	scope *scope
}

func newTop(limit int) *top { return &top{limit: limit} }

// admits tells cheaply whether a score could still enter.
func (t *top) admits(score float64) bool {
	return len(t.kept) < t.limit || t.limit > 0 && score >= t.kept[0].score
}

func (t *top) offer(c candidate, s *scope) {
	t.scope = s
	if len(t.kept) < t.limit {
		heap.Push(t, c)
		return
	}
	if t.limit > 0 && s.order(c, t.kept[0]) < 0 {
		t.kept[0] = c
		heap.Fix(t, 0)
	}
}

func (t *top) sorted(s *scope) []candidate {
	s.rank(t.kept)
	return t.kept
}

func (t *top) Len() int           { return len(t.kept) }
func (t *top) Less(i, j int) bool { return t.scope.order(t.kept[i], t.kept[j]) > 0 }
func (t *top) Swap(i, j int)      { t.kept[i], t.kept[j] = t.kept[j], t.kept[i] }
func (t *top) Push(x any)         { t.kept = append(t.kept, x.(candidate)) }
func (t *top) Pop() any {
	last := t.kept[len(t.kept)-1]
	t.kept = t.kept[:len(t.kept)-1]
	return last
}

// order ranks by score, best first; ties by id, so that the same question has the same answer.
func (s *scope) order(a, b candidate) int {
	if byScore := cmp.Compare(b.score, a.score); byScore != 0 {
		return byScore
	}
	return cmp.Compare(s.entries[a.entry].id, s.entries[b.entry].id)
}

func (s *scope) rank(list []candidate) { slices.SortFunc(list, s.order) }

// scratch holds the arrays one search needs, reused between searches.
type scratch struct {
	scores  []float32 // by entry; all zero between uses
	touched []uint32
	marks   []relevance.Mark // by term; all Other between uses
	content []relevance.Mark // of one entry
	extra   []relevance.Mark
}

func (s *scratch) scoresFor(n int) []float32 {
	if len(s.scores) < n {
		s.scores = make([]float32, n+n/4)
	}
	return s.scores
}

func (s *scratch) marksFor(n int) []relevance.Mark {
	if len(s.marks) < n {
		s.marks = make([]relevance.Mark, n+n/4)
	}
	return s.marks
}
