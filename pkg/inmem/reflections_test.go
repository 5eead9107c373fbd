package inmem_test

import (
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
	"github.com/rae-memory/rae/pkg/reflection/reflectiontest"
)

func TestErasingATenantErasesItsReflections(t *testing.T) {
	t.Parallel()
	db := inmem.New(inmem.Options{})
	store := inmem.NewReflections(db)
	key := memory.Key{Route: "r", Key: "k", Fingerprint: "f"}
	scopes := []memory.Scope{{Tenant: "gone", Project: "a"}, {Tenant: "gone", Project: "b"}, {Tenant: "stays", Project: "a"}}
	for _, scope := range scopes {
		if _, _, err := store.Create(t.Context(), scope, reflection.Reflection{ID: memory.NewID()}, key); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Gather(t.Context(), scope, reflection.Gathered{Events: []reflection.Event{{Source: "s", ID: "1"}}, Every: 9}, reflection.Reflection{}); err != nil {
			t.Fatal(err)
		}
	}
	if receipt, err := db.EraseTenant(t.Context(), "gone"); err != nil || receipt.Other != 4 {
		t.Errorf("receipt %+v, %v", receipt, err)
	}
	for i, want := range []int{0, 0, 1} {
		page, err := store.List(t.Context(), scopes[i], reflection.Query{Limit: 10})
		if err != nil || len(page.Reflections) != want {
			t.Errorf("%s keeps %d reflections, %v", scopes[i], len(page.Reflections), err)
		}
		if _, fresh, err := store.Create(t.Context(), scopes[i], reflection.Reflection{ID: memory.NewID()}, key); err != nil || fresh != (want == 0) {
			t.Errorf("%s: key is fresh: %v, %v", scopes[i], fresh, err)
		}
	}
	if left, err := store.Scopes(t.Context(), memory.Scope{}, 10); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestReflectionsKeepTheContract(t *testing.T) {
	t.Parallel()
	reflectiontest.Run(t, "inmem", func(_ *testing.T, clock func() time.Time) (reflection.Store, outbox.Queue) {
		db := inmem.New(inmem.Options{Clock: clock})
		return inmem.NewReflections(db), db
	})
}
