package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Levels are the names a log level may have.
func Levels() []string { return []string{"debug", "info", "warn", "error"} }

// ParseLevel returns the level a name of Levels stands for.
func ParseLevel(name string) (slog.Level, error) {
	for i, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if Levels()[i] == name {
			return level, nil
		}
	}
	return slog.LevelInfo, fmt.Errorf("log level %q: must be one of %s", name, strings.Join(Levels(), ", "))
}

// NewLogger writes one JSON object per line to w: UTC time, level, msg, the given attributes, and from the context of
// each line request_id, trace_id, tenant and project where they are known.
func NewLogger(w io.Writer, level slog.Leveler, attrs ...slog.Attr) *slog.Logger {
	return slog.New(withCall{slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
				a.Value = slog.TimeValue(a.Value.Time().UTC())
			}
			return a
		},
	}).WithAttrs(attrs)})
}

// withCall adds to each record what the context knows of the call it belongs to.
type withCall struct{ slog.Handler }

func (h withCall) Handle(ctx context.Context, record slog.Record) error {
	call := CallOf(ctx).facts()
	for _, a := range [...]slog.Attr{
		slog.String("request_id", call.requestID),
		slog.String("trace_id", traceID(call.traceparent)),
		slog.String("tenant", call.tenant),
		slog.String("project", call.project),
	} {
		if a.Value.String() != "" {
			record.AddAttrs(a)
		}
	}
	return h.Handler.Handle(ctx, record)
}

func (h withCall) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withCall{h.Handler.WithAttrs(attrs)}
}

func (h withCall) WithGroup(name string) slog.Handler {
	return withCall{h.Handler.WithGroup(name)}
}
