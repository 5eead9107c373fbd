package httpapi

import (
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
)

const (
	dryRunHeader = "X-Dry-Run"
	dryRunMark   = "rae.dry_run"
)

// Priced is embedded in the input of every operation that can be asked what it would cost. With X-Dry-Run: true it is done
// in the context of an llm.DryRun: it goes as far as it can without asking a model or changing anything, what it returns is
// dropped, and the answer is an Estimate. All other operations refuse the header.
type Priced struct {
	DryRun string `header:"X-Dry-Run" enum:"true,false" doc:"true: do nothing, and answer 200 with the calls of models that this request would make, what they can cost, and whether the budget covers it."`
}

// Estimate is the answer to a dry run.
type Estimate struct {
	DryRun    bool            `json:"dry_run" enum:"true" doc:"No model was asked and nothing was changed."`
	Calls     []estimatedCall `json:"calls" nullable:"false" doc:"Calls of models that would be made and are paid for; what is kept in a cache or computed in process is none."`
	Cost      dollars         `json:"cost" doc:"What all of them can cost together, an estimate on the high side."`
	Allowed   bool            `json:"allowed" doc:"Whether the budget would cover all of them now."`
	RefusedBy map[string]any  `json:"refused_by,omitempty" doc:"The limit that would refuse and how it stands, as in a 402."`
}

type estimatedCall struct {
	Operation    string  `json:"operation" example:"embeddings"`
	Provider     string  `json:"provider" example:"openai"`
	Model        string  `json:"model" example:"text-embedding-3-small"`
	TokensIn     int     `json:"tokens_in" minimum:"0"`
	MaxTokensOut int     `json:"max_tokens_out" minimum:"0"`
	Cost         dollars `json:"cost"`
	PriceKnown   bool    `json:"price_known" doc:"False when the model is in no price list and the dearest known rate was assumed."`
}

// dollars are written with every digit.
type dollars struct{ budget.Cost }

// Schema is called by huma.
func (dollars) Schema(huma.Registry) *huma.Schema {
	zero := 0.0
	return &huma.Schema{
		Type: huma.TypeNumber, Minimum: &zero, Examples: []any{0.0004},
		Extensions: map[string]any{"x-unit": "US dollars, exact to 9 decimals"},
	}
}

// askedDry reads the header: whether the request is a dry run, which not every operation can be.
func askedDry(r *http.Request, supported bool) (bool, error) {
	given := r.Header.Values(dryRunHeader)
	switch {
	case len(given) == 0, slices.Equal(given, []string{"false"}):
		return false, nil
	case !slices.Equal(given, []string{"true"}):
		return false, badHeader(fault.Malformed, dryRunHeader, "must be true or false")
	case !supported:
		return false, badHeader(fault.Malformed, dryRunHeader, "must not be true: a dry run is not supported here")
	}
	return true, nil
}

// NoDryRun stands before what is no operation of the API: it refuses a dry run rather than do what was only to be priced.
func NoDryRun(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := askedDry(r, false); err != nil {
			WriteProblem(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isPriced reports whether the operation supports dry runs.
func isPriced(op *huma.Operation) bool {
	marked, _ := op.Metadata[dryRunMark].(bool)
	return marked
}

// runDry lets what follows the gate be a dry run, where that was asked for.
func runDry(x *exchange, r *http.Request) error {
	dry, err := askedDry(r, isPriced(x.Operation()))
	if dry {
		x.context, _ = llm.WithDryRun(x.humaContext.Context())
	}
	return err
}

// ran is how a dry run ends, given what its handler returned: with an estimate, or with the error that the request would
// end with whatever it cost.
func ran(run *llm.DryRun, err error) error {
	if err != nil && !llm.IsDryRun(err) && fault.KindOf(err) != fault.OverBudget {
		return err
	}
	if failed := run.Failed(); failed != nil {
		return failed
	}
	e := &Estimate{DryRun: true, Calls: []estimatedCall{}, Allowed: true}
	for _, q := range run.Calls() {
		cost, err := budget.ParseUSD(q.Cost.String())
		if err != nil {
			return fault.Wrap(fault.Internal, err, "a call was priced at %q", q.Cost)
		}
		if e.Cost.Cost += cost; e.Cost.Cost < cost {
			e.Cost.Cost = budget.MaxCost
		}
		e.Calls = append(e.Calls, estimatedCall{
			Operation: q.Operation, Provider: q.Provider, Model: q.Model, TokensIn: q.Most.TokensIn, MaxTokensOut: q.Most.TokensOut,
			Cost: dollars{cost}, PriceKnown: q.PriceKnown,
		})
	}
	refused := run.Refused()
	if refused == nil && fault.KindOf(err) == fault.OverBudget {
		refused = err
	}
	if refused != nil {
		e.Allowed, e.RefusedBy = false, map[string]any{}
		var told fault.Detailed
		if errors.As(refused, &told) {
			e.RefusedBy = told.ProblemMembers()
		}
	}
	return estimated{e}
}

// estimated takes an estimate to the client past what the handler would have answered.
type estimated struct{ *Estimate }

func (estimated) Error() string  { return "dry run" }
func (estimated) GetStatus() int { return http.StatusOK }

// documentDryRun adds the estimate to what a priced operation may answer.
func documentDryRun(api huma.API, op *huma.Operation) {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Estimate](), true, "")
	ok := op.Responses[strconv.Itoa(http.StatusOK)]
	if ok == nil {
		ok = &huma.Response{Description: "A dry run."}
		op.Responses[strconv.Itoa(http.StatusOK)] = ok
	}
	content := ok.Content["application/json"]
	if content == nil || content.Schema == nil {
		ok.Content = map[string]*huma.MediaType{"application/json": {Schema: schema}}
		return
	}
	ok.Content = map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{OneOf: []*huma.Schema{content.Schema, schema}}}}
}
