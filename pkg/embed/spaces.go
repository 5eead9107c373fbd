package embed

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Resolver finds the embedder of a model by its id; "" is the deployment's own choice. Invalid where there is none. It
// must be safe for concurrent use and must touch nothing: embedders connect when first used.
type Resolver func(model string) (Embedder, error)

// Resolve adds to the embedders of a deployment, own, what is built in: what somebody embedded by it can be searched
// whatever the deployment's choice is now.
func Resolve(own Resolver) Resolver {
	builtIn := map[string]Embedder{}
	for _, provider := range []string{ProviderStatic, ProviderHash} {
		if e, err := BuiltIn(provider, ""); err == nil {
			builtIn[e.Model()] = e
		}
	}
	return func(model string) (Embedder, error) {
		first, err := own("")
		if err == nil && (model == "" || model == first.Model()) {
			return first, nil
		}
		if e, ok := builtIn[model]; ok {
			return e, nil
		}
		return own(model)
	}
}

// One resolves nothing but e, and what is built in.
func One(e Embedder) Resolver {
	return Resolve(func(model string) (Embedder, error) {
		if model != "" && model != e.Model() {
			return nil, fault.New(fault.Invalid, "embedding model %q is unknown; there is: %s", model, e.Model())
		}
		return e, nil
	})
}

// Free reports whether an embedder is built in: it computes in this process, costs nothing but time, and cannot be away.
func Free(e Embedder) bool {
	switch e.(type) {
	case *Hash, *Static:
		return true
	}
	return false
}

// FollowWithin is how late Spaces may learn that another process has chosen other models for a scope.
const FollowWithin = time.Second

// Spaces tells which models a scope's memories and questions are embedded by. What stands in the store is asked once in
// FollowWithin; what this process chooses it knows at once. Where nothing stands, it is the deployment's own model.
type Spaces struct {
	Store   memory.Modelled
	Resolve Resolver
	Within  time.Duration       // how late it may learn of others' choices; 0 = FollowWithin
	Free    func(Embedder) bool // whether an embedder costs nothing; nil = Free
	Clock   func() time.Time    // nil = time.Now
	Log     *slog.Logger        // nil: discarded

	mu    sync.Mutex
	known *lru.Cache[memory.Scope, seen]
	told  map[string]struct{} // models that were looked for in vain, and warned of
}

// seen is what stood in the store at a time.
type seen struct {
	models memory.Models
	at     time.Time
}

// scopesKnown is of how many scopes Spaces remembers what it saw.
const scopesKnown = 10_000

// Models returns what stood at most FollowWithin ago. Active is never empty.
func (s *Spaces) Models(ctx context.Context, scope memory.Scope) (memory.Models, error) {
	if known, ok := s.cache().Get(scope); ok && s.now().Sub(known.at) < s.within() {
		return known.models, nil
	}
	return s.Now(ctx, scope)
}

// Now returns what stands.
func (s *Spaces) Now(ctx context.Context, scope memory.Scope) (memory.Models, error) {
	at := s.now()
	models, err := s.Store.Models(ctx, scope)
	if err == nil {
		err = s.complete(&models)
	}
	if err != nil {
		return memory.Models{}, err
	}
	s.cache().Add(scope, seen{models, at})
	return models, nil
}

// Choose is memory.Modelled's ChooseModels; do is handed what Now returns.
func (s *Spaces) Choose(ctx context.Context, scope memory.Scope, do func(memory.Models) (memory.Models, error)) (memory.Models, error) {
	at := s.now()
	models, err := s.Store.ChooseModels(ctx, scope, func(m memory.Models) (memory.Models, error) {
		if err := s.complete(&m); err != nil {
			return m, err
		}
		return do(m)
	})
	if err == nil {
		s.cache().Add(scope, seen{models, at})
	}
	return models, err
}

// complete fills in the deployment's model where there is no other.
func (s *Spaces) complete(m *memory.Models) error {
	if m.Active != "" {
		return nil
	}
	own, err := s.Resolve("")
	if err == nil {
		m.Active = own.Model()
	}
	return err
}

// Active returns the embedder of the model that searches of the scope compare by.
func (s *Spaces) Active(ctx context.Context, scope memory.Scope) (Embedder, error) {
	models, err := s.Models(ctx, scope)
	if err != nil {
		return nil, err
	}
	return s.Resolve(models.Active)
}

// Embedders returns those of all models whose vectors a memory of the scope gets, the active one first. One that this
// deployment does not have is left out, which is logged once.
func (s *Spaces) Embedders(ctx context.Context, scope memory.Scope) ([]Embedder, error) {
	models, err := s.Models(ctx, scope)
	if err != nil {
		return nil, err
	}
	return s.of(ctx, models), nil
}

func (s *Spaces) of(ctx context.Context, models memory.Models) (embedders []Embedder) {
	for _, model := range models.Wanted() {
		e, err := s.Resolve(model)
		if err != nil {
			s.warn(ctx, model, err)
			continue
		}
		embedders = append(embedders, e)
	}
	return embedders
}

func (s *Spaces) warn(ctx context.Context, model string, err error) {
	s.mu.Lock()
	_, before := s.told[model]
	if s.told == nil {
		s.told = map[string]struct{}{}
	}
	s.told[model] = struct{}{}
	s.mu.Unlock()
	if !before && s.Log != nil {
		s.Log.WarnContext(ctx, "projects have vectors of a model this deployment does not have", "model", model, "err", err)
	}
}

func (s *Spaces) cache() *lru.Cache[memory.Scope, seen] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known, _ = lru.New[memory.Scope, seen](scopesKnown) // fails only for a size below 1
	}
	return s.known
}

func (s *Spaces) free(e Embedder) bool {
	if s.Free != nil {
		return s.Free(e)
	}
	return Free(e)
}

func (s *Spaces) within() time.Duration { return cmp.Or(s.Within, FollowWithin) }

func (s *Spaces) now() time.Time {
	if s.Clock != nil {
		return s.Clock()
	}
	return time.Now()
}
