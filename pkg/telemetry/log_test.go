package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"testing"

	"github.com/rae-memory/rae/pkg/telemetry"
)

const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// line parses the single log line in b, without its time.
func line(t *testing.T, b []byte) map[string]any {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("log line %q: %v", b, err)
	}
	if stamp, _ := got["time"].(string); len(stamp) == 0 || stamp[len(stamp)-1] != 'Z' {
		t.Errorf("time %q is not UTC", stamp)
	}
	delete(got, "time")
	return got
}

func TestALogLineNamesTheCallItBelongsTo(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, slog.LevelInfo, slog.String("function", "store"))
	ctx, call := telemetry.NewCall(t.Context())
	call.Identify("r-1", trace)
	call.SetScope("acme", "default")

	log.With("leg", "dense").InfoContext(ctx, "leg skipped", "time", "a word")

	got := line(t, bytes.Replace(out.Bytes(), []byte(`,"time":"a word"`), nil, 1))
	want := map[string]any{
		"level": "INFO", "msg": "leg skipped", "function": "store", "leg": "dense", "request_id": "r-1",
		"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "tenant": "acme", "project": "default",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("line\n got %v\nwant %v", got, want)
	}
}

func TestALogLineOutsideACallSaysNothingOfOne(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	telemetry.NewLogger(&out, slog.LevelDebug).DebugContext(t.Context(), "hello")
	want := map[string]any{"level": "DEBUG", "msg": "hello"}
	if got := line(t, out.Bytes()); !reflect.DeepEqual(got, want) {
		t.Errorf("line\n got %v\nwant %v", got, want)
	}
}

func TestLinesBelowTheLevelAreNotWritten(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	telemetry.NewLogger(&out, slog.LevelWarn).Info("hello")
	if out.Len() != 0 {
		t.Errorf("wrote %q", &out)
	}
}

func TestLevelNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	} {
		if got, err := telemetry.ParseLevel(name); err != nil || got != want {
			t.Errorf("ParseLevel(%q) = %v, %v, want %v", name, got, err, want)
		}
	}
	for _, name := range []string{"", "INFO", "trace", "info+2"} {
		if _, err := telemetry.ParseLevel(name); err == nil {
			t.Errorf("ParseLevel(%q) is accepted", name)
		}
	}
}

func TestAnInnerCallInheritsAndDoesNotLeakOut(t *testing.T) {
	t.Parallel()
	ctx, call := telemetry.NewCall(t.Context())
	call.Identify("r-1", "")
	call.SetScope("acme", "default")
	inner := telemetry.WithScope(telemetry.WithTraceparent(ctx, trace), "other", "p")

	if got := telemetry.RequestID(inner); got != "r-1" {
		t.Errorf("inner request id %q, want r-1", got)
	}
	if got := telemetry.TraceID(inner); got != "4bf92f3577b34da6a3ce929d0e0e4736" {
		t.Errorf("inner trace id %q", got)
	}
	if got := telemetry.Traceparent(ctx); got != "" {
		t.Errorf("outer traceparent became %q", got)
	}
	if tenant, project := call.Scope(); tenant != "acme" || project != "default" {
		t.Errorf("outer scope became %s/%s", tenant, project)
	}
}

func TestTheFirstCauseOfAFailureIsKept(t *testing.T) {
	t.Parallel()
	ctx, call := telemetry.NewCall(t.Context())
	first := errors.New("first")
	telemetry.CallOf(ctx).Fail(nil)
	telemetry.CallOf(ctx).Fail(first)
	telemetry.CallOf(ctx).Fail(errors.New("second"))
	if call.Err() != first {
		t.Errorf("Err() = %v, want first", call.Err())
	}
}

func TestACallIsSafeToShare(t *testing.T) {
	t.Parallel()
	ctx, call := telemetry.NewCall(t.Context())
	log := telemetry.NewLogger(&bytes.Buffer{}, slog.LevelError)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { log.InfoContext(ctx, "x"); telemetry.RequestID(ctx) })
		group.Go(func() { call.Identify("a", trace); call.SetScope("t", "p"); call.Fail(nil) })
	}
	group.Wait()
}
