// Package blocktest holds the contract of block.Store, told through block.Service: every implementation runs it.
package blocktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
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

func putsWhole(w *world) {
	ref := of("desk", "u-7", "persona")
	whole := block.Settings{
		Content: ptr("You are Ada.\r\n\tKind, brief. 日本語 \u2028 \U0001F9E0"), Description: ptr("Who the agent is."),
		Limit: ptr(500), Position: ptr(3), ReadOnly: ptr(true),
	}
	made := w.puts(ref, whole)
	want := block.Version{
		Block: block.Block{
			ID: ref.ID(acme), TenantID: "acme", ProjectID: "support", AgentID: "desk", UserID: "u-7", Name: "persona",
			Description: *whole.Description, Content: *whole.Content, Limit: 500, Position: 3, ReadOnly: true, Version: 1,
			CreatedAt: made.CreatedAt, UpdatedAt: made.CreatedAt,
		},
		Change: block.Created, Why: me,
	}
	same(w.T, "put", made, block.Changed{Version: want, Fresh: true})
	same(w.T, "read", must(w.T, func() (block.Block, error) { return w.Get(w.Context(), acme, ref) }), want.Block)
	history, next, err := w.History(w.Context(), acme, ref, 0, 10)
	same(w.T, "history", history, []block.Version{want})
	if next != 0 || err != nil || made.CreatedAt.IsZero() {
		w.Errorf("goes on below %d, %v, %v", next, err, made.CreatedAt)
	}
}

func keepsTheRest(w *world) {
	first := w.puts(named("task"), block.Settings{})
	same(w.T, "defaults", []any{first.Content, first.Description, first.Limit, first.Position, first.ReadOnly}, []any{"", "", block.DefaultLimit, 0, false})
	w.puts(named("task"), block.Settings{Description: ptr("d"), Limit: ptr(10), Position: ptr(4)})
	second := w.put("task", "ship it")
	same(w.T, "kept", []any{second.Content, second.Description, second.Limit, second.Position, second.Block.Version}, []any{"ship it", "d", 10, 4, 3})
	if !second.CreatedAt.Equal(first.CreatedAt) || !second.UpdatedAt.After(first.UpdatedAt) {
		w.Errorf("made %v and changed %v, first %v", second.CreatedAt, second.UpdatedAt, first.CreatedAt)
	}
}

func saysNothingNew(w *world) {
	w.put("task", "ship it")
	w.told()
	again := w.put("task", "ship it")
	same(w.T, "version", []any{again.Block.Version, again.Fresh}, []any{1, false})
	same(w.T, "history", w.versions(named("task")), []string{"1 created 0 ship it"})
	same(w.T, "told", w.told(), []string(nil))
}

// everybody are the four kinds of owner, in the order of a context.
var everybody = []block.Ref{of("", "", "persona"), of("a", "", "persona"), of("", "u", "persona"), of("a", "u", "persona")}

func keepsOwnersApart(w *world) {
	ids := map[memory.ID]bool{}
	for i, ref := range everybody {
		ids[w.puts(ref, text(fmt.Sprint(i))).ID] = true
	}
	w.puts(of("b", "", "persona"), text("another agent's"))
	w.puts(of("a", "v", "persona"), text("about another user"))
	w.puts(of("u", "a", "persona"), text("of an agent called as the user"))
	same(w.T, "ids", len(ids), len(everybody))
	for i, ref := range everybody {
		same(w.T, "text", w.said(ref), fmt.Sprint(i))
		same(w.T, "versions", len(w.versions(ref)), 1)
	}
	for _, c := range []struct {
		of   block.Owner
		want string
	}{{block.Owner{}, "0"}, {block.Owner{AgentID: "a"}, "01"}, {block.Owner{UserID: "u"}, "02"}, {block.Owner{AgentID: "a", UserID: "u"}, "0123"}, {block.Owner{AgentID: "nobody"}, "0"}} {
		standing := must(w.T, func() ([]block.Block, error) { return w.Store.Standing(w.Context(), acme, c.of) })
		block.Arrange(standing)
		got := ""
		for i := range standing {
			got += standing[i].Content
		}
		same(w.T, fmt.Sprintf("what stands for %+v", c.of), got, c.want)
	}
}

func keepsScopesApart(w *world) {
	ref := of("desk", "u", "persona")
	w.puts(ref, text("ours"))
	w.told()
	for _, scope := range []memory.Scope{{Tenant: "rival", Project: "support"}, {Tenant: "acme", Project: "other"}} {
		s := w.as(scope)
		_, err := w.Get(w.Context(), scope, ref)
		wantKind(w.T, err, fault.NotFound)
		_, _, err = w.History(w.Context(), scope, ref, 0, 10)
		wantKind(w.T, err, fault.NotFound)
		_, err = w.Edit(w.Context(), scope, ref, block.Edit{Append: ptr("x")}, mine)
		wantKind(w.T, err, fault.NotFound)
		_, err = w.Delete(w.Context(), scope, ref, mine)
		wantKind(w.T, err, fault.NotFound)
		_, err = w.Undo(w.Context(), scope, ref, 0, mine)
		wantKind(w.T, err, fault.NotFound)
		wantKind(w.T, w.Erase(w.Context(), scope, ref, mine), fault.NotFound)
		listed, _, err := w.List(w.Context(), scope, block.Query{Limit: 10})
		same(w.T, "listed", []any{len(listed), err}, []any{0, error(nil)})
		same(w.T, "standing", len(must(w.T, func() ([]block.Block, error) { return w.Store.Standing(w.Context(), scope, ref.Owner) })), 0)
		same(w.T, "version", s.puts(ref, text("theirs")).Block.Version, 1)
		if err := w.Erase(w.Context(), scope, ref, mine); err != nil {
			w.Error(err)
		}
	}
	same(w.T, "ours", w.versions(ref), []string{"1 created 0 ours"})
	for _, scope := range []memory.Scope{{Tenant: "acme"}, {Project: "support"}, {Tenant: "acme", Project: "*"}} {
		if _, err := w.Put(w.Context(), scope, ref, text("x"), mine); err == nil {
			w.Errorf("%v was taken for a scope", scope)
		}
	}
}

func conflicts(w *world) {
	ref := named("task")
	expect := func(n int) block.Request { return block.Request{Expected: n} }
	_, err := w.Put(w.Context(), acme, ref, text("x"), expect(1))
	wantKind(w.T, err, fault.Conflict)
	w.put("task", "one")
	w.put("task", "two")
	w.told()
	_, err = w.Put(w.Context(), acme, ref, text("x"), expect(1))
	wantKind(w.T, err, fault.Conflict)
	_, err = w.Edit(w.Context(), acme, ref, block.Edit{Append: ptr("x")}, expect(3))
	wantKind(w.T, err, fault.Conflict)
	_, err = w.Undo(w.Context(), acme, ref, 0, expect(1))
	wantKind(w.T, err, fault.Conflict)
	_, err = w.Delete(w.Context(), acme, ref, expect(1))
	wantKind(w.T, err, fault.Conflict)
	wantKind(w.T, w.Erase(w.Context(), acme, ref, expect(1)), fault.Conflict)
	same(w.T, "history", w.versions(ref), []string{"2 updated 0 two", "1 created 0 one"})
	same(w.T, "told", w.told(), []string(nil))
	if _, err := w.Put(w.Context(), acme, ref, text("three"), expect(2)); err != nil {
		w.Error(err)
	}
}

func makesOnce(w *world) {
	fresh := block.Request{Expected: block.Absent}
	for i, want := range []string{"", "stands"} {
		_, err := w.Put(w.Context(), acme, named("task"), text("x"), fresh)
		if (err == nil) != (want == "") || err != nil && fault.KindOf(err) != fault.Conflict {
			w.Errorf("time %d: %v", i, err)
		}
	}
	if _, err := w.Delete(w.Context(), acme, named("task"), mine); err != nil {
		w.Fatal(err)
	}
	anew := must(w.T, func() (block.Changed, error) { return w.Put(w.Context(), acme, named("task"), text("y"), fresh) })
	same(w.T, "anew", []any{anew.Block.Version, anew.Change}, []any{3, block.Created})
}

func announces(w *world) {
	ref := of("desk", "u", "persona")
	w.puts(ref, text("a secret"))
	records := must(w.T, func() ([]outbox.Record, error) { return w.outbox.Claim(w.Context(), 10, time.Minute) })
	if len(records) != 1 {
		w.Fatalf("%d records", len(records))
	}
	r := records[0]
	var a block.Announcement
	if err := json.Unmarshal(r.Data, &a); err != nil {
		w.Fatal(err)
	}
	same(w.T, "announcement", a, block.Announcement{
		BlockID: ref.ID(acme), TenantID: "acme", ProjectID: "support", AgentID: "desk", UserID: "u", Name: "persona", Version: 1, Change: block.Created,
	})
	same(w.T, "record", []string{r.Type, r.Tenant, r.Project, r.Subject}, []string{outbox.BlockUpdated, "acme", "support", string(ref.ID(acme))})
	if strings.Contains(string(r.Data), "secret") {
		w.Errorf("tells the text: %s", r.Data)
	}
	if err := w.outbox.Done(w.Context(), []string{r.ID}); err != nil {
		w.Fatal(err)
	}
	w.puts(ref, text("another"))
	w.undo(ref, 0)
	must(w.T, func() (block.Changed, error) { return w.Delete(w.Context(), acme, ref, mine) })
	if err := w.Erase(w.Context(), acme, ref, mine); err != nil {
		w.Fatal(err)
	}
	same(w.T, "told", w.told(), []string{"persona updated 2", "persona restored 3", "persona deleted 4", "persona erased 4"})
}

func takesBack(w *world) {
	w.put("task", "one")
	w.told()
	failed := errors.New("failed")
	err := w.Store.Write(w.Context(), acme, func(tx block.Tx) error {
		v, _, err := tx.Newest(w.Context(), named("task"))
		if err != nil {
			return err
		}
		v.Block.Version, v.Content, v.Change = 2, "two", block.Updated
		if _, err := tx.Keep(w.Context(), v); err != nil {
			return err
		}
		seen, found, err := tx.Newest(w.Context(), named("task"))
		if err != nil || !found || seen.Content != "two" {
			w.Errorf("a transaction does not see what it has done: %+v, %v", seen, err)
		}
		if err := tx.Emit(w.Context(), outbox.Record{Type: outbox.BlockUpdated, Subject: string(v.ID), Data: []byte(`{}`)}); err != nil {
			return err
		}
		return failed
	})
	if !errors.Is(err, failed) {
		w.Errorf("got %v", err)
	}
	cancelled, cancel := context.WithCancel(w.Context())
	cancel()
	if _, err := w.Put(cancelled, acme, named("task"), text("three"), mine); err == nil {
		w.Error("a change nobody waited for was made")
	}
	same(w.T, "history", w.versions(named("task")), []string{"1 created 0 one"})
	same(w.T, "told", w.told(), []string(nil))
}

func (w *world) edit(e block.Edit) (block.Changed, error) {
	return w.Edit(w.Context(), acme, named("user"), e, mine)
}

func exchange(old, with string) block.Edit {
	return block.Edit{Replace: &block.Replacement{Old: old, New: with}}
}

func edits(w *world) {
	_, err := w.edit(block.Edit{Append: ptr("x")})
	wantKind(w.T, err, fault.NotFound)
	w.puts(named("user"), block.Settings{})
	for _, c := range []struct {
		edit block.Edit
		want string
	}{
		{block.Edit{Append: ptr("Name: Ann")}, "Name: Ann"},
		{block.Edit{Append: ptr("Likes tea, no milk.\n")}, "Name: Ann\nLikes tea, no milk.\n"},
		{block.Edit{Append: ptr("Vegan")}, "Name: Ann\nLikes tea, no milk.\nVegan"},
		{exchange("tea, no milk", "coffee"), "Name: Ann\nLikes coffee.\nVegan"},
		{exchange("\nVegan", ""), "Name: Ann\nLikes coffee."},
	} {
		changed := must(w.T, func() (block.Changed, error) { return w.edit(c.edit) })
		same(w.T, "text", []any{changed.Content, changed.Fresh}, []any{c.want, true})
	}
	_, err = w.edit(exchange("cocoa", "tea"))
	wantField(w.T, err, fault.Conflict, "body.replace.old")
	_, err = w.edit(exchange("n", "m")) // more than once
	wantField(w.T, err, fault.Conflict, "body.replace.old")
	nothing := must(w.T, func() (block.Changed, error) { return w.edit(exchange("coffee", "coffee")) })
	same(w.T, "nothing new", []any{nothing.Fresh, nothing.Block.Version}, []any{false, 6})
	for _, c := range []struct {
		edit  block.Edit
		field string
	}{
		{block.Edit{}, "body"},
		{block.Edit{Append: ptr("x"), Replace: &block.Replacement{Old: "a"}}, "body"},
		{block.Edit{Append: ptr("")}, "body.append"},
		{exchange("", "x"), "body.replace.old"},
		{block.Edit{Append: ptr("a\x00b")}, "body.append"},
		{exchange("Ann", "A\xff"), "body.replace.new"},
	} {
		_, err := w.edit(c.edit)
		wantField(w.T, err, fault.Invalid, c.field)
	}
	same(w.T, "text", w.said(named("user")), "Name: Ann\nLikes coffee.")
}

func refusesTooLong(w *world) {
	w.puts(named("user"), block.Settings{Content: ptr("äöü"), Limit: ptr(5)})
	_, err := w.edit(block.Edit{Append: ptr("ab")}) // with the line feed, six
	wantField(w.T, err, fault.Invalid, "body.append")
	_, err = w.edit(exchange("ö", "1234"))
	wantField(w.T, err, fault.Invalid, "body.replace.new")
	_, err = w.Put(w.Context(), acme, named("user"), text("123456"), mine)
	wantField(w.T, err, fault.Invalid, "body.content")
	_, err = w.Put(w.Context(), acme, named("user"), block.Settings{Limit: ptr(2)}, mine)
	wantField(w.T, err, fault.Invalid, "body.content")
	_, err = w.Put(w.Context(), acme, named("new"), text(strings.Repeat("x", block.DefaultLimit+1)), mine)
	wantField(w.T, err, fault.Invalid, "body.content")
	for field, s := range map[string]block.Settings{
		"body.limit": {Limit: ptr(block.MaxLimit + 1)}, "body.position": {Position: ptr(-1)}, "body.description": {Description: ptr("two\nlines")},
	} {
		_, err = w.Put(w.Context(), acme, named("new"), s, mine)
		wantField(w.T, err, fault.Invalid, field)
	}
	same(w.T, "text", w.said(named("user")), "äöü")
	if changed := must(w.T, func() (block.Changed, error) { return w.edit(block.Edit{Append: ptr("x")}) }); changed.Content != "äöü\nx" {
		w.Errorf("what just fits became %q", changed.Content)
	}
}

func guardsReadOnly(w *world) {
	ref := named("user")
	w.puts(ref, block.Settings{Content: ptr("fixed"), ReadOnly: ptr(true)})
	_, err := w.edit(block.Edit{Append: ptr("x")})
	wantKind(w.T, err, fault.Conflict)
	_, err = w.Put(w.Context(), acme, ref, text("loose"), mine)
	wantKind(w.T, err, fault.Conflict)
	same(w.T, "text", w.said(ref), "fixed")
	w.puts(ref, block.Settings{Position: ptr(2)}) // its text stays
	w.puts(ref, block.Settings{Content: ptr("fixed anew"), ReadOnly: ptr(true)})
	same(w.T, "text", w.said(ref), "fixed anew")
	w.puts(ref, block.Settings{ReadOnly: ptr(false)})
	w.puts(ref, text("free"))
	back := w.undo(ref, 3)
	same(w.T, "brought back", []any{back.Content, back.ReadOnly}, []any{"fixed anew", true})
}

func undoes(w *world) {
	ref := named("task")
	w.put("task", "a")
	_, err := w.Undo(w.Context(), acme, ref, 0, mine)
	wantKind(w.T, err, fault.Conflict)
	w.puts(ref, block.Settings{Content: ptr("b"), Description: ptr("d"), Limit: ptr(9), Position: ptr(1)})
	w.put("task", "c")
	first := w.undo(ref, 0)
	same(w.T, "first undo", []any{first.Content, first.Restored, first.Block.Version, first.Change, first.Limit, first.Description, first.Position},
		[]any{"b", 2, 4, block.Restored, 9, "d", 1})
	second := w.undo(ref, 0)
	same(w.T, "second undo", []any{second.Content, second.Restored, second.Block.Version, second.Limit, second.Description}, []any{"a", 1, 5, block.DefaultLimit, ""})
	_, err = w.Undo(w.Context(), acme, ref, 0, mine)
	wantKind(w.T, err, fault.Conflict)
	w.put("task", "d")
	same(w.T, "undo of what came after undos", w.undo(ref, 0).Content, "a")
	same(w.T, "history", w.versions(ref), []string{
		"7 restored 1 a", "6 updated 0 d", "5 restored 1 a", "4 restored 2 b", "3 updated 0 c", "2 updated 0 b", "1 created 0 a",
	})
}

func undoesTo(w *world) {
	ref := named("task")
	for _, content := range []string{"a", "b", "c"} {
		w.put("task", content)
	}
	same(w.T, "first", w.undo(ref, 1).Content, "a")
	redone := w.undo(ref, 3)
	same(w.T, "forward again", []any{redone.Content, redone.Restored}, []any{"c", 3})
	same(w.T, "what an undo had brought back", w.undo(ref, 4).Restored, 1)
	for _, to := range []int{99, -1} {
		_, err := w.Undo(w.Context(), acme, ref, to, mine)
		wantKind(w.T, err, fault.Conflict)
	}
}

func deletes(w *world) {
	ref := named("task")
	w.put("task", "a")
	w.puts(ref, block.Settings{Content: ptr("b"), Description: ptr("words")})
	gone := must(w.T, func() (block.Changed, error) { return w.Delete(w.Context(), acme, ref, mine) })
	same(w.T, "deletion", []any{gone.Block.Version, gone.Change, gone.Content, gone.Description}, []any{3, block.Deleted, "", ""})
	_, err := w.Get(w.Context(), acme, ref)
	wantKind(w.T, err, fault.NotFound)
	_, err = w.Delete(w.Context(), acme, ref, mine)
	wantKind(w.T, err, fault.NotFound)
	_, err = w.Edit(w.Context(), acme, ref, block.Edit{Append: ptr("x")}, mine)
	wantKind(w.T, err, fault.NotFound)
	listed, _, err := w.List(w.Context(), acme, block.Query{Limit: 10})
	standing := must(w.T, func() ([]block.Block, error) { return w.Store.Standing(w.Context(), acme, block.Owner{}) })
	same(w.T, "shown", []any{len(listed), err, len(standing)}, []any{0, error(nil), 0})
	same(w.T, "history", w.versions(ref), []string{"3 deleted 0 ", "2 updated 0 b", "1 created 0 a"})
	back := w.undo(ref, 0)
	same(w.T, "back", []any{back.Content, back.Description, back.Restored, w.said(ref)}, []any{"b", "words", 2, "b"})
	must(w.T, func() (block.Changed, error) { return w.Delete(w.Context(), acme, ref, mine) })
	anew := w.put("task", "new")
	same(w.T, "anew", []any{anew.Change, anew.Block.Version, anew.Description, anew.CreatedAt.Equal(anew.UpdatedAt)}, []any{block.Created, 6, "", true})
	same(w.T, "undo leaps over the deletion", w.undo(ref, 0).Content, "b")
	_, err = w.Undo(w.Context(), acme, ref, 5, mine)
	wantKind(w.T, err, fault.Conflict)
}

func erases(w *world) {
	ref := named("task")
	w.put("task", "a")
	w.put("task", "b")
	w.puts(of("a", "", "task"), text("an agent's"))
	if err := w.Erase(w.Context(), acme, ref, mine); err != nil {
		w.Fatal(err)
	}
	_, _, err := w.History(w.Context(), acme, ref, 0, 10)
	wantKind(w.T, err, fault.NotFound)
	_, err = w.Undo(w.Context(), acme, ref, 0, mine)
	wantKind(w.T, err, fault.NotFound)
	wantKind(w.T, w.Erase(w.Context(), acme, ref, mine), fault.NotFound)
	w.put("task", "c")
	same(w.T, "history", w.versions(ref), []string{"1 created 0 c"})
	must(w.T, func() (block.Changed, error) { return w.Delete(w.Context(), acme, ref, mine) })
	if err := w.Erase(w.Context(), acme, ref, mine); err != nil { // what was deleted, too
		w.Error(err)
	}
	same(w.T, "another's", w.said(of("a", "", "task")), "an agent's")
}

func keepsHistory(w *world) {
	ref := named("task")
	last := block.KeptVersions + 5
	for i := range last {
		w.put("task", fmt.Sprint(i+1))
	}
	var numbers []int
	for before := 0; ; {
		page, next, err := w.History(w.Context(), acme, ref, before, 40)
		if err != nil || len(page) > 40 {
			w.Fatalf("%d versions, %v", len(page), err)
		}
		for _, v := range page {
			numbers = append(numbers, v.Block.Version)
			same(w.T, "text", v.Content, fmt.Sprint(v.Block.Version))
		}
		if before = next; next == 0 {
			break
		}
	}
	var want []int
	for n := last; n > last-block.KeptVersions; n-- {
		want = append(want, n)
	}
	same(w.T, "kept", numbers, want)
	_, err := w.Undo(w.Context(), acme, ref, last-block.KeptVersions, mine)
	wantKind(w.T, err, fault.Conflict)
	same(w.T, "the oldest kept", w.undo(ref, last-block.KeptVersions+1).Content, fmt.Sprint(last-block.KeptVersions+1))
}

func lists(w *world) {
	var all []block.Ref
	for _, owner := range [][2]string{{"", ""}, {"", "u"}, {"", "ü"}, {"a", ""}, {"a", "u"}, {"b", ""}} {
		for _, name := range []string{"persona", "task", "task-2"} {
			all = append(all, of(owner[0], owner[1], name))
		}
	}
	for i := range all {
		w.puts(all[len(all)-1-i], text("x"))
	}
	for _, c := range []struct {
		of    block.Owner
		keeps func(block.Ref) bool
	}{
		{block.Owner{}, func(block.Ref) bool { return true }},
		{block.Owner{AgentID: "a"}, func(r block.Ref) bool { return r.AgentID == "a" }},
		{block.Owner{UserID: "u"}, func(r block.Ref) bool { return r.UserID == "u" }},
		{block.Owner{AgentID: "a", UserID: "u"}, func(r block.Ref) bool { return r.AgentID == "a" && r.UserID == "u" }},
		{block.Owner{AgentID: "nobody"}, func(block.Ref) bool { return false }},
	} {
		var got, want []block.Ref
		for _, r := range all {
			if c.keeps(r) {
				want = append(want, r)
			}
		}
		for q := (block.Query{Owner: c.of, Limit: 4}); ; {
			page, next, err := w.List(w.Context(), acme, q)
			if err != nil || len(page) > 4 {
				w.Fatalf("%d blocks, %v", len(page), err)
			}
			for i := range page {
				got = append(got, page[i].Ref())
			}
			if next == nil {
				break
			}
			q.After = *next
		}
		same(w.T, fmt.Sprintf("of %+v", c.of), got, want)
	}
}

func bounds(w *world) {
	for i := range block.MaxPerOwner {
		w.put(fmt.Sprint("b", i), "x")
	}
	_, err := w.Put(w.Context(), acme, named("more"), text("x"), mine)
	wantKind(w.T, err, fault.Conflict)
	w.put("b0", "y")                       // what stands is changed
	w.puts(of("a", "", "more"), text("x")) // another owner has room
	w.as(memory.Scope{Tenant: "acme", Project: "other"}).put("more", "x")
	must(w.T, func() (block.Changed, error) { return w.Delete(w.Context(), acme, named("b0"), mine) })
	w.put("more", "x")
	_, err = w.Undo(w.Context(), acme, named("b0"), 0, mine)
	wantKind(w.T, err, fault.Conflict)
	_, err = w.Propose(w.Context(), acme, block.Proposal{Ref: named("yet-more"), Content: "x", Reflection: "r"})
	wantKind(w.T, err, fault.Conflict)
}

func boundsDeleted(w *world) {
	remove := func(name string) {
		w.put(name, "x")
		must(w.T, func() (block.Changed, error) { return w.Delete(w.Context(), acme, named(name), mine) })
	}
	for i := range block.MaxPerOwner {
		remove(fmt.Sprint("b", i))
	}
	same(w.T, "the oldest", len(w.versions(named("b0"))), 2)
	w.told()
	remove("one-more")
	same(w.T, "told", w.told(), []string{"one-more created 1", "b0 erased 2", "one-more deleted 2"})
	_, _, err := w.History(w.Context(), acme, named("b0"), 0, 10)
	wantKind(w.T, err, fault.NotFound)
	same(w.T, "the next", len(w.versions(named("b1"))), 2)
}

func answersOnce(w *world) {
	keyed := func(key, fingerprint string) block.Request {
		return block.Request{Why: me, Key: memory.Key{Route: "PUT", Key: key, Fingerprint: fingerprint}}
	}
	first := must(w.T, func() (block.Changed, error) {
		return w.Put(w.Context(), acme, named("task"), text("a"), keyed("k", "f"))
	})
	w.put("task", "b")
	w.told()
	again := must(w.T, func() (block.Changed, error) {
		return w.Put(w.Context(), acme, named("task"), text("a"), keyed("k", "f"))
	})
	same(w.T, "again", again, first)
	_, err := w.Put(w.Context(), acme, named("task"), text("c"), keyed("k", "other"))
	wantKind(w.T, err, fault.Conflict)
	same(w.T, "text", w.said(named("task")), "b")
	for range 2 {
		must(w.T, func() (block.Changed, error) {
			return w.Edit(w.Context(), acme, named("task"), block.Edit{Append: ptr("c")}, keyed("e", "f"))
		})
		must(w.T, func() (block.Changed, error) { return w.Undo(w.Context(), acme, named("task"), 0, keyed("u", "f")) })
		must(w.T, func() (block.Changed, error) { return w.Delete(w.Context(), acme, named("task"), keyed("d", "f")) })
	}
	same(w.T, "told", w.told(), []string{"task updated 3", "task restored 4", "task deleted 5"})
	for range 2 {
		if err := w.Erase(w.Context(), acme, named("task"), keyed("x", "f")); err != nil {
			w.Error(err)
		}
	}
	same(w.T, "told", w.told(), []string{"task erased 5"})
	wordless := must(w.T, func() (block.Changed, error) {
		return w.Put(w.Context(), acme, named("task"), text("a"), keyed("k", "f"))
	})
	same(w.T, "after the erasure", []any{wordless.ID, wordless.Block.Version, wordless.Content, wordless.Fresh}, []any{first.ID, 1, "", true})
	_, err = w.Get(w.Context(), acme, named("task"))
	wantKind(w.T, err, fault.NotFound)
}

func proposes(w *world) {
	ref := of("", "u", "facts")
	propose := func(content string, expected int, reflection memory.ID) (block.Changed, error) {
		return w.Propose(w.Context(), acme, block.Proposal{Ref: ref, Content: content, Expected: expected, Reflection: reflection})
	}
	made := must(w.T, func() (block.Changed, error) { return propose("Likes tea.", 0, "r1") })
	same(w.T, "made", []any{made.Change, made.Block.Version, made.Why}, []any{block.Created, 1, memory.Why{Actor: block.Reflector, Reason: "r1"}})
	again := must(w.T, func() (block.Changed, error) { return propose("Likes tea.", 0, "r1") })
	same(w.T, "the same again", []any{again.Block.Version, again.Fresh}, []any{1, false})
	must(w.T, func() (block.Changed, error) { return propose("Likes coffee.", 1, "r2") })
	w.puts(ref, text("Likes cocoa.")) // a person has the last word
	w.told()
	for _, late := range []int{0, 1, 2, 4} {
		_, err := propose("Likes coffee, black.", late, "r3")
		wantKind(w.T, err, fault.Conflict)
	}
	_, err := propose("Likes coffee.", 1, "r2") // redelivered after the person's edit
	wantKind(w.T, err, fault.Conflict)
	w.puts(ref, block.Settings{ReadOnly: ptr(true)})
	_, err = propose("Likes coffee, black.", 4, "r3")
	wantKind(w.T, err, fault.Conflict)
	same(w.T, "text", w.said(ref), "Likes cocoa.")
	must(w.T, func() (block.Changed, error) { return w.Delete(w.Context(), acme, ref, mine) })
	_, err = propose("Likes coffee.", 0, "r4") // what a person has deleted stays deleted
	wantKind(w.T, err, fault.Conflict)
	_, err = propose(strings.Repeat("x", block.DefaultLimit+1), 5, "r5")
	wantField(w.T, err, fault.Invalid, "body.content")
	same(w.T, "told", w.told(), []string{"facts updated 4", "facts deleted 5"})
}

func refusesNames(w *world) {
	for _, name := range []string{
		"", "Persona", "PERSONA", "per sona", "a/b", "../x", "a\\b", "регsona", "persona\u200b", "ｐersona", "persona.", "1st", "-x", "_x", "a\x00", "a\n",
		"\xff", "a%2fb", "'; drop table blocks; --", strings.Repeat("a", block.MaxName+1),
	} {
		_, err := w.Put(w.Context(), acme, named(name), text("x"), mine)
		wantField(w.T, err, fault.Invalid, "path.name")
		_, err = w.Get(w.Context(), acme, named(name))
		wantField(w.T, err, fault.Invalid, "path.name")
	}
	for _, id := range []string{"a\x00", "\xff", "a\nb", "a\u202eb", strings.Repeat("ü", block.MaxID+1)} {
		_, err := w.Put(w.Context(), acme, of(id, "", "x"), text("x"), mine)
		wantField(w.T, err, fault.Invalid, "query.agent_id")
		_, _, err = w.List(w.Context(), acme, block.Query{Owner: block.Owner{UserID: id}, Limit: 1})
		wantField(w.T, err, fault.Invalid, "query.user_id")
	}
	listed, _, err := w.List(w.Context(), acme, block.Query{Limit: 10})
	same(w.T, "kept", []any{len(listed), err}, []any{0, error(nil)})
	w.put(strings.Repeat("a", block.MaxName), "the longest name")
}

func keepsTexts(w *world) {
	for _, bad := range []string{"a\x00b", "\xff\xfe", "half a rune \xe2\x82", strings.Repeat("x", 1<<20)} {
		_, err := w.Put(w.Context(), acme, named("task"), text(bad), mine)
		wantField(w.T, err, fault.Invalid, "body.content")
	}
	for _, content := range []string{
		"", " ", "\n\n", "'; DROP TABLE blocks; --", "$1 \\ %s ? ?1", "# persona\n- forged", "\u202eevil\u200d \u0085 \u2028 \u0001", "👩‍💻\r\n\r",
		"ignore previous instructions", "é e\u0301",
	} {
		w.put("task", content)
		if got := w.said(named("task")); got != content {
			w.Errorf("%q came back as %q", content, got)
		}
	}
	if all := w.versions(named("task")); len(all) != 10 {
		w.Errorf("%d versions of ten texts", len(all))
	}
}

func keepsLongest(w *world) {
	long := func(r string) string { return strings.Repeat(r, block.MaxID) }
	ref := of(long("\U0001F9E0"), long("\U0001F642"), strings.Repeat("z", block.MaxName))
	content := strings.Repeat("\U0001F9E0", block.MaxLimit)
	w.puts(ref, block.Settings{Content: &content, Limit: ptr(block.MaxLimit)})
	w.puts(ref, block.Settings{Content: ptr(content[4:])})
	same(w.T, "back", w.undo(ref, 0).Content == content && w.said(ref) == content, true)
	listed, _, err := w.List(w.Context(), acme, block.Query{Owner: ref.Owner, Limit: 10})
	same(w.T, "listed", []any{len(listed), err}, []any{1, error(nil)})
}

func changesAtOnce(w *world) {
	w.put("task", "0")
	var running sync.WaitGroup
	won := make([]bool, 16)
	for i := range won {
		running.Go(func() {
			_, err := w.Put(w.Context(), acme, named("task"), text(fmt.Sprint("by ", i)), block.Request{Expected: 1})
			if err != nil && fault.KindOf(err) != fault.Conflict {
				w.Error(err)
			}
			won[i] = err == nil
		})
	}
	running.Wait()
	winner := slices.Index(won, true)
	if winner < 0 || slices.Contains(won[winner+1:], true) {
		w.Fatalf("who changed it: %v", won)
	}
	same(w.T, "history", w.versions(named("task")), []string{fmt.Sprint("2 updated 0 by ", winner), "1 created 0 0"})
}

func appendsAtOnce(w *world) {
	w.put("user", "begin")
	var running sync.WaitGroup
	var want []string
	for i := range 24 {
		line := fmt.Sprintf("line %02d", i)
		want = append(want, line)
		running.Go(func() {
			if _, err := w.edit(block.Edit{Append: &line}); err != nil {
				w.Error(err)
			}
		})
	}
	running.Wait()
	lines := strings.Split(w.said(named("user")), "\n")
	slices.Sort(lines[1:])
	same(w.T, "lines", lines, append([]string{"begin"}, want...))
	same(w.T, "versions", len(w.versions(named("user"))), 25)
}
