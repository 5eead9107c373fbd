package resolve_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/resolve"
)

var acme = memory.Scope{Tenant: "acme", Project: "default"}

type kept struct {
	*testing.T
	db       *inmem.DB
	register *inmem.Register
	keeper   *resolve.Keeper
}

func keeping(t *testing.T) *kept {
	db := inmem.New(inmem.Options{})
	k := &kept{T: t, db: db, register: inmem.NewRegister(db)}
	k.keeper = &resolve.Keeper{Memories: db, Register: k.register, Scopes: db, Jobs: &job.Runner{Store: inmem.NewJobs(db)}}
	k.keeper.Jobs.Handlers = k.keeper.Handlers()
	return k
}

func (k *kept) tell(scope memory.Scope, content string, names ...string) memory.Memory {
	k.Helper()
	m := memory.Memory{Content: content, Layer: memory.Episodic}
	for _, name := range names {
		m.Entities = append(m.Entities, memory.Entity{Name: name, Type: "person"})
	}
	err := k.db.Write(k.Context(), scope, func(tx memory.Tx) (err error) {
		m, _, err = tx.Put(k.Context(), m, memory.Why{})
		return err
	})
	if err != nil {
		k.Fatal(err)
	}
	return m
}

// tick lets the clock ring and works on what is due until nothing is.
func (k *kept) tick() {
	k.Helper()
	if err := k.keeper.Wake(k.Context()); err != nil {
		k.Fatal(err)
	}
	for {
		n, err := k.keeper.Jobs.RunDue(k.Context(), 100)
		if err != nil {
			k.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// jobs are the outcomes of the scope's jobs, the last first.
func (k *kept) jobs(scope memory.Scope) (all []resolve.Outcome) {
	k.Helper()
	page, err := k.keeper.Jobs.Store.List(k.Context(), scope, job.Query{Kind: resolve.Kind, Limit: 100})
	if err != nil {
		k.Fatal(err)
	}
	for _, j := range page.Jobs {
		var o resolve.Outcome
		if err := json.Unmarshal(j.Result, &o); err != nil || j.Status != job.Succeeded {
			k.Fatalf("job %+v: %v", j, err)
		}
		all = append(all, o)
	}
	return all
}

func (k *kept) group(scope memory.Scope, name string) int {
	k.Helper()
	groups, err := k.register.Groups(k.Context(), scope, []string{idOf(scope, name)})
	if err != nil {
		k.Fatal(err)
	}
	if len(groups) == 0 {
		return 1
	}
	return len(groups[0].Members)
}

func idOf(scope memory.Scope, name string) string {
	return relevance.EntityID(scope, relevance.EntityKey(name))
}

func TestScopesThatChangedAreResolved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := keeping(t)
		quiet := memory.Scope{Tenant: "quiet", Project: "default"}
		k.tell(acme, "Dr. Ann Berg called.", "Dr. Ann Berg")
		k.tell(acme, "Ann Berg paid.", "Ann Berg", "P. Raghavan")
		k.tell(acme, "Priya Raghavan left.", "Priya Raghavan")
		k.tell(quiet, "Ann Berg again.", "Ann Berg")
		k.tick()
		if got := k.jobs(acme); len(got) != 1 || got[0] != (resolve.Outcome{Upto: 4, Entities: 4, Merged: 1, Suggested: 1}) {
			t.Fatalf("outcomes %+v", got)
		}
		if k.group(acme, "Ann Berg") != 2 || k.group(quiet, "Ann Berg") != 1 {
			t.Error("groups are wrong")
		}
		suggested, err := k.register.Suggestions(t.Context(), acme, 10)
		if err != nil || len(suggested) != 1 || suggested[0].Reason != "an initial" {
			t.Errorf("suggested %+v, %v", suggested, err)
		}
		time.Sleep(time.Hour)
		k.tick()
		if n := len(k.jobs(acme)) + len(k.jobs(quiet)); n != 2 {
			t.Errorf("%d jobs where nothing changed", n)
		}
		k.tell(acme, "Ann Berg, the surgeon.", "Berg, Ann")
		k.tick() // within a quarter of an hour nobody looks
		if n := len(k.jobs(acme)); n != 1 {
			t.Errorf("%d jobs at once", n)
		}
		time.Sleep(time.Hour)
		k.tick()
		if got := k.jobs(acme); len(got) != 2 || got[0].Merged != 1 || got[0].Upto != 6 {
			t.Errorf("outcomes %+v", got)
		}
		if n := k.group(acme, "Ann Berg"); n != 3 {
			t.Errorf("%d are one", n)
		}
	})
}

func TestWhatAPersonTookBackIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := keeping(t)
		k.tell(acme, "Dr. Ann Berg called.", "Dr. Ann Berg")
		m := k.tell(acme, "Ann Berg paid.", "Ann Berg")
		k.tick()
		all, err := k.register.Decisions(t.Context(), acme, knowledge.DecisionQuery{Limit: 10})
		if err != nil || len(all) != 1 || all[0].By != resolve.By || all[0].Method != "rules" || all[0].Score < resolve.Certain {
			t.Fatalf("decisions %+v, %v", all, err)
		}
		if _, err := k.register.Undo(t.Context(), acme, all[0].ID, "ann"); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			k.tell(acme, fmt.Sprint("Ann Berg again ", i), "Ann Berg")
			time.Sleep(time.Hour)
			k.tick()
			if n := k.group(acme, "Ann Berg"); n != 1 {
				t.Fatalf("%d are one", n)
			}
		}
		if got := k.jobs(acme); len(got) != 3 || got[0].Merged+got[0].Suggested+got[0].Refused != 0 {
			t.Errorf("outcomes %+v", got)
		}
		err = k.db.Write(t.Context(), acme, func(tx memory.Tx) error { return tx.Delete(t.Context(), m.ID) })
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestAnotherVersionMentionsOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := keeping(t)
		m := k.tell(acme, "Ann paid.", "Ann")
		k.tick()
		m.Entities = nil
		err := k.db.Write(t.Context(), acme, func(tx memory.Tx) (err error) {
			_, err = tx.Replace(t.Context(), m, memory.Why{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		k.tick()
		all, err := k.register.Entities(t.Context(), acme, "", 10)
		if err != nil || len(all) != 0 {
			t.Errorf("left %+v, %v", all, err)
		}
	})
}

func TestALargeScopeIsResolvedInSlices(t *testing.T) {
	t.Parallel()
	k := keeping(t)
	for i := range 450 {
		k.tell(acme, fmt.Sprintf("Person number %d called.", i), fmt.Sprintf("Zoe N%dx", i), fmt.Sprintf("Dr. Zoe N%dx", i))
	}
	k.tick()
	if got := k.jobs(acme); len(got) != 1 || got[0].Entities != 900 || got[0].Merged != 450 {
		t.Errorf("outcomes %+v", got)
	}
}
