package serve_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/serve"
)

// patience bounds every wait of these tests; only a failing one takes it.
const patience = 20 * time.Second

type lines struct {
	httpapi.Scoped
	httpapi.StreamIn
}

// importing is the import route with a body of the test's.
func importing(handle func(context.Context, io.Reader) (*said, error)) *function {
	return &function{name: "store", routes: func(api huma.API) {
		httpapi.Register(api, huma.Operation{OperationID: "import", Method: http.MethodPost, Path: "/v1/memories/import"},
			func(ctx context.Context, in *lines) (*said, error) { return handle(ctx, in.Reader()) })
	}}
}

func exporting(write func(context.Context, io.Writer) error) *function {
	return &function{name: "store", routes: func(api huma.API) {
		httpapi.Register(api, huma.Operation{OperationID: "export", Method: http.MethodGet, Path: "/v1/memories/export"},
			func(context.Context, *httpapi.Scoped) (*huma.StreamResponse, error) {
				return httpapi.StreamOut(write), nil
			})
	}}
}

// dial opens a bare connection, to be as rude as clients can be.
func dial(t *testing.T, h *host) net.Conn {
	t.Helper()
	var dialer net.Dialer
	connection, err := dialer.DialContext(t.Context(), "tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

func within[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not happen within %s", what, patience)
		panic("unreachable")
	}
}

func TestAHeaderThatNeverEndsIsCut(t *testing.T) {
	t.Parallel()
	h := start(t, local())
	slow := dial(t, h)
	if _, err := io.WriteString(slow, "GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err := io.ReadAll(slow)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the connection still stands after %s", time.Since(began))
	}
	if status, _, _ := h.get(t, "/health/live"); status != http.StatusOK {
		t.Errorf("others get %d", status)
	}
}

// TestABodyThatStallsIsAnswered sends a part of the body that was announced and then nothing, whatever the server makes
// of the request: net/http reads what is left of a body before it answers, and would wait for it for ever.
func TestABodyThatStallsIsAnswered(t *testing.T) {
	t.Parallel()
	cfg := local()
	cfg.RequestTimeout, cfg.StreamTimeout = 50*time.Millisecond, 50*time.Millisecond
	store := importing(func(_ context.Context, in io.Reader) (*said, error) {
		if _, err := io.Copy(io.Discard, in); err != nil {
			return nil, fault.Wrap(fault.Malformed, err, "the lines ended early")
		}
		return say("read"), nil
	})
	streams := store.routes
	store.routes = func(api huma.API) {
		streams(api)
		exporting(func(context.Context, io.Writer) error { return nil }).routes(api)
		huma.Register(api, huma.Operation{OperationID: "count", Method: http.MethodGet, Path: "/v1/counts"},
			func(context.Context, *struct{}) (*said, error) { return say("none"), nil })
		httpapi.Register(api, huma.Operation{OperationID: "keep", Method: http.MethodPost, Path: "/v1/memories"},
			func(context.Context, *struct {
				httpapi.Scoped
				Body struct{}
			}) (*said, error) {
				return say("kept"), nil
			})
	}
	h := start(t, cfg, store)
	const tenant, length, chunked = "X-Tenant-ID: acme\r\n", "Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n64\r\n{"
	for _, c := range []struct {
		name, request string
		want          int
	}{
		{"a JSON body", "POST /v1/memories HTTP/1.1\r\nContent-Type: application/json\r\n" + tenant + length, 408},
		{"a JSON body in chunks", "POST /v1/memories HTTP/1.1\r\nContent-Type: application/json\r\n" + tenant + chunked, 408},
		{"no tenant", "POST /v1/memories HTTP/1.1\r\n" + length, 400},
		{"a body nobody asked for", "GET /v1/counts HTTP/1.1\r\n" + tenant + length, 200},
		{"a stream", "POST /v1/memories/import HTTP/1.1\r\nContent-Type: application/x-ndjson\r\n" + tenant + length, 400},
		{"a stream without a tenant", "POST /v1/memories/import HTTP/1.1\r\n" + length, 400},
		{"a stream of something else", "POST /v1/memories/import HTTP/1.1\r\nContent-Type: text/plain\r\n" + tenant + chunked, 415},
		{"a body for a stream that only answers", "GET /v1/memories/export HTTP/1.1\r\n" + tenant + length, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			slow := dial(t, h)
			line, rest, _ := strings.Cut(c.request, "\r\n")
			if _, err := io.WriteString(slow, line+"\r\nHost: localhost\r\n"+rest); err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(slow), nil)
			if err != nil {
				t.Fatalf("no answer: %v", err)
			}
			defer answer.Body.Close()
			if answer.StatusCode != c.want {
				t.Errorf("status %d, want %d", answer.StatusCode, c.want)
			}
		})
	}
}

func TestAHeaderOver64KiBIsRefused(t *testing.T) {
	t.Parallel()
	h := start(t, local())
	fat := dial(t, h)
	go func() {
		_, _ = io.WriteString(fat, "GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Fat: "+strings.Repeat("x", 80<<10)+"\r\n\r\n")
	}()
	answer, err := http.ReadResponse(bufio.NewReader(fat), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", answer.StatusCode)
	}
}

func TestHTTP2IsSpokenWithoutTLS(t *testing.T) {
	t.Parallel()
	h := start(t, local())
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	t.Cleanup(transport.CloseIdleConnections)
	h.client = &http.Client{Transport: transport}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+"/health/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := h.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.ProtoMajor != 2 || answer.StatusCode != http.StatusOK {
		t.Errorf("%s %d", answer.Proto, answer.StatusCode)
	}
}

func TestAnOrdinaryRequestHasADeadlineForEverything(t *testing.T) {
	t.Parallel()
	cfg := local()
	cfg.RequestTimeout = 50 * time.Millisecond
	h := start(t, cfg, things(func(ctx context.Context, _ *thing) (*said, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}))
	if status, _, body := h.get(t, "/v1/things/1"); status != http.StatusGatewayTimeout {
		t.Errorf("work: %d %s", status, body)
	}
}

func TestAStreamMayTakeLongerThanARequest(t *testing.T) {
	t.Parallel()
	cfg := local()
	cfg.RequestTimeout = 10 * time.Millisecond
	h := start(t, cfg, importing(func(ctx context.Context, body io.Reader) (*said, error) {
		if deadline, ok := ctx.Deadline(); ok {
			return nil, fmt.Errorf("import must end in %s", time.Until(deadline))
		}
		scanner, n := bufio.NewScanner(body), 0
		for scanner.Scan() {
			n++
		}
		return say(fmt.Sprint(n)), scanner.Err()
	}))
	reader, writer := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"/v1/memories/import", reader)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Tenant-ID", "acme")
	r.Header.Set("Content-Type", "application/x-ndjson")
	go func() {
		for range 5 {
			_, _ = io.WriteString(writer, "{}\n")
			<-time.After(2 * cfg.RequestTimeout)
		}
		_ = writer.Close()
	}()
	answer, err := h.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if body, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK || string(body) != `{"said":"5"}`+"\n" {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
}

func TestAStreamMayNotFallSilent(t *testing.T) {
	t.Parallel()
	cfg := local()
	cfg.StreamTimeout = 50 * time.Millisecond
	read := make(chan error, 1)
	h := start(t, cfg, importing(func(_ context.Context, body io.Reader) (*said, error) {
		_, err := io.Copy(io.Discard, body)
		read <- err
		return nil, err
	}))
	silent := dial(t, h)
	if _, err := io.WriteString(silent, "POST /v1/memories/import HTTP/1.1\r\nHost: localhost\r\nX-Tenant-ID: acme\r\n"+
		"Content-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n{}\n"); err != nil {
		t.Fatal(err)
	}
	if err := within(t, "the end of the read", read); fault.KindOf(err) != fault.Malformed {
		t.Errorf("the read ended with %v", err)
	}
}

func TestAStreamNobodyReadsIsCut(t *testing.T) {
	t.Parallel()
	cfg := local()
	cfg.StreamTimeout = 50 * time.Millisecond
	written := make(chan error, 1)
	h := start(t, cfg, exporting(func(_ context.Context, w io.Writer) error {
		line := []byte(strings.Repeat("x", 64<<10))
		for {
			if _, err := w.Write(line); err != nil {
				written <- err
				return err
			}
		}
	}))
	deaf := dial(t, h)
	if _, err := io.WriteString(deaf, "GET /v1/memories/export HTTP/1.1\r\nHost: localhost\r\nX-Tenant-ID: acme\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := within(t, "the end of the write", written); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the write ended with %v", err)
	}
}

func TestAnAnswerNobodyReadsIsCut(t *testing.T) {
	t.Parallel()
	cfg := local()
	cfg.RequestTimeout = 50 * time.Millisecond
	written := make(chan error, 1)
	h := start(t, cfg, &function{name: "store", events: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 64<<10)
		for {
			if _, err := w.Write(block); err != nil {
				written <- err
				return
			}
		}
	})})
	deaf := dial(t, h)
	if _, err := io.WriteString(deaf, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := within(t, "the end of the write", written); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the write ended with %v", err)
	}
}

func TestABodyThatNeverComesIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	cfg := local()
	cfg.RequestTimeout = 50 * time.Millisecond
	read := make(chan error, 1)
	h := start(t, cfg, &function{name: "store", events: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		read <- err
	})})
	silent := dial(t, h)
	if _, err := io.WriteString(silent, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	if err := within(t, "the end of the read", read); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the read ended with %v", err)
	}
}

func TestNoBodyIsReadWithoutEnd(t *testing.T) {
	t.Parallel()
	var got int64
	var failure error
	server, _, _ := newServer(t, local(), &function{name: "store", events: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got, failure = io.Copy(io.Discard, r.Body)
	})})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", endless{})
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = -1
	server.Handler().ServeHTTP(discard{http.Header{}}, r)
	var over *http.MaxBytesError
	if got != 64<<20 || !errors.As(failure, &over) {
		t.Errorf("read %d bytes and then %v", got, failure)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

var _ serve.Function = (*function)(nil)
