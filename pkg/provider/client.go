// Package provider asks providers of models over HTTP: JSON out, JSON back, whole or as a stream of events, within the
// deadline of the context. What
// passes (too many requests, a server error, a lost connection) is tried again after a random wait, or after the one the
// provider asks for. What comes back is bounded and must be JSON. Every error names the provider and has the kind of what
// happened; none repeats the key, the request or the answer.
//
// It knows no provider. The adapters named after products (openai, gemini, cohere, …) say what is asked and how answers
// read.
package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
)

const (
	defaultRetries  = 3
	defaultAnswer   = 32 << 20 // bytes: a thousand vectors of 3,072 dimensions would be more than anybody asks for at once
	idlePerHost     = 16
	idleTimeout     = 90 * time.Second
	dialTimeout     = 10 * time.Second
	handshakeLimit  = 10 * time.Second
	jsonMedia       = "application/json"
	eventMedia      = "text/event-stream"
	maxErrorAnswer  = 64 << 10 // bytes of a refusal that are looked at for its code
	maxCode         = 64       // characters of a code that is told
	tenantHeader    = "X-Tenant-ID"
	projectHeader   = "X-Project-ID"
	requestIDHeader = "X-Request-ID"
	longestUnbidden = time.Minute // that is waited for where the context has no deadline
)

// Options say whom a client asks and how. Name and BaseURL are required.
type Options struct {
	Name      string            // of the provider, in errors and on bills
	BaseURL   string            // http or https, without credentials, query or fragment
	Key       string            // the credential; "" = none
	KeyHeader string            // "" = Authorization, with Bearer before the key
	Header    map[string]string // sent with every request
	TellPayer bool              // send whom a call is made for as X-Tenant-ID and X-Project-ID: to RAE's own functions, nobody else
	// RequestID is sent as X-Request-ID where TellPayer is set, so that what the call costs is logged under the request that
	// caused it; nil: not sent.
	RequestID func(context.Context) string

	Retries   int               // repetitions of a call at most; 0 = 3, below 0 none
	MaxAnswer int64             // bytes; 0 = 32 MiB
	Transport http.RoundTripper // nil = one of its own, with the proxy of the environment
	Log       *slog.Logger      // told of repetitions, never of contents; nil = nobody
}

// Client asks one provider. It connects when first used and may be used concurrently.
type Client struct {
	options Options
	base    string
	header  http.Header
	http    http.Client
}

// Address is what a base URL must be, as the end of the sentence "must be …".
const Address = "an http or https URL without credentials, query or fragment"

// CheckAddress is Invalid for what is no Address.
func CheckAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fault.New(fault.Invalid, "the base URL must be %s", Address)
	}
	return nil
}

// New returns a client. Invalid when the address is none, or a header could not carry the key.
func New(o Options) (*Client, error) {
	if err := CheckAddress(o.BaseURL); err != nil {
		return nil, err
	}
	if strings.ContainsFunc(o.Key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return nil, fault.New(fault.Invalid, "the API key of %s must be visible ASCII without spaces or line breaks", o.Name)
	}
	switch {
	case o.Retries == 0:
		o.Retries = defaultRetries
	case o.Retries < 0:
		o.Retries = 0
	}
	if o.MaxAnswer <= 0 {
		o.MaxAnswer = defaultAnswer
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Transport == nil {
		o.Transport = transport()
	}
	c := &Client{options: o, base: strings.TrimRight(o.BaseURL, "/"), header: headers(&o)}
	c.http.Transport = o.Transport
	// A redirect would take the credential along to wherever it points.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

func transport() *http.Transport {
	dialer := net.Dialer{Timeout: dialTimeout}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: idlePerHost, IdleConnTimeout: idleTimeout, TLSHandshakeTimeout: handshakeLimit,
	}
}

func headers(o *Options) http.Header {
	h := http.Header{}
	for name, value := range o.Header {
		h.Set(name, value)
	}
	h.Set("Content-Type", jsonMedia)
	h.Set("User-Agent", "rae")
	switch {
	case o.Key == "":
	case o.KeyHeader == "":
		h.Set("Authorization", "Bearer "+o.Key)
	default:
		h.Set(o.KeyHeader, o.Key)
	}
	return h
}

// Name is the provider's.
func (c *Client) Name() string { return c.options.Name }

// Post sends in as JSON to the path (escaped, with its query) under the base URL, again where that may help and the time
// of ctx allows, and reads the JSON answer into out.
//
// The kinds of its errors: RateLimited (with RetryAfter, where the provider named one), Unavailable (a server error, no
// connection, an answer that cannot be read), Timeout and Cancelled as ctx ended, Invalid or TooLarge where the provider
// refused the request, and Internal where what is configured is wrong: the key, the address, the model. One that may be
// charged for all the same is marked by llm.Spent.
//
// In a dry run nobody is asked but RAE's own functions, and they for the price.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	run := llm.DryRunOf(ctx)
	switch {
	case run == nil:
		return c.ask(ctx, path, in, jsonMedia, func(answer *http.Response) error { return c.read(ctx, answer, out) })
	case !c.options.TellPayer:
		return llm.NotInDryRun()
	}
	told := &dryRun{}
	return c.joined(run, c.ask(ctx, path, in, jsonMedia, func(answer *http.Response) error { return c.read(ctx, answer, told) }), told)
}

// ask sends in until take has its answer, which is asked for as media.
func (c *Client) ask(ctx context.Context, path string, in any, media string, take func(*http.Response) error) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the request to %s cannot be written as JSON", c.Name())
	}
	for attempt := 0; ; attempt++ {
		err := c.attempt(ctx, path, body, media, take)
		if err == nil {
			return nil
		}
		wait, again := c.retry(ctx, err, attempt)
		if !again {
			return err
		}
		c.options.Log.InfoContext(ctx, "provider is asked again", "provider", c.Name(), "attempt", attempt+2,
			"wait", wait.String(), "kind", fault.KindOf(err).String(), "reason", fault.Public(err))
		if err := pause(ctx, wait); err != nil {
			return c.ended(err, false)
		}
	}
}

// attempt sends the request once.
func (c *Client) attempt(ctx context.Context, path string, body []byte, media string, take func(*http.Response) error) error {
	if err := ctx.Err(); err != nil {
		return c.ended(err, false)
	}
	var sent atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(i httptrace.WroteRequestInfo) {
		if i.Err == nil {
			sent.Store(true)
		}
	}})
	r, err := http.NewRequestWithContext(traced, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return fault.Wrap(fault.Internal, bare(err), "%s cannot be asked", c.Name())
	}
	r.Header = c.header.Clone()
	r.Header.Set("Accept", media)
	if payer, known := llm.PayerOf(ctx); known && c.options.TellPayer {
		r.Header.Set(tenantHeader, payer.Tenant)
		r.Header.Set(projectHeader, payer.Project)
		if c.options.RequestID != nil {
			r.Header.Set(requestIDHeader, c.options.RequestID(ctx))
		}
	}
	if llm.DryRunOf(ctx) != nil {
		markDryRun(r)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		if ended := ctx.Err(); ended != nil {
			return c.ended(ended, sent.Load())
		}
		return &passing{fault.Wrap(fault.Unavailable, bare(err), "%s cannot be reached", c.Name())}
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return c.refusal(answer)
	}
	return take(answer)
}

// read takes the answer of a call that was done: whatever is wrong with it now, it will be charged for.
func (c *Client) read(ctx context.Context, answer *http.Response, out any) error {
	media := mediaOf(answer)
	if strings.HasSuffix(media, "html") || strings.HasSuffix(media, "xml") || media == eventMedia {
		return llm.Spent(fault.New(fault.Unavailable, "%s answered with %s instead of JSON: is its address right?", c.Name(), media))
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, c.options.MaxAnswer+1))
	switch {
	case err != nil:
		return c.broken(ctx, err)
	case int64(len(text)) > c.options.MaxAnswer:
		return c.tooLong()
	}
	return c.Read(text, out)
}

// Read reads JSON of an answer into out. Unavailable, and charged for all the same, where it cannot be read.
func (c *Client) Read(text []byte, out any) error {
	if err := json.Unmarshal(text, out); err != nil {
		return llm.Spent(fault.New(fault.Unavailable, "the answer of %s is not the JSON it should be: %s", c.Name(), wrongJSON(err)))
	}
	return nil
}

// CutOff is the error of an answer that does not say that it is whole.
func (c *Client) CutOff() error {
	return llm.Spent(fault.New(fault.Unavailable, "the answer of %s has no end: it was cut off, or is not what was asked for", c.Name()))
}

// broken is the error of an answer that could not be read to its end.
func (c *Client) broken(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		return c.ended(ended, true)
	}
	return llm.Spent(fault.Wrap(fault.Unavailable, bare(err), "the answer of %s was cut off", c.Name()))
}

func (c *Client) tooLong() error {
	return llm.Spent(fault.New(fault.Unavailable, "the answer of %s has more than %d bytes", c.Name(), c.options.MaxAnswer))
}

// wrongJSON says what is wrong without repeating what was read.
func wrongJSON(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("it cannot be parsed at byte %d", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Sprintf("%s has the wrong type", kind.Field)
	}
	return fault.Public(err)
}

// ended is the end of the context: the caller's leave, or its deadline.
func (c *Client) ended(err error, sent bool) error {
	if errors.Is(err, context.DeadlineExceeded) {
		err = fault.Wrap(fault.Timeout, err, "%s did not answer in time", c.Name())
	} else {
		err = fault.Wrap(fault.Cancelled, err, "nobody waits for %s any more", c.Name())
	}
	if sent {
		return llm.Spent(err)
	}
	return err
}

// bare is the cause of a transport's error without the address it repeats.
func bare(err error) error {
	var asked *url.Error
	if errors.As(err, &asked) {
		return asked.Err
	}
	return err
}
