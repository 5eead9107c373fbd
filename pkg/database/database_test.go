package database_test

import (
	"errors"
	"log/slog"
	"os"
	"reflect"
	"testing"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/job"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/reflection"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/servicetest"
	"github.com/rae-memory/rae/pkg/telemetry"
	"github.com/rae-memory/rae/pkg/text"
)

func TestMain(m *testing.M) { servicetest.Main(m) }

var here = memory.Scope{Tenant: "acme", Project: "shop"}

// configs are settings of every store there is, each of a store of its own.
func configs(t *testing.T) map[string]*database.Config {
	t.Helper()
	url := servicetest.Postgres(t).Database(t, "")
	if _, err := postgres.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	return map[string]*database.Config{
		database.InMem:    {Store: database.InMem},
		database.SQLite:   {Store: database.SQLite, DataDir: t.TempDir()},
		database.Postgres: {Store: database.Postgres, PostgresURL: telemetry.Secret(url), Connections: 2},
	}
}

func TestEveryStoreIsOpenedWhole(t *testing.T) {
	t.Parallel()
	for name, cfg := range configs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := cfg.Check(); err != nil {
				t.Fatal(err)
			}
			committed := make(chan struct{}, 100)
			db, err := database.Open(cfg, slog.New(slog.DiscardHandler), func() { committed <- struct{}{} })
			if err != nil {
				t.Fatal(err)
			}
			var stored memory.Memory
			err = db.Memories.Write(t.Context(), here, func(tx memory.Tx) (err error) {
				stored, _, err = tx.Put(t.Context(), memory.Memory{Content: "kite", Layer: memory.Episodic}, memory.Why{})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			<-committed // whoever relays is told
			if got, err := db.Memories.Get(t.Context(), here, stored.ID, memory.View{}); err != nil || !reflect.DeepEqual(got, stored) {
				t.Errorf("read %+v, %v", got, err)
			}
			if scopes, err := db.Memories.Scopes(t.Context(), memory.Scope{}, 10); err != nil || !reflect.DeepEqual(scopes, []memory.Scope{here}) {
				t.Errorf("scopes %v, %v", scopes, err)
			}
			if models, err := db.Memories.Models(t.Context(), here); err != nil || models != (memory.Models{}) {
				t.Errorf("models %+v, %v", models, err)
			}
			if j, _, err := db.Jobs.Create(t.Context(), here, job.Job{ID: memory.NewID(), Kind: "k"}, memory.Key{}); err != nil || j.Status != job.Queued {
				t.Errorf("job %+v, %v", j, err)
			}
			if page, err := db.Reflections.List(t.Context(), here, reflection.Query{Limit: 10}); err != nil || len(page.Reflections) != 0 {
				t.Errorf("reflections %+v, %v", page, err)
			}
			if page, err := db.Facts.List(t.Context(), here, knowledge.FactQuery{Limit: 10}); err != nil || len(page.Facts) != 0 {
				t.Errorf("facts %+v, %v", page, err)
			}
			if _, err := db.Ledger(budget.Policy{}).Current(t.Context(), here); err != nil {
				t.Errorf("budget: %v", err)
			}
			if (db.Postgres != nil) != (name == database.Postgres) {
				t.Errorf("postgres %v", db.Postgres)
			}
			if health := db.Health(t.Context()); len(health) != 1 || health[0].Err != nil || !health[0].Critical {
				t.Errorf("health %+v", health)
			}
			if err := db.Close(t.Context()); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

func TestNothingIsTouchedBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, cfg := range map[string]*database.Config{
		database.SQLite:   {Store: database.SQLite, DataDir: dir},
		database.Postgres: {Store: database.Postgres, PostgresURL: "postgres://nobody@127.0.0.1:1/none", Connections: 1},
	} {
		db, err := database.Open(cfg, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := db.Close(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("there are %v, %v", files, err)
	}
}

func TestSettingsThatCannotBeMeantAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  database.Config
		want serve.ConfigError // without Allowed
	}{
		"no address":       {database.Config{Store: database.Postgres}, serve.ConfigError{Name: "RAE_POSTGRES_URL", Secret: true, Missing: true}},
		"no such address":  {database.Config{Store: database.Postgres, PostgresURL: "mysql://db"}, serve.ConfigError{Name: "RAE_POSTGRES_URL", Secret: true}},
		"no such language": {database.Config{Store: database.InMem, Languages: "acme=klingon"}, serve.ConfigError{Name: "RAE_LANGUAGES", Value: "acme=klingon"}},
	} {
		err := c.cfg.Check()
		var refused *serve.ConfigError
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := *refused
		if got.Allowed == "" {
			t.Errorf("%s: does not say what would be right", name)
		}
		if got.Allowed = ""; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		if _, err := database.Open(&c.cfg, nil, nil); err == nil && name != "no address" {
			t.Errorf("%s: opened all the same", name)
		}
	}
}

func TestLanguagesAreTheTenants(t *testing.T) {
	t.Parallel()
	db, err := database.Open(&database.Config{Store: database.InMem, Languages: "acme=simple"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for tenant, want := range map[string]string{"acme": "simple", "other": text.English.String()} {
		if got := db.Languages.Of(memory.Scope{Tenant: tenant, Project: "p"}).String(); got != want {
			t.Errorf("%s reads %s, want %s", tenant, got, want)
		}
	}
}
