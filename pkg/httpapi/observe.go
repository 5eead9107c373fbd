package httpapi

import (
	"context"
	"log/slog"

	"github.com/rae-memory/rae/pkg/fault"
)

type observerKey struct{}

// Observe returns a context in which seen is told every error a request is answered with, causes included, before
// the answer is written. The host uses it for its access log and metrics; seen runs in the request's goroutine and
// must not keep the error's text from reaching anything but the log.
func Observe(ctx context.Context, seen func(error)) context.Context {
	return context.WithValue(ctx, observerKey{}, seen)
}

// observe tells the observer. Without one an internal error is logged here: the client reads nothing of it, so
// nobody else would ever know.
func observe(ctx context.Context, err error) {
	if seen, ok := ctx.Value(observerKey{}).(func(error)); ok {
		seen(err)
		return
	}
	if fault.KindOf(err) == fault.Internal {
		slog.ErrorContext(ctx, "request failed", "err", err)
	}
}
