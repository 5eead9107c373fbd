package blocktest

import (
	"fmt"

	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/fault"
)

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
