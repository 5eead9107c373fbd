package embed_test

import (
	"log/slog"
	"testing"

	function "github.com/rae-memory/rae/functions/embed"
	"github.com/rae-memory/rae/pkg/serve"
)

func TestASettingThatCannotBeUsedStopsTheStartWithOneLine(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"RAE_EMBED_PROVIDER", "guesswork", "RAE_EMBED_PROVIDER=guesswork is not allowed: it must be static or hash or openai or azure or gemini or cohere or ollama or vllm or tei or lmstudio or rae or onnx"},
		{"RAE_EMBED_PROVIDER", "openai", "RAE_EMBED_API_KEY is not set: it must be the key of provider openai"},
		{"RAE_EMBED_PROVIDER", "ollama", "RAE_BUDGET_URL is not set: it must be the address of the budget function, because calls of provider ollama are metered"},
		{"RAE_EMBED_MODEL", "bge-m3", "RAE_EMBED_MODEL=bge-m3 is not allowed: it must be unset or static-256-v1"},
		{"RAE_EMBED_TIMEOUT", "soon", "RAE_EMBED_TIMEOUT=soon is not allowed: it must be a duration such as 500ms, 30s or 5m from 1ms to 10m"},
		{"RAE_EMBED_PROVIDER", "hash", ""},
		{"RAE_EMBED_MODEL", "static-256-v1", ""},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			t.Setenv(c.name, c.value)
			got := ""
			if _, err := function.Open(t.Context(), serve.Runtime{Log: slog.New(slog.DiscardHandler)}); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
