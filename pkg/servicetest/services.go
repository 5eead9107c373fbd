package servicetest

import (
	"errors"
	"sync"
)

// Services are servers for a program that is no test, such as a benchmark: nobody else uses them, and they are gone with
// their data after Close, or when the process ends without it.
type Services struct {
	folder *folder

	mu      sync.Mutex
	started []interface{ close() error }
}

// Open makes the folder that the servers of this process write to. It starts none.
func Open() (*Services, error) {
	cache, err := openCache()
	if err != nil {
		return nil, err
	}
	folder, err := newFolder(cache)
	if err != nil {
		return nil, err
	}
	return &Services{folder: folder}, nil
}

// Postgres starts a server that is durable, as OwnPostgres is. RAE_TEST_POSTGRES_URL does not apply.
func (s *Services) Postgres(settings map[string]string) (*PostgresServer, error) {
	server, err := startPostgres(s.folder, durable, settings)
	if err != nil {
		return nil, err
	}
	server.own = true
	s.keep(server)
	return server, nil
}

// Redis starts a server, as OwnRedis does. RAE_TEST_REDIS_URL does not apply.
func (s *Services) Redis(settings map[string]string) (*RedisServer, error) {
	server, err := startRedis(s.folder, settings)
	if err != nil {
		return nil, err
	}
	server.own = true
	s.keep(server)
	return server, nil
}

func (s *Services) keep(server interface{ close() error }) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = append(s.started, server)
}

// Close stops the servers and removes what they wrote.
func (s *Services) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, server := range s.started {
		errs = append(errs, server.close())
	}
	s.started = nil
	return errors.Join(append(errs, s.folder.remove())...)
}
