package serve_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// The tests of Load set the environment of the process and so cannot run in parallel.

func TestSettingsComeFromTheEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"PORT": "0", "RAE_HOST": "::1", "RAE_AUTH": "required", "RAE_EVENTS_AUTH": "none", "RAE_JWT_SECRET": "s", "RAE_MASTER_KEY": "k",
		"RAE_LOG_LEVEL": "warn", "RAE_REQUEST_TIMEOUT": "5s", "RAE_STREAM_TIMEOUT": "1m", "RAE_DRAIN_DELAY": "3s",
	} {
		t.Setenv(name, value)
	}
	got := serve.LocalDefaults()
	if err := serve.Load(&got); err != nil {
		t.Fatal(err)
	}
	want := serve.Config{
		Port: 0, Host: "::1", Auth: auth.Required, EventsAuth: auth.None, JWTSecret: "s", MasterKey: "k",
		LogLevel: "warn", RequestTimeout: 5 * time.Second, StreamTimeout: time.Minute, DrainDelay: 3 * time.Second,
	}
	if got != want {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestDefaultsAreWhatTheTagsSay(t *testing.T) {
	for name, defaults := range map[string]serve.Config{"function": serve.Defaults(), "local": serve.LocalDefaults()} {
		t.Setenv("RAE_MASTER_KEY", "k")
		loaded := defaults
		if err := serve.Load(&loaded); err != nil {
			t.Fatal(err)
		}
		defaults.MasterKey = "k"
		if loaded != defaults {
			t.Errorf("%s\n got %+v\nwant %+v", name, loaded, defaults)
		}
	}
}

func TestASettingThatCannotBeUsedStopsTheStartWithOneLine(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"PORT", "http", "PORT=http is not allowed: it must be a whole number from 0 to 65535"},
		{"PORT", "70000", "PORT=70000 is not allowed: it must be a whole number from 0 to 65535"},
		{"PORT", "-1", "PORT=-1 is not allowed: it must be a whole number from 0 to 65535"},
		{"PORT", "", `PORT="" is not allowed: it must be a whole number from 0 to 65535`},
		{"RAE_AUTH", "off", "RAE_AUTH=off is not allowed: it must be none or required"},
		{"RAE_AUTH", "", `RAE_AUTH="" is not allowed: it must be none or required`},
		{"RAE_EVENTS_AUTH", "None", "RAE_EVENTS_AUTH=None is not allowed: it must be none or required"},
		{"RAE_LOG_LEVEL", "trace", "RAE_LOG_LEVEL=trace is not allowed: it must be debug or info or warn or error"},
		{"RAE_LOG_LEVEL", "in\nfo", `RAE_LOG_LEVEL="in\nfo" is not allowed: it must be debug or info or warn or error`},
		{"RAE_LOG_LEVEL", strings.Repeat("x", 200), "RAE_LOG_LEVEL=" + strings.Repeat("x", 80) + "… is not allowed: it must be debug or info or warn or error"},
		{"RAE_REQUEST_TIMEOUT", "30", "RAE_REQUEST_TIMEOUT=30 is not allowed: it must be a duration such as 500ms, 30s or 5m from 10ms to 1h"},
		{"RAE_REQUEST_TIMEOUT", "0s", "RAE_REQUEST_TIMEOUT=0s is not allowed: it must be a duration such as 500ms, 30s or 5m from 10ms to 1h"},
		{"RAE_DRAIN_DELAY", "-1s", "RAE_DRAIN_DELAY=-1s is not allowed: it must be a duration such as 500ms, 30s or 5m from 0s to 5m"},
		{"RAE_HOST", "0.0.0.0:8080", "RAE_HOST=0.0.0.0:8080 is not allowed: it must be an IP address or a host name, without a port"},
		{"RAE_HOST", "http://x", "RAE_HOST=http://x is not allowed: it must be an IP address or a host name, without a port"},
		{"RAE_MASTER_KEY", "hunter2\n", "RAE_MASTER_KEY has a value that is not allowed: it must be visible ASCII without spaces or line breaks, or no header can carry it"},
		{"RAE_MASTER_KEY", "", "RAE_JWT_SECRET is not set: it must be set, or RAE_MASTER_KEY, because RAE_AUTH is required; RAE_AUTH=none takes requests from this machine without credentials"},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			t.Setenv("RAE_MASTER_KEY", "k")
			t.Setenv(c.name, c.value)
			cfg := serve.Defaults()
			err := serve.Load(&cfg)
			if err == nil {
				t.Fatal("the value is taken")
			}
			if got := err.Error(); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
			if code := serve.ExitCode(err); code != 2 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// provider is a nested configuration, as several functions have for their models.
type provider struct {
	Name    string           `split_words:"true" default:"none" allowed:"none|openai"`
	BaseURL string           `split_words:"true"`
	APIKey  telemetry.Secret `split_words:"true"`
	Timeout time.Duration    `split_words:"true" default:"60s" min:"1ms"`
}

type functionConfig struct {
	LLM      provider `envconfig:"RAE_LLM"`
	Limit    float64  `envconfig:"DEFAULT_DAILY_LIMIT" default:"10.00" min:"0"`
	Tracking bool     `envconfig:"ENABLE_COST_TRACKING" default:"true"`
	Workers  uint8    `envconfig:"RAE_WORKERS" min:"1" max:"9"`
	Store    string   `envconfig:"RAE_STORE" required:"true" allowed:"sqlite|postgres"`
	private  int
	Skipped  func() `ignored:"true"`
}

func TestAFunctionsOwnSettingsUseTheSameMechanism(t *testing.T) {
	for name, value := range map[string]string{
		"RAE_STORE": "sqlite", "RAE_LLM_NAME": "openai", "RAE_LLM_BASE_URL": "http://x", "RAE_LLM_API_KEY": "k", "DEFAULT_DAILY_LIMIT": "2.5",
		"BASE_URL": "of somebody else", "API_KEY": "of somebody else",
	} {
		t.Setenv(name, value)
	}
	got := functionConfig{Workers: 4, private: 1}
	if err := serve.Load(&got); err != nil {
		t.Fatal(err)
	}
	if want := (provider{Name: "openai", BaseURL: "http://x", APIKey: "k", Timeout: time.Minute}); got.LLM != want {
		t.Errorf("LLM %+v, want %+v", got.LLM, want)
	}
	if got.Limit != 2.5 || !got.Tracking || got.Workers != 4 || got.Store != "sqlite" || got.private != 1 {
		t.Errorf("got %+v", got)
	}
	for _, c := range []struct{ name, value, want string }{
		{"RAE_LLM_NAME", "vertex", "RAE_LLM_NAME=vertex is not allowed: it must be none or openai"},
		{"RAE_LLM_TIMEOUT", "soon", "RAE_LLM_TIMEOUT=soon is not allowed: it must be a duration such as 500ms, 30s or 5m of at least 1ms"},
		{"DEFAULT_DAILY_LIMIT", "NaN", "DEFAULT_DAILY_LIMIT=NaN is not allowed: it must be a number of at least 0"},
		{"DEFAULT_DAILY_LIMIT", "+Inf", "DEFAULT_DAILY_LIMIT=+Inf is not allowed: it must be a number of at least 0"},
		{"DEFAULT_DAILY_LIMIT", "10,00", "DEFAULT_DAILY_LIMIT=10,00 is not allowed: it must be a number of at least 0"},
		{"ENABLE_COST_TRACKING", "yes please", `ENABLE_COST_TRACKING="yes please" is not allowed: it must be true or false`},
		{"RAE_WORKERS", "0", "RAE_WORKERS=0 is not allowed: it must be a whole number from 1 to 9"},
		{"RAE_STORE", "", "RAE_STORE is not set: it must be sqlite or postgres"},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			t.Setenv(c.name, c.value)
			var cfg functionConfig
			err := serve.Load(&cfg)
			var setting *serve.ConfigError
			if !errors.As(err, &setting) || err.Error() != c.want {
				t.Errorf("\n got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestARequiredSettingThatIsAbsentIsNamed(t *testing.T) {
	var cfg struct {
		URL telemetry.Secret `envconfig:"RAE_TEST_ABSENT_URL" required:"true"`
	}
	if err := serve.Load(&cfg); err == nil || err.Error() != "RAE_TEST_ABSENT_URL is not set: it must be a secret" {
		t.Errorf("got %v", err)
	}
}

func TestOnlyAPointerToAStructIsLoaded(t *testing.T) {
	t.Parallel()
	number := 1
	for _, target := range []any{nil, serve.Config{}, &number, (*serve.Config)(nil)} {
		if err := serve.Load(target); err == nil || serve.ExitCode(err) != 1 {
			t.Errorf("Load(%T) = %v", target, err)
		}
	}
}
