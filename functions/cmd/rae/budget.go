package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/memory"
)

func (p *program) budget() *cobra.Command {
	c := &cobra.Command{
		Use:   "budget",
		Short: "See and set what may be spent on paid calls",
		Long: `budget shows and sets the limits of a project, and holds and books amounts as a paid call does. What was spent, costs
tells. Money is US dollars, exact to nine decimals; days and months are UTC.

` + budgetEnvironment(),
		Example: `  rae budget show
  rae budget set --daily 5 --monthly 100
  rae budget reserve --model gpt-4o --max-cost 0.50`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(p.budgetShow(), p.budgetSet(), p.budgetReserve(), p.budgetSettle(), p.budgetRelease())
	return c
}

// budgetEnvironment is environment with the variables that say what holds for who set no limits.
func budgetEnvironment() string {
	return environment(
		"DEFAULT_DAILY_LIMIT, DEFAULT_MONTHLY_LIMIT   USD, for projects that set none (10.00, 100.00)",
		"BUDGET_WARNING_THRESHOLD                     share of a limit that warns (0.8)",
		"ENABLE_COST_TRACKING                         false: nothing is refused (true)")
}

func (p *program) budgetShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show how the budget of the project stands",
		Long:  "show prints limits, usage, what is held by reservations, and what remains.\n\n" + budgetEnvironment(),
		Example: `  rae budget show
  rae budget show --project travel --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.with(c.Context(), func(engine *rae.Engine) error {
				status, err := engine.Ledger.Current(c.Context(), p.scope())
				if err != nil {
					return err
				}
				return p.tellStatus(&status)
			})
		},
	}
}

// none is how flags write "no limit".
const none = "none"

func (p *program) budgetSet() *cobra.Command {
	var daily, monthly, dailyTokens, monthlyTokens, exhausted string
	var warning float64
	c := &cobra.Command{
		Use:   "set",
		Short: "Set the limits of the project",
		Long: `set changes the limits that are given and leaves the others as they are; "none" lifts a limit.

` + budgetEnvironment(),
		Example: `  rae budget set --daily 5 --monthly 100
  rae budget set --monthly none --on-exhausted degrade
  rae budget set --daily-tokens 2000000 --warning 0.9`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			given := c.Flags().Changed
			return p.with(c.Context(), func(engine *rae.Engine) error {
				now, err := engine.Ledger.Current(c.Context(), p.scope())
				if err != nil {
					return err
				}
				limits := budget.Limits{
					Daily: now.DailyLimit, Monthly: now.MonthlyLimit, DailyTokens: now.DailyTokenLimit, MonthlyTokens: now.MonthlyTokenLimit,
					WarningThreshold: now.WarningThreshold, OnExhausted: now.OnExhausted,
				}
				for _, l := range []struct {
					flag, text string
					into       **budget.Cost
				}{{"daily", daily, &limits.Daily}, {"monthly", monthly, &limits.Monthly}} {
					if given(l.flag) {
						if *l.into, err = parseDollars(l.flag, l.text); err != nil {
							return err
						}
					}
				}
				for _, l := range []struct {
					flag, text string
					into       **int64
				}{{"daily-tokens", dailyTokens, &limits.DailyTokens}, {"monthly-tokens", monthlyTokens, &limits.MonthlyTokens}} {
					if given(l.flag) {
						if *l.into, err = parseTokens(l.flag, l.text); err != nil {
							return err
						}
					}
				}
				if given("warning") {
					if !(warning > 0 && warning <= 1) {
						return usagef("--warning %v must be above 0 and at most 1", warning)
					}
					limits.WarningThreshold = warning
				}
				if given("on-exhausted") {
					if limits.OnExhausted = budget.Exhaustion(exhausted); limits.OnExhausted != budget.Reject && limits.OnExhausted != budget.Degrade {
						return usagef("--on-exhausted %q must be reject or degrade", exhausted)
					}
				}
				status, err := engine.Ledger.PutLimits(c.Context(), p.scope(), limits)
				if err != nil {
					return err
				}
				return p.tellStatus(&status)
			})
		},
	}
	c.Flags().StringVar(&daily, "daily", "", "USD per UTC day, or none")
	c.Flags().StringVar(&monthly, "monthly", "", "USD per UTC month, or none")
	c.Flags().StringVar(&dailyTokens, "daily-tokens", "", "tokens per UTC day, or none")
	c.Flags().StringVar(&monthlyTokens, "monthly-tokens", "", "tokens per UTC month, or none")
	c.Flags().Float64Var(&warning, "warning", budget.DefaultWarning, "share of a limit at which a warning is due (0 to 1)")
	c.Flags().StringVar(&exhausted, "on-exhausted", "reject", "what callers do when it refuses: reject or degrade")
	return c
}

func parseDollars(flag, text string) (*budget.Cost, error) {
	if text == none {
		return nil, nil
	}
	cost, err := budget.ParseUSD(text)
	if err != nil {
		return nil, usagef("--%s %q must be US dollars such as 5 or 0.25, or none", flag, text)
	}
	return &cost, nil
}

func parseTokens(flag, text string) (*int64, error) {
	if text == none {
		return nil, nil
	}
	tokens, err := strconv.ParseInt(text, 10, 64)
	if err != nil || tokens < 0 {
		return nil, usagef("--%s %q must be a whole number of tokens, or none", flag, text)
	}
	return &tokens, nil
}

// tellStatus prints one row per period.
func (p *program) tellStatus(s *budget.Status) error {
	if p.json {
		return p.printJSON(s)
	}
	enforced := ""
	if !s.Enforced {
		enforced = ", not enforced"
	}
	fmt.Fprintf(p.stdout, "tenant %s, project %s: %s%s; warns at %g of a limit, then %s\n\n",
		s.TenantID, s.ProjectID, p.bold(string(s.Status)), enforced, s.WarningThreshold, s.OnExhausted)
	table := p.table()
	fmt.Fprintln(table, "period\tlimit\tused\theld\tremaining\tresets")
	row := func(period, limit, used, held, remaining string, resets time.Time) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", period, limit, used, held, remaining, resets.UTC().Format("2006-01-02 15:04 MST"))
	}
	row("day", dollars(s.DailyLimit), "$"+s.DailyUsage.String(), "$"+s.DailyReserved.String(), dollars(s.DailyRemaining), s.ResetsAt.Daily)
	row("month", dollars(s.MonthlyLimit), "$"+s.MonthlyUsage.String(), "$"+s.MonthlyReserved.String(), dollars(s.MonthlyRemaining), s.ResetsAt.Monthly)
	tokens := func(period string, limit *int64, used int64, resets time.Time) {
		if limit != nil {
			remaining := max(0, *limit-used-s.TokensReserved)
			row(period+", tokens", thousands(int(*limit)), thousands(int(used)), thousands(int(s.TokensReserved)), thousands(int(remaining)), resets)
		}
	}
	tokens("day", s.DailyTokenLimit, s.DailyTokensUsed, s.ResetsAt.Daily)
	tokens("month", s.MonthlyTokenLimit, s.MonthlyTokensUsed, s.ResetsAt.Monthly)
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.stdout, "\nat this rate the month ends at $%s\n", s.ProjectedMonthEnd)
	return err
}

func dollars(c *budget.Cost) string {
	if c == nil {
		return none
	}
	return "$" + c.String()
}

func (p *program) budgetReserve() *cobra.Command {
	var r budget.Request
	var maxCost string
	c := &cobra.Command{
		Use:   "reserve --model MODEL",
		Short: "Hold an amount before a paid call",
		Long: `reserve holds --max-cost, or the price of the tokens, until it is settled, released or --ttl has passed. Over budget
the exit code is 4 and nothing is held. The same --key answers with the same reservation.

` + budgetEnvironment(),
		Example: `  rae budget reserve --model gpt-4o --max-cost 0.50
  rae budget reserve --model gpt-4o --tokens-in 2000 --max-tokens-out 500 --key nightly-1 --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if r.Model == "" {
				return usagef("--model is required, as the provider names it")
			}
			if c.Flags().Changed("max-cost") {
				if r.MaxCost, err = parseDollars("max-cost", maxCost); err != nil || r.MaxCost == nil {
					return usagef("--max-cost %q must be US dollars such as 0.25", maxCost)
				}
			}
			return p.onReservation(c.Context(), func(ctx context.Context, ledger budget.Ledger) (budget.Reservation, error) {
				return ledger.Reserve(ctx, p.scope(), r)
			})
		},
	}
	c.Flags().StringVar(&r.Operation, "operation", "cli", "what the call is for")
	c.Flags().StringVar(&r.Provider, "provider", "", "who is paid")
	c.Flags().StringVar(&r.Model, "model", "", "model, as the provider names it")
	c.Flags().StringVar(&maxCost, "max-cost", "", "the most the call can cost, in USD")
	c.Flags().Int64Var(&r.TokensIn, "tokens-in", 0, "tokens sent")
	c.Flags().Int64Var(&r.MaxTokensOut, "max-tokens-out", 0, "the most tokens answered")
	c.Flags().DurationVar(&r.TTL, "ttl", budget.DefaultTTL, "after this the hold comes back by itself (1s to 1h)")
	c.Flags().StringVar(&r.IdempotencyKey, "key", "", "your own key: repeating it reserves once")
	return c
}

func (p *program) budgetSettle() *cobra.Command {
	var s budget.Settle
	var cost string
	c := &cobra.Command{
		Use:   "settle RESERVATION",
		Short: "Book what a call really cost",
		Long: `settle ends a reservation with its real cost: --cost, or the tokens at the price of the model. Settling again with
equal numbers changes nothing.

` + budgetEnvironment(),
		Example: `  rae budget settle 01968f3e-0000-7000-8000-000000000001 --tokens-in 1800 --tokens-out 240
  rae budget settle 01968f3e-0000-7000-8000-000000000001 --cost 0.0069`,
		Args: needs("RESERVATION", 1, 1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			id, err := reservationID(args[0])
			if err != nil {
				return err
			}
			if c.Flags().Changed("cost") {
				if s.Cost, err = parseDollars("cost", cost); err != nil || s.Cost == nil {
					return usagef("--cost %q must be US dollars such as 0.0069", cost)
				}
			}
			return p.onReservation(c.Context(), func(ctx context.Context, ledger budget.Ledger) (budget.Reservation, error) {
				return ledger.Settle(ctx, p.scope(), id, s)
			})
		},
	}
	c.Flags().Int64Var(&s.TokensIn, "tokens-in", 0, "tokens sent")
	c.Flags().Int64Var(&s.TokensOut, "tokens-out", 0, "tokens answered")
	c.Flags().Int64Var(&s.CachedTokens, "cached-tokens", 0, "part of the tokens sent that was billed at the cached price")
	c.Flags().StringVar(&cost, "cost", "", "what the provider charged, in USD")
	return c
}

func (p *program) budgetRelease() *cobra.Command {
	return &cobra.Command{
		Use:     "release RESERVATION",
		Short:   "Give a reservation back",
		Long:    "release gives back what a reservation holds, when its call was not made.\n\n" + budgetEnvironment(),
		Example: `  rae budget release 01968f3e-0000-7000-8000-000000000001`,
		Args:    needs("RESERVATION", 1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := reservationID(args[0])
			if err != nil {
				return err
			}
			return p.onReservation(c.Context(), func(ctx context.Context, ledger budget.Ledger) (budget.Reservation, error) {
				return ledger.Release(ctx, p.scope(), id)
			})
		},
	}
}

func reservationID(text string) (memory.ID, error) {
	id, ok := memory.ParseID(text)
	if !ok {
		return "", usagef("RESERVATION %q must be a UUID, as reserve printed it", text)
	}
	return id, nil
}

// onReservation does one step of a reservation and prints how it stands then.
func (p *program) onReservation(ctx context.Context, do func(context.Context, budget.Ledger) (budget.Reservation, error)) error {
	return p.with(ctx, func(engine *rae.Engine) error {
		r, err := do(ctx, engine.Ledger)
		if err != nil {
			return err
		}
		if p.json {
			return p.printJSON(r)
		}
		text := fmt.Sprintf("%s %s: $%s held", r.ID, p.bold(string(r.Status)), r.MaxCost)
		if r.Status == budget.Held {
			text += ", comes back by itself at " + r.ExpiresAt.UTC().Format("15:04:05 MST")
		}
		if s := r.Settlement; s != nil {
			text += fmt.Sprintf(", $%s booked on %s", s.Cost, s.Day)
			if s.Overrun > 0 {
				text += fmt.Sprintf(", $%s of it beyond the hold", s.Overrun)
			}
		}
		if !r.PriceKnown {
			text += "; the model is in no price list, the dearest known rate was assumed"
		}
		_, err = fmt.Fprintln(p.stdout, printable(text))
		return err
	})
}
