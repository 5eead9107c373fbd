package budget

import (
	"context"
	"encoding/json"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// Statements are what is read of a ledger to tell what it would say.
type Statements interface {
	Current(ctx context.Context, scope memory.Scope) (Status, error)
	CurrentTenant(ctx context.Context, tenant string) (TenantStatus, error)
	Prices(ctx context.Context, tenant string) ([]Price, error)
}

// Quote adds what the request asks for to a dry run: what Reserve would hold for it, after the calls the dry run has
// already, and the *ExceededError by which it would refuse. It holds nothing. Its error is that of a request that could
// not be meant, or of books that cannot be read; otherwise it is llm.NotInDryRun.
func Quote(ctx context.Context, ledger Statements, scope memory.Scope, r Request, run *llm.DryRun) error {
	err := quote(ctx, ledger, scope, r, run)
	if err == nil || fault.KindOf(err) == fault.OverBudget {
		run.Fail(err)
		return llm.NotInDryRun()
	}
	return err
}

func quote(ctx context.Context, ledger Statements, scope memory.Scope, r Request, run *llm.DryRun) error {
	r, err := r.complete()
	if err != nil {
		return err
	}
	prices, err := ledger.Prices(ctx, scope.Tenant)
	if err != nil {
		return err
	}
	asked, known, err := r.amount(Pricelist(prices))
	if err != nil {
		return err
	}
	books, err := openBooks(ctx, ledger, scope)
	if err != nil {
		return err
	}
	pot := books.DrawsOnPot()
	for _, before := range run.Calls() {
		cost, err := ParseUSD(before.Cost.String())
		if err != nil {
			return fault.Wrap(fault.Internal, err, "a call was priced at %q", before.Cost)
		}
		more := Amount{Cost: cost, Tokens: int64(before.Most.TokensIn + before.Most.TokensOut)}
		for _, a := range books.counting(scope.Project, pot) {
			next, fits := a.holding(more)
			if !fits {
				return fault.BadField("body", "costs more than the ledger can count")
			}
			*a = next
		}
	}
	run.Would(llm.Quote{
		Call: llm.Call{
			Operation: r.Operation, Provider: r.Provider, Model: r.Model,
			Most: llm.Usage{TokensIn: int(r.TokensIn), TokensOut: int(r.MaxTokensOut), Estimated: true},
		},
		Cost: json.Number(asked.Cost.String()), PriceKnown: known,
	})
	return books.admit(asked, pot, time.Now())
}

// openBooks are the books as they are told. Who may not know how the tenant stands is told of the project alone.
func openBooks(ctx context.Context, ledger Statements, scope memory.Scope) (*Books, error) {
	status, err := ledger.Current(ctx, scope)
	if err != nil {
		return nil, err
	}
	books := &Books{Project: status.account(), Tenant: &Account{}, Pot: &Account{}}
	tenant, err := ledger.CurrentTenant(ctx, scope.Tenant)
	switch {
	case fault.KindOf(err) == fault.Denied:
	case err != nil:
		return nil, err
	default:
		books.Tenant = tenant.account()
		if tenant.Pot != nil {
			books.Pot = tenant.Pot.account()
		}
	}
	return books, nil
}

// account is what a status was told of, as far as admit asks.
func (s *Status) account() *Account {
	return &Account{
		Scope: memory.Scope{Tenant: s.TenantID, Project: s.ProjectID},
		Limits: Limits{
			Monthly: s.MonthlyLimit, Daily: s.DailyLimit, MonthlyTokens: s.MonthlyTokenLimit, DailyTokens: s.DailyTokenLimit,
			WarningThreshold: s.WarningThreshold, OnExhausted: s.OnExhausted,
		},
		Own: s.Own, Enforced: s.Enforced,
		Day:   DayOf(s.ResetsAt.Daily.Add(-time.Second)),
		Held:  Amount{Cost: s.DailyReserved, Tokens: s.TokensReserved},
		Today: Usage{Amount: Amount{Cost: s.DailyUsage, Tokens: s.DailyTokensUsed}},
		Month: Usage{Amount: Amount{Cost: s.MonthlyUsage, Tokens: s.MonthlyTokensUsed}},
	}
}
