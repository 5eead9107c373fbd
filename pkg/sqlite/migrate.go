package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/rae-memory/rae/pkg/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema to the newest version this program knows. The file says its version in a header field,
// so a file that is up to date costs one read; only others meet goose. It reports whether there was anything to do.
func migrate(ctx context.Context, db *sql.DB) (migrated bool, err error) {
	newest, err := newestVersion()
	if err != nil {
		return false, err
	}
	for attempt := 0; ; attempt++ {
		version, err := fileVersion(ctx, db)
		switch {
		case err != nil:
			return migrated, err
		case version == newest:
			return migrated, nil
		case version > newest:
			return migrated, fault.New(fault.Unavailable,
				"the store was written by a newer version of this program (schema %d; this one knows %d)", version, newest)
		}
		before, err := appliedVersion(ctx, db)
		if err != nil {
			return migrated, err
		}
		if err := migrateUp(ctx, db); err != nil {
			// Another process may have applied the same migration between our look and our transaction. Then ours
			// failed as a whole, and what remains is tried again.
			after, lookErr := appliedVersion(ctx, db)
			if lookErr == nil && after > before && int64(attempt) < newest {
				continue
			}
			return migrated, err
		}
		if err := recordVersion(ctx, db, newest); err != nil {
			return migrated, err
		}
		migrated = true
	}
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

// migrateUp applies what is missing, each migration in a transaction of its own.
func migrateUp(ctx context.Context, db *sql.DB) error { return migrateTo(ctx, db, goose.MaxVersion) }

// migrateTo is migrateUp up to a version.
func migrateTo(ctx context.Context, db *sql.DB, target int64) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, folder, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	if _, err := provider.UpTo(ctx, target); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// fileVersion is the schema version the file's header tells, 0 in a new file.
func fileVersion(ctx context.Context, db *sql.DB) (version int64, err error) {
	err = db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version)
	return version, err
}

// appliedVersion is the schema version goose has recorded, -1 where it never ran.
func appliedVersion(ctx context.Context, db *sql.DB) (version int64, err error) {
	var there int
	const table = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'goose_db_version'"
	if err := db.QueryRowContext(ctx, table).Scan(&there); err != nil || there == 0 {
		return -1, err
	}
	err = db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), -1) FROM goose_db_version").Scan(&version)
	return version, err
}

// recordVersion writes the version into the file's header, unless a newer program has been faster.
func recordVersion(ctx context.Context, db *sql.DB, version int64) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit there is nothing to roll back
	var there int64
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&there); err != nil {
		return err
	}
	if there < version {
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
			return err
		}
	}
	return tx.Commit()
}
