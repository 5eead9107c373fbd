package search

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
)

// Cache keeps answers for a while. It may lose any of them at any time, and it may lie: the service believes nothing
// it reads back that is not under its own key, and lets the store have the last word on every memory named.
//
// Get and Put must not fail a search: what goes wrong is a miss, reported by the implementation. Both must honour ctx
// and be safe for concurrent use. Nobody changes an answer that was put or got.
type Cache interface {
	// Get returns the answer put under the key, and false when there is none.
	Get(ctx context.Context, key CacheKey) (CachedAnswer, bool)
	// Put keeps the answer under its own key, at least never longer than until its Until.
	Put(ctx context.Context, answer CachedAnswer)
	// ForgetTenant removes every answer of the tenant, in all projects, and returns how many there were. The error is
	// Unavailable when it cannot be known that nothing is left.
	ForgetTenant(ctx context.Context, tenant string) (int, error)
}

// CacheKey names an answer: whose, to which request, after which change of the scope. A write moves Seq and so makes
// every older answer of the scope unreachable at once; nothing has to be forgotten by event.
type CacheKey struct {
	Scope   memory.Scope `json:"scope"`
	Request [32]byte     `json:"request"` // digest of what was asked and of how the service weighs
	Seq     memory.Seq   `json:"seq"`
}

// Digest is a name for the key that is equal only for equal keys, wherever tenant and project are cut.
func (k CacheKey) Digest() [32]byte {
	h := sha256.New()
	for _, part := range []string{k.Scope.Tenant, k.Scope.Project} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // a hash takes everything
		_, _ = h.Write([]byte(part))
	}
	_, _ = h.Write(k.Request[:])
	_ = binary.Write(h, binary.BigEndian, int64(k.Seq))
	return [32]byte(h.Sum(nil))
}

// CachedAnswer is an answer as it is kept: which memories, in which order, with which scores, and none of their words.
// Those are read from the store when the answer is given again, so that a cache never holds what was deleted.
type CachedAnswer struct {
	Key     CacheKey       `json:"key"`
	Until   time.Time      `json:"until"` // when recency scores have stood still long enough
	Results []CachedResult `json:"results"`
}

// CachedResult is a Result that names its memory.
type CachedResult struct {
	ID      memory.ID    `json:"id"`
	Score   float64      `json:"score"`
	Scores  Scores       `json:"scores"`
	Explain *Explanation `json:"explain,omitempty"`
}

// cacheFor bounds how long recency scores may stand still.
const cacheFor = 5 * time.Minute

// cacheKey names the answer to r at seq, by the model. Instances that weigh legs differently share no answers.
func (s *Service) cacheKey(r *Request, seq memory.Seq, model string) (CacheKey, error) {
	asked := *r
	asked.AtLeast, asked.Scope, asked.NoBlocks = 0, memory.Scope{}, false // the answer at seq is the same whatever the caller insisted on
	b, err := json.Marshal(struct {
		Request Request
		Weights Weights
		Legs    int
		Model   string `json:",omitempty"`
	}{asked, s.Weights, len(s.Legs), model})
	if err != nil {
		return CacheKey{}, err
	}
	if bytes.Contains(b, []byte(`\ufffd`)) { // how JSON writes every byte that is no text, so that two texts look alike
		return CacheKey{}, errors.New("the request is not wholly text")
	}
	return CacheKey{Scope: r.Scope, Request: sha256.Sum256(b), Seq: seq}, nil
}

// recall returns a standing answer. One that is not wholly what the store shows now is no answer.
func (s *Service) recall(ctx context.Context, r *Request, key CacheKey) (Response, bool) {
	kept, ok := s.Cache.Get(ctx, key)
	if !ok || kept.Key != key || !s.now().Before(kept.Until) || len(kept.Results) > r.Limit {
		return Response{}, false
	}
	ids := make([]memory.ID, len(kept.Results))
	for i, result := range kept.Results {
		ids[i] = result.ID
	}
	shown, err := s.shown(ctx, r, ids)
	if err != nil || len(shown) != len(ids) {
		return Response{}, false
	}
	response := Response{Results: make([]Result, len(ids)), Cached: true, Seq: key.Seq}
	for i, result := range kept.Results {
		m, ok := shown[result.ID]
		if !ok {
			return Response{}, false
		}
		response.Results[i] = Result{Memory: m, Score: result.Score, Scores: result.Scores, Explain: result.Explain}
	}
	return response, true
}

// shown reads the memories of an answer that the store still shows for the request, by id.
func (s *Service) shown(ctx context.Context, r *Request, ids []memory.ID) (map[memory.ID]memory.Memory, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := s.Memories.Find(ctx, r.Scope, ids, r.View)
	if err != nil {
		return nil, err
	}
	now, shown := s.now(), make(map[memory.ID]memory.Memory, len(found))
	for _, m := range found {
		if m.Scope() == r.Scope && r.Filter.Match(&m) && !m.Expired(now) {
			shown[m.ID] = m
		}
	}
	return shown, nil
}

// remember keeps an answer that lacks nothing. One that found nothing is cheap to find again.
func (s *Service) remember(ctx context.Context, key CacheKey, response *Response) {
	if len(response.Degraded) > 0 || len(response.Results) == 0 {
		return
	}
	kept := CachedAnswer{Key: key, Until: s.now().Add(cacheFor), Results: make([]CachedResult, len(response.Results))}
	for i, result := range response.Results {
		kept.Results[i] = CachedResult{ID: result.Memory.ID, Score: result.Score, Scores: result.Scores, Explain: result.Explain}
	}
	s.Cache.Put(ctx, kept)
}
