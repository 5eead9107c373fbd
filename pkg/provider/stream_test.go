package provider_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider"
)

// listen asks for a stream, and returns what was heard until "end": the events as name=data.
func listen(t *testing.T, handle http.HandlerFunc, change ...func(*provider.Options)) ([]string, error) {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	o := provider.Options{Name: "acme-ai", BaseURL: server.URL, Key: key}
	for _, c := range change {
		c(&o)
	}
	c, err := provider.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var heard []string
	err = c.Stream(t.Context(), "/stream", question{"what is secret"}, func(name string, data []byte) (bool, error) {
		heard = append(heard, name+"="+string(data))
		if string(data) == "bad" {
			return false, errBad
		}
		return string(data) == "end", nil
	})
	return heard, err
}

var errBad = errors.New("bad")

const events = "text/event-stream; charset=utf-8"

func TestEventsAreHeardAsTheyCome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want []string
		err  error
	}{
		"data":                    {"data: a\n\ndata: b\n\n", []string{"=a", "=b"}, nil},
		"names":                   {"event: x\ndata: a\n\ndata: b\n\nevent: y\ndata: c\n\n", []string{"x=a", "=b", "y=c"}, nil},
		"carriage returns":        {"event: x\r\ndata: a\r\n\r\ndata: b\r\n\r\n", []string{"x=a", "=b"}, nil},
		"carriage returns alone":  {"event: x\rdata: a\r\rdata: b\r\r", []string{"x=a", "=b"}, nil},
		"several lines":           {"data: a\ndata\ndata:  b\n\n", []string{"=a\n\n b"}, nil},
		"no space":                {"data:a\n\n", []string{"=a"}, nil},
		"comments and the rest":   {": ping\n\nid: 7\nretry: 9\ndata: a\n\n:\n\n", []string{"=a"}, nil},
		"an event without data":   {"event: x\n\ndata: a\n\n", []string{"=a"}, nil},
		"an event that never end": {"data: a\n\ndata: b\n", []string{"=a"}, nil},
		"a line that never ends":  {"data: a\n\ndata: b", []string{"=a"}, nil},
		"nothing":                 {"", nil, nil},
		"more than the last":      {"data: end\n\ndata: b\n\n", []string{"=end"}, nil},
		"an error of the caller":  {"data: bad\n\ndata: b\n\n", []string{"=bad"}, errBad},
	} {
		for _, size := range []int{1, 2, 3, 7, 1000} {
			got, err := listen(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Accept") != "text/event-stream" {
					t.Errorf("accepts %s", r.Header.Get("Accept"))
				}
				w.Header().Set("Content-Type", events)
				for chunk := range slices.Chunk([]byte(c.body), size) {
					_, _ = w.Write(chunk)
					_ = http.NewResponseController(w).Flush()
				}
			})
			if !errors.Is(err, c.err) || !slices.Equal(got, c.want) {
				t.Errorf("%s, by %d: got %q, %v, want %q", name, size, got, err, c.want)
			}
		}
	}
}

func TestAStreamIsBeganAgainAndNeverGoneOnWith(t *testing.T) {
	t.Parallel()
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", events)
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("data: a\n\n"))
		_ = http.NewResponseController(w).Flush()
		if connection, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = connection.Close()
		}
	}
	fine := says(200, events, "data: end\n\n")
	for name, c := range map[string]struct {
		answers []http.HandlerFunc
		want    []string
		kind    fault.Kind
		asked   int32
	}{
		"too many requests":   {[]http.HandlerFunc{says(429, "application/json", "{}", "Retry-After", "0"), says(503, "text/html", ""), fine}, []string{"=end"}, 0, 3},
		"cut off":             {[]http.HandlerFunc{cut, fine}, []string{"=a"}, fault.Unavailable, 1},
		"no stream":           {[]http.HandlerFunc{says(200, "application/json", `{"text":"end"}`), fine}, nil, fault.Unavailable, 1},
		"a web page":          {[]http.HandlerFunc{says(200, "text/html", "<html>"), fine}, nil, fault.Unavailable, 1},
		"refused":             {[]http.HandlerFunc{says(401, "application/json", "{}"), fine}, nil, fault.Internal, 1},
		"a line without end":  {[]http.HandlerFunc{says(200, events, "data: "+strings.Repeat("a", 2<<20)), fine}, nil, fault.Unavailable, 1},
		"events without end":  {[]http.HandlerFunc{says(200, events, strings.Repeat("data: a\n\n", 1<<19)), fine}, nil, fault.Unavailable, 1},
		"comments without an": {[]http.HandlerFunc{says(200, events, strings.Repeat(":\n", 1<<21)), fine}, nil, fault.Unavailable, 1},
	} {
		var asked atomic.Int32
		got, err := listen(t, answers(&asked, c.answers...), func(o *provider.Options) { o.MaxAnswer = 3 << 20 })
		if len(got) > 3 {
			got = nil
		}
		if fault.KindOf(err) != c.kind || (err == nil) != (c.kind == 0 && len(c.answers) == 3) || !slices.Equal(got, c.want) || asked.Load() != c.asked {
			t.Errorf("%s: got %q, %v after %d requests", name, got, err, asked.Load())
		}
		if c.kind == fault.Unavailable && !llm.WasSpent(err) {
			t.Errorf("%s: not marked as spent: %v", name, err)
		}
	}
}

func TestAStreamThatStallsEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", events)
		_, _ = w.Write([]byte("data: a\n\n"))
		_ = http.NewResponseController(w).Flush()
		<-over
	}))
	defer server.Close()
	defer close(over)
	c, err := provider.New(provider.Options{Name: "acme-ai", BaseURL: server.URL, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	heard := 0
	err = c.Stream(ctx, "/stream", question{}, func(string, []byte) (bool, error) {
		heard++
		leave()
		return false, nil
	})
	if fault.KindOf(err) != fault.Cancelled || !llm.WasSpent(err) || heard != 1 {
		t.Errorf("got %v after %d events", err, heard)
	}
}

func TestFailuresInAnAnswerHaveTheirKind(t *testing.T) {
	t.Parallel()
	c, err := provider.New(provider.Options{Name: "acme-ai", BaseURL: "http://localhost", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`:      "unavailable: acme-ai failed (overloaded_error)",
		`{"error":{"type":"rate_limit_error"}}`:                                            "rate_limited: acme-ai takes no more requests for now (rate_limit_error)",
		`{"error":{"code":429,"message":"` + key + `"}}`:                                   "rate_limited: acme-ai takes no more requests for now (429)",
		`{"error":{"code":503,"status":"UNAVAILABLE"}}`:                                    "unavailable: acme-ai failed (UNAVAILABLE)",
		`{"error":{"code":"context_length_exceeded"}}`:                                     "too_large: acme-ai refused the request as too large (context_length_exceeded)",
		`{"error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}}`: "too_large: acme-ai refused the request as too large (invalid_request_error)",
		`{"error":{"type":"invalid_request_error"}}`:                                       "invalid: acme-ai refused the request (invalid_request_error)",
		`{"error":{"type":"authentication_error"}}`:                                        "internal: acme-ai refused the API key that is configured (authentication_error)",
		`{"error":{"code":"content_filter"}}`:                                              "invalid: the model of acme-ai will not answer this (content_filter)",
		`{"error":"` + key + `"}`:                                                          "unavailable: acme-ai failed (500)",
		`{"error":{"code":"` + key + `"}}`:                                                 "unavailable: acme-ai failed (500)",
		`none`:                                                                             "unavailable: acme-ai failed (500)",
	} {
		err := c.Failed([]byte(text))
		if got := fmt.Sprintf("%s: %v", fault.KindOf(err), err); got != want || !llm.WasSpent(err) {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
}

func TestPromptsThatAreTooLongAreTooLarge(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]fault.Kind{
		`{"error":{"code":"context_length_exceeded","type":"invalid_request_error","message":"x"}}`:                                                        fault.TooLarge,
		`{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}`:                         fault.TooLarge,
		`{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"The input token count (2000000) exceeds the maximum number of tokens allowed (1)."}}`: fault.TooLarge,
		`{"object":"error","type":"BadRequestError","message":"This model's maximum context length is 4096 tokens."}`:                                      fault.TooLarge,
		`{"error":{"type":"invalid_request_error","message":"temperature: too high"}}`:                                                                     fault.Invalid,
	} {
		_, err := ask(t, says(400, "application/json", text))
		if fault.KindOf(err) != want || llm.WasSpent(err) {
			t.Errorf("%s: got %v (%v)", text, err, fault.KindOf(err))
		}
	}
	if _, err := ask(t, says(400, "application/json", `{"error":{"code":"content_filter","message":"x"}}`)); !llm.WasRefused(err) || !llm.WasSpent(err) {
		t.Errorf("got %v", err)
	}
}
