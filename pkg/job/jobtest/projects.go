package jobtest

import (
	"context"
	"testing"

	"github.com/rae-memory/rae/pkg/memory"
)

// Lister is a store of memories that knows which projects a tenant has: work on all of a tenant begins with them.
type Lister interface {
	Write(ctx context.Context, scope memory.Scope, do func(memory.Tx) error) error
	// Projects lists up to limit projects of the tenant that were ever written to, in order, those after the given one.
	Projects(ctx context.Context, tenant, after string, limit int) ([]string, error)
}

// Projects holds a fresh store to what Lister says.
func Projects(t *testing.T, store Lister) {
	t.Helper()
	for _, scope := range []memory.Scope{{Tenant: "a", Project: "y"}, {Tenant: "a", Project: "x"}, {Tenant: "b", Project: "w"}, {Tenant: "a", Project: "z"}} {
		err := store.Write(t.Context(), scope, func(tx memory.Tx) error {
			_, _, err := tx.Put(t.Context(), memory.Memory{Content: "text"}, memory.Why{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		tenant, after string
		limit         int
		want          []string
	}{
		{"a", "", 2, []string{"x", "y"}},
		{"a", "y", 2, []string{"z"}},
		{"a", "z", 2, []string{}},
		{"b", "", 2, []string{"w"}},
		{"nobody", "", 2, []string{}},
	} {
		got, err := store.Projects(t.Context(), tt.tenant, tt.after, tt.limit)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, tt.want)
	}
}
