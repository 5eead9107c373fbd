package extract

import (
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/memory"
)

// Flags of an extraction.
const (
	flagInjection = "injection" // it tries to instruct whoever reads it
	flagTruncated = "truncated" // it was read in part, or a model had no room for its answer
	flagNoProse   = "no_prose"  // a program, a blob, nothing: it is not read
	flagRefused   = "refused"   // a model would not read it
	flagBudget    = "budget"    // no budget covered having it read by a model
)

// flagsOf are what is odd about a memory's text, as far as it is read.
func flagsOf(m *memory.Memory) (flags []string) {
	body := clip(m.Content)
	if Commands(body) {
		flags = append(flags, flagInjection)
	}
	if len(body) < len(m.Content) {
		flags = append(flags, flagTruncated)
	}
	if !utf8.ValidString(body) || len(passages(body)) == 0 {
		flags = append(flags, flagNoProse)
	}
	return flags
}

// speakerOf is who says a memory, by name; an assistant by its role.
func speakerOf(m *memory.Memory) string {
	who, silent := sayer(m)
	if role, _ := m.Metadata["role"].(string); silent && isName(role) {
		return role
	}
	return who.Name
}
