package budget

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// Register implements serve.Function.
func (f *Function) Register(api huma.API) {
	schemas := api.OpenAPI().Components.Schemas
	schemas.RegisterTypeAlias(reflect.TypeFor[budget.Cost](), reflect.TypeFor[costSchema]())
	schemas.RegisterTypeAlias(reflect.TypeFor[budget.Percent](), reflect.TypeFor[percentSchema]())
	op := func(id, method, path, summary string, more ...int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"budget"}, Errors: more}
	}
	made := op("reserve", http.MethodPost, "/v1/reservations", "Reserve before a paid call",
		http.StatusPaymentRequired, http.StatusConflict)
	made.DefaultStatus = http.StatusCreated
	made.Description = "Holds `max_cost`, or the price of `tokens_in` and `max_tokens_out`, until it is settled, released or " +
		"`ttl_seconds` have passed. 402 tells which limit refuses, with `level, period, limit, usage, reserved, requested, " +
		"resets_at`: at level `tenant` it is one above the projects, and the amounts are those of all projects it counts."
	const above = "What all projects of the tenant use together, whatever X-Project-ID says. A tenant that sets limits is held to them " +
		"in every project, beside the project's own. Until it does, its projects without limits of their own share the defaults once: see `pot`."
	putTenant := op("put-tenant-budget", http.MethodPut, "/v1/budgets/tenant", "Set the limits of a tenant (administrators)")
	getTenant := op("get-tenant-budget", http.MethodGet, "/v1/budgets/tenant", "How the budget of a tenant stands (administrators)")
	putTenant.Description, getTenant.Description = above, above

	httpapi.Register(api, op("put-budget", http.MethodPut, "/v1/budgets", "Set the limits of a project"), f.putLimits)
	httpapi.Register(api, op("get-budget", http.MethodGet, "/v1/budgets/current", "How the budget stands"), f.current)
	httpapi.Register(api, putTenant, f.putTenantLimits)
	httpapi.Register(api, getTenant, f.currentTenant)
	httpapi.Register(api, made, f.reserve)
	httpapi.Register(api, op("get-reservation", http.MethodGet, "/v1/reservations/{id}", "Read a reservation",
		http.StatusNotFound), f.reservation)
	httpapi.Register(api, op("settle", http.MethodPost, "/v1/reservations/{id}/settle", "Book what a call really cost",
		http.StatusNotFound, http.StatusConflict), f.settle)
	httpapi.Register(api, op("release", http.MethodPost, "/v1/reservations/{id}/release", "Give a reservation back",
		http.StatusNotFound, http.StatusConflict), f.giveBack)
	f.registerCosts(api, op)
	httpapi.Register(api, op("list-prices", http.MethodGet, "/v1/prices", "Prices per million tokens"), f.prices)
	httpapi.Register(api, op("put-price", http.MethodPut, "/v1/prices/{model}", "Set the tenant's own price of a model (administrators)"), f.putPrice)
}

// costSchema and percentSchema describe what is an integer in Go and a decimal number on the wire.
type (
	costSchema    struct{}
	percentSchema struct{}
)

func (*costSchema) Schema(huma.Registry) *huma.Schema {
	zero := 0.0
	return &huma.Schema{
		Type: huma.TypeNumber, Minimum: &zero, Examples: []any{376.55},
		Extensions: map[string]any{"x-unit": "US dollars, exact to 9 decimals"},
	}
}

func (*percentSchema) Schema(huma.Registry) *huma.Schema {
	zero := 0.0
	return &huma.Schema{Type: huma.TypeNumber, Minimum: &zero, Examples: []any{24.7}}
}

type budgetLimits struct {
	MonthlyLimit      *budget.Cost      `json:"monthly_limit,omitempty" nullable:"true" doc:"US dollars per UTC month; null or absent is unlimited."`
	DailyLimit        *budget.Cost      `json:"daily_limit,omitempty" nullable:"true" doc:"US dollars per UTC day, not above monthly_limit; null or absent is unlimited."`
	MonthlyTokenLimit *int64            `json:"monthly_token_limit,omitempty" nullable:"true" minimum:"0" doc:"Tokens per UTC month; null or absent is unlimited."`
	DailyTokenLimit   *int64            `json:"daily_token_limit,omitempty" nullable:"true" minimum:"0" doc:"Tokens per UTC day, not above monthly_token_limit; null or absent is unlimited."`
	WarningThreshold  float64           `json:"warning_threshold,omitempty" default:"0.8" exclusiveMinimum:"0" maximum:"1" doc:"Share of a limit at which budget.warning is announced."`
	OnExhausted       budget.Exhaustion `json:"on_exhausted,omitempty" default:"reject" enum:"reject,degrade" doc:"What is asked of a model when the budget refuses: it fails with 402, or takes its free path, if it has one, and says so. Storing and searching do without either way."`
}

type limitsInput struct {
	httpapi.Scoped
	Body budgetLimits
}

type statusOutput struct{ Body budget.Status }

// limits are what the body says.
func (b *budgetLimits) limits() budget.Limits {
	return budget.Limits{
		Monthly: b.MonthlyLimit, Daily: b.DailyLimit, MonthlyTokens: b.MonthlyTokenLimit, DailyTokens: b.DailyTokenLimit,
		WarningThreshold: b.WarningThreshold, OnExhausted: b.OnExhausted,
	}
}

func (f *Function) putLimits(ctx context.Context, in *limitsInput) (*statusOutput, error) {
	status, err := f.ledger.PutLimits(ctx, in.Scope(), in.Body.limits())
	return &statusOutput{status}, err
}

type tenantOutput struct{ Body budget.TenantStatus }

func (f *Function) putTenantLimits(ctx context.Context, in *limitsInput) (*tenantOutput, error) {
	if err := f.requireAdmin(ctx); err != nil {
		return nil, err
	}
	status, err := f.ledger.PutTenantLimits(ctx, in.Tenant, in.Body.limits())
	return &tenantOutput{status}, err
}

func (f *Function) currentTenant(ctx context.Context, in *httpapi.Scoped) (*tenantOutput, error) {
	if err := f.requireAdmin(ctx); err != nil {
		return nil, err
	}
	status, err := f.ledger.CurrentTenant(ctx, in.Tenant)
	return &tenantOutput{status}, err
}

func (f *Function) current(ctx context.Context, in *httpapi.Scoped) (*statusOutput, error) {
	status, err := f.ledger.Current(ctx, in.Scope())
	return &statusOutput{status}, err
}

type reservationRequest struct {
	Operation    string       `json:"operation" minLength:"1" maxLength:"64" doc:"What the call is for." example:"chat"`
	Provider     string       `json:"provider,omitempty" maxLength:"64" doc:"Who is paid." example:"openai"`
	Model        string       `json:"model" minLength:"1" maxLength:"200" doc:"As the provider names it." example:"gpt-4o"`
	MaxCost      *budget.Cost `json:"max_cost,omitempty" doc:"The most the call can cost, in US dollars. Without it tokens_in and max_tokens_out are priced."`
	TokensIn     int64        `json:"tokens_in,omitempty" minimum:"0" maximum:"1000000000000"`
	MaxTokensOut int64        `json:"max_tokens_out,omitempty" minimum:"0" maximum:"1000000000000"`
	TTLSeconds   int64        `json:"ttl_seconds,omitempty" default:"300" minimum:"1" maximum:"3600" doc:"After this the hold comes back by itself."`
}

type reserveInput struct {
	httpapi.Scoped
	httpapi.Priced
	httpapi.Idempotent
	Body reservationRequest
}

type reservationOutput struct{ Body budget.Reservation }

func (f *Function) reserve(ctx context.Context, in *reserveInput) (*reservationOutput, error) {
	request := budget.Request{
		Operation: in.Body.Operation, Provider: in.Body.Provider, Model: in.Body.Model, MaxCost: in.Body.MaxCost,
		TokensIn: in.Body.TokensIn, MaxTokensOut: in.Body.MaxTokensOut,
		TTL: time.Duration(in.Body.TTLSeconds) * time.Second, IdempotencyKey: in.IdempotencyKey,
	}
	if run := llm.DryRunOf(ctx); run != nil {
		return nil, budget.Quote(ctx, f.ledger, in.Scope(), request, run)
	}
	r, err := f.ledger.Reserve(ctx, in.Scope(), request)
	return &reservationOutput{r}, err
}

type reservationInput struct {
	httpapi.Scoped
	ID memory.ID `path:"id"`
}

// asGiven is an id in the form it was given out.
func asGiven(id memory.ID) memory.ID { return memory.ID(strings.ToLower(string(id))) }

func (f *Function) reservation(ctx context.Context, in *reservationInput) (*reservationOutput, error) {
	r, err := f.ledger.Reservation(ctx, in.Scope(), asGiven(in.ID))
	return &reservationOutput{r}, err
}

type settlementRequest struct {
	TokensIn     int64        `json:"tokens_in,omitempty" minimum:"0" maximum:"1000000000000"`
	TokensOut    int64        `json:"tokens_out,omitempty" minimum:"0" maximum:"1000000000000"`
	CachedTokens int64        `json:"cached_tokens,omitempty" minimum:"0" maximum:"1000000000000" doc:"Part of tokens_in that was billed at the cached price."`
	Cost         *budget.Cost `json:"cost,omitempty" doc:"What the provider charged, in US dollars. Without it the tokens are priced."`
	LatencyMS    int64        `json:"latency_ms,omitempty" minimum:"0" maximum:"86400000" doc:"How long the call took, in milliseconds."`
	Estimated    bool         `json:"estimated,omitempty" doc:"True when the provider did not say how many tokens it counted."`
	RequestID    string       `json:"request_id,omitempty" maxLength:"128" doc:"X-Request-ID of the request that caused the call: visible ASCII."`
}

type settleInput struct {
	httpapi.Scoped
	ID   memory.ID `path:"id"`
	Body settlementRequest
}

func (f *Function) settle(ctx context.Context, in *settleInput) (*reservationOutput, error) {
	r, err := f.ledger.Settle(ctx, in.Scope(), asGiven(in.ID), budget.Settle{
		TokensIn: in.Body.TokensIn, TokensOut: in.Body.TokensOut, CachedTokens: in.Body.CachedTokens, Cost: in.Body.Cost,
		Latency: time.Duration(in.Body.LatencyMS) * time.Millisecond, Estimated: in.Body.Estimated, RequestID: in.Body.RequestID,
	})
	return &reservationOutput{r}, err
}

func (f *Function) giveBack(ctx context.Context, in *reservationInput) (*reservationOutput, error) {
	r, err := f.ledger.Release(ctx, in.Scope(), asGiven(in.ID))
	return &reservationOutput{r}, err
}

type pricesInput struct {
	httpapi.Scoped
	httpapi.Paged
}

type pricesOutput struct {
	Body struct {
		Prices     []budget.Price `json:"prices"`
		NextCursor string         `json:"next_cursor" doc:"Empty on the last page."`
	}
}

func (f *Function) prices(ctx context.Context, in *pricesInput) (*pricesOutput, error) {
	const route = "GET /v1/prices"
	after, err := in.After(in.Scope(), route)
	if err != nil {
		return nil, err
	}
	prices, err := f.ledger.Prices(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	first := slices.IndexFunc(prices, func(p budget.Price) bool { return p.Model > after })
	if first < 0 {
		first = len(prices)
	}
	page := prices[first:]
	out := &pricesOutput{}
	if len(page) > in.Limit {
		page = page[:in.Limit]
		out.Body.NextCursor = httpapi.EncodeCursor(in.Scope(), route, page[in.Limit-1].Model)
	}
	out.Body.Prices = page
	return out, nil
}

type priceInput struct {
	httpapi.Scoped
	Model string `path:"model" minLength:"1" maxLength:"200" doc:"Prefix of model names; the longest that fits a model applies."`
	Body  struct {
		Input       budget.Cost  `json:"input_per_million" doc:"US dollars per million tokens."`
		Output      budget.Cost  `json:"output_per_million" doc:"US dollars per million tokens."`
		CachedInput *budget.Cost `json:"cached_input_per_million,omitempty" doc:"US dollars per million tokens; as input where absent."`
	}
}

type priceOutput struct{ Body budget.Price }

func (f *Function) putPrice(ctx context.Context, in *priceInput) (*priceOutput, error) {
	if err := f.requireAdmin(ctx); err != nil {
		return nil, err
	}
	price := budget.Price{Model: in.Model, Input: in.Body.Input, Output: in.Body.Output, CachedInput: in.Body.Input}
	if in.Body.CachedInput != nil {
		price.CachedInput = *in.Body.CachedInput
	}
	price, err := f.ledger.PutPrice(ctx, in.Tenant, price)
	return &priceOutput{price}, err
}
