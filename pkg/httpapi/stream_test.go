package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
)

type importInput struct {
	httpapi.Scoped
	httpapi.StreamIn
}

type importOutput struct {
	Body struct {
		Lines  int    `json:"lines"`
		Bytes  int    `json:"bytes"`
		Tenant string `json:"tenant"`
	}
}

// streaming adds an import that counts and an export that writes lines, or fails after that many.
func streaming(api huma.API, lines int, failure error) {
	httpapi.Register(api, huma.Operation{OperationID: "import", Method: http.MethodPost, Path: "/v1/import"},
		func(_ context.Context, in *importInput) (*importOutput, error) {
			out := &importOutput{}
			out.Body.Tenant = in.Scope().Tenant
			scanner := bufio.NewScanner(in.Reader())
			for scanner.Scan() {
				out.Body.Lines++
				out.Body.Bytes += len(scanner.Bytes())
			}
			return out, scanner.Err()
		})
	httpapi.Register(api, huma.Operation{OperationID: "export", Method: http.MethodGet, Path: "/v1/export"},
		func(context.Context, *httpapi.Scoped) (*huma.StreamResponse, error) {
			return httpapi.StreamOut(func(ctx context.Context, w io.Writer) error {
				for i := range lines {
					if _, err := fmt.Fprintf(w, "{\"n\":%d}\n", i); err != nil {
						return err
					}
				}
				return failure
			}), nil
		})
}

func TestAStreamIsReadAsItComesWhateverItsSize(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	streaming(httpapi.New(mux, "test"), 0, nil)
	server := httptest.NewServer(mux)
	defer server.Close()
	line := strings.Repeat("x", 1023) + "\n"
	const count = 3 << 10 // 3 MiB, over any limit of a plain body
	reader, writer := io.Pipe()
	go func() {
		for range count {
			if _, err := io.WriteString(writer, line); err != nil {
				return
			}
		}
		_ = writer.Close()
	}()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/import", reader)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	request.Header.Set("X-Tenant-ID", "acme")
	resp, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	want := fmt.Sprintf(`{"lines":%d,"bytes":%d,"tenant":"acme"}`+"\n", count, count*1023)
	if got := readBody(t, resp); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAStreamMustSayItIsOne(t *testing.T) {
	t.Parallel()
	for _, media := range []string{"", "application/json", "text/plain"} {
		w := newWorld(t)
		streaming(w.api, 0, nil)
		r := httptest.NewRequest(http.MethodPost, "/v1/import", strings.NewReader("{}\n"))
		if media != "" {
			r.Header.Set("Content-Type", media)
		}
		readProblem(t, w.send(r), http.StatusUnsupportedMediaType)
	}
}

func TestAnExportIsNDJSON(t *testing.T) {
	t.Parallel()
	for lines, want := range []string{"", "{\"n\":0}\n", "{\"n\":0}\n{\"n\":1}\n"} {
		w := newWorld(t)
		streaming(w.api, lines, nil)
		resp := w.get("/v1/export")
		if got := readBody(t, resp); resp.StatusCode != 200 || got != want || resp.Header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("%d %s %q, want %q", resp.StatusCode, resp.Header.Get("Content-Type"), got, want)
		}
	}
}

func TestAnExportThatFailsAtOnceIsAProblem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	streaming(w.api, 0, fault.New(fault.Unavailable, "the store is away"))
	readProblem(t, w.get("/v1/export"), http.StatusServiceUnavailable)
}

func TestAnExportThatFailsLaterBreaksTheConnection(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	streaming(httpapi.New(mux, "test"), 2, errors.New("disk gone"))
	seen := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(httpapi.Observe(r.Context(), func(err error) { seen <- err })))
	}))
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Tenant-ID", "acme")
	resp, err := server.Client().Do(request)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	if err == nil {
		t.Error("half an export reads like a whole one")
	}
	if told := <-seen; told.Error() != "disk gone" {
		t.Errorf("the observer saw %v", told)
	}
}
