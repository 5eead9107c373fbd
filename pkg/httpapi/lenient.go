package httpapi

import (
	"errors"
	"maps"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
)

const lenientMark = "rae.lenient"

// Lenient marks an operation that speaks another vendor's API (OpenAI, Cohere): keys and query parameters it does
// not know are ignored, as those clients expect, and its error documents carry the `error` object those clients
// read, with the code Coded gave it. A wrong value is answered 400 there and not 422, because those APIs do.
// Everything else stays as strict as elsewhere.
func Lenient(op huma.Operation) huma.Operation {
	op.Metadata = maps.Clone(op.Metadata)
	if op.Metadata == nil {
		op.Metadata = map[string]any{}
	}
	op.Metadata[lenientMark] = true
	return op
}

func isLenient(op *huma.Operation) bool {
	marked, _ := op.Metadata[lenientMark].(bool)
	return marked
}

// Coded gives an error the code that clients of a lenient operation look for, such as "model_not_found". Without
// one the code is the name of the error's kind.
func Coded(err error, code string) error { return &codedError{err, code} }

type codedError struct {
	error
	code string
}

func (c *codedError) Unwrap() error { return c.error }

// errorObject is the error as OpenAI's API shapes it. All four keys are always there; param and code may be null.
type errorObject struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

// withErrorObject returns the problem with an `error` member beside the others.
func (p *Problem) withErrorObject() *Problem {
	object := errorObject{Message: p.Detail, Type: errorType(p.Status)}
	if name, ours := strings.CutPrefix(p.Type, problemType); ours {
		object.Code = &name
	}
	if coded, ok := errors.AsType[*codedError](p.cause); ok {
		object.Code = &coded.code
	}
	if p.Status == statusOf[fault.OverBudget] {
		quota := "insufficient_quota" // what clients of that API look for before they stop retrying
		object.Code = &quota
	}
	if len(p.Errors) > 0 {
		param := strings.TrimPrefix(p.Errors[0].Location, "body.")
		object.Param = &param
	}
	told := *p
	told.Members = maps.Clone(p.Members)
	if told.Members == nil {
		told.Members = map[string]any{}
	}
	told.Members["error"] = object
	return &told
}

// inDialect is the problem as a lenient operation answers it.
func (p *Problem) inDialect() *Problem {
	told := p.withErrorObject()
	if told.Status == statusOf[fault.Invalid] {
		told.Status = statusOf[fault.Malformed]
		told.Title = titleOf(told.Status)
	}
	return told
}

func errorType(status int) string {
	switch status {
	case statusOf[fault.Unauthenticated]:
		return "authentication_error"
	case statusOf[fault.Denied]:
		return "permission_error"
	case statusOf[fault.OverBudget]:
		return "insufficient_quota"
	case statusOf[fault.RateLimited]:
		return "rate_limit_error"
	}
	if status >= 500 {
		return "server_error"
	}
	return "invalid_request_error"
}
