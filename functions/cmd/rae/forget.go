package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/reflection"
)

// hand is who forgets where the command line does.
const hand = "rae forget"

func (p *program) forget() *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use:   "forget {--dry-run | run | undo RUN | policy}",
		Short: "Archive and delete by the project's policies, and bring back",
		Long: `forget --dry-run tells what the project's policies would archive and delete now, and changes nothing. They are set over
HTTP (PUT /v1/forgetting), and the clock of a server goes by them once a day.

` + environment(),
		Example: `  rae forget --dry-run
  rae forget run
  rae forget undo 01912d68-783e-7a39-8b0d-1f3c5f9a7e21`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !dry {
				return usagef("--dry-run, run, undo or policy is required")
			}
			return p.with(c.Context(), func(engine *rae.Engine) error {
				told, err := engine.Reflections.RehearseForgetting(c.Context(), p.scope())
				if err != nil {
					return err
				}
				return p.tellRehearsal(&told)
			})
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "tell what would go, and change nothing")
	c.AddCommand(
		p.forgets("run", "Forget by the project's policies now", "rae forget run --project travel", cobra.NoArgs,
			func(ctx context.Context, r *reflection.Service, _ []string) (reflection.Reflection, error) {
				return r.StartForgetting(ctx, p.scope(), hand, memory.Key{})
			}),
		p.forgets("undo RUN", "Bring back what a run archived", "rae forget undo 01912d68-783e-7a39-8b0d-1f3c5f9a7e21", cobra.ExactArgs(1),
			func(ctx context.Context, r *reflection.Service, args []string) (reflection.Reflection, error) {
				id, ok := memory.ParseID(args[0])
				if !ok {
					return reflection.Reflection{}, usagef("%q must be the id of a run", args[0])
				}
				return r.Undo(ctx, p.scope(), id, hand, memory.Key{})
			}),
		p.forgetPolicy())
	return c
}

// forgets is a command that starts a run and works on it to its end.
func (p *program) forgets(use, short, example string, args cobra.PositionalArgs, start func(context.Context, *reflection.Service, []string) (reflection.Reflection, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: short + ".\n\n" + environment(), Example: "  " + example, Args: args,
		RunE: func(c *cobra.Command, args []string) error {
			return p.with(c.Context(), func(engine *rae.Engine) error {
				r, err := start(c.Context(), engine.Reflections, args)
				if err != nil {
					return err
				}
				if r, err = engine.Reflections.Run(c.Context(), p.scope(), r.ID); err != nil {
					return err
				}
				if r.Status != reflection.Succeeded || r.Forgetting == nil {
					return fault.New(fault.Internal, "run %s is %s: %s", r.ID, r.Status, r.Error)
				}
				if p.json {
					return p.printJSON(r)
				}
				f := r.Forgetting
				_, err = fmt.Fprintf(p.stdout, "run %s: looked at %d, archived %d, deleted %d, brought back %d\n", r.ID, f.Looked, f.Archived, f.Deleted, f.Restored)
				return err
			})
		},
	}
}

func (p *program) forgetPolicy() *cobra.Command {
	return &cobra.Command{
		Use: "policy", Short: "Show how the project forgets", Long: "policy shows what becomes of each layer.\n\n" + environment(),
		Example: "  rae forget policy --json", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.with(c.Context(), func(engine *rae.Engine) error {
				policies, err := engine.Reflections.Policies(c.Context(), p.scope())
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(policies)
				}
				table := p.table()
				fmt.Fprintln(table, "layer\tmode\tafter\tbelow\tkeeps\tused within")
				for _, one := range policies.Policies {
					below := "-"
					if one.BelowImportance != nil {
						below = fmt.Sprintf("%g", *one.BelowImportance)
					}
					fmt.Fprintf(table, "%s\t%s\t%d d\t%s\t%q\t%d d\n", one.Layer, one.Mode, one.AfterDays, below, one.KeepTags, one.KeepUsedWithinDays)
				}
				return table.Flush()
			})
		},
	}
}

func (p *program) tellRehearsal(told *reflection.Rehearsal) error {
	if p.json {
		return p.printJSON(told)
	}
	whole := ""
	if !told.Whole {
		whole = ", and there was no time for more"
	}
	fmt.Fprintf(p.stdout, "of %d memories looked at, %d would be archived and %d deleted%s\n", told.Looked, told.Archive, told.Delete, whole)
	table := p.table()
	for _, one := range told.First {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", one.Action, one.MemoryID, one.Layer, printable(one.Reason))
	}
	return table.Flush()
}
