package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ budget.Spender = (*Ledger)(nil)

// Ledger is the budget function's ledger over HTTP. It keeps the contract of budget.Ledger in everything but Expire,
// for which the API has no route: expired holds return by themselves and by the event drain.due.
type Ledger struct{ client *Client }

// Ledger returns the ledger of the service. Its methods take the scope they act for; the client's own is Scope.
func (c *Client) Ledger() *Ledger { return &Ledger{c} }

// at is a call that acts for a scope.
func (l *Ledger) at(scope memory.Scope, method, path string, body any) *call {
	call := l.client.read(method, path, body) // what is not a read here may be repeated all the same
	call.scope = scope
	return call
}

// of is a call that acts for a tenant, whatever the project.
func (l *Ledger) of(tenant, method, path string, body any) *call {
	return l.at(memory.Scope{Tenant: tenant}, method, path, body)
}

// limits are as the API takes them.
type limits struct {
	Monthly       *budget.Cost      `json:"monthly_limit"`
	Daily         *budget.Cost      `json:"daily_limit"`
	MonthlyTokens *int64            `json:"monthly_token_limit"`
	DailyTokens   *int64            `json:"daily_token_limit"`
	Threshold     float64           `json:"warning_threshold,omitempty"`
	OnExhausted   budget.Exhaustion `json:"on_exhausted,omitempty"`
}

func limitsOf(l budget.Limits) (limits, error) {
	if math.IsNaN(l.WarningThreshold) || math.IsInf(l.WarningThreshold, 0) { // JSON has no such number
		return limits{}, fault.BadField("body.warning_threshold", "must be above 0 and at most 1")
	}
	return limits{l.Monthly, l.Daily, l.MonthlyTokens, l.DailyTokens, l.WarningThreshold, l.OnExhausted}, nil
}

// PutLimits replaces the limits of a scope.
func (l *Ledger) PutLimits(ctx context.Context, scope memory.Scope, put budget.Limits) (budget.Status, error) {
	body, err := limitsOf(put)
	if err != nil {
		return budget.Status{}, err
	}
	var status budget.Status
	_, err = l.client.do(ctx, l.at(scope, http.MethodPut, "/v1/budgets", body), &status)
	return status, err
}

// Current tells how the budget of a scope stands.
func (l *Ledger) Current(ctx context.Context, scope memory.Scope) (budget.Status, error) {
	var status budget.Status
	_, err := l.client.do(ctx, l.at(scope, http.MethodGet, "/v1/budgets/current", nil), &status)
	return status, err
}

const tenantBudget = "/v1/budgets/tenant"

// PutTenantLimits replaces the limits of a tenant. For administrators.
func (l *Ledger) PutTenantLimits(ctx context.Context, tenant string, put budget.Limits) (budget.TenantStatus, error) {
	body, err := limitsOf(put)
	if err != nil {
		return budget.TenantStatus{}, err
	}
	var status budget.TenantStatus
	_, err = l.client.do(ctx, l.of(tenant, http.MethodPut, tenantBudget, body), &status)
	return status, err
}

// CurrentTenant tells how the budget of a tenant stands. For administrators.
func (l *Ledger) CurrentTenant(ctx context.Context, tenant string) (budget.TenantStatus, error) {
	var status budget.TenantStatus
	_, err := l.client.do(ctx, l.of(tenant, http.MethodGet, tenantBudget, nil), &status)
	return status, err
}

// Reserve implements budget.Spender. A request without a key gets one of its own, so that it can be repeated. The
// lease is told in whole seconds.
func (l *Ledger) Reserve(ctx context.Context, scope memory.Scope, r budget.Request) (budget.Reservation, error) {
	if r.TTL%time.Second != 0 {
		return budget.Reservation{}, fault.BadField("body.ttl_seconds", "must be a whole number of seconds")
	}
	for location, text := range map[string]string{"body.operation": r.Operation, "body.provider": r.Provider, "body.model": r.Model} {
		if strings.ContainsRune(text, 0) { // which no body of this API may hold
			return budget.Reservation{}, fault.BadField(location, "must not hold control or invisible characters")
		}
	}
	call := l.at(scope, http.MethodPost, "/v1/reservations", struct {
		Operation    string       `json:"operation"`
		Provider     string       `json:"provider,omitempty"`
		Model        string       `json:"model"`
		MaxCost      *budget.Cost `json:"max_cost,omitempty"`
		TokensIn     int64        `json:"tokens_in,omitempty"`
		MaxTokensOut int64        `json:"max_tokens_out,omitempty"`
		TTLSeconds   int64        `json:"ttl_seconds,omitempty"`
	}{r.Operation, r.Provider, r.Model, r.MaxCost, r.TokensIn, r.MaxTokensOut, int64(r.TTL / time.Second)})
	key := r.IdempotencyKey
	if key == "" {
		key = string(memory.NewID())
	}
	call.header.Set("Idempotency-Key", key)
	return l.reservation(ctx, call)
}

// reservationPath is where one reservation lives.
func reservationPath(id memory.ID) string { return "/v1/reservations/" + url.PathEscape(string(id)) }

// Settle implements budget.Spender.
func (l *Ledger) Settle(ctx context.Context, scope memory.Scope, id memory.ID, s budget.Settle) (budget.Reservation, error) {
	return l.reservation(ctx, l.at(scope, http.MethodPost, reservationPath(id)+"/settle", struct {
		TokensIn     int64        `json:"tokens_in,omitempty"`
		TokensOut    int64        `json:"tokens_out,omitempty"`
		CachedTokens int64        `json:"cached_tokens,omitempty"`
		Cost         *budget.Cost `json:"cost,omitempty"`
		LatencyMS    int64        `json:"latency_ms,omitempty"`
		Estimated    bool         `json:"estimated,omitempty"`
		RequestID    string       `json:"request_id,omitempty"`
	}{s.TokensIn, s.TokensOut, s.CachedTokens, s.Cost, wholeMillis(s.Latency), s.Estimated, s.RequestID}))
}

// wholeMillis are milliseconds, rounded up as the log tells them.
func wholeMillis(d time.Duration) int64 {
	if d < 0 {
		return -1 // to be refused
	}
	return (d + time.Millisecond - 1).Milliseconds()
}

// Release implements budget.Spender.
func (l *Ledger) Release(ctx context.Context, scope memory.Scope, id memory.ID) (budget.Reservation, error) {
	return l.reservation(ctx, l.at(scope, http.MethodPost, reservationPath(id)+"/release", nil))
}

// Reservation reads one reservation.
func (l *Ledger) Reservation(ctx context.Context, scope memory.Scope, id memory.ID) (budget.Reservation, error) {
	return l.reservation(ctx, l.at(scope, http.MethodGet, reservationPath(id), nil))
}

func (l *Ledger) reservation(ctx context.Context, call *call) (budget.Reservation, error) {
	var r budget.Reservation
	if _, err := l.client.do(ctx, call, &r); err != nil {
		return budget.Reservation{}, refusal(call.scope, err)
	}
	return r, nil
}

// refusal turns a 402 back into the budget's own error.
func refusal(scope memory.Scope, err error) error {
	var detailed fault.Detailed
	if fault.KindOf(err) != fault.OverBudget || !errors.As(err, &detailed) {
		return err
	}
	raw, failed := json.Marshal(detailed.ProblemMembers())
	if failed != nil {
		return err
	}
	var told struct {
		Level       budget.Level      `json:"level"`
		Period      budget.Period     `json:"period"`
		Limit       json.Number       `json:"limit"`
		Usage       json.Number       `json:"usage"`
		Reserved    json.Number       `json:"reserved"`
		Requested   json.Number       `json:"requested"`
		ResetsAt    time.Time         `json:"resets_at"`
		OnExhausted budget.Exhaustion `json:"on_exhausted"`
	}
	if json.Unmarshal(raw, &told) != nil {
		return err
	}
	exceeded := &budget.ExceededError{Scope: scope, Level: told.Level, Period: told.Period, ResetsAt: told.ResetsAt, OnExhausted: told.OnExhausted}
	for _, part := range []struct {
		number json.Number
		to     *int64
	}{
		{told.Limit, &exceeded.Limit}, {told.Usage, &exceeded.Usage},
		{told.Reserved, &exceeded.Reserved}, {told.Requested, &exceeded.Requested},
	} {
		n, failed := quantity(told.Period, part.number)
		if failed != nil {
			return err
		}
		*part.to = n
	}
	return exceeded
}

// quantity reads one of the four numbers of a refusal in the unit of its period.
func quantity(p budget.Period, n json.Number) (int64, error) {
	switch p {
	case budget.Daily, budget.Monthly:
		cost, err := budget.ParseUSD(n.String())
		return int64(cost), err
	case budget.DailyTokens, budget.MonthlyTokens:
		return n.Int64()
	}
	return 0, fmt.Errorf("period %q is not known", p)
}

// Costs sums what was booked. After is Next of the report before, an opaque cursor here.
func (l *Ledger) Costs(ctx context.Context, scope memory.Scope, q budget.CostQuery) (budget.CostReport, error) {
	call := l.at(scope, http.MethodGet, "/v1/costs", nil)
	if q.Limit == 0 {
		q.Limit = budget.MaxGroups
	}
	call.query = url.Values{"limit": {strconv.Itoa(q.Limit)}}
	if q.GroupBy != "" {
		call.query.Set("group_by", string(q.GroupBy))
	}
	if q.After != "" {
		call.query.Set("cursor", q.After)
	}
	setTime(call.query, "since", q.Since)
	setTime(call.query, "until", q.Until)
	var answer struct {
		Costs []budget.CostGroup `json:"costs"`
		Total budget.Costs       `json:"total"`
		Next  string             `json:"next_cursor"`
	}
	_, err := l.client.do(ctx, call, &answer)
	return budget.CostReport{Groups: answer.Costs, Total: answer.Total, Next: answer.Next}, err
}

// Prices lists the catalogue with the tenant's own prices in it, sorted by model.
func (l *Ledger) Prices(ctx context.Context, tenant string) ([]budget.Price, error) {
	call := l.of(tenant, http.MethodGet, "/v1/prices", nil)
	call.query = url.Values{"limit": {"1000"}}
	var prices []budget.Price
	for {
		var page struct {
			Prices []budget.Price `json:"prices"`
			Next   string         `json:"next_cursor"`
		}
		if _, err := l.client.do(ctx, call, &page); err != nil {
			return nil, err
		}
		if prices = append(prices, page.Prices...); page.Next == "" {
			return prices, nil
		}
		call.query.Set("cursor", page.Next)
	}
}

// PutPrice sets the tenant's own price of every model whose name starts with p.Model. For administrators.
func (l *Ledger) PutPrice(ctx context.Context, tenant string, p budget.Price) (budget.Price, error) {
	if p.Model == "" { // the path would be another route's
		return budget.Price{}, fault.BadField("path.model", "is required")
	}
	body := struct {
		Input       budget.Cost `json:"input_per_million"`
		Output      budget.Cost `json:"output_per_million"`
		CachedInput budget.Cost `json:"cached_input_per_million"`
	}{p.Input, p.Output, p.CachedInput}
	var price budget.Price
	_, err := l.client.do(ctx, l.of(tenant, http.MethodPut, "/v1/prices/"+url.PathEscape(p.Model), body), &price)
	return price, err
}
