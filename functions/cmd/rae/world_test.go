package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
)

// result is what one run of the command line left behind.
type result struct {
	code           int
	stdout, stderr string
}

// raeIn runs the command line in a data folder, with input on standard input and an empty environment.
func raeIn(t *testing.T, data, input string, args ...string) result {
	t.Helper()
	return raeWith(t.Context(), map[string]string{}, input, append([]string{"--data", data}, args...)...)
}

func raeWith(ctx context.Context, env map[string]string, input string, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, strings.NewReader(input), &stdout, &stderr, func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	})
	return result{code, stdout.String(), stderr.String()}
}

// decoded reads the JSON a run printed.
func decoded[T any](t *testing.T, r result) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.stdout), &v); err != nil {
		t.Fatalf("exit code %d, stderr %q, stdout is no JSON: %v\n%s", r.code, r.stderr, err, r.stdout)
	}
	return v
}

// wantLine fails unless the run failed with the code and the one line.
func wantLine(t *testing.T, r result, code int, line string) {
	t.Helper()
	if want := (result{code, "", "rae: " + line + "\n"}); r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
}
