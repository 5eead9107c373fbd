package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
)

const (
	maxProblemBytes = 256 << 10
	maxRetryAfter   = 24 * time.Hour
)

// ReadProblem is ProblemOf backwards: it rebuilds the error a RAE function answered with, so that its kind, message,
// fields, waiting time and members survive any number of hops. A response below 300 is no error. An answer that is
// no problem document (a proxy's page) is classified by its status and its text is not trusted. The caller still
// closes the body.
func ReadProblem(resp *http.Response) error {
	if resp.StatusCode < http.StatusMultipleChoices {
		return nil
	}
	rebuilt := &fault.Error{
		Kind:       kindOfStatus(resp.StatusCode),
		Message:    fmt.Sprintf("the service answered %d %s", resp.StatusCode, titleOf(resp.StatusCode)),
		RetryAfter: retryAfter(resp.Header.Get("Retry-After")),
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if media != problemMedia {
		return rebuilt
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxProblemBytes))
	if err != nil {
		return rebuilt
	}
	var doc struct {
		Type   string        `json:"type"`
		Detail string        `json:"detail"`
		Errors []fault.Field `json:"errors"`
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // money keeps its digits on the way to the next hop
	var members map[string]any
	if json.Unmarshal(raw, &doc) != nil || decoder.Decode(&members) != nil {
		return rebuilt
	}
	if name, ours := strings.CutPrefix(doc.Type, problemType); ours {
		if kind := fault.ParseKind(name); kind.String() == name {
			rebuilt.Kind = kind
		}
	}
	if doc.Detail != "" {
		rebuilt.Message = doc.Detail
	}
	rebuilt.Fields = doc.Errors
	for _, standard := range []string{"type", "title", "status", "detail", "instance", "errors", "error"} {
		delete(members, standard)
	}
	if len(members) == 0 {
		return rebuilt
	}
	return &detailed{fault: rebuilt, members: members}
}

// detailed is a fault with the extra members of the document it was read from.
type detailed struct {
	fault   *fault.Error
	members map[string]any
}

func (d *detailed) Error() string                  { return d.fault.Error() }
func (d *detailed) Unwrap() error                  { return d.fault }
func (d *detailed) ProblemMembers() map[string]any { return d.members }

// kindOfStatus is statusOf backwards, with the nearest kind for codes that are not in the table.
func kindOfStatus(status int) fault.Kind {
	for kind, known := range statusOf {
		if known == status {
			return kind
		}
	}
	switch {
	case status == http.StatusRequestTimeout:
		return fault.Timeout
	case status == http.StatusBadGateway:
		return fault.Unavailable
	case status >= 400 && status < 500:
		return fault.Invalid
	}
	return fault.Internal
}

// retryAfter reads seconds or an HTTP date, at most a day; 0 when there is none.
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(time.Until(at), 0), maxRetryAfter)
	}
	return 0
}
