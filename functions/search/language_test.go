package search_test

import (
	"errors"
	"testing"

	searchfn "github.com/rae-memory/rae/functions/search"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/serve"
)

func TestLanguagesOfTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *searchfn.Config) { c.Languages = "acme=cjk,*=simple" })
	beta := memory.Scope{Tenant: "beta", Project: "default"}
	for _, scope := range []memory.Scope{here, beta} {
		w.put(scope, memory.Memory{Content: "新しいｶﾒﾗを京都で買いました"})
	}
	for tenant, want := range map[string]int{"acme": 1, "beta": 0} {
		_, answer := w.call("POST", "/v1/search", `{"query":"カメラ","mode":"lexical"}`, "X-Tenant-ID", tenant)
		if found := contents(answer); len(found) != want {
			t.Errorf("%s finds %q, want %d", tenant, found, want)
		}
	}
}

func TestLanguagesThatCannotBeUsedStopTheStart(t *testing.T) {
	const want = `RAE_LANGUAGES=acme=klingon is not allowed: it must be tenant=language with commas between, each tenant once, * for all others, and languages english, simple or cjk`
	t.Setenv("RAE_LANGUAGES", "acme=klingon")
	var cfg searchfn.Config
	var refused *serve.ConfigError
	if err := serve.Load(&cfg); !errors.As(err, &refused) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := database.Open(&cfg.Config, nil, nil); !errors.As(err, &refused) {
		t.Errorf("opens with %v", err)
	}
	t.Setenv("RAE_LANGUAGES", "acme=cjk")
	if err := serve.Load(&cfg); err != nil || cfg.Languages != "acme=cjk" {
		t.Errorf("%q, %v", cfg.Languages, err)
	}
}
