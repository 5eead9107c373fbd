package embed_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/memory"
)

func (m *migration) models() memory.Models {
	m.Helper()
	models, err := m.store.Models(m.Context(), shop)
	if err != nil {
		m.Fatal(err)
	}
	return models
}

func (m *migration) wantModels(when string, want memory.Models) {
	m.Helper()
	if got := m.models(); got != want {
		m.Errorf("%s: %+v, want %+v", when, got, want)
	}
}

func result(t *testing.T, j job.Job) embed.Comparison {
	t.Helper()
	var c embed.Comparison
	if err := json.Unmarshal(j.Result, &c); err != nil {
		t.Fatalf("result %s: %v", j.Result, err)
	}
	return c
}

func TestAScopeIsMovedAndMovedBack(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(m *migration) {
		m.put(shop, 0, 40)
		j := m.start()
		m.wantModels("on its way", memory.Models{Active: "old-1", Next: "next-2"})
		if _, err := m.reembed.Switch(m.Context(), shop, 1); fault.KindOf(err) != fault.Conflict {
			m.Errorf("switched before anything has a vector: %v", err)
		}
		j = m.finish(j)
		c := result(m.T, j)
		if c.Model != "next-2" || c.Against != "old-1" || c.Coverage != (memory.Coverage{Memories: 40, Vectors: 40}) || c.Covered != 1 ||
			c.Sample != 32 || c.Queries == 0 || c.Overlap == nil || *c.Overlap < 0 || *c.Overlap > 1 || c.Switched {
			m.Errorf("compared: %s", j.Result)
		}
		m.wantModels("compared", memory.Models{Active: "old-1", Next: "next-2"})
		if _, err := m.reembed.Rollback(m.Context(), shop); fault.KindOf(err) != fault.Conflict {
			m.Errorf("rolled back what was not switched: %v", err)
		}
		m.put(shop, 100, 1) // without a vector of the next model
		if _, err := m.reembed.Switch(m.Context(), shop, 1); fault.KindOf(err) != fault.Conflict {
			m.Errorf("switched with a memory missing: %v", err)
		}
		if _, err := m.reembed.Switch(m.Context(), shop, .9); err != nil {
			m.Errorf("switch: %v", err)
		}
		m.wantModels("switched", memory.Models{Active: "next-2", Previous: "old-1", Chosen: true})
		if _, err := m.reembed.Forget(m.Context(), shop, "next-2"); fault.KindOf(err) != fault.Conflict {
			m.Errorf("forgot what searches use: %v", err)
		}
		if _, err := m.reembed.Rollback(m.Context(), shop); err != nil {
			m.Errorf("roll back: %v", err)
		}
		m.wantModels("rolled back", memory.Models{Active: "old-1", Next: "next-2", Chosen: true})
		if _, err := m.reembed.Switch(m.Context(), shop, .9); err != nil {
			m.Errorf("switch again: %v", err)
		}
		j, err := m.reembed.Forget(m.Context(), shop, "old-1")
		if err != nil {
			m.Fatal(err)
		}
		if j = m.finish(j); j.Status != job.Succeeded || j.Progress.Done != 32 {
			m.Errorf("forgot: %+v", j)
		}
		m.wantModels("forgotten", memory.Models{Active: "next-2", Chosen: true})
		m.want(shop, "old-1", 41, 0)
		m.want(shop, "next-2", 41, 40)
		stands, err := m.reembed.Stands(m.Context(), shop)
		if want := (embed.Standing{Active: "next-2", Chosen: true, Coverage: map[string]memory.Coverage{"next-2": {Memories: 41, Vectors: 40}}}); err != nil || !reflect.DeepEqual(stands, want) {
			m.Errorf("stands %+v, %v", stands, err)
		}
	})
}

func TestAMoveThatIsForgottenEnds(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(m *migration) {
		m.put(shop, 0, 10)
		j := m.start()
		forgetting, err := m.reembed.Forget(m.Context(), shop, "next-2")
		if err != nil {
			m.Fatal(err)
		}
		m.wantModels("forgotten", memory.Models{Active: "old-1"})
		m.finish(forgetting)
		if j = m.finish(j); j.Status != job.Failed || j.Error == "" {
			m.Errorf("ended as %+v", j)
		}
		m.want(shop, "next-2", 10, 0)
	})
}

// upgraded makes the next model the deployment's. It costs nothing, and neither do those named free.
func (m *migration) upgraded(free ...string) {
	m.spaces.Free = func(e embed.Embedder) bool { return slices.Contains(append(free, "next-2"), e.Model()) }
	before := m.spaces.Resolve
	m.spaces.Resolve = func(model string) (embed.Embedder, error) { return before(cmp.Or(model, "next-2")) }
}

// tick is the clock's: it looks for scopes to upgrade and works on all jobs there are.
func (m *migration) tick() {
	m.Helper()
	if err := m.reembed.Upgrade(m.Context()); err != nil {
		m.Fatal(err)
	}
	for {
		if n, err := m.jobs.RunDue(m.Context(), 100); err != nil {
			m.Fatal(err)
		} else if n == 0 {
			return
		}
	}
}

func TestScopesFollowAnUpgradeByThemselves(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(m *migration) {
		m.put(shop, 0, 40)
		for i := range 60 { // more than one step looks at
			m.put(memory.Scope{Tenant: "acme", Project: fmt.Sprintf("p%02d", i)}, 1, 1)
		}
		m.upgraded("old-1")
		if active, err := m.spaces.Active(m.Context(), shop); err != nil || active.Model() != "old-1" {
			m.Fatalf("before: %v, %v", active, err)
		}
		m.tick()
		m.wantModels("upgraded", memory.Models{Active: "next-2", Previous: "old-1"})
		m.want(shop, "next-2", 40, 40)
		last, err := m.store.Models(m.Context(), memory.Scope{Tenant: "acme", Project: "p59"})
		if err != nil || last.Active != "next-2" {
			m.Errorf("the last: %+v, %v", last, err)
		}
		if _, err := m.reembed.Rollback(m.Context(), shop); err != nil {
			m.Fatal(err)
		}
		m.late.Store(int64(25 * time.Hour))
		m.spaces.Clock = func() time.Time { return time.Now().Add(25 * time.Hour) }
		m.tick()
		m.wantModels("what somebody chose stays", memory.Models{Active: "old-1", Next: "next-2", Chosen: true})
	})
}

func TestVectorsThatCostSomethingAreNotReplacedUnasked(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(m *migration) {
		m.put(shop, 0, 10)
		m.upgraded()
		m.tick()
		m.wantModels("after a tick", memory.Models{Active: "old-1"})
		if n := m.embedder.texts.Load(); n != 0 {
			m.Errorf("%d texts were embedded", n)
		}
	})
}

func TestAnUpgradeWaitsForEverythingToBeCovered(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(m *migration) {
		m.put(shop, 0, 64)
		m.upgraded("old-1")
		m.embedder.before = func(so int64) error {
			if so > 0 {
				return fault.New(fault.Unavailable, "the embedder is away")
			}
			return nil
		}
		m.tick()
		m.wantModels("half way", memory.Models{Active: "old-1", Next: "next-2"})
		m.embedder.before = nil
		m.late.Store(int64(time.Hour))
		m.tick()
		m.wantModels("at the end", memory.Models{Active: "next-2", Previous: "old-1"})
	})
}

func TestSpacesFollowWhatOthersChoose(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(m *migration) {
		now := time.Now()
		other := &embed.Spaces{Store: m.store, Resolve: m.spaces.Resolve, Clock: func() time.Time { return now }}
		active := func() string {
			e, err := other.Active(m.Context(), shop)
			if err != nil {
				m.Fatal(err)
			}
			return e.Model()
		}
		if got := active(); got != "old-1" {
			m.Errorf("of an empty scope: %s, want the deployment's", got)
		}
		m.put(shop, 0, 5)
		m.finish(m.start())
		if _, err := m.reembed.Switch(m.Context(), shop, 1); err != nil {
			m.Fatal(err)
		}
		now = now.Add(embed.FollowWithin)
		if got := active(); got != "next-2" {
			m.Errorf("after the switch: %s", got)
		}
		embedders, err := other.Embedders(m.Context(), shop)
		if err != nil || len(embedders) != 2 || embedders[0].Model() != "next-2" || embedders[1].Model() != "old-1" {
			m.Errorf("what is written gets vectors of %v, %v", embedders, err)
		}
	})
}
