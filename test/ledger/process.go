package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// process is a child with an assignment.
type process struct {
	assignment
	command *exec.Cmd
	stdin   io.Closer
	stdout  io.Reader // of one that waits to be killed
	stderr  bytes.Buffer
}

func start(a assignment) (*process, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	p := &process{assignment: a, command: exec.Command(executable)}
	p.command.Env = append(os.Environ(), childEnv+"="+string(text))
	p.command.Stderr = &p.stderr
	stdin, err := p.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdin, p.stdout = stdin, stdout
	return p, p.command.Start()
}

// end lets the process make its last calls.
func (p *process) end() error {
	_ = p.stdin.Close()
	if err := p.command.Wait(); err != nil {
		return fmt.Errorf("process %s: %w\n%s", p.Name, err, &p.stderr)
	}
	return nil
}

// kill ends the process where it is. It is an error that it had ended before.
func (p *process) kill() error {
	_ = p.command.Process.Kill()
	var exit *exec.ExitError
	if err := p.command.Wait(); errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled() {
		return nil
	}
	return fmt.Errorf("process %s ended before it was killed\n%s", p.Name, &p.stderr)
}
