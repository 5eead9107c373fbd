package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/provider"
)

const key = "sk-test-0123456789abcdef"

// question and reply are what these tests ask and are answered.
type question struct {
	Text string `json:"text"`
}

type reply struct {
	Text    string           `json:"text"`
	Numbers provider.Numbers `json:"numbers"`
}

// ask asks a server that answers with handle.
func ask(t *testing.T, handle http.HandlerFunc, change ...func(*provider.Options)) (reply, error) {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	o := provider.Options{Name: "acme-ai", BaseURL: server.URL + "/v1/", Key: key}
	for _, c := range change {
		c(&o)
	}
	c, err := provider.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var got reply
	err = c.Post(t.Context(), "/things?version=2", question{"what is secret"}, &got)
	return got, err
}

// answers gives the answers one after the other, the last one for ever, and counts them.
func answers(count *atomic.Int32, all ...http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n := int(count.Add(1))
		all[min(n, len(all))-1](w, r)
	}
}

func says(status int, media, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestAQuestionIsAnswered(t *testing.T) {
	t.Parallel()
	var asked *http.Request
	var body []byte
	got, err := ask(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r
		body, _ = io.ReadAll(r.Body)
		says(200, "application/json; charset=utf-8", `{"text":"yes","numbers":[1, -2.5e-3,0]}`)(w, r)
	})
	if err != nil || got.Text != "yes" || !slices.Equal(got.Numbers, []float32{1, -.0025, 0}) {
		t.Fatalf("got %+v, %v", got, err)
	}
	told := []string{asked.Method, asked.URL.String(), string(body), asked.Header.Get("Authorization"), asked.Header.Get("Content-Type"), asked.Header.Get("X-Tenant-ID")}
	if want := []string{"POST", "/v1/things?version=2", `{"text":"what is secret"}`, "Bearer " + key, "application/json", ""}; !slices.Equal(told, want) {
		t.Errorf("asked %q\nwant  %q", told, want)
	}
}

func TestWhoPaysIsToldOnlyWhereItShallBe(t *testing.T) {
	t.Parallel()
	for _, tell := range []bool{true, false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			says(200, "application/json", fmt.Sprintf(`{"text":%q}`, r.Header.Get("X-Tenant-ID")+"/"+r.Header.Get("X-Project-ID")+" "+r.Header.Get("Api-Key")+r.Header.Get("X-Request-ID")))(w, r)
		}))
		t.Cleanup(server.Close)
		c, err := provider.New(provider.Options{Name: "rae", BaseURL: server.URL, Key: key, KeyHeader: "api-key", TellPayer: tell, RequestID: func(context.Context) string { return "req-1" }})
		if err != nil {
			t.Fatal(err)
		}
		var got reply
		ctx := llm.WithPayer(t.Context(), memory.Scope{Tenant: "acme", Project: "p"})
		if err := c.Post(ctx, "", question{}, &got); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]string{true: "acme/p " + key + "req-1", false: "/ " + key}[tell]; got.Text != want {
			t.Errorf("tell %t: got %q, want %q", tell, got.Text, want)
		}
	}
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	t.Parallel()
	fine := says(200, "application/json", `{"text":"yes"}`)
	cut := func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = connection.Close()
		}
	}
	for name, first := range map[string]http.HandlerFunc{
		"too many requests": says(429, "application/json", `{}`, "Retry-After-Ms", "1"), "a server error": says(500, "text/plain", "oops"), "unavailable": says(503, "text/html", "<html>", "Retry-After", "0"),
		"overloaded": says(529, "application/json", `{"type":"overloaded_error"}`), "a gateway's end": says(504, "", ""), "a lost connection": cut,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var count atomic.Int32
			got, err := ask(t, answers(&count, first, first, fine))
			if err != nil || got.Text != "yes" || count.Load() != 3 {
				t.Errorf("got %+v, %v after %d attempts", got, err, count.Load())
			}
		})
	}
}

// refusals are answers that no repetition mends, or that never got better, with what comes of them.
var refusals = []struct {
	name     string
	answer   http.HandlerFunc
	kind     fault.Kind
	attempts int32
	spent    bool
	says     string
}{
	{"a bad key", says(401, "application/json", `{"error":{"message":"Incorrect API key provided: `+key+`","type":"invalid_request_error","code":"invalid_api_key"}}`), fault.Internal, 1, false, "refused the API key that is configured (401 invalid_api_key)"},
	{"a code that repeats the key", says(403, "application/json", `{"error":{"code":"`+key+`"}}`), fault.Internal, 1, false, "(403)"},
	{"no money", says(402, "application/json", `{"message":"pay"}`), fault.Internal, 1, false, "nothing left to spend (402)"},
	{"no such model", says(404, "application/json", `{"error":{"code":404,"message":"models/x is not found","status":"NOT_FOUND"}}`), fault.Internal, 1, false, "has no such model, or its address is another (404 NOT_FOUND)"},
	{"a redirect", says(302, "text/html", "", "Location", "https://elsewhere.example/"), fault.Internal, 1, false, "its address is another (302)"},
	{"a bad request", says(400, "application/json", `{"error":{"message":"what is secret","type":"invalid_request_error","code":null}}`), fault.Invalid, 1, false, "refused the request (400 invalid_request_error)"},
	{"a validation error", says(422, "application/json", `{"error":"what is secret","error_type":"Validation"}`), fault.Invalid, 1, false, "(422 Validation)"},
	{"too much", says(413, "application/json", `{"error":"what is secret","error_type":"Validation"}`), fault.TooLarge, 1, false, "too large (413 Validation)"},
	{"no quota", says(429, "application/json", `{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}`), fault.RateLimited, 1, false, "no more requests for now (429 insufficient_quota)"},
	{"too many requests for ever", says(429, "application/json", `{"message":"slow down"}`, "Retry-After-Ms", "1"), fault.RateLimited, 4, false, "no more requests for now (429)"},
	{"away for ever", says(503, "text/html", "<html>what is secret"), fault.Unavailable, 4, false, "failed (503)"},
	{"a web page", says(200, "text/html; charset=utf-8", "<html>what is secret"), fault.Unavailable, 1, true, "answered with text/html instead of JSON"},
	{"a web page that says it is JSON", says(200, "application/json", "<html>what is secret"), fault.Unavailable, 1, true, "is not the JSON it should be: it cannot be parsed at byte 1"},
	{"half an answer", says(200, "application/json", `{"text":"what is sec`, "Content-Length", "500"), fault.Unavailable, 1, true, "was cut off"},
	{"another type", says(200, "application/json", `{"text":["what is secret"]}`), fault.Unavailable, 1, true, "text has the wrong type"},
	{"too long an answer", says(200, "application/json", `{"text":"`+strings.Repeat("x", 5000)+`"}`), fault.Unavailable, 1, true, "has more than 4096 bytes"},
	{"null for a number", says(200, "application/json", `{"numbers":[1,null,2]}`), fault.Unavailable, 1, true, "number 1 of a vector is none"},
	{"NaN", says(200, "application/json", `{"numbers":[1,NaN,2]}`), fault.Unavailable, 1, true, "cannot be parsed at byte 15"},
	{"a number too large", says(200, "application/json", `{"numbers":[1e39]}`), fault.Unavailable, 1, true, "number 0 of a vector is none"},
	{"text for a number", says(200, "application/json", `{"numbers":["1"]}`), fault.Unavailable, 1, true, "number 0 of a vector is none"},
	{"an object for numbers", says(200, "application/json", `{"numbers":{"0":1}}`), fault.Unavailable, 1, true, "a vector is not an array of numbers"},
}

func TestARefusalNamesTheProviderAndNothingSecret(t *testing.T) {
	t.Parallel()
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var count atomic.Int32
			var log strings.Builder
			_, err := ask(t, answers(&count, c.answer), func(o *provider.Options) {
				o.MaxAnswer, o.Log = 4096, slog.New(slog.NewJSONHandler(&log, nil))
			})
			if fault.KindOf(err) != c.kind || count.Load() != c.attempts || llm.WasSpent(err) != c.spent {
				t.Errorf("got %v (%v) after %d attempts, spent %t", err, fault.KindOf(err), count.Load(), llm.WasSpent(err))
			}
			for _, text := range []string{err.Error(), log.String()} {
				if strings.Contains(text, key) || strings.Contains(text, "secret") {
					t.Errorf("told a secret: %s", text)
				}
			}
			if !strings.Contains(err.Error(), "acme-ai") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %q, want it to name acme-ai and say %q", err, c.says)
			}
		})
	}
}

func TestARefusalByRAEsOwnBudgetStaysOne(t *testing.T) {
	t.Parallel()
	const numbers = `"period":"daily","limit":0.010000001,"usage":0,"reserved":0.003,"requested":12,"resets_at":"2026-12-01T00:00:00Z"`
	resets := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	all := func(then string) map[string]any {
		return map[string]any{
			"period": "daily", "limit": json.Number("0.010000001"), "usage": json.Number("0"), "reserved": json.Number("0.003"),
			"requested": json.Number("12"), "resets_at": resets, "on_exhausted": then,
		}
	}
	for _, c := range []struct {
		says     string
		rejected bool
		members  map[string]any
	}{
		{numbers + `,"on_exhausted":"reject"`, true, all("reject")},
		{numbers + `,"on_exhausted":"degrade"`, false, all("degrade")},
		{`"period":"<script>","limit":"much","usage":{},"resets_at":"never","on_exhausted":"` + key + `","detail":"` + key + `"`, true, map[string]any{}},
	} {
		refusal := says(402, "application/problem+json", `{"type":"https://rae/over_budget","status":402,`+c.says+`,"error":{"code":"insufficient_quota"}}`)
		_, err := ask(t, refusal, func(o *provider.Options) { o.TellPayer = true })
		if fault.KindOf(err) != fault.OverBudget || llm.Rejected(err) != c.rejected || llm.WasSpent(err) || fault.Public(err) != "the budget does not cover this (acme-ai)" {
			t.Errorf("%s: got %v, rejected %t", c.says, err, llm.Rejected(err))
		}
		var told fault.Detailed
		if !errors.As(err, &told) || !reflect.DeepEqual(told.ProblemMembers(), c.members) {
			t.Errorf("%s: members %v, want %v", c.says, told.ProblemMembers(), c.members)
		}
		if at, known := llm.RefilledAt(err); known != (len(c.members) > 0) || known && !at.Equal(resets) {
			t.Errorf("%s: refilled at %v, %t", c.says, at, known)
		}
		if _, err := ask(t, refusal); fault.KindOf(err) != fault.Internal {
			t.Errorf("somebody else's budget is taken for RAE's: %v", err)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c, err := provider.New(provider.Options{Name: "acme-ai", BaseURL: server.URL, Key: key, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Post(t.Context(), "/x", question{}, new(reply))
	if fault.KindOf(err) != fault.Unavailable || llm.WasSpent(err) || fault.Public(err) != "acme-ai cannot be reached" {
		t.Errorf("got %v", err)
	}
}

func TestABodyThatNeverEndsCostsNoMoreThanTheDeadline(t *testing.T) {
	t.Parallel()
	hangs := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"text":`)
		_ = http.NewResponseController(w).Flush()
		<-hangs
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hangs) })
	c, err := provider.New(provider.Options{Name: "acme-ai", BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = c.Post(ctx, "", question{}, new(reply))
	if fault.KindOf(err) != fault.Timeout || !llm.WasSpent(err) || !errors.Is(err, context.DeadlineExceeded) || fault.Public(err) != "acme-ai did not answer in time" {
		t.Errorf("got %v, spent %t", err, llm.WasSpent(err))
	}
}

func TestACallerThatLeftAsksNobody(t *testing.T) {
	t.Parallel()
	var count atomic.Int32
	server := httptest.NewServer(answers(&count, says(200, "application/json", "{}")))
	t.Cleanup(server.Close)
	c, err := provider.New(provider.Options{Name: "acme-ai", BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Post(ctx, "", question{}, new(reply)); fault.KindOf(err) != fault.Cancelled || !errors.Is(err, context.Canceled) || llm.WasSpent(err) || count.Load() != 0 {
		t.Errorf("got %v after %d requests", err, count.Load())
	}
}

// transport answers without a network, so that its time is the test's.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func refuses(status int, header http.Header) *http.Response {
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader("{}"))}
}

// retried asks a provider that refuses with the header until it has been asked the given number of times. It returns when
// each attempt came, and the error.
func retried(t *testing.T, refusals int, header http.Header, timeout time.Duration) (at []time.Duration, err error) {
	t.Helper()
	began := time.Now()
	c, err := provider.New(provider.Options{Name: "acme-ai", BaseURL: "http://acme.example", Transport: transport(func(*http.Request) (*http.Response, error) {
		at = append(at, time.Since(began))
		if len(at) <= refusals {
			return refuses(429, header), nil
		}
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	err = c.Post(ctx, "", question{}, new(reply))
	return at, err
}

func TestWaits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		header func() http.Header
		want   time.Duration
	}{
		{"seconds", func() http.Header { return http.Header{"Retry-After": {"7"}} }, 7 * time.Second},
		{"a date", func() http.Header {
			return http.Header{"Retry-After": {time.Now().Add(9 * time.Second).UTC().Format(http.TimeFormat)}}
		}, 9 * time.Second},
		{"milliseconds beside seconds", func() http.Header { return http.Header{"Retry-After": {"7"}, "Retry-After-Ms": {"1500"}} }, 1500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				at, err := retried(t, 1, c.header(), time.Minute)
				if err != nil || !slices.Equal(at, []time.Duration{0, c.want}) {
					t.Errorf("attempts at %v, %v; want the second after %v", at, err, c.want)
				}
			})
		})
	}
	t.Run("random ones, below a bound that doubles", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			waits := map[time.Duration]bool{}
			for range 100 {
				at, err := retried(t, 3, nil, time.Minute)
				if err != nil || len(at) != 4 {
					t.Fatalf("attempts at %v, %v", at, err)
				}
				for i, bound := range []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond} {
					wait := at[i+1] - at[i]
					if waits[wait] = true; wait < 0 || wait >= bound {
						t.Errorf("wait %d is %v, want below %v", i+1, wait, bound)
					}
				}
			}
			if len(waits) < 290 {
				t.Errorf("300 waits have %d lengths: callers refused together come back together", len(waits))
			}
		})
	})
	t.Run("none that the deadline does not leave", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			at, err := retried(t, 1, http.Header{"Retry-After": {"30"}}, 10*time.Second)
			if fault.KindOf(err) != fault.RateLimited || fault.RetryAfterOf(err) != 30*time.Second || len(at) != 1 || time.Since(began) != 0 {
				t.Errorf("attempts at %v, %v, retry after %v, told after %v", at, err, fault.RetryAfterOf(err), time.Since(began))
			}
		})
	})
	t.Run("none of more than a minute where there is no deadline", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			at, err := retried(t, 1, http.Header{"Retry-After": {"1e300"}}, 0)
			if fault.RetryAfterOf(err) != 24*time.Hour || len(at) != 1 {
				t.Errorf("attempts at %v, %v", at, err)
			}
		})
	})
}

func TestWhatCannotBeAskedIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	for _, o := range []provider.Options{
		{BaseURL: ""}, {BaseURL: "api.example.com"}, {BaseURL: "ftp://x"}, {BaseURL: "http://user:pass@x"}, {BaseURL: "http://x?key=1"}, {BaseURL: "http://"},
		{BaseURL: "http://x", Key: "a b"}, {BaseURL: "http://x", Key: "a\n"}, {BaseURL: "http://x", Key: "ключ"},
	} {
		if _, err := provider.New(o); fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "pass") || o.Key != "" && strings.Contains(err.Error(), o.Key) {
			t.Errorf("%+v: got %v", o, err)
		}
	}
	c, err := provider.New(provider.Options{Name: "acme-ai", BaseURL: "http://x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Post(t.Context(), "", func() {}, nil); fault.KindOf(err) != fault.Internal {
		t.Errorf("got %v", err)
	}
}

func FuzzNumbers(f *testing.F) {
	for _, seed := range []string{"[]", "[1]", "[1,2e-9]", "[null]", "[[1]]", "1", "[ ]", "[1e400]", `["a,b"]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var want []*float32
		var got provider.Numbers
		strict := json.Unmarshal([]byte(text), &want) == nil && !slices.Contains(want, nil)
		err := json.Unmarshal([]byte(text), &got)
		if text := strings.TrimSpace(text); text == "null" {
			return // leaves what was there, as everywhere
		}
		if (err == nil) != strict {
			t.Fatalf("%q: got %v, %v; encoding/json reads it: %t", text, got, err, strict)
		}
		for i := range got {
			if got[i] != *want[i] {
				t.Fatalf("%q: number %d is %v, want %v", text, i, got[i], *want[i])
			}
		}
	})
}

func TestADryRunAsksRAEsOwnFunctionsForThePriceAndNobodyElse(t *testing.T) {
	t.Parallel()
	const estimate = `{"dry_run":true,"calls":[{"operation":"embeddings","provider":"openai","model":"m","tokens_in":7,"max_tokens_out":2,"cost":0.000000014,"price_known":true}],` +
		`"cost":0.000000014,"allowed":false,"refused_by":{"period":"daily","on_exhausted":"degrade"}}`
	priced := []llm.Quote{{
		Call: llm.Call{Operation: "embeddings", Provider: "openai", Model: "m", Most: llm.Usage{TokensIn: 7, TokensOut: 2, Estimated: true}},
		Cost: "0.000000014", PriceKnown: true,
	}}
	for _, c := range []struct {
		name    string
		own     bool
		answer  http.HandlerFunc
		asked   int32
		calls   []llm.Quote
		refused bool
		priced  bool // else the run knows why not
	}{
		{"a provider", false, says(200, "application/json", `{"text":"done, and charged for"}`), 0, nil, false, true},
		{"a function", true, says(200, "application/json", estimate), 1, priced, true, true},
		{"a function that knows of no dry runs", true, says(200, "application/json", `{"text":"done"}`), 1, nil, false, false},
		{"a function that cannot tell", true, says(500, "application/problem+json", `{}`), 1, nil, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				if r.Header.Get("X-Dry-Run") != "true" {
					t.Error("it was asked to do it")
				}
				c.answer(w, r)
			}))
			defer server.Close()
			client, err := provider.New(provider.Options{Name: "rae", BaseURL: server.URL, TellPayer: c.own, Retries: -1})
			if err != nil {
				t.Fatal(err)
			}
			ctx, run := llm.WithDryRun(t.Context())
			var got reply
			err = client.Post(ctx, "/x", question{}, &got)
			if llm.IsDryRun(err) != c.priced || asked.Load() != c.asked || got.Text != "" || (run.Failed() == nil) != c.priced {
				t.Errorf("got %v, %+v after %d requests; failed by %v", err, got, asked.Load(), run.Failed())
			}
			if !reflect.DeepEqual(run.Calls(), c.calls) || (run.Refused() != nil) != c.refused || c.refused && llm.Rejected(run.Refused()) {
				t.Errorf("calls %+v, refused by %v", run.Calls(), run.Refused())
			}
		})
	}
}
