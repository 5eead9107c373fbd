// Package process runs RAE's programs as a user runs them: built once, started on a free port, watched until they
// answer, and ended gracefully or without warning.
package process

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	startLimit = 20 * time.Second // from exec to the line that names the address
	maxLog     = 1 << 20          // bytes of the last output kept
)

// Build compiles packages of the module in root into dir, without cgo, one program per package.
func Build(ctx context.Context, root, dir string, packages ...string) error {
	args := append([]string{"build", "-o", dir + string(filepath.Separator)}, packages...)
	build := exec.CommandContext(ctx, "go", args...)
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %v in %s: %w\n%s", packages, root, err, out)
	}
	return nil
}

// Command is a program to start.
type Command struct {
	Path string
	Args []string
	Env  []string // added to PATH and HOME, and nothing else of the caller's environment
	Dir  string   // working directory
}

// Process is a program that has told its address.
type Process struct {
	URL     string
	Started time.Time     // when it was executed
	Ready   time.Duration // from then to the address

	command *exec.Cmd
	ended   chan struct{}
	err     error // how it ended, once ended is closed
	log     *tail
}

// Start executes the program and waits until it logs the address it listens on. The caller ends it.
func Start(ctx context.Context, c Command) (*Process, error) {
	command := exec.Command(c.Path, c.Args...)
	command.Dir = c.Dir
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "PORT=0"}, c.Env...)
	p := &Process{command: command, ended: make(chan struct{}), log: &tail{}}
	command.Stdout = p.log
	reader, writer := io.Pipe()
	command.Stderr = writer
	p.Started = time.Now()
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	go func() {
		p.err = command.Wait()
		writer.Close() //nolint:errcheck // never fails
		close(p.ended)
	}()
	address := make(chan string, 1)
	go watch(reader, p.log, address)
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	select {
	case found := <-address:
		p.URL, p.Ready = "http://"+found, time.Since(p.Started)
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("%s ended before it listened: %w\n%s", c.Path, errors.Join(p.err), p.log)
	case <-limit.C:
	case <-ctx.Done():
	}
	p.Kill()
	return nil, fmt.Errorf("%s did not tell its address\n%s", c.Path, p.log)
}

// watch keeps what the program logs and tells the address it listens on.
func watch(r io.Reader, log io.Writer, address chan<- string) {
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		log.Write(line) //nolint:errcheck // a buffer
		var said struct{ Msg, Address string }
		if bytes.Contains(line, []byte(`"listening"`)) && json.Unmarshal(line, &said) == nil && said.Msg == "listening" {
			address <- said.Address
		}
		if err != nil {
			return
		}
	}
}

// Kill ends the program as a power cut would, and waits until it is gone.
func (p *Process) Kill() {
	p.command.Process.Kill() //nolint:errcheck // it may be gone already
	<-p.ended
}

// Terminate asks the program to end, with SIGTERM.
func (p *Process) Terminate() error { return p.command.Process.Signal(syscall.SIGTERM) }

// Wait waits until the program has ended and returns how; nil is exit code 0.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.ended:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Log is the last of what the program wrote.
func (p *Process) Log() string { return p.log.String() }

// tail keeps the last bytes written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if len(t.kept) > 2*maxLog {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-maxLog:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
