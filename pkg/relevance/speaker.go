package relevance

import (
	"strings"

	"github.com/rae-memory/rae/pkg/memory"
)

// Speaker names who said a memory, in lower case; "" when nobody is named. Metadata says so, or its one line opens
// with "Name:". A transcript of several lines has several speakers, so it has none here.
func Speaker(m *memory.Memory) string {
	for _, key := range []string{"speaker", "name", "author"} {
		if name, ok := m.Metadata[key].(string); ok && name != "" && len(name) <= 64 {
			return strings.ToLower(name)
		}
	}
	name, _, ok := strings.Cut(m.Content, ": ")
	if ok && IsName(name) && !strings.Contains(strings.TrimSpace(m.Content), "\n") {
		return strings.ToLower(name)
	}
	return ""
}

// IsName reports whether what stands before a colon may be a name: short, at most three words, no marks of a sentence.
func IsName(s string) bool {
	return len(s) <= 32 && !strings.ContainsAny(s, ".!?\n\"()[]{}<>/") && strings.Count(s, " ") < 3
}
