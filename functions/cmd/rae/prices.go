package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/budget"
)

func (p *program) prices() *cobra.Command {
	c := &cobra.Command{
		Use:   "prices",
		Short: "List prices per million tokens",
		Long: `prices lists the catalogue with the tenant's own prices in it. A model and its dated snapshots have the price of their
name; a price the tenant set is for every name that begins so, the longest one first. A model in neither is booked at the
dearest known rate and flagged.

` + budgetEnvironment(),
		Example: `  rae prices
  rae prices --json
  rae prices check --older-than 180d`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.with(c.Context(), func(engine *rae.Engine) error {
				prices, err := engine.Ledger.Prices(c.Context(), p.tenant)
				if err != nil {
					return err
				}
				return p.tellPrices(prices)
			})
		},
	}
	c.AddCommand(p.pricesCheck())
	return c
}

func (p *program) tellPrices(prices []budget.Price) error {
	if p.json {
		return p.printJSON(map[string]any{"prices": prices})
	}
	table := p.table()
	fmt.Fprintln(table, "model\tinput\toutput\tcached input\tas of\tsource\twhere")
	for _, price := range prices {
		fmt.Fprintf(table, "%s\t$%s\t$%s\t$%s\t%s\t%s\t%s\n", printable(price.Model), price.Input, price.Output, price.CachedInput,
			price.AsOf, printable(price.Source), printable(price.URL))
	}
	return table.Flush()
}

func (p *program) pricesCheck() *cobra.Command {
	var older string
	c := &cobra.Command{
		Use:   "check",
		Short: "List prices of the catalogue that were looked up long ago",
		Long: `check lists the prices of the catalogue that were looked up longer ago than --older-than, with the place to look them up
again. The exit code is 1 where there are any, 0 where there are none. Prices that tenants set are theirs to look after.

` + environment(),
		Example: `  rae prices check
  rae prices check --older-than 90d --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			age, err := parseAge("older-than", older)
			if err != nil {
				return err
			}
			old := budget.Prices(nil).Older(age, time.Now())
			if len(old) > 0 || p.json {
				if err := p.tellPrices(old); err != nil {
					return err
				}
			}
			if len(old) > 0 {
				return errors.New(thousands(len(old)) + " of " + thousands(len(budget.Prices(nil))) + " prices are older than " + older)
			}
			return nil
		},
	}
	c.Flags().StringVar(&older, "older-than", "180d", "age, as 180d or 720h")
	return c
}

// parseAge reads a number of days, or what Go calls a duration.
func parseAge(flag, text string) (time.Duration, error) {
	const day, longest = 24 * time.Hour, 36500
	if number, days := strings.CutSuffix(text, "d"); days {
		if n, err := strconv.Atoi(number); err == nil && n >= 0 && n <= longest {
			return time.Duration(n) * day, nil
		}
	} else if age, err := time.ParseDuration(text); err == nil && age >= 0 {
		return age, nil
	}
	return 0, usagef("--%s %q must be an age such as 180d or 720h", flag, text)
}
