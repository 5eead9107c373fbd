package servicetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// instance is one server as something that runs and ends: a process of this machine, or a container.
type instance interface {
	// start runs the server; it may not answer yet.
	start() error
	// stop sends a signal and waits for the end.
	stop(signal syscall.Signal) error
	// kill ends the server and all its processes with SIGKILL.
	kill() error
	// ended is closed once the server has ended. Before the first start it is nil.
	ended() <-chan struct{}
	// tail is the end of what it logged.
	tail() string
}

// ports are outside the range from which Linux gives ports to clients, so that a server that was killed finds its port
// free again.
const firstPort, lastPort = 20000, 32000

// freePort finds a port of 127.0.0.1 that nobody listens on. Between this and its use another may take it: who uses it
// asks the server whether it is the one.
func freePort() (int, error) {
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if l, err := net.Listen("tcp", address(port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("no free port in 100 tries between %d and %d", firstPort, lastPort)
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// startTries is how many ports a server is started at before that fails.
const startTries = 5

// portTaken tells whether a server did not start because another process was faster at its port.
func portTaken(err error) bool {
	return strings.Contains(err.Error(), "Address already in use") || strings.Contains(err.Error(), "port is already allocated")
}

// lastLines is the end of a log file, for a message about a server that does not start.
func lastLines(path string) string {
	const most = 4 << 10 // bytes
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// running tells whether the instance has been started and has not ended.
func running(i instance) bool {
	ended := i.ended()
	if ended == nil {
		return false
	}
	select {
	case <-ended:
		return false
	default:
		return true
	}
}

// discard removes what an ended server leaves behind.
func discard(i instance, dir string) error {
	var err error
	if c, ok := i.(*container); ok {
		err = c.remove()
	}
	return errors.Join(err, os.RemoveAll(dir))
}
