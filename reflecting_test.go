package rae_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rae-memory/rae"
)

// garden is what a group of related turns says.
var garden = []string{
	"Tomato seedlings in the greenhouse need water every morning.", "The greenhouse tomato seedlings grew 4 cm this week.",
	"Watering the tomato seedlings in the greenhouse took ten minutes.", "Two tomato seedlings in the greenhouse have died.",
}

// speaking is OpenAI's chat API, as far as reflecting asks it; each answer is made by say, from the number of the request.
func speaking(t *testing.T, say func(n int32, w http.ResponseWriter)) (url string, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		n := asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		say(n, w)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

// chat is an answer of the chat API that took a thousand tokens in and a hundred out.
func chat(content, finish string) string {
	text, _ := json.Marshal(content)
	return fmt.Sprintf(`{"choices":[{"message":{"content":%s},"finish_reason":%q}],"usage":{"prompt_tokens":1000,"completion_tokens":100}}`, text, finish)
}

// insight is what a model has to say of the garden.
const insight = `{"groups":[{"group":1,"sentences":[{"text":"The tomato seedlings in the greenhouse need water every morning.","lines":[1]}]}]}`

// TestEveryOutcomeOfALanguageModelIsSeenOnTheReflection has a provider of language models fail in each way there is.
func TestEveryOutcomeOfALanguageModelIsSeenOnTheReflection(t *testing.T) {
	t.Parallel()
	const price = 1000*.4/1e6 + 100*1.6/1e6 // of one answer by gpt-4.1-mini
	full := func(answer string) func(int32, http.ResponseWriter) {
		return func(_ int32, w http.ResponseWriter) { _, _ = io.WriteString(w, answer) }
	}
	status := func(code int) func(int32, http.ResponseWriter) {
		return func(_ int32, w http.ResponseWriter) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, `{"error":{"message":"`+providerKey+` tomato"}}`)
		}
	}
	for name, c := range map[string]struct {
		say      func(int32, http.ResponseWriter)
		code     int
		stands   string // status, method and degraded
		says     string // within its error
		calls    float64
		cost     float64
		requests int32 // at least
	}{
		"ok":              {full(chat(insight, "stop")), 200, "succeeded llm []", "", 1, price, 1},
		"other than told": {full(chat(`{"groups":[{"group":1,"sentences":[{"text":"Bananas cost 7 dollars.","lines":[1]}]}]}`, "stop")), 200, "succeeded extractive [grounding]", "", 1, price, 1},
		"no JSON": {func(n int32, w http.ResponseWriter) {
			_, _ = io.WriteString(w, chat([]string{"Sure! Here you are.", insight}[min(n, 2)-1], "stop"))
		}, 200, "succeeded llm []", "", 2, 2 * price, 2},
		"no JSON again": {full(chat("Sure! Here you are.", "stop")), 202, "queued extractive []", "did not answer by the schema", 2, 2 * price, 2},
		"429, then ok": {func(n int32, w http.ResponseWriter) {
			if n == 1 {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(429)
				return
			}
			_, _ = io.WriteString(w, chat(insight, "stop"))
		}, 200, "succeeded llm []", "", 1, price, 2},
		"429":       {func(_ int32, w http.ResponseWriter) { w.Header().Set("Retry-After", "600"); w.WriteHeader(429) }, 202, "queued extractive []", "openai", 1, 0, 1},
		"500":       {status(500), 202, "queued extractive []", "openai", 1, 0, 1},
		"401":       {status(401), 200, "succeeded extractive [llm]", "", 1, 0, 1},
		"slow":      {func(_ int32, w http.ResponseWriter) { <-t.Context().Done() }, 202, "queued extractive []", "openai", 1, -1, 1},
		"truncated": {full(chat(insight[:40], "length")), 202, "queued extractive []", "had used up its tokens", 1, price, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone := make(chan struct{})
			say := c.say
			if name == "slow" {
				say = func(int32, http.ResponseWriter) { <-gone }
			}
			url, asked := speaking(t, say)
			t.Cleanup(func() { close(gone) })
			log := &strings.Builder{}
			e := startLogging(t, log, func(cfg *rae.Config) {
				cfg.Reflect.LLMProvider, cfg.Reflect.LLMModel, cfg.Reflect.LLMBaseURL, cfg.Reflect.LLMKey = "openai", "gpt-4.1-mini", url, providerKey
				cfg.Reflect.LLMTimeout = 2 * time.Second
			})
			for _, content := range garden {
				e.call("POST", "/v1/memories", fmt.Sprintf(`{"content":%q}`, content))
			}
			code, r := e.call("POST", "/v1/reflections", `{"wait":true}`)
			if got := fmt.Sprintf("%v %v %v", r["status"], r["method"], r["degraded"]); code != c.code || got != c.stands {
				t.Errorf("%d %s, want %d %s: %v", code, got, c.code, c.stands, r["error"])
			}
			told, _ := r["error"].(string)
			if !strings.Contains(told, c.says) || strings.Contains(told, providerKey) || (r["status"] == "queued") != (r["not_before"] != nil) || name == "401" && told == "" {
				t.Errorf("error %q, not before %v", told, r["not_before"])
			}
			_, costs := e.call("GET", "/v1/budgets/current", "")
			booked, _ := costs["daily_usage"].(float64)
			cost, _ := r["cost"].(float64)
			if r["calls"] != c.calls || cost != booked || c.cost >= 0 && (cost < c.cost-1e-9 || cost > c.cost+1e-9) || asked.Load() < c.requests || costs["daily_reserved"] != 0.0 {
				t.Errorf("%v calls, %d requests, cost %v, booked %v, %v reserved; want %v for %v", r["calls"], asked.Load(), cost, booked, costs["daily_reserved"], c.calls, c.cost)
			}
			e.stop()
			if strings.Contains(log.String(), providerKey) || strings.Contains(log.String(), "tomato") {
				t.Errorf("the log tells a secret:\n%s", log)
			}
		})
	}
}

func TestReflectingIsParkedUntilTheBudgetCoversIt(t *testing.T) {
	t.Parallel()
	url, asked := speaking(t, func(_ int32, w http.ResponseWriter) { _, _ = io.WriteString(w, chat(insight, "stop")) })
	e := startWith(t, func(cfg *rae.Config) {
		cfg.Reflect.LLMProvider, cfg.Reflect.LLMModel, cfg.Reflect.LLMBaseURL, cfg.Reflect.LLMKey = "openai", "gpt-4.1-mini", url, providerKey
	})
	for path, project := range map[string]string{"/v1/budgets": "p", "/v1/budgets/tenant": "q"} {
		call := func(method, path, body string, headers ...string) (int, map[string]any) {
			return e.call(method, path, body, append(headers, "X-Project-ID", project)...)
		}
		price := func(want bool) {
			t.Helper()
			status, dry := call("POST", "/v1/reflections", `{}`, "X-Dry-Run", "true")
			calls, _ := dry["calls"].([]any)
			if status != 200 || len(calls) != 1 || dry["allowed"] != want || calls[0].(map[string]any)["operation"] != "reflection.insight" || calls[0].(map[string]any)["cost"] == 0.0 {
				t.Errorf("a dry run: %d %v", status, dry)
			}
		}
		for _, content := range garden {
			call("POST", "/v1/memories", fmt.Sprintf(`{"content":%q}`, content))
		}
		price(true)
		before := asked.Load()
		call("PUT", path, `{"daily_limit":0,"monthly_limit":1}`)
		price(false)
		status, parked := call("POST", "/v1/reflections", `{"wait":true}`)
		if told, _ := parked["error"].(string); status != 202 || parked["status"] != "parked" || !strings.Contains(told, "budget does not cover this") || parked["not_before"] == nil || parked["calls"] != 0.0 || asked.Load() != before {
			t.Fatalf("%d %v", status, parked)
		}
		call("PUT", path, `{"daily_limit":1,"monthly_limit":1}`)
		eventually(t, "the reflection goes on", func() bool {
			_, r := call("GET", "/v1/reflections/"+parked["id"].(string), "")
			return r["status"] == "succeeded" && r["method"] == "llm" && r["calls"] == 1.0 && r["error"] == nil && r["not_before"] == nil
		})
	}
	for _, content := range garden {
		e.call("POST", "/v1/memories", fmt.Sprintf(`{"content":%q}`, content))
	}
	e.call("PUT", "/v1/budgets", `{"daily_limit":0,"monthly_limit":1,"on_exhausted":"degrade"}`)
	before := asked.Load()
	status, r := e.call("POST", "/v1/reflections", `{"wait":true}`)
	if status != 200 || r["status"] != "succeeded" || r["method"] != "extractive" || !reflect.DeepEqual(r["degraded"], []any{"budget"}) || asked.Load() != before {
		t.Errorf("%d %v", status, r)
	}
}
