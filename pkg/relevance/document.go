// Package relevance decides what a memory has to do with a question: which terms a memory holds, what the terms of a
// question weigh, and what they earn where they are found. It knows no storage, so that every index that asks here
// ranks alike.
package relevance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// SentenceBreak stands between the sentences of a Document. No term is empty.
const SentenceBreak = ""

// Document is a memory as it is compared with questions.
type Document struct {
	Terms    []string // of the content, in order, SentenceBreak between sentences
	Extra    []string // of metadata values, tags, source and entities
	Length   int      // terms of the content; what is only said about it makes a memory no longer
	Speaker  string   // as Speaker tells
	Entities []Entity // as Entities tells
}

// Analyze reads a memory. Metadata values are searched too, unless they only repeat the content: a copy under another
// name is no further evidence.
func Analyze(m *memory.Memory, language text.Language) Document {
	d := Document{Speaker: Speaker(m), Entities: Entities(m)}
	d.readContent(m, language)
	d.readExtra(m, language)
	return d
}

func (d *Document) readContent(m *memory.Memory, language text.Language) {
	d.Terms = make([]string, 0, len(m.Content)/7+1)
	for _, sentence := range text.Sentences(m.Content) {
		tokens := language.Analyze(m.Content[sentence.Start:sentence.End])
		if len(tokens) > 0 && len(d.Terms) > 0 {
			d.Terms = append(d.Terms, SentenceBreak)
		}
		for _, token := range tokens {
			d.Terms = append(d.Terms, token.Term)
		}
		d.Length += len(tokens)
	}
}

func (d *Document) readExtra(m *memory.Memory, language text.Language) {
	read := func(value string) {
		if len(value) > 20 && (strings.Contains(m.Content, value) || strings.Contains(value, m.Content)) {
			return
		}
		for _, token := range language.Analyze(value) {
			d.Extra = append(d.Extra, token.Term)
		}
	}
	keys := make([]string, 0, len(m.Metadata))
	for key := range m.Metadata {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		read(plain(m.Metadata[key]))
	}
	for _, tag := range m.Tags {
		read(tag)
	}
	read(m.Source)
	for _, entity := range m.Entities {
		read(entity.Name)
	}
}

// Counts tells how often each term occurs in Terms and Extra together: the term frequencies of BM25.
func (d *Document) Counts() map[string]uint32 {
	counts := make(map[string]uint32, len(d.Terms)+len(d.Extra))
	for _, list := range [][]string{d.Terms, d.Extra} {
		for _, term := range list {
			if term != SentenceBreak {
				counts[term]++
			}
		}
	}
	return counts
}

// plain renders a metadata value as the text a person would search for.
func plain(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number, bool, float64:
		return fmt.Sprint(v)
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = plain(v[i])
		}
		return strings.Join(parts, " ")
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, item := range v {
			parts = append(parts, plain(item))
		}
		slices.Sort(parts)
		return strings.Join(parts, " ")
	}
	return ""
}
