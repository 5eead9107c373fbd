package serve_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/serve"
)

// TestAWebPageCannotReadWhatThisMachineKeeps sends what a browser sends once a page's own name resolves to 127.0.0.1.
func TestAWebPageCannotReadWhatThisMachineKeeps(t *testing.T) {
	t.Parallel()
	keeps := &function{name: "store", routes: route("memories", func(context.Context, *thing) (*said, error) { return say("a secret"), nil })}
	local, forced, required := serve.LocalDefaults(), serve.LocalDefaults(), serve.LocalDefaults()
	function := serve.Defaults()
	function.Auth = auth.None
	forced.Host = "0.0.0.0"
	required.Auth, required.MasterKey = auth.Required, "a-master-key-for-this-test"
	for _, c := range []struct {
		name   string
		cfg    serve.Config
		host   string
		status int
	}{
		{"a page's name", local, "pages.example", 403},
		{"a page's name and our port", local, "pages.example:8080", 403},
		{"a name that begins like ours", local, "localhost.pages.example:8080", 403},
		{"a name that begins like our address", local, "127.0.0.1.pages.example", 403},
		{"a function without credentials", function, "pages.example", 403},
		{"our address", local, "127.0.0.1:8080", 200},
		{"our address of six", local, "[::1]:8080", 200},
		{"our name", local, "LocalHost:8080", 200},
		{"a name of our own", local, "rae.localhost", 200},
		{"no name, as HTTP/1.0 allows", local, "", 200},
		{"an address others were let to", forced, "memory.lan:8080", 200},
		{"a credential where one is asked", required, "memory.example", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, _, _ := newServer(t, c.cfg, keeps)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/memories/1", nil)
			r.Host = c.host
			r.Header.Set("X-Tenant-ID", "acme")
			r.Header.Set("X-API-Key", "a-master-key-for-this-test")
			rec := httptest.NewRecorder()
			server.Handler().ServeHTTP(rec, r)
			if rec.Code != c.status || strings.Contains(rec.Body.String(), "a secret") != (c.status == 200) {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
			if c.status == 403 && !strings.Contains(rec.Body.String(), `"location":"header.Host"`) {
				t.Errorf("the refusal does not say why: %s", rec.Body)
			}
		})
	}
}
