package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/httpapi"
)

// costFlags are what costs and costs calls both take.
type costFlags struct {
	since, until string
	csv          bool
}

func (f *costFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.since, "since", "", "booked at or after this time, as 2026-11-01 or 2026-11-01T09:30:00Z")
	c.Flags().StringVar(&f.until, "until", "", "booked before this time")
	c.Flags().BoolVar(&f.csv, "csv", false, "print comma-separated values (RFC 4180); what a spreadsheet would compute begins with an apostrophe")
}

// check reads the interval, and refuses two forms at once.
func (f *costFlags) check(json bool) (since, until *time.Time, err error) {
	if f.csv && json {
		return nil, nil, usagef("--csv and --json are two forms: give one")
	}
	if since, err = parseTime("since", f.since); err != nil {
		return nil, nil, err
	}
	until, err = parseTime("until", f.until)
	return since, until, err
}

func (p *program) costs() *cobra.Command {
	var by string
	var flags costFlags
	c := &cobra.Command{
		Use:   "costs",
		Short: "Report what was spent, by group",
		Long: `costs sums what was booked, and what caches spared, by model, operation, project (all of the tenant's), provider or day.

` + budgetEnvironment(),
		Example: `  rae costs
  rae costs --group-by day --since 2026-11-01 --until 2026-12-01 --json
  rae costs --group-by project --csv > november.csv`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			q := budget.CostQuery{GroupBy: budget.Grouping(by)}
			switch q.GroupBy {
			case budget.ByModel, budget.ByOperation, budget.ByProject, budget.ByProvider, budget.ByDay:
			default:
				return usagef("--group-by %q must be model, operation, project, provider or day", by)
			}
			if q.Since, q.Until, err = flags.check(p.json); err != nil {
				return err
			}
			return p.with(c.Context(), func(engine *rae.Engine) error {
				report, err := p.allCosts(c.Context(), engine.Ledger, q)
				if err != nil {
					return err
				}
				if flags.csv {
					return p.costSheet(q.GroupBy, report.Groups)
				}
				return p.tellCosts(q.GroupBy, report)
			})
		},
	}
	c.Flags().StringVar(&by, "group-by", "model", "model, operation, project, provider or day")
	flags.add(c)
	c.AddCommand(p.costCalls(), p.costOverview())
	return c
}

// allCosts reads every page of a report.
func (p *program) allCosts(ctx context.Context, ledger budget.Ledger, q budget.CostQuery) (budget.CostReport, error) {
	all := budget.CostReport{Groups: []budget.CostGroup{}}
	for {
		page, err := ledger.Costs(ctx, p.scope(), q)
		if err != nil {
			return budget.CostReport{}, err
		}
		all.Groups, all.Total = append(all.Groups, page.Groups...), page.Total
		if page.Next == "" {
			return all, nil
		}
		q.After = page.Next
	}
}

func (p *program) costSheet(by budget.Grouping, groups []budget.CostGroup) error {
	sheet := httpapi.NewSheet(p.stdout)
	if err := sheet.Row(budget.CostHeading(by)...); err != nil {
		return err
	}
	for i := range groups {
		if err := sheet.Row(groups[i].Cells()...); err != nil {
			return err
		}
	}
	return sheet.End()
}

func (p *program) tellCosts(by budget.Grouping, report budget.CostReport) error {
	if p.json {
		return p.printJSON(map[string]any{"group_by": by, "costs": report.Groups, "total": report.Total})
	}
	table := p.table()
	fmt.Fprintf(table, "%s\tcalls\ttokens in\ttokens out\tcost\tcache hits\tsaved\n", by)
	row := func(name string, c *budget.Costs) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t$%s\t%s\t$%s\n", printable(name), thousands(int(c.Calls)), thousands(int(c.TokensIn)),
			thousands(int(c.TokensOut)), c.Cost, thousands(int(c.CacheHits)), c.Saved)
	}
	for i := range report.Groups {
		row(report.Groups[i].Group, &report.Groups[i].Costs)
	}
	row("total", &report.Total)
	return table.Flush()
}

func (p *program) costCalls() *cobra.Command {
	var flags costFlags
	var q budget.CallQuery
	c := &cobra.Command{
		Use:   "calls",
		Short: "List paid calls one by one, the newest first",
		Long: `calls prints the log of costs: a line per paid call, and lines of what caches spared. With --csv and --json it is the
whole log, else the newest --limit lines.

` + budgetEnvironment(),
		Example: `  rae costs calls --limit 20
  rae costs calls --operation embeddings --since 2026-11-01 --csv`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if q.Since, q.Until, err = flags.check(p.json); err != nil {
				return err
			}
			if q.Limit < 1 || q.Limit > budget.MaxGroups {
				return usagef("--limit %d must be between 1 and %d", q.Limit, budget.MaxGroups)
			}
			return p.with(c.Context(), func(engine *rae.Engine) error {
				if flags.csv {
					return p.callSheet(c.Context(), engine.Ledger, q)
				}
				page, err := engine.Ledger.Calls(c.Context(), p.scope(), q)
				if err != nil {
					return err
				}
				return p.tellCalls(page.Calls)
			})
		},
	}
	c.Flags().StringVar(&q.Operation, "operation", "", "only calls of this operation")
	c.Flags().StringVar(&q.Model, "model", "", "only calls of this model, named in full")
	c.Flags().IntVar(&q.Limit, "limit", 50, "lines at most (1 to 1000)")
	flags.add(c)
	return c
}

// callSheet prints the whole log, a page at a time.
func (p *program) callSheet(ctx context.Context, ledger budget.Ledger, q budget.CallQuery) error {
	sheet := httpapi.NewSheet(p.stdout)
	if err := sheet.Row(budget.LineHeading()...); err != nil {
		return err
	}
	q.Limit = budget.MaxGroups
	for {
		page, err := ledger.Calls(ctx, p.scope(), q)
		if err != nil {
			return err
		}
		for i := range page.Calls {
			if err := sheet.Row(page.Calls[i].Cells()...); err != nil {
				return err
			}
		}
		if q.After = page.Next; q.After == "" {
			return sheet.End()
		}
	}
}

func (p *program) tellCalls(lines []budget.Line) error {
	if p.json {
		return p.printJSON(map[string]any{"calls": lines})
	}
	table := p.table()
	fmt.Fprintln(table, "at\toperation\tmodel\ttokens in\ttokens out\tcost\tms\trequest\tnotes")
	for i := range lines {
		l := &lines[i]
		var notes []string
		for _, note := range []struct {
			holds bool
			text  string
		}{
			{l.CacheHit, fmt.Sprintf("cache spared %s calls, %s tokens, $%s", thousands(int(l.Calls)), thousands(int(l.SavedTokens)), l.Saved)},
			{l.Estimated && !l.CacheHit, "estimated"}, {!l.PriceKnown, "price unknown"}, {l.Overrun > 0, "overrun"}, {l.Late, "late"},
		} {
			if note.holds {
				notes = append(notes, note.text)
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t$%s\t%s\t%s\t%s\n", l.At.UTC().Format("2006-01-02 15:04:05"), printable(l.Operation), printable(l.Model),
			thousands(int(l.TokensIn)), thousands(int(l.TokensOut)), l.Cost, thousands(int(l.LatencyMS)), printable(l.RequestID), strings.Join(notes, ", "))
	}
	return table.Flush()
}

func (p *program) costOverview() *cobra.Command {
	var days int
	var all bool
	c := &cobra.Command{
		Use:   "overview",
		Short: "Show who spends what and where the month is going",
		Long: `overview sums the last days of the tenant or, with --all-tenants, of every tenant of the store, and tells how the month
of those who spend the most stands: ok, warning (from 75 % of the monthly limit, or on the way above it), critical (90 %)
or exceeded.

` + budgetEnvironment(),
		Example: `  rae costs overview
  rae costs overview --all-tenants --days 90 --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if days < 1 || days > budget.MaxDays {
				return usagef("--days %d must be between 1 and %d", days, budget.MaxDays)
			}
			tenant := p.tenant
			if all {
				tenant = ""
			}
			return p.with(c.Context(), func(engine *rae.Engine) error {
				o, err := budget.Oversee(c.Context(), engine.Ledger, tenant, days)
				if err != nil {
					return err
				}
				return p.tellOverview(&o)
			})
		},
	}
	c.Flags().IntVar(&days, "days", 30, "UTC days, today among them (1 to 365)")
	c.Flags().BoolVar(&all, "all-tenants", false, "of every tenant")
	return c
}

func (p *program) tellOverview(o *budget.Overview) error {
	if p.json {
		return p.printJSON(o)
	}
	fmt.Fprintf(p.stdout, "%s to %s: %s in %s calls of %s tenants; caches answered %.1f %% and spared $%s\n\n",
		o.PeriodStart.Format(time.DateOnly), o.PeriodEnd.Format(time.DateOnly), p.bold("$"+o.Total.Cost.String()), thousands(int(o.Total.Calls)),
		thousands(int(o.UniqueTenants)), 100*o.CacheHitRate, o.Total.Saved)
	table := p.table()
	fmt.Fprintln(table, "tenant\tcalls\tcost\tmonth\tlimit\tprojected\tstatus")
	for i := range o.TopTenants {
		t := &o.TopTenants[i]
		fmt.Fprintf(table, "%s\t%s\t$%s\t$%s\t%s\t$%s\t%s\n", printable(t.TenantID), thousands(int(t.Calls)), t.Cost, t.Month.Usage, dollars(t.Month.Limit),
			t.Month.Projected, t.Month.Status)
	}
	for _, kind := range []struct {
		name   string
		groups []budget.CostGroup
	}{{"project", o.TopProjects}, {"model", o.TopModels}, {"operation", o.TopOperations}} {
		fmt.Fprintf(table, "\n%s\tcalls\tcost\n", kind.name)
		for i := range kind.groups {
			g := &kind.groups[i]
			fmt.Fprintf(table, "%s\t%s\t$%s\n", printable(g.Group), thousands(int(g.Calls)), g.Cost)
		}
	}
	return table.Flush()
}
