package reflection

import (
	"slices"
	"strings"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// mentioned is the folded names of what a memory is about: the entities it was given and the names in its text.
func mentioned(m *memory.Memory, body string) []string {
	var folded []string
	for _, e := range m.Entities {
		folded = append(folded, strings.ToLower(e.Name))
	}
	for _, found := range text.Named(body) {
		if found.Kind != text.Quantity {
			folded = append(folded, strings.ToLower(found.Name))
		}
	}
	slices.Sort(folded)
	return slices.Compact(folded)
}
