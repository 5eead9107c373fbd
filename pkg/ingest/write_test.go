package ingest_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

func key(name, fingerprint string) memory.Key {
	return memory.Key{Route: "POST /v1/memories", Key: name, Fingerprint: fingerprint}
}

func TestTheSameContentIsRecognised(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	first := mustPut(t, s, ingest.Draft{Content: "hello", UserID: "u"})
	again, _, err := s.Put(t.Context(), here, ingest.Draft{Content: "hello", UserID: "u"}, memory.Key{}, memory.Why{})
	if err != nil || !reflect.DeepEqual(again, ingest.Stored{Memory: first, Outcome: memory.Deduplicated, Head: 1}) {
		t.Errorf("got %+v, %v; want the standing memory %+v", again, err, first)
	}
}

func TestAnExternalIDWithOtherContentWritesAVersion(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	first := mustPut(t, s, ingest.Draft{Content: "old", ExternalID: "k"})
	next, _, err := s.Put(t.Context(), here, ingest.Draft{Content: "new", ExternalID: "k"}, memory.Key{}, memory.Why{Actor: "alice", Reason: "correction"})
	if err != nil || next.Outcome != memory.Updated || next.ID != first.ID || next.Version != 2 || next.Content != "new" {
		t.Fatalf("got %+v, %v; want version 2 of %s", next, err, first.ID)
	}
	versions, err := s.History(t.Context(), here, first.ID)
	if err != nil || len(versions) != 2 || versions[0].Why != (memory.Why{Actor: "alice", Reason: "correction"}) {
		t.Errorf("got %+v, %v; want two versions, the newer by alice", versions, err)
	}
}

func TestAMemoryIsStoredWhateverBecomesOfItsVector(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name     string
		embedder letters
		pending  bool
	}{
		{"an embedder that answers", letters{}, false},
		{"an embedder that is away", letters{err: errAway}, true},
		{"no vector for the text", letters{answer: [][]float32{}}, true},
		{"an empty vector", letters{answer: [][]float32{{}}}, true},
		{"the zero vector", letters{answer: [][]float32{{0, 0}}}, true},
		{"a vector with NaN", letters{answer: [][]float32{{1, float32(math.NaN())}}}, true},
		{"an infinite vector", letters{answer: [][]float32{{float32(math.Inf(1)), 1}}}, true},
	}
	for i := range rows {
		row := &rows[i]
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, _ := world(t)
			s.Embedder = &row.embedder
			m := mustPut(t, s, ingest.Draft{Content: "hello"})
			if got := m.Embedding == memory.EmbeddingPending; got != row.pending {
				t.Errorf("embedding is %s", m.Embedding)
			}
			changes, err := s.Store.Changes(t.Context(), here, "letters-2", 0, 10)
			if err != nil || len(changes) != 1 || (changes[0].Vector == nil) != row.pending {
				t.Errorf("feed says %+v, %v", changes, err)
			}
		})
	}
}

func TestAKeyGivesOneEffectAndOneAnswer(t *testing.T) {
	t.Parallel()
	s, embedder := world(t)
	first, replayed, err := s.Put(t.Context(), here, ingest.Draft{Content: "hello", Metadata: memory.Metadata{"n": json.Number("1.50")}}, key("k", "f"), memory.Why{})
	if err != nil || replayed {
		t.Fatalf("first answer: replayed %t, %v", replayed, err)
	}
	again, replayed, err := s.Put(t.Context(), here, ingest.Draft{Content: "hello"}, key("k", "f"), memory.Why{})
	if err != nil || !replayed || !reflect.DeepEqual(again, first) {
		t.Errorf("got %+v, replayed %t, %v; want the first answer %+v", again, replayed, err, first)
	}
	if n := embedder.calls.Load(); n != 1 {
		t.Errorf("embedded %d times, want once", n)
	}
	_, _, err = s.Put(t.Context(), here, ingest.Draft{Content: "other"}, key("k", "g"), memory.Why{})
	if fault.KindOf(err) != fault.Conflict {
		t.Errorf("the key with another body: %v, want a conflict", err)
	}
}

func TestARepetitionTellsTheVersionOfTheFirstAnswer(t *testing.T) {
	t.Parallel()
	s, embedder := world(t)
	embedder.err = errAway
	put := func() (ingest.Stored, bool, error) {
		return s.Put(t.Context(), here, ingest.Draft{Content: "one", Tags: []string{"a"}}, key("put", "f"), memory.Why{})
	}
	first, _, err := put()
	if err != nil {
		t.Fatal(err)
	}
	patch := func() (memory.Memory, bool, error) {
		p := ingest.Patch{Content: ingest.Change[string]{Present: true, Value: "two"}}
		return s.Patch(t.Context(), here, first.ID, p, 0, key("patch", "f"), memory.Why{})
	}
	changed, _, err := patch()
	if err != nil {
		t.Fatal(err)
	}
	err = s.Store.Write(t.Context(), here, func(tx memory.Tx) error {
		_, err := tx.Attach(t.Context(), first.ID, 2, memory.Vector{Model: "m", Values: []float32{1}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if again, replayed, err := put(); err != nil || !replayed || !reflect.DeepEqual(again, first) {
		t.Errorf("put: got %+v, replayed %t, %v; want %+v", again, replayed, err, first)
	}
	if again, replayed, err := patch(); err != nil || !replayed || !reflect.DeepEqual(again, changed) {
		t.Errorf("patch: got %+v, replayed %t, %v; want %+v", again, replayed, err, changed)
	}
}

// A remembered answer must not outlive the memory it tells of: delete means deleted.
func TestARepetitionAfterTheDeletionTellsNothingThatWasDeleted(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	const secret = "canary"
	draft := ingest.Draft{
		Content: secret, Tags: []string{secret}, Metadata: memory.Metadata{secret: secret}, Source: secret, ExternalID: secret,
		UserID: secret, AgentID: secret, SessionID: secret, Entities: []ingest.Mention{{Name: secret}},
	}
	put := func() (any, bool, error) {
		stored, replayed, err := s.Put(t.Context(), here, draft, key("put", "f"), memory.Why{})
		return stored, replayed, err
	}
	stored, _, err := put()
	if err != nil {
		t.Fatal(err)
	}
	id := stored.(ingest.Stored).ID
	patch := func() (any, bool, error) {
		p := ingest.Patch{Content: ingest.Change[string]{Present: true, Value: secret + " again"}}
		m, replayed, err := s.Patch(t.Context(), here, id, p, 0, key("patch", "f"), memory.Why{})
		return m, replayed, err
	}
	if _, _, err := patch(); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), here, id, memory.Key{}); err != nil {
		t.Fatal(err)
	}
	for name, repeat := range map[string]func() (any, bool, error){"put": put, "patch": patch} {
		again, replayed, err := repeat()
		told, _ := json.Marshal(again)
		if err != nil || !replayed || !strings.Contains(string(told), string(id)) || strings.Contains(string(told), secret) {
			t.Errorf("%s: got %s, replayed %t, %v; want the id and no %q", name, told, replayed, err, secret)
		}
	}
	for _, k := range []memory.Key{key("put", "f"), key("patch", "f")} {
		err := s.Store.Write(t.Context(), here, func(tx memory.Tx) error {
			kept, found, err := tx.Answered(t.Context(), k)
			if !found || strings.Contains(string(kept), secret) {
				t.Errorf("the store keeps %s, found %t", kept, found)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if standing := everything(t, s, here); len(standing) != 0 {
		t.Errorf("the repetition stored %+v", standing)
	}
}

func TestARefusedRequestLeavesItsKeyFree(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	_, _, err := s.Put(t.Context(), here, ingest.Draft{}, key("k", "f"), memory.Why{})
	wantFault(t, err, fault.Invalid, "body.content")
	if _, replayed, err := s.Put(t.Context(), here, ingest.Draft{Content: "x"}, key("k", "g"), memory.Why{}); err != nil || replayed {
		t.Errorf("replayed %t, %v", replayed, err)
	}
}

func TestConcurrentRepetitionsGetOneAnswer(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	answers := make([]ingest.Stored, 16)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() {
			var err error
			if answers[i], _, err = s.Put(t.Context(), here, ingest.Draft{Content: "hello"}, key("k", "f"), memory.Why{}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, a := range answers {
		if !reflect.DeepEqual(a, answers[0]) || a.Outcome != memory.Created {
			t.Errorf("got %+v and %+v", a, answers[0])
		}
	}
}

func TestOneBadItemSinksNobodyElse(t *testing.T) {
	t.Parallel()
	for _, k := range []memory.Key{{}, key("k", "f")} {
		t.Run("key "+k.Key, func(t *testing.T) {
			t.Parallel()
			s, embedder := world(t)
			standing := mustPut(t, s, ingest.Draft{Content: "known"})
			mustPut(t, s, ingest.Draft{Content: "old", ExternalID: "e"})
			embedder.calls.Store(0)
			results, _, err := s.Batch(t.Context(), here, []json.RawMessage{
				[]byte(`{"content":"one"}`),
				[]byte(`{"content":"two","importance":2}`),
				[]byte(`{"content":"known"}`),
				[]byte(`{"content":"x","colour":1}`),
				[]byte(`{"content":"new","external_id":"e"}`),
				[]byte(`{"content":"one"}`),
				[]byte(`7`),
			}, k, memory.Why{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, r := range results {
				at := ""
				if r.Error != nil {
					at = r.Error.Kind + " " + r.Error.Errors[0].Location
				}
				if r.Index != i || (r.ID == "") != (r.Error != nil) {
					t.Errorf("result %d is %+v", i, r)
				}
				got = append(got, r.Status+at)
			}
			want := []string{
				"created", "errorinvalid body.memories[1].importance", "deduplicated", "errormalformed body.memories[3].colour",
				"updated", "deduplicated", "errormalformed body.memories[6]",
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %q\nwant %q", got, want)
			}
			if results[2].ID != standing.ID || results[5].ID != results[0].ID {
				t.Errorf("duplicates point elsewhere: %+v", results)
			}
			if n := embedder.calls.Load(); n != 1 {
				t.Errorf("embedded in %d calls, want one", n)
			}
			if k.Key == "" {
				return
			}
			again, replayed, err := s.Batch(t.Context(), here, []json.RawMessage{[]byte(`{"content":"three"}`)}, k, memory.Why{})
			if err != nil || !replayed || !reflect.DeepEqual(again, results) {
				t.Errorf("the repetition got %+v, replayed %t, %v", again, replayed, err)
			}
		})
	}
}

func TestABatchHasBounds(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	for _, n := range []int{0, 1001} {
		items := make([]json.RawMessage, n)
		for i := range items {
			items[i] = fmt.Appendf(nil, `{"content":"m %d"}`, i)
		}
		_, _, err := s.Batch(t.Context(), here, items, memory.Key{}, memory.Why{})
		wantFault(t, err, fault.Invalid, "body.memories")
		if n == 0 {
			continue
		}
		results, _, err := s.Batch(t.Context(), here, items[:1000], memory.Key{}, memory.Why{})
		if err != nil || len(results) != 1000 || results[999].Status != "created" {
			t.Errorf("a thousand items: %v, %d results", err, len(results))
		}
	}
}

func TestTheStoresOwnRefusalIsReportedByIndex(t *testing.T) {
	t.Parallel()
	for _, k := range []memory.Key{{}, key("k", "f")} {
		s, _ := world(t)
		s.Store = picky{s.Store}
		results, _, err := s.Batch(t.Context(), here, []json.RawMessage{
			[]byte(`{"content":"fine"}`), []byte(`{"content":"refuse me"}`), []byte(`{"content":"fine too"}`),
		}, k, memory.Why{})
		if err != nil || results[0].Status != "created" || results[1].Status != "error" || results[2].Status != "created" {
			t.Errorf("got %+v, %v", results, err)
		}
		if n := len(everything(t, s, here)); n != 2 {
			t.Errorf("%d memories stand, want 2", n)
		}
	}
}

func TestAScopeWithoutATenantOrProjectReadsAndWritesNothing(t *testing.T) {
	t.Parallel()
	for _, nobody := range []memory.Scope{{}, {Tenant: "acme"}, {Project: "support"}} {
		s, _ := world(t)
		_, _, stored := s.Put(t.Context(), nobody, ingest.Draft{Content: "x"}, memory.Key{}, memory.Why{})
		_, listed := s.List(t.Context(), nobody, memory.Query{Limit: 1})
		_, read := s.Get(t.Context(), nobody, evidenceID, memory.View{})
		_, told := s.History(t.Context(), nobody, evidenceID)
		_, _, selected := s.DeleteWhere(t.Context(), nobody, memory.Filter{UserID: "u"}, memory.Key{})
		for i, err := range []error{stored, listed, read, told, selected} {
			if err == nil || fault.KindOf(err) != fault.Internal {
				t.Errorf("call %d in scope %q: %v", i, nobody, err)
			}
		}
	}
}
