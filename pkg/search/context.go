package search

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/text"
)

// Context is what an agent puts before its next thought: the memories that matter, within a token budget, every line
// with its source.
type Context struct {
	Text      string
	Tokens    int // of Text, by EstimateTokens
	Citations []Citation
	Truncated bool // something relevant did not fit
	Degraded  []string
}

// Citation says that Text[TextStart:TextEnd] is, byte for byte, Content[Start:End] of the memory.
type Citation struct {
	MemoryID  memory.ID `json:"memory_id"`
	Start     int       `json:"start"`
	End       int       `json:"end"`
	TextStart int       `json:"text_start"`
	TextEnd   int       `json:"text_end"`
}

// Bounds of what is packed.
const (
	contextCandidates = 50
	sameThing         = .9 // Jaccard index of terms from which a memory repeats one already taken
)

// Context searches and packs what it finds into at most maxTokens (1..): the most relevant first, near-copies left
// out, then laid out in the order things happened, each line opening with its date and speaker where they are known.
func (s *Service) Context(ctx context.Context, r Request, maxTokens int) (Context, error) {
	r.Limit = contextCandidates
	found, err := s.Search(ctx, r)
	if err != nil {
		return Context{}, err
	}
	packed := Context{Degraded: found.Degraded}
	type piece struct {
		memory *memory.Memory
		prefix string
		end    int // of the content that fits
	}
	var pieces []piece
	var taken []map[string]struct{}
	used := 0
	for i := range found.Results {
		m := &found.Results[i].Memory
		terms := termSet(m.Content)
		if slices.ContainsFunc(taken, func(other map[string]struct{}) bool { return jaccard(terms, other) >= sameThing }) {
			continue
		}
		p := piece{memory: m, prefix: linePrefix(m)}
		p.end = fitting(m.Content, maxTokens-used-EstimateTokens(p.prefix)-lineTokens)
		if p.end < len(m.Content) {
			packed.Truncated = true
		}
		if p.end == 0 {
			continue
		}
		used += EstimateTokens(p.prefix) + EstimateTokens(m.Content[:p.end]) + lineTokens
		pieces = append(pieces, p)
		taken = append(taken, terms)
	}
	slices.SortStableFunc(pieces, func(a, b piece) int {
		return cmp.Or(a.memory.When().Compare(b.memory.When()), cmp.Compare(a.memory.ID, b.memory.ID))
	})
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.prefix)
		start := b.Len()
		b.WriteString(p.memory.Content[:p.end])
		packed.Citations = append(packed.Citations, Citation{MemoryID: p.memory.ID, Start: 0, End: p.end, TextStart: start, TextEnd: b.Len()})
		b.WriteByte('\n')
	}
	packed.Text = b.String()
	packed.Tokens = EstimateTokens(packed.Text)
	return packed, nil
}

// lineTokens pays for the line's end and for what rounding up each part separately may hide.
const lineTokens = 1

func linePrefix(m *memory.Memory) string {
	var parts []string
	if m.OccurredAt != nil {
		parts = append(parts, m.OccurredAt.UTC().Format("2006-01-02 15:04"))
	}
	for _, key := range []string{"name", "speaker", "role"} {
		if who, ok := m.Metadata[key].(string); ok && who != "" && len(who) <= 64 && !strings.ContainsAny(who, "\r\n[]") {
			if !strings.HasPrefix(m.Content, who+":") {
				parts = append(parts, who)
			}
			break
		}
	}
	if len(parts) == 0 {
		return "- "
	}
	return "- [" + strings.Join(parts, ", ") + "] "
}

// fitting returns how many bytes of content fit into the tokens: all of it, or as many whole sentences as do.
func fitting(content string, tokens int) int {
	if EstimateTokens(content) <= tokens {
		return len(content)
	}
	end := 0
	for _, sentence := range text.Sentences(content) {
		if EstimateTokens(content[:sentence.End]) > tokens {
			break
		}
		end = sentence.End
	}
	return end
}

// EstimateTokens guesses the tokens of a text without loading a tokenizer: four ASCII bytes to a token, and a token to
// every other rune. English prose comes out a little high, code and rare words a little low.
func EstimateTokens(s string) int {
	ascii, other := 0, 0
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			ascii++
			i++
			continue
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		other++
		i += size
	}
	return (ascii+3)/4 + other
}

func termSet(content string) map[string]struct{} {
	set := map[string]struct{}{}
	for _, token := range text.Analyze(content) {
		set[token.Term] = struct{}{}
	}
	return set
}
