package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae/pkg/backup"
)

func (p *program) restore() *cobra.Command {
	var store string
	var replace, verify bool
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put what an archive holds into the store",
		Long: `restore puts every tenant of the archive, or the one that --tenant names, into the store, whatever kind of store the
archive was made of. The whole archive is read and checked first: one that was cut off or altered is refused, with the
line and the tenant, before anything is written. With --verify-only that is all.

A tenant of whom the store has rows is refused; --replace erases them first. An interrupted restore goes on where it
was when the same command is given again; until then, backups refuse the tenant and its feed has not begun. Nobody
should write to a tenant that is being restored: restore fails rather than mix the two.

` + storeHelp + "\n\n" + environment(),
		Example: `  rae restore rae-2026-11-23.backup --verify-only
  rae restore rae-2026-11-23.backup --data /var/lib/rae
  rae restore all.backup --tenant acme --replace --store "$DATABASE_URL"`,
		Args: needs("FILE", 1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if verify {
				return p.doCheck(c.Context(), args[0])
			}
			return p.doRestore(c.Context(), args[0], store, p.only(c), replace)
		},
	}
	c.Flags().StringVar(&store, "store", "", "store to restore into (default: the one the environment names)")
	c.Flags().BoolVar(&replace, "replace", false, "erase what the store has of a tenant that is restored")
	c.Flags().BoolVar(&verify, "verify-only", false, "check the archive and write nothing")
	return c
}

// checked is what --json prints of an archive that was only checked.
type checked struct {
	File string `json:"file"`
	Rows int64  `json:"rows"`
	backup.Summary
}

func (p *program) doCheck(ctx context.Context, name string) error {
	file, total, err := p.archive(name)
	if err != nil {
		return err
	}
	meter := p.byBytes("verify", "rows", total)
	sum, err := backup.Read(&metered{ended: ctx.Done(), r: file, meter: meter}, nil)
	meter.finish()
	if err := errors.Join(err, file.Close()); err != nil {
		return archiveFault(name, err)
	}
	if p.json {
		return p.printJSON(checked{name, sum.Count(), sum})
	}
	_, err = fmt.Fprintf(p.stdout, "%s is whole: %s with %s, written %s by rae %s from %s\n", name, counted(len(sum.Tenants), "tenant", "tenants"),
		counted(int(sum.Count()), "row", "rows"), sum.Header.At.Format(time.RFC3339), printable(sum.Header.Program), printable(sum.Header.Store))
	return err
}

func (p *program) archive(name string) (*os.File, int64, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, fileFault(err, "read", name)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(fileFault(err, "read", name), file.Close())
	}
	return file, info.Size(), nil
}

// restored is what --json prints.
type restored struct {
	Tenants []backup.Outcome `json:"tenants"`
	Rows    int64            `json:"rows"`
	TookMS  int64            `json:"took_ms"`
}

func (p *program) doRestore(ctx context.Context, name, named, tenant string, replace bool) error {
	file, total, err := p.archive(name)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	into, err := p.ready(ctx, "store", named)
	if err != nil {
		return err
	}
	began := time.Now()
	meter := p.byBytes("restore", "rows", 2*total) // it is read twice
	rows := 0
	restorer := backup.Restorer{Into: into, Replace: replace, Seen: func() {
		rows++
		meter.counts(rows)
	}}
	done, err := restorer.Restore(ctx, &meteredFile{file, meter}, tenant)
	meter.finish()
	if err := errors.Join(archiveFault(name, err), into.close()); err != nil {
		return refused(err, replace)
	}
	return p.tellRestored(done, into.name, time.Since(began))
}

// refused adds to the refusal of a tenant that has rows what can be done.
func refused(err error, replace bool) error {
	var f *backup.StandsError
	if errors.As(err, &f) && !replace {
		return fmt.Errorf("%w; --replace erases them first", err)
	}
	return err
}

func (p *program) tellRestored(done []backup.Outcome, into string, took time.Duration) error {
	told := restored{Tenants: done, TookMS: took.Milliseconds()}
	stood := 0
	for i := range done {
		told.Rows += done[i].Count()
		if done[i].Stood {
			stood++
		}
	}
	if p.json {
		return p.printJSON(told)
	}
	already := ""
	if stood > 0 {
		already = fmt.Sprintf(", %s of them before", thousands(stood))
	}
	_, err := fmt.Fprintf(p.stdout, "%s with %s restored into %s%s (%.1f s)\n", counted(len(done), "tenant", "tenants"),
		counted(int(told.Rows), "row", "rows"), printable(into), already, took.Seconds())
	return err
}

// meteredFile counts what is read of a file, also what is read again.
type meteredFile struct {
	io.ReadSeeker
	meter *meter
}

func (m *meteredFile) Read(b []byte) (int, error) {
	n, err := m.ReadSeeker.Read(b)
	m.meter.add(int64(n))
	return n, err
}
