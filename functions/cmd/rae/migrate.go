package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae/pkg/sqlite"
)

func (p *program) migrate() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Create the embedded store, or bring its schema up to date",
		Long: `migrate makes the file of the embedded store where there is none, applies the migrations it lacks, and prints its
schema version. Every other command does the same when it first needs the store; this one lets you do it by itself.

` + environment(),
		Example: `  rae migrate
  rae migrate --data /var/lib/rae --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
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
			version, err := db.Schema(c.Context())
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(map[string]any{"store": cfg.Store.Store, "file": file, "schema_version": version})
			}
			_, err = fmt.Fprintf(p.stdout, "%s has schema version %d\n", file, version)
			return err
		},
	}
}
