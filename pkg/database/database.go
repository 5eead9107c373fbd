// Package database opens the store that the environment names, for a function alone or for all in one process.
package database

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/outbox"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/reflection"
	"github.com/rae-memory/rae/pkg/relevance"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/sqlite"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// Names of stores in RAE_STORE.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
	InMem    = "inmem"
)

// Config says which store. Every function that has one embeds it.
type Config struct {
	Store       string           `envconfig:"RAE_STORE" default:"sqlite" allowed:"sqlite|postgres|inmem"`
	DataDir     string           `envconfig:"RAE_DATA_DIR" default:"./data"`
	PostgresURL telemetry.Secret `envconfig:"RAE_POSTGRES_URL"` // of the runtime's role; rae migrate takes the owner's
	Connections int              `envconfig:"RAE_POSTGRES_CONNECTIONS" default:"4" min:"1" max:"1000"`
	Languages   string           `envconfig:"RAE_LANGUAGES"` // as relevance.ParseLanguages reads it; empty: all English
}

// Check implements serve.Checker.
func (c *Config) Check() error {
	if _, err := c.languages(); err != nil {
		return err
	}
	if c.Store != Postgres {
		return nil
	}
	if _, err := postgres.Open(c.PostgresURL.Reveal(), postgres.Options{}); err != nil || c.PostgresURL.Empty() {
		return &serve.ConfigError{Name: "RAE_POSTGRES_URL", Secret: true, Missing: c.PostgresURL.Empty(), Allowed: postgres.Address}
	}
	return nil
}

// languages is what Languages says. Its error is a *serve.ConfigError.
func (c *Config) languages() (relevance.Languages, error) {
	languages, err := relevance.ParseLanguages(c.Languages)
	if err != nil {
		return languages, &serve.ConfigError{Name: "RAE_LANGUAGES", Value: c.Languages, Allowed: relevance.LanguagesFormat}
	}
	return languages, nil
}

// File is where the embedded store keeps everything.
func (c *Config) File() string { return filepath.Join(c.DataDir, "rae.db") }

// Memories is the store of memories as functions share it.
type Memories interface {
	memory.Store
	memory.Directory
	memory.Watermarks
	memory.Modelled
	outbox.Queue
}

// DB is an open store. It touches nothing before the first use.
type DB struct {
	serve.Backing

	Memories    Memories
	Reflections reflection.Store
	Jobs        job.Store
	Facts       knowledge.FactStore
	Ledger      func(budget.Policy) budget.Ledger
	Languages   relevance.Languages
	Postgres    *postgres.DB // what RAE_STORE=postgres opened, for searches it answers itself; nil otherwise
}

// Open opens the store of the configuration, which has been checked. onCommit, which may be nil, is called after commits
// that may have something to relay, and must not block.
func Open(c *Config, log *slog.Logger, onCommit func()) (*DB, error) {
	languages, err := c.languages()
	if err != nil {
		return nil, err
	}
	switch c.Store {
	case InMem:
		db := inmem.New(inmem.Options{OnCommit: onCommit, TraceParent: telemetry.Traceparent})
		return &DB{
			Backing:  serve.Backing{Ping: func(context.Context) error { return nil }},
			Memories: db, Reflections: inmem.NewReflections(db), Jobs: inmem.NewJobs(db), Facts: inmem.NewFacts(db), Languages: languages,
			Ledger: func(p budget.Policy) budget.Ledger { return inmem.NewLedger(db, p) },
		}, nil
	case Postgres:
		db, err := postgres.Open(c.PostgresURL.Reveal(), postgres.Options{
			Connections: c.Connections, Language: languages.Of, Log: log, OnCommit: onCommit, TraceParent: telemetry.Traceparent,
		})
		if err != nil {
			return nil, err
		}
		return &DB{
			Backing:  serve.Backing{Ping: db.Ping, Release: db.Close},
			Memories: db, Reflections: postgres.NewReflections(db), Jobs: postgres.NewJobs(db), Facts: postgres.NewFacts(db), Languages: languages, Postgres: db,
			Ledger: func(p budget.Policy) budget.Ledger { return postgres.NewLedger(db, p) },
		}, nil
	}
	db := sqlite.Open(c.File(), sqlite.Options{Log: log, OnCommit: onCommit, TraceParent: telemetry.Traceparent})
	return &DB{
		Backing:  serve.Backing{Ping: db.Ping, Release: db.Close},
		Memories: db, Reflections: sqlite.NewReflections(db), Jobs: sqlite.NewJobs(db), Facts: sqlite.NewFacts(db), Languages: languages,
		Ledger: func(p budget.Policy) budget.Ledger { return sqlite.NewLedger(db, p) },
	}, nil
}
