package extract_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/extract"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

var scope = memory.Scope{Tenant: "acme", Project: "default"}

var _ knowledge.Extractor = extract.Rules{}

// read extracts one memory by rules.
func read(t testing.TB, m memory.Memory) knowledge.Extraction {
	t.Helper()
	all, err := extract.Rules{}.Extract(context.Background(), scope, []memory.Memory{m})
	if err != nil || len(all) != 1 {
		t.Fatalf("%d extractions, %v", len(all), err)
	}
	return all[0]
}

// sample is a labelled memory. Says holds "subject|relation|object", with "|not" where it is not so and "|from=…" or
// "|to=…" where a time must be told.
type sample struct {
	Style   string     `json:"style"`
	Content string     `json:"content"`
	Speaker string     `json:"speaker"`
	Role    string     `json:"role"`
	At      *time.Time `json:"at"`
	HeldOut bool       `json:"held_out"`
	Says    []string   `json:"says"`
}

func (s *sample) memory() memory.Memory {
	m := memory.Memory{ID: memory.NewID(), Version: 1, Content: s.Content, OccurredAt: s.At, Metadata: memory.Metadata{}}
	if s.Speaker != "" {
		m.Metadata["name"] = s.Speaker
	}
	if s.Role != "" {
		m.Metadata["role"] = s.Role
	}
	return m
}

// said writes a statement as the labels do, without its times.
func said(st *knowledge.Statement) string {
	line := strings.ToLower(st.Subject.Name + "|" + st.Relation + "|" + st.Object.Name)
	if st.Negated {
		line += "|not"
	}
	return line
}

// splitLabel parts a label into what said gives and the times.
func splitLabel(label string) (line, from, to string) {
	var parts []string
	for part := range strings.SplitSeq(label, "|") {
		if v, ok := strings.CutPrefix(part, "from="); ok {
			from = v
		} else if v, ok := strings.CutPrefix(part, "to="); ok {
			to = v
		} else {
			parts = append(parts, part)
		}
	}
	return strings.ToLower(strings.Join(parts, "|")), from, to
}

type tally struct{ right, wrong, missed int }

func (c tally) precision() float64 { return float64(c.right) / float64(max(1, c.right+c.wrong)) }
func (c tally) recall() float64    { return float64(c.right) / float64(max(1, c.right+c.missed)) }

// TestRelationsAreTold holds what the rules state against what the documentation of Rules lists.
func TestRelationsAreTold(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("rules.go")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(source), "// The relations it states:")
	list, _, _ = strings.Cut(list, "type Rules")
	told := strings.FieldsFunc(list, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' })
	for _, s := range readLines[sample](t, "testdata/statements.jsonl") {
		for _, st := range read(t, s.memory()).Statements {
			relation := st.Relation
			if strings.HasPrefix(relation, "favourite_") {
				relation = "favourite_"
			}
			if !slices.Contains(told, relation) {
				t.Errorf("%q states %s, which is not told", s.Content, relation)
			}
		}
	}
}

// TestQuality reports how many statements of a labelled set the rules read, and how many that are none of it. The set was
// written before the rules, and the half that is held out was not looked at one by one while they were made; but one hand
// wrote both, so a stranger's texts will fare worse. -v prints the table.
func TestQuality(t *testing.T) {
	t.Parallel()
	samples := readLines[sample](t, "testdata/statements.jsonl")
	for _, heldOut := range []bool{false, true} {
		relations := map[string]tally{}
		var all tally
		silent, broken := 0, 0 // memories with nothing to read, and those something was read of
		for _, s := range samples {
			if s.HeldOut != heldOut {
				continue
			}
			got := read(t, s.memory())
			if len(s.Says) == 0 {
				silent++
				broken += min(1, len(got.Statements))
			}
			want := map[string][2]string{}
			for _, label := range s.Says {
				line, from, to := splitLabel(label)
				want[line] = [2]string{from, to}
			}
			for i := range got.Statements {
				st := &got.Statements[i]
				line := said(st)
				c := relations[st.Relation]
				times, ok := want[line]
				delete(want, line)
				if ok && (times[0] == "" || st.From != nil && st.From.Format("2006-01-02") == times[0]) && (times[1] == "" || st.To != nil && st.To.Format("2006-01-02") == times[1]) {
					c.right++
					all.right++
				} else {
					c.wrong++
					all.wrong++
					if !heldOut {
						t.Logf("wrong: %s in %q (from %v to %v)", line, s.Content, st.From, st.To)
					}
				}
				relations[st.Relation] = c
			}
			for line := range want {
				relation := strings.Split(line, "|")[1]
				c := relations[relation]
				c.missed++
				all.missed++
				relations[relation] = c
				if !heldOut {
					t.Logf("missed: %s in %q", line, s.Content)
				}
			}
		}
		var table strings.Builder
		for _, relation := range slices.SortedFunc(maps.Keys(relations), func(a, b string) int {
			return cmp.Or(cmp.Compare(relations[b].right+relations[b].missed, relations[a].right+relations[a].missed), cmp.Compare(a, b))
		}) {
			c := relations[relation]
			fmt.Fprintf(&table, "  %-18s said %3d  precision %.3f  recall %.3f\n", relation, c.right+c.missed, c.precision(), c.recall())
		}
		t.Logf("held out %v: %d statements, precision %.3f, recall %.3f; of %d memories that say nothing %d were read wrongly\n%s",
			heldOut, all.right+all.missed, all.precision(), all.recall(), silent, broken, table.String())
		if all.right+all.missed < 100 || silent < 40 {
			t.Errorf("%d statements and %d memories with none are too few", all.right+all.missed, silent)
		}
		if all.precision() < .9 || all.recall() < .6 || 10*broken > silent {
			t.Errorf("held out %v: precision %.3f, recall %.3f, %d of %d", heldOut, all.precision(), all.recall(), broken, silent)
		}
	}
}
