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
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/postgres"
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
	file, err := p.fileOf(flag, named)
	if err != nil {
		return nil, err
	}
	if file == "" {
		return openPostgres(flag, named)
	}
	if _, err := os.Stat(file); err != nil {
		return nil, fileFault(err, "read", file)
	}
	return openFile(file)
}

// ready opens a store to be written to. It is made, or its schema brought up to date, where needed.
func (p *program) ready(ctx context.Context, flag, named string) (*keeper, error) {
	file, err := p.fileOf(flag, named)
	if err != nil {
		return nil, err
	}
	if file != "" {
		if err := writable(filepath.Dir(file)); err != nil {
			return nil, err
		}
		return openFile(file)
	}
	k, err := openPostgres(flag, named)
	if err != nil {
		return nil, err
	}
	if k.Store.(*postgres.DB).Ping(ctx) == nil {
		return k, nil // a role that owns nothing can restore, too
	}
	if _, err := postgres.Migrate(ctx, named); err != nil {
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

// fileOf is the file of the store that is named, "" when it is no file. "" names the store of the environment.
func (p *program) fileOf(flag, named string) (string, error) {
	if file, ok := strings.CutPrefix(named, "sqlite:"); ok && file != "" {
		return file, nil
	}
	if strings.HasPrefix(named, "postgres://") || strings.HasPrefix(named, "postgresql://") {
		return "", nil
	}
	if named != "" {
		return "", usagef("--%s must be sqlite:FILE or postgres://user:password@host/database", flag)
	}
	cfg, err := p.settings()
	if err != nil {
		return "", err
	}
	if cfg.Store.Store != "sqlite" {
		return "", usagef("RAE_STORE=%s keeps nothing that could be backed up", cfg.Store.Store)
	}
	return filepath.Join(cfg.Store.DataDir, "rae.db"), nil
}

func openFile(file string) (*keeper, error) {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	db := sqlite.Open(absolute, sqlite.Options{})
	return &keeper{db, "sqlite", absolute, db.Close}, nil
}

func openPostgres(flag, named string) (*keeper, error) {
	u, err := url.Parse(named)
	if err != nil { // its text repeats the URL, and so the password
		return nil, usagef("--%s is no PostgreSQL URL (postgres://user:password@host/database)", flag)
	}
	db, err := postgres.Open(named, postgres.Options{})
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
