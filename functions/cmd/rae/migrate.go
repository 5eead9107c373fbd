package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae/pkg/backup"
	"github.com/rae-memory/rae/pkg/sqlite"
)

func (p *program) migrate() *cobra.Command {
	var from, to string
	var replace bool
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Create the embedded store or update its schema; or move everything to another store",
		Long: `migrate makes the file of the embedded store where there is none, applies the migrations it lacks, and prints its
schema version. Every other command does the same when it first needs the store; this one lets you do it by itself.

With --from and --to it puts everything one store keeps of every tenant, or of the one that --tenant names, into
another, of whatever kind, and compares the hashes of both. The schema of the other is made first. Stop what writes to
either: a tenant that changes while it is moved is an error, and nothing is mixed. An interrupted migration goes on
where it was when the same command is given again. The old store is only read.

` + storeHelp + "\n\n" + environment(),
		Example: `  rae migrate
  rae migrate --data /var/lib/rae --json
  rae migrate --from sqlite:./data/rae.db --to "$DATABASE_URL"`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case from == "" && to == "" && !replace:
				return p.doMigrate(c.Context())
			case from == "" || to == "":
				return usagef("--from and --to belong together: from which store to which")
			}
			return p.doMove(c.Context(), from, to, p.only(c), replace)
		},
	}
	c.Flags().StringVar(&from, "from", "", "store to read")
	c.Flags().StringVar(&to, "to", "", "store to write to")
	c.Flags().BoolVar(&replace, "replace", false, "erase what the other store has of a tenant that is moved")
	return c
}

// doMigrate brings the schema of the embedded store up to date.
func (p *program) doMigrate(ctx context.Context) error {
	cfg, err := p.settings()
	if err != nil {
		return err
	}
	if cfg.Store.Store != "sqlite" {
		return usagef("RAE_STORE=%s has no schema to migrate", cfg.Store.Store)
	}
	if err := writable(cfg.Store.DataDir); err != nil {
		return err
	}
	file := filepath.Join(cfg.Store.DataDir, "rae.db")
	db := sqlite.Open(file, sqlite.Options{})
	defer db.Close() //nolint:errcheck // nothing was written that Schema has not seen committed
	version, err := db.Schema(ctx)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(map[string]any{"store": cfg.Store.Store, "file": file, "schema_version": version})
	}
	_, err = fmt.Fprintf(p.stdout, "%s has schema version %d\n", file, version)
	return err
}

// doMove puts what one store keeps into another.
func (p *program) doMove(ctx context.Context, from, to, tenant string, replace bool) error {
	source, err := p.existing("from", from)
	if err != nil {
		return err
	}
	defer source.close() //nolint:errcheck // it was only read
	target, err := p.ready(ctx, "to", to)
	if err != nil {
		return err
	}
	if source.id() == target.id() {
		return errors.Join(usagef("--from and --to are the same store"), target.close())
	}
	began := time.Now()
	meter := p.byCount("migrate", "rows", 0)
	restorer := backup.Restorer{Into: target, Replace: replace, Seen: func() { meter.add(1) }}
	done, err := restorer.Copy(ctx, source, tenant)
	meter.finish()
	if err := errors.Join(err, target.close()); err != nil {
		return refused(err, replace)
	}
	return p.tellRestored(done, target.name, time.Since(began))
}
