package rae_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/servicetest"
)

const budgetRules = "charts/rae-memory/rules/budget.yaml"

// TestBudgetsAlert plays days and months in which budgets are spent and pods come and go, to the rules as they are deployed.
func TestBudgetsAlert(t *testing.T) {
	t.Parallel()
	servicetest.Promtool(t, "check", "rules", budgetRules)
	for _, story := range []string{"testdata/rules/budget_day.yaml", "testdata/rules/budget_month.yaml"} {
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			servicetest.Promtool(t, "test", "rules", story)
		})
	}
}

// TestTheRulesReadGaugesThatThereAre compares what the rules read with what the engine shows.
func TestTheRulesReadGaugesThatThereAre(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.call("PUT", "/v1/budgets", `{"daily_limit":10,"monthly_limit":100}`)
	e.call("POST", "/v1/reservations", `{"operation":"chat","model":"gpt-4o","max_cost":9}`)
	shown := func() (lines []string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		r.RemoteAddr, r.Host = "127.0.0.1:4711", "127.0.0.1"
		answer := httptest.NewRecorder()
		e.handler.ServeHTTP(answer, r)
		all, err := io.ReadAll(answer.Body)
		if err != nil || answer.Code != http.StatusOK {
			t.Fatal(answer.Code, err)
		}
		for line := range strings.Lines(string(all)) {
			if strings.HasPrefix(line, "rae_budget_") && !strings.Contains(line, "reset_timestamp") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
		return lines
	}
	want := []string{
		`rae_budget_limit{period="daily",project_id="default",tenant_id="acme"} 10`,
		`rae_budget_limit{period="monthly",project_id="default",tenant_id="acme"} 100`,
		`rae_budget_remaining{period="daily",project_id="default",tenant_id="acme"} 1`,
		`rae_budget_remaining{period="monthly",project_id="default",tenant_id="acme"} 91`,
		`rae_budget_reserved{period="daily",project_id="default",tenant_id="acme"} 9`,
		`rae_budget_reserved{period="monthly",project_id="default",tenant_id="acme"} 9`,
		`rae_budget_scopes 1`, `rae_budget_scopes_truncated 0`,
	}
	got := shown()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	rules, err := os.ReadFile(budgetRules)
	if err != nil {
		t.Fatal(err)
	}
	read := regexp.MustCompile(`\brae_budget_[a-z_]+`).FindAll(rules, -1)
	if len(read) == 0 {
		t.Fatal("the rules read nothing")
	}
	for _, name := range read {
		if bytes.HasSuffix(name, []byte("reset_timestamp_seconds")) {
			continue // left out above, because it is another every day
		}
		if !slices.ContainsFunc(got, func(line string) bool {
			return strings.HasPrefix(line, string(name)+"{") || strings.HasPrefix(line, string(name)+" ")
		}) {
			t.Errorf("the rules read %s, which nobody shows", name)
		}
	}
}
