package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/rae-memory/rae/pkg/backup"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/sqlite"
)

// storeHelp is the part of a help text that says how stores are named.
const storeHelp = `A store is sqlite:FILE, such as sqlite:./data/rae.db, or a PostgreSQL URL, postgres://user:password@host/database.`

// keeper is a store as it is, without an engine on it.
type keeper struct {
	backup.Store
	kind  string // sqlite or postgres
	name  string // for people; without a password
	close func() error
}

// id tells stores apart without telling where they are.
func (k *keeper) id() string {
	sum := sha256.Sum256([]byte(k.kind + ":" + k.name))
	return hex.EncodeToString(sum[:8])
}

// existing opens a store that is there to be read.
func (p *program) existing(flag, named string) (*keeper, error) {
	at, err := p.locate(flag, named)
	if err != nil {
		return nil, err
	}
	if at.url != "" {
		return at.openPostgres(flag)
	}
	if _, err := os.Stat(at.file); err != nil {
		return nil, fileFault(err, "read", at.file)
	}
	return openFile(at.file)
}

// ready opens a store to be written to. It is made, or its schema brought up to date, where needed.
func (p *program) ready(ctx context.Context, flag, named string) (*keeper, error) {
	at, err := p.locate(flag, named)
	if err != nil {
		return nil, err
	}
	if at.url == "" {
		if err := writable(filepath.Dir(at.file)); err != nil {
			return nil, err
		}
		return openFile(at.file)
	}
	k, err := at.openPostgres(flag)
	if err != nil {
		return nil, err
	}
	if k.Store.(*postgres.DB).Ping(ctx) == nil {
		return k, nil // a role that owns nothing can restore, too
	}
	if _, err := postgres.Migrate(ctx, at.url); err != nil {
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

// location is where a store is: in a file, or at a PostgreSQL URL.
type location struct {
	file, url string
	languages relevance.Languages // of what is restored there
}

// locate finds the store that is named; "" names that of the environment.
func (p *program) locate(flag, named string) (location, error) {
	cfg, err := p.settings()
	if err != nil {
		return location{}, err
	}
	languages, err := relevance.ParseLanguages(cfg.Store.Languages)
	if err != nil {
		return location{}, err
	}
	at := location{languages: languages}
	switch file, ok := strings.CutPrefix(named, "sqlite:"); {
	case ok && file != "":
		at.file = file
	case strings.HasPrefix(named, "postgres://") || strings.HasPrefix(named, "postgresql://"):
		at.url = named
	case named != "":
		return location{}, usagef("--%s must be sqlite:FILE or postgres://user:password@host/database", flag)
	case cfg.Store.Store == database.SQLite:
		at.file = cfg.Store.File()
	case cfg.Store.Store == database.Postgres:
		at.url = cfg.Store.PostgresURL.Reveal()
	default:
		return location{}, usagef("RAE_STORE=%s keeps nothing that could be backed up", cfg.Store.Store)
	}
	return at, nil
}

func openFile(file string) (*keeper, error) {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	db := sqlite.Open(absolute, sqlite.Options{})
	return &keeper{db, "sqlite", absolute, db.Close}, nil
}

func (at location) openPostgres(flag string) (*keeper, error) {
	u, err := url.Parse(at.url)
	if err != nil { // its text repeats the URL, and so the password
		return nil, usagef("--%s is no PostgreSQL URL (postgres://user:password@host/database)", flag)
	}
	db, err := postgres.Open(at.url, postgres.Options{Language: at.languages.Of})
	if err != nil {
		return nil, err
	}
	return &keeper{db, "postgres", u.Host + u.Path, db.Close}, nil
}

// archiveFault says which file could not be used.
func archiveFault(name string, err error) error {
	var f *fault.Error
	if errors.As(err, &f) && (f.Kind == fault.Malformed || f.Kind == fault.Unsupported) {
		return fault.New(f.Kind, "%s: %s", name, f.Message)
	}
	return err
}
