package servicetest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
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
	options.DialerRetries, options.MaxRetries = 1, -1 // who waits for a server asks again by itself
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
