package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/servicetest"
)

// amounts is how much is done of everything on PostgreSQL. A block is measured of the subject, then one of the baseline.
type amounts struct {
	scopes   []int // memories in each scope
	blocks   int
	calls    int // in a block, one after the other
	crowd    int // in a block, of each of 32 clients
	nearest  int // questions of each filter
	backlog  int // events that are drained, at most
	tenants  int
	searches int // in a block of those whose slowest twentieth is asked for
}

func (o *options) onPostgres() amounts {
	a := amounts{
		scopes: []int{1000, 10_000}, blocks: 10, calls: 20, crowd: 5, nearest: 30, backlog: 1000, tenants: 10_000, searches: 60,
	}
	if o.quick {
		a = amounts{scopes: []int{1000}, blocks: 4, calls: 10, crowd: 3, nearest: 10, backlog: 500, tenants: 500, searches: 40}
	}
	if len(o.scopes) > 0 {
		a.scopes = o.scopes
	}
	return a
}

// productionRun times the programs on a PostgreSQL of its own, which is durable and otherwise as it comes.
type productionRun struct {
	*bench
	amounts
	part     *part
	services *servicetest.Services
	server   *servicetest.PostgresServer
	redis    *servicetest.RedisServer // nil before it is needed
	embedder embed.Embedder

	owner *pgxpool.Pool // of the database RAE's memories are in
	login string        // URL by which RAE reaches it, as a role that owns nothing
	plain *plain        // a database without RAE
}

func (b *bench) onPostgres(ctx context.Context) (_ *part, err error) {
	r := &productionRun{bench: b, amounts: b.options.onPostgres(), part: &part{Name: "PostgreSQL, Redis, Qdrant", Load: []float64{load()}}}
	if r.embedder, err = embed.BuiltIn(embed.ProviderStatic, ""); err != nil {
		return nil, err
	}
	say("starting PostgreSQL")
	if r.services, err = servicetest.Open(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.services.Close()) }()
	// None of them outlives the server.
	if r.server, err = r.services.Postgres(map[string]string{"autovacuum_naptime": "1h"}); err != nil {
		return nil, err
	}
	r.part.About = append(r.part.About, r.server.Version()+": durable, other settings as they come, except that tables are vacuumed between the steps and not during them.")
	if r.plain, err = r.openPlain(ctx); err != nil {
		return nil, err
	}
	defer r.plain.close()
	if r.login, r.owner, err = r.database(ctx, "rae"); err != nil {
		return nil, err
	}
	defer r.owner.Close()
	var before, after []control
	if err := follow(ctx, r.steps(&before, &after)); err != nil {
		return r.part, err
	}
	r.part.looked(before, after)
	return r.part, nil
}

func (r *productionRun) steps(before, after *[]control) []step {
	const limit = 4 * time.Minute // and more in large scopes
	steps := []step{{"control, before", limit, func(ctx context.Context) (err error) {
		*before, err = r.plain.control(ctx, r.blocks*r.calls)
		return err
	}}}
	for _, n := range r.scopes {
		long := limit + time.Duration(n)*10*time.Millisecond
		for _, one := range []struct {
			name string
			do   func(context.Context, int) error
		}{
			{"import", r.importing}, {"searches", r.searching}, {"row-level security", r.isolating}, {"nearest neighbours", r.nearestOf},
			{"without Redis", r.withoutRedis}, {"without Qdrant", r.withoutQdrant}, {"stores", r.storing}, {"outbox", r.draining},
		} {
			steps = append(steps, step{fmt.Sprintf("%s, %d memories", one.name, n), long, func(ctx context.Context) error { return one.do(ctx, n) }})
		}
	}
	return append(steps,
		step{"budgets", limit, r.spending},
		step{fmt.Sprintf("%d tenants", r.tenants), limit + time.Duration(r.tenants)*20*time.Millisecond, r.crowding},
		step{"control, after", limit, func(ctx context.Context) (err error) {
			*after, err = r.plain.control(ctx, r.blocks*r.calls)
			return err
		}})
}

// loginRole is the role RAE connects as. It owns nothing.
const loginRole = "rae_bench"

// database makes a database with RAE's schema by the program an operator uses, and returns the URL of the login that
// owns nothing, and a superuser's pool.
func (r *productionRun) database(ctx context.Context, name string) (login string, owner *pgxpool.Pool, err error) {
	superuser, err := r.server.Create(name)
	if err != nil {
		return "", nil, err
	}
	if owner, err = pgxpool.New(ctx, superuser); err != nil {
		return "", nil, err
	}
	const makeLogin = `DO $$ BEGIN CREATE ROLE ` + loginRole + ` LOGIN NOSUPERUSER NOBYPASSRLS; EXCEPTION WHEN duplicate_object THEN NULL; END $$`
	u, err := url.Parse(superuser)
	if err == nil {
		u.User = url.User(loginRole)
		_, err = owner.Exec(ctx, makeLogin)
	}
	if err == nil {
		err = r.command(ctx, []string{"RAE_STORE=postgres", "RAE_POSTGRES_URL=" + superuser}, "migrate", "--login", loginRole)
	}
	if err != nil {
		owner.Close()
		return "", nil, err
	}
	return u.String(), owner, nil
}

// command runs RAE's command line.
func (r *productionRun) command(ctx context.Context, env []string, args ...string) error {
	command := exec.CommandContext(ctx, filepath.Join(r.programs, "rae"), args...)
	command.Dir = r.dir
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("rae %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// environment is that of RAE's programs on the database, with more settings.
func (r *productionRun) environment(more ...string) []string {
	return append([]string{"RAE_STORE=postgres", "RAE_POSTGRES_URL=" + r.login}, more...)
}

// scopeOf is the scope that has so many memories at first.
func scopeOf(n int) memory.Scope { return memory.Scope{Tenant: tenant, Project: projectOf(n)} }

// patience is how long servers get to do what they have been told of by event.
const patience = 30 * time.Second

// settle waits until the servers have nothing left to do, or takes away what they have not come to in their time, and
// tidies up: what follows measures itself and not what its predecessor left behind.
func settle(ctx context.Context, owner *pgxpool.Pool) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := drained(limited, owner)
	if err == nil {
		err = until(limited, owner, `SELECT NOT EXISTS (SELECT FROM reflections WHERE status IN ('queued', 'running'))`)
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		_, err = owner.Exec(ctx, `DELETE FROM outbox; DELETE FROM reflections WHERE status IN ('queued', 'running')`)
	}
	if err != nil {
		return err
	}
	return tidy(ctx, owner)
}

// drained waits until nothing waits in the outbox.
func drained(ctx context.Context, owner *pgxpool.Pool) error {
	return until(ctx, owner, `SELECT NOT EXISTS (SELECT FROM outbox)`)
}

// until waits until the answer is yes.
func until(ctx context.Context, owner *pgxpool.Pool, question string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var yes bool
		if err := owner.QueryRow(ctx, question).Scan(&yes); err != nil || yes {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tidy does what autovacuum and the checkpointer do in time.
func tidy(ctx context.Context, owner *pgxpool.Pool) error {
	conn, err := owner.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	for _, statement := range []string{`VACUUM ANALYZE`, `CHECKPOINT`} {
		if _, err := conn.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}
