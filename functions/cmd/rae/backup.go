package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae/pkg/backup"
	"github.com/rae-memory/rae/pkg/serve"
)

func (p *program) backup() *cobra.Command {
	var out, store string
	c := &cobra.Command{
		Use:   "backup --out FILE",
		Short: "Write everything the store keeps into an archive",
		Long: `backup writes every row of every tenant, or of the one that --tenant names, into a compressed archive: memories with
their history and vectors, blocks, the feed, events that wait, budgets and costs, reflections, jobs. Each tenant is told as it
stood at one moment; nobody waits for that. Everything is hashed, and read again before the file gets its name.

The file can be read by its owner only: it holds all the store knows. Keep it where you would keep the store.

An interrupted backup leaves FILE.partial; the same command goes on after the last tenant that is whole in it.

` + storeHelp + "\n\n" + environment(),
		Example: `  rae backup --out rae-2026-11-23.backup
  rae backup --out acme.backup --tenant acme
  rae backup --out all.backup --store "$DATABASE_URL" --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if out == "" {
				return usagef("--out is required: the file to write")
			}
			return p.doBackup(c.Context(), store, out, p.only(c))
		},
	}
	c.Flags().StringVar(&out, "out", "", "file to write")
	c.Flags().StringVar(&store, "store", "", "store to back up (default: the one the environment names)")
	return c
}

// only is the tenant the command line names, "" when it names none: then it is about all of them.
func (p *program) only(c *cobra.Command) string {
	if c.Flags().Changed("tenant") {
		return p.tenant
	}
	return ""
}

// backedUp is what --json prints.
type backedUp struct {
	File   string `json:"file"`
	Bytes  int64  `json:"bytes"`
	Rows   int64  `json:"rows"`
	TookMS int64  `json:"took_ms"`
	backup.Summary
}

func (p *program) doBackup(ctx context.Context, named, out, tenant string) error {
	from, err := p.existing("store", named)
	if err != nil {
		return err
	}
	began := time.Now()
	meter := p.byCount("backup", "rows", 0)
	header := backup.Header{
		Format: backup.Format, Program: serve.Version(), At: began.UTC().Truncate(time.Second), Store: from.kind, Source: from.id(), Tenant: tenant,
	}
	sum, err := backup.Write(ctx, from, out, header, func() { meter.add(1) })
	meter.finish()
	if err := errors.Join(err, from.close()); err != nil {
		return err
	}
	info, err := os.Stat(out)
	if err != nil {
		return fileFault(err, "read", out)
	}
	took := time.Since(began)
	if p.json {
		return p.printJSON(backedUp{out, info.Size(), sum.Count(), took.Milliseconds(), sum})
	}
	_, err = fmt.Fprintf(p.stdout, "%s with %s written to %s (%s, %.1f s)\n", counted(len(sum.Tenants), "tenant", "tenants"),
		counted(int(sum.Count()), "row", "rows"), out, size(info.Size()), took.Seconds())
	return err
}
