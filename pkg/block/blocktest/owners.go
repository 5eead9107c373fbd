package blocktest

import (
	"fmt"
	"strings"

	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

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
