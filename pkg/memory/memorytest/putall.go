package memorytest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
)

func putAllClauses() []clause {
	return []clause{
		{"many at once come to what they come to one after the other", manyAsOneByOne},
		{"every field of many comes back as it was", manyKeepEveryField},
		{"one that is refused leaves the others, and the transaction goes on", refusedAlone},
		{"an id that is taken is given up by who may", takenIDGivenUp},
		{"none at all is nothing", noneAtAll},
		{"each of many is told by whoever tells it", eachToldByItsOwn},
		{"five hundred at once are numbered and announced in order", manyInOrder},
	}
}

func eachToldByItsOwn(t *testing.T, w *world) {
	bob, ann := memory.Why{Actor: "key:bob", Reason: "heard"}, memory.Why{Actor: "user:ann", Reason: "saw"}
	told := func(content string, by *memory.Why) memory.Entry {
		m := note(content)
		m.ExternalID = content[:1]
		return memory.Entry{Memory: m, Why: by, Told: t.Context()}
	}
	w.putAll(t, acme, []memory.Entry{told("1", nil), told("2", &bob), told("3", &ann)})
	w.advance(time.Hour)
	w.putAll(t, acme, []memory.Entry{
		told("1 anew", &bob), told("4", nil), told("2", &ann), told("3 anew", nil), told("5", &ann), told("4 anew", &bob), told("6", &memory.Why{}),
	})
	got := map[string][]memory.Why{}
	page, err := w.store.List(t.Context(), acme, memory.Query{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range page.Memories {
		for _, v := range w.history(t, acme, m.ID) {
			got[m.ExternalID] = append(got[m.ExternalID], v.Why)
		}
	}
	same(t, "who told what, newest first", got, map[string][]memory.Why{
		"1": {bob, asker}, "2": {bob}, "3": {asker, ann}, "4": {bob, asker}, "5": {ann}, "6": {{}},
	})
}

func (w *world) putAll(t tester, scope memory.Scope, entries []memory.Entry) (all []memory.Written) {
	t.Helper()
	w.write(t, scope, func(tx memory.Tx) (err error) {
		all, err = tx.PutAll(t.Context(), entries, asker)
		return err
	})
	if len(all) != len(entries) {
		t.Fatalf("%d of %d entries were answered", len(all), len(entries))
	}
	return all
}

// manyAsOneByOne puts entries that have to do with one another: at once in one scope, one by one in another.
func manyAsOneByOne(t *testing.T, w *world) {
	round := 0
	ids := []memory.ID{"", "", "", "4d2c8a9e-9c57-5d5b-8a1c-000000000001", "4d2c8a9e-9c57-5d5b-8a1c-000000000002"}
	draw := rapid.Custom(func(t *rapid.T) memory.Entry {
		e := memory.Entry{Memory: memory.Memory{
			Content:    rapid.SampledFrom([]string{"tea", "tea is ready", "so is cake", "broken \xff"}).Draw(t, "content"),
			ExternalID: rapid.SampledFrom([]string{"", "", "e1", "e2"}).Draw(t, "external"),
			ID:         rapid.SampledFrom(ids).Draw(t, "id"),
			Tags:       rapid.SampledFrom([][]string{nil, {"a"}, {"a,b", `"\`}}).Draw(t, "tags"),
			Entities:   rapid.SampledFrom([][]memory.Entity{nil, {{Name: "Ann"}}, {{Name: "ann", Type: "person"}, {Name: "Oslo"}}}).Draw(t, "entities"),
		}, Anew: rapid.Bool().Draw(t, "anew")}
		if rapid.IntRange(0, 4).Draw(t, "lapsed") == 0 {
			e.ExpiresAt = at(start.Add(-time.Hour))
		}
		for i := range rapid.IntRange(0, 2).Draw(t, "vectors") {
			e.Vectors = append(e.Vectors, memory.Vector{
				Model: []string{model, "other"}[i], Values: rapid.SliceOfN(rapid.Float32Range(-1, 1), 1, 3).Draw(t, "vector"),
			})
		}
		return e
	})
	rapid.Check(t, func(t *rapid.T) {
		round++
		together := memory.Scope{Tenant: "together", Project: fmt.Sprint("p", round)}
		apart := memory.Scope{Tenant: "apart", Project: together.Project}
		for range rapid.IntRange(1, 2).Draw(t, "writes") {
			entries := rapid.SliceOfN(draw, 0, 8).Draw(t, "entries")
			got := w.putAll(t, together, entries)
			var want []memory.Written
			for i := range entries {
				want = append(want, w.putAll(t, apart, entries[i:i+1])...)
			}
			for i := range got {
				same(t, "outcome", got[i].Outcome, want[i].Outcome)
				same(t, "kind of refusal", fault.KindOf(got[i].Err), fault.KindOf(want[i].Err))
				same(t, "memory", nameless(got[i].Memory), nameless(want[i].Memory))
			}
		}
		same(t, "what stands", feedOf(t, w, together), feedOf(t, w, apart))
	})
}

// feedOf is all that is told of a scope, but for its names and the ids it gave.
func feedOf(t tester, w *world, scope memory.Scope) json.RawMessage {
	var all []any
	for _, c := range w.changes(t, scope, 0) {
		if c.Gone {
			all = append(all, c.Seq)
			continue
		}
		history := w.history(t, scope, c.Version.ID)
		for i := range history {
			history[i].Memory = nameless(history[i].Memory)
		}
		all = append(all, c.Seq, nameless(c.Version.Memory), c.Vector, history)
	}
	return json.RawMessage(render(all))
}

func nameless(m memory.Memory) memory.Memory {
	m.ID, m.TenantID, m.ProjectID = "", "", ""
	return m
}

func manyKeepEveryField(t *testing.T, w *world) {
	var entries []memory.Entry
	for i := range 3 {
		e := memory.Entry{Memory: full(), Vectors: []memory.Vector{vector(make([]float32, i+1)...), {Model: "other", Values: []float32{float32(i)}}}}
		e.ExternalID, e.Vectors[0].Values[i] = fmt.Sprint("crm/", i), 0.5
		entries = append(entries, e)
	}
	entries[1] = memory.Entry{Memory: note("plain")}
	all := w.putAll(t, acme, entries)
	changes := w.changes(t, acme, 0)
	for i := range entries {
		want := entries[i].Memory
		want.ID, want.TenantID, want.ProjectID, want.Version = all[i].Memory.ID, "acme", "default", 1
		want.CreatedAt, want.UpdatedAt, want.Embedding = start, start, memory.EmbeddingReady
		if i == 1 {
			want.Tags, want.Metadata, want.Embedding = []string{}, memory.Metadata{}, memory.EmbeddingPending
		}
		same(t, "answered", all[i].Memory, want)
		same(t, "read", w.get(t, acme, want.ID, memory.View{}), want)
		same(t, "history", w.history(t, acme, want.ID), []memory.Version{
			{Memory: want, Change: memory.Created, Why: asker, RecordedFrom: start},
		})
		var values []float32
		if i != 1 {
			values = entries[i].Vectors[0].Values
		}
		same(t, "vector", changes[i].Vector, values)
	}
}

func refusedAlone(t *testing.T, w *world) {
	stands := note("stands")
	stands.ID = "4d2c8a9e-9c57-5d5b-8a1c-0123456789ab"
	w.add(t, acme, stands)
	taken := note("other content")
	taken.ID = stands.ID
	far := time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)
	long := string(make([]byte, memory.MaxName+1))
	for name, refused := range map[string]memory.Entry{
		"content":       {Memory: memory.Memory{Content: "nul \x00"}},
		"importance":    {Memory: memory.Memory{Content: "x", Importance: -1}},
		"entities":      {Memory: memory.Memory{Content: "x", Entities: []memory.Entity{{Name: "Ann\x00"}}}},
		"metadata":      {Memory: memory.Memory{Content: "x", Metadata: memory.Metadata{"name": []any{"Ann\x00"}}}},
		"external_id":   {Memory: memory.Memory{Content: "x", ExternalID: long}},
		"valid_to":      {Memory: memory.Memory{Content: "x", ValidTo: &far}},
		"vector.model":  {Memory: note("x"), Vectors: []memory.Vector{{Model: "m\x00", Values: []float32{1}}}},
		"vector.values": {Memory: note("x"), Vectors: []memory.Vector{{Model: model}}},
		"":              {Memory: taken},
	} {
		scope := memory.Scope{Tenant: "acme", Project: "beside-" + name}
		w.add(t, scope, stands)
		want := fault.Invalid
		if name == "" {
			want = fault.Conflict
		}
		w.write(t, scope, func(tx memory.Tx) error {
			all, err := tx.PutAll(t.Context(), []memory.Entry{{Memory: note("first")}, refused, {Memory: note("last")}}, asker)
			if err != nil {
				return err
			}
			kind(t, all[1].Err, want)
			if fields := fault.FieldsOf(all[1].Err); name != "" && (len(fields) != 1 || fields[0].Location != name) {
				t.Errorf("the refusal of a bad %s names %v", name, fields)
			}
			same(t, "the first", all[0].Outcome, memory.Created)
			same(t, "the last", all[2].Outcome, memory.Created)
			_, _, err = tx.Put(t.Context(), note("afterwards"), asker)
			return err
		})
		same(t, "listed", contents(w.list(t, scope, memory.Query{}).Memories), []string{"stands", "afterwards", "last", "first"})
	}
}

func takenIDGivenUp(t *testing.T, w *world) {
	m := note("derived")
	m.ID = "4d2c8a9e-9c57-5d5b-8a1c-0123456789ab"
	other := m
	other.Content = "something else"
	all := w.putAll(t, acme, []memory.Entry{{Memory: m, Anew: true}, {Memory: other, Anew: true}, {Memory: m, Anew: true}})
	same(t, "the first", all[0].Memory.ID, m.ID)
	same(t, "the second", all[1].Outcome, memory.Created)
	if all[1].Memory.ID == m.ID {
		t.Error("two memories have one id")
	}
	same(t, "the third", all[2].Outcome, memory.Deduplicated)
}

func noneAtAll(t *testing.T, w *world) {
	same(t, "written", len(w.putAll(t, acme, nil)), 0)
	same(t, "head", w.head(t, acme), 0)
}

func manyInOrder(t *testing.T, w *world) {
	entries := make([]memory.Entry, 500)
	for i := range entries {
		entries[i].Memory = note(fmt.Sprint("number ", i))
		entries[i].Entities = []memory.Entity{{Name: "Ann"}}
		if i%50 == 49 { // a new version of the one before
			entries[i-1].ExternalID, entries[i].ExternalID = fmt.Sprint(i), fmt.Sprint(i)
		}
	}
	all := w.putAll(t, acme, entries)
	same(t, "head", w.head(t, acme), 500)
	var want []string
	for i := range all {
		if i%50 == 49 {
			same(t, "outcome", all[i].Outcome, memory.Updated)
			same(t, "the version of", all[i].Memory.ID, all[i-1].Memory.ID)
			want = want[:len(want)-1]
		}
		want = append(want, entries[i].Content)
	}
	var got []string
	for _, c := range w.changes(t, acme, 0) {
		if c.Version.RecordedTo == nil {
			got = append(got, c.Version.Content)
		}
	}
	same(t, "fed", got, want)
	queue, ok := w.queue()
	if !ok {
		return
	}
	var stored, announced []memory.ID
	for i := range all {
		if all[i].Outcome == memory.Created {
			stored = append(stored, all[i].Memory.ID)
		}
	}
	for _, r := range relay(t, queue) {
		if r.Type == outbox.MemoryStored {
			announced = append(announced, memory.ID(r.Subject))
		}
	}
	same(t, "announced", announced, stored)
}
