package embed_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/sqlite"
)

var shop = memory.Scope{Tenant: "acme", Project: "shop"}

// next is the embedder of tomorrow: vectors of two dimensions that tell the length of the text. It counts what it embeds.
type next struct {
	texts  atomic.Int64
	before func(n int64) error // called with how many texts there were so far
}

func (*next) Model() string   { return "next-2" }
func (*next) Dimensions() int { return 2 }

func (e *next) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	if e.before != nil {
		if err := e.before(e.texts.Load()); err != nil {
			return nil, err
		}
	}
	vectors := make([][]float32, len(texts))
	for i, s := range texts {
		vectors[i] = []float32{1, float32(len(s))}
	}
	e.texts.Add(int64(len(texts)))
	return vectors, ctx.Err()
}

func (e *next) EmbedQuery(ctx context.Context, text string) ([]float32, error) {
	vectors, err := e.EmbedDocuments(ctx, []string{text})
	return vectors[0], err
}

// old is the embedder of yesterday, of one dimension. Its vectors are made by put.
type old struct{ *next }

func (old) Model() string   { return "old-1" }
func (old) Dimensions() int { return 1 }

// modelled is what a store is here.
type modelled interface {
	memory.Store
	memory.Directory
	memory.Modelled
}

// migration is a store with memories that have vectors of the model "old-1", and what embeds them anew.
type migration struct {
	*testing.T
	store    modelled
	embedder *next
	spaces   *embed.Spaces
	reembed  *embed.Reembed
	jobs     *job.Runner
	late     atomic.Int64 // how much later it is than the clock says
}

// onEveryStore runs a test over a fresh store of each kind.
func onEveryStore(t *testing.T, test func(*migration)) {
	open := map[string]func(*testing.T, func() time.Time) (modelled, job.Store){
		"inmem": func(_ *testing.T, clock func() time.Time) (modelled, job.Store) {
			db := inmem.New(inmem.Options{Clock: clock})
			return db, inmem.NewJobs(db)
		},
		"sqlite": func(t *testing.T, clock func() time.Time) (modelled, job.Store) {
			db := sqlite.Open(filepath.Join(t.TempDir(), "rae.db"), sqlite.Options{Clock: clock})
			t.Cleanup(func() { _ = db.Close() })
			return db, sqlite.NewJobs(db)
		},
	}
	for name, open := range open {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &migration{T: t, embedder: &next{}}
			store, jobs := open(t, func() time.Time { return time.Now().Add(time.Duration(m.late.Load())) })
			m.store = store
			m.spaces = &embed.Spaces{Store: store, Within: time.Millisecond, Resolve: func(model string) (embed.Embedder, error) {
				switch model {
				case "", "old-1":
					return old{m.embedder}, nil
				case "next-2":
					return m.embedder, nil
				}
				return nil, fault.New(fault.Invalid, "there is no model %q", model)
			}}
			m.jobs = &job.Runner{Store: jobs}
			m.reembed = &embed.Reembed{Memories: store, Spaces: m.spaces, Scopes: store, Jobs: m.jobs}
			m.jobs.Handlers = m.reembed.Handlers()
			test(m)
		})
	}
}

// put stores n memories, all but every fifth with a vector of the old model.
func (m *migration) put(scope memory.Scope, from, n int) []memory.Memory {
	m.Helper()
	var all []memory.Memory
	err := m.store.Write(m.Context(), scope, func(tx memory.Tx) error {
		all = nil
		for i := from; i < from+n; i++ {
			draft := memory.Memory{Content: fmt.Sprintf("memory number %d", i), Layer: memory.Episodic, Embedding: memory.EmbeddingReady}
			vectors := []memory.Vector{{Model: "old-1", Values: []float32{float32(i + 1)}}}
			if i%5 == 0 {
				draft.Embedding, vectors = memory.EmbeddingPending, nil
			}
			stored, _, err := tx.Put(m.Context(), draft, memory.Why{}, vectors...)
			if err != nil {
				return err
			}
			all = append(all, stored)
		}
		return nil
	})
	if err != nil {
		m.Fatal(err)
	}
	return all
}

func (m *migration) start() job.Job {
	m.Helper()
	j, err := m.reembed.Start(m.Context(), shop, "next-2")
	if err != nil {
		m.Fatal(err)
	}
	return j
}

// finish runs the job until it has ended.
func (m *migration) finish(j job.Job) job.Job {
	m.Helper()
	for !j.Status.Final() {
		var err error
		if j, err = m.jobs.Run(m.Context(), j.Scope(), j.ID); err != nil {
			m.Fatal(err)
		}
	}
	return j
}

// vectors counts the memories of the scope and those of them that have a vector of the model.
func (m *migration) vectors(scope memory.Scope, model string) (all, with int) {
	m.Helper()
	changes, err := m.store.Changes(m.Context(), scope, model, 0, 100_000)
	if err != nil {
		m.Fatal(err)
	}
	for _, c := range changes {
		if c.Gone || c.Version.RecordedTo != nil {
			continue
		}
		all++
		if c.Vector != nil {
			with++
		}
	}
	return all, with
}

func (m *migration) want(scope memory.Scope, model string, all, with int) {
	m.Helper()
	if gotAll, gotWith := m.vectors(scope, model); gotAll != all || gotWith != with {
		m.Errorf("%s: %d of %d memories have a vector of %s, want %d of %d", scope, gotWith, gotAll, model, with, all)
	}
}

func TestReembeddingGivesEveryMemoryAVectorBesideTheOld(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(m *migration) {
		all := m.put(shop, 0, 150)
		other := memory.Scope{Tenant: "acme", Project: "other"}
		m.put(other, 0, 3)
		err := m.store.Write(m.Context(), shop, func(tx memory.Tx) error {
			if err := tx.Delete(m.Context(), all[7].ID); err != nil {
				return err
			}
			changed := all[8]
			changed.Content = "another text"
			_, err := tx.Replace(m.Context(), changed, memory.Why{}, memory.Vector{Model: "old-1", Values: []float32{1}})
			return err
		})
		if err != nil {
			m.Fatal(err)
		}
		j := m.finish(m.start())
		if j.Status != job.Succeeded || j.Progress != (job.Progress{Done: 149, Total: 149}) {
			m.Errorf("ended as %+v", j)
		}
		m.want(shop, "next-2", 149, 149)
		m.want(shop, "old-1", 149, 119) // as before: every fifth of 150 never had one
		m.want(other, "next-2", 3, 0)
		if n := m.embedder.texts.Load(); n != 149 {
			m.Errorf("%d texts were embedded for 149 memories", n)
		}
		j = m.finish(m.start())
		if j.Status != job.Succeeded || j.Progress.Done != 149 || m.embedder.texts.Load() != 149 {
			m.Errorf("again: %+v, %d texts", j.Progress, m.embedder.texts.Load())
		}
	})
}

func TestReembeddingReachesWhatIsWrittenMeanwhile(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(m *migration) {
		m.put(shop, 0, 100)
		written := 0
		m.embedder.before = func(int64) error {
			if written < 3 {
				m.put(shop, 1000+10*written, 10)
				written++
			}
			return nil
		}
		if j := m.finish(m.start()); j.Status != job.Succeeded || j.Progress.Done != 130 {
			m.Errorf("ended as %+v", j)
		}
		m.want(shop, "next-2", 130, 130)
	})
}

func TestReembeddingCountsWhatOthersGaveAVector(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(m *migration) {
		all := m.put(shop, 0, 100)
		m.embedder.before = func(n int64) error {
			if n > 0 {
				return nil
			}
			last := all[len(all)-1] // the job has not come to it yet
			return m.store.Write(m.Context(), shop, func(tx memory.Tx) error {
				_, err := tx.Attach(m.Context(), last.ID, last.Version, memory.Vector{Model: "next-2", Values: []float32{1, 1}})
				return err
			})
		}
		if j := m.finish(m.start()); j.Status != job.Succeeded || j.Progress != (job.Progress{Done: 100, Total: 100}) {
			m.Errorf("ended as %+v", j.Progress)
		}
	})
}

func TestReembeddingGoesOnWhereItsWorkerDied(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(m *migration) {
		m.put(shop, 0, 200)
		m.embedder.before = func(so int64) error {
			if so >= 96 {
				runtime.Goexit() // in the middle of its fourth step
			}
			return nil
		}
		began := m.start()
		var worker sync.WaitGroup
		worker.Go(func() { _, _ = m.jobs.Run(m.Context(), shop, began.ID) })
		worker.Wait()
		m.embedder.before = nil
		j := m.start()
		if j.ID != began.ID || j.Status != job.Running || j.Progress != (job.Progress{Done: 96, Total: 201}) { // the choice of the model is a change, too
			m.Errorf("started %+v, want to go on with %s", j, began.ID)
		}
		m.late.Store(int64(time.Minute)) // its lease has ended
		m.finish(j)
		m.want(shop, "next-2", 200, 200)
		if n := m.embedder.texts.Load(); n != 200 {
			m.Errorf("%d texts were embedded for 200 memories", n)
		}
	})
}

func TestReembeddingWaitsForAnEmbedderThatIsAway(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(m *migration) {
		m.put(shop, 0, 64)
		m.embedder.before = func(so int64) error {
			if so > 0 {
				return fault.New(fault.Unavailable, "the embedder is away")
			}
			return nil
		}
		j, err := m.jobs.Run(m.Context(), shop, m.start().ID)
		if err != nil || j.Status != job.Queued || j.NotBefore == nil || j.Error != "the embedder is away" || j.Progress.Done != 32 {
			m.Fatalf("stands as %+v, %v", j, err)
		}
		m.embedder.before = nil
		again := m.start() // somebody asks again: it need not wait
		if again.ID != j.ID || again.NotBefore != nil {
			m.Errorf("started %+v", again)
		}
		m.finish(again)
		m.want(shop, "next-2", 64, 64)
	})
}

func TestReembeddingRefusesAModelThereIsNot(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(m *migration) {
		if _, err := m.reembed.Start(m.Context(), shop, "dream-1"); fault.KindOf(err) != fault.Invalid {
			m.Errorf("got %v", err)
		}
		page, err := m.jobs.Store.List(m.Context(), shop, job.Query{Limit: 10})
		if err != nil || len(page.Jobs) != 0 {
			m.Errorf("queued %+v, %v", page.Jobs, err)
		}
	})
}

func TestReembeddingNothingIsDoneAtOnce(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(m *migration) {
		if j := m.finish(m.start()); j.Status != job.Succeeded || j.Progress != (job.Progress{}) {
			m.Errorf("ended as %+v", j)
		}
	})
}
