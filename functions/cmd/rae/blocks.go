package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/memory"
)

func (p *program) blocks() *cobra.Command {
	c := &cobra.Command{
		Use:   "blocks",
		Short: "Keep the texts that every context begins with",
		Long: `blocks shows and changes small named texts: a persona, instructions, what is known of a user, the task at hand. Each belongs
to the project, or with --agent, --user or both to an agent, a user, or an agent about a user. Every change is a version
that can be undone.

` + environment(),
		Example: `  rae blocks set persona "You are the support desk. Be brief."
  rae blocks edit facts --user u-7 --append "Prefers tea."
  rae blocks undo facts --user u-7`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(p.blocksList(), p.blocksGet(), p.blocksSet(), p.blocksEdit(), p.blocksHistory(), p.blocksUndo(), p.blocksDelete())
	return c
}

// owner is whose block a command is about, as flags say it.
type owner struct{ block.Owner }

func (o *owner) flags(f *pflag.FlagSet) {
	f.StringVar(&o.AgentID, "agent", "", "the agent it belongs to")
	f.StringVar(&o.UserID, "user", "", "the user it belongs to")
}

func (o *owner) ref(args []string) block.Ref { return block.Ref{Owner: o.Owner, Name: args[0]} }

// change is how sure whoever changes a block is, and why, as flags say it.
type change struct {
	owner
	version int
	reason  string
}

func (ch *change) flags(f *pflag.FlagSet) {
	ch.owner.flags(f)
	f.IntVar(&ch.version, "version", 0, "change only this version (0: whatever stands)")
	f.StringVar(&ch.reason, "reason", "", "why it is changed; the history shows it")
}

func (ch *change) request() (block.Request, error) {
	if ch.version < 0 {
		return block.Request{}, usagef("--version %d must be 0 or a version", ch.version)
	}
	return block.Request{Why: memory.Why{Actor: "rae blocks", Reason: ch.reason}, Expected: ch.version}, nil
}

// blockCommand is a command about one block.
func (p *program) blockCommand(use, short, long, example string, flags func(*pflag.FlagSet), most int, do func(context.Context, *block.Service, []string) error) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Long: long + "\n\n" + environment(), Example: example, Args: needs("NAME", 1, most),
		RunE: func(c *cobra.Command, args []string) error {
			return p.with(c.Context(), func(engine *rae.Engine) error { return do(c.Context(), engine.Blocks, args) })
		},
	}
	flags(c.Flags())
	return c
}

func (p *program) blocksList() *cobra.Command {
	var of owner
	c := &cobra.Command{
		Use:   "list",
		Short: "List blocks",
		Long:  "list prints the blocks of the project, whoever they belong to, or those of an agent or a user.\n\n" + environment(),
		Example: `  rae blocks list
  rae blocks list --user u-7 --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.with(c.Context(), func(engine *rae.Engine) error {
				all := []block.Block{}
				for q := (block.Query{Owner: of.Owner, Limit: block.MaxPage}); ; {
					page, next, err := engine.Blocks.List(c.Context(), p.scope(), q)
					if err != nil {
						return err
					}
					if all = append(all, page...); next == nil {
						break
					}
					q.After = *next
				}
				return p.tellBlocks(all)
			})
		},
	}
	of.flags(c.Flags())
	return c
}

func (p *program) tellBlocks(blocks []block.Block) error {
	if p.json {
		return p.printJSON(map[string]any{"blocks": blocks})
	}
	table := p.table()
	fmt.Fprintln(table, "name\tagent\tuser\tversion\tcharacters\ttext")
	for i := range blocks {
		b := &blocks[i]
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d of %d\t%s\n", b.Name, printable(b.AgentID), printable(b.UserID), b.Version, runes(b.Content), b.Limit,
			first(b.Content))
	}
	return table.Flush()
}

// first is the beginning of a text, for one column of a table.
func first(text string) string {
	if lines := wrapped(text, 48, 1); len(lines) > 0 {
		return lines[0]
	}
	return ""
}

func (p *program) blocksGet() *cobra.Command {
	var of owner
	return p.blockCommand("get NAME", "Print a block", "get prints the text of a block, and with --json all of it.",
		`  rae blocks get persona
  rae blocks get facts --user u-7 --json`, of.flags, 1, func(ctx context.Context, blocks *block.Service, args []string) error {
			b, err := blocks.Get(ctx, p.scope(), of.ref(args))
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(b)
			}
			return p.tellText(b.Content)
		})
}

// tellText prints a text as it is, or, to a person, without what would move the cursor.
func (p *program) tellText(text string) error {
	if isTerminal(p.stdout) {
		lines := strings.Split(text, "\n")
		for i := range lines {
			lines[i] = printable(lines[i])
		}
		text = strings.Join(lines, "\n")
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	_, err := fmt.Fprint(p.stdout, text)
	return err
}

func (p *program) blocksSet() *cobra.Command {
	var ch change
	var description string
	var limit, position int
	var readOnly bool
	var c *cobra.Command
	c = p.blockCommand("set NAME [TEXT]", "Make or change a block",
		`set gives a block its text, or with - what standard input says, and what the flags say. What is not given stays as it is. The
text of a read-only block changes only where --read-only is given, whichever way.`,
		`  rae blocks set persona "You are the support desk. Be brief." --description "Who the agent is."
  rae blocks set rules - --read-only < rules.txt
  rae blocks set rules --position 1`, func(f *pflag.FlagSet) {
			ch.flags(f)
			f.StringVar(&description, "description", "", "what it is for")
			f.IntVar(&limit, "limit", block.DefaultLimit, fmt.Sprint("characters its text may have, 1 to ", block.MaxLimit))
			f.IntVar(&position, "position", 0, fmt.Sprint("its place among its owner's blocks, 0 to ", block.MaxPosition))
			f.BoolVar(&readOnly, "read-only", false, "nobody changes its text in passing")
		}, 2, func(ctx context.Context, blocks *block.Service, args []string) error {
			r, err := ch.request()
			if err != nil {
				return err
			}
			var s block.Settings
			if len(args) == 2 {
				text := args[1]
				if text == "-" {
					if text, err = p.readText(); err != nil {
						return err
					}
				}
				s.Content = &text
			}
			for flag, take := range map[string]func(){
				"description": func() { s.Description = &description }, "limit": func() { s.Limit = &limit },
				"position": func() { s.Position = &position }, "read-only": func() { s.ReadOnly = &readOnly },
			} {
				if c.Flags().Changed(flag) {
					take()
				}
			}
			b, err := blocks.Put(ctx, p.scope(), ch.ref(args), s, r)
			return p.tellChange(&b, err)
		})
	return c
}

// readText reads standard input, as much as a block may have.
func (p *program) readText() (string, error) {
	const most = 4 * block.MaxLimit // bytes
	b, err := io.ReadAll(io.LimitReader(p.stdin, most+1))
	if len(b) > most {
		return "", usagef("standard input is more than a block may have, %s characters", thousands(block.MaxLimit))
	}
	return strings.TrimSuffix(string(b), "\n"), err
}

// tellChange says what became of a change.
func (p *program) tellChange(b *block.Changed, err error) error {
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(b.Version)
	}
	said := map[block.Change]string{
		block.Created: "made", block.Updated: "changed", block.Deleted: "deleted; rae blocks undo brings it back",
		block.Restored: "brought back from version " + strconv.Itoa(b.Restored),
	}[b.Change]
	if !b.Fresh {
		said = "nothing new"
	}
	_, err = fmt.Fprintf(p.stdout, "%s, version %d: %s\n", b.Name, b.Block.Version, said)
	return err
}

func (p *program) blocksEdit() *cobra.Command {
	var ch change
	var line, old, with string
	var c *cobra.Command
	c = p.blockCommand("edit NAME", "Edit a part of a block's text",
		"edit appends a line, or exchanges a passage that stands in the text exactly once for another.",
		`  rae blocks edit facts --user u-7 --append "Prefers tea."
  rae blocks edit facts --user u-7 --replace "Prefers tea." --with "Prefers coffee."`, func(f *pflag.FlagSet) {
			ch.flags(f)
			f.StringVar(&line, "append", "", "put at the end, on a line of its own")
			f.StringVar(&old, "replace", "", "the passage to exchange, letter for letter")
			f.StringVar(&with, "with", "", "what to put in its place; empty takes it out")
		}, 1, func(ctx context.Context, blocks *block.Service, args []string) error {
			r, err := ch.request()
			if err != nil {
				return err
			}
			given := c.Flags().Changed
			if given("append") == given("replace") || given("with") && !given("replace") {
				return usagef("exactly one of --append and --replace is needed, and --with with --replace alone")
			}
			e := block.Edit{Append: &line}
			if given("replace") {
				e = block.Edit{Replace: &block.Replacement{Old: old, New: with}}
			}
			b, err := blocks.Edit(ctx, p.scope(), ch.ref(args), e, r)
			return p.tellChange(&b, err)
		})
	return c
}

func (p *program) blocksHistory() *cobra.Command {
	var of owner
	return p.blockCommand("history NAME", "List the versions of a block", "history prints the last 100 versions, newest first, of a deleted block, too.",
		`  rae blocks history persona
  rae blocks history facts --user u-7 --json`, of.flags, 1, func(ctx context.Context, blocks *block.Service, args []string) error {
			versions, _, err := blocks.History(ctx, p.scope(), of.ref(args), 0, block.KeptVersions)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(map[string]any{"versions": versions})
			}
			table := p.table()
			fmt.Fprintln(table, "version\tchange\twhen\twho\twhy\ttext")
			for i := range versions {
				v := &versions[i]
				said := string(v.Change)
				if v.Restored != 0 {
					said += " " + strconv.Itoa(v.Restored)
				}
				fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\n", v.Block.Version, said, v.UpdatedAt.Format("2006-01-02 15:04"), printable(v.Actor),
					printable(v.Reason), first(v.Content))
			}
			return table.Flush()
		})
}

func (p *program) blocksUndo() *cobra.Command {
	var ch change
	var to int
	return p.blockCommand("undo NAME", "Bring back what a block said before",
		"undo writes what the block said before its last change as a new version; repeated it goes further back.",
		`  rae blocks undo persona
  rae blocks undo persona --to 3`, func(f *pflag.FlagSet) {
			ch.flags(f)
			f.IntVar(&to, "to", 0, "the version to bring back (0: the one before)")
		}, 1, func(ctx context.Context, blocks *block.Service, args []string) error {
			r, err := ch.request()
			if err != nil {
				return err
			}
			if to < 0 {
				return usagef("--to %d must be 0 or a version", to)
			}
			b, err := blocks.Undo(ctx, p.scope(), ch.ref(args), to, r)
			return p.tellChange(&b, err)
		})
}

func (p *program) blocksDelete() *cobra.Command {
	var ch change
	var erase bool
	return p.blockCommand("delete NAME", "Delete a block", "delete takes a block out of every context. Its versions are kept for an undo, unless --erase is given.",
		`  rae blocks delete task
  rae blocks delete facts --user u-7 --erase`, func(f *pflag.FlagSet) {
			ch.flags(f)
			f.BoolVar(&erase, "erase", false, "remove every version, too; it cannot be undone")
		}, 1, func(ctx context.Context, blocks *block.Service, args []string) error {
			r, err := ch.request()
			if err != nil {
				return err
			}
			if !erase {
				b, err := blocks.Delete(ctx, p.scope(), ch.ref(args), r)
				return p.tellChange(&b, err)
			}
			if err := blocks.Erase(ctx, p.scope(), ch.ref(args), r); err != nil {
				return err
			}
			if p.json {
				return p.printJSON(map[string]any{"name": args[0], "change": block.Erased})
			}
			_, err = fmt.Fprintf(p.stdout, "%s: erased with every version\n", args[0])
			return err
		})
}
