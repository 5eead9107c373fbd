package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestServeAnswersUntilItIsStopped(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reader, stdout := io.Pipe()
	var logs bytes.Buffer
	ended := make(chan int, 1)
	data := t.TempDir()
	go func() {
		code := run(ctx, []string{"serve", "--addr", "127.0.0.1:0", "--data", data}, strings.NewReader(""), stdout, &logs, func(string) (string, bool) { return "", false })
		_ = stdout.Close()
		ended <- code
	}()
	lines := bufio.NewReader(reader)
	first, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("%v; logs: %s", err, logs.String())
	}
	_, rest, _ := strings.Cut(first, "http://")
	address, _, _ := strings.Cut(rest, ";")
	var story strings.Builder
	for {
		line, err := lines.ReadString('\n')
		story.WriteString(line)
		if err != nil || strings.Contains(line, "/health") {
			break
		}
	}
	for _, part := range []string{"/v1/memories", "/v1/search", "/v1/context", "X-Tenant-ID", "http://" + address + "/docs", "http://" + address + "/health"} {
		if !strings.Contains(story.String(), part) {
			t.Errorf("what to try next lacks %q:\n%s%s", part, first, story.String())
		}
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()

	var health struct {
		Status     string
		Components map[string]string
	}
	get(t, ctx, http.MethodGet, "http://"+address+"/health", "", &health)
	if want := "{healthy map[database:healthy ml_service:healthy qdrant:disabled redis:disabled]}"; fmt.Sprint(health) != want {
		t.Errorf("got %+v, want %s", health, want)
	}
	var stored struct{ ID string }
	get(t, ctx, http.MethodPost, "http://"+address+"/v1/memories", `{"content":"Alice prefers window seats."}`, &stored)
	var found struct {
		Results []struct{ Memory struct{ ID string } }
	}
	get(t, ctx, http.MethodPost, "http://"+address+"/v1/search", `{"query":"Which seat does Alice like?"}`, &found)
	if len(found.Results) != 1 || found.Results[0].Memory.ID != stored.ID {
		t.Errorf("stored %+v, found %+v", stored, found)
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d; logs: %s", code, logs.String())
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the port is still open")
	}
	for _, word := range []string{"window seats", `"level":"ERROR"`, `"level":"WARN"`} {
		if strings.Contains(logs.String(), word) {
			t.Errorf("the log holds %s:\n%s", word, logs.String())
		}
	}
}

func get(t *testing.T, ctx context.Context, method, url, body string, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Tenant-ID", "demo")
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		t.Fatalf("%s %s: %s", method, url, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

func TestServeSaysWhyItCannotStart(t *testing.T) {
	t.Parallel()
	t.Run("the port is in use", func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		wantLine(t, raeIn(t, t.TempDir(), "", "serve", "--addr", listener.Addr().String()), 1,
			"port "+port+" is in use: stop what listens there, or choose another with --addr or PORT (0 for any free one)")
	})
	t.Run("the data folder is a file's place", func(t *testing.T) {
		t.Parallel()
		data := filepath.Join("serve_test.go", "data")
		wantLine(t, raeIn(t, data, "", "serve", "--addr", "127.0.0.1:0"), 2,
			"RAE_DATA_DIR=serve_test.go/data is not allowed: it must be a folder this program may write to (not a directory)")
	})
}
