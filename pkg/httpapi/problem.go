package httpapi

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
)

const (
	problemMedia = "application/problem+json"
	problemType  = "urn:rae:problem:" // followed by the name of the kind
)

// statusClosed is what the log shows for a caller who went away; no standard code says it.
const statusClosed = 499

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
	fault.Cancelled:       statusClosed,
}

// Problem is an RFC 9457 problem document. Members are extra top-level members, such as the budget of a 402; they
// cannot replace the standard ones.
type Problem struct {
	Type    string         `json:"type" doc:"Kind of the problem, stable." example:"urn:rae:problem:invalid"`
	Title   string         `json:"title" doc:"The status in words." example:"Unprocessable Entity"`
	Status  int            `json:"status" doc:"HTTP status code." example:"422"`
	Detail  string         `json:"detail" doc:"What is wrong with this request." example:"body.content is required"`
	Errors  []fault.Field  `json:"errors,omitempty" doc:"The inputs at fault, one by one."`
	Members map[string]any `json:"-"`
	headers http.Header
	cause   error
}

// ProblemOf translates an error for the client. What the error says of its cause stays behind for the log. An error
// that already is a Problem is returned as it is.
func ProblemOf(err error) *Problem {
	if known, ok := errors.AsType[*Problem](err); ok {
		return known
	}
	kind := fault.KindOf(err)
	p := newProblem(statusOf[kind], kind.String(), fault.Public(err))
	p.Errors = fault.FieldsOf(err)
	p.cause = err
	if wait := fault.RetryAfterOf(err); wait > 0 {
		seconds := int64((wait + time.Second - 1) / time.Second)
		p.headers.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	if kind == fault.Unauthenticated {
		p.headers.Set("WWW-Authenticate", `Bearer realm="rae"`)
	}
	var more fault.Detailed
	if errors.As(err, &more) {
		p.Members = more.ProblemMembers()
	}
	return p
}

// newProblem is for the few answers HTTP knows and package fault does not, such as 405; name is the end of the type.
func newProblem(status int, name, detail string) *Problem {
	return &Problem{
		Type:    problemType + name,
		Title:   titleOf(status),
		Status:  status,
		Detail:  detail,
		headers: http.Header{},
	}
}

func titleOf(status int) string {
	if status == statusClosed {
		return "Client Closed Request"
	}
	return http.StatusText(status)
}

func (p *Problem) Error() string             { return p.Title + ": " + p.Detail }
func (p *Problem) Unwrap() error             { return p.cause }
func (p *Problem) GetStatus() int            { return p.Status }
func (p *Problem) GetHeaders() http.Header   { return p.headers }
func (p *Problem) ContentType(string) string { return problemMedia }

// MarshalJSON writes the document with its extra members beside the standard ones.
func (p *Problem) MarshalJSON() ([]byte, error) {
	doc := maps.Clone(p.Members)
	if doc == nil {
		doc = map[string]any{}
	}
	doc["type"], doc["title"], doc["status"], doc["detail"] = p.Type, p.Title, p.Status, p.Detail
	delete(doc, "errors")
	if len(p.Errors) > 0 {
		doc["errors"] = p.Errors
	}
	return json.Marshal(doc)
}

// TransformSchema tells the OpenAPI document that problems may carry further members.
func (p *Problem) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.AdditionalProperties = true
	return s
}

// WriteProblem answers r with the problem of err, for plain net/http middleware. It does not know which operation
// the request was meant for, so the document also carries the error object that clients of the lenient operations
// read; everybody else may ignore it.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	observe(r.Context(), err)
	p := ProblemOf(err).withErrorObject()
	body := p.encode()
	for name, values := range p.headers {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemMedia)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// respond is WriteProblem inside an operation.
func respond(ctx huma.Context, p *Problem) {
	if isLenient(ctx.Operation()) {
		p = p.inDialect()
	}
	body := p.encode()
	for name, values := range p.headers {
		for _, value := range values {
			ctx.SetHeader(name, value)
		}
	}
	ctx.SetHeader("Content-Type", problemMedia)
	ctx.SetStatus(p.Status)
	_, _ = ctx.BodyWriter().Write(body) // a client that has gone needs no answer
}

// encode never fails: members that cannot be written are left out.
func (p *Problem) encode() []byte {
	body, err := json.Marshal(p)
	if err != nil {
		bare := *p
		bare.Members = nil
		body, _ = json.Marshal(&bare)
	}
	return append(body, '\n')
}
