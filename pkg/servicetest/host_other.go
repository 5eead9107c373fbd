//go:build !linux

package servicetest

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// attributes are none: without the kernel's word about an orphan, the watchdog alone ends it.
func attributes(*identity, syscall.Signal) *syscall.SysProcAttr { return nil }

// lock says that it cannot: what two binaries prepare at once is put in its place by one rename, so work is lost and
// nothing else.
func lock(*os.File) error { return syscall.ENOTSUP }

// abandoned never knows.
func abandoned(*os.File) bool { return false }

func freeze(*os.Process) {}

func children(parent int) []int {
	out, _ := exec.Command("pgrep", "-P", strconv.Itoa(parent)).Output() // none found is an error to it
	var found []int
	for _, word := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(word); err == nil {
			found = append(found, pid)
		}
	}
	return found
}

func gone(pid int) bool {
	p, err := os.FindProcess(pid)
	return err != nil || p.Signal(syscall.Signal(0)) != nil
}
