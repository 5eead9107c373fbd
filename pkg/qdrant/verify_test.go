package qdrant_test

import (
	"reflect"
	"testing"

	api "github.com/qdrant/go-client/qdrant"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/qdrant"
)

func TestVerifyFindsWhatDiffersAndRepairMendsIt(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	other := memory.Scope{Tenant: "other", Project: "default"}
	all := w.say("the red kite flew", "a red kite broke", "the boiler broke", "the violin broke")
	w.put(other, memory.Memory{Content: "their red kite"})
	w.project(other)
	if drifted, scopes := w.differences(); len(drifted) > 0 || scopes != 2 {
		t.Fatalf("at first: %d scopes, %+v", scopes, drifted)
	}
	collection := w.index.Collection()
	vector := w.server.Points(collection)[0].GetVectors()
	point := func(scope memory.Scope, id memory.ID, generation string, seq int64) *api.PointStruct {
		return &api.PointStruct{Id: qdrant.PointID(scope, id), Vectors: vector, Payload: map[string]*api.Value{
			"tenant": api.NewValueString(scope.Tenant), "project": api.NewValueString(scope.Project), "memory_id": api.NewValueString(string(id)),
			"generation": api.NewValueString(generation), "seq": api.NewValueInt(seq), "expires_at": api.NewValueInt(1 << 62),
		}}
	}
	generation := w.server.Points(collection)[0].GetPayload()["generation"].GetStringValue()
	orphan, stray := memory.NewID(), memory.NewID()
	nowhere := memory.Scope{Tenant: "gone", Project: "default"}
	w.server.Forget(collection, qdrant.PointID(here, all[0].ID))      // missing
	w.server.Plant(collection, point(here, all[1].ID, generation, 1)) // as it was before
	w.server.Plant(collection, point(here, all[2].ID, generation, 3)) // with another's vector
	w.server.Plant(collection, point(here, all[3].ID, "another", 4))  // of another generation
	w.server.Plant(collection, point(here, orphan, generation, 9))    // of nothing
	w.server.Plant(collection, point(nowhere, stray, generation, 9))  // of nobody
	misplaced := point(here, all[0].ID, generation, 1)                // under another's id
	misplaced.Id = qdrant.PointID(here, stray)
	w.server.Plant(collection, misplaced)

	drifted, scopes := w.differences()
	if scopes != 3 || len(drifted) != 2 {
		t.Fatalf("%d scopes, %+v", scopes, drifted)
	}
	got, samples := drifted[0], map[memory.ID]bool{}
	for _, id := range got.Samples {
		samples[id] = true
	}
	got.Samples = nil
	if want := (qdrant.Comparison{Scope: here, Stored: 4, Indexed: 5, Missing: 1, Stale: 3, Orphans: 2}); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if want := map[memory.ID]bool{all[0].ID: true, all[1].ID: true, all[2].ID: true, all[3].ID: true, orphan: true}; !reflect.DeepEqual(samples, want) {
		t.Errorf("samples %v", samples)
	}
	if want := (qdrant.Comparison{Scope: nowhere, Indexed: 1, Orphans: 1}); !reflect.DeepEqual(drifted[1], want) {
		t.Errorf("got %+v, want %+v", drifted[1], want)
	}
	for _, c := range drifted {
		if err := w.projector.Repair(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if drifted, scopes := w.differences(); len(drifted) > 0 || scopes != 2 {
		t.Errorf("after the repair: %d scopes, %+v", scopes, drifted)
	}
	w.right(w.query("red kite"), false)
}

func TestVerifyDoesNotTakeWhatIsLateForWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.say("the red kite flew", "a red kite broke", "the boiler broke")
	w.project()
	w.rewrite(all[0], "the kite flew off")
	w.remove(all[1])
	w.say("one more")
	drifted, _ := w.differences()
	if len(drifted) != 1 || drifted[0].Drifted() || drifted[0].Behind != 3 {
		t.Errorf("%+v", drifted)
	}
}

func TestVerifyOfATenantLooksAtNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	scopes := []memory.Scope{{Tenant: "ac", Project: "default"}, {Tenant: "acme", Project: "a"}, here, {Tenant: "acme-2", Project: "default"}}
	for _, scope := range scopes {
		w.put(scope, memory.Memory{Content: "a red kite"})
	}
	w.project(scopes...)
	var seen []memory.Scope
	err := w.projector.Verify(t.Context(), "acme", func(c qdrant.Comparison) error { seen = append(seen, c.Scope); return nil })
	if err != nil || !reflect.DeepEqual(seen, scopes[1:3]) {
		t.Errorf("%v, %v", seen, err)
	}
	for _, tenant := range []string{"ac", "acme-2"} {
		if _, err := w.index.EraseTenant(t.Context(), tenant); err != nil {
			t.Error(err)
		}
	}
}

func TestRebuildMakesEverythingAnew(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	other := memory.Scope{Tenant: "other", Project: "default"}
	w.say("the red kite flew", "a red kite broke")
	w.put(other, memory.Memory{Content: "their red kite"})
	w.project(other)
	w.server.Lose(w.index.Collection())
	progress := map[memory.Scope]memory.Seq{}
	made, err := w.projector.Rebuild(t.Context(), "", func(scope memory.Scope, mark, head memory.Seq) {
		if mark > head || mark < progress[scope] {
			t.Errorf("%s went from %d to %d of %d", scope, progress[scope], mark, head)
		}
		progress[scope] = mark
	})
	if err != nil || made != 2 || !reflect.DeepEqual(progress, map[memory.Scope]memory.Seq{here: 2, other: 1}) {
		t.Errorf("%d scopes, %v, %v", made, progress, err)
	}
	if drifted, _ := w.differences(); len(drifted) > 0 {
		t.Errorf("differs: %+v", drifted)
	}
	w.right(w.query("red kite"), false)
}

func TestRebuildOfATenantLeavesTheOthers(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	other := memory.Scope{Tenant: "other", Project: "default"}
	w.say("the red kite flew")
	theirs := w.put(other, memory.Memory{Content: "their red kite"})
	w.project(other)
	w.server.Forget(w.index.Collection(), qdrant.PointID(other, theirs.ID))
	if made, err := w.projector.Rebuild(t.Context(), "acme", func(memory.Scope, memory.Seq, memory.Seq) {}); err != nil || made != 1 {
		t.Errorf("%d scopes, %v", made, err)
	}
	if drifted, _ := w.differences(); len(drifted) != 1 || drifted[0].Scope != other {
		t.Errorf("%+v", drifted)
	}
}

func TestACollectionOfSomebodyElseIsNotUsedUntilItIsReplaced(t *testing.T) {
	t.Parallel()
	w := newFaultyWorld(t)
	smaller := w.options
	smaller.Dimensions = 3
	_, p, _ := w.process(smaller)
	if _, err := p.CatchUp(t.Context(), here); err != nil {
		t.Fatal(err)
	}
	w.say("the red kite flew")
	w.right(w.query("red kite"), true)
	if _, err := w.projector.CatchUp(t.Context(), here); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("wrote into a collection of other vectors: %v", err)
	}
	if _, err := w.projector.Rebuild(t.Context(), "", func(memory.Scope, memory.Seq, memory.Seq) {}); err != nil {
		t.Fatal(err)
	}
	w.right(w.query("red kite"), false)
}

func TestTheCollectionIsMadeForManyTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project()
	w.project()
	info := qdrant.Info(t, w.index)
	schema := info.GetPayloadSchema()
	for field, kind := range map[string]api.PayloadSchemaType{
		"tenant": api.PayloadSchemaType_Keyword, "project": api.PayloadSchemaType_Keyword, "when": api.PayloadSchemaType_Integer,
		"importance": api.PayloadSchemaType_Float, "metadata": api.PayloadSchemaType_Keyword,
	} {
		if schema[field].GetDataType() != kind {
			t.Errorf("%s is indexed as %v, want %v", field, schema[field].GetDataType(), kind)
		}
	}
	if len(schema) != 13 || !schema["tenant"].GetParams().GetKeywordIndexParams().GetIsTenant() {
		t.Errorf("%d indexes, of the tenant %v", len(schema), schema["tenant"])
	}
	if hnsw := info.GetConfig().GetHnswConfig(); hnsw.GetM() != 0 || hnsw.GetPayloadM() != 16 {
		t.Errorf("graphs %v", hnsw)
	}
}
