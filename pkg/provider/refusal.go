package provider

import (
	"cmp"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
)

// passing marks an error after which the same request may succeed.
type passing struct{ fault *fault.Error }

func (p *passing) Error() string { return p.fault.Error() }
func (p *passing) Unwrap() error { return p.fault }

// noQuota are codes of refusals that look like too many requests and mean that nothing is left to spend.
var noQuota = []string{"insufficient_quota", "billing_hard_limit_reached"}

// filtered are codes of refusals by the filter before a model. Azure charges for what it read to come to that.
var filtered = []string{"content_filter", "content_policy_violation"}

// overflow is what providers say of prompts that their model cannot hold. Some have a code for it, and some words alone.
var overflow = regexp.MustCompile(`(?i)context_length_exceeded|maximum context length|context (window|size)|prompt is too long|input token count|too many (input )?tokens`)

// refusal is an answer that is none. Only a code is taken from it: its message may repeat the key or what was asked.
func (c *Client) refusal(answer *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxErrorAnswer)) // what there is of it
	if c.options.TellPayer && answer.StatusCode == http.StatusPaymentRequired {
		return overBudgetOf(c.Name(), text)
	}
	said := c.said(text)
	told := strconv.Itoa(answer.StatusCode)
	if said.code != "" {
		told += " " + said.code
	}
	if slices.Contains(filtered, said.code) {
		return llm.Spent(llm.Refused(c.Name(), said.code))
	}
	status := answer.StatusCode
	if status == http.StatusBadRequest && overflow.Match(text) {
		status = http.StatusRequestEntityTooLarge
	}
	e := c.refused(status, told)
	e.RetryAfter = retryAfter(answer.Header, time.Now())
	switch e.Kind {
	case fault.RateLimited:
		if slices.Contains(noQuota, said.code) {
			return e
		}
		return &passing{e}
	case fault.Unavailable:
		return &passing{e}
	}
	return e
}

// failures are the statuses of what providers call errors that come when the status has been sent.
var failures = map[string]int{
	"invalid_request_error": http.StatusBadRequest, "INVALID_ARGUMENT": http.StatusBadRequest, "authentication_error": http.StatusUnauthorized,
	"permission_error": http.StatusForbidden, "not_found_error": http.StatusNotFound, "request_too_large": http.StatusRequestEntityTooLarge,
	"rate_limit_error": http.StatusTooManyRequests, "rate_limit_exceeded": http.StatusTooManyRequests, "RESOURCE_EXHAUSTED": http.StatusTooManyRequests,
}

// Failed is the error of an answer that began well and says that it failed: text is the JSON that says so, with an error in
// it as a refusal has one. It may be charged for, and is not tried again, because parts of the answer may have been used.
func (c *Client) Failed(text []byte) error {
	said := c.said(text)
	if slices.Contains(filtered, said.code) {
		return llm.Spent(llm.Refused(c.Name(), said.code))
	}
	status, known := failures[said.code]
	switch {
	case overflow.Match(text):
		status = http.StatusRequestEntityTooLarge
	case said.status >= 400 && said.status <= 599:
		status = said.status
	case !known:
		status = http.StatusInternalServerError
	}
	return llm.Spent(c.refused(status, cmp.Or(said.code, strconv.Itoa(status))))
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

// said is what a refusal says for machines.
type said struct {
	code   string
	status int // where it repeats one
}

// said finds the code of a refusal: error.code, error.status or error.type, as OpenAI, Gemini and Anthropic write it, or
// error_type and type beside it.
func (c *Client) said(text []byte) (s said) {
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
		return said{}
	}
	var inner parts
	_ = json.Unmarshal(told.Error, &inner) // some write a string there, which tells nothing
	if status, ok := inner.Code.(float64); ok {
		s.status = int(status)
	}
	for _, word := range []any{inner.Code, inner.Status, inner.Type, told.ErrorType, told.Type} {
		code, _ := word.(string)
		if s.code = c.Code(code); s.code != "" {
			return s
		}
	}
	return s
}

// Code is a word of the provider's that may be repeated, "" for one that may not.
func (c *Client) Code(word string) string {
	if secret := c.options.Key != "" && strings.Contains(word, c.options.Key); secret || len(word) > maxCode || !codes.MatchString(word) {
		return ""
	}
	return word
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
