package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/sqlite"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// ownership is the URL of the role that owns the schema, which nothing but migrations needs.
type ownership struct {
	URL telemetry.Secret `envconfig:"RAE_POSTGRES_OWNER_URL"` // empty: RAE_POSTGRES_URL
}

func (p *program) migrate() *cobra.Command {
	var logins []string
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Create the store's schema, or bring it up to date",
		Long: `migrate applies the migrations the store lacks, and prints its schema version.

The embedded store does the same by itself when it is first needed. PostgreSQL is migrated by this command alone: by the
role that is to own the schema (RAE_POSTGRES_OWNER_URL, or else RAE_POSTGRES_URL), which must be allowed to create roles
and the extension vector the first time. RAE then runs as a role that owns nothing: --login admits the role that
RAE_POSTGRES_URL names. Any number may migrate at once; one does after the other.

` + environment(),
		Example: `  rae migrate
  RAE_STORE=postgres RAE_POSTGRES_OWNER_URL=postgres://owner@db/rae rae migrate --login rae_app`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := p.settings()
			if err != nil {
				return err
			}
			switch store := &cfg.Store.Config; store.Store {
			case database.SQLite:
				return p.migrateFile(c.Context(), store)
			case database.Postgres:
				return p.migratePostgres(c.Context(), store, logins)
			default:
				return usagef("RAE_STORE=%s has no schema to migrate", store.Store)
			}
		},
	}
	c.Flags().StringSliceVar(&logins, "login", nil, "role that RAE may connect as (PostgreSQL)")
	return c
}

func (p *program) migrateFile(ctx context.Context, store *database.Config) error {
	if err := writable(store.DataDir); err != nil {
		return err
	}
	db := sqlite.Open(store.File(), sqlite.Options{})
	defer db.Close() //nolint:errcheck // nothing was written that Schema has not seen committed
	version, err := db.Schema(ctx)
	if err != nil {
		return err
	}
	return p.tellSchema(map[string]any{"store": store.Store, "file": store.File(), "schema_version": version}, store.File(), version)
}

func (p *program) migratePostgres(ctx context.Context, store *database.Config, logins []string) error {
	var owner ownership
	if err := serve.Load(&owner); err != nil {
		return err
	}
	version, err := postgres.Migrate(ctx, cmp.Or(owner.URL, store.PostgresURL).Reveal(), logins...)
	if err != nil {
		return err
	}
	return p.tellSchema(map[string]any{"store": store.Store, "logins": logins, "schema_version": version}, "the database", version)
}

func (p *program) tellSchema(object map[string]any, what string, version int64) error {
	if p.json {
		return p.printJSON(object)
	}
	_, err := fmt.Fprintf(p.stdout, "%s has schema version %d\n", what, version)
	return err
}
