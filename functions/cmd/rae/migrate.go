package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/backup"
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
	var from, to string
	var replace bool
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Create or update the store's schema; or move everything to another store",
		Long: `migrate applies the migrations the store lacks, and prints its schema version.

The embedded store does the same by itself when it is first needed. PostgreSQL is migrated by this command alone: by the
role that is to own the schema (RAE_POSTGRES_OWNER_URL, or else RAE_POSTGRES_URL), which must be allowed to create roles
and the extension vector the first time. RAE then runs as a role that owns nothing: --login admits the role that
RAE_POSTGRES_URL names. Any number may migrate at once; one does after the other. The index over vectors of scopes too
large to compare one by one is made for the model that RAE_EMBED_MODEL names, unless there is one.

With --from and --to it puts everything one store keeps of every tenant, or of the one that --tenant names, into
another, of whatever kind, and compares the hashes of both. The schema of the other is made first. Stop what writes to
either: a tenant that changes while it is moved is an error, and nothing is mixed. An interrupted migration goes on
where it was when the same command is given again. The old store is only read.

` + storeHelp + "\n\n" + environment("RAE_POSTGRES_OWNER_URL  the role that owns the schema, where it is not RAE_POSTGRES_URL's"),
		Example: `  rae migrate
  RAE_STORE=postgres RAE_POSTGRES_OWNER_URL=postgres://owner@db/rae rae migrate --login rae_app
  rae migrate --from sqlite:./data/rae.db --to "$RAE_POSTGRES_URL"`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case from != "" && to != "":
				return p.doMove(c.Context(), from, to, p.only(c), replace)
			case from != "" || to != "" || replace:
				return usagef("--from and --to belong together: from which store to which")
			}
			cfg, err := p.settings()
			if err != nil {
				return err
			}
			switch store := &cfg.Store.Config; store.Store {
			case database.SQLite:
				return p.migrateFile(c.Context(), store)
			case database.Postgres:
				return p.migratePostgres(c.Context(), &cfg, logins)
			default:
				return usagef("RAE_STORE=%s has no schema to migrate", store.Store)
			}
		},
	}
	c.Flags().StringVar(&from, "from", "", "store to read")
	c.Flags().StringVar(&to, "to", "", "store to write to")
	c.Flags().BoolVar(&replace, "replace", false, "erase what the other store has of a tenant that is moved")
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

func (p *program) migratePostgres(ctx context.Context, cfg *rae.Config, logins []string) error {
	store := &cfg.Store.Config
	model, dimensions, err := cfg.Embed.Vectors()
	if err != nil {
		return err
	}
	var owner ownership
	if err := serve.Load(&owner); err != nil {
		return err
	}
	url := cmp.Or(owner.URL, store.PostgresURL).Reveal()
	version, err := postgres.Migrate(ctx, url, logins...)
	if err != nil {
		return err
	}
	if err := postgres.EnsureVectorIndex(ctx, url, model, dimensions); err != nil {
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
