package extract

import (
	"strings"
	"unicode"

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

// flagsOf are what is odd about a memory's text.
func flagsOf(m *memory.Memory) (flags []string) {
	if injected(m.Content) {
		flags = append(flags, flagInjection)
	}
	body, whole := clip(m.Content)
	if !whole {
		flags = append(flags, flagTruncated)
	}
	if !prose(body) {
		flags = append(flags, flagNoProse)
	}
	return flags
}

const maxRun = 120 // bytes without white space; longer is a blob in a script that has spaces

// prose reports whether s reads like words: more than three letters for every two signs, digits aside, and no endless word.
func prose(s string) bool {
	letters, signs := 0, 0
	for _, r := range s {
		switch {
		case unicode.IsLetter(r) || unicode.Is(unicode.Mn, r):
			letters++
		case !unicode.IsSpace(r) && !unicode.IsDigit(r):
			signs++
		}
	}
	if 2*letters <= 3*signs || letters < 2 {
		return false
	}
	long := 0
	for _, word := range strings.Fields(s) {
		if len(word) > maxRun && isASCII(word) {
			long += len(word)
		}
	}
	return 2*long < len(s)
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

// speakerOf is who says a memory: by name, or else by role; "user" where nobody says.
func speakerOf(m *memory.Memory) string {
	for _, key := range []string{"name", "role"} {
		if who, ok := m.Metadata[key].(string); ok && isName(strings.TrimSpace(who), maxNameBytes) {
			return strings.TrimSpace(who)
		}
	}
	return "user"
}
