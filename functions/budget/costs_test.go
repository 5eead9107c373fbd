package budget_test

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// sheet asks for CSV and returns the text and its media type.
func (w *world) sheet(path string, headers ...string) (text, media string) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("X-Tenant-ID", "acme")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	raw, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		w.Fatalf("GET %s: %d %s %v", path, response.StatusCode, raw, err)
	}
	return string(raw), response.Header.Get("Content-Type")
}

// pay books a call of a model for a tenant's project.
func (w *world) pay(tenant, project, model, body string) string {
	w.Helper()
	scope := []string{"X-Tenant-ID", tenant, "X-Project-ID", project}
	made := w.must(201, "POST", "/v1/reservations", fmt.Sprintf(`{"operation":"chat","provider":"openai","model":%q,"max_cost":0.25}`, model), scope...)
	w.must(200, "POST", "/v1/reservations/"+made["id"].(string)+"/settle", body, scope...)
	return made["id"].(string)
}

func TestTheLogTellsEveryCallNewestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	first := w.pay("acme", "default", "gpt-4o", `{"tokens_in":1000,"tokens_out":500,"cached_tokens":400,"latency_ms":812,"estimated":true,"request_id":"req-1"}`)
	w.now = w.now.Add(time.Minute)
	w.pay("acme", "default", "gpt-4o-mini", `{"cost":1}`)
	w.pay("acme", "other", "gpt-4o", `{"cost":1}`)
	w.pay("other", "default", "gpt-4o", `{"cost":1}`)
	page := w.must(200, "GET", "/v1/costs/calls?limit=1", "")
	w.is(page["calls"].([]any)[0].(map[string]any), map[string]any{"model": "gpt-4o-mini", "cost": n("1"), "latency_ms": n("0"), "request_id": ""})
	cursor := page["next_cursor"].(string)
	page = w.must(200, "GET", "/v1/costs/calls?limit=1&cursor="+cursor, "")
	want := map[string]any{"next_cursor": "", "calls": []any{map[string]any{
		"id": first, "reservation_id": first, "at": "2026-11-23T12:00:00Z", "operation": "chat", "provider": "openai", "model": "gpt-4o",
		"calls": n("1"), "tokens_in": n("1000"), "tokens_out": n("500"), "cached_tokens": n("400"), "cost": n("0.007"), "overrun": n("0"),
		"late": false, "price_known": true, "estimated": true, "latency_ms": n("812"), "cache_hit": false, "saved_tokens": n("0"),
		"saved": n("0"), "request_id": "req-1",
	}}}
	if !reflect.DeepEqual(page, want) {
		t.Errorf("got  %v\nwant %v", page, want)
	}
	for query, count := range map[string]int{
		"?model=gpt-4o": 1, "?operation=chat": 2, "?operation=embeddings": 0, "?since=2026-11-23T12:00:30Z": 1, "?until=2026-11-23T12:00:30Z": 1,
	} {
		if got := w.must(200, "GET", "/v1/costs/calls"+query, "")["calls"].([]any); len(got) != count {
			t.Errorf("%s: %d calls, want %d", query, len(got), count)
		}
	}
	w.refused(422, "query.cursor", "GET", "/v1/costs/calls?cursor="+cursor, "", "X-Project-ID", "other")
	w.refused(422, "query.until", "GET", "/v1/costs/calls?since=2026-11-02T00:00:00Z&until=2026-11-01T00:00:00Z", "")
	w.refused(422, "query.model", "GET", "/v1/costs/calls?model="+strings.Repeat("x", 201), "")
	w.refused(422, "query.format", "GET", "/v1/costs/calls?format=xls", "")
}

func TestReportsAndTheLogComeAsCSVThatNoSpreadsheetComputes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	id := w.pay("acme", "default", `=HYPERLINK("http://x","a, b")`, `{"tokens_in":1,"cost":0.25,"request_id":"@req"}`)
	const heading = "model,calls,tokens_in,tokens_out,cached_tokens,cost,overrun,unpriced,cache_hits,saved_tokens,saved\r\n"
	report := heading + `"'=HYPERLINK(""http://x"",""a, b"")",1,1,0,0,0.25,0,0,0,0,0` + "\r\n"
	for _, way := range [][]string{
		{"/v1/costs?format=csv"}, {"/v1/costs", "Accept", "text/csv"}, {"/v1/costs", "Accept", "application/json;q=0.5, text/csv;q=0.9"},
		{"/v1/costs?format=csv", "Accept", "application/json"},
	} {
		if text, media := w.sheet(way[0], way[1:]...); text != report || media != "text/csv; charset=utf-8; header=present" {
			t.Errorf("%v: got %s %q, want %q", way, media, text, report)
		}
	}
	for _, way := range [][]string{
		{"/v1/costs"}, {"/v1/costs?format=json", "Accept", "text/csv"}, {"/v1/costs", "Accept", "text/csv;q=0.1, application/json"},
		{"/v1/costs", "Accept", "text/csv;q=0"}, {"/v1/costs", "Accept", "*/*"}, {"/v1/costs", "Accept", ";;,"},
	} {
		if _, media := w.sheet(way[0], way[1:]...); media != "application/json" {
			t.Errorf("%v: got %s, want JSON", way, media)
		}
	}
	log := "at,id,operation,provider,model,calls,tokens_in,tokens_out,cached_tokens,cost,overrun,late,price_known,estimated,latency_ms," +
		"cache_hit,saved_tokens,saved,request_id,reservation_id\r\n2026-11-23T12:00:00Z," + id +
		`,chat,openai,"'=HYPERLINK(""http://x"",""a, b"")",1,1,0,0,0.25,0,false,true,false,0,false,0,0,'@req,` + id + "\r\n"
	if text, _ := w.sheet("/v1/costs/calls?format=csv"); text != log {
		t.Errorf("got  %q\nwant %q", text, log)
	}
	if text, _ := w.sheet("/v1/costs?format=csv&group_by=day", "X-Tenant-ID", "nobody"); text != strings.Replace(heading, "model", "day", 1) {
		t.Errorf("of nobody: %q", text)
	}
	w.refused(422, "query.until", "GET", "/v1/costs?format=csv&since=2026-11-02T00:00:00Z&until=2026-11-01T00:00:00Z", "")
	w.admin = fault.New(fault.Denied, "administrators only")
	w.refused(403, "", "GET", "/v1/costs?format=csv&group_by=project", "")
}

func TestACSVOfTheLogIsTheWholeLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	const lines = 2*budget.MaxGroups + 100
	for range lines / budget.MaxSavings {
		savings := make([]budget.Saving, budget.MaxSavings)
		for i := range savings {
			savings[i] = budget.Saving{ID: memory.NewID(), Operation: "embeddings", Model: fmt.Sprintf("model-%s", memory.NewID()), Calls: 1, TokensIn: 1}
		}
		if _, err := w.ledger.Save(t.Context(), memory.Scope{Tenant: "acme", Project: "default"}, savings); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/v1/costs/calls?format=csv&limit=3", "/v1/costs?format=csv&limit=3"} {
		text, _ := w.sheet(path)
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		seen := map[string]bool{}
		for _, row := range rows {
			seen[strings.Join(row, ",")] = true
		}
		if err != nil || len(rows) != lines+1 || len(seen) != lines+1 {
			t.Errorf("%s: %d rows, %d of them different, want %d: %v", path, len(rows), len(seen), lines+1, err)
		}
	}
}

func TestSavingsAreWrittenDownOnceAndRefusedByTheirField(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	id := string(memory.NewID())
	body := `{"savings":[{"id":"` + id + `","operation":"embeddings","provider":"openai","model":"text-embedding-3-small","calls":3,"tokens_in":1000000}]}`
	saved := w.must(200, "POST", "/v1/costs/savings", body)
	w.is(saved["calls"].([]any)[0].(map[string]any), map[string]any{
		"id": id, "calls": n("3"), "cost": n("0"), "cache_hit": true, "saved_tokens": n("1000000"), "saved": n("0.02"), "reservation_id": "",
	})
	w.must(200, "POST", "/v1/costs/savings", body)
	w.is(w.must(200, "GET", "/v1/costs", "")["total"].(map[string]any), map[string]any{"calls": n("0"), "cache_hits": n("3"), "saved": n("0.02")})
	w.refused(422, "body.savings", "POST", "/v1/costs/savings", `{"savings":[]}`)
	w.refused(422, "body.savings[0].calls", "POST", "/v1/costs/savings", strings.Replace(body, `"calls":3`, `"calls":-1`, 1))
	w.refused(400, "body.savings[0].cost", "POST", "/v1/costs/savings", strings.Replace(body, `"calls":3`, `"calls":3,"cost":1`, 1))
}

func TestTheOverviewTellsWhoSpendsWhatAndWhereTheMonthIsGoing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	limit := func(tenant, project, monthly string) {
		w.must(200, "PUT", "/v1/budgets", `{"monthly_limit":`+monthly+`}`, "X-Tenant-ID", tenant, "X-Project-ID", project)
	}
	w.now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) // the last day: what is spent is nearly what is projected
	for _, tenant := range []struct{ name, spent string }{{"a-ok", "74"}, {"b-warning", "75"}, {"c-critical", "90"}, {"d-exceeded", "100"}} {
		limit(tenant.name, "p", "100")
		w.pay(tenant.name, "p", "gpt-4o", `{"tokens_in":10,"tokens_out":5,"cost":`+tenant.spent+`,"latency_ms":100}`)
	}
	w.pay("e-unlimited", "p", "gpt-5", `{"cost":400}`)
	w.pay("f-small", "p", "o3", `{"cost":1}`)
	got := w.must(200, "GET", "/v1/costs/overview?days=7", "", "X-Tenant-ID", "")
	w.is(got, map[string]any{
		"tenant_id": "", "period_start": "2026-11-24T00:00:00Z", "period_end": "2026-11-30T12:00:00Z", "unique_tenants": n("6"),
		"total_tokens": n("60"), "average_cost_per_call": n("123.333333334"), "average_latency_ms": n("100"), "cache_hit_rate": n("0"),
	})
	w.is(got["total"].(map[string]any), map[string]any{"calls": n("6"), "cost": n("740")})
	standing := map[string]any{}
	for _, one := range got["top_tenants"].([]any) {
		standing[one.(map[string]any)["tenant_id"].(string)] = one.(map[string]any)["month"].(map[string]any)["status"]
	}
	if want := map[string]any{
		"a-ok": "ok", "b-warning": "warning", "c-critical": "critical", "d-exceeded": "exceeded", "e-unlimited": "ok",
	}; !reflect.DeepEqual(standing, want) {
		t.Errorf("got %v, want %v", standing, want)
	}
	w.is(got["top_tenants"].([]any)[1].(map[string]any)["month"].(map[string]any), map[string]any{
		"monthly_limit": n("100"), "monthly_usage": n("100"), "usage_percentage": n("100"),
	})
	for list, first := range map[string]string{"top_projects": "e-unlimited/p", "top_models": "e-unlimited", "top_operations": "chat"} {
		if list == "top_models" {
			first = "gpt-5"
		}
		if got := got[list].([]any)[0].(map[string]any)["group"]; got != first {
			t.Errorf("%s begins with %v, want %s", list, got, first)
		}
	}
	if got := got["top_projects"].([]any); len(got) != 5 {
		t.Errorf("%d projects", len(got))
	}

	t.Run("a projection over the limit is a warning before half is spent", func(t *testing.T) {
		w.now = time.Date(2026, 12, 3, 0, 0, 0, 0, time.UTC)
		limit("a-ok", "p", "100")
		w.pay("a-ok", "p", "gpt-4o", `{"cost":40}`)
		got := w.must(200, "GET", "/v1/costs/overview", "", "X-Tenant-ID", "a-ok")
		w.is(got["top_tenants"].([]any)[0].(map[string]any)["month"].(map[string]any), map[string]any{
			"monthly_usage": n("40"), "projected_month_end": n("620"), "usage_percentage": n("40"), "status": "warning",
		})
	})
	t.Run("of one tenant it tells that tenant alone", func(t *testing.T) {
		w.pay("b-warning", "side", "gpt-4o", `{"cost":1}`)
		w.must(200, "POST", "/v1/costs/savings", `{"savings":[{"id":"`+string(memory.NewID())+`","operation":"embeddings","provider":"openai","model":"text-embedding-3-small","calls":2,"tokens_in":1000000}]}`,
			"X-Tenant-ID", "b-warning", "X-Project-ID", "side")
		a := w.do("GET", "/v1/costs/overview", "", "X-Tenant-ID", "b-warning")
		for _, other := range []string{"a-ok", "c-critical", "d-exceeded", "e-unlimited", "f-small"} {
			if strings.Contains(a.raw, other) {
				t.Errorf("%s is in %s", other, a.raw)
			}
		}
		w.is(a.body, map[string]any{"tenant_id": "b-warning", "unique_tenants": n("1"), "cache_hit_rate": n("0.5")})
		w.is(a.body["total"].(map[string]any), map[string]any{"calls": n("2"), "cost": n("76"), "cache_hits": n("2"), "saved": n("0.02")})
		if month := a.body["top_tenants"].([]any)[0].(map[string]any)["month"].(map[string]any); month["monthly_limit"] != nil {
			t.Errorf("a project without a limit leaves the tenant one: %v", month)
		}
	})
	w.refused(422, "query.days", "GET", "/v1/costs/overview?days=366", "")
	w.refused(422, "query.days", "GET", "/v1/costs/overview?days=0", "")
	w.admin = fault.New(fault.Denied, "administrators only")
	w.refused(403, "", "GET", "/v1/costs/overview", "")
	w.refused(403, "", "GET", "/v1/costs/overview", "", "X-Tenant-ID", "")
}
