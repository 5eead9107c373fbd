package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/budget"
)

func (p *program) budgetCosts() *cobra.Command {
	var by, since, until string
	c := &cobra.Command{
		Use:   "costs",
		Short: "Report what was spent, by group",
		Long: `costs sums what was booked by model, operation, project (all of the tenant's) or day.

` + budgetEnvironment(),
		Example: `  rae budget costs
  rae budget costs --by day --since 2026-11-01 --until 2026-12-01 --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			q := budget.CostQuery{GroupBy: budget.Grouping(by)}
			switch q.GroupBy {
			case budget.ByModel, budget.ByOperation, budget.ByProject, budget.ByDay:
			default:
				return usagef("--by %q must be model, operation, project or day", by)
			}
			if q.Since, err = parseTime("since", since); err != nil {
				return err
			}
			if q.Until, err = parseTime("until", until); err != nil {
				return err
			}
			return p.with(c.Context(), func(engine *rae.Engine) error {
				report, err := p.allCosts(c.Context(), engine.Ledger, q)
				if err != nil {
					return err
				}
				return p.tellCosts(q.GroupBy, report)
			})
		},
	}
	c.Flags().StringVar(&by, "by", "model", "group: model, operation, project or day")
	c.Flags().StringVar(&since, "since", "", "booked at or after this time, as 2026-11-01 or 2026-11-01T09:30:00Z")
	c.Flags().StringVar(&until, "until", "", "booked before this time")
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

func (p *program) tellCosts(by budget.Grouping, report budget.CostReport) error {
	if p.json {
		return p.printJSON(map[string]any{"group_by": by, "costs": report.Groups, "total": report.Total})
	}
	table := p.table()
	fmt.Fprintf(table, "%s\tcalls\ttokens in\ttokens out\tcost\n", by)
	row := func(name string, c *budget.Costs) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t$%s\n", printable(name), thousands(int(c.Calls)), thousands(int(c.TokensIn)), thousands(int(c.TokensOut)), c.Cost)
	}
	for i := range report.Groups {
		row(report.Groups[i].Group, &report.Groups[i].Costs)
	}
	row("total", &report.Total)
	return table.Flush()
}

func (p *program) budgetPrices() *cobra.Command {
	return &cobra.Command{
		Use:   "prices",
		Short: "List prices per million tokens",
		Long: `prices lists the catalogue with the tenant's own prices in it. A model has the price of the longest prefix of its
name.

` + budgetEnvironment(),
		Example: `  rae budget prices
  rae budget prices --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.with(c.Context(), func(engine *rae.Engine) error {
				prices, err := engine.Ledger.Prices(c.Context(), p.tenant)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(map[string]any{"prices": prices})
				}
				table := p.table()
				fmt.Fprintln(table, "model\tinput\toutput\tcached input\tas of\tsource")
				for _, price := range prices {
					fmt.Fprintf(table, "%s\t$%s\t$%s\t$%s\t%s\t%s\n", printable(price.Model), price.Input, price.Output, price.CachedInput,
						price.AsOf, printable(price.Source))
				}
				return table.Flush()
			})
		},
	}
}
