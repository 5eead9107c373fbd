// Package e2e_test tells stories to the real programs: built as users build them, run as processes, spoken to over
// HTTP.
package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rae-memory/rae/test/process"
)

// programs is where TestMain built them.
var programs string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "rae-e2e-")
	if err != nil {
		panic(err)
	}
	programs = dir
	code := 1
	if err := process.Build(context.Background(), "../..", dir, "./functions/cmd/..."); err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	os.Exit(code)
}

// world is a running program and how to speak to it.
type world struct {
	*testing.T
	process *process.Process
	data    string
	http    *http.Client
}

// serve starts rae serve on a data folder of its own, or on dir, with more of the environment.
func serve(t *testing.T, dir string, env ...string) *world {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	return start(t, "rae", dir, []string{"serve"}, env)
}

func start(t *testing.T, program, dir string, args, env []string) *world {
	t.Helper()
	p, err := process.Start(t.Context(), process.Command{
		Path: filepath.Join(programs, program), Args: args, Dir: dir,
		Env: append([]string{"RAE_DATA_DIR=" + dir, "RAE_LOG_LEVEL=info"}, env...),
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, process: p, data: dir, http: &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	}}
	t.Cleanup(func() {
		p.Kill()
		w.http.CloseIdleConnections()
		if t.Failed() {
			t.Logf("the program's log:\n%s", last(p.Log(), 4000))
		}
	})
	return w
}

func last(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// answer is a response read whole. Numbers in body keep their digits.
type answer struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (a *answer) String() string { return fmt.Sprintf("%d %s", a.status, last(string(a.raw), 600)) }

// try sends a request of tenant demo; headers are pairs, and one with an empty value is left out.
func (w *world) try(method, path string, body any, headers ...string) (*answer, error) {
	reader, err := bodyOf(body)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(w.Context(), method, w.process.URL+path, reader)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Tenant-ID", "demo")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := w.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	a := &answer{status: response.StatusCode, header: response.Header, raw: raw}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	_ = decoder.Decode(&a.body) // not every answer is an object
	return a, nil
}

// bodyOf is a body as given (string, bytes, a reader), or written as JSON.
func bodyOf(body any) (io.Reader, error) {
	switch body := body.(type) {
	case nil:
		return http.NoBody, nil
	case string:
		return bytes.NewReader([]byte(body)), nil
	case []byte:
		return bytes.NewReader(body), nil
	case io.Reader:
		return body, nil
	}
	raw, err := json.Marshal(body)
	return bytes.NewReader(raw), err
}

// do is try that must be answered.
func (w *world) do(method, path string, body any, headers ...string) *answer {
	w.Helper()
	a, err := w.try(method, path, body, headers...)
	if err != nil {
		w.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// want is do that must be answered with the status.
func (w *world) want(status int, method, path string, body any, headers ...string) *answer {
	w.Helper()
	a := w.do(method, path, body, headers...)
	if a.status != status {
		w.Fatalf("%s %s: got %v, want %d", method, path, a, status)
	}
	return a
}

// object is a JSON object to send.
type object = map[string]any

// list returns the objects of a list in an answer.
func (a *answer) list(name string) []object {
	items, _ := a.body[name].([]any)
	objects := make([]object, len(items))
	for i := range items {
		objects[i], _ = items[i].(object)
	}
	return objects
}

// number returns an integer of an answer, -1 when there is none.
func (a *answer) number(name string) int64 {
	n, ok := a.body[name].(json.Number)
	i, err := n.Int64()
	if !ok || err != nil {
		return -1
	}
	return i
}

// text returns a string in an object, by the path of its keys.
func text(o object, keys ...string) string {
	for _, key := range keys[:len(keys)-1] {
		o, _ = o[key].(object)
	}
	s, _ := o[keys[len(keys)-1]].(string)
	return s
}

// soon asks until the answer will do, for at most the limit.
func (w *world) soon(limit time.Duration, what string, done func() bool) {
	w.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline.C:
			w.Fatalf("not within %v: %s", limit, what)
		}
	}
}
