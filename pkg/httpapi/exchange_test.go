package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
)

func TestOnlyPlainJSONIsTaken(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		media, encoding string
		status          int
	}{
		{"application/json", "", 200},
		{"application/json; charset=utf-8", "identity", 200},
		{"Application/JSON;charset=UTF-8", "", 200},
		{"application/merge-patch+json", "", 200},
		{`application/json; profile="a+b;c"`, "", 200},
		{"", "", 415},
		{"text/plain", "", 415},
		{"text/json", "", 415},
		{"application/x-www-form-urlencoded", "", 415},
		{"multipart/form-data; boundary=x", "", 415},
		{"application/x-ndjson", "", 415},
		{"application/jsonp", "", 415},
		{"application/json; charset=utf-16", "", 415},
		{"application/json, text/plain", "", 415},
		{";;;", "", 415},
		{"application/json", "gzip", 415},
		{"application/json", "br, identity", 415},
	} {
		t.Run(row.media+" "+row.encoding, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/v1/parcels", strings.NewReader(`{"name":"x"}`))
			if row.media != "" {
				r.Header.Set("Content-Type", row.media)
			}
			if row.encoding != "" {
				r.Header.Set("Content-Encoding", row.encoding)
			}
			resp := newWorld(t).send(r)
			if row.status == 200 {
				if resp.StatusCode != 200 {
					t.Fatalf("%d %s", resp.StatusCode, readBody(t, resp))
				}
				return
			}
			p, text := readProblem(t, resp, row.status)
			if at := locations(p); at != "header.Content-Type" && at != "header.Content-Encoding" {
				t.Errorf("names %q: %s", at, text)
			}
		})
	}
}

func TestTheAnswerIsJSONWhateverIsAccepted(t *testing.T) {
	t.Parallel()
	for _, accept := range []string{"", "*/*", "text/html", "json", "application/cbor;q=1", "application/json;q=0", ";;,"} {
		w := newWorld(t)
		for _, body := range []string{`{"name":"x"}`, `{}`} {
			r := httptest.NewRequest(http.MethodPost, "/v1/parcels", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept", accept)
			resp := w.send(r)
			want := "application/json"
			if resp.StatusCode != 200 {
				want = "application/problem+json"
			}
			if got := resp.Header.Get("Content-Type"); got != want || resp.StatusCode >= 500 {
				t.Errorf("Accept %q: %d %q", accept, resp.StatusCode, got)
			}
		}
	}
}

// breaking is a body that fails with err after its text.
type breaking struct {
	text io.Reader
	err  error
}

func (b breaking) Read(p []byte) (int, error) {
	n, err := b.text.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

func TestABodyThatBreaksOffIsTheClientsFault(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		err    error
		status int
	}{
		{"cut off", io.ErrUnexpectedEOF, 400},
		{"reset", errors.New("connection reset"), 400},
		{"too slow", os.ErrDeadlineExceeded, 408},
		{"over the host's limit", &http.MaxBytesError{Limit: 10}, 413},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := httptest.NewRequest(http.MethodPost, "/v1/parcels", breaking{strings.NewReader(`{"name"`), row.err})
			r.Header.Set("Content-Type", "application/json")
			readProblem(t, w.send(r), row.status)
			if len(w.seen) != 1 || fault.KindOf(w.seen[0]) == fault.Internal {
				t.Errorf("the observer saw %v", w.seen)
			}
		})
	}
}

func TestAnAnswerThatCannotBeWrittenIsAnInternalProblem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type output struct {
		Body struct {
			Score float64 `json:"score"`
		}
	}
	httpapi.Register(w.api, huma.Operation{OperationID: "nan", Method: http.MethodGet, Path: "/v1/nan"},
		func(context.Context, *struct{}) (*output, error) {
			out := &output{}
			out.Body.Score = math.NaN()
			return out, nil
		})
	p, _ := readProblem(t, w.get("/v1/nan"), http.StatusInternalServerError)
	if p.Detail != "internal error" || len(w.seen) != 1 || fault.KindOf(w.seen[0]) != fault.Internal {
		t.Errorf("%q, the observer saw %v", p.Detail, w.seen)
	}
}

func TestAnAnswerHasListsMapsAndUTC(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type answered struct {
		Tags  []string          `json:"tags"`
		Names map[string]string `json:"names"`
		Seen  *time.Time        `json:"seen"`
		Left  []string          `json:"left,omitempty"`
		Zero  int               `json:"zero,omitempty"`
		At    time.Time         `json:"at"`
	}
	httpapi.Register(w.api, huma.Operation{OperationID: "empty", Method: http.MethodGet, Path: "/v1/empty"},
		func(context.Context, *struct{}) (*struct{ Body answered }, error) {
			at := time.Date(2026, 1, 1, 1, 0, 0, 5, time.FixedZone("", 3600))
			return &struct{ Body answered }{answered{At: at, Seen: &at}}, nil
		})
	const want = `{"tags":[],"names":{},"seen":"2026-01-01T00:00:00.000000005Z","at":"2026-01-01T00:00:00.000000005Z"}` + "\n"
	if got := readBody(t, w.get("/v1/empty")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The read deadline of the body must not outlive the body: the server would end the handler's context with it.
func TestReadingTheBodyLeavesNoDeadlineBehind(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	api := httpapi.New(mux, "test")
	release := make(chan struct{})
	httpapi.Register(api, huma.Operation{
		OperationID: "slow", Method: http.MethodPost, Path: "/slow", BodyReadTimeout: 50 * time.Millisecond,
	}, func(ctx context.Context, _ *struct {
		Body struct {
			Name string `json:"name"`
		}
	}) (*struct{}, error) {
		select {
		case <-ctx.Done():
			return nil, fault.New(fault.Internal, "the context ended with the deadline")
		case <-release:
			return &struct{}{}, nil
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	timer := time.AfterFunc(300*time.Millisecond, func() { close(release) })
	defer timer.Stop()
	resp, err := http.Post(server.URL+"/slow", "application/json", strings.NewReader(`{"name":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("%d %s", resp.StatusCode, readBody(t, resp))
	}
}

func TestASlowBodyEndsWith408(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	api := httpapi.New(mux, "test")
	httpapi.Register(api, huma.Operation{
		OperationID: "slow", Method: http.MethodPost, Path: "/slow", BodyReadTimeout: 50 * time.Millisecond,
	}, func(context.Context, *struct{ Body struct{} }) (*struct{}, error) { return nil, nil })
	server := httptest.NewServer(mux)
	defer server.Close()
	reader, writer := io.Pipe()
	defer func() { _ = writer.Close() }()
	resp, err := http.Post(server.URL+"/slow", "application/json", reader)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	readProblem(t, resp, http.StatusRequestTimeout)
}

// TestAClientThatSendsTooMuchSeesTheRefusal writes all of a large body before it reads anything, as many clients do.
func TestAClientThatSendsTooMuchSeesTheRefusal(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newWorld(t).mux)
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const size = 16 << 20
	if _, err := fmt.Fprintf(conn, "POST /v1/parcels HTTP/1.1\r\nHost: x\r\nX-Tenant-ID: acme\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", size); err != nil {
		t.Fatal(err)
	}
	chunk := []byte(strings.Repeat("x", 1<<16))
	for range size / len(chunk) {
		if _, err := conn.Write(chunk); err != nil {
			t.Fatalf("cut while sending: %v", err)
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer resp.Body.Close()
	readProblem(t, resp, http.StatusRequestEntityTooLarge)
}
