package reflect_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"

	function "github.com/rae-memory/rae/functions/reflect"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/serve"
)

func TestOpenTouchesNothingAndWorksOnTheEmbeddedStore(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("RAE_STORE", "sqlite")
	t.Setenv("RAE_DATA_DIR", dir)
	t.Setenv("RAE_REFLECT_DECAY", "off")
	f, err := function.Open(t.Context(), serve.Runtime{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if made, err := os.ReadDir(dir); err != nil || len(made) != 0 {
		t.Errorf("opening made %v, %v", made, err)
	}
	mux := http.NewServeMux()
	f.Register(httpapi.New(mux, "test"))
	server := httptest.NewServer(mux)
	defer server.Close()
	w := &world{T: t, url: server.URL}
	for kind, want := range map[string]string{"insight": "succeeded", "decay": "failed"} {
		if got := w.must(http.StatusOK, "POST", "/v1/reflections", `{"wait":true,"kind":"`+kind+`"}`); got["status"] != want {
			t.Errorf("%s ended as %v", kind, got)
		}
	}
	want := []serve.Component{{Name: "database", Critical: true}, {Name: "ml_service", Unused: true}}
	if health := f.Health(t.Context()); !slices.Equal(health, want) {
		t.Errorf("components %+v", health)
	}
	if err := f.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if health := f.Health(t.Context()); len(health) != 2 || health[0].Err == nil {
		t.Errorf("closed and healthy: %+v", health)
	}
}

func TestALanguageModelIsOpenedBehindTheMeterOrNotAtAll(t *testing.T) {
	t.Setenv("RAE_STORE", "inmem")
	t.Setenv("RAE_LLM_PROVIDER", "anthropic")
	for _, c := range []struct{ set, value, want string }{
		{"RAE_LLM_TIMEOUT", "5s", "RAE_LLM_API_KEY"}, {"RAE_LLM_API_KEY", "sk-never-to-be-told", "RAE_BUDGET_URL"}, {"RAE_BUDGET_URL", "http://localhost:1", ""},
	} {
		t.Setenv(c.set, c.value)
		f, err := function.Open(t.Context(), serve.Runtime{Log: slog.New(slog.DiscardHandler)})
		var config *serve.ConfigError
		if c.want != "" {
			if !errors.As(err, &config) || config.Name != c.want || !config.Missing {
				t.Errorf("with %s: %v", c.set, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		want := []serve.Component{{Name: "database", Critical: true}, {Name: "ml_service"}}
		if health := f.Health(t.Context()); !slices.Equal(health, want) {
			t.Errorf("components %+v", health)
		}
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestASettingThatCannotBeMetStopsTheStart(t *testing.T) {
	for name, value := range map[string]string{"RAE_LLM_PROVIDER": "oracle", "RAE_STORE": "file", "RAE_REFLECT_DECAY": "maybe"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			_, err := function.Open(t.Context(), serve.Runtime{Log: slog.New(slog.DiscardHandler)})
			var config *serve.ConfigError
			if !errors.As(err, &config) || config.Name != name || config.Value != value {
				t.Errorf("open: %v", err)
			}
		})
	}
}
