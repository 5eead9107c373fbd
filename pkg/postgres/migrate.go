package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the database at the URL to the newest schema this program knows and returns its version. The URL's role
// owns the schema, and must be allowed to create roles the first time; the program then runs under rae_runtime and
// rae_system, which own nothing. logins are roles that may become these two. Any number may migrate at once: an advisory
// lock lets one after the other.
func Migrate(ctx context.Context, url string, logins ...string) (version int64, err error) {
	return migrateTo(ctx, url, goose.MaxVersion, logins...)
}

// migrateTo is Migrate up to a version.
func migrateTo(ctx context.Context, url string, target int64, logins ...string) (version int64, err error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return 0, fault.New(fault.Invalid, "is no PostgreSQL URL (postgres://user:password@host:port/database)")
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return 0, err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return 0, err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, folder, goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return 0, classify(ctx, fmt.Errorf("prepare migrations: %w", broken{err}))
	}
	if _, err := provider.UpTo(ctx, target); err != nil {
		return 0, classify(ctx, fmt.Errorf("migrate: %w", broken{err}))
	}
	for _, login := range logins {
		if err := admit(ctx, config, login); err != nil {
			return 0, classify(ctx, fmt.Errorf("admit %s: %w", login, err))
		}
	}
	version, err = provider.GetDBVersion(ctx)
	return version, classify(ctx, err)
}

// admit lets a role become the two that the program runs under. Grants of the same that overlap refuse one another.
func admit(ctx context.Context, config *pgx.ConnConfig, login string) error {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return broken{err}
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the grant has been answered
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('admit', 3))`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `GRANT rae_runtime, rae_system TO `+pgx.Identifier{login}.Sanitize())
		return err
	})
}

// newestVersion is the highest number among the migrations' file names.
func newestVersion() (int64, error) {
	entries, err := fs.ReadDir(migrations, "migrations")
	if err != nil {
		return 0, err
	}
	newest := int64(0)
	for _, entry := range entries {
		number, _, _ := strings.Cut(entry.Name(), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("migration %s has no number: %w", entry.Name(), err)
		}
		newest = max(newest, version)
	}
	return newest, nil
}

// look asks what check decides by: the schema's version, the tables that row-level security does not guard or not against
// their owners, whether the two roles could pass by it, and what they own.
const look = `SELECT
	(SELECT max(version_id) FROM goose_db_version WHERE is_applied),
	(SELECT coalesce(string_agg(c.relname, ', ' ORDER BY c.relname), '') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'tenant'
		AND NOT a.attisdropped AND NOT (c.relrowsecurity AND c.relforcerowsecurity)),
	(SELECT coalesce(string_agg(rolname, ', '), '') FROM pg_roles
		WHERE rolname IN ('rae_runtime', 'rae_system') AND (rolsuper OR rolbypassrls)),
	(SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname IN ('rae_runtime', 'rae_system')),
	current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on',
	current_setting('synchronous_commit')`

// check refuses a database that this program must not serve from: another schema, tables that are not guarded, roles that
// could see other tenants' rows. It warns of one that forgets what it has confirmed.
func (d *DB) check(ctx context.Context, pool *pgxpool.Pool) error {
	newest, err := newestVersion()
	if err != nil {
		return err
	}
	var version, owned int64
	var unguarded, passing, synchronous string
	var durable bool
	err = d.asSystem(ctx, pool, look, &version, &unguarded, &passing, &owned, &durable, &synchronous)
	switch {
	case err != nil:
		return d.failed(ctx, "look at the schema", broken{err})
	case version < newest:
		return fault.New(fault.Unavailable, "the store's schema is %d, this program needs %d; run rae migrate", version, newest)
	case version > newest:
		return fault.New(fault.Unavailable, "the store was migrated by a newer version of this program (schema %d; this one knows %d)", version, newest)
	case unguarded != "":
		return fault.New(fault.Unavailable, "row-level security is not forced on %s; the store is not served from", unguarded)
	case passing != "":
		return fault.New(fault.Unavailable, "%s could pass by row-level security; the store is not served from", passing)
	case owned != 0:
		return fault.New(fault.Unavailable, "the runtime roles own tables; the store is not served from")
	}
	if !durable || synchronous == "off" {
		d.options.Log.WarnContext(ctx, "the database may forget what it has confirmed", "fsync_and_full_page_writes", durable, "synchronous_commit", synchronous)
	}
	return nil
}

// asSystem asks for one row as every transaction does, under a role that the login must have been admitted to.
func (d *DB) asSystem(ctx context.Context, pool *pgxpool.Pool, query string, into ...any) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	s := d.begin(ctx, conn.Conn(), reading, systemRole, memory.Scope{}, "")
	defer s.rollback()
	return s.row(query, nil, into...)
}
