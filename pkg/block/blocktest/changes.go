package blocktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

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
