package knowledgetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

func mergesAtOnce(t *testing.T, w *registerWorld) {
	id := ids(33)
	var running sync.WaitGroup
	for i := range 32 {
		register := []knowledge.Register{w.Register, w.Beside}[i%2]
		running.Go(func() {
			o, err := register.Unite(context.WithoutCancel(t.Context()), acme, []knowledge.Merge{{From: id[i], Into: id[i+1], Grounds: byRules()}})
			if err != nil || o[0].Err != nil {
				t.Error(err, o)
			}
		})
	}
	running.Wait()
	groups := w.groups(t, acme)
	if len(groups) != 1 || len(groups[0]) != 33 {
		t.Fatalf("groups %v", groups)
	}
	consistent(t, w, acme, 32)
}

// consistent checks that the groups are what the decisions, numbered without a gap, come to.
func consistent(t *testing.T, w *registerWorld, scope memory.Scope, count int) {
	t.Helper()
	all, err := w.Decisions(t.Context(), scope, knowledge.DecisionQuery{Limit: 1000})
	must(t, err)
	same(t, "decisions", len(all), count)
	for i, d := range all {
		same(t, "number", d.Number, int64(len(all)-i))
	}
	groups, err := w.Groups(t.Context(), scope, nil)
	must(t, err)
	if want := knowledge.Replay(all).Groups(); !reflect.DeepEqual(groups, want) {
		t.Errorf("groups %v, decisions come to %v", groups, want)
	}
}

func circlesAtOnce(t *testing.T, w *registerWorld) {
	id := ids(3)
	var running sync.WaitGroup
	for i := range 12 {
		register := []knowledge.Register{w.Register, w.Beside}[i%2]
		running.Go(func() {
			o, err := register.Unite(context.WithoutCancel(t.Context()), acme, []knowledge.Merge{
				{From: id[i%3], Into: id[(i+1)%3], Grounds: byRules()}, {From: id[(i+1)%3], Into: id[i%3], Grounds: byRules()}})
			if err != nil || o[0].Err != nil || o[1].Err != nil {
				t.Error(err, o)
			}
		})
	}
	running.Wait()
	consistent(t, w, acme, 2)
	same(t, "one group", len(w.groups(t, acme)[0]), 3)
}

// oracle is who is one with whom by labels and ranks: another way to the same.
type oracle struct {
	label map[string]string
	rank  map[string]int
	next  int
}

func newOracle(ids []string) *oracle {
	o := &oracle{label: map[string]string{}, rank: map[string]int{}}
	for _, id := range ids {
		o.label[id] = id
		o.seat(id)
	}
	return o
}

func (o *oracle) seat(id string) {
	o.rank[id] = o.next
	o.next++
}

// of are those with the label, by rank.
func (o *oracle) of(label string) []string {
	var all []string
	for id, l := range o.label {
		if l == label {
			all = append(all, id)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return o.rank[a] - o.rank[b] })
	return all
}

func (o *oracle) merge(from, into string) {
	if o.label[from] == o.label[into] {
		return
	}
	for _, id := range o.of(o.label[from]) {
		o.seat(id)
		o.label[id] = o.label[into]
	}
}

func (o *oracle) split(members []string) {
	touched := map[string]bool{}
	for _, id := range members {
		touched[o.label[id]] = true
	}
	for label := range touched {
		all := o.of(label)
		var leave, stay []string
		for _, id := range members {
			if slices.Contains(all, id) {
				leave = append(leave, id)
			}
		}
		for _, id := range all {
			if !slices.Contains(members, id) {
				stay = append(stay, id)
			}
		}
		if len(stay) == 0 {
			continue
		}
		for _, id := range leave {
			o.seat(id)
			o.label[id] = leave[0]
		}
		for _, id := range stay {
			o.label[id] = stay[0]
		}
	}
}

// groups are those of at least two, by the first.
func (o *oracle) groups() [][]string {
	groups := [][]string{}
	seen := map[string]bool{}
	for _, label := range o.label {
		if all := o.of(label); len(all) > 1 && !seen[label] {
			groups = append(groups, all)
		}
		seen[label] = true
	}
	slices.SortFunc(groups, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return groups
}

func randomDecisions(t *testing.T, w *registerWorld) {
	type step struct {
		decision   string
		from, into string
		members    []string
		undone     bool
	}
	for seed := range uint64(6) {
		random := rand.New(rand.NewPCG(seed, 1))
		scope := memory.Scope{Tenant: "acme", Project: fmt.Sprint("random-", seed)}
		id := ids(9)
		var steps []step
		for range 40 {
			switch draw := random.IntN(10); {
			case draw < 5:
				s := step{from: id[random.IntN(len(id))], into: id[random.IntN(len(id))]}
				outcomes, err := w.Unite(t.Context(), scope, []knowledge.Merge{{From: s.from, Into: s.into, Grounds: byPerson("")}})
				must(t, err)
				if outcomes[0].Decision.ID != "" {
					s.decision = outcomes[0].Decision.ID
					steps = append(steps, s)
				}
			case draw < 7:
				groups := w.groups(t, scope)
				if len(groups) == 0 {
					continue
				}
				group := groups[random.IntN(len(groups))]
				random.Shuffle(len(group), func(i, j int) { group[i], group[j] = group[j], group[i] })
				s := step{members: group[:1+random.IntN(len(group)-1)]}
				s.decision = w.split(t, scope, s.members...).ID
				steps = append(steps, s)
			case len(steps) > 0:
				s := &steps[random.IntN(len(steps))]
				w.undo(t, scope, s.decision)
				s.undone = true
			}
			o := newOracle(id)
			for _, s := range steps {
				switch {
				case s.undone:
				case s.members != nil:
					o.split(s.members)
				default:
					o.merge(s.from, s.into)
				}
			}
			if got, want := w.groups(t, scope), o.groups(); !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d after %d decisions:\ngot  %v\nwant %v", seed, len(steps), got, want)
			}
		}
		consistent(t, w, scope, len(steps))
	}
}
