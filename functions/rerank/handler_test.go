package rerank_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	function "github.com/rae-memory/rae/functions/rerank"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/rerank"
	"github.com/rae-memory/rae/pkg/serve"
)

var (
	update = flag.Bool("update", false, "write the goldens of this run")
	uuid   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
)

func serveRerank(reranker rerank.Reranker, timeout time.Duration) http.Handler {
	mux := http.NewServeMux()
	function.New(reranker, timeout).Register(httpapi.New(mux, "test"))
	return mux
}

func post(h http.Handler, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/v1/rerank", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// golden compares an answer, status and media type included, with testdata/<name>. Ids differ from call to call.
func golden(t *testing.T, name string, w *httptest.ResponseRecorder) {
	t.Helper()
	got := fmt.Appendf(nil, "%d %s\n%s\n", w.Code, w.Header().Get("Content-Type"), bytes.TrimSpace(w.Body.Bytes()))
	got = uuid.ReplaceAll(got, []byte("<uuidv7>"))
	path := filepath.Join("testdata", strings.ReplaceAll(name, " ", "_")+".txt")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// fixed scores every document by the number it is written as.
type fixed struct{ rerank.Lexical }

func (fixed) Rerank(_ context.Context, _ string, documents []string) ([]float64, error) {
	scores := make([]float64, len(documents))
	for i, d := range documents {
		if _, err := fmt.Sscan(d, &scores[i]); err != nil {
			return nil, err
		}
	}
	return scores, nil
}

func TestAnswersAreTheDocumentedJSON(t *testing.T) {
	t.Parallel()
	h := serveRerank(fixed{}, time.Minute)
	for _, c := range []struct{ name, body string }{
		{"best first then by index", `{"model":"lexical-v1","query":"q","documents":["0.25","0.75","0.25","1","0"]}`},
		{"top n", `{"query":"q","documents":["0.25","0.75","0.25"],"top_n":2}`},
		{"top n beyond the documents", `{"query":"q","documents":["0.25"],"top_n":5}`},
		{"objects and texts returned", `{"query":"two words","documents":[{"text":"0.25","title":"t","id":7},"0.75"],"return_documents":true}`},
		{"unknown keys are ignored", `{"query":"q","documents":["1"],"max_chunks_per_doc":10,"rank_fields":["text"],"model":"default"}`},
		{"no query", `{"documents":["1"]}`},
		{"no documents", `{"query":"q"}`},
		{"empty documents", `{"query":"q","documents":[]}`},
		{"document without text", `{"query":"q","documents":["1",{"title":"t"}]}`},
		{"document with a text of numbers", `{"query":"q","documents":["1",{"text":7}]}`},
		{"document of another kind", `{"query":"q","documents":["1",7]}`},
		{"null document", `{"query":"q","documents":[null]}`},
		{"top n of zero", `{"query":"q","documents":["1"],"top_n":0}`},
		{"top n in words", `{"query":"q","documents":["1"],"top_n":"two"}`},
		{"unknown model", `{"query":"q","documents":["1"],"model":"rerank-v3.5"}`},
		{"broken json", `{"query":"q","documents":["1"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			golden(t, c.name, post(h, c.body))
		})
	}
}

func TestTheBuiltInModelPutsTheAnswerOnTop(t *testing.T) {
	t.Parallel()
	w := post(serveRerank(rerank.Lexical{}, time.Minute), `{"query":"When did Caroline go to the support group?","documents":[
		"Melanie paints a sunrise.","Caroline went to a support group yesterday.",""]}`)
	var got struct {
		Results []struct {
			Index int     `json:"index"`
			Score float64 `json:"relevance_score"`
		} `json:"results"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Results) != 3 {
		t.Fatalf("%v in %s", err, w.Body)
	}
	if best := got.Results[0]; best.Index != 1 || best.Score < .4 || got.Results[1].Score != 0 {
		t.Errorf("got %+v", got.Results)
	}
}

func TestLimitsAreTakenAndOneMoreIsRefused(t *testing.T) {
	t.Parallel()
	h := serveRerank(rerank.Lexical{}, time.Minute)
	documents := func(bytes, n int) string {
		one := `"` + strings.Repeat("a", bytes) + `"`
		return `{"query":"a","top_n":1,"documents":[` + strings.Repeat(one+",", n-1) + one + `]}`
	}
	query := func(n int) string { return `{"query":"` + strings.Repeat("a", n) + `","documents":["a"]}` }
	for _, c := range []struct {
		name, body string
		status     int
		param      string
	}{
		{"1000 documents", documents(1, 1000), 200, ""},
		{"1001 documents", documents(1, 1001), 400, "documents"},
		{"a document of 64 KiB", documents(64<<10, 1), 200, ""},
		{"a document of 64 KiB and a byte", documents(64<<10+1, 1), 413, "documents[0]"},
		{"4 MiB in all", documents(64<<10, 64), 200, ""},
		{"over 4 MiB in all", documents(64<<10, 65), 413, "documents"},
		{"a query of 8 KiB", query(8 << 10), 200, ""},
		{"a query of 8 KiB and a byte", query(8<<10 + 1), 413, "query"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := post(h, c.body)
			if w.Code != c.status {
				t.Fatalf("status %d, want %d: %.300s", w.Code, c.status, w.Body)
			}
			if c.status == 200 {
				return
			}
			var problem struct {
				Error struct{ Param string } `json:"error"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || problem.Error.Param != c.param {
				t.Errorf("param %q (%v), want %q", problem.Error.Param, err, c.param)
			}
		})
	}
}

// broken is a reranker with a fault of its own.
type broken struct {
	rerank.Lexical
	answer func(context.Context) ([]float64, error)
}

func (b broken) Rerank(ctx context.Context, _ string, _ []string) ([]float64, error) {
	return b.answer(ctx)
}

func TestARerankerThatFailsIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer func(context.Context) ([]float64, error)
		status int
		detail string
	}{
		{"away", func(context.Context) ([]float64, error) {
			return nil, fault.New(fault.Unavailable, "the model is away")
		},
			503, "the model is away"},
		{"fewer scores", func(context.Context) ([]float64, error) { return nil, nil },
			503, "rerank model lexical-v1 returned 0 scores for 1 documents"},
		{"no number", func(context.Context) ([]float64, error) { return []float64{math.NaN()}, nil },
			503, "rerank model lexical-v1 returned a bad score for document 0"},
		{"out of range", func(context.Context) ([]float64, error) { return []float64{1.5}, nil },
			503, "rerank model lexical-v1 returned a bad score for document 0"},
		{"too slow", func(ctx context.Context) ([]float64, error) { <-ctx.Done(); return nil, ctx.Err() },
			504, "the deadline passed before the work was done"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := post(serveRerank(broken{answer: c.answer}, 10*time.Millisecond), `{"query":"q","documents":["a"]}`)
			var problem struct{ Detail string }
			if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || w.Code != c.status || problem.Detail != c.detail {
				t.Errorf("got %d %q (%v), want %d %q", w.Code, problem.Detail, err, c.status, c.detail)
			}
		})
	}
}

func TestASettingThatCannotBeUsedStopsTheStartWithOneLine(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"RAE_RERANK_PROVIDER", "guesswork", "RAE_RERANK_PROVIDER=guesswork is not allowed: it must be lexical or cohere or jina or voyage or tei or vllm or rae or onnx or llm"},
		{"RAE_RERANK_PROVIDER", "cohere", "RAE_RERANK_API_KEY is not set: it must be the key of provider cohere"},
		{"RAE_RERANK_MODEL", "bge", "RAE_RERANK_MODEL=bge is not allowed: it must be unset or lexical-v1"},
		{"RAE_RERANK_MODEL", "lexical-v1", ""},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			t.Setenv(c.name, c.value)
			got := ""
			if _, err := function.Open(t.Context(), serve.Runtime{}); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
