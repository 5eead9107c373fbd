package backup

import (
	"github.com/rae-memory/rae/pkg/memory"
)

// The numbers of a scope's changes mean something to whoever follows its feed. Where a store has erased a feed that used
// the same numbers, a follower of the old one could take the restored changes for ones it has seen. Then the whole feed
// is moved: its floor above every number either feed has used, all else by as much. A follower that stands below the
// floor is told to start over.

// Renumber moves the numbers of a tenant's changes for a store that erased scopes numbered up to Erased, exclusively.
// It must see the rows in order; the zero value keeps every number of every row.
type Renumber struct {
	Erased memory.Seq

	by map[string]int64 // what is added to the numbers of a project
}

// Apply changes the numbers in the row.
func (n *Renumber) Apply(r Row) {
	if r.Table.Name == Scopes {
		floor, head := r.Get("floor").(int64), r.Get("head").(int64)
		if floor < int64(n.Erased) {
			n.move(r.Project(), max(int64(n.Erased), head+1)-floor)
		}
	}
	n.shift(r, n.by[r.Project()])
}

func (n *Renumber) move(project string, by int64) {
	if n.by == nil {
		n.by = map[string]int64{}
	}
	n.by[project] = by
}

func (n *Renumber) shift(r Row, by int64) {
	if by == 0 {
		return
	}
	for i := range r.Values {
		if r.Table.Columns[i].Kind == Seq {
			r.Values[i] = r.Values[i].(int64) + by
		}
	}
}

// fromZero moves the numbers so that every feed begins at 0: as they are hashed, wherever they begin in a store.
func (n *Renumber) fromZero(r Row) {
	if r.Table.Name == Scopes {
		n.move(r.Project(), -r.Get("floor").(int64))
	}
	n.shift(r, n.by[r.Project()])
}
