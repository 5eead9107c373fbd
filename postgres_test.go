package rae_test

import (
	"context"
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	rae "github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/servicetest"
	"github.com/rae-memory/rae/pkg/telemetry"
)

func TestMain(m *testing.M) { servicetest.Main(m) }

// onPostgres is the engine as it runs in production.
func onPostgres(t *testing.T, set func(*rae.Config)) *running {
	t.Helper()
	admitted := admittedTo(t)
	return startWith(t, func(c *rae.Config) {
		admitted(c)
		set(c)
	})
}

// admittedTo makes a database that another role migrated, and returns the setting of a login that owns nothing there.
func admittedTo(t *testing.T) func(*rae.Config) {
	t.Helper()
	ctx := context.Background()
	owner := servicetest.Postgres(t).Database(t, "")
	conn, err := pgx.Connect(ctx, owner)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	const makeLogin = `DO $$ BEGIN CREATE ROLE rae_engine LOGIN PASSWORD 'engine' NOSUPERUSER; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`
	if _, err := conn.Exec(ctx, makeLogin); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.Migrate(ctx, owner, "rae_engine"); err != nil {
		t.Fatal(err)
	}
	login, err := url.Parse(owner)
	if err != nil {
		t.Fatal(err)
	}
	login.User = url.UserPassword("rae_engine", "engine")
	return func(c *rae.Config) {
		c.Store.Store, c.Store.PostgresURL = database.Postgres, telemetry.Secret(login.String())
	}
}

func TestTheEngineRunsOnPostgres(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*rae.Config){
		"which finds by itself":                  func(*rae.Config) {},
		"followed by an index in the process":    func(c *rae.Config) { c.Search.Index = "process" },
		"which finds by itself, nothing is kept": func(c *rae.Config) { c.Search.CacheAnswers = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := onPostgres(t, set)
			status, _ := e.call("POST", "/v1/conversations", `{"session_id":"s1","messages":[
				{"role":"user","name":"Mara","content":"I adopted a greyhound from the shelter last week."},
				{"role":"user","name":"Jonas","content":"How lovely, what is its name?"},
				{"role":"user","name":"Mara","content":"Pixel, after the dog of my aunt in Gdansk."}]}`)
			if status != 201 {
				t.Fatalf("a conversation is answered %d", status)
			}
			_, answer := e.call("POST", "/v1/search", `{"query":"Which animal did Mara adopt?"}`)
			if contents, _ := found(answer); len(contents) == 0 || contents[0] != "I adopted a greyhound from the shelter last week." {
				t.Errorf("found %q", contents)
			}
			if degraded := answer["degraded"]; degraded != nil && len(degraded.([]any)) > 0 {
				t.Errorf("degraded: %v", degraded)
			}
			for _, stranger := range [][]string{{"X-Tenant-ID", "other"}, {"X-Project-ID", "other"}} {
				_, answer := e.call("POST", "/v1/search", `{"query":"Which animal did Mara adopt?"}`, stranger...)
				if contents, _ := found(answer); len(contents) != 0 {
					t.Errorf("%v finds %q", stranger, contents)
				}
			}
			e.call("PUT", "/v1/budgets", `{"daily_limit":1,"monthly_limit":1}`)
			ask := `{"operation":"chat","provider":"p","model":"m","max_cost":0.6}`
			var statuses []int
			for range 2 {
				status, _ := e.call("POST", "/v1/reservations", ask)
				statuses = append(statuses, status)
			}
			if !slices.Equal(statuses, []int{201, 402}) {
				t.Errorf("of two reservations for one: %v", statuses)
			}
			status, receipt := e.call("DELETE", "/v1/tenants/acme/data", "")
			if status != 200 || !reflect.DeepEqual(receipt["tenant_id"], "acme") {
				b, _ := json.Marshal(receipt)
				t.Errorf("erasure: %d %s", status, b)
			}
			_, answer = e.call("POST", "/v1/search", `{"query":"Which animal did Mara adopt?"}`)
			if contents, _ := found(answer); len(contents) != 0 {
				t.Errorf("after the erasure: %q", contents)
			}
		})
	}
}
