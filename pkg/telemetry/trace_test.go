package telemetry_test

import (
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/telemetry"
)

func TestTraceparents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value string
		valid       bool
	}{
		{"the example of the standard", trace, true},
		{"not sampled", trace[:53] + "00", true},
		{"a later version may carry more", "01" + trace[2:] + "-more", true},
		{"empty", "", false},
		{"version 00 carries no more", trace + "-more", false},
		{"a later version without separator", "01" + trace[2:] + "more", false},
		{"version ff", "ff" + trace[2:], false},
		{"upper case", strings.ToUpper(trace), false},
		{"all-zero trace id", "00-" + strings.Repeat("0", 32) + trace[35:], false},
		{"all-zero span id", trace[:36] + strings.Repeat("0", 16) + "-01", false},
		{"cut short", trace[:54], false},
		{"line break behind a later version", "01" + trace[2:] + "-\r\nX: y", false},
		{"endless", "01" + trace[2:] + "-" + strings.Repeat("a", 1000), false},
	} {
		if got := telemetry.ValidTraceparent(c.value); got != c.valid {
			t.Errorf("%s: valid = %t, want %t", c.name, got, c.valid)
		}
	}
}

func TestAnInvalidTraceparentIsNotCarriedOn(t *testing.T) {
	t.Parallel()
	ctx := telemetry.WithTraceparent(t.Context(), "junk")
	if got := telemetry.Traceparent(ctx) + telemetry.TraceID(ctx); got != "" {
		t.Errorf("carried %q", got)
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"a": true, "0190-x_y.z:~!": true, strings.Repeat("a", 128): true,
		"": false, strings.Repeat("a", 129): false, "a b": false, "a\n": false, "é": false, "\x7f": false,
	} {
		if got := telemetry.ValidRequestID(value); got != want {
			t.Errorf("ValidRequestID(%q) = %t, want %t", value, got, want)
		}
	}
}
