package provider

import (
	"encoding/json"
	"net/http"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
)

const dryRunHeader = "X-Dry-Run"

// dryRun is what another of RAE's functions answers in a dry run.
type dryRun struct {
	DryRun bool `json:"dry_run"`
	Calls  []struct {
		Operation    string      `json:"operation"`
		Provider     string      `json:"provider"`
		Model        string      `json:"model"`
		TokensIn     int         `json:"tokens_in"`
		MaxTokensOut int         `json:"max_tokens_out"`
		Cost         json.Number `json:"cost"`
		PriceKnown   bool        `json:"price_known"`
	} `json:"calls"`
	RefusedBy json.RawMessage `json:"refused_by"`
}

// joined adds what the function would ask to the run. Its error is llm.NotInDryRun; another one says that what was
// answered tells no price, and the run has it, too.
func (c *Client) joined(run *llm.DryRun, err error, told *dryRun) error {
	if err == nil && !told.DryRun {
		err = fault.New(fault.Internal, "%s did what it should only have priced", c.Name())
	}
	if err != nil {
		run.Fail(err)
		return err
	}
	for _, q := range told.Calls {
		run.Would(llm.Quote{
			Call: llm.Call{
				Operation: q.Operation, Provider: q.Provider, Model: q.Model,
				Most: llm.Usage{TokensIn: q.TokensIn, TokensOut: q.MaxTokensOut, Estimated: true},
			},
			Cost: q.Cost, PriceKnown: q.PriceKnown,
		})
	}
	if len(told.RefusedBy) > 0 {
		run.Fail(overBudgetOf(c.Name(), told.RefusedBy))
	}
	return llm.NotInDryRun()
}

// markDryRun asks one of RAE's functions for no more than the price.
func markDryRun(r *http.Request) { r.Header.Set(dryRunHeader, "true") }
