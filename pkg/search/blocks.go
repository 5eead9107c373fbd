package search

import (
	"context"
	"strings"

	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/memory"
)

// Blocks has the texts that a context begins with; block.Store is one.
type Blocks interface {
	// Standing returns the blocks of the project, and those of the agent, the user and the agent about the user that are
	// named, in any order.
	Standing(ctx context.Context, scope memory.Scope, of block.Owner) ([]block.Block, error)
}

// BlockRef names a block in one version.
type BlockRef struct {
	Name    string `json:"name"`
	AgentID string `json:"agent_id,omitempty"`
	UserID  string `json:"user_id,omitempty"`
	Version int    `json:"version"`
}

// PlacedBlock says that Text[TextStart:TextEnd] is the block, with its heading.
type PlacedBlock struct {
	BlockRef
	TextStart int `json:"text_start"`
	TextEnd   int `json:"text_end"`
}

// Reasons why a block is not in a context.
const (
	NoRoom   = "room"     // it does not fit into what the blocks before have left of the tokens
	OfBefore = "known_at" // the request asks what was known then, and blocks are told as they are now
)

// OmittedBlock is one that belongs into a context and is not in it.
type OmittedBlock struct {
	BlockRef
	Reason string `json:"reason" enum:"room,known_at"`
}

// opening is what stands before the memories.
type opening struct {
	text    string
	placed  []PlacedBlock
	omitted []OmittedBlock
}

// boundary is the line between blocks and memories. All lines of a block but its heading are indented, so the first one
// of a text is always this package's own.
const boundary = "---\n"

// open reads the request's blocks and lays out those for which there is room, each whole: half an instruction may say the
// opposite. One that is empty takes no place.
func (s *Service) open(ctx context.Context, r *Request, maxTokens int) (o opening, err error) {
	if s.Blocks == nil || r.NoBlocks {
		return o, nil
	}
	var blocks []block.Block
	err = s.stage(ctx, "blocks", func(ctx context.Context) (err error) {
		blocks, err = s.Blocks.Standing(ctx, r.Scope, block.Owner{AgentID: r.Filter.AgentID, UserID: r.Filter.UserID})
		return err
	})
	if err != nil {
		return o, err
	}
	block.Arrange(blocks)
	var text strings.Builder
	tokens, room := tokensOr(s.Tokens), maxTokens
	for i := range blocks {
		b := &blocks[i]
		ref := BlockRef{Name: b.Name, AgentID: b.AgentID, UserID: b.UserID, Version: b.Version}
		laid := layOutBlock(b)
		switch {
		case laid == "":
		case r.View.KnownAt != nil:
			o.omitted = append(o.omitted, OmittedBlock{ref, OfBefore})
		case !tokens.Fits(laid, room):
			o.omitted = append(o.omitted, OmittedBlock{ref, NoRoom})
		default:
			room -= tokens.Count(laid)
			o.placed = append(o.placed, PlacedBlock{ref, text.Len(), text.Len() + len(laid)})
			text.WriteString(laid)
		}
	}
	o.text = text.String()
	for len(o.placed) > 0 && !tokens.Fits(o.text, maxTokens) { // should the whole come out longer than its parts
		last := o.placed[len(o.placed)-1]
		o.placed, o.text = o.placed[:len(o.placed)-1], o.text[:last.TextStart]
		o.omitted = append(o.omitted, OmittedBlock{last.BlockRef, NoRoom})
	}
	return o, nil
}

// layOutBlock is a block as a context has it: its name and whose it is in a heading, then its lines, indented, without blank
// ones. No line of a content begins where a heading, a memory or the boundary does, so none can be taken for one. "" where
// there are no lines.
func layOutBlock(b *block.Block) string {
	var lines strings.Builder
	for line := range strings.FieldsFuncSeq(b.Content, lineBreak) {
		if strings.TrimSpace(line) != "" {
			lines.WriteString("  " + line + "\n")
		}
	}
	if lines.Len() == 0 {
		return ""
	}
	heading := "# " + b.Name
	switch {
	case b.AgentID != "" && b.UserID != "":
		heading += " (agent, user)"
	case b.AgentID != "":
		heading += " (agent)"
	case b.UserID != "":
		heading += " (user)"
	}
	return heading + "\n" + lines.String()
}

// lineBreak reports whether anybody takes the rune for the end of a line.
func lineBreak(r rune) bool {
	return r >= '\n' && r <= '\r' || r >= 0x1C && r <= 0x1E || r == 0x85 || r == 0x2028 || r == 0x2029
}
