package budget

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/httpapi"
)

// registerCosts adds the routes that read and complete the log of costs.
func (f *Function) registerCosts(api huma.API, op func(id, method, path, summary string, more ...int) huma.Operation) {
	httpapi.RegisterTable(api, op("list-costs", http.MethodGet, "/v1/costs", "What was spent, by group"), f.costs, f.costSheet)
	httpapi.RegisterTable(api, op("list-calls", http.MethodGet, "/v1/costs/calls", "The log of paid calls, newest first"), f.calls, f.callSheet)
	overview := op("get-cost-overview", http.MethodGet, "/v1/costs/overview", "Who spends what, across tenants (administrators)")
	overview.Description = "Of the tenant in `X-Tenant-ID`; without the header, of all tenants. For administrators, who belong to no tenant: " +
		"a tenant's own credential is refused."
	httpapi.Register(api, overview, f.overview)
	saved := op("put-savings", http.MethodPost, "/v1/costs/savings", "Write down calls that a cache spared")
	saved.Description = "Adds lines to the log at what the calls would have cost. Nothing is booked. A saving under an `id` that is in the log already changes nothing."
	httpapi.Register(api, saved, f.save)
}

type costsInput struct {
	httpapi.Scoped
	httpapi.Paged
	httpapi.Tabular
	GroupBy string    `query:"group_by" default:"model" enum:"model,operation,project,provider,day" doc:"By project looks across the tenant's projects and is for administrators."`
	Since   time.Time `query:"since" doc:"Settled at or after this time."`
	Until   time.Time `query:"until" doc:"Settled before this time."`
}

// costGroups is a page of a report.
type costGroups struct {
	GroupBy    budget.Grouping    `json:"group_by"`
	Costs      []budget.CostGroup `json:"costs"`
	Total      budget.Costs       `json:"total" doc:"Of all pages."`
	NextCursor string             `json:"next_cursor" doc:"Empty on the last page."`
}

func (in *costsInput) route() string { return "GET /v1/costs " + in.GroupBy }

// ask is the query of the request, unless its caller may not put it.
func (f *Function) ask(ctx context.Context, in *costsInput) (query budget.CostQuery, err error) {
	query = budget.CostQuery{GroupBy: budget.Grouping(in.GroupBy), Limit: in.Limit, Since: told(&in.Since), Until: told(&in.Until)}
	if query.GroupBy == budget.ByProject {
		if err := f.requireAdmin(ctx); err != nil {
			return query, err
		}
	}
	query.After, err = in.After(in.Scope(), in.route())
	return query, err
}

// told is a time that was given, nil for one that was not.
func told(t *time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return t
}

func (f *Function) costs(ctx context.Context, in *costsInput) (*costGroups, error) {
	query, err := f.ask(ctx, in)
	if err != nil {
		return nil, err
	}
	report, err := f.ledger.Costs(ctx, in.Scope(), query)
	if err != nil {
		return nil, err
	}
	return &costGroups{
		GroupBy: query.GroupBy, Costs: report.Groups, Total: report.Total, NextCursor: httpapi.EncodeCursor(in.Scope(), in.route(), report.Next),
	}, nil
}

func (f *Function) costSheet(ctx context.Context, in *costsInput, sheet *httpapi.Sheet) error {
	query, err := f.ask(ctx, in)
	if err != nil {
		return err
	}
	query.Limit = budget.MaxGroups
	for first := true; first || query.After != ""; first = false {
		report, err := f.ledger.Costs(ctx, in.Scope(), query)
		if err != nil {
			return err
		}
		if first {
			if err := sheet.Row(budget.CostHeading(query.GroupBy)...); err != nil {
				return err
			}
		}
		for i := range report.Groups {
			if err := sheet.Row(report.Groups[i].Cells()...); err != nil {
				return err
			}
		}
		query.After = report.Next
	}
	return nil
}

type callsInput struct {
	httpapi.Scoped
	httpapi.Paged
	httpapi.Tabular
	Operation string    `query:"operation" maxLength:"64" doc:"Only calls of this operation."`
	Model     string    `query:"model" maxLength:"200" doc:"Only calls of this model, named in full."`
	Since     time.Time `query:"since" doc:"At or after this time."`
	Until     time.Time `query:"until" doc:"Before this time."`
}

type callLines struct {
	Calls      []budget.Line `json:"calls"`
	NextCursor string        `json:"next_cursor" doc:"Empty on the last page."`
}

const callsRoute = "GET /v1/costs/calls"

func (in *callsInput) query() (query budget.CallQuery, err error) {
	query = budget.CallQuery{Operation: in.Operation, Model: in.Model, Since: told(&in.Since), Until: told(&in.Until), Limit: in.Limit}
	query.After, err = in.After(in.Scope(), callsRoute)
	return query, err
}

func (f *Function) calls(ctx context.Context, in *callsInput) (*callLines, error) {
	query, err := in.query()
	if err != nil {
		return nil, err
	}
	page, err := f.ledger.Calls(ctx, in.Scope(), query)
	if err != nil {
		return nil, err
	}
	return &callLines{page.Calls, httpapi.EncodeCursor(in.Scope(), callsRoute, page.Next)}, nil
}

func (f *Function) callSheet(ctx context.Context, in *callsInput, sheet *httpapi.Sheet) error {
	query, err := in.query()
	if err != nil {
		return err
	}
	query.Limit = budget.MaxGroups
	for first := true; first || query.After != ""; first = false {
		page, err := f.ledger.Calls(ctx, in.Scope(), query)
		if err != nil {
			return err
		}
		if first {
			if err := sheet.Row(budget.LineHeading()...); err != nil {
				return err
			}
		}
		for i := range page.Calls {
			if err := sheet.Row(page.Calls[i].Cells()...); err != nil {
				return err
			}
		}
		query.After = page.Next
	}
	return nil
}

type overviewInput struct {
	Tenant string `header:"X-Tenant-ID" maxLength:"64" pattern:"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$" doc:"Only this tenant; without the header, all of them."`
	Days   int    `query:"days" default:"30" minimum:"1" maximum:"365" doc:"UTC days, today among them."`
}

type overviewOutput struct{ Body budget.Overview }

func (f *Function) overview(ctx context.Context, in *overviewInput) (*overviewOutput, error) {
	if err := f.requireAdmin(ctx); err != nil {
		return nil, err
	}
	overview, err := budget.Oversee(ctx, f.ledger, in.Tenant, in.Days)
	return &overviewOutput{overview}, err
}

type savingsInput struct {
	httpapi.Scoped
	Body struct {
		Savings []budget.Saving `json:"savings" minItems:"1" maxItems:"100"`
	}
}

type savingsOutput struct {
	Body struct {
		Calls []budget.Line `json:"calls" doc:"The lines of the log, in the order of the savings."`
	}
}

func (f *Function) save(ctx context.Context, in *savingsInput) (*savingsOutput, error) {
	lines, err := f.ledger.Save(ctx, in.Scope(), in.Body.Savings)
	out := &savingsOutput{}
	out.Body.Calls = lines
	return out, err
}
