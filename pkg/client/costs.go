package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

var _ budget.Log = (*Ledger)(nil)

// Calls implements budget.Log. After is Next of the page before, an opaque cursor here.
func (l *Ledger) Calls(ctx context.Context, scope memory.Scope, q budget.CallQuery) (budget.CallPage, error) {
	call := l.at(scope, http.MethodGet, "/v1/costs/calls", nil)
	if q.Limit == 0 {
		q.Limit = budget.MaxGroups
	}
	call.query = url.Values{"limit": {strconv.Itoa(q.Limit)}}
	for name, value := range map[string]string{"operation": q.Operation, "model": q.Model, "cursor": q.After} {
		if value != "" {
			call.query.Set(name, value)
		}
	}
	setTime(call.query, "since", q.Since)
	setTime(call.query, "until", q.Until)
	var answer struct {
		Calls []budget.Line `json:"calls"`
		Next  string        `json:"next_cursor"`
	}
	_, err := l.client.do(ctx, call, &answer)
	return budget.CallPage{Calls: answer.Calls, Next: answer.Next}, err
}

// Save implements budget.Log.
func (l *Ledger) Save(ctx context.Context, scope memory.Scope, savings []budget.Saving) ([]budget.Line, error) {
	if savings == nil {
		savings = []budget.Saving{}
	}
	var answer struct {
		Calls []budget.Line `json:"calls"`
	}
	_, err := l.client.do(ctx, l.at(scope, http.MethodPost, "/v1/costs/savings", map[string]any{"savings": savings}), &answer)
	return answer.Calls, err
}

// Overview is what a tenant, or with "" every tenant, spent in the last so many days. For administrators.
func (l *Ledger) Overview(ctx context.Context, tenant string, days int) (budget.Overview, error) {
	call := l.at(memory.Scope{Tenant: tenant}, http.MethodGet, "/v1/costs/overview", nil)
	call.query = url.Values{"days": {strconv.Itoa(days)}}
	var overview budget.Overview
	_, err := l.client.do(ctx, call, &overview)
	return overview, err
}
