package servicetest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// folder holds what the servers of one test binary write. It ends with the binary: by remove, or, when the binary
// panicked or was killed, by the watchdog; or, when that was killed too, by the next binary.
type folder struct {
	cache
	dir      string
	held     *os.File // locked as long as this process lives
	watchdog *exec.Cmd
	alive    io.WriteCloser // the watchdog reads from it, and what it reads is the end
	servers  atomic.Int64   // started so far
}

// newFolder makes a folder and sweeps those that others left.
func newFolder(c cache) (*folder, error) {
	f := &folder{cache: c}
	running := filepath.Join(c.dir, "run")
	if err := os.MkdirAll(running, 0o755); err != nil {
		return nil, err
	}
	// One at a time: a folder that is not yet locked looks abandoned.
	err := c.exclusively("run", func() error {
		sweep(running)
		return f.make(running)
	})
	if err != nil {
		return nil, err
	}
	return f, f.watch()
}

func (f *folder) make(running string) (err error) {
	if f.dir, err = os.MkdirTemp(running, strconv.Itoa(os.Getpid())+"-"); err != nil {
		return err
	}
	if err := os.Chmod(f.dir, 0o755); err != nil {
		return err
	}
	if f.held, err = os.OpenFile(filepath.Join(f.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644); err != nil {
		return err
	}
	if err := lock(f.held); err != nil && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}

// last ends the servers of the folder $1 and removes it: SIGQUIT has PostgreSQL end its children and give back shared
// memory; what does not listen to it is killed.
const last = `
for pid in "$1"/*/pid; do
	[ -f "$pid" ] || continue
	read -r number <"$pid"
	kill -QUIT "$number" 2>/dev/null
	tries=50
	while [ $tries -gt 0 ] && kill -0 "$number" 2>/dev/null; do sleep 0.1; tries=$((tries - 1)); done
	kill -KILL "$number" 2>/dev/null
done
for name in "$1"/*/container; do
	[ -f "$name" ] && docker rm -f "$(cat "$name")" >/dev/null 2>&1
done
tries=20
while ! rm -rf "$1" 2>/dev/null && [ $tries -gt 0 ]; do sleep 0.1; tries=$((tries - 1)); done
`

// watch starts the watchdog: it waits for the end of its input, which is the end of this process, whatever ended it.
func (f *folder) watch() (err error) {
	f.watchdog = exec.Command("sh", "-c", "cat >/dev/null\n"+last, "sh", f.dir)
	f.watchdog.Dir = "/"
	f.watchdog.SysProcAttr = attributes(nil, 0)
	if f.alive, err = f.watchdog.StdinPipe(); err != nil {
		return err
	}
	if err := f.watchdog.Start(); err != nil {
		return fmt.Errorf("start the watchdog of %s: %w", f.dir, err)
	}
	return nil
}

// sweep ends what is left of test binaries that went with their watchdog.
func sweep(running string) {
	locks, _ := filepath.Glob(filepath.Join(running, "*", "lock")) // the pattern is well formed
	for _, name := range locks {
		file, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			continue // gone between, or another user's
		}
		if abandoned(file) {
			exec.Command("sh", "-c", last, "sh", filepath.Dir(name)).Run() //nolint:errcheck // the next one tries again
		}
		file.Close() //nolint:errcheck // only locked
	}
}

// remove deletes the folder and ends the watchdog, which finds nothing to do.
func (f *folder) remove() error {
	err := os.RemoveAll(f.dir)
	f.alive.Close() //nolint:errcheck // its reader may be gone
	return errors.Join(err, f.watchdog.Wait(), f.held.Close())
}

// server makes the folder of one server.
func (f *folder) server(name string) (string, error) {
	dir := filepath.Join(f.dir, fmt.Sprintf("%s-%d", name, f.servers.Add(1)))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	return dir, f.give(dir)
}

// pause waits a moment between two looks at something that cannot be waited for.
func pause() { <-time.After(5 * time.Millisecond) }
