package reflectiontest

import (
	"slices"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/reflection"
)

// policies have everything that policies can have.
func policies(now time.Time) reflection.Policies {
	below, half, floor := 0.3, 12.5, 0.0
	return reflection.Policies{
		Policies: []reflection.Policy{
			{Layer: memory.Episodic, Mode: reflection.Delete, AfterDays: 365, BelowImportance: &below, KeepTags: []string{"keep", "ż"}, KeepUsedWithinDays: 90},
			{Layer: memory.Sensory, Mode: reflection.Off, HalfLifeDays: &half, Floor: &floor},
		},
		GraceDays: 7, MaxPerRun: 99, UpdatedAt: &now, UpdatedBy: "ann",
	}
}

func keepsPolicies(t *testing.T, w *world) {
	told := policies(w.clock())
	other := memory.Scope{Tenant: acme.Tenant, Project: "other"}
	foreign := memory.Scope{Tenant: "evil", Project: acme.Project}
	read := func(scope memory.Scope, want reflection.Policies) {
		t.Helper()
		got, err := w.store.Policies(t.Context(), scope)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
	}
	read(acme, reflection.Policies{})
	for range 2 {
		if err := w.store.SetPolicies(t.Context(), acme, told); err != nil {
			t.Fatal(err)
		}
	}
	read(acme, told)
	read(other, reflection.Policies{})
	read(foreign, reflection.Policies{})
	less := reflection.Policies{Policies: []reflection.Policy{}, GraceDays: 1, MaxPerRun: 1}
	if err := w.store.SetPolicies(t.Context(), acme, less); err != nil {
		t.Fatal(err)
	}
	read(acme, less)
}

func listsPolicyScopes(t *testing.T, w *world) {
	scopes := []memory.Scope{{Tenant: "a", Project: "x"}, {Tenant: "a", Project: "y"}, {Tenant: "b", Project: "a"}, {Tenant: "ż", Project: "a"}}
	for _, scope := range slices.Backward(scopes) {
		if err := w.store.SetPolicies(t.Context(), scope, policies(w.clock())); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		after memory.Scope
		limit int
		want  []memory.Scope
	}{{memory.Scope{}, 10, scopes}, {memory.Scope{}, 2, scopes[:2]}, {scopes[1], 10, scopes[2:]}, {scopes[3], 1, []memory.Scope{}}} {
		got, err := w.store.PolicyScopes(t.Context(), c.after, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		same(t, append([]memory.Scope{}, got...), c.want)
	}
}
