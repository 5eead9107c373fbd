package servicetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// PostgresServer is a PostgreSQL, 15 or newer, that has the extension vector, 0.8 or newer.
type PostgresServer struct {
	base     *url.URL // of a superuser, without a database
	version  string
	instance instance // nil when the server is somebody else's
	folder   string   // its files, when it is this process'
	own      bool     // one test's; may be killed

	mu        sync.Mutex
	templates map[string]*prepared
	idle      map[string][]string // by template: databases that were lent and are clean again
	lent      []string            // all that were ever made to be lent
}

// prepared is a template database that is filled once.
type prepared struct {
	once sync.Once
	name string
	err  error
}

// Quick settings for data that nobody will miss; durable ones as in production.
var (
	quick   = map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
	durable = map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
	always  = map[string]string{
		"max_connections": "200",
		"shared_buffers":  "128MB",
		"jit":             "off", // its compiler is not unpacked
	}
)

// Postgres returns the server that the tests of this binary share, and starts it for the first of them. It is fast and
// forgets all in a crash. A test makes databases of its own on it.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.postgres != nil {
		return shared.postgres
	}
	folder, err := shared.use()
	if err != nil {
		t.Fatal(err)
	}
	var s *PostgresServer
	if given := os.Getenv("RAE_TEST_POSTGRES_URL"); given != "" {
		s, err = givenPostgres(given)
	} else {
		s, err = startPostgres(folder, quick)
	}
	if err != nil {
		t.Fatal(err)
	}
	shared.postgres = s
	return s
}

// OwnPostgres starts a server for one test, which may kill and restart it, and stops it when the test ends. It is durable
// as in production (fsync, synchronous_commit and full_page_writes are on); settings are added, or take a default's
// place. RAE_TEST_POSTGRES_URL does not apply.
func OwnPostgres(t testing.TB, settings map[string]string) *PostgresServer {
	t.Helper()
	folder, err := shared.own()
	if err != nil {
		t.Fatal(err)
	}
	s, err := startPostgres(folder, durable, settings)
	if err != nil {
		t.Fatal(err)
	}
	s.own = true
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the log of PostgreSQL at %s:\n%s", s.Addr(), s.instance.tail())
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// URL is how a superuser connects to a database, such as "postgres".
func (s *PostgresServer) URL(database string) string {
	u := *s.base
	u.Path = "/" + database
	return u.String()
}

// Addr is the address the server listens on, host:port.
func (s *PostgresServer) Addr() string {
	if s.base.Port() == "" {
		return s.base.Host + ":5432"
	}
	return s.base.Host
}

// Version says what the server and its extension vector are, and where they come from.
func (s *PostgresServer) Version() string { return s.version }

// Database makes a database with a name of its own, as a copy of the database named template (or an empty one for ""),
// and returns its superuser URL. It is dropped, whoever is connected, when the test ends.
func (s *PostgresServer) Database(t testing.TB, template string) string {
	t.Helper()
	name := uniqueName(t.Name())
	if err := s.create(name, template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.own {
			return // its data goes with the server, which may be dead by now
		}
		if err := s.drop(name); err != nil {
			t.Error(err)
		}
	})
	return s.URL(name)
}

// Create makes an empty database and returns its superuser URL. It goes with the server.
func (s *PostgresServer) Create(name string) (string, error) {
	return s.URL(name), s.create(name, "")
}

// Lend is Database for a test that leaves nothing behind but rows: the database is lent to one test after the other,
// each time after clean has emptied it, which takes a tenth of what making a new one does. One that a failed test left is
// lent to nobody.
func (s *PostgresServer) Lend(t testing.TB, template string, clean func(url string) error) string {
	t.Helper()
	name, err := s.borrow(template)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		if err := clean(s.URL(name)); err != nil {
			t.Errorf("clean %s: %v", name, err)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.idle[template] = append(s.idle[template], name)
	})
	return s.URL(name)
}

// borrow takes an idle database or makes one.
func (s *PostgresServer) borrow(template string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if idle := s.idle[template]; len(idle) > 0 {
		name := idle[len(idle)-1]
		s.idle[template] = idle[:len(idle)-1]
		return name, nil
	}
	name := uniqueName("lent")
	if err := s.create(name, template); err != nil {
		return "", err
	}
	if s.idle == nil {
		s.idle = map[string][]string{}
	}
	s.lent = append(s.lent, name)
	return name, nil
}

// Template returns the name of a database that fill has filled, for Database to copy. It is filled once per server and
// name, however many tests ask; fill must close its connections. An error fails every test that asks.
func (s *PostgresServer) Template(t testing.TB, name string, fill func(url string) error) string {
	t.Helper()
	s.mu.Lock()
	p := s.templates[name]
	if p == nil {
		p = &prepared{name: uniqueName("template_" + name)}
		s.templates[name] = p
	}
	s.mu.Unlock()
	p.once.Do(func() {
		if p.err = s.create(p.name, ""); p.err == nil {
			p.err = fill(s.URL(p.name))
		}
	})
	if p.err != nil {
		t.Fatalf("template %s: %v", name, p.err)
	}
	return p.name
}

// errShared is what a test hears that would end a server on which others rely.
var errShared = errors.New("this server is shared by the tests of the binary: ask for one of your own (OwnPostgres, OwnRedis)")

// Kill ends the server and all its processes with SIGKILL, and returns when they are gone. It loses what was not yet
// given to the operating system, and nothing else: the page cache survives.
func (s *PostgresServer) Kill() error {
	if !s.own {
		return errShared
	}
	return s.instance.kill()
}

// Start runs the server again after Kill, on the same port and data, and returns when it has recovered and answers.
func (s *PostgresServer) Start() error {
	if !s.own {
		return errShared
	}
	if running(s.instance) {
		return errors.New("PostgreSQL runs already")
	}
	if err := s.instance.start(); err != nil {
		return err
	}
	return s.await()
}

// Restart stops the server and starts it again: immediately, in PostgreSQL's sense, cuts all connections, writes no
// checkpoint and recovers on start; otherwise sessions are ended and the data is in order.
func (s *PostgresServer) Restart(immediately bool) error {
	if !s.own {
		return errShared
	}
	signal := syscall.SIGINT
	if immediately {
		signal = syscall.SIGQUIT
	}
	if err := s.instance.stop(signal); err != nil {
		return err
	}
	return s.Start()
}

// close stops the server, or takes back what was made on somebody else's.
func (s *PostgresServer) close() error {
	if s.instance == nil {
		return s.dropTemplates()
	}
	if !running(s.instance) { // killed: its shared memory is given back by a server that ends in order
		if err := s.instance.start(); err != nil {
			return err
		}
		if err := s.await(); err != nil {
			return err
		}
	}
	return errors.Join(s.instance.stop(syscall.SIGINT), discard(s.instance, s.folder))
}

func (s *PostgresServer) dropTemplates() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, p := range s.templates {
		errs = append(errs, s.drop(p.name))
	}
	for _, name := range s.lent {
		errs = append(errs, s.drop(name))
	}
	return errors.Join(errs...)
}

func (s *PostgresServer) create(name, template string) error {
	statement := "CREATE DATABASE " + quoted(name)
	if template != "" {
		statement += " TEMPLATE " + quoted(template)
	}
	return s.execute(statement)
}

func (s *PostgresServer) drop(name string) error {
	return s.execute("DROP DATABASE IF EXISTS " + quoted(name) + " WITH (FORCE)")
}

func (s *PostgresServer) execute(statement string) error {
	ctx, cancel := within(callLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // the statement has been answered
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// await waits until the server answers.
func (s *PostgresServer) await() error {
	ctx, cancel := within(startLimit)
	defer cancel()
	for {
		version, err := s.ask(ctx)
		if err == nil {
			s.version = version
			return nil
		}
		if !running(s.instance) {
			return fmt.Errorf("PostgreSQL at %s ended\n%s", s.Addr(), s.instance.tail())
		}
		if ctx.Err() != nil {
			return fmt.Errorf("PostgreSQL at %s does not answer after %s: %w\n%s", s.Addr(), startLimit, err, s.instance.tail())
		}
		pause()
	}
}

// ask returns the versions of the server, and an error if it is another's that took the port.
func (s *PostgresServer) ask(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx) //nolint:errcheck // the query has been answered
	var server, vector, data string
	err = conn.QueryRow(ctx, `SELECT current_setting('server_version'), current_setting('data_directory'),
		coalesce((SELECT default_version FROM pg_available_extensions WHERE name = 'vector'), '')`).Scan(&server, &data, &vector)
	if err != nil {
		return "", err
	}
	if _, here := s.instance.(*child); here && !strings.HasPrefix(data, s.folder) {
		return "", fmt.Errorf("the server at %s has its data in %s: not this one's", s.Addr(), data)
	}
	if !atLeast(vector, 0, 8) {
		return "", fmt.Errorf("PostgreSQL at %s has vector %q, want 0.8 or newer", s.Addr(), vector)
	}
	return fmt.Sprintf("PostgreSQL %s, vector %s", server, vector), nil
}

// givenPostgres uses the server of RAE_TEST_POSTGRES_URL.
func givenPostgres(given string) (*PostgresServer, error) {
	base, err := url.Parse(given)
	if err != nil || base.Host == "" {
		return nil, errors.New("RAE_TEST_POSTGRES_URL must be the URL of a superuser: postgres://user:password@host:port/")
	}
	s := &PostgresServer{base: base, templates: map[string]*prepared{}}
	ctx, cancel := within(callLimit)
	defer cancel()
	version, err := s.ask(ctx)
	if err != nil {
		return nil, fmt.Errorf("RAE_TEST_POSTGRES_URL: %w", err)
	}
	s.version = version + ", of RAE_TEST_POSTGRES_URL"
	return s, nil
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

var unnameable = regexp.MustCompile(`[^a-z0-9]+`)

// uniqueName makes a name for a database that tells whose it is: at most 63 bytes, as PostgreSQL's names are.
func uniqueName(whose string) string {
	name := strings.Trim(unnameable.ReplaceAllString(strings.ToLower(whose), "_"), "_")
	return name[:min(len(name), 40)] + "_" + strings.ToLower(rand.Text()[:10])
}
