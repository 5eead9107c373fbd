package relevance_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/relevance"
)

func TestEntitiesAreNamedOnce(t *testing.T) {
	t.Parallel()
	m := memory.Memory{Entities: []memory.Entity{{Name: "Zoë's Café"}, {Name: "!"}, {Name: "zoe cafe", Type: "place"}, {Name: "Ann", Type: "person"}, {Name: "ann", Type: "dog"}}}
	want := []relevance.Entity{{Key: "zoe cafe", Name: "Zoë's Café", Type: "place"}, {Key: "ann", Name: "Ann", Type: "person"}}
	if got := relevance.Entities(&m); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Ids are in bookmarks and other stores: a change of this one is a change of the API.
func TestEntityIDIsStable(t *testing.T) {
	t.Parallel()
	here := memory.Scope{Tenant: "acme", Project: "default"}
	const want = "4acfb398-7b8d-5be2-b01d-00b7ee6a7adc"
	if got := relevance.EntityID(here, "zoe cafe"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if relevance.EntityID(memory.Scope{Tenant: "beta", Project: "default"}, "zoe cafe") == want {
		t.Error("two tenants share an id")
	}
}

func TestNamesIn(t *testing.T) {
	t.Parallel()
	got := slices.Collect(relevance.NamesIn("Did Ann's dog bark?"))
	want := []string{"did", "did ann", "did ann dog", "did ann dog bark", "ann", "ann dog", "ann dog bark", "dog", "dog bark", "bark"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	long := slices.Collect(relevance.NamesIn("a b c d e f g"))
	if !slices.Contains(long, "a b c d e f") || slices.Contains(long, "a b c d e f g") {
		t.Errorf("%q: want names of at most six words", long)
	}
	if n := len(slices.Collect(relevance.NamesIn(strings.Repeat("word ", 10_000)))); n > 6*512 {
		t.Errorf("%d names: want those of the first 512 words", n)
	}
}
