package servicetest

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// attributes start a program in a process group of its own, so that Ctrl-C reaches the tests alone, under another user
// where one is given, and have the kernel send it a signal when the test process is gone.
func attributes(as *identity, orphaned syscall.Signal) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: orphaned}
	if as != nil {
		a.Credential = &syscall.Credential{Uid: uint32(as.uid), Gid: uint32(as.gid)}
	}
	return a
}

// lock waits until no other process holds the file. The kernel lets go of it when this process ends.
func lock(file *os.File) error { return flock(file, syscall.LOCK_EX) }

// abandoned tells whether no living process holds the file.
func abandoned(file *os.File) bool { return flock(file, syscall.LOCK_EX|syscall.LOCK_NB) == nil }

func flock(file *os.File, how int) error {
	for {
		if err := syscall.Flock(int(file.Fd()), how); err != syscall.EINTR {
			return err
		}
	}
}

// freeze stops a process where it is, so that it starts no more children before it is killed.
func freeze(p *os.Process) {
	p.Signal(syscall.SIGSTOP) //nolint:errcheck // it may be gone
}

// children are the processes a process has started and not yet reaped. Those of PostgreSQL are sessions of their own, so
// the process group does not name them.
func children(parent int) []int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	var found []int
	for _, stat := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if _, of, ok := status(pid); ok && err == nil && of == parent {
			found = append(found, pid)
		}
	}
	return found
}

// gone tells whether a process has ended; one that nobody has reaped yet has.
func gone(pid int) bool {
	state, _, ok := status(pid)
	return !ok || state == "Z" || state == "X"
}

// status reads the state and the parent of a process, of proc(5), /proc/pid/stat.
func status(pid int) (state string, parent int, ok bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", 0, false
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:]) // the name before may hold spaces and parentheses
	if len(fields) < 2 {
		return "", 0, false
	}
	parent, err = strconv.Atoi(string(fields[1]))
	return string(fields[0]), parent, err == nil
}
