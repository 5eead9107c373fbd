package resolve_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/resolve"
)

// crowd is n people with names drawn from as many syllables as make most of them different, every tenth misspelt or
// shortened from the one before.
func crowd(n int) []resolve.Mentioned {
	random := rand.New(rand.NewPCG(5, 6))
	syllables := []string{"ba", "ke", "lin", "mor", "ta", "vi", "ros", "an", "del", "fa", "gun", "hil", "jo", "kar", "lo", "men", "nor", "pe", "qui", "sten", "ur", "wal", "xi", "yan", "zor"}
	word := func(k int) (w string) {
		for range k {
			w += syllables[random.IntN(len(syllables))]
		}
		return w
	}
	var all []resolve.Mentioned
	last := ""
	for i := range n {
		name := word(2) + " " + word(3)
		if i%10 == 9 {
			name = last[:1] + "." + last[len(last)/2:]
		}
		last = name
		all = append(all, resolve.Mentioned{ID: fmt.Sprint(i), Name: name, Type: "person", Contexts: []string{name + " talks to " + word(2) + " about " + word(3) + "."}})
	}
	return all
}

// However many there are, each is compared with so many and no more: where names are many, and where most share theirs.
func TestEachIsComparedWithAFew(t *testing.T) {
	t.Parallel()
	smiths := crowd(10_000)
	for i := range smiths {
		smiths[i].Name = strings.Fields(smiths[i].Name)[0] + []string{" Smith", " Jones", " Weber"}[i%3]
	}
	for name, all := range map[string][]resolve.Mentioned{"2,000": crowd(2_000), "10,000": crowd(10_000), "10,000 of three families": smiths} {
		pairs := resolve.Candidates(all)
		t.Logf("%s names make %d pairs", name, pairs)
		if pairs > 100*len(all) {
			t.Errorf("%s names make %d pairs", name, pairs)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		all := crowd(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := new(resolve.Resolver).Resolve(b.Context(), all); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
