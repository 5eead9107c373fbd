package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Service answers searches. Legs, Memories and Weights are required; the rest may be nil, and what is nil is left out.
type Service struct {
	Legs          []Leg
	Weights       Weights
	Memories      Finder
	Freshness     Freshness
	Neighbourhood Neighbourhood
	Embedder      Embedder // of every scope, unless Spaces says otherwise
	Spaces        Spaces
	Reranker      Reranker
	Cache         Cache
	Log           *slog.Logger
	Clock         func() time.Time
	StageTimeout  time.Duration // bound on each leg, the query embedding and the rerank; 0 = 2 s
	Observe       func(stage string, took time.Duration, err error)
}

// Request is one search. Scope, Query and Limit are required.
type Request struct {
	Scope     memory.Scope
	Query     string // whatever its length, the first MaxQueryBytes count
	Limit     int    // 1..100
	Mode      Mode   // "" = Hybrid
	Filter    memory.Filter
	View      memory.View
	NoRerank  bool
	Diversity float64    // 0 (off) .. 1
	AtLeast   memory.Seq // answer only from at least this state of the scope
}

// MaxQueryBytes is where a longer query is cut (at a rune's edge).
const MaxQueryBytes = 16 << 10

// Scores are the parts of a result's score, each 0..1. Parts that took no part are absent.
type Scores struct {
	Dense      *float64 `json:"dense,omitempty"`
	Lexical    *float64 `json:"lexical,omitempty"`
	Graph      *float64 `json:"graph,omitempty"`
	Temporal   *float64 `json:"temporal,omitempty"`
	Recency    *float64 `json:"recency,omitempty"`
	Importance *float64 `json:"importance,omitempty"`
	Rerank     *float64 `json:"rerank,omitempty"`
}

// Result is one memory found. Score is 0..1 and orders the results.
type Result struct {
	Memory  memory.Memory `json:"memory"`
	Score   float64       `json:"score"`
	Scores  Scores        `json:"scores"`
	Explain *Explanation  `json:"explain,omitempty"`
}

// Explanation says why a memory stands where it stands.
type Explanation struct {
	MatchedTerms []string     `json:"matched_terms" doc:"Stemmed words of the question it holds."`
	Fused        float64      `json:"fused" doc:"Its share of what the legs could give, 0 to 1."`
	Weights      Weights      `json:"weights" doc:"How much each leg counts. A negative one is asked only when the others found too little, and counts by its size."`
	Model        string       `json:"model,omitempty" doc:"Embedding model by which question and memories were compared."`
	Context      contextShare `json:"context" doc:"What it borrowed from the turns around it, its session, and being said by somebody the question names."`
}

// Response is the answer to a search.
type Response struct {
	Results  []Result
	Cached   bool
	Degraded []string // stages that failed, by name; their part is missing from the scores
	Seq      memory.Seq
}

const (
	defaultStageTimeout = 2 * time.Second
	legDepth            = 200 // candidates asked of each leg
	contextDepth        = 50  // candidates whose neighbours are brought in
)

// Search finds the memories that answer the request, best first, ties by id.
func (s *Service) Search(ctx context.Context, r Request) (Response, error) {
	r.Query = cut(r.Query, MaxQueryBytes)
	r.Mode = cmp.Or(r.Mode, Hybrid)
	var response Response
	if s.Freshness != nil {
		seq, err := s.Freshness.CatchUp(ctx, r.Scope)
		if err != nil {
			return Response{}, err
		}
		if seq < r.AtLeast {
			return Response{}, fault.BadField("header.X-RAE-Consistency", "names a write this project has not seen")
		}
		response.Seq = seq
	}
	sp := s.space(ctx, r.Scope)
	var key CacheKey
	caching := s.Cache != nil
	if caching {
		var err error
		if key, err = s.cacheKey(&r, response.Seq, sp.model); err != nil {
			caching = false
		} else if cached, ok := s.recall(ctx, &r, key); ok {
			return cached, nil
		}
	}
	found, degraded, err := s.retrieve(ctx, &r, &sp)
	if err != nil {
		return Response{}, err
	}
	candidates := fuse(found, s.Weights)
	reranked := s.Reranker != nil && !r.NoRerank && r.Mode != Graph && r.Mode != Dense
	if reranked {
		if err := s.rerank(ctx, &r, candidates); err != nil {
			degraded, reranked = append(degraded, "rerank"), false
		}
	}
	if r.Mode != Graph {
		candidates, degraded = s.withContext(ctx, &r, candidates, degraded)
	}
	results, err := s.hydrate(ctx, &r, candidates)
	if err != nil {
		return Response{}, err
	}
	s.addPriors(results)
	slices.SortFunc(results, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.final, a.final), cmp.Compare(a.memory.ID, b.memory.ID))
	})
	if r.Diversity > 0 {
		results = diversify(results, r.Diversity, r.Limit)
	}
	response.Results = s.present(results[:min(r.Limit, len(results))], found, reranked, sp.model)
	response.Degraded = degraded
	if caching {
		s.remember(ctx, key, &response)
	}
	return response, nil
}

// retrieve asks the legs of the mode: first those that weigh in, all at once, then, when they found too little, those
// that only help out. A leg that fails is named; only when all fail is there no answer.
func (s *Service) retrieve(ctx context.Context, r *Request, sp *space) (found map[string][]Hit, degraded []string, err error) {
	var main, helping []Leg
	for _, leg := range s.Legs {
		switch {
		case r.Mode != Hybrid && string(r.Mode) != leg.Name():
		case r.Mode == Hybrid && s.Weights[leg.Name()] < 0:
			helping = append(helping, leg)
		default:
			main = append(main, leg)
		}
	}
	if len(main) == 0 {
		main, helping = helping, nil
	}
	if len(main) == 0 {
		return nil, nil, fault.BadField("body.mode", "%q is not offered by this deployment", r.Mode)
	}
	found = map[string][]Hit{}
	q := Query{Scope: r.Scope, Text: r.Query, Filter: r.Filter, View: r.View, Model: sp.model}
	failure := s.ask(ctx, r, sp, &q, main, found)
	if distinct(found) < r.Limit {
		failure = append(failure, s.ask(ctx, r, sp, &q, helping, found)...)
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	for _, f := range failure {
		degraded = append(degraded, f.leg)
	}
	slices.Sort(degraded)
	degraded = slices.Compact(degraded)
	if len(found) == 0 {
		return nil, nil, fault.Wrap(fault.Unavailable, failure[0].err, "no way of searching is available: %s", strings.Join(degraded, ", "))
	}
	return found, degraded, nil
}

// failed is a leg that gave no answer, or what a leg that answered had to do without.
type failed struct {
	leg string
	err error
}

// ask runs legs at once, each within its own time, and adds what they find.
func (s *Service) ask(ctx context.Context, r *Request, sp *space, q *Query, legs []Leg, found map[string][]Hit) (failures []failed) {
	legs = slices.Clone(legs)
	dense := slices.IndexFunc(legs, func(l Leg) bool { return l.Name() == string(Dense) })
	if dense >= 0 && (sp.embedder != nil || sp.err != nil) && strings.TrimSpace(r.Query) != "" {
		err := s.stage(ctx, "embed", func(ctx context.Context) (err error) {
			if sp.err != nil {
				return sp.err
			}
			q.Vector, err = sp.embedder.EmbedQuery(ctx, r.Query)
			return err
		})
		if err != nil {
			failures = append(failures, failed{string(Dense), err})
			legs = slices.Delete(legs, dense, dense+1)
		}
	}
	hits := make([][]Hit, len(legs))
	errs := make([]error, len(legs))
	without := make([]*Degraded, len(legs))
	var running sync.WaitGroup
	for i, leg := range legs {
		running.Go(func() {
			began := time.Now()
			errs[i] = s.stage(ctx, leg.Name(), func(ctx context.Context) (err error) {
				hits[i], err = leg.Retrieve(ctx, *q, max(legDepth, 2*r.Limit))
				if errors.As(err, &without[i]) {
					return nil
				}
				return err
			})
			if without[i] != nil && s.Observe != nil {
				s.Observe(without[i].Stage, time.Since(began), without[i])
			}
		})
	}
	running.Wait()
	for i, leg := range legs {
		if errs[i] != nil {
			failures = append(failures, failed{leg.Name(), errs[i]})
			continue
		}
		if without[i] != nil {
			failures = append(failures, failed{without[i].Stage, without[i]})
		}
		found[leg.Name()] = hits[i]
	}
	return failures
}

// distinct counts the memories found.
func distinct(found map[string][]Hit) int {
	ids := map[memory.ID]struct{}{}
	for _, hits := range found {
		for _, hit := range hits {
			ids[hit.ID] = struct{}{}
		}
	}
	return len(ids)
}

// withContext brings in the turns around the best candidates and lets all borrow from their conversations.
func (s *Service) withContext(ctx context.Context, r *Request, candidates []*candidate, degraded []string) ([]*candidate, []string) {
	if s.Neighbourhood != nil && len(candidates) > 0 {
		near := candidates[:min(len(candidates), contextDepth)]
		hits := make([]Hit, 0, len(near))
		for _, c := range near {
			if c.place.Session != "" {
				hits = append(hits, Hit{ID: c.id, Place: c.place})
			}
		}
		var around []Hit
		err := s.stage(ctx, "context", func(ctx context.Context) (err error) {
			around, err = s.Neighbourhood.Around(ctx, Query{Scope: r.Scope, Text: r.Query, Filter: r.Filter, View: r.View}, hits, reach)
			return err
		})
		if err != nil {
			degraded = append(degraded, "context")
		}
		known := make(map[memory.ID]bool, len(candidates))
		for _, c := range candidates {
			known[c.id] = true
		}
		for _, hit := range around {
			if !known[hit.ID] {
				candidates = append(candidates, &candidate{id: hit.ID, place: hit.Place, legs: map[string]float64{}})
			}
		}
	}
	addContext(r.Query, candidates)
	return candidates, degraded
}

// scored is a candidate with its memory.
type scored struct {
	*candidate
	memory  memory.Memory
	recency float64
	final   float64
}

// spare is how many more memories are read than asked for: priors may still swap neighbours, and the store may drop
// what an index has not yet forgotten. Diversity needs more to choose from.
const (
	spare        = 8
	diverseDepth = 50
)

// hydrate reads the best candidates' memories. The store has the last word: what it does not show, or what the filter
// does not pass, is dropped, whatever an index said.
func (s *Service) hydrate(ctx context.Context, r *Request, candidates []*candidate) ([]scored, error) {
	wanted := r.Limit + spare
	if r.Diversity > 0 {
		wanted = max(wanted, diverseDepth)
	}
	results := make([]scored, 0, min(wanted, len(candidates)))
	for len(candidates) > 0 && len(results) < r.Limit {
		next := candidates[:min(wanted, len(candidates))]
		candidates = candidates[len(next):]
		ids := make([]memory.ID, len(next))
		byID := make(map[memory.ID]*candidate, len(next))
		for i, c := range next {
			ids[i], byID[c.id] = c.id, c
		}
		memories, err := s.Memories.Find(ctx, r.Scope, ids, r.View)
		if err != nil {
			return nil, fmt.Errorf("read %d memories of %s: %w", len(ids), r.Scope, err)
		}
		for _, m := range memories {
			if m.Scope() == r.Scope && r.Filter.Match(&m) {
				results = append(results, scored{candidate: byID[m.ID], memory: m, final: byID[m.ID].relevant})
			}
		}
	}
	return results, nil
}

// How many candidates a reranker sees, and what its score counts beside the legs' share of 1.
const (
	rerankDepth  = 100
	rerankWeight = 1.85
)

// rerank mixes the reranker's score into the best candidates' own and orders them anew. It comes before context
// fusion, so that a turn also lends its neighbours what the second look found in it (docs/adr/0006).
func (s *Service) rerank(ctx context.Context, r *Request, candidates []*candidate) error {
	best := candidates[:min(len(candidates), rerankDepth)]
	ids := make([]memory.ID, len(best))
	for i, c := range best {
		ids[i] = c.id
	}
	var scores []float64
	err := s.stage(ctx, "rerank", func(ctx context.Context) (err error) {
		scores, err = s.Reranker.Rerank(ctx, Query{Scope: r.Scope, Text: r.Query, Filter: r.Filter, View: r.View}, ids)
		if err == nil && len(scores) != len(ids) {
			err = fmt.Errorf("reranker gave %d scores for %d candidates", len(scores), len(ids))
		}
		return err
	})
	if err != nil {
		return err
	}
	for i, c := range candidates {
		if i < len(scores) {
			c.reranked = scores[i]
		}
		c.own = (c.own + rerankWeight*c.reranked) / (1 + rerankWeight)
		c.relevant = c.own
	}
	slices.SortFunc(candidates, byRelevance)
	return nil
}

// Priors are gentle: together they move a score by at most a twentieth, so they order equals and nothing else.
const (
	importancePrior = .03
	recencyPrior    = .02
	halfLife        = 30 * 24 * time.Hour
)

func (s *Service) addPriors(results []scored) {
	now := s.now()
	for i := range results {
		r := &results[i]
		age := max(0, now.Sub(r.memory.When()))
		r.recency = math.Exp2(-float64(age) / float64(halfLife))
		r.final *= 1 + importancePrior*(r.memory.Importance-.5) + recencyPrior*(r.recency-.5)
	}
}

// present turns scores into what the caller sees: 1-exp(-2x) keeps the order and lies in 0..1 however much context
// added.
func (s *Service) present(results []scored, found map[string][]Hit, reranked bool, model string) []Result {
	if _, compared := found[string(Dense)]; !compared {
		model = ""
	}
	weights := Weights{}
	for name := range found {
		weights[name] = s.Weights[name]
	}
	out := make([]Result, len(results))
	for i, r := range results {
		importance, recency := r.memory.Importance, r.recency
		scores := Scores{Importance: &importance, Recency: &recency}
		for name := range found {
			score := r.legs[name]
			switch name {
			case string(Dense):
				scores.Dense = &score
			case string(Lexical):
				scores.Lexical = &score
			case string(Graph):
				scores.Graph = &score
			}
		}
		if reranked {
			score := r.reranked
			scores.Rerank = &score
		}
		terms := r.terms
		if terms == nil {
			terms = []string{}
		}
		out[i] = Result{
			Memory: r.memory, Score: 1 - math.Exp(-2*max(0, r.final)), Scores: scores,
			Explain: &Explanation{MatchedTerms: terms, Fused: r.fused, Weights: weights, Model: model, Context: r.context},
		}
	}
	return out
}

// stage runs one bounded step and reports it. A panic in a leg is that leg's failure, not the search's.
func (s *Service) stage(ctx context.Context, name string, do func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.StageTimeout, defaultStageTimeout))
	defer cancel()
	began := time.Now()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s panicked: %v", name, p)
		}
		if s.Observe != nil {
			s.Observe(name, time.Since(began), err)
		}
		if err != nil && s.Log != nil && !errors.Is(err, context.Canceled) {
			s.Log.WarnContext(ctx, "search stage failed", "stage", name, "err", err)
		}
	}()
	return do(ctx)
}

func (s *Service) now() time.Time {
	if s.Clock != nil {
		return s.Clock()
	}
	return time.Now()
}

// cut shortens text to at most limit bytes at the edge of a rune.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && text[limit]&0xC0 == 0x80 {
		limit--
	}
	return text[:limit]
}
