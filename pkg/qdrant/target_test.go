package qdrant_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/qdrant"
	"github.com/rae-memory/rae/pkg/qdrant/qdranttest"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]qdrant.Target{
		"grpc://qdrant:6334":             {Host: "qdrant", Port: 6334},
		"grpc://qdrant":                  {Host: "qdrant", Port: 6334},
		"http://qdrant:16334/":           {Host: "qdrant", Port: 16334},
		"grpcs://x.cloud.qdrant.io:6334": {Host: "x.cloud.qdrant.io", Port: 6334, TLS: true},
		"https://x.cloud.qdrant.io":      {Host: "x.cloud.qdrant.io", Port: 6334, TLS: true},
		"grpc://[::1]:6334":              {Host: "::1", Port: 6334},
	} {
		if got, err := qdrant.ParseURL(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "qdrant", "qdrant:6334", "grpc://", "grpc://:6334", "grpc://qdrant:0", "grpc://qdrant:65536", "grpc://qdrant:x", "redis://qdrant:6334",
		"grpc://user:pass@qdrant:6334", "grpc://qdrant:6334/collections", "grpc://qdrant:6334?key=x", "http://qdrant:6333", "grpc://%zz",
	} {
		if got, err := qdrant.ParseURL(text); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if _, err := qdrant.Open(qdrant.Options{URL: text}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("open %s: %v", text, err)
		}
	}
}

func TestTheKeyIsSentAndNeverShown(t *testing.T) {
	t.Parallel()
	const key = "open-sesame-1234"
	server := qdranttest.NewWithKey(t, key)
	var log bytes.Buffer
	for given, want := range map[string]bool{key: true, "": false, "wrong": false} {
		x, err := qdrant.Open(qdrant.Options{URL: server.URL(), Key: given, Model: "m", Dimensions: 3, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Ping(t.Context()); (err == nil) != want {
			t.Errorf("key %q: %v", given, err)
		} else if err != nil && strings.Contains(fault.Public(err), "127.0.0.1") {
			t.Errorf("the client is told %q", fault.Public(err))
		}
		fmt.Fprintf(&log, "%+v %#v", x, x)
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}
	if strings.Contains(log.String(), key) {
		t.Error("the key was shown")
	}
	if !strings.Contains(log.String(), "unencrypted") {
		t.Error("nobody is told that the key travels unencrypted")
	}
}

func TestOpenTouchesNothing(t *testing.T) {
	t.Parallel()
	server := qdranttest.New(t)
	server.Stop()
	x, err := qdrant.Open(qdrant.Options{URL: server.URL(), Model: "m", Dimensions: 3})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Ping(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("nobody there: %v", err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	for _, prefix := range []string{"Rae", "rae.", "a b", strings.Repeat("x", 65)} {
		if _, err := qdrant.Open(qdrant.Options{URL: server.URL(), Prefix: prefix}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("prefix %q: %v", prefix, err)
		}
	}
}
