package servicetest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
)

// startPostgres starts a server from wherever one can be had. Another process may take its port before it does; then it
// tries another.
func startPostgres(f *folder, settings ...map[string]string) (*PostgresServer, error) {
	with := maps.Clone(always)
	for _, more := range settings {
		maps.Copy(with, more)
	}
	from, err := obtainPostgres(f.cache)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		s, err := startPostgresAt(f, from, with)
		if err == nil || try == startTries || !portTaken(err) {
			return s, err
		}
	}
}

// startPostgresAt starts a server at a free port.
func startPostgresAt(f *folder, from origin, settings map[string]string) (*PostgresServer, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := f.server("postgres")
	if err != nil {
		return nil, err
	}
	s := &PostgresServer{
		base:      &url.URL{Scheme: "postgres", User: url.User("postgres"), Host: address(port), RawQuery: "sslmode=disable"},
		folder:    dir,
		templates: map[string]*prepared{},
	}
	if from.image != "" {
		s.instance = postgresContainer(dir, from.image, port, settings)
	} else if s.instance, err = postgresChild(f, dir, from, port, settings); err != nil {
		return nil, err
	}
	if err := s.instance.start(); err != nil {
		return nil, errors.Join(err, discard(s.instance, dir))
	}
	if err := s.await(); err != nil {
		return nil, errors.Join(err, s.instance.stop(syscall.SIGQUIT), discard(s.instance, dir))
	}
	s.version += ", " + from.told
	return s, nil
}

func postgresChild(f *folder, dir string, from origin, port int, settings map[string]string) (instance, error) {
	prepared, err := preparePostgres(f.cache, from)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := f.copyTree(data, prepared); err != nil {
		return nil, err
	}
	// No Unix socket: the path of one has room for 107 bytes, and folders may be deep.
	args := []string{"-D", data, "-p", fmt.Sprint(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="}
	return &child{
		dir: dir, path: filepath.Join(from.bin, "postgres"), args: append(args, flags(settings)...), as: f.as,
		orphaned: syscall.SIGQUIT, // ends its children too, and gives back shared memory
	}, nil
}

func flags(settings map[string]string) []string {
	var args []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// preparePostgres makes the data folder that servers start from, once for each installation and user: initdb takes a
// second or two, a copy of what it made a tenth.
func preparePostgres(c cache, from origin) (string, error) {
	owner := os.Geteuid()
	if c.as != nil {
		owner = c.as.uid
	}
	sum := sha256.Sum256(fmt.Append(nil, from.bin, from.major, owner))
	name := "data-" + hex.EncodeToString(sum[:6])
	final := filepath.Join(c.dir, name)
	if exists(final) {
		return final, nil
	}
	return final, c.exclusively(name, func() error {
		if exists(final) {
			return nil
		}
		partial, err := c.partial(name)
		if err != nil {
			return err
		}
		defer os.RemoveAll(partial) //nolint:errcheck // the next one tries again
		if err := c.give(partial); err != nil {
			return err
		}
		args := []string{"-D", filepath.Join(partial, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"}
		if from.major >= 17 {
			args = append(args, "--locale-provider=builtin") // the same order on every machine
		}
		cmd := exec.Command(filepath.Join(from.bin, "initdb"), args...)
		cmd.Dir, cmd.Env, cmd.SysProcAttr = partial, environment(), attributes(c.as, syscall.SIGKILL)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("initdb: %w\n%s", err, out)
		}
		if err := os.Rename(filepath.Join(partial, "data"), final); err != nil && !exists(final) {
			return err
		}
		return nil
	})
}

// partial makes the folder in which something is prepared, and removes those of processes that were killed at it. The
// caller has the lock of the name.
func (c cache) partial(name string) (string, error) {
	left, _ := filepath.Glob(filepath.Join(c.dir, name+".partial-*")) // the pattern is well formed
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
	dir, err := os.MkdirTemp(c.dir, name+".partial-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}
