package servicetest_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/servicetest"
)

// childEnv says how the child process ends; the test below starts this test binary again with it set.
const childEnv = "RAE_SERVICETEST_CHILD"

// TestChildUsesServers is the child: it starts servers, tells where they are, and ends in one of the ways test binaries
// do. In the parent it has nothing to do.
func TestChildUsesServers(t *testing.T) {
	end := os.Getenv(childEnv)
	if end == "" {
		return
	}
	own := servicetest.OwnPostgres(t, nil)
	fmt.Println("servers", servicetest.Folder(), servicetest.Watchdog(), servicetest.Postgres(t).Addr(), own.Addr(), servicetest.Redis(t).Addr())
	switch end {
	case "fails":
		t.Fatal("as asked")
	case "panics":
		go panic("as asked")
	case "exits":
		os.Exit(3)
	}
	<-t.Context().Done() // killed before
}

// what a child told of itself.
type child struct {
	*exec.Cmd
	folder    string
	watchdog  int
	addresses []string
}

func startChild(t *testing.T, end string) child {
	t.Helper()
	c := child{Cmd: exec.Command(os.Args[0], "-test.run=^TestChildUsesServers$")}
	c.Env = append(os.Environ(), childEnv+"="+end)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill() //nolint:errcheck // it is gone
		c.Wait()         //nolint:errcheck // it was killed, or told to fail
	})
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said = append(said, lines.Text())
		words := strings.Fields(lines.Text())
		if len(words) > 3 && words[0] == "servers" {
			c.folder, c.addresses = words[1], words[3:]
			if c.watchdog, err = strconv.Atoi(words[2]); err != nil {
				t.Fatal(err)
			}
			return c
		}
	}
	t.Fatalf("the child said only %q", said)
	return c
}

// listening are the addresses at which somebody still answers.
func listening(addresses []string) []string {
	var still []string
	for _, address := range addresses {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close() //nolint:errcheck // it was only asked
			still = append(still, address)
		}
	}
	return still
}

// eventually waits until what is left is nothing.
func eventually(t *testing.T, left func() []string) {
	t.Helper()
	for limit := time.After(20 * time.Second); ; {
		still := left()
		if len(still) == 0 {
			return
		}
		select {
		case <-limit:
			t.Fatalf("left behind: %v", still)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestServersEndWithTheirTestBinary(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"fails", "panics", "exits", "killed"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			c := startChild(t, end)
			if end == "killed" {
				if still := listening(c.addresses); len(still) != 3 {
					t.Errorf("of %v only %v listen", c.addresses, still)
				}
				if err := c.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, func() []string {
				left := listening(c.addresses)
				if _, err := os.Stat(c.folder); err == nil {
					left = append(left, c.folder)
				}
				return left
			})
		})
	}
}

func TestServersEndWithoutTheirWatchdog(t *testing.T) {
	t.Parallel()
	c := startChild(t, "killed")
	for _, pid := range []int{c.watchdog, c.Process.Pid} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	c.Wait() //nolint:errcheck // it was killed
	eventually(t, func() []string { return listening(c.addresses) })
	if _, err := os.Stat(c.folder); err != nil {
		t.Fatalf("who removed the folder? %v", err)
	}
	servicetest.Postgres(t) // this process has a folder of its own there
	servicetest.Sweep(filepath.Dir(c.folder))
	if _, err := os.Stat(c.folder); !os.IsNotExist(err) {
		t.Errorf("the next test binary leaves the folder: %v", err)
	}
	if _, err := os.Stat(servicetest.Folder()); err != nil {
		t.Errorf("and removes one in use: %v", err)
	}
}
