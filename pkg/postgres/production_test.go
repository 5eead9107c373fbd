package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/memory/memorytest"
	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/servicetest"
)

// login makes a role that may log in and nothing else, and returns the URL by which it reaches the database at the URL.
func login(t *testing.T, superuser string) (role, asRole string) {
	t.Helper()
	role = "login_" + strings.ReplaceAll(string(memory.NewID()), "-", "")
	conn := connect(t, superuser)
	if _, err := conn.Exec(t.Context(), fmt.Sprintf(`CREATE ROLE %s LOGIN PASSWORD 'secret' NOSUPERUSER NOBYPASSRLS NOINHERIT`, role)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := conn.Exec(ctx, "DROP ROLE "+role); err != nil { // it fails for a role that owns or was granted anything but membership
			t.Error(err)
		}
	})
	u, err := url.Parse(superuser)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "secret")
	return role, u.String()
}

// As in production: a login that owns nothing, and a transaction pooler between, which gives transactions other
// sessions. What a transaction leaves in its session is looked for before that is reset for the next.
func TestAnAdmittedLoginBehindATransactionPoolerKeepsTheContract(t *testing.T) {
	t.Parallel()
	memorytest.Run(t, "postgres as an admitted login, sessions reset", func(t *testing.T, clock func() time.Time) memory.Store {
		superuser := fresh(t)
		role, asRole := login(t, superuser)
		if _, err := postgres.Migrate(t.Context(), superuser, role); err != nil {
			t.Fatal(err)
		}
		db := openAt(t, asRole, postgres.Options{Clock: clock})
		err := db.OpenWith(context.WithoutCancel(t.Context()), func(config *pgxpool.Config) {
			config.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
				err := anotherSession(ctx, conn, role)
				if err != nil {
					t.Errorf("between two transactions: %v", err)
				}
				return err == nil, nil
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return db
	})
}

// anotherSession is what a transaction finds now and then, at every fourth on average: to prepare all statements anew
// each time would take minutes. It fails if a transaction has left something in the session, and makes it as good as new.
func anotherSession(ctx context.Context, conn *pgx.Conn, role string) error {
	if rand.IntN(4) != 0 {
		return nil
	}
	var user, left string
	var locks int
	err := conn.QueryRow(ctx, `SELECT current_user, concat(current_setting('rae.tenant', true), current_setting('rae.project', true),
		current_setting('rae.now', true)), (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory')`).Scan(&user, &left, &locks)
	switch {
	case ctx.Err() != nil:
		return nil // the caller has gone: so does the connection
	case err != nil:
		return err
	case user != role || left != "" || locks != 0:
		return fmt.Errorf("the session is %s's, with the settings %q and %d advisory locks", user, left, locks)
	}
	if err := conn.DeallocateAll(ctx); err != nil { // a pooler knows which statements a client has prepared
		return err
	}
	_, err = conn.Exec(ctx, "DISCARD ALL")
	return err
}

func TestALoginThatWasNotAdmittedIsToldWhatToRun(t *testing.T) {
	t.Parallel()
	superuser := fresh(t)
	role, asRole := login(t, superuser)
	db := openAt(t, asRole, postgres.Options{})
	_, err := put(t.Context(), db, acme, "refused")
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.Public(err), "rae migrate") {
		t.Errorf("it heard %v, want Unavailable and a word of rae migrate", err)
	}
	if _, err := postgres.Migrate(t.Context(), superuser, role); err != nil {
		t.Fatal(err)
	}
	if _, err := put(t.Context(), db, acme, "admitted"); err != nil {
		t.Errorf("once it is admitted: %v", err)
	}
}

func TestMigratorsTakeTurns(t *testing.T) {
	t.Parallel()
	empty := servicetest.Postgres(t).Database(t, "")
	role, asRole := login(t, empty)
	versions, errs := make([]int64, 3), make([]error, 3)
	var migrators sync.WaitGroup
	for i := range versions {
		migrators.Go(func() { versions[i], errs[i] = postgres.Migrate(t.Context(), empty, role) })
	}
	migrators.Wait()
	for i, err := range errs {
		if err != nil || versions[i] == 0 || versions[i] != versions[0] {
			t.Errorf("migrator %d: version %d, %v", i, versions[i], err)
		}
	}
	if _, err := put(t.Context(), openAt(t, asRole, postgres.Options{}), acme, "stored"); err != nil {
		t.Error(err)
	}
}

func TestASchemaThatIsNotThisProgramsIsNotServedFrom(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ change, want string }{
		"a newer one":   {`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`, "newer version"},
		"an older one":  {`DELETE FROM goose_db_version WHERE version_id > 1`, "run rae migrate"},
		"none":          {`DROP TABLE goose_db_version`, "run rae migrate"},
		"an open table": {`ALTER TABLE memories NO FORCE ROW LEVEL SECURITY`, "memories"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			superuser := fresh(t)
			if _, err := connect(t, superuser).Exec(t.Context(), test.change); err != nil {
				t.Fatal(err)
			}
			_, err := put(t.Context(), openAt(t, superuser, postgres.Options{}), acme, "refused")
			if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.Public(err), test.want) {
				t.Errorf("it heard %v, want Unavailable and %q", err, test.want)
			}
		})
	}
}
