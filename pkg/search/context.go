package search

import (
	"context"

	"github.com/rae-memory/rae/pkg/memory"
)

// Context is what an agent puts before its next thought: the memories that matter, within a token budget, every line
// with its source.
type Context struct {
	Text      string
	Tokens    int // of Text, as Service.Tokens counts
	Citations []Citation
	Truncated bool // something relevant did not fit
	Degraded  []string
	Blocks    []PlacedBlock  // what Text begins with
	Omitted   []OmittedBlock // blocks that belong there and are not
}

// Citation says that Text[TextStart:TextEnd] is, byte for byte, Content[Start:End] of the memory.
type Citation struct {
	MemoryID  memory.ID `json:"memory_id"`
	Start     int       `json:"start"`
	End       int       `json:"end"`
	TextStart int       `json:"text_start"`
	TextEnd   int       `json:"text_end"`
}

// Tokens tells what a text takes up in a prompt.
type Tokens interface {
	// Count returns how many tokens s is. Of lines, each with its end, the whole is at most the sum.
	Count(s string) int
	// Fits reports whether Count(s) <= limit, in a time that depends on limit alone.
	Fits(s string, limit int) bool
}

// byteTokens is Tokens where none were handed in: no tokenizer makes more tokens of a text than it has bytes.
type byteTokens struct{}

func (byteTokens) Count(s string) int            { return len(s) }
func (byteTokens) Fits(s string, limit int) bool { return len(s) <= limit }

func tokensOr(t Tokens) Tokens {
	if t == nil {
		return byteTokens{}
	}
	return t
}

// contextCandidates is how many memories are packed at most.
const contextCandidates = 100

// Context begins with the blocks of the project, the agent and the user that the filter names, as they are now; then it
// searches and packs what it finds into what is left of maxTokens (1..): the most relevant first, repeats left out, then
// laid out by session in the order things happened. Of a memory that is too long for what is left, the sentences that
// answer best are taken. Speakers are told where they are known, and dates where they are and 100 tokens or more are left.
func (s *Service) Context(ctx context.Context, r Request, maxTokens int) (Context, error) {
	r.Limit = contextCandidates
	opened, unopened := s.open(ctx, &r, maxTokens)
	found, err := s.Search(ctx, r)
	if err != nil {
		return Context{}, err
	}
	p := newPacker(s.Tokens, r.Query, maxTokens, opened)
	for i := range found.Results {
		p.offer(&found.Results[i].Memory)
	}
	packed := p.packed()
	packed.Degraded = found.Degraded
	if unopened != nil {
		packed.Degraded = append([]string{"blocks"}, packed.Degraded...)
	}
	return packed, nil
}
