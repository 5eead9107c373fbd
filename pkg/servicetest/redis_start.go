package servicetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

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
		if err == nil || try == startTries || !portTaken(err) {
			return s, err
		}
	}
}

// startRedisAt starts a server at a free port.
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
		return nil, errors.Join(err, discard(s.instance, dir))
	}
	if err := s.await(); err != nil {
		return nil, errors.Join(err, s.instance.stop(syscall.SIGKILL), discard(s.instance, dir))
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
