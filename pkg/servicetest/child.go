package servicetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// child is a server that runs as a process of this one.
type child struct {
	dir      string // of this server: its log and pid are there
	path     string
	args     []string
	as       *identity
	orphaned syscall.Signal // what it is sent when the test process is gone

	process *os.Process
	done    chan struct{}
}

func (c *child) start() error {
	log, err := os.OpenFile(c.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.Command(c.path, c.args...)
	cmd.Dir, cmd.Env = c.dir, environment()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = attributes(c.as, c.orphaned)
	started, done := make(chan error), make(chan struct{})
	go func() {
		// The kernel takes the end of the thread that started the child for the end of its parent: this thread stays.
		runtime.LockOSThread()
		defer log.Close() //nolint:errcheck // the child has its own
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait() //nolint:errcheck // it is ended by signals; how is in its log
			close(done)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", c.path, err)
	}
	c.process, c.done = cmd.Process, done
	return os.WriteFile(c.pid(), []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o644)
}

func (c *child) log() string { return filepath.Join(c.dir, "log") }

// pid is the file that tells the watchdog whom to end.
func (c *child) pid() string { return filepath.Join(c.dir, "pid") }

func (c *child) ended() <-chan struct{} { return c.done }

func (c *child) tail() string { return lastLines(c.log()) }

func (c *child) stop(signal syscall.Signal) error {
	if !running(c) {
		return nil
	}
	if err := c.process.Signal(signal); err != nil && running(c) {
		return err
	}
	return c.await()
}

func (c *child) kill() error {
	if !running(c) {
		return fmt.Errorf("%s does not run", c.path)
	}
	freeze(c.process)
	family := children(c.process.Pid)
	for _, pid := range family {
		if p, err := os.FindProcess(pid); err == nil {
			p.Kill() //nolint:errcheck // it may be gone
		}
	}
	c.process.Kill() //nolint:errcheck // it may be gone
	if err := c.await(); err != nil {
		return err
	}
	for limit := time.Now().Add(stopLimit); ; pause() {
		alive := 0
		for _, pid := range family {
			if !gone(pid) {
				alive++
			}
		}
		if alive == 0 {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("%d children of %s outlive SIGKILL by %s", alive, c.path, stopLimit)
		}
	}
}

// await waits for the end, and kills what does not come to it.
func (c *child) await() error {
	select {
	case <-c.done:
	case <-time.After(stopLimit):
		c.process.Kill() //nolint:errcheck // it may be gone
		<-c.done
		return fmt.Errorf("%s did not end within %s and was killed\n%s", c.path, stopLimit, c.tail())
	}
	return os.Remove(c.pid())
}

// environment is what servers see of this process': where programs are, and nothing that would make them differ from
// one machine to the next.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
}
