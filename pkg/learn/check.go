package learn

import (
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
)

// Reason is why something was not learned.
type Reason string

const (
	Gone       Reason = "memory_gone"     // the memory does not stand
	MovedOn    Reason = "memory_moved_on" // it has another version than was read
	Undone     Reason = "undone"          // somebody undid what was learned from this version of it
	Surplus    Reason = "too_many"        // beyond MaxStatements of one memory
	Span       Reason = "span"            // the words are not in the memory, or cut a character
	Name       Reason = "name"            // a name is missing, too long, not UTF-8, or has no words
	Relation   Reason = "relation"        // not 1..64 of a-z, 0-9 and _
	Sort       Reason = "kind"            // no kind of statement
	Dates      Reason = "dates"           // its end is not after its beginning, or a year is outside 0..9999
	Confidence Reason = "confidence"      // not in 0..1, or 0
	Itself     Reason = "itself"          // a thing is said to be in a relation to itself
)

// MaxStatements is how many statements are learned from one memory.
const MaxStatements = 500

// check returns why a statement read out of the content is not learned, "" if it is.
func check(s *knowledge.Statement, content string) Reason {
	for _, m := range [...]*knowledge.Mention{&s.Subject, &s.Object} {
		switch {
		case m.Name == "" || len(m.Name) > knowledge.MaxName || len(m.Type) > knowledge.MaxName || !storable(m.Name) || !storable(m.Type) ||
			len(words(m.Name)) == 0:
			return Name
		case (m.Start != 0 || m.End != 0) && !cuts(content, m.Start, m.End):
			return Span
		}
	}
	switch {
	case !cuts(content, s.Start, s.End):
		return Span
	case !relation(s.Relation):
		return Relation
	case s.Kind != knowledge.Told && s.Kind != knowledge.Preference && s.Kind != knowledge.Instruction:
		return Sort
	case math.IsNaN(s.Confidence) || s.Confidence <= 0 || s.Confidence > 1:
		return Confidence
	case !told(s.From) || !told(s.To) || s.From != nil && s.To != nil && !s.From.Before(*s.To):
		return Dates
	case !s.Literal && knowledge.ThingID(memory.Scope{}, s.Subject.Name) == knowledge.ThingID(memory.Scope{}, s.Object.Name):
		return Itself
	}
	return ""
}

// cuts reports whether content[start:end] is some of its characters.
func cuts(content string, start, end int) bool {
	return 0 <= start && start < end && end <= len(content) && utf8.RuneStart(content[start]) &&
		(end == len(content) || utf8.RuneStart(content[end]))
}

func relation(name string) bool {
	return name != "" && len(name) <= 64 &&
		!strings.ContainsFunc(name, func(r rune) bool { return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') })
}

func storable(name string) bool { return utf8.ValidString(name) && !strings.Contains(name, "\x00") }

func told(t *time.Time) bool { return t == nil || t.UTC().Year() >= 0 && t.UTC().Year() <= 9999 }
