package httpapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"

	"github.com/rae-memory/rae/pkg/fault"
)

// statusOf is the one table from fault kinds to HTTP status codes.
var statusOf = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Malformed:       http.StatusBadRequest,
	fault.Invalid:         http.StatusUnprocessableEntity,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Denied:          http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Unsupported:     http.StatusUnsupportedMediaType,
	fault.OverBudget:      http.StatusPaymentRequired,
	fault.RateLimited:     http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.Timeout:         http.StatusGatewayTimeout,
	fault.Cancelled:       499, // the caller is gone; only the log reads it
}

// Problem is an RFC 9457 problem document. Members are extra top-level members, such as the budget of a 402.
type Problem struct {
	Type    string
	Title   string
	Status  int
	Detail  string
	Errors  []fault.Field
	Members map[string]any
	headers http.Header
	cause   error
}

// ProblemOf translates an error for the client. What the error says of its cause stays behind for the log.
func ProblemOf(err error) *Problem {
	kind := fault.KindOf(err)
	p := &Problem{
		Type:    "urn:rae:problem:" + kind.String(),
		Title:   http.StatusText(statusOf[kind]),
		Status:  statusOf[kind],
		Detail:  fault.Public(err),
		Errors:  fault.FieldsOf(err),
		headers: http.Header{},
		cause:   err,
	}
	if wait := fault.RetryAfterOf(err); wait > 0 {
		p.headers.Set("Retry-After", strconv.Itoa(int((wait.Seconds() + 0.999))))
	}
	if d, ok := err.(fault.Detailed); ok {
		p.Members = d.ProblemMembers()
	}
	return p
}

func (p *Problem) Error() string             { return p.Title + ": " + p.Detail }
func (p *Problem) Unwrap() error             { return p.cause }
func (p *Problem) GetStatus() int            { return p.Status }
func (p *Problem) GetHeaders() http.Header   { return p.headers }
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// MarshalJSON writes the document with its extra members beside the standard ones.
func (p *Problem) MarshalJSON() ([]byte, error) {
	doc := maps.Clone(p.Members)
	if doc == nil {
		doc = map[string]any{}
	}
	doc["type"], doc["title"], doc["status"], doc["detail"] = p.Type, p.Title, p.Status, p.Detail
	if len(p.Errors) > 0 {
		doc["errors"] = p.Errors
	}
	return json.Marshal(doc)
}
