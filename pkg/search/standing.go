package search

import (
	"slices"
	"strings"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// Tags, and values of the metadata "type" and "kind", of memories that hold until they are taken back.
var standingTypes = []string{"instruction", "instructions", "preference", "preferences", "rule"}

// Openings of what somebody wants to hold from now on.
var standingPhrases = []string{
	"always ", "never ", "from now on", "whenever i ", "every time i ", "i prefer ", "i'd prefer ", "i would prefer ", "i'd rather ",
	"i like my ", "please don't ", "please do not ", "please make sure ", "make sure to ", "remember to ", "don't ever ", "my favorite ", "my favourite ",
	"i love ", "i hate ", "i can't stand ", "i'm allergic ", "i am allergic ", "以后", "总是", "永远不要", "いつも", "必ず",
}

// addStanding lets standing instructions and preferences gain where the question asks for something they may apply to:
// they share few words with it, so they are recalled by their type.
func (u *understanding) addStanding(results []scored) {
	if !u.wishes {
		return
	}
	for i := range results {
		results[i].features[standing] = share(isStanding(&results[i].memory))
	}
}

// isStanding reports whether a memory tells a standing instruction or a preference, by what it is called or how it is said.
func isStanding(m *memory.Memory) bool {
	if slices.ContainsFunc(m.Tags, func(tag string) bool { return slices.Contains(standingTypes, strings.ToLower(tag)) }) {
		return true
	}
	for _, key := range []string{"type", "kind"} {
		if value, ok := m.Metadata[key].(string); ok && slices.Contains(standingTypes, strings.ToLower(value)) {
			return true
		}
	}
	if len(m.Content) > readBytes {
		return false
	}
	for _, sentence := range text.Sentences(m.Content) {
		said := strings.ToLower(strings.ReplaceAll(m.Content[sentence.Start:sentence.End], "’", "'"))
		if slices.ContainsFunc(standingPhrases, func(phrase string) bool { return strings.Contains(said, phrase) }) {
			return true
		}
	}
	return false
}
