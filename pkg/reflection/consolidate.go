package reflection

import (
	"slices"
	"strings"
	"unicode"

	"github.com/rae-memory/rae/pkg/text"
)

const (
	sameness      = 0.9 // share of all their words (Jaccard) that two memories which say the same have in common
	minTerms      = 3   // a memory of fewer terms ("Thanks!") is not worth merging
	maxGroups     = 50  // of one reflection
	maxVariants   = 3   // wordings quoted of one group
	maxGroupCites = 50
	maxQuoteBytes = 2000 // a longer memory is not merged: its quote would be no shorter
)

// negations are the English words whose presence turns a sentence round. In another language a negation is one
// differing word among at least ten, and the words themselves decide.
var negations = map[string]bool{"not": true, "no": true, "never": true, "none": true, "without": true, "nobody": true, "nothing": true, "neither": true, "nor": true}

// duplicates drafts one memory for every group of near-duplicates, quoting each wording once and citing every memory
// that has it word for word.
func (c *corpus) duplicates(documents []*document) []draft {
	var drafts []draft
	for _, group := range alike(documents) {
		if len(group) > 1 {
			drafts = append(drafts, c.consolidated(group, "Told "+heading(len(group), group)+" in nearly the same words:"))
		}
	}
	return drafts
}

// alike groups the documents that say the same, each group in the order of its times.
func alike(documents []*document) [][]*document {
	var groups [][]*document
	var leaders []map[string]bool // the words of the first of each group
	for _, d := range documents {
		if len(d.tokens) < minTerms || len(d.memory.Content) > maxQuoteBytes || !prose(d.body) {
			continue
		}
		words := wordSet(d.body)
		i := slices.IndexFunc(leaders, func(leader map[string]bool) bool { return same(leader, words) })
		if i < 0 {
			leaders = append(leaders, words)
			groups = append(groups, []*document{d})
		} else {
			groups[i] = append(groups[i], d)
		}
	}
	return groups
}

// consolidated drafts the memory that stands for a group, the newest wording first under the head.
func (c *corpus) consolidated(group []*document, head string) draft {
	topic, _ := c.topic(group)
	d := draft{topic: strings.Join(topic, ", "), tags: topic, count: len(group)}
	content := head
	var variants []string
	importance := 0.0
	for _, document := range slices.Backward(group) {
		importance = max(importance, document.memory.Importance)
		span := trimmed(document.body)
		wording := document.body[span.Start:span.End]
		known := slices.Contains(variants, wording)
		if !known && len(variants) < maxVariants {
			known = true
			variants = append(variants, wording)
			content += "\n- \"" + wording + "\""
		}
		if known && len(d.quotes) < maxGroupCites {
			d.quotes = append(d.quotes, quote{document.memory, span.Start, span.End})
		}
	}
	d.content = content
	d.importance = func(float64) float64 { return round(importance) }
	return d
}

// same reports whether two sets of words say the same: nearly equal, and no number or negation in only one of them.
func same(a, b map[string]bool) bool {
	allowed := int((float64(len(a)) - sameness*float64(len(b))) / (1 + sameness)) // words of a that b may lack
	for word := range a {
		if b[word] {
			continue
		}
		if allowed--; allowed < 0 || turning(word) {
			return false
		}
	}
	common := 0
	for word := range b {
		if a[word] {
			common++
		} else if turning(word) {
			return false
		}
	}
	return float64(common) >= sameness*float64(len(a)+len(b)-common)
}

// turning reports whether one word more or less changes what is said.
func turning(word string) bool {
	return negations[word] || strings.HasSuffix(word, "nt") || strings.ContainsFunc(word, unicode.IsDigit)
}

// wordSet is the words of s, stop words included.
func wordSet(s string) map[string]bool {
	set := map[string]bool{}
	for _, token := range text.Words(s) {
		set[token.Term] = true
	}
	return set
}

// trimmed is the span of s without the white space around it.
func trimmed(s string) text.Span {
	start := len(s) - len(strings.TrimLeftFunc(s, unicode.IsSpace))
	return text.Span{Start: start, End: max(start, len(strings.TrimRightFunc(s, unicode.IsSpace)))}
}
