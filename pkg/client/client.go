// Package client speaks RAE's HTTP API in the words of the domain: it takes and returns the types of packages memory,
// ingest, search and budget, and its errors are the faults the service raised, kind, fields and all.
//
// A call that failed for a reason that may pass (the service was away, busy or slow) is tried again, where a
// repetition does no harm: reads, and writes under an Idempotency-Key the client makes for each call. Streams are
// never repeated.
package client

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

const (
	defaultRetries = 3
	defaultTimeout = 40 * time.Second // a little more than a service takes for a request at most
	idlePerHost    = 64
)

// Options says for whom a client speaks and how patient it is.
type Options struct {
	Tenant     string        // required, unless the credential names one
	Project    string        // "" means default
	APIKey     string        // sent as X-API-Key; at most one of APIKey and Bearer
	Bearer     string        // sent as Authorization: Bearer
	HTTPClient *http.Client  // nil: one of its own; redirects are never followed
	Retries    int           // repetitions of a call at most; 0 means 3, below 0 none
	Timeout    time.Duration // of each attempt but streams; 0 means 40 s
}

// Client calls the API of one service on behalf of one scope. It may be used concurrently.
type Client struct {
	base    *url.URL
	scope   memory.Scope
	options Options
	http    http.Client
}

// New returns a client of the service at baseURL, such as "http://127.0.0.1:8080". It connects to nothing. Invalid
// when the address or the credentials cannot be used.
func New(baseURL string, o Options) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(baseURL, "/"))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.User != nil {
		return nil, fault.BadField("base_url", "must be an http or https URL without credentials or query")
	}
	if o.APIKey != "" && o.Bearer != "" {
		return nil, fault.BadField("bearer", "must not be given together with an API key")
	}
	switch {
	case o.Retries == 0:
		o.Retries = defaultRetries
	case o.Retries < 0:
		o.Retries = 0
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	c := &Client{base: base, scope: memory.Scope{Tenant: o.Tenant, Project: o.Project}, options: o}
	if o.HTTPClient != nil {
		c.http = *o.HTTPClient
	} else if shared, ok := http.DefaultTransport.(*http.Transport); ok {
		own := shared.Clone()
		own.MaxIdleConnsPerHost = idlePerHost
		c.http.Transport = own
	}
	// A redirect would take the credentials along to wherever it points.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// Scope is whom the client speaks for.
func (c *Client) Scope() memory.Scope { return c.scope }
