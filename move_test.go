package rae_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	rae "github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// narrow is a model of other vectors than the built-in one: of 96 dimensions, and none a prefix of the built-in one's.
type narrow struct{ embed.Hash }

const narrowModel = "narrow-96"

func (*narrow) Model() string   { return narrowModel }
func (*narrow) Dimensions() int { return 96 }

func (n *narrow) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	vectors, err := n.Hash.EmbedDocuments(ctx, texts)
	for i, v := range vectors {
		for a, b := 0, len(v)-1; a < b; a, b = a+1, b-1 {
			v[a], v[b] = v[b], v[a]
		}
		vectors[i] = embed.Shorten(v, 96)
	}
	return vectors, err
}

func (n *narrow) EmbedQuery(ctx context.Context, text string) ([]float32, error) {
	vectors, err := n.EmbedDocuments(ctx, []string{text})
	if err != nil {
		return nil, err
	}
	return vectors[0], nil
}

// knows lets an engine have the narrow model besides the built-in one.
func knows(e *running) *running {
	first := e.Spaces.Resolve
	e.Spaces.Resolve = func(model string) (embed.Embedder, error) {
		if model == narrowModel {
			return new(narrow), nil
		}
		return first(model)
	}
	return e
}

// load searches all the time. Every question is what a memory says, so that by either model, but not between two, that
// memory is the nearest and its cosine is 1.
type load struct {
	texts  []string
	asked  atomic.Int64
	mu     sync.Mutex
	models map[string]int // searches answered by each
	wrong  []string       // some of what was wrong
}

func (l *load) run(ctx context.Context, e *running) {
	pace := time.NewTicker(5 * time.Millisecond) // leaves something of the machine to who moves
	defer pace.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		<-pace.C
		text := l.texts[rand.IntN(len(l.texts))]
		r := search.Request{Scope: shop, Query: text, Limit: 3, Mode: search.Dense}
		if i%2 == 1 {
			r.Mode = search.Hybrid
		}
		found, err := e.Search.Search(ctx, r)
		if ctx.Err() != nil {
			return
		}
		l.judge(&r, &found, err)
	}
}

func (l *load) judge(r *search.Request, found *search.Response, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked.Add(1)
	complaint := ""
	switch {
	case err != nil:
		complaint = err.Error()
	case len(found.Results) == 0:
		complaint = "nothing found"
	case len(found.Degraded) > 0:
		complaint = fmt.Sprint("degraded: ", found.Degraded)
	case found.Results[0].Memory.Content != r.Query:
		complaint = "another memory is the first"
	case r.Mode == search.Dense && *found.Results[0].Scores.Dense < .999:
		complaint = fmt.Sprint("a memory is as near to itself as ", *found.Results[0].Scores.Dense)
	}
	if complaint != "" {
		l.wrong = append(l.wrong, fmt.Sprintf("%s search for %q: %s", r.Mode, r.Query, complaint))
		return
	}
	if r.Mode == search.Dense {
		model := found.Results[0].Explain.Model
		for _, result := range found.Results {
			if result.Explain.Model != model {
				l.wrong = append(l.wrong, "one answer names two models")
			}
		}
		l.models[model]++
	}
}

// cosine is that of vectors of length 1.
func cosine(a, b []float32) (sum float32) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

var shop = memory.Scope{Tenant: "acme", Project: "shop"}

// moved is how many memories are moved to another model.
const moved = 2000

func TestAProjectMovesToAnotherModelWhileItIsSearched(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) (one, other *running){
		"sqlite": func(t *testing.T) (one, other *running) {
			dir := t.TempDir()
			inDir := func(c *rae.Config) { c.Store.DataDir, c.Embed.EmbedProvider = dir, embed.ProviderHash }
			return startWith(t, inDir), startWith(t, inDir)
		},
		"postgres": func(t *testing.T) (one, other *running) {
			var store rae.Config
			one = onPostgres(t, func(c *rae.Config) { c.Embed.EmbedProvider, store = embed.ProviderHash, *c })
			return one, startWith(t, func(c *rae.Config) { c.Embed.EmbedProvider, c.Store.Config = embed.ProviderHash, store.Store.Config })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, other := open(t)
			moveUnderLoad(t, knows(one), knows(other))
		})
	}
}

func moveUnderLoad(t *testing.T, one, other *running) {
	l := &load{models: map[string]int{}}
	var vectors [][]float32
	for i := 0; len(l.texts) < moved; i++ {
		text := fmt.Sprintf("parcel %d of consignment %x went to depot %d", i, i*7919, i%37)
		vector, err := new(narrow).EmbedQuery(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		// Where two texts have next to one vector, either is as near to the other as to itself.
		if !slices.ContainsFunc(vectors, func(v []float32) bool { return cosine(v, vector) > .999 }) {
			vectors, l.texts = append(vectors, vector), append(l.texts, text)
		}
	}
	store(t, one, l.texts)
	ctx, stop := context.WithCancel(t.Context())
	var searching sync.WaitGroup
	for _, e := range []*running{one, other} {
		searching.Go(func() { l.run(ctx, e) })
	}
	defer searching.Wait()
	defer stop()
	usedBy := func(model string) {
		t.Helper()
		for _, e := range []*running{one, other} {
			eventually(t, "searches use "+model, func() bool {
				found, err := e.Search.Search(t.Context(), search.Request{Scope: shop, Query: l.texts[0], Limit: 1, Mode: search.Dense})
				return err == nil && len(found.Results) > 0 && found.Results[0].Explain.Model == model
			})
		}
	}
	usedBy("hash-384-v1")
	j, err := one.Reembed.Start(t.Context(), shop, narrowModel)
	for err == nil && !j.Status.Final() {
		store(t, other, []string{fmt.Sprintf("letter of %s", time.Now())}) // by a process that may not know yet
		j, err = one.Jobs.Run(t.Context(), shop, j.ID)
	}
	if err != nil || j.Status != job.Succeeded {
		t.Fatalf("the job: %+v, %v", j, err)
	}
	eventually(t, "everything is covered", func() bool {
		stands, err := one.Reembed.Stands(t.Context(), shop)
		return err == nil && stands.Coverage[narrowModel].Share() == 1
	})
	steps := []struct {
		do   func() (memory.Models, error)
		used string
	}{
		{func() (memory.Models, error) { return one.Reembed.Switch(t.Context(), shop, 1) }, narrowModel},
		{func() (memory.Models, error) { return other.Reembed.Rollback(t.Context(), shop) }, "hash-384-v1"},
		{func() (memory.Models, error) { return other.Reembed.Switch(t.Context(), shop, 1) }, narrowModel},
	}
	for _, step := range steps {
		if _, err := step.do(); err != nil {
			t.Fatal(err)
		}
		usedBy(step.used)
		before := l.asked.Load()
		eventually(t, "more searches", func() bool { return l.asked.Load() > before+20 })
	}
	stop()
	searching.Wait()
	if len(l.wrong) > 0 {
		t.Errorf("%d of %d searches were wrong, such as %s", len(l.wrong), l.asked.Load(), l.wrong[0])
	}
	if l.models[narrowModel] == 0 || l.models["hash-384-v1"] == 0 || len(l.models) != 2 {
		t.Errorf("answered by %v", l.models)
	}
	t.Logf("%d searches, by vectors of %v", l.asked.Load(), l.models)
}

// store takes texts in, a thousand at a time.
func store(t *testing.T, e *running, texts []string) {
	t.Helper()
	for len(texts) > 0 {
		some := texts[:min(1000, len(texts))]
		texts = texts[len(some):]
		drafts := make([]json.RawMessage, len(some))
		for i, text := range some {
			drafts[i] = fmt.Appendf(nil, `{"content":%q}`, text)
		}
		results, _, err := e.Memories.Batch(t.Context(), shop, drafts, memory.Key{}, memory.Why{})
		if err != nil || len(results) != len(some) || results[0].Status == ingest.Refused {
			t.Fatalf("store: %v", err)
		}
	}
}

// TestAStoreFollowsANewProgram opens a store full of one built-in model's vectors by a program that comes with another.
func TestAStoreFollowsANewProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := open(t, func(c *rae.Config) { c.Store.DataDir, c.Embed.EmbedProvider = dir, embed.ProviderHash })
	var texts []string
	for i := range 300 {
		texts = append(texts, fmt.Sprintf("parcel %d of consignment %x", i, i*7919))
	}
	store(t, before, texts)
	before.stop()
	after := startWith(t, func(c *rae.Config) { c.Store.DataDir = dir })
	static := embed.ModelOf(embed.ProviderStatic)
	models := map[string]bool{}
	eventually(t, "the project follows", func() bool {
		found, err := after.Search.Search(t.Context(), search.Request{Scope: shop, Query: texts[7], Limit: 3, Mode: search.Dense})
		if err != nil || len(found.Results) == 0 || found.Results[0].Memory.Content != texts[7] || len(found.Degraded) > 0 {
			t.Fatalf("meanwhile: %+v, %v", found, err)
		}
		models[found.Results[0].Explain.Model] = true
		return models[static]
	})
	stands, err := after.Reembed.Stands(t.Context(), shop)
	if err != nil || stands.Active != static || stands.Previous != embed.ModelOf(embed.ProviderHash) || stands.Chosen || stands.Coverage[static].Vectors != 300 {
		t.Errorf("stands %+v, %v", stands, err)
	}
	for _, step := range []struct {
		method, path, body string
		status             int
		active, next       any
	}{
		{"GET", "", "", 200, static, nil},
		{"POST", "/rollback", "", 200, "hash-384-v1", static},
		{"POST", "/rollback", "", 409, nil, nil},
		{"POST", "", `{"model":"dream-1"}`, 422, nil, nil},
		{"POST", "/switch", `{"covered":1}`, 200, static, nil},
		{"DELETE", "/" + static, "", 409, nil, nil},
		{"GET", "", "", 200, static, nil},
	} {
		status, answer := after.call(step.method, "/v1/embedding-models"+step.path, step.body, "X-Project-ID", shop.Project)
		if status != step.status || answer["active"] != step.active || answer["next"] != step.next {
			t.Errorf("%s %s is answered %d %v", step.method, step.path, status, answer)
		}
	}
	_, listed := after.call("GET", "/v1/memories?limit=1", "", "X-Project-ID", shop.Project)
	if got := fmt.Sprint(listed["memories"].([]any)[0].(map[string]any)["embedding_models"]); got != "[hash-384-v1 "+static+"]" {
		t.Errorf("a memory has vectors of %s", got)
	}
}
