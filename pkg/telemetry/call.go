// Package telemetry says what happened and never what was in it: structured logs that know their request, a metrics
// registry that belongs to its owner, and a Secret that cannot be printed by accident.
package telemetry

import (
	"context"
	"sync"
)

// Call is what is known about the request or event being served. It travels in the context, is filled in as the
// request passes the middleware, and is read by the log handler. The zero value is a call nothing is known about; all
// methods are safe for concurrent use, for a handler may still log while the edge writes its access line.
type Call struct {
	mu sync.RWMutex
	callFacts
	err error
}

type callFacts struct{ requestID, traceparent, tenant, project string }

type callKey struct{}

// NewCall returns a context that carries a fresh Call, and the Call itself, for the edge that opens it. What an outer
// call already knew is inherited; what is learned later stays inside.
func NewCall(ctx context.Context) (context.Context, *Call) {
	c := &Call{callFacts: CallOf(ctx).facts()}
	return context.WithValue(ctx, callKey{}, c), c
}

// CallOf returns the call ctx carries. It is never nil: outside a call it is an empty one that nobody reads.
func CallOf(ctx context.Context) *Call {
	if c, ok := ctx.Value(callKey{}).(*Call); ok {
		return c
	}
	return &Call{}
}

// Identify sets the id the request is answered with and the W3C traceparent it came with; either may be empty.
func (c *Call) Identify(requestID, traceparent string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requestID, c.traceparent = requestID, traceparent
}

// SetScope records whom the call acts for, once the credential has been verified.
func (c *Call) SetScope(tenant, project string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tenant, c.project = tenant, project
}

// Scope returns what SetScope recorded, empty before.
func (c *Call) Scope() (tenant, project string) {
	f := c.facts()
	return f.tenant, f.project
}

// Fail records the cause of a failed call for the one line the edge logs about it. The first cause wins; nil is no
// cause.
func (c *Call) Fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

// Err returns what Fail recorded.
func (c *Call) Err() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.err
}

func (c *Call) facts() callFacts {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.callFacts
}

// RequestID returns the id of the request being served, or "".
func RequestID(ctx context.Context) string { return CallOf(ctx).facts().requestID }

// Traceparent returns the W3C traceparent the request or event came with, or "". It is always well-formed.
func Traceparent(ctx context.Context) string { return CallOf(ctx).facts().traceparent }

// TraceID returns the 32 hex digits that name the trace, or "".
func TraceID(ctx context.Context) string { return traceID(Traceparent(ctx)) }

// WithTraceparent returns a context for work caused elsewhere, such as an event taken from a broker. A value that is
// not a valid traceparent leaves the context as it is.
func WithTraceparent(ctx context.Context, traceparent string) context.Context {
	if !ValidTraceparent(traceparent) {
		return ctx
	}
	ctx, call := NewCall(ctx)
	call.Identify(RequestID(ctx), traceparent)
	return ctx
}

// WithScope returns a context whose log lines name the tenant and project, for work that serves several in turn.
func WithScope(ctx context.Context, tenant, project string) context.Context {
	ctx, call := NewCall(ctx)
	call.SetScope(tenant, project)
	return ctx
}
