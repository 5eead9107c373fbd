// Package fault is the one error type of RAE: a closed list of kinds, a message that is safe to show to a
// client, the fields at fault, and a cause that is for the log only.
//
// Two tables translate a kind, and there is no third: kind to HTTP status (package httpapi) and kind to event
// verdict (package eventing). Domain errors with more to say (budget.ExceededError) implement [Classified].
package fault

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind classifies an error once, where it arises. The zero value is Internal: what nobody classified is ours.
type Kind uint8

const (
	Internal        Kind = iota // our fault; the text never reaches a client
	Malformed                   // cannot be parsed at all: broken JSON, NUL bytes, bad headers
	Invalid                     // parsed, but a field has a wrong type, size or value
	Unauthenticated             // no credential, or one that does not hold
	Denied                      // a credential that does not allow this
	NotFound                    // absent, or another tenant's: the two look the same
	Conflict                    // contradicts what stands: other body under the same key, stale version
	TooLarge                    // body or item over its limit
	Unsupported                 // media type or encoding not taken
	OverBudget                  // the budget refuses; the provider was not called
	RateLimited                 // too many requests; RetryAfter says when
	Unavailable                 // a dependency is away; retrying may help
	Timeout                     // the deadline passed before the work was done
	Cancelled                   // the caller went away
)

var kindNames = [...]string{
	"internal", "malformed", "invalid", "unauthenticated", "denied", "not_found", "conflict", "too_large",
	"unsupported", "over_budget", "rate_limited", "unavailable", "timeout", "cancelled",
}

// String returns the stable snake_case name used in problem types, logs and metrics.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "internal"
}

// Kinds lists every kind, for tables that must be complete.
func Kinds() []Kind {
	all := make([]Kind, len(kindNames))
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// ParseKind is String backwards; an unknown name is Internal.
func ParseKind(name string) Kind {
	for i, n := range kindNames {
		if n == name {
			return Kind(i)
		}
	}
	return Internal
}

// Field names one input at fault. Location is a path such as "body.tags[2]", "query.limit" or
// "header.X-Tenant-ID".
type Field struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

// Error is an error with a kind. Message is safe for the client; Err is the cause, for the log only.
type Error struct {
	Kind       Kind
	Message    string
	Fields     []Field
	RetryAfter time.Duration
	Err        error
}

// New returns an error of the kind with a message safe for the client.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Wrap classifies err. The message is what the client may read; err itself stays in the log.
func Wrap(kind Kind, err error, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), Err: err}
}

// BadField returns an Invalid error that names one field by its location.
func BadField(location, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	return &Error{Kind: Invalid, Message: location + " " + message, Fields: []Field{{Location: location, Message: message}}}
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error         { return e.Err }
func (e *Error) FaultKind() Kind       { return e.Kind }
func (e *Error) PublicMessage() string { return e.Message }

// Classified is implemented by errors that know their own kind and the text a client may read.
type Classified interface {
	error
	FaultKind() Kind
	PublicMessage() string
}

// Detailed is implemented by errors that carry extra members for the problem document (RFC 9457, section 3.2).
type Detailed interface {
	ProblemMembers() map[string]any
}

// KindOf returns the kind of the outermost classified error in the chain. Context errors are classified here,
// so that nobody else has to.
func KindOf(err error) Kind {
	var c Classified
	switch {
	case errors.As(err, &c):
		return c.FaultKind()
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.Is(err, context.Canceled):
		return Cancelled
	}
	return Internal
}

// Public returns the text a client may read. An unclassified error says nothing of itself.
func Public(err error) string {
	var c Classified
	if errors.As(err, &c) && c.FaultKind() != Internal {
		return c.PublicMessage()
	}
	switch KindOf(err) {
	case Timeout:
		return "the deadline passed before the work was done"
	case Cancelled:
		return "the request was cancelled"
	}
	return "internal error"
}

// FieldsOf returns the fields at fault, if the error names any.
func FieldsOf(err error) []Field {
	var e *Error
	if errors.As(err, &e) {
		return e.Fields
	}
	return nil
}

// RetryAfterOf returns how long a caller should wait before a retry, or 0.
func RetryAfterOf(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}
