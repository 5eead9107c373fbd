// Package inference opens the embedder, the reranker and the language model that the environment names, for a function alone
// or for all in one process, with a meter before whatever is not computed in this process. Nothing else makes adapters to
// providers.
package inference

import (
	"cmp"
	"context"
	"log/slog"

	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/client"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/provider"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// Budget says where a function that runs alone finds the ledger its calls are paid from: the budget function's API. In one
// process with it, the ledger itself is handed on.
type Budget struct {
	BudgetURL string           `envconfig:"RAE_BUDGET_URL"` // empty: no provider is asked but those in this process and RAE's own functions
	BudgetKey telemetry.Secret `envconfig:"RAE_BUDGET_API_KEY"`
	OwnHosts  string           `envconfig:"RAE_OWN_HOSTS"` // besides the operator's network: whose ollama, vllm, tei or lmstudio cost nothing
}

// Meter returns the meter before paid calls, nil where there is no ledger, and what is to be called when the function
// closes: it writes down what caches spared since that was last done. The meter connects when first used.
func (b *Budget) Meter(rt serve.Runtime) (meter llm.Meter, end func(context.Context) error, err error) {
	if b.BudgetURL == "" {
		return nil, func(context.Context) error { return nil }, nil // who has no need of one starts without
	}
	c, err := client.New(b.BudgetURL, client.Options{APIKey: b.BudgetKey.Reveal()})
	if err != nil {
		return nil, nil, &serve.ConfigError{Name: "RAE_BUDGET_URL", Value: b.BudgetURL, Allowed: provider.Address}
	}
	guard, err := NewGuard(c.Ledger(), rt)
	if err != nil {
		return nil, nil, err
	}
	return guard, guard.Close, nil
}

// Ledger is what a guard needs of one.
type Ledger interface {
	budget.Purse
	budget.Keeper
}

// NewGuard returns the meter over a ledger, counted in the metrics of the runtime. Its Close writes down what caches spared
// since that was last done.
func NewGuard(ledger Ledger, rt serve.Runtime) (*budget.Guard, error) {
	spending, err := telemetry.NewSpending(rt.Metrics)
	if err != nil {
		return nil, err
	}
	return &budget.Guard{Ledger: ledger, Keeper: ledger, Observer: spending, RequestID: telemetry.RequestID, Log: rt.Log}, nil
}

// Deps are what models are opened with.
type Deps struct {
	Meter   llm.Meter   // nil: no provider is opened that would need one
	Vectors embed.Cache // that instances share; nil: there is none
	Own     []string    // hosts on which models cost nothing, besides the operator's network
	// Count counts tokens where a provider of language models does not say; nil = on the high side. The counter that knows
	// is two megabytes that most functions do without.
	Count func(text string) int
	Log   *slog.Logger
}

// settled is the meter before RAE's own functions: they ask for the money themselves, in the name of the same payer.
type settled struct{}

func (settled) Spend(ctx context.Context, _ llm.Call, do func(context.Context) (llm.Usage, error)) error {
	_, err := do(ctx)
	return err
}

// host is what is known of a provider before anybody says more.
type host struct {
	baseURL   string // "" = must be set
	model     string // "" = must be set
	key       bool   // it answers nobody without, at baseURL
	keyHeader string // "" = Authorization
	header    map[string]string
	most      int // texts of one request
}

// rae is the provider that is another function of RAE.
const rae = "rae"

// setting is a group of settings as all kinds of models have it; prefix is RAE_EMBED, RAE_RERANK or RAE_LLM.
type setting struct {
	prefix   string
	provider string
	model    string
	baseURL  string
	key      telemetry.Secret
	host     host
	answer   int64 // bytes of one at most; 0 = as provider.Options has it
}

// check finds what is missing or cannot be meant. Its error is a *serve.ConfigError.
func (s *setting) check() error {
	switch {
	case s.baseURL == "" && s.host.baseURL == "":
		return &serve.ConfigError{Name: s.prefix + "_BASE_URL", Missing: true, Allowed: "the address of provider " + s.provider + ", " + provider.Address}
	case s.baseURL != "" && provider.CheckAddress(s.baseURL) != nil:
		return &serve.ConfigError{Name: s.prefix + "_BASE_URL", Secret: true, Allowed: provider.Address} // it may hold credentials
	case s.model == "" && s.host.model == "":
		return &serve.ConfigError{Name: s.prefix + "_MODEL", Missing: true, Allowed: "the name of a model of provider " + s.provider}
	case s.key.Empty() && s.host.key && s.baseURL == "":
		return &serve.ConfigError{Name: s.prefix + "_API_KEY", Missing: true, Allowed: "the key of provider " + s.provider}
	}
	if _, err := s.client(nil); err != nil {
		return &serve.ConfigError{Name: s.prefix + "_API_KEY", Secret: true, Allowed: "visible ASCII without spaces or line breaks"}
	}
	return nil
}

func (s *setting) client(log *slog.Logger) (*provider.Client, error) {
	return provider.New(provider.Options{
		Name: s.provider, BaseURL: cmp.Or(s.baseURL, s.host.baseURL), Key: s.key.Reveal(), KeyHeader: s.host.keyHeader, Header: s.host.header,
		TellPayer: s.provider == rae, MaxAnswer: s.answer, RequestID: telemetry.RequestID, Log: log,
	})
}

// open returns what the provider is asked with, and the meter before it.
func (s *setting) open(d *Deps) (*provider.Client, llm.Meter, error) {
	client, err := s.client(d.Log)
	switch {
	case err != nil:
		return nil, nil, err
	case s.provider == rae:
		return client, settled{}, nil
	case d.Meter == nil:
		return nil, nil, &serve.ConfigError{Name: "RAE_BUDGET_URL", Missing: true, Allowed: "the address of the budget function, because calls of provider " + s.provider + " are metered"}
	}
	return client, d.Meter, nil
}

// checkBuiltIn finds a model that this process does not have. Its error is a *serve.ConfigError.
func checkBuiltIn[M interface{ Model() string }](prefix, provider, model string, builtIn func(provider, model string) (M, error)) error {
	own, err := builtIn(provider, "")
	if err != nil {
		return &serve.ConfigError{Name: prefix + "_PROVIDER", Value: provider, Allowed: "a provider of this build"}
	}
	if _, err := builtIn(provider, model); err != nil {
		return &serve.ConfigError{Name: prefix + "_MODEL", Value: model, Allowed: "unset or " + own.Model()}
	}
	return nil
}
