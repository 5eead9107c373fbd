package telemetry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/telemetry"
)

func TestASecretNeverPrintsItself(t *testing.T) {
	t.Parallel()
	const value = "hunter2"
	type config struct {
		Key  telemetry.Secret
		Keys map[string]telemetry.Secret
	}
	c := config{Key: value, Keys: map[string]telemetry.Secret{"a": value}}

	var printed []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%08s", "%-20v"} {
		printed = append(printed, fmt.Sprintf(verb, c.Key), fmt.Sprintf(verb, c), fmt.Sprintf(verb, &c))
	}
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	telemetry.NewLogger(&out, slog.LevelInfo).Info("config", "key", c.Key, "config", c)
	slog.New(slog.NewTextHandler(&out, nil)).Info("config", "key", c.Key, "config", c)
	printed = append(printed, string(body), out.String(), fmt.Sprint(c.Key), c.Key.String(), fmt.Errorf("x %w %v", fmt.Errorf("%v", c), c.Key).Error())

	for _, s := range printed {
		for _, leak := range []string{value, "68756e74657232", strings.ToUpper("68756e74657232")} {
			if strings.Contains(s, leak) {
				t.Errorf("printed %q", s)
			}
		}
		if !strings.Contains(s, "***") {
			t.Errorf("%q does not say that something is hidden", s)
		}
	}
	if c.Key.Reveal() != value || c.Key.Empty() || !telemetry.Secret("").Empty() {
		t.Error("Reveal or Empty lies")
	}
}

func TestRegistriesOfOneProcessAreApart(t *testing.T) {
	t.Parallel()
	for range 2 { // a second registration on a shared registry would panic
		families, err := telemetry.NewRegistry().Gather()
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, f := range families {
			names[f.GetName()] = true
		}
		for _, want := range []string{"go_goroutines", "process_resident_memory_bytes"} {
			if !names[want] {
				t.Errorf("no metric %s", want)
			}
		}
	}
}
