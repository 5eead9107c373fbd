package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
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
	ModelWeights  func(model string) Weights // in place of Weights for searches by the model Spaces tells; nil: there are none
	Reranker      Reranker
	Cache         Cache
	Sittings      Sittings
	Blocks        Blocks // what contexts begin with
	Tokens        Tokens // nil: a byte is a token
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
	Profile   string     // which of Profiles; "" = the question's own
	Weights   Weights    // of legs, 0..1, in place of the deployment's as the profile has them; may be nil
	AtLeast   memory.Seq // answer only from at least this state of the scope
	NoBlocks  bool       // a context is to be without blocks
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
	MatchedTerms []string           `json:"matched_terms" doc:"Stemmed words of the question it holds."`
	Fused        float64            `json:"fused" doc:"Its share of what the legs could give, 0 to 1."`
	Profile      string             `json:"profile" doc:"The type of question it was taken for, which has a say in the weights."`
	Weights      Weights            `json:"weights" doc:"How much each leg counts. A negative one is asked only when the others found too little, and counts by its size."`
	Model        string             `json:"model,omitempty" doc:"Embedding model by which question and memories were compared."`
	Features     map[string]float64 `json:"features" doc:"What the last look saw in it."`
	Context      contextShare       `json:"context" doc:"What it borrowed from the turns around it, its session, and being said by somebody the question names."`
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

// Search finds the memories that answer the request, best first, ties by id. What a stage costs, the scope pays; one that its
// budget does not cover is left out and named, whatever the budget says of that: reads are never refused for want of money.
func (s *Service) Search(ctx context.Context, r Request) (Response, error) {
	r.Query = cut(r.Query, MaxQueryBytes)
	r.Mode = cmp.Or(r.Mode, Hybrid)
	ctx = llm.WithPayer(ctx, r.Scope)
	q, err := s.inquire(&r)
	if err != nil {
		return Response{}, err
	}
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
	if q.space = s.space(ctx, r.Scope); q.model != "" && s.ModelWeights != nil {
		if q.weights, err = s.weights(s.ModelWeights(q.model), &q.profile, &r); err != nil {
			return Response{}, err
		}
	}
	var key CacheKey
	caching := s.Cache != nil
	if caching {
		var err error
		if key, err = s.cacheKey(&r, response.Seq, q.model); err != nil {
			caching = false
		} else if cached, ok := s.recall(ctx, &r, key); ok {
			return cached, nil
		}
	}
	if s.Sittings != nil {
		var end func()
		ctx, end = s.Sittings.Sit(ctx, Query{Scope: r.Scope, Text: r.Query, Filter: r.Filter, View: r.View})
		defer end()
	}
	found, degraded, err := s.retrieve(ctx, q)
	if err != nil {
		return Response{}, err
	}
	candidates := fuse(found, q.weights)
	second := !r.NoRerank && r.Mode != Graph && r.Mode != Dense
	reranked := second && s.Reranker != nil
	if reranked {
		if err := s.rerank(ctx, q, found, candidates); err != nil {
			var without *Degraded
			degraded, reranked = append(degraded, "rerank"), errors.As(err, &without)
		}
	}
	if r.Mode != Graph {
		candidates, degraded = s.withContext(ctx, q, candidates, degraded)
	}
	results, err := s.hydrate(ctx, &r, candidates)
	if err != nil {
		return Response{}, err
	}
	if second {
		q.look(ctx, candidates, results)
	}
	s.addPriors(results)
	slices.SortFunc(results, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.final, a.final), cmp.Compare(a.memory.ID, b.memory.ID))
	})
	if r.Diversity > 0 {
		results = diversify(results, r.Diversity, r.Limit)
	}
	response.Results = s.present(q, results[:min(r.Limit, len(results))], found, reranked)
	response.Degraded = degraded
	if caching && llm.DryRunOf(ctx) == nil {
		s.remember(ctx, key, &response)
	}
	return response, nil
}

// withContext brings in the turns around the best candidates and lets all borrow from their conversations.
func (s *Service) withContext(ctx context.Context, r *inquiry, candidates []*candidate, degraded []string) ([]*candidate, []string) {
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
	addContext(r.understanding, candidates)
	return candidates, degraded
}

// scored is a candidate with its memory.
type scored struct {
	*candidate
	memory   memory.Memory
	features features
	recency  float64
	final    float64
}

// How many memories are read: spare more than asked for, because priors may still swap neighbours and the store may drop
// what an index has not yet forgotten; readDepth at least, for the last look to choose from (32 and 50 gave no better
// answers, and each costs); more for diversity.
const (
	spare        = 8
	readDepth    = 24
	diverseDepth = 50
)

// hydrate reads the best candidates' memories. The store has the last word: what it does not show, or what the filter
// does not pass, is dropped, whatever an index said.
func (s *Service) hydrate(ctx context.Context, r *Request, candidates []*candidate) ([]scored, error) {
	wanted := max(readDepth, r.Limit+spare)
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

// How many candidates a reranker sees, and what its score counts beside words' share of the fused score, which it takes a
// second look at: a leg that weighs in beside the lexical one is not to lose by it.
const (
	rerankDepth  = 100
	rerankWeight = 1.85
)

// rerank mixes the reranker's score into the best candidates' own and orders them anew. It comes before context
// fusion, so that a turn also lends its neighbours what the second look found in it (docs/adr/0006).
func (s *Service) rerank(ctx context.Context, r *inquiry, found map[string][]Hit, candidates []*candidate) error {
	best := candidates[:min(len(candidates), rerankDepth)]
	ids := make([]memory.ID, len(best))
	for i, c := range best {
		ids[i] = c.id
	}
	var scores []float64
	var without *Degraded
	err := s.stage(ctx, "rerank", func(ctx context.Context) (err error) {
		scores, err = s.Reranker.Rerank(ctx, Query{Scope: r.Scope, Text: r.Query, Filter: r.Filter, View: r.View}, ids)
		if (err == nil || errors.As(err, &without)) && len(scores) != len(ids) {
			err = fmt.Errorf("reranker gave %d scores for %d candidates", len(scores), len(ids))
		}
		return err
	})
	if err != nil && without == nil || len(scores) != len(ids) {
		return err
	}
	weight := rerankWeight * r.lexicalShare(found)
	for i, c := range candidates {
		if i < len(scores) {
			c.reranked = scores[i]
		}
		c.own = (c.own + weight*c.reranked) / (1 + weight)
		c.relevant = c.own
	}
	slices.SortFunc(candidates, byRelevance)
	return err // a *Degraded at most
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
		if llm.IsDryRun(err) {
			return // nothing failed
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
