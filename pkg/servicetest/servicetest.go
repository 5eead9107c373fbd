// Package servicetest obtains and starts the real services that tests are run against: PostgreSQL with pgvector, and
// Redis. A test binary shares one server of each, started when the first test asks for it; a test that kills or tunes
// its server has one of its own. Nothing is mocked, nothing is installed into the system, and no test is left out: where
// a service can be had from nowhere, the test fails with the command that installs it.
//
// Where a service comes from, in this order: RAE_TEST_POSTGRES_URL or RAE_TEST_REDIS_URL (shared servers only, since
// nobody's server but one's own is killed); a local installation; Debian's packages, unpacked into a cache folder; Docker.
//
// Every server listens on 127.0.0.1 at a random port, writes into a folder of its own, and is gone with its data when
// the test binary ends, however it ends.
package servicetest

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"
)

const (
	startLimit = 60 * time.Second // from exec to the first answer; recovery after a kill included
	stopLimit  = 30 * time.Second // from the signal to the end of the process
	askLimit   = 5 * time.Second  // for one question whether it is ready
	callLimit  = 30 * time.Second // for one statement or command
)

// shared is what this process has running. It belongs to the process and to nothing smaller: `go test` has no other
// place that outlives a test and is shared by the tests of a package.
var shared binary

type binary struct {
	mu       sync.Mutex
	entered  bool // Main runs
	folder   *folder
	postgres *PostgresServer
	redis    *RedisServer
}

// Main runs the tests of a package that uses this one, ends the servers they shared, and exits:
//
//	func TestMain(m *testing.M) { servicetest.Main(m) }
func Main(m *testing.M) {
	shared.mu.Lock()
	shared.entered = true
	shared.mu.Unlock()
	code := m.Run()
	if err := shared.close(); err != nil {
		os.Stderr.WriteString("servicetest: " + err.Error() + "\n")
		code = max(code, 1)
	}
	os.Exit(code)
}

// own returns the folder of this process for a server of a test's own.
func (b *binary) own() (*folder, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.use()
}

// use returns the folder of this process, which is made, and watched, when the first server is started. The caller
// holds b.mu.
func (b *binary) use() (*folder, error) {
	if !b.entered {
		return nil, errors.New("nobody would stop the server: the package needs func TestMain(m *testing.M) { servicetest.Main(m) }")
	}
	if b.folder == nil {
		cache, err := openCache()
		if err != nil {
			return nil, err
		}
		if b.folder, err = newFolder(cache); err != nil {
			return nil, err
		}
	}
	return b.folder, nil
}

func (b *binary) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	if b.postgres != nil {
		errs = append(errs, b.postgres.close())
	}
	if b.redis != nil {
		errs = append(errs, b.redis.close())
	}
	if b.folder != nil {
		errs = append(errs, b.folder.remove())
	}
	return errors.Join(errs...)
}

// within limits a call to a service. It is no child of the test's context, because servers outlive tests and clean up
// after them.
func within(limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), limit)
}
