package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// caller speaks to a server as one tenant would, keeping its connections.
type caller struct {
	url  string
	http *http.Client
}

func newCaller(url string) *caller {
	return &caller{url, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}}
}

func (c *caller) close() { c.http.CloseIdleConnections() }

// do sends a request and reads its answer whole. A body that is no reader is written as JSON.
func (c *caller) do(ctx context.Context, method, path string, body any, headers ...string) ([]byte, error) {
	media := "application/json"
	var reader io.Reader
	switch body := body.(type) {
	case nil:
	case io.Reader:
		reader, media = body, "application/x-ndjson"
	default:
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, reader)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Tenant-ID", tenant)
	if body != nil {
		r.Header.Set("Content-Type", media)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	raw, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = &failure{response.StatusCode, fmt.Sprintf("%s %s: %d %.300s", method, path, response.StatusCode, raw)}
	}
	return raw, err
}

// failure is an answer that is none.
type failure struct {
	status int
	text   string
}

func (f *failure) Error() string { return f.text }

// refusal takes a 402 for the answer that was asked for.
func refusal(err error) error {
	var f *failure
	if errors.As(err, &f) && f.status == http.StatusPaymentRequired {
		return nil
	}
	return err
}
