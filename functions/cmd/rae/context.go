package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/search"
)

func (p *program) context() *cobra.Command {
	var q question
	var maxTokens int
	var noBlocks bool
	c := &cobra.Command{
		Use:   "context QUERY",
		Short: "Pack what matters into a token budget",
		Long: `context prints the blocks of the project, and of the agent and the user that are named, and the memories that matter for a
query, as one text for a prompt: blocks first, then memories in the order things happened. It is never longer than
--max-tokens, counted as the tokenizers of OpenAI's models do. With --json every memory is cited.

` + environment(),
		Example: `  rae context --max-tokens 500 "Book a flight for Alice"
  rae context --session support-4711 --json "What is still open?"`,
		Args: needs("QUERY", 1, -1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := q.request(p, strings.Join(args, " "))
			if err != nil {
				return err
			}
			if maxTokens < 1 || maxTokens > 200000 {
				return usagef("--max-tokens %d must be 1 to 200000", maxTokens)
			}
			r.NoBlocks = noBlocks
			return p.doContext(c.Context(), r, maxTokens)
		},
	}
	q.register(c)
	c.Flags().IntVar(&maxTokens, "max-tokens", 2000, "what the text may take up (1 to 200000)")
	c.Flags().BoolVar(&noBlocks, "no-blocks", false, "leave out the blocks")
	return c
}

// packed is what --json prints; it is the API's answer.
type packed struct {
	Text      string                `json:"text"`
	Tokens    int                   `json:"tokens"`
	Blocks    []search.PlacedBlock  `json:"blocks"`
	Omitted   []search.OmittedBlock `json:"blocks_omitted"`
	Citations []search.Citation     `json:"citations"`
	Truncated bool                  `json:"truncated"`
	Degraded  []string              `json:"degraded"`
}

func (p *program) doContext(ctx context.Context, r search.Request, maxTokens int) error {
	return p.with(ctx, func(engine *rae.Engine) error {
		found, err := engine.Search.Context(ctx, r, maxTokens)
		if err != nil {
			return err
		}
		if p.json {
			return p.printJSON(packed{
				Text: found.Text, Tokens: found.Tokens, Citations: append([]search.Citation{}, found.Citations...),
				Truncated: found.Truncated, Degraded: append([]string{}, found.Degraded...),
				Blocks: append([]search.PlacedBlock{}, found.Blocks...), Omitted: append([]search.OmittedBlock{}, found.Omitted...),
			})
		}
		p.tellDegraded(found.Degraded)
		if !p.quiet {
			from, note := counted(memories(found.Citations), "memory", "memories"), ""
			if n := len(found.Blocks); n > 0 {
				from = counted(n, "block", "blocks") + " and " + from
			}
			if found.Truncated {
				note = "; more did not fit"
			}
			fmt.Fprintf(p.stderr, "rae: %s of %d tokens from %s%s\n", thousands(found.Tokens), maxTokens, from, note)
			for _, b := range found.Omitted {
				fmt.Fprintf(p.stderr, "rae: block %s is left out: %s\n", b.Name, omitted[b.Reason])
			}
		}
		return p.tellText(found.Text)
	})
}

// omitted says for people why a block is not in a context.
var omitted = map[string]string{
	search.NoRoom: "it does not fit", search.OfBefore: "blocks are told as they are now, not as they were known before",
}

// memories counts the memories that are cited.
func memories(citations []search.Citation) int {
	cited := map[string]bool{}
	for _, c := range citations {
		cited[string(c.MemoryID)] = true
	}
	return len(cited)
}
