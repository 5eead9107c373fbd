package memory

import (
	"context"
	"math"

	"github.com/rae-memory/rae/pkg/fault"
)

// Entry is a memory on its way into a store, with its vectors, one of each model.
type Entry struct {
	Memory
	Vectors []Vector
	// Anew: where other content stands under the id, the memory gets one of its own instead of being refused.
	Anew bool
	// Why and Told are of who tells it, where that is another than who writes it: nil is the why of the call, and the
	// context of the transaction, whose trace the announcement names.
	Why  *Why
	Told context.Context
}

// ToldBy is who changes a memory and why, when all are told so much of it.
func (e *Entry) ToldBy(all Why) Why {
	if e.Why != nil {
		return *e.Why
	}
	return all
}

// Written is what became of an entry.
type Written struct {
	Memory  Memory // as it stands
	Outcome Outcome
	Err     error // Invalid or Conflict: why it was refused for what it is; the other fields are empty then
}

// One is what became of the only entry.
func One(all []Written, err error) (Memory, Outcome, error) {
	if err != nil {
		return Memory{}, "", err
	}
	return all[0].Memory, all[0].Outcome, all[0].Err
}

// Canonical is Memory.Canonical, for the vectors, too: see Vector.Check. It shares the vectors with e.
func (e *Entry) Canonical(scope Scope) (Entry, error) {
	c := *e
	var err error
	if c.Memory, err = e.Memory.Canonical(scope); err != nil {
		return Entry{}, err
	}
	for i := range e.Vectors {
		if err := e.Vectors[i].Check(); err != nil {
			return Entry{}, err
		}
		for j := range i {
			if e.Vectors[i].Model == e.Vectors[j].Model {
				return Entry{}, fault.BadField("vector.model", "is given twice")
			}
		}
	}
	return c, nil
}

// Vector is a memory's embedding by one model. Several models live side by side.
type Vector struct {
	Model  string // id of the model that made it
	Values []float32
}

// MaxDimensions is how many numbers a vector has at most: what PostgreSQL's type can hold.
const MaxDimensions = 16_000

// Check reports what no store could keep: a vector without a model, without values, with too many, or with one that is
// no number.
func (v *Vector) Check() error {
	switch {
	case v.Model == "":
		return fault.BadField("vector.model", "is missing")
	case !storable(v.Model):
		return fault.BadField("vector.model", notStorable)
	case len(v.Values) == 0:
		return fault.BadField("vector.values", "is empty")
	case len(v.Values) > MaxDimensions:
		return fault.BadField("vector.values", "must be at most %d numbers", MaxDimensions)
	}
	for _, x := range v.Values {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return fault.BadField("vector.values", "must be finite numbers")
		}
	}
	return nil
}
