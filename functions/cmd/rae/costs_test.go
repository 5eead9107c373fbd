package main

import (
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/budget"
)

func TestCostsAreToldAsTextJSONAndCSV(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	for _, model := range []string{"gpt-4o", "=cmd"} {
		held := decoded[budget.Reservation](t, raeIn(t, data, "", "budget", "reserve", "--model", model, "--provider", "openai", "--max-cost", "0.5", "--json"))
		raeIn(t, data, "", "budget", "settle", string(held.ID), "--cost", "0.25", "--tokens-in", "1200")
	}
	t.Run("grouped", func(t *testing.T) {
		r := raeIn(t, data, "", "costs", "--group-by", "provider")
		if want := "provider  calls  tokens in  tokens out  cost  cache hits  saved\nopenai    2      2,400      0           $0.5  0           $0\ntotal     2      2,400      0           $0.5  0           $0\n"; r.stdout != want {
			t.Errorf("got %q, want %q", r.stdout, want)
		}
		r = raeIn(t, data, "", "costs", "--csv")
		if want := "model,calls,tokens_in,tokens_out,cached_tokens,cost,overrun,unpriced,cache_hits,saved_tokens,saved\r\n'=cmd,1,1200,0,0,0.25,0,0,0,0,0\r\ngpt-4o,1,1200,0,0,0.25,0,0,0,0,0\r\n"; r.stdout != want {
			t.Errorf("got %q, want %q", r.stdout, want)
		}
	})
	t.Run("one by one", func(t *testing.T) {
		got := decoded[struct{ Calls []budget.Line }](t, raeIn(t, data, "", "costs", "calls", "--limit", "1", "--json")).Calls
		if len(got) != 1 || got[0].Model != "=cmd" || got[0].Cost != budget.USD/4 {
			t.Errorf("got %+v", got)
		}
		r := raeIn(t, data, "", "costs", "calls", "--csv", "--limit", "1")
		if lines := strings.Split(r.stdout, "\r\n"); len(lines) != 4 || !strings.HasPrefix(lines[0], "at,id,operation,") || !strings.Contains(lines[1], ",'=cmd,") {
			t.Errorf("got %q", r.stdout)
		}
		if r := raeIn(t, data, "", "costs", "calls"); !strings.Contains(r.stdout, "gpt-4o  1,200      0           $0.25") {
			t.Errorf("got %q", r.stdout)
		}
	})
	t.Run("overview", func(t *testing.T) {
		got := decoded[budget.Overview](t, raeIn(t, data, "", "costs", "overview", "--all-tenants", "--json"))
		if got.Total.Cost != budget.USD/2 || len(got.TopTenants) != 1 || got.TopProjects[0].Group != "default/default" || *got.TopTenants[0].Month.Limit != 100*budget.USD {
			t.Errorf("got %+v", got)
		}
		if r := raeIn(t, data, "", "costs", "overview"); !strings.Contains(r.stdout, "$0.5 in 2 calls of 1 tenants") || !strings.Contains(r.stdout, "default  2      $0.5  $0.5   $100   ") {
			t.Errorf("got %q", r.stdout)
		}
	})
	wantLine(t, raeIn(t, data, "", "costs", "--group-by", "colour"), exitUsage, `--group-by "colour" must be model, operation, project, provider or day`)
	wantLine(t, raeIn(t, data, "", "costs", "--csv", "--json"), exitUsage, "--csv and --json are two forms: give one")
	wantLine(t, raeIn(t, data, "", "costs", "overview", "--days", "0"), exitUsage, "--days 0 must be between 1 and 365")
	wantLine(t, raeIn(t, data, "", "costs", "calls", "--limit", "1001"), exitUsage, "--limit 1001 must be between 1 and 1000")
}

func TestPricesOfLongAgoFailTheCheck(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	r := raeIn(t, data, "", "prices", "check", "--older-than", "0d")
	if r.code != exitFailed || !strings.Contains(r.stdout, "https://") || !strings.Contains(r.stderr, "prices are older than 0d") {
		t.Errorf("got %d, %q", r.code, r.stderr)
	}
	if r := raeIn(t, data, "", "prices", "check", "--older-than", "36500d"); r != (result{}) {
		t.Errorf("got %+v", r)
	}
	if got := decoded[struct{ Prices []budget.Price }](t, raeIn(t, data, "", "prices", "check", "--older-than", "876000h", "--json")); len(got.Prices) != 0 {
		t.Errorf("got %+v", got)
	}
	for _, wrong := range []string{"soon", "-1d", "1.5d", "-3h", "d"} {
		wantLine(t, raeIn(t, data, "", "prices", "check", "--older-than="+wrong), exitUsage, `--older-than "`+wrong+`" must be an age such as 180d or 720h`)
	}
	if r := raeIn(t, data, "", "prices", "check", "--help"); r.code != 0 || !strings.Contains(r.stdout, "rae prices check --older-than 90d") {
		t.Errorf("got %+v", r)
	}
}
