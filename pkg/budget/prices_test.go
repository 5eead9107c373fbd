package budget_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/pkg/budget"
)

func dollars(t *testing.T, s string) budget.Cost {
	t.Helper()
	c, err := budget.ParseUSD(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryCataloguePriceHasASourceADateAndItsOwnName(t *testing.T) {
	t.Parallel()
	last := ""
	for _, p := range budget.Prices(nil) {
		if _, err := time.Parse(time.DateOnly, string(p.AsOf)); err != nil || p.Source == "" || !strings.HasPrefix(p.URL, "https://") || p.Own {
			t.Errorf("%+v lacks a source, its address or a date", p)
		}
		if p.Model <= last {
			t.Errorf("%s comes after %s", p.Model, last)
		}
		if free := p.Input == 0 && p.Output == 0; free != strings.HasSuffix(p.Model, "/") {
			t.Errorf("%+v: only whole local providers are free", p)
		}
		if p.CachedInput > p.Input {
			t.Errorf("%+v: cached input costs more than input", p)
		}
		last = p.Model
	}
}

func TestTheLongestPrefixPricesAModel(t *testing.T) {
	t.Parallel()
	for _, want := range []struct{ provider, model, row string }{
		{"openai", "gpt-4o", "gpt-4o"},
		{"openai", "gpt-4o-mini-2024-07-18", "gpt-4o-mini"},
		{"openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"},
		{"openai", "gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"},
		{"openai", "gpt-5-pro-2025-10-06", "gpt-5-pro"},
		{"openai", "o1-mini-2024-09-12", "o1-mini"},
		{"anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"},
		{"anthropic", "claude-haiku-4-5-20251001", "claude-haiku-4-5"},
		{"gemini", "models/gemini-2.5-flash-lite", "gemini-2.5-flash-lite"},
		{"ollama", "llama3.2", "ollama/"},
		{"ollama", "mistral-small", "ollama/"},
		{"", "ollama/llama3.2", "ollama/"},
		{"builtin", "hash-384-v1", "builtin/"},
		{"openai", "gpt-4o-latest", "gpt-4o"},
		{"openai", "gpt-4-0613", "gpt-4"},
		{"gemini", "gemini-2.5-flash-preview-09-2025", "gemini-2.5-flash"},
		{"gemini", "gemini-2.5-pro-001", "gemini-2.5-pro"},
		{"anthropic", "claude-sonnet-4@20250514", "claude-sonnet-4"},
		{"cohere", "command-r-08-2024", "command-r-08-2024"},
		{"cohere", "command-r-03-2024", "command-r"},
		{"cohere", "rerank-v3.5", "cohere/rerank-v3.5"},
		{"jina", "jina-reranker-v2-base-multilingual", "jina/jina-reranker-"},
		{"voyage", "rerank-2.5-lite", "voyage/rerank-2.5-lite"},
		{"mistral", "mistral-medium-latest", "mistral-medium-latest"},
	} {
		got, known := budget.Prices(nil).Find(want.provider, want.model)
		if !known || got.Model != want.row {
			t.Errorf("%s %s: got %q, %t; want %q", want.provider, want.model, got.Model, known, want.row)
		}
	}
}

func TestAnUnknownModelIsPricedAtTheDearestKnownRateAndNeverFree(t *testing.T) {
	t.Parallel()
	own := []budget.Price{{Model: "gold", Input: dollars(t, "1"), Output: dollars(t, "9999"), CachedInput: dollars(t, "1"), Own: true}}
	for _, name := range []struct{ provider, model string }{
		{"openai", "gpt-5.9"}, {"openai", "gpt-5-ultra"}, {"openai", "gpt-55"}, {"anthropic", "claude-opus-4-9"}, {"anthropic", "claude-opus-4-10"},
		{"anthropic", "claude-opus-5-6-20270101"}, {"openai", "gpt-4o-realtime-preview"}, {"", "ft:gpt-4o-mini:acme::1"}, {"cohere", "rerank-v9"},
		{"", "mystery"}, {"openai", "gpt"}, {"", "ollama/../gpt-4"}, {"ollama", "../gpt-4"}, {"", "OLLAMA/x"}, {"", " gpt-4o"},
	} {
		got, known := budget.Prices(own).Find(name.provider, name.model)
		want := budget.Price{Source: got.Source, Input: dollars(t, "150"), Output: dollars(t, "9999"), CachedInput: dollars(t, "150")}
		if known || got != want {
			t.Errorf("%+v: got %+v, %t; want %+v", name, got, known, want)
		}
	}
}

func TestATenantsOwnPriceComesBeforeTheProvidersAndTheCatalogues(t *testing.T) {
	t.Parallel()
	own := []budget.Price{
		{Model: "llama3", Input: 1, Own: true}, {Model: "gpt-4o", Input: 2, Own: true}, {Model: "ollama/llama3-big", Input: 3, Own: true},
	}
	for name, want := range map[string]budget.Cost{"llama3": 1, "gpt-4o-2025": 2} {
		if got, known := budget.Prices(own).Find("ollama", name); !known || got.Input != want {
			t.Errorf("%s: got %+v, %t; want input %d", name, got, known, int64(want))
		}
	}
	if got, _ := budget.Prices(own).Find("openai", "gpt-4o-mini"); got.Own {
		t.Errorf("a shorter own prefix hid the catalogue's longer one: %+v", got)
	}
	if got, _ := budget.Prices(nil).Find("openai", "gpt-4o"); got.Own || got.Input != dollars(t, "2.5") {
		t.Errorf("one tenant's prices changed the catalogue: %+v", got)
	}
}

func TestPricesOfLongAgoAreToBeLookedAtAgain(t *testing.T) {
	t.Parallel()
	list := budget.Pricelist{
		{Model: "fresh", Input: 1, AsOf: "2026-11-01"}, {Model: "local/", AsOf: "2020-01-01"}, {Model: "mine", Input: 1, AsOf: "2020-01-01", Own: true},
		{Model: "on-the-day", Input: 1, AsOf: "2026-06-01"}, {Model: "stale", Input: 1, AsOf: "2026-05-31"},
	}
	var names []string
	for _, p := range list.Older(180*24*time.Hour, time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)) {
		names = append(names, p.Model)
	}
	if len(names) != 1 || names[0] != "stale" {
		t.Errorf("got %v", names)
	}
}
