package servicetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// RedisServer is a Redis, 7.0 or newer.
type RedisServer struct {
	base      *url.URL // without a database
	databases int
	version   string
	instance  instance // nil when the server is somebody else's
	folder    string   // its files, when it is this process'
	own       bool     // one test's; may be killed
}

// Settings of every server: nothing is written to disk unless a test asks for it.
var redisSettings = map[string]string{"save": "", "appendonly": "no", "databases": "256"}

// Redis returns the server that the tests of this binary share, and starts it for the first of them. A test uses a
// database of its own on it.
func Redis(t testing.TB) *RedisServer {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.redis != nil {
		return shared.redis
	}
	folder, err := shared.use()
	if err != nil {
		t.Fatal(err)
	}
	var s *RedisServer
	if given := os.Getenv("RAE_TEST_REDIS_URL"); given != "" {
		s, err = givenRedis(given)
	} else {
		s, err = startRedis(folder, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	shared.redis = s
	return s
}

// OwnRedis starts a server for one test, which may kill it and start it again, and stops it when the test ends. It keeps
// nothing on disk unless settings, which are those of redis.conf, say so. RAE_TEST_REDIS_URL does not apply.
func OwnRedis(t testing.TB, settings map[string]string) *RedisServer {
	t.Helper()
	folder, err := shared.own()
	if err != nil {
		t.Fatal(err)
	}
	s, err := startRedis(folder, settings)
	if err != nil {
		t.Fatal(err)
	}
	s.own = true
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the log of Redis at %s:\n%s", s.Addr(), s.instance.tail())
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// URL is how to connect to database 0, which all tests see, and which holds who uses which of the others.
func (s *RedisServer) URL() string { return s.url(0) }

func (s *RedisServer) url(database int) string {
	u := *s.base
	u.Path = "/" + strconv.Itoa(database)
	return u.String()
}

// Addr is the address the server listens on, host:port.
func (s *RedisServer) Addr() string {
	if s.base.Port() == "" {
		return s.base.Host + ":6379"
	}
	return s.base.Host
}

// Version says which server this is, and where it comes from.
func (s *RedisServer) Version() string { return s.version }

// claimLimit is when a database that a killed process had claimed is free again.
const claimLimit = 15 * time.Minute

// Database returns the URL of an empty database that no other test uses, on whichever machine. It is emptied when the
// test ends.
func (s *RedisServer) Database(t testing.TB) string {
	t.Helper()
	number, err := s.claim()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.own {
			return // its data goes with the server, which may be dead by now
		}
		if err := s.release(number); err != nil {
			t.Error(err)
		}
	})
	return s.url(number)
}

func claimKey(database int) string { return "rae:servicetest:database:" + strconv.Itoa(database) }

func (s *RedisServer) claim() (int, error) {
	ctx, cancel := within(callLimit)
	defer cancel()
	client, err := s.client(0)
	if err != nil {
		return 0, err
	}
	defer client.Close() //nolint:errcheck // all has been answered
	for number := 1; number < s.databases; number++ {
		err := client.SetArgs(ctx, claimKey(number), os.Getpid(), redis.SetArgs{Mode: "NX", TTL: claimLimit}).Err()
		if errors.Is(err, redis.Nil) {
			continue
		} else if err != nil {
			return 0, err
		}
		return number, s.flush(ctx, number)
	}
	return 0, fmt.Errorf("all %d databases of Redis at %s are in use by tests", s.databases-1, s.Addr())
}

func (s *RedisServer) release(number int) error {
	ctx, cancel := within(callLimit)
	defer cancel()
	if err := s.flush(ctx, number); err != nil {
		return err
	}
	client, err := s.client(0)
	if err != nil {
		return err
	}
	return errors.Join(client.Del(ctx, claimKey(number)).Err(), client.Close())
}

func (s *RedisServer) flush(ctx context.Context, number int) error {
	client, err := s.client(number)
	if err != nil {
		return err
	}
	return errors.Join(client.FlushDB(ctx).Err(), client.Close())
}

func (s *RedisServer) client(database int) (*redis.Client, error) {
	options, err := redis.ParseURL(s.url(database))
	if err != nil {
		return nil, err
	}
	return redis.NewClient(options), nil
}

// Kill ends the server with SIGKILL.
func (s *RedisServer) Kill() error {
	if !s.own {
		return errShared
	}
	return s.instance.kill()
}

// Start runs the server again after Kill, on the same port and data, and returns when it answers.
func (s *RedisServer) Start() error {
	if !s.own {
		return errShared
	}
	if running(s.instance) {
		return errors.New("Redis runs already") //nolint:staticcheck // a name
	}
	if err := s.instance.start(); err != nil {
		return err
	}
	return s.await()
}

func (s *RedisServer) close() error {
	if s.instance == nil {
		return nil
	}
	err := s.instance.stop(syscall.SIGKILL) // it writes nothing that anybody will read
	return errors.Join(err, discard(s.instance, s.folder))
}

// startRedis starts a server from wherever one can be had. Another process may take its port before it does; then it
// tries another.
func startRedis(f *folder, settings map[string]string) (*RedisServer, error) {
	with := maps.Clone(redisSettings)
	maps.Copy(with, settings)
	from, err := obtainRedis(f.cache)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		s, err := startRedisAt(f, from, with)
		if err == nil || try == 5 || s == nil || !strings.Contains(s.instance.tail(), "Address already in use") {
			return s, err
		}
	}
}

// startRedisAt starts a server at a free port. With an error comes the server, if it came to be one.
func startRedisAt(f *folder, from origin, settings map[string]string) (*RedisServer, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := f.server("redis")
	if err != nil {
		return nil, err
	}
	s := &RedisServer{base: &url.URL{Scheme: "redis", Host: address(port)}, folder: dir}
	args := []string{"--daemonize", "no"}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "--"+name, settings[name])
	}
	if from.image != "" {
		s.instance = redisContainer(dir, from.image, port, args)
	} else {
		args = append([]string{"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", dir}, args...)
		s.instance = &child{dir: dir, path: filepath.Join(from.bin, "redis-server"), args: args, as: f.as, orphaned: syscall.SIGKILL}
	}
	if err := s.instance.start(); err != nil {
		return nil, err
	}
	if err := s.await(); err != nil {
		return s, errors.Join(err, s.instance.stop(syscall.SIGKILL))
	}
	s.version += ", " + from.told
	return s, nil
}

func (s *RedisServer) await() error {
	ctx, cancel := within(startLimit)
	defer cancel()
	for {
		err := s.ask(ctx)
		if err == nil {
			return nil
		}
		if !running(s.instance) {
			return fmt.Errorf("Redis at %s ended\n%s", s.Addr(), s.instance.tail()) //nolint:staticcheck // a name
		}
		if ctx.Err() != nil {
			return fmt.Errorf("Redis at %s does not answer after %s: %w\n%s", s.Addr(), startLimit, err, s.instance.tail()) //nolint:staticcheck // a name
		}
		pause()
	}
}

// ask learns the server's version and number of databases; an error if it is another's that took the port.
func (s *RedisServer) ask(ctx context.Context) error {
	client, err := s.client(0)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // all has been answered
	config, err := client.ConfigGet(ctx, "*").Result()
	if err != nil {
		return err
	}
	if _, here := s.instance.(*child); here && config["dir"] != s.folder {
		return fmt.Errorf("the server at %s writes to %s: not this one", s.Addr(), config["dir"])
	}
	if s.databases, err = strconv.Atoi(config["databases"]); err != nil {
		return err
	}
	info, err := client.InfoMap(ctx, "server").Result()
	if err != nil {
		return err
	}
	version := info["Server"]["redis_version"]
	if !atLeast(version, 7, 0) {
		return fmt.Errorf("Redis at %s is %q, want 7.0 or newer", s.Addr(), version) //nolint:staticcheck // a name
	}
	s.version = "Redis " + version
	return nil
}

// givenRedis uses the server of RAE_TEST_REDIS_URL.
func givenRedis(given string) (*RedisServer, error) {
	base, err := url.Parse(given)
	if err != nil || base.Host == "" {
		return nil, errors.New("RAE_TEST_REDIS_URL must be redis://user:password@host:port/")
	}
	s := &RedisServer{base: base}
	ctx, cancel := within(callLimit)
	defer cancel()
	if err := s.ask(ctx); err != nil {
		return nil, fmt.Errorf("RAE_TEST_REDIS_URL: %w", err)
	}
	s.version += ", of RAE_TEST_REDIS_URL"
	return s, nil
}
