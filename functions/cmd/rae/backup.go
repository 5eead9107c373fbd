package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae/pkg/backup"
	"github.com/rae-memory/rae/pkg/serve"
)

func (p *program) backup() *cobra.Command {
	var out, dir, store string
	var keep int
	c := &cobra.Command{
		Use:   "backup {--out FILE | --dir FOLDER [--keep N]}",
		Short: "Write everything the store keeps into an archive",
		Long: `backup writes every row of every tenant, or of the one that --tenant names, into a compressed archive: memories with
their history and vectors, blocks, the feed, events that wait, budgets and costs, reflections, jobs. Each tenant is told as it
stood at one moment; nobody waits for that. Everything is hashed, and read again before the file gets its name.

The file can be read by its owner only: it holds all the store knows. Keep it where you would keep the store.

An interrupted backup leaves FILE.partial; the same command goes on after the last tenant that is whole in it.

With --dir the file gets a name of its own in the folder, of the time it was begun: rae-20261123T021700Z.backup. --keep
removes the oldest files of such names, once the new one is whole, until so many are left. One that was interrupted is gone
on with if it was begun within a day.

` + storeHelp + "\n\n" + environment(),
		Example: `  rae backup --out rae-2026-11-23.backup
  rae backup --out acme.backup --tenant acme
  rae backup --out all.backup --store "$DATABASE_URL" --json
  rae backup --dir /var/backups/rae --keep 7`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case (out == "") == (dir == ""):
				return usagef("either --out, the file to write, or --dir, the folder to write it to, is required")
			case keep < 0 || keep > 0 && dir == "":
				return usagef("--keep says how many files of --dir are left: 1 or more")
			case dir == "":
				return p.doBackup(c.Context(), store, out, p.only(c))
			}
			out, err := nextIn(dir, time.Now())
			if err != nil {
				return err
			}
			if err := p.doBackup(c.Context(), store, out, p.only(c)); err != nil || keep == 0 {
				return err
			}
			return keepNewest(dir, keep)
		},
	}
	c.Flags().StringVar(&out, "out", "", "file to write")
	c.Flags().StringVar(&dir, "dir", "", "folder to write a file of its own name to")
	c.Flags().IntVar(&keep, "keep", 0, "how many files of --dir are left (0: all)")
	c.Flags().StringVar(&store, "store", "", "store to back up (default: the one the environment names)")
	return c
}

// Names of files in a folder of backups. They sort by time.
const (
	backupName  = "rae-20060102T150405Z.backup"
	partialName = backupName + ".partial"
)

// nextIn is the file in the folder that a backup writes which is begun now: a new one, or one that was interrupted less than
// a day ago.
func nextIn(dir string, now time.Time) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fileFault(err, "read", dir)
	}
	name := now.UTC().Format(backupName)
	for _, e := range slices.Backward(entries) {
		begun, err := time.Parse(partialName, e.Name())
		if err == nil && now.Sub(begun) < 24*time.Hour {
			name = begun.Format(backupName)
			break
		}
	}
	return filepath.Join(dir, name), nil
}

// keepNewest removes backups of the folder, and what is left of interrupted ones that are older, until so many are left.
func keepNewest(dir string, most int) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fileFault(err, "read", dir)
	}
	kept := 0
	for _, e := range slices.Backward(entries) {
		_, whole := time.Parse(backupName, e.Name())
		_, partial := time.Parse(partialName, e.Name())
		switch {
		case whole != nil && partial != nil:
			continue
		case whole == nil && kept < most:
			kept++
			continue
		case whole != nil && kept == 0: // begun after the newest: somebody is at it
			continue
		}
		path := filepath.Join(dir, e.Name())
		if err := os.Remove(path); err != nil {
			return fileFault(err, "remove", path)
		}
	}
	return nil
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
