package ledger

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// log is what a process writes down: a line before each call, a line after its answer. Each is one write of the system,
// so that a process which is killed has left all it wrote, but perhaps the end of its last line.
type log struct {
	mu   sync.Mutex
	file *os.File
}

// entry is a line: a call, or an answer under the name of its call.
type entry struct {
	Call   *Op     `json:"call,omitempty"`
	Name   string  `json:"name,omitempty"`
	Return int64   `json:"return,omitempty"`
	Answer *Answer `json:"answer,omitempty"`
}

func (l *log) write(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.file.Write(append(line, '\n'))
	return err
}

// readLog returns the calls of a process that is gone. Those without an answer are Unknown, and returned Never.
func readLog(path string) ([]Op, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // killed before it could begin
	}
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	var ops []Op
	place := map[string]int{}
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return ops, nil // what has no end was cut off
		}
		if err != nil {
			return nil, err
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%s: %w: %s", path, err, line)
		}
		if e.Call != nil {
			place[e.Call.Name] = len(ops)
			e.Call.Return = Never
			ops = append(ops, *e.Call)
			continue
		}
		o := &ops[place[e.Name]]
		o.Answer = *e.Answer
		if o.Answer.Outcome != Unknown {
			o.Return = e.Return
		}
	}
}
