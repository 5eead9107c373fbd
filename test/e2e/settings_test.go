package e2e_test

import (
	"bytes"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestCredentialsAreAskedForWhereTheyAreRequired(t *testing.T) {
	t.Parallel()
	w := serve(t, "", "RAE_AUTH=required", "RAE_MASTER_KEY=a-master-key-of-forty-characters-and-more")
	good := "Bearer a-master-key-of-forty-characters-and-more"
	for name, row := range map[string]struct {
		status  int
		headers []string
	}{
		"no credential":   {http.StatusUnauthorized, nil},
		"a wrong one":     {http.StatusUnauthorized, []string{"Authorization", "Bearer nonsense"}},
		"an empty one":    {http.StatusUnauthorized, []string{"Authorization", "Bearer "}},
		"another scheme":  {http.StatusUnauthorized, []string{"Authorization", "Basic YTpi"}},
		"two of them":     {http.StatusBadRequest, []string{"Authorization", good, "X-API-Key", good[len("Bearer "):]}},
		"the master key":  {http.StatusOK, []string{"Authorization", good}},
		"it as a key":     {http.StatusOK, []string{"X-API-Key", good[len("Bearer "):]}},
		"it, no tenant":   {http.StatusBadRequest, []string{"Authorization", good, "X-Tenant-ID", ""}},
		"a tenant beside": {http.StatusUnauthorized, []string{"X-Tenant-ID", "stranger"}},
	} {
		if a := w.do("GET", "/v1/memories", nil, row.headers...); a.status != row.status {
			t.Errorf("%s: got %v, want %d", name, a, row.status)
		}
	}
	w.want(http.StatusUnauthorized, "POST", "/", "{}", "Content-Type", "application/cloudevents+json", "X-Tenant-ID", "")
	for _, open := range []string{"/health/live", "/health/ready", "/docs", "/openapi.json"} {
		w.want(http.StatusOK, "GET", open, nil, "X-Tenant-ID", "")
	}
	if strings.Contains(w.process.Log(), "a-master-key") {
		t.Error("the key is in the log")
	}
}

func TestASettingThatCannotBeUsedStopsTheStartInOneLine(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"rae", "store", "budget"} {
		for name, setting := range map[string]string{
			"PORT": "PORT=eighty", "RAE_AUTH": "RAE_AUTH=perhaps", "RAE_STORE": "RAE_STORE=papyrus", "RAE_LOG_LEVEL": "RAE_LOG_LEVEL=loud",
			"RAE_JWT_SECRET": "RAE_AUTH=required",
		} {
			t.Run(program+" with "+setting, func(t *testing.T) {
				t.Parallel()
				args := []string{}
				if program == "rae" {
					args = []string{"serve"}
				}
				command := exec.CommandContext(t.Context(), filepath.Join(programs, program), args...)
				command.Env = []string{"PATH=/usr/bin:/bin", "PORT=0", "RAE_DATA_DIR=" + t.TempDir(), "RAE_AUTH=none", setting}
				var stderr bytes.Buffer
				command.Stderr = &stderr
				err := command.Run()
				lines := strings.Count(strings.TrimSpace(stderr.String()), "\n") + 1
				if err == nil || command.ProcessState.ExitCode() != 2 || lines != 1 || !strings.Contains(stderr.String(), name) {
					t.Errorf("exit %v, stderr %q, want exit 2 and one line naming %s", err, stderr.String(), name)
				}
			})
		}
	}
}
