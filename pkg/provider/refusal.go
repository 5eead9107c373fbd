package provider

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
)

// passing marks an error after which the same request may succeed.
type passing struct{ fault *fault.Error }

func (p *passing) Error() string { return p.fault.Error() }
func (p *passing) Unwrap() error { return p.fault }

// noQuota are codes of refusals that look like too many requests and mean that nothing is left to spend.
var noQuota = []string{"insufficient_quota", "billing_hard_limit_reached"}

// refusal is an answer that is none. Only a code is taken from it: its message may repeat the key or what was asked.
func (c *Client) refusal(answer *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxErrorAnswer)) // what there is of it
	if c.options.TellPayer && answer.StatusCode == http.StatusPaymentRequired {
		return overBudgetOf(c.Name(), text)
	}
	code := c.codeOf(text)
	told := strconv.Itoa(answer.StatusCode)
	if code != "" {
		told += " " + code
	}
	e := c.refused(answer.StatusCode, told)
	e.RetryAfter = retryAfter(answer.Header, time.Now())
	switch e.Kind {
	case fault.RateLimited:
		for _, none := range noQuota {
			if code == none {
				return e
			}
		}
		return &passing{e}
	case fault.Unavailable:
		return &passing{e}
	}
	return e
}

// refused is the one table from a provider's statuses to kinds.
func (c *Client) refused(status int, told string) *fault.Error {
	name := c.Name()
	switch {
	case status == http.StatusTooManyRequests:
		return fault.New(fault.RateLimited, "%s takes no more requests for now (%s)", name, told)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fault.New(fault.Internal, "%s refused the API key that is configured (%s)", name, told)
	case status == http.StatusPaymentRequired:
		return fault.New(fault.Internal, "the account at %s has nothing left to spend (%s)", name, told)
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status >= 300 && status < 400:
		return fault.New(fault.Internal, "%s has no such model, or its address is another (%s)", name, told)
	case status == http.StatusRequestEntityTooLarge:
		return fault.New(fault.TooLarge, "%s refused the request as too large (%s)", name, told)
	case status == http.StatusRequestTimeout, status == http.StatusConflict, status == http.StatusFailedDependency,
		status == http.StatusTooEarly, status >= 500:
		return fault.New(fault.Unavailable, "%s failed (%s)", name, told)
	case status >= 400:
		return fault.New(fault.Invalid, "%s refused the request (%s)", name, told)
	}
	return fault.New(fault.Unavailable, "%s gave an answer nobody expects (%s)", name, told)
}

// codes are words machines wrote for machines; what doesn't look like one is not repeated.
var codes = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*$`)

// codeOf finds the code of a refusal: error.code, error.status or error.type, as OpenAI, Gemini and Anthropic write it,
// or error_type and type beside it.
func (c *Client) codeOf(text []byte) string {
	type parts struct { // text to some, numbers to others
		Code   any `json:"code"`
		Status any `json:"status"`
		Type   any `json:"type"`
	}
	var told struct {
		Error     json.RawMessage `json:"error"`
		ErrorType any             `json:"error_type"`
		parts
	}
	if json.Unmarshal(text, &told) != nil {
		return ""
	}
	var inner parts
	_ = json.Unmarshal(told.Error, &inner) // some write a string there, which tells nothing
	for _, word := range []any{inner.Code, inner.Status, inner.Type, told.ErrorType, told.Type} {
		code, _ := word.(string)
		secret := c.options.Key != "" && strings.Contains(code, c.options.Key)
		if len(code) <= maxCode && codes.MatchString(code) && !secret {
			return code
		}
	}
	return ""
}

func mediaOf(answer *http.Response) string {
	media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	return media
}

// retryAfter is how long the provider asks to be left alone: Retry-After in seconds or as a date (RFC 9110, section
// 10.2.3), or retry-after-ms, which OpenAI sends beside it; 0 where it says nothing.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return bounded(ms * float64(time.Millisecond))
	}
	told := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(told, 64); err == nil && seconds > 0 {
		return bounded(seconds * float64(time.Second))
	}
	if at, err := http.ParseTime(told); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// bounded is a duration of that many nanoseconds, a day at most.
func bounded(nanoseconds float64) time.Duration {
	const day = 24 * time.Hour
	if !(nanoseconds < float64(day)) {
		return day
	}
	return time.Duration(nanoseconds)
}
