package rae_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/budget"
	"github.com/rae-memory/rae/pkg/extract"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/serve"
	"github.com/rae-memory/rae/pkg/telemetry"
	"github.com/rae-memory/rae/pkg/tokens"
)

// clerk answers as long as a small model does: four statements for five texts, and two sentences for every group of lines. What
// it says is copied from what it was sent.
type clerk struct{ calls map[string]int }

var sentTexts = regexp.MustCompile(`(?s)<<<[0-9a-f]{16} (?:memory|line) (\d+)[^\n]*said by "([^"]*)"\n(.*?)\n[0-9a-f]{16}>>>`)

func (c *clerk) Ask(_ context.Context, r llm.Request) (llm.Response, error) {
	c.calls[r.Operation]++
	sent := r.Messages[len(r.Messages)-1].Content
	if r.Operation == "reflection.extract" {
		statements := []any{}
		for i, m := range sentTexts.FindAllStringSubmatch(sent, -1) {
			words := strings.Fields(m[3])
			if i%5 == 4 || len(words) < 3 {
				continue
			}
			quote := strings.Join(words[:min(len(words), 12)], " ")
			statements = append(statements, map[string]any{
				"memory": json.Number(m[1]), "kind": "fact", "subject": m[2], "subject_type": "person", "relation": "says_about", "object": strings.Trim(words[len(words)/2], ".,!?"),
				"object_type": "", "literal": true, "negated": false, "from": nil, "to": nil, "confidence": 0.9, "quote": quote,
			})
		}
		text, err := json.Marshal(map[string]any{"statements": statements, "names": []any{}})
		return llm.Response{Text: string(text)}, err
	}
	groups := []any{}
	for i, group := range strings.Split(sent, "\nGroup ")[1:] {
		sentences := []any{}
		for _, m := range sentTexts.FindAllStringSubmatch(group, 2) {
			sentences = append(sentences, map[string]any{"text": m[3], "lines": []json.Number{json.Number(m[1])}})
		}
		groups = append(groups, map[string]any{"group": i + 1, "sentences": sentences})
	}
	text, err := json.Marshal(map[string]any{"groups": groups})
	return llm.Response{Text: string(text)}, err
}

// TestWhatAThousandTurnsCost tells twenty conversations of fifty turns, as fast as they are taken, to an engine whose model
// answers as long as a small one does, and reads the bill. Run with -v it shows the figures of docs/costs.md.
func TestWhatAThousandTurnsCost(t *testing.T) {
	t.Parallel()
	file, err := os.Open(filepath.Join("pkg", "reflection", "testdata", "conversation.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var said []struct{ Name, Content string }
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var turn struct{ Name, Content string }
		if err := json.Unmarshal(lines.Bytes(), &turn); err != nil {
			t.Fatal(err)
		}
		said = append(said, turn)
	}
	synctest.Test(t, func(t *testing.T) {
		cfg, err := rae.Load()
		if err != nil {
			t.Fatal(err)
		}
		cfg.Store.Store = "inmem"
		e, err := rae.Open(cfg, serve.Runtime{Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewRegistry(), Version: "test"})
		if err != nil {
			t.Fatal(err)
		}
		small := &clerk{calls: map[string]int{}}
		model, err := llm.NewRemote(small, llm.Spec{
			Provider: "openai", Model: "gpt-4.1-mini", MaxTokensIn: 100_000, MaxTokensOut: 8192, Count: new(tokens.Counter).Count,
		}, &budget.Guard{Ledger: e.Ledger})
		if err != nil {
			t.Fatal(err)
		}
		e.Reflections.Model = model
		e.Reflections.Extraction.By = &extract.Language{Model: model, Fallback: extract.Rules{}, Turns: cfg.Reflect.Turns}
		server, err := e.Serve(serve.LocalDefaults())
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			e.Run(ctx)
		}()
		w := &world{T: t, handle: func(string) http.Handler { return server.Handler() }}
		bytes := 0
		for c := range 20 {
			var messages []map[string]any
			for i := range 50 {
				turn := said[(50*c+i)%len(said)]
				content := fmt.Sprintf("%s %s That was on day %d.", turn.Content, said[(50*c+i+7)%len(said)].Content, c+1) // as long as turns of LoCoMo
				bytes += len(content)
				messages = append(messages, map[string]any{"role": "user", "name": turn.Name, "content": content})
			}
			body, err := json.Marshal(map[string]any{"session_id": fmt.Sprintf("s%d", c), "user_id": "ann", "messages": messages})
			if err != nil {
				t.Fatal(err)
			}
			w.must(201, "POST", "/v1/conversations", string(body))
			time.Sleep(2 * time.Minute)
		}
		time.Sleep(cfg.Reflect.Wait + time.Hour)
		calls, in, out, cost, read, statements := 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
		for _, r := range w.must(200, "GET", "/v1/reflections?limit=1000", "")["reflections"].([]any) {
			r := r.(map[string]any)
			if r["status"] != "succeeded" {
				t.Errorf("%v", r)
			}
			calls, in, out, cost = calls+r["calls"].(float64), in+r["tokens_in"].(float64), out+r["tokens_out"].(float64), cost+r["cost"].(float64)
			if n, ok := r["read"].(float64); ok {
				read += n
			}
			if n, ok := r["statements"].(float64); ok {
				statements += n
			}
		}
		costs := w.must(200, "GET", "/v1/costs?group_by=operation", "")
		t.Logf("1,000 turns of %d bytes on average: %v calls %v, %v tokens in, %v out, %.4f dollars; %v turns were read, into %v statements", bytes/1000, calls, small.calls, in, out, cost, read, statements)
		if calls > 50 || read != 1000 || int(calls) != small.calls["reflection.extract"]+small.calls["reflection.insight"] || cost <= 0 || statements < 300 {
			t.Errorf("%v calls, %v turns read, booked %v", calls, read, costs)
		}
		before := calls
		w.must(200, "POST", "/v1/reflections", `{"kind":"extract","wait":true}`)
		w.must(200, "POST", "/v1/reflections", `{"kind":"insight","wait":true}`)
		again := 0
		for _, n := range small.calls {
			again += n
		}
		if again != int(before) {
			t.Errorf("with nothing new the model was asked %d times", again-int(before))
		}
		stop()
		<-ended
		if err := e.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
}
