package reflection_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/reflection"
)

// dream runs a kind and returns what was kept; run again, it must tell nothing.
func (w *world) dream(t *testing.T, kind reflection.Kind) []memory.Memory {
	t.Helper()
	r := w.run(t, acme, reflection.Request{Kind: kind})
	if r.Status != reflection.Succeeded {
		t.Fatalf("%s: %s", r.Status, r.Error)
	}
	kept := w.keep(t)
	again := w.run(t, acme, reflection.Request{Kind: kind})
	for _, record := range w.tell(t) {
		if record.Type == outbox.MemoryDerived {
			t.Errorf("done again it tells of %s", record.Subject)
		}
	}
	slices.Sort(again.MemoryIDs)
	slices.Sort(r.MemoryIDs)
	if !slices.Equal(again.MemoryIDs, r.MemoryIDs) {
		t.Errorf("done again it stands for %v, before for %v", again.MemoryIDs, r.MemoryIDs)
	}
	for _, m := range kept {
		w.grounded(t, m)
	}
	return kept
}

func TestAStatementToldAgainAndAgainIsPromoted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		sessions []string
		apart    time.Duration
		want     int
	}{
		{"in three sessions", []string{"a", "b", "c"}, time.Minute, 1},
		{"on three days", []string{"a", "a", "a"}, day, 1},
		{"in two sessions on two days", []string{"a", "b"}, day, 0},
		{"three times in one session", []string{"a", "a", "a"}, time.Minute, 0},
	} {
		w := newWorld()
		for i, session := range c.sessions {
			at := w.clock()
			w.put(t, acme, memory.Memory{Content: fmt.Sprint("Ann never eats peanuts because of her allergy", strings.Repeat(".", i+1)), SessionID: session, OccurredAt: &at, Importance: 0.4},
				memory.Memory{Content: fmt.Sprintf("Remark number %d on something else entirely.", i), SessionID: session})
			w.pass(c.apart)
		}
		kept := w.dream(t, reflection.Promote)
		if len(kept) != c.want {
			t.Errorf("%s: %d promoted", c.name, len(kept))
			continue
		}
		for _, m := range kept {
			if m.Layer != memory.Semantic || !slices.Contains(m.Tags, "promoted") || len(m.DerivedFrom) != 3 || m.Importance != 0.4 {
				t.Errorf("%s: %+v", c.name, m)
			}
		}
	}
}

// session stores turns of a session, told one after the other.
func (w *world) session(t *testing.T, name, user string, n int) {
	t.Helper()
	what := []string{"hydraulic pump", "ferry ticket", "winter coat", "garden fence", "violin lesson", "tax return", "mountain hut"}
	who := []string{"Ann", "the plumber", "a neighbour", "Marta", "the harbour master"}
	did := []string{"repaired", "forgot", "paid for", "wondered about", "painted", "photographed", "borrowed", "lost", "praised", "measured", "sold"}
	var turns []memory.Memory
	for i := range n {
		at := w.clock().Add(time.Duration(i) * time.Minute)
		turns = append(turns, memory.Memory{
			Content:   fmt.Sprintf("In %s %s %s the %s, which took %d minutes.", name, who[i%len(who)], did[i%len(did)], what[i%len(what)], i),
			SessionID: name, UserID: user, OccurredAt: &at, Importance: 0.5,
		})
	}
	w.put(t, acme, turns...)
}

func TestASessionThatIsOverIsOneMemory(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.session(t, "long", "ann", 200)
	w.session(t, "long", "bob", 9)
	w.session(t, "short", "", 7)
	w.pass(365 * day)
	w.session(t, "lately", "", 20)
	w.pass(6 * day)
	kept := w.dream(t, reflection.Summarize)
	users := []string{}
	for _, m := range kept {
		users = append(users, m.UserID)
		if m.Layer != memory.LongTerm || !slices.Contains(m.Tags, "summary") || len(m.DerivedFrom) < 2 || !strings.Contains(m.Content, "2026-03-01") {
			t.Errorf("kept %+v", m)
		}
	}
	slices.Sort(users)
	if !slices.Equal(users, []string{"ann", "bob"}) {
		t.Fatalf("kept of %q", users)
	}
	w.pass(2 * day)
	if kept = w.dream(t, reflection.Summarize); len(kept) != 1 || !strings.Contains(kept[0].Content, "lately") {
		t.Errorf("a week later %+v", kept)
	}
}

func TestSummariesGoThroughEverySessionInSlices(t *testing.T) {
	t.Parallel()
	w := newWorld()
	const n = 90 // more than two claims' worth
	for i := range n {
		w.session(t, fmt.Sprint("s", i), "", 8)
	}
	w.pass(30 * day)
	if kept := w.dream(t, reflection.Summarize); len(kept) != n {
		t.Errorf("%d of %d sessions", len(kept), n)
	}
}
