// Package blocktest holds the contract of block.Store, told through block.Service: every implementation runs it.
package blocktest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/contract"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Open returns a fresh store that reads the time from clock, and the outbox it writes to.
type Open func(t *testing.T, clock func() time.Time) (block.Store, outbox.Queue)

// Run holds the store named by on to the contract. Every clause gets a store of its own.
func Run(t *testing.T, on string, open Open) {
	run := contract.Begin(t, "blocktest", on)
	for _, clause := range []struct {
		name string
		test func(*world)
	}{
		{"what was put is read back whole, and nothing of it is cut", putsWhole},
		{"what is absent from a put stays, and is the default at first", keepsTheRest},
		{"a put that says nothing new makes no version and no event", saysNothingNew},
		{"blocks of the same name belong to the project, an agent, a user, and an agent about a user", keepsOwnersApart},
		{"another tenant and another project see nothing and change nothing", keepsScopesApart},
		{"a change of another version than the one seen is a conflict, and changes nothing", conflicts},
		{"a block is made once by those who mean to make it", makesOnce},
		{"every change is told in the transaction it was made in, without a word of the text", announces},
		{"a change that fails leaves no version, event or answer", takesBack},
		{"an edit appends a line or exchanges the one passage it names", edits},
		{"an edit that would not fit is refused whole", refusesTooLong},
		{"a read-only text is changed by a put that says read_only alone", guardsReadOnly},
		{"undo goes back step by step, each as a new version that says which it brought back", undoes},
		{"undo brings back the version that is named", undoesTo},
		{"what was deleted is not shown, is told by its history, and comes back by an undo", deletes},
		{"what was erased has no history and begins anew", erases},
		{"history pages newest first and keeps the last versions", keepsHistory},
		{"a list pages in order of agent, user and name, and filters", lists},
		{"an owner has so many blocks and no more", bounds},
		{"of deleted blocks so many are kept, the oldest goes whole", boundsDeleted},
		{"a key has one effect and one answer, on a block that has moved on, too", answersOnce},
		{"a reflection changes what it has read and nothing else", proposes},
		{"names and ids that are none are refused and not kept", refusesNames},
		{"texts no store could keep are refused, all others come back byte for byte", keepsTexts},
		{"the longest ids and the longest text are kept", keepsLongest},
		{"of many changing one version at once one does", changesAtOnce},
		{"many appending at once lose nothing", appendsAtOnce},
	} {
		run.Clause(t, clause.name, func(t *testing.T) {
			w := &world{T: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
			store, queue := open(t, w.clock)
			w.Service, w.outbox = &block.Service{Store: store}, queue
			clause.test(w)
		})
	}
}

// Erase holds the store to forgetting a tenant's blocks with the tenant.
func Erase(t *testing.T, store block.Store, memories memory.Store) {
	w := &world{T: t, Service: &block.Service{Store: store}}
	other := memory.Scope{Tenant: "other", Project: "support"}
	w.put("persona", "one")
	w.put("persona", "two")
	w.as(other).put("persona", "theirs")
	receipt, err := memories.EraseTenant(t.Context(), acme.Tenant)
	if err != nil || receipt.Other != 2 {
		t.Errorf("counted %+v, %v; want the version that stood and the one before", receipt, err)
	}
	_, err = w.Get(t.Context(), acme, named("persona"))
	wantKind(t, err, fault.NotFound)
	_, _, err = w.History(t.Context(), acme, named("persona"), 0, 10)
	wantKind(t, err, fault.NotFound)
	if b, err := w.Get(t.Context(), other, named("persona")); err != nil || b.Content != "theirs" {
		t.Errorf("another tenant's: %+v, %v", b, err)
	}
}

// world is one fresh store with a clock that goes on by a second with every change.
type world struct {
	*testing.T
	*block.Service
	outbox outbox.Queue
	scope  memory.Scope // zero: acme
	mu     sync.Mutex
	now    time.Time
}

var (
	acme = memory.Scope{Tenant: "acme", Project: "support"}
	me   = memory.Why{Actor: "ann", Reason: "because"}
	mine = block.Request{Why: me}
)

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Second)
	return w.now
}

// as is the same world in another scope.
func (w *world) as(scope memory.Scope) *world {
	return &world{T: w.T, Service: w.Service, outbox: w.outbox, scope: scope}
}

func (w *world) in() memory.Scope {
	if w.scope == (memory.Scope{}) {
		return acme
	}
	return w.scope
}

func named(name string) block.Ref { return block.Ref{Name: name} }

func of(agent, user, name string) block.Ref {
	return block.Ref{Owner: block.Owner{AgentID: agent, UserID: user}, Name: name}
}

func text(s string) block.Settings { return block.Settings{Content: &s} }

func ptr[T any](v T) *T { return &v }

// put says something by name.
func (w *world) put(name, content string) block.Changed {
	w.Helper()
	return w.puts(named(name), text(content))
}

func (w *world) puts(ref block.Ref, s block.Settings) block.Changed {
	w.Helper()
	return must(w.T, func() (block.Changed, error) { return w.Put(w.Context(), w.in(), ref, s, mine) })
}

func (w *world) undo(ref block.Ref, to int) block.Changed {
	w.Helper()
	return must(w.T, func() (block.Changed, error) { return w.Undo(w.Context(), w.in(), ref, to, mine) })
}

// said is what the block says now.
func (w *world) said(ref block.Ref) string {
	w.Helper()
	return must(w.T, func() (block.Block, error) { return w.Get(w.Context(), w.in(), ref) }).Content
}

// versions lists what its history tells, newest first: number, change, what was brought back, text.
func (w *world) versions(ref block.Ref) (all []string) {
	w.Helper()
	versions, _, err := w.History(w.Context(), w.in(), ref, 0, block.MaxPage-1)
	if err != nil {
		w.Fatal(err)
	}
	for _, v := range versions {
		all = append(all, fmt.Sprintf("%d %s %d %s", v.Block.Version, v.Change, v.Restored, v.Content))
	}
	return all
}

// told takes what waits in the outbox, the oldest first: change and version.
func (w *world) told() (all []string) {
	w.Helper()
	for {
		records := must(w.T, func() ([]outbox.Record, error) { return w.outbox.Claim(w.Context(), 100, time.Minute) })
		if len(records) == 0 {
			return all
		}
		for _, r := range records {
			var a block.Announcement
			if err := json.Unmarshal(r.Data, &a); err != nil {
				w.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%s %s %d", a.Name, a.Change, a.Version))
			if err := w.outbox.Done(w.Context(), []string{r.ID}); err != nil {
				w.Fatal(err)
			}
		}
	}
}

func must[V any](t *testing.T, do func() (V, error)) V {
	t.Helper()
	v, err := do()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got %.600s\nwant %.600s", what, fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
	}
}

func wantKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind {
		t.Errorf("got %v, want %s", err, kind)
	}
}

// wantField is wantKind of an error that names the field.
func wantField(t *testing.T, err error, kind fault.Kind, location string) {
	t.Helper()
	fields := fault.FieldsOf(err)
	if err == nil || fault.KindOf(err) != kind || len(fields) == 0 || fields[0].Location != location {
		t.Errorf("got %v %v, want %s of %s", err, fields, kind, location)
	}
}
