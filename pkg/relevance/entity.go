package relevance

import (
	"iter"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// longestName is how many words a name found in a question may have.
const longestName = 6

// Entity is something a memory names.
type Entity struct {
	Key  string // as EntityKey tells; never empty
	Name string // as first written
	Type string // the first type given with the name; may be empty
}

// Entities are what the memory names, once each, in its order. Names without a word in them are left out.
func Entities(m *memory.Memory) []Entity {
	var all []Entity
	for _, named := range m.Entities {
		key := EntityKey(named.Name)
		if key == "" {
			continue
		}
		i := slices.IndexFunc(all, func(e Entity) bool { return e.Key == key })
		if i < 0 {
			all = append(all, Entity{key, named.Name, named.Type})
		} else if all[i].Type == "" {
			all[i].Type = named.Type
		}
	}
	return all
}

// EntityKey is the name as entities are compared: lower-cased, accent-folded words with a space between.
func EntityKey(name string) string {
	words := text.Words(name)
	parts := make([]string, len(words))
	for i, w := range words {
		parts[i] = w.Term
	}
	return strings.Join(parts, " ")
}

// EntityID is stable: the same key in the same tenant's project has the same id in every process and store. It is a
// UUID of version 5 (RFC 9562 section 5.5).
func EntityID(scope memory.Scope, key string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("rae:entity:"+scope.Tenant+"/"+scope.Project+"/"+key)).String()
}

// NamesIn yields every run of one to six words of the question, as the EntityKey an entity of that name has. A question
// names the entities whose keys are among them. A run that occurs twice is yielded twice; only the first 512 words are
// looked at.
func NamesIn(question string) iter.Seq[string] {
	words := text.Words(question)
	words = words[:min(len(words), maxWords)]
	return func(yield func(string) bool) {
		for i := range words {
			name := ""
			for j := i; j < len(words) && j < i+longestName; j++ {
				if j > i {
					name += " "
				}
				name += words[j].Term
				if !yield(name) {
					return
				}
			}
		}
	}
}
