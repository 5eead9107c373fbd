// Command soak drives the ledger on PostgreSQL for as long as it is told to: the long form of the tests of package
// ledger, which says what is driven and what is checked. It ends with exit code 1 when anything was wrong, and leaves
// what the processes wrote down.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rae-memory/rae/pkg/postgres"
	"github.com/rae-memory/rae/pkg/servicetest"
	"github.com/rae-memory/rae/test/ledger"
)

// options are the command's flags.
type options struct {
	first, seeds uint64
	seconds      int
	processes    int
	goroutines   int
	kills        int
	dir          string
}

func main() {
	ledger.Child()
	var o options
	flag.Uint64Var(&o.first, "first", 1, "the first seed")
	flag.Uint64Var(&o.seeds, "seeds", 100, "how many seeds")
	flag.IntVar(&o.seconds, "seconds", 60, "how long each seed is spent from")
	flag.IntVar(&o.processes, "processes", 4, "how many processes spend")
	flag.IntVar(&o.goroutines, "goroutines", 1000, "how many goroutines they have together")
	flag.IntVar(&o.kills, "kills", 100, "how many processes are killed between reserve and settle")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: go run ./test/soak [flags]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 || o.seconds < 3 || o.processes < 1 || o.goroutines < o.processes || o.kills < 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := o.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func (o *options) run(ctx context.Context) (err error) {
	services, err := servicetest.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, services.Close()) }()
	server, err := services.Postgres(nil)
	if err != nil {
		return err
	}
	fmt.Println(server.Version())
	if o.dir, err = os.MkdirTemp("", "rae-soak-"); err != nil {
		return err
	}
	total, failed := totals{}, 0
	step := func(name string, do func(url, dir string) (fmt.Stringer, error)) error {
		report, err := o.step(ctx, server, name, do)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Printf("%s %s: %v\n", time.Now().UTC().Format(time.TimeOnly), name, report)
		if err != nil {
			failed++
			fmt.Printf("%s WRONG: %v\n", name, err)
		}
		if r, ok := report.(*ledger.Report); ok && r != nil {
			total.add(r)
		}
		return nil
	}
	if o.kills > 0 {
		if err := step("kills", func(url, dir string) (fmt.Stringer, error) {
			return ledger.Kills(ctx, url, dir, o.first, o.kills)
		}); err != nil {
			return err
		}
	}
	for seed := o.first; seed < o.first+o.seeds; seed++ {
		if err := step(fmt.Sprint("seed-", seed), func(url, dir string) (fmt.Stringer, error) {
			return ledger.Run(ctx, ledger.Options{
				URL: url, Dir: dir, Seed: seed, Processes: o.processes, Goroutines: o.goroutines, Hot: max(2, o.goroutines/125),
				Duration: time.Duration(o.seconds) * time.Second, Generation: 3 * time.Second, KillEvery: 1500 * time.Millisecond,
				Effort: 50_000_000,
			})
		}); err != nil {
			return err
		}
	}
	fmt.Printf("%d seeds of %d s: %s; %d wrong\n", o.seeds, o.seconds, total, failed)
	if failed > 0 {
		return fmt.Errorf("%d wrong; what the processes wrote down is in %s", failed, o.dir)
	}
	return os.Remove(o.dir)
}

// step makes a database and a folder for one run, and removes them if nothing was wrong.
func (o *options) step(ctx context.Context, server *servicetest.PostgresServer, name string, do func(url, dir string) (fmt.Stringer, error)) (fmt.Stringer, error) {
	dir := filepath.Join(o.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	url, err := server.Create(name)
	if err != nil {
		return nil, err
	}
	if _, err := postgres.Migrate(ctx, url); err != nil {
		return nil, err
	}
	report, err := do(url, dir)
	if err != nil {
		return report, err
	}
	conn, err := pgx.Connect(ctx, server.URL("postgres"))
	if err != nil {
		return report, err
	}
	defer conn.Close(ctx) //nolint:errcheck // the statement has been answered
	_, err = conn.Exec(ctx, "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
	return report, errors.Join(err, os.RemoveAll(dir))
}

// totals are the sums of all reports.
type totals struct{ calls, unknown, kills, scopes, longest int }

func (t *totals) add(r *ledger.Report) {
	t.calls += r.Total()
	t.kills += r.Kills
	t.scopes += r.Scopes
	t.longest = max(t.longest, r.Longest)
	for _, outcomes := range r.Calls {
		t.unknown += outcomes[ledger.Unknown]
	}
}

func (t totals) String() string {
	return fmt.Sprintf("%d calls, %d of them cut off, %d kills, %d scopes of up to %d calls", t.calls, t.unknown, t.kills, t.scopes, t.longest)
}
