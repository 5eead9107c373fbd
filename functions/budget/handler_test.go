package budget_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/eventing"
	function "github.com/rae-memory/rae/functions/budget"
	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/inmem"
	"github.com/rae-memory/rae/pkg/memory"
)

// world is the function behind a real server, with a clock set by hand.
type world struct {
	*testing.T
	url    string
	now    time.Time
	db     *inmem.DB
	ledger *inmem.Ledger
	admin  error // what requireAdmin answers
}

func newWorld(t *testing.T, policy budget.Policy) *world {
	t.Helper()
	w := &world{T: t, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	w.db = inmem.New(inmem.Options{Clock: func() time.Time { return w.now }})
	w.ledger = inmem.NewLedger(w.db, policy)
	f := function.New(w.ledger, func(context.Context) error { return w.admin }, slog.New(slog.DiscardHandler))
	mux := http.NewServeMux()
	f.Register(httpapi.New(mux, "test"))
	mux.Handle("/{$}", f.Events())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// answer is a response read whole; numbers keep their digits.
type answer struct {
	status int
	media  string
	body   map[string]any
	raw    string
}

// do sends a request of tenant acme. headers are pairs and replace the tenant.
func (w *world) do(method, path, body string, headers ...string) answer {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("X-Tenant-ID", "acme")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		w.Fatal(err)
	}
	a := answer{status: response.StatusCode, media: response.Header.Get("Content-Type"), raw: string(raw)}
	if len(raw) > 0 {
		decoder := json.NewDecoder(strings.NewReader(a.raw))
		decoder.UseNumber()
		if err := decoder.Decode(&a.body); err != nil {
			w.Fatalf("%s %s: %v in %s", method, path, err, raw)
		}
	}
	return a
}

// must is do with a status that must come.
func (w *world) must(status int, method, path, body string, headers ...string) map[string]any {
	w.Helper()
	a := w.do(method, path, body, headers...)
	if a.status != status {
		w.Fatalf("%s %s: got %d %s, want %d", method, path, a.status, a.raw, status)
	}
	return a.body
}

// refused wants a problem document, which names the field where one is given.
func (w *world) refused(status int, location, method, path, body string, headers ...string) map[string]any {
	w.Helper()
	a := w.do(method, path, body, headers...)
	if a.status != status || a.media != "application/problem+json" {
		w.Errorf("%s %s %s: got %d %s %s, want a problem with %d", method, path, body, a.status, a.media, a.raw, status)
		return a.body
	}
	if location == "" {
		return a.body
	}
	errs, _ := a.body["errors"].([]any)
	named := len(errs) > 0
	for _, e := range errs {
		named = named && e.(map[string]any)["location"] == location
	}
	if !named {
		w.Errorf("%s %s %s: got errors %v, want %s", method, path, body, a.body["errors"], location)
	}
	return a.body
}

// is compares the named members of an object; a want of nil is null.
func (w *world) is(got map[string]any, want map[string]any) {
	w.Helper()
	have := map[string]any{}
	for name := range want {
		value, there := got[name]
		if !there {
			w.Errorf("%s is missing in %v", name, got)
		}
		have[name] = value
	}
	if !reflect.DeepEqual(have, want) {
		w.Errorf("got %v\nwant %v", have, want)
	}
}

func n(digits string) json.Number { return json.Number(digits) }

// spend books dollars.
func (w *world) spend(cost string) {
	w.Helper()
	made := w.must(201, "POST", "/v1/reservations", `{"operation":"chat","provider":"openai","model":"gpt-4o","max_cost":`+cost+`}`)
	w.must(200, "POST", "/v1/reservations/"+made["id"].(string)+"/settle", `{"tokens_in":1000,"tokens_out":200,"cost":`+cost+`}`)
}

func TestBudgetOf500And20With12345UsedHas37655Left(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	w.now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	w.must(200, "PUT", "/v1/budgets", `{"monthly_limit":500,"daily_limit":null}`)
	w.spend("123.45")
	w.now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	put := w.must(200, "PUT", "/v1/budgets", `{"monthly_limit":500.00,"daily_limit":20}`)
	got := w.must(200, "GET", "/v1/budgets/current", "")
	if !reflect.DeepEqual(put, got) {
		t.Errorf("put answered %v, get %v", put, got)
	}
	want := map[string]any{
		"tenant_id": "acme", "project_id": "default",
		"monthly_limit": n("500"), "monthly_usage": n("123.45"), "monthly_reserved": n("0"), "monthly_remaining": n("376.55"),
		"daily_limit": n("20"), "daily_usage": n("0"), "daily_reserved": n("0"), "daily_remaining": n("20"),
		"monthly_token_limit": nil, "monthly_tokens_used": n("1200"), "daily_token_limit": nil, "daily_tokens_used": n("0"),
		"tokens_reserved": n("0"), "usage_percentage": n("24.7"), "projected_month_end": n("164.6"),
		"resets_at": map[string]any{"daily": "2026-11-24T00:00:00Z", "monthly": "2026-12-01T00:00:00Z"},
		"status":    "ok", "warning_threshold": n("0.8"), "on_exhausted": "reject", "own": true, "enforced": true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestAReservationOverTheBudgetIsA402ThatExplainsItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	w.must(200, "PUT", "/v1/budgets", `{"monthly_limit":10,"daily_limit":2}`)
	w.spend("1.25")
	w.must(201, "POST", "/v1/reservations", `{"operation":"chat","model":"gpt-4o","max_cost":0.5}`)
	got := w.refused(402, "", "POST", "/v1/reservations", `{"operation":"chat","model":"gpt-4o","max_cost":0.250000001}`)
	w.is(got, map[string]any{
		"type": "urn:rae:problem:over_budget", "status": n("402"), "level": "project", "period": "daily", "limit": n("2"), "usage": n("1.25"),
		"reserved": n("0.5"), "requested": n("0.250000001"), "resets_at": "2026-11-24T00:00:00Z", "on_exhausted": "reject",
	})
	w.must(200, "PUT", "/v1/budgets", `{"daily_token_limit":1000}`)
	tokens := w.refused(402, "", "POST", "/v1/reservations", `{"operation":"chat","model":"gpt-4o","tokens_in":1}`)
	w.is(tokens, map[string]any{"period": "daily_tokens", "limit": n("1000"), "usage": n("1200"), "requested": n("1")})
}

func TestATenantsBudgetHoldsAboveThoseOfItsProjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	const path = "/v1/budgets/tenant"
	w.must(200, "PUT", "/v1/budgets", `{"monthly_limit":8}`)
	w.spend("6")
	before := w.must(200, "GET", "/v1/budgets/current", "", "X-Project-ID", "second")
	put := w.must(200, "PUT", path, `{"monthly_limit":10,"on_exhausted":"degrade"}`, "X-Project-ID", "whatever")
	w.is(put, map[string]any{
		"tenant_id": "acme", "project_id": "", "monthly_limit": n("10"), "monthly_usage": n("6"), "monthly_remaining": n("4"),
		"daily_limit": nil, "on_exhausted": "degrade",
	})
	if pot, told := put["pot"]; told {
		t.Errorf("a tenant with limits tells of a pot: %v", pot)
	}
	if got := w.must(200, "GET", path, ""); !reflect.DeepEqual(got, put) {
		t.Errorf("put answered %v, get %v", put, got)
	}
	const five = `{"operation":"chat","model":"gpt-4o","max_cost":5}`
	w.is(w.refused(402, "", "POST", "/v1/reservations", five, "X-Project-ID", "second"), map[string]any{
		"level": "tenant", "period": "monthly", "limit": n("10"), "usage": n("6"), "reserved": n("0"), "requested": n("5"),
		"resets_at": "2026-12-01T00:00:00Z", "on_exhausted": "degrade",
	})
	w.is(w.refused(402, "", "POST", "/v1/reservations", five), map[string]any{"level": "project", "limit": n("8"), "on_exhausted": "reject"})
	if after := w.must(200, "GET", "/v1/budgets/current", "", "X-Project-ID", "second"); !reflect.DeepEqual(after, before) {
		t.Errorf("a project that spent nothing saw %v, and then %v", before, after)
	}
	w.must(201, "POST", "/v1/reservations", five, "X-Tenant-ID", "other")
	w.admin = fault.New(fault.Denied, "administrators only")
	w.refused(403, "", "PUT", path, `{"monthly_limit":1000}`)
	w.refused(403, "", "GET", path, "")
	w.refused(402, "", "POST", "/v1/reservations", five, "X-Project-ID", "second")
}

func TestReservationsAreSettledReleasedAndRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	const body = `{"operation":"chat","provider":"openai","model":"gpt-4o","tokens_in":1000,"max_tokens_out":500,"ttl_seconds":60}`
	made := w.must(201, "POST", "/v1/reservations", body, "Idempotency-Key", "k")
	w.is(made, map[string]any{
		"tenant_id": "acme", "project_id": "default", "operation": "chat", "provider": "openai", "model": "gpt-4o",
		"status": "held", "max_cost": n("0.0075"), "max_tokens": n("1500"), "price_known": true,
		"created_at": "2026-11-23T12:00:00Z", "expires_at": "2026-11-23T12:01:00Z",
	})
	path := "/v1/reservations/" + made["id"].(string)
	settled := w.must(200, "POST", path+"/settle", `{"tokens_in":1000,"cached_tokens":400,"tokens_out":100}`)
	w.is(settled["settlement"].(map[string]any), map[string]any{
		"tokens_in": n("1000"), "tokens_out": n("100"), "cached_tokens": n("400"), "cost": n("0.003"), "priced": true,
		"price_known": true, "overrun": n("0"), "late": false, "day": "2026-11-23", "settled_at": "2026-11-23T12:00:00Z",
	})
	for what, again := range map[string]map[string]any{
		"settled again":      w.must(200, "POST", path+"/settle", `{"tokens_in":1000,"cached_tokens":400,"tokens_out":100}`),
		"read":               w.must(200, "GET", path, ""),
		"read in upper case": w.must(200, "GET", "/v1/reservations/"+strings.ToUpper(made["id"].(string)), ""),
	} {
		if !reflect.DeepEqual(again, settled) {
			t.Errorf("%s: got %v, want %v", what, again, settled)
		}
	}
	if again := w.must(201, "POST", "/v1/reservations", body, "Idempotency-Key", "k"); !reflect.DeepEqual(again, made) {
		t.Errorf("repeated under its key: got %v, want %v", again, made)
	}
	w.refused(409, "", "POST", "/v1/reservations", strings.Replace(body, "500", "501", 1), "Idempotency-Key", "k")
	w.refused(409, "", "POST", path+"/settle", `{"tokens_in":1}`)
	w.refused(409, "", "POST", path+"/release", "")

	other := w.must(201, "POST", "/v1/reservations", `{"operation":"chat","model":"gpt-4o","max_cost":1}`)
	path = "/v1/reservations/" + other["id"].(string)
	for range 2 {
		w.is(w.must(200, "POST", path+"/release", ""), map[string]any{"status": "released"})
	}
	w.is(w.must(200, "GET", "/v1/budgets/current", ""), map[string]any{
		"monthly_usage": n("0.003"), "monthly_reserved": n("0"), "monthly_limit": nil, "monthly_remaining": nil, "usage_percentage": nil,
	})
}

func TestAnotherScopesReservationIsNotFoundWithoutAHint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	made := w.must(201, "POST", "/v1/reservations", `{"operation":"chat","model":"gpt-4o","max_cost":1}`)
	for _, headers := range [][]string{{"X-Tenant-ID", "other"}, {"X-Project-ID", "other"}} {
		for _, route := range []struct{ method, end, body string }{
			{"GET", "", ""}, {"POST", "/settle", `{"cost":1}`}, {"POST", "/release", ""},
		} {
			foreign := w.refused(404, "", route.method, "/v1/reservations/"+made["id"].(string)+route.end, route.body, headers...)
			unknown := w.refused(404, "", route.method, "/v1/reservations/"+string(memory.NewID())+route.end, route.body, headers...)
			if !reflect.DeepEqual(foreign, unknown) {
				t.Errorf("a foreign id answers %v, an unknown one %v", foreign, unknown)
			}
		}
	}
}

func TestBadMoneyHasOneClearAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	before := w.must(200, "PUT", "/v1/budgets", `{"monthly_limit":5,"daily_limit":1}`)
	for value, status := range map[string]int{
		`-5`: 422, `-0.000000001`: 422, `1e308`: 422, `1e-30`: 422, `0.0000000001`: 422, `"5"`: 422, `"NaN"`: 422, `true`: 422,
		`{}`: 422, `[5]`: 422, `9223372036.854775808`: 422, `9223372036854775808`: 422,
		`NaN`: 400, `Infinity`: 400, `10,00`: 400, `05`: 400, `+5`: 400, `.5`: 400,
	} {
		location := ""
		if status == 422 {
			location = "body.monthly_limit"
		}
		w.refused(status, location, "PUT", "/v1/budgets", `{"monthly_limit":`+value+`}`)
		w.refused(status, location, "PUT", "/v1/budgets/tenant", `{"monthly_limit":`+value+`}`)
	}
	for body, location := range map[string]string{
		`{"monthly_limit":1,"daily_limit":2}`:             "body.daily_limit",
		`{"monthly_token_limit":1,"daily_token_limit":2}`: "body.daily_token_limit",
		`{"daily_token_limit":1.5}`:                       "body.daily_token_limit",
		`{"daily_token_limit":-1}`:                        "body.daily_token_limit",
		`{"warning_threshold":0}`:                         "body.warning_threshold",
		`{"warning_threshold":1.01}`:                      "body.warning_threshold",
		`{"on_exhausted":"explode"}`:                      "body.on_exhausted",
	} {
		w.refused(422, location, "PUT", "/v1/budgets", body)
		w.refused(422, location, "PUT", "/v1/budgets/tenant", body)
	}
	w.refused(400, "body.currency", "PUT", "/v1/budgets/tenant", `{"monthly_limit":1,"currency":"EUR"}`)
	w.refused(400, "body.currency", "POST", "/v1/reservations", `{"operation":"chat","model":"m","max_cost":1,"currency":"EUR"}`)
	w.refused(400, "body.currency", "PUT", "/v1/budgets", `{"monthly_limit":1,"currency":"EUR"}`)
	w.refused(400, "", "PUT", "/v1/budgets", `{"monthly_limit":1,"monthly_limit":2}`)
	if after := w.must(200, "GET", "/v1/budgets/current", ""); !reflect.DeepEqual(after, before) {
		t.Errorf("refusals changed the budget from %v to %v", before, after)
	}
	got := w.must(200, "PUT", "/v1/budgets", `{"monthly_limit":1e2,"daily_limit":0.100000001}`)
	w.is(got, map[string]any{"monthly_limit": n("100"), "daily_limit": n("0.100000001")})
	absent, null := w.must(200, "PUT", "/v1/budgets", `{}`), w.must(200, "PUT", "/v1/budgets", `{"monthly_limit":null,"daily_limit":null}`)
	if !reflect.DeepEqual(absent, null) {
		t.Errorf("limits that are absent are %v, null ones %v", absent, null)
	}
	w.is(null, map[string]any{"monthly_limit": nil, "daily_limit": nil, "monthly_remaining": nil, "usage_percentage": nil})
}

func TestBadReservationsAndSettlementsNameTheirField(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	for body, location := range map[string]string{
		`{"model":"m","max_cost":1}`:                                               "body.operation",
		`{"operation":"chat","max_cost":1}`:                                        "body.model",
		`{"operation":"chat","model":"m"}`:                                         "body.max_cost",
		`{"operation":"chat","model":"m","max_cost":-1}`:                           "body.max_cost",
		`{"operation":"chat","model":"m","max_cost":"1"}`:                          "body.max_cost",
		`{"operation":"chat","model":"m","tokens_in":1.5}`:                         "body.tokens_in",
		`{"operation":"chat","model":"m","max_tokens_out":-1}`:                     "body.max_tokens_out",
		`{"operation":"chat","model":"m","max_cost":1,"ttl_seconds":0}`:            "body.ttl_seconds",
		`{"operation":"chat","model":"m","max_cost":1,"ttl_seconds":3601}`:         "body.ttl_seconds",
		`{"operation":"chat","model":"a\nb","max_cost":1}`:                         "body.model",
		`{"operation":7,"model":"m","max_cost":1}`:                                 "body.operation",
		`{"operation":"` + strings.Repeat("x", 65) + `","model":"m","max_cost":1}`: "body.operation",
	} {
		w.refused(422, location, "POST", "/v1/reservations", body)
	}
	w.refused(400, "body.maxcost", "POST", "/v1/reservations", `{"operation":"chat","model":"m","maxcost":1}`)
	made := w.must(201, "POST", "/v1/reservations", `{"operation":"chat","model":"m","max_cost":1}`)
	path := "/v1/reservations/" + made["id"].(string) + "/settle"
	for body, location := range map[string]string{
		`{"cost":-1}`:                       "body.cost",
		`{"cost":"1"}`:                      "body.cost",
		`{"cost":1e308}`:                    "body.cost",
		`{"cost":0.0000000001}`:             "body.cost",
		`{"tokens_in":-1}`:                  "body.tokens_in",
		`{"tokens_in":1,"cached_tokens":2}`: "body.cached_tokens",
	} {
		w.refused(422, location, "POST", path, body)
	}
	w.refused(422, "path.id", "GET", "/v1/reservations/42", "")
	w.is(w.must(200, "GET", "/v1/budgets/current", ""), map[string]any{"monthly_reserved": n("1"), "monthly_usage": n("0")})
}

func TestCostsAreGroupedPagedAndKeptApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	w.spend("1.5")
	w.spend("0.5")
	other := w.must(201, "POST", "/v1/reservations", `{"operation":"embeddings","model":"mystery","max_cost":1}`)
	w.must(200, "POST", "/v1/reservations/"+other["id"].(string)+"/settle", `{"tokens_in":10}`)
	first := w.must(200, "GET", "/v1/costs?limit=1", "")
	w.is(first, map[string]any{"group_by": "model", "costs": []any{map[string]any{
		"group": "gpt-4o", "calls": n("2"), "tokens_in": n("2000"), "tokens_out": n("400"), "cached_tokens": n("0"),
		"cost": n("2"), "overrun": n("0"), "unpriced": n("0"), "cache_hits": n("0"), "saved_tokens": n("0"), "saved": n("0"),
	}}})
	cursor := first["next_cursor"].(string)
	second := w.must(200, "GET", "/v1/costs?limit=1&cursor="+cursor, "")
	w.is(second["costs"].([]any)[0].(map[string]any), map[string]any{"group": "mystery", "unpriced": n("1")})
	w.is(second, map[string]any{"next_cursor": ""})
	w.refused(422, "query.cursor", "GET", "/v1/costs?group_by=day&cursor="+cursor, "")
	w.refused(422, "query.cursor", "GET", "/v1/costs?cursor="+cursor, "", "X-Tenant-ID", "other")
	w.refused(422, "query.group_by", "GET", "/v1/costs?group_by=colour", "")
	w.refused(422, "query.until", "GET", "/v1/costs?since=2026-11-02T00:00:00Z&until=2026-11-01T00:00:00Z", "")
	w.refused(422, "query.since", "GET", "/v1/costs?since=yesterday", "")
	w.is(w.must(200, "GET", "/v1/costs?since=2026-11-24T00:00:00Z", ""), map[string]any{"costs": []any{}})
	w.is(w.must(200, "GET", "/v1/costs?group_by=day", ""), map[string]any{"group_by": "day"})
	byProject := w.must(200, "GET", "/v1/costs?group_by=project", "", "X-Project-ID", "empty")
	w.is(byProject["costs"].([]any)[0].(map[string]any), map[string]any{"group": "default", "calls": n("3")})
	w.admin = fault.New(fault.Denied, "administrators only")
	w.refused(403, "", "GET", "/v1/costs?group_by=project", "")
	w.must(200, "GET", "/v1/costs", "")
}

func TestPricesAreListedAndSetByAdministrators(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	put := w.must(200, "PUT", "/v1/prices/acme%2Fbig-1", `{"input_per_million":2,"output_per_million":8}`)
	w.is(put, map[string]any{
		"model": "acme/big-1", "input_per_million": n("2"), "output_per_million": n("8"), "cached_input_per_million": n("2"),
		"own": true, "as_of": "2026-11-23",
	})
	seen, cursor := map[string]any{}, ""
	for {
		page := w.must(200, "GET", "/v1/prices?limit=20&cursor="+cursor, "")
		for _, p := range page["prices"].([]any) {
			price := p.(map[string]any)
			if _, twice := seen[price["model"].(string)]; twice {
				t.Errorf("%v is listed twice", price["model"])
			}
			seen[price["model"].(string)] = p
		}
		if cursor = page["next_cursor"].(string); cursor == "" {
			break
		}
	}
	if !reflect.DeepEqual(seen["acme/big-1"], any(put)) {
		t.Errorf("the list has %v, want %v", seen["acme/big-1"], put)
	}
	w.is(seen["gpt-4o-mini"].(map[string]any), map[string]any{"input_per_million": n("0.15"), "own": false})
	made := w.must(201, "POST", "/v1/reservations", `{"operation":"chat","model":"acme/big-1-2026","tokens_in":1000000}`)
	w.is(made, map[string]any{"max_cost": n("2"), "price_known": true})
	w.refused(422, "body.input_per_million", "PUT", "/v1/prices/m", `{"input_per_million":-2,"output_per_million":8}`)
	w.refused(422, "body.output_per_million", "PUT", "/v1/prices/m", `{"input_per_million":2}`)
	w.admin = fault.New(fault.Denied, "administrators only")
	w.refused(403, "", "PUT", "/v1/prices/m", `{"input_per_million":0,"output_per_million":0}`)
}

func TestMoneyIsANumberInTheDocumentedSchema(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	document := w.must(200, "GET", "/openapi.json", "")
	schemas := document["components"].(map[string]any)["schemas"].(map[string]any)
	type property struct{ schema, name string }
	want := map[property]any{
		{"Status", "monthly_usage"}:           "number",
		{"Status", "monthly_limit"}:           []any{"number", "null"},
		{"Status", "usage_percentage"}:        []any{"number", "null"},
		{"BudgetLimits", "daily_limit"}:       []any{"number", "null"},
		{"BudgetLimits", "daily_token_limit"}: []any{"integer", "null"},
		{"ReservationRequest", "max_cost"}:    "number",
		{"Price", "input_per_million"}:        "number",
	}
	for p, kind := range want {
		got := schemas[p.schema].(map[string]any)["properties"].(map[string]any)[p.name].(map[string]any)["type"]
		if !reflect.DeepEqual(got, kind) {
			t.Errorf("%s.%s: got type %v, want %v", p.schema, p.name, got, kind)
		}
	}
}

func TestTheDrainEventReturnsExpiredReservations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	w.must(201, "POST", "/v1/reservations", `{"operation":"chat","model":"gpt-4o","max_cost":1}`)
	w.now = w.now.Add(budget.DefaultTTL)
	for range 2 {
		got := w.do("POST", "/", `{}`, "Ce-Id", "1", "Ce-Source", "clock", "Ce-Specversion", "1.0", "Ce-Type", "dev.rae.drain.due.v1")
		if got.status != http.StatusNoContent {
			t.Fatalf("drain.due: got %d %s", got.status, got.raw)
		}
	}
	if n, err := w.ledger.Expire(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("after the event %d reservations were left to expire, %v", n, err)
	}
}

func TestWhatTheLedgerAnnouncesIsAnEventOfTheCatalogue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, budget.Policy{})
	w.must(200, "PUT", "/v1/budgets", `{"monthly_limit":10}`)
	w.must(200, "PUT", "/v1/budgets/tenant", `{"daily_limit":8.5}`)
	w.spend("8.000000001")
	w.spend("0.4")
	w.must(200, "PUT", "/v1/budgets/tenant", `{}`)
	w.spend("1.599999999")
	got := map[string]eventing.BudgetAlert{}
	var changed []string
	for {
		records, err := w.db.Claim(t.Context(), 1, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 {
			break
		}
		sent, err := eventing.FromRecord(records[0], "")
		if err != nil {
			t.Fatalf("%s does not keep its schema: %v", records[0].Type, err)
		}
		if sent.Type() == eventing.BudgetChanged {
			changed = append(changed, sent.Subject())
		}
		var alert eventing.BudgetAlert
		if err := sent.DataAs(&alert); err != nil {
			t.Fatal(err)
		}
		project, _ := sent.Extensions()["projectid"].(string)
		if sent.Type() != eventing.BudgetChanged {
			got[sent.Type()+" of "+sent.Subject()+" in "+project] = alert
		}
		if err := w.db.Done(t.Context(), []string{records[0].ID}); err != nil {
			t.Fatal(err)
		}
	}
	day, month := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	alert := func(project, level, period, key string, limit, usage json.Number, threshold float64, resets *time.Time) eventing.BudgetAlert {
		return eventing.BudgetAlert{
			Tenant: "acme", Project: project, Level: level, Period: period, PeriodKey: key, Limit: limit, Usage: usage, Reserved: "0",
			Threshold: threshold, ResetsAt: resets,
		}
	}
	want := map[string]eventing.BudgetAlert{
		eventing.BudgetWarning + " of acme/default/monthly in default":  alert("default", "project", "monthly", "2026-11", "10", "8.000000001", 0.8, &month),
		eventing.BudgetWarning + " of acme/daily in ":                   alert("", "tenant", "daily", "2026-11-23", "8.5", "8.000000001", 0.8, &day),
		eventing.BudgetExceeded + " of acme/default/monthly in default": alert("default", "project", "monthly", "2026-11", "10", "10", 1, &month),
	}
	if !reflect.DeepEqual(got, want) {
		have, _ := json.Marshal(got)
		wish, _ := json.Marshal(want)
		t.Errorf("got  %s\nwant %s", have, wish)
	}
	if slices.Sort(changed); !slices.Equal(changed, []string{"acme", "acme", "acme/default"}) {
		t.Errorf("other limits are told of %q", changed)
	}
}
