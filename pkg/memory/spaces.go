package memory

import (
	"context"
	"slices"
)

// Models are the embedding models by which a scope's memories get vectors. Vectors of one model are never compared with
// those of another.
type Models struct {
	Active   string // the one searches compare by; "": none of its memories has a vector yet, and nobody has chosen
	Next     string // the one the scope is being moved to, "" while it is not
	Previous string // the one it was switched from and can be switched back to; "" for none
	Chosen   bool   // by somebody: a program that comes with another model of its own does not move the scope by itself
}

// Wanted lists the models whose vectors what is written gets, each once, the active one first.
func (m Models) Wanted() []string {
	var wanted []string
	for _, model := range []string{m.Active, m.Next, m.Previous} {
		if model != "" && !slices.Contains(wanted, model) {
			wanted = append(wanted, model)
		}
	}
	return wanted
}

// Coverage says how many of a scope's memories have a vector of a model.
type Coverage struct {
	Memories int `json:"memories" doc:"Memories that stand."`
	Vectors  int `json:"vectors" doc:"How many of them have a vector of the model."`
}

// Share is Vectors of Memories, 0..1; 1 where there are none.
func (c Coverage) Share() float64 {
	if c.Memories == 0 {
		return 1
	}
	return float64(c.Vectors) / float64(c.Memories)
}

// Modelled is the part of a store that knows which models a scope's vectors are of.
type Modelled interface {
	// Models returns what stands. Where nothing was chosen yet, Active is the model that most of the oldest memories'
	// vectors (of some hundred) are of.
	Models(ctx context.Context, scope Scope) (Models, error)
	// ChooseModels runs do with what stands and keeps what do returns; nobody else chooses for the scope meanwhile.
	// Errors of do are returned unchanged. do may run more than once and must not ask the store. Where anything changed, the scope's head moves, as
	// if a memory had changed, so that answers kept from before are not given any more. Invalid when do returns no Active.
	ChooseModels(ctx context.Context, scope Scope, do func(Models) (Models, error)) (Models, error)
	// Coverage counts the memories that stand and those of them that have a vector of the model.
	Coverage(ctx context.Context, scope Scope, model string) (Coverage, error)
	// VectorModels tells of which models the standing memories among ids have vectors, each list in order of bytes. One
	// that has none, and one that is not there, is not among them.
	VectorModels(ctx context.Context, scope Scope, ids []ID) (map[ID][]string, error)
	// ForgetModel removes up to limit (>= 1) vectors of the model and returns how many. A memory that is left without
	// any vector is pending again. Nothing is announced. Conflict when the model is among the wanted ones.
	ForgetModel(ctx context.Context, scope Scope, model string, limit int) (int, error)
}

// ModelSample is how many memories' vectors tell which model a scope is of when nobody has chosen.
const ModelSample = 200
