package inference_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/inference"
	"github.com/rae-memory/rae/pkg/llm"
)

// payees is a meter that keeps who is paid and lets nothing through.
type payees struct{ names []string }

func (p *payees) Spend(_ context.Context, c llm.Call, _ func(context.Context) (llm.Usage, error)) error {
	p.names = append(p.names, c.Provider)
	return context.Canceled
}

func TestOnlyTheOperatorsOwnMachinesCostNothing(t *testing.T) {
	for _, c := range []struct{ provider, address, own, want string }{
		{"ollama", "", "", "ollama"},
		{"ollama", "http://127.0.0.1:11434/v1", "", "ollama"},
		{"ollama", "http://[::1]:11434/v1", "", "ollama"},
		{"ollama", "http://10.0.0.7/v1", "", "ollama"},
		{"ollama", "http://[fd00::7]/v1", "", "ollama"},
		{"ollama", "http://100.100.1.2/v1", "", "ollama"},
		{"ollama", "http://ollama:11434/v1", "", "ollama"},
		{"vllm", "http://vllm.models.svc.cluster.local/v1", "", "vllm"},
		{"vllm", "http://GPU.local./v1", "", "vllm"},
		{"ollama", "https://api.together.example/v1", "", "ollama@api.together.example"},
		{"ollama", "https://8.8.8.8/v1", "", "ollama@8.8.8.8"},
		{"ollama", "https://localhost.example/v1", "", "ollama@localhost.example"},
		{"lmstudio", "https://llm.acme.example/v1", "other.example, LLM.acme.example", "lmstudio"},
		{"vllm", "https://" + strings.Repeat("long.", 20) + "example/v1", "", "vllm@" + strings.Repeat("long.", 20)[:59]},
		{"openai", "http://127.0.0.1:8000/v1", "", "openai"},
	} {
		t.Run(c.provider+" at "+c.address, func(t *testing.T) {
			var cfg struct {
				inference.Embedding
				inference.Budget
			}
			settings := []string{
				"RAE_EMBED_PROVIDER", c.provider, "RAE_EMBED_MODEL", "nomic-embed-text", "RAE_EMBED_BASE_URL", c.address, "RAE_OWN_HOSTS", c.own,
				"RAE_EMBED_API_KEY", key, "RAE_EMBED_DIMENSIONS", "768",
			}
			if err := load(t, &cfg, settings...); err != nil {
				t.Fatal(err)
			}
			own, err := cfg.Hosts()
			if err != nil {
				t.Fatal(err)
			}
			meter := &payees{}
			e, err := cfg.Open(inference.Deps{Meter: meter, Own: own})("")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = e.EmbedQuery(t.Context(), "x")
			if len(meter.names) != 1 || meter.names[0] != c.want {
				t.Errorf("paid %q, want %q", meter.names, c.want)
			}
		})
	}
}

func TestOwnHostsThatAreNoneStopTheStart(t *testing.T) {
	for _, wrong := range []string{"https://llm.example", "llm.example:8000", "llm.example/v1", "a b", "user@llm.example"} {
		_, err := (&inference.Budget{OwnHosts: wrong}).Hosts()
		if err == nil || !strings.HasPrefix(err.Error(), "RAE_OWN_HOSTS=") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if hosts, err := (&inference.Budget{OwnHosts: " ,::1,Llm.example,"}).Hosts(); err != nil || strings.Join(hosts, " ") != "::1 llm.example" {
		t.Errorf("got %q, %v", hosts, err)
	}
}

func TestARerankerOfSomebodyElseIsNotFreeEither(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{"http://tei.example": "tei@tei.example", "http://" + u.Host: "tei"} {
		var cfg inference.Reranking
		if err := load(t, &cfg, "RAE_RERANK_PROVIDER", "tei", "RAE_RERANK_MODEL", "m", "RAE_RERANK_BASE_URL", address); err != nil {
			t.Fatal(err)
		}
		meter := &payees{}
		r, err := cfg.Open(inference.Deps{Meter: meter})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = r.Rerank(t.Context(), "who?", []string{"me"})
		if len(meter.names) != 1 || meter.names[0] != want {
			t.Errorf("%s: paid %q, want %q", address, meter.names, want)
		}
	}
}

func TestALanguageModelOfSomebodyElseIsNotFreeEither(t *testing.T) {
	for address, want := range map[string]string{"http://ollama.example/v1": "ollama@ollama.example", "http://127.0.0.1:1/v1": "ollama"} {
		var cfg inference.Language
		if err := load(t, &cfg, "RAE_LLM_PROVIDER", "ollama", "RAE_LLM_MODEL", "m", "RAE_LLM_BASE_URL", address); err != nil {
			t.Fatal(err)
		}
		meter := &payees{}
		m, err := cfg.Open(inference.Deps{Meter: meter})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = m.Complete(t.Context(), llm.Request{Messages: []llm.Message{{Role: "user", Content: "who?"}}, MaxTokens: 10})
		if len(meter.names) != 1 || meter.names[0] != want {
			t.Errorf("%s: paid %q, want %q", address, meter.names, want)
		}
	}
}
