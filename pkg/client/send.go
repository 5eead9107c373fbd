package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

const (
	firstWait      = 100 * time.Millisecond
	longestWait    = 5 * time.Second // between attempts, where the service says nothing
	longestAsked   = time.Minute     // a service that asks for more gets no second attempt
	maxAnswerBytes = 256 << 20       // a thousand memories of the largest size would be more than anybody asked for
	jsonMedia      = "application/json"
)

// call is one operation of the API.
type call struct {
	method string
	path   string // escaped, from /v1
	query  url.Values
	header http.Header
	scope  memory.Scope
	body   any // written as JSON; nil: none
	// repeatable says that doing it twice is doing it once.
	repeatable bool
}

// read is a call that changes nothing.
func (c *Client) read(method, path string, body any) *call {
	return &call{method: method, path: path, header: http.Header{}, scope: c.scope, body: body, repeatable: true}
}

// write is a call that changes something once, however often it is sent.
func (c *Client) write(method, path string, body any) *call {
	w := c.read(method, path, body)
	w.header.Set("Idempotency-Key", string(memory.NewID()))
	return w
}

// do sends the call, again where that may help, and reads the answer into out, which may be nil. It returns the
// headers of the answer.
func (c *Client) do(ctx context.Context, call *call, out any) (http.Header, error) {
	if call.method != http.MethodGet {
		if err := llm.NoDryRun(ctx); err != nil {
			return nil, err
		}
	}
	var body []byte
	if call.body != nil {
		var err error
		if body, err = json.Marshal(call.body); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "the request cannot be written as JSON")
		}
	}
	for attempt := 0; ; attempt++ {
		header, err := c.attempt(ctx, call, body, out)
		if err == nil || !call.repeatable || attempt >= c.options.Retries || ctx.Err() != nil {
			return header, err
		}
		wait, again := backoff(err, attempt)
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
			again = false
		}
		if !again || pause(ctx, wait) != nil {
			return header, err
		}
	}
}

// backoff says how long to wait before the next attempt, and whether there is a point in one.
func backoff(err error, attempt int) (time.Duration, bool) {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.RateLimited, fault.Timeout:
	default:
		return 0, false
	}
	asked := fault.RetryAfterOf(err)
	if asked > longestAsked {
		return 0, false
	}
	longest := min(firstWait<<min(attempt, 16), longestWait)
	return asked + rand.N(longest), true // callers turned away together must not come back together
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attempt sends the call once.
func (c *Client) attempt(ctx context.Context, call *call, body []byte, out any) (http.Header, error) {
	within, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	var reader io.Reader
	media := ""
	if body != nil {
		reader, media = bytes.NewReader(body), jsonMedia
	}
	resp, err := c.open(within, call, reader, media)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end, or given up
	if err := httpapi.ReadProblem(resp); err != nil {
		return resp.Header, err
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return resp.Header, c.unreachable(within, call, err)
	case len(raw) > maxAnswerBytes:
		return resp.Header, fault.New(fault.TooLarge, "the answer to %s %s is over %d bytes", call.method, call.path, maxAnswerBytes)
	case out == nil:
		return resp.Header, nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return resp.Header, fault.Wrap(fault.Internal, err, "%s %s: the answer is not what this client knows", call.method, call.path)
	}
	return resp.Header, nil
}

// open sends the request and returns the response, whatever its status. The caller closes the body.
func (c *Client) open(ctx context.Context, call *call, body io.Reader, media string) (*http.Response, error) {
	target := c.base.String() + call.path
	if len(call.query) > 0 {
		target += "?" + call.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, call.method, target, body)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%s %s cannot be sent", call.method, call.path)
	}
	for name, values := range call.header {
		r.Header[name] = values
	}
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	if call.scope.Tenant != "" {
		r.Header.Set("X-Tenant-ID", call.scope.Tenant)
	}
	if call.scope.Project != "" {
		r.Header.Set("X-Project-ID", call.scope.Project)
	}
	switch {
	case c.options.APIKey != "":
		r.Header.Set("X-API-Key", c.options.APIKey)
	case c.options.Bearer != "":
		r.Header.Set("Authorization", "Bearer "+c.options.Bearer)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreachable(ctx, call, err)
	}
	return resp, nil
}

// unreachable classifies what went wrong below HTTP. The end of the caller's patience is not the service's fault.
func (c *Client) unreachable(ctx context.Context, call *call, err error) error {
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("%s %s: %w", call.method, call.path, cause)
	}
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err // its text repeats the whole address
	}
	return fault.Wrap(fault.Unavailable, err, "RAE at %s cannot be reached", c.base.Host)
}
