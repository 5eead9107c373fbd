package embed_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	function "github.com/rae-memory/rae/functions/embed"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
)

var update = flag.Bool("update", false, "write the goldens of this run")

func serveEmbed(embedder embed.Embedder) http.Handler {
	mux := http.NewServeMux()
	function.New(embedder, nil, time.Minute, nil).Register(httpapi.New(mux, "test"))
	return mux
}

func call(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// golden compares an answer, status and media type included, with testdata/<name>.
func golden(t *testing.T, name string, w *httptest.ResponseRecorder) {
	t.Helper()
	got := fmt.Appendf(nil, "%d %s\n%s\n", w.Code, w.Header().Get("Content-Type"), bytes.TrimSpace(w.Body.Bytes()))
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

func TestAnswersAreTheDocumentedJSON(t *testing.T) {
	t.Parallel()
	h := serveEmbed(new(embed.Hash))
	for _, c := range []struct{ name, method, path, body string }{
		{"one text", "POST", "/v1/embeddings", `{"input":"Caroline went to the support group","model":"hash-384-v1","dimensions":24}`},
		{"texts in order", "POST", "/v1/embeddings", `{"input":["Caroline","went","Caroline"],"dimensions":4}`},
		{"base64", "POST", "/v1/embeddings", `{"input":"Caroline","dimensions":4,"encoding_format":"base64"}`},
		{"token ids", "POST", "/v1/embeddings", `{"input":[1212, 318,257],"dimensions":4}`},
		{"arrays of token ids", "POST", "/v1/embeddings", `{"input":[[1212,318],[257]],"dimensions":4}`},
		{"unknown keys are ignored", "POST", "/v1/embeddings", `{"input":"Caroline","model":"default","user":"u-1","input_type":"query","dimensions":4}`},
		{"no input", "POST", "/v1/embeddings", `{"model":"default"}`},
		{"null input", "POST", "/v1/embeddings", `{"input":null}`},
		{"empty text", "POST", "/v1/embeddings", `{"input":""}`},
		{"empty text among others", "POST", "/v1/embeddings", `{"input":["a",""]}`},
		{"empty array", "POST", "/v1/embeddings", `{"input":[]}`},
		{"empty token array", "POST", "/v1/embeddings", `{"input":[[1],[]]}`},
		{"an object", "POST", "/v1/embeddings", `{"input":{"text":"a"}}`},
		{"mixed array", "POST", "/v1/embeddings", `{"input":["a",1]}`},
		{"negative token", "POST", "/v1/embeddings", `{"input":[1,-1]}`},
		{"fractional token", "POST", "/v1/embeddings", `{"input":[[1],[2,3.5]]}`},
		{"unknown model", "POST", "/v1/embeddings", `{"input":"a","model":"text-embedding-3-small"}`},
		{"too many dimensions", "POST", "/v1/embeddings", `{"input":"a","dimensions":385}`},
		{"no dimensions", "POST", "/v1/embeddings", `{"input":"a","dimensions":0}`},
		{"dimensions in words", "POST", "/v1/embeddings", `{"input":"a","dimensions":"four"}`},
		{"unknown format", "POST", "/v1/embeddings", `{"input":"a","encoding_format":"hex"}`},
		{"broken json", "POST", "/v1/embeddings", `{"input":`},
		{"models", "GET", "/v1/models", ""},
		{"one model", "GET", "/v1/models/hash-384-v1", ""},
		{"another model", "GET", "/v1/models/gpt-4o", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			golden(t, c.name, call(h, c.method, c.path, c.body))
		})
	}
}

// answer is what a client reads of POST /v1/embeddings.
type answer struct {
	Data []struct {
		Index     int             `json:"index"`
		Embedding json.RawMessage `json:"embedding"`
	} `json:"data"`
}

func TestBothEncodingsHoldTheModelsVector(t *testing.T) {
	t.Parallel()
	h := serveEmbed(new(embed.Hash))
	want, err := new(embed.Hash).EmbedDocuments(t.Context(), []string{"Anna moved", "to Lisbon"})
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"float", "base64"} {
		w := call(h, "POST", "/v1/embeddings", `{"input":["Anna moved","to Lisbon"],"encoding_format":"`+format+`"}`)
		var got answer
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Data) != 2 {
			t.Fatalf("%s: %v in %s", format, err, w.Body)
		}
		for i, item := range got.Data {
			var v []float32
			if format == "float" {
				err = json.Unmarshal(item.Embedding, &v)
			} else {
				v, err = unpack(item.Embedding)
			}
			if err != nil || item.Index != i || fmt.Sprint(v) != fmt.Sprint(want[i]) {
				t.Errorf("%s: item %d has index %d and another vector (error %v)", format, i, item.Index, err)
			}
		}
	}
}

// sided tells questions from what answers them.
type sided struct{ embed.Hash }

func (s *sided) EmbedQuery(ctx context.Context, text string) ([]float32, error) {
	return s.Hash.EmbedQuery(ctx, "query: "+text)
}

func TestAQuestionIsEmbeddedAsOne(t *testing.T) {
	t.Parallel()
	h := serveEmbed(&sided{})
	for kind, as := range map[string]string{"": "who?", "document": "who?", "query": "query: who?"} {
		want, err := new(embed.Hash).EmbedQuery(t.Context(), as)
		if err != nil {
			t.Fatal(err)
		}
		w := call(h, "POST", "/v1/embeddings", `{"input":["other","who?"],"input_type":"`+kind+`"}`)
		var got answer
		var v []float32
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Data) != 2 || json.Unmarshal(got.Data[1].Embedding, &v) != nil || fmt.Sprint(v) != fmt.Sprint(want) {
			t.Errorf("input_type %q: %d, another vector (%v)", kind, w.Code, err)
		}
	}
	if w := call(h, "POST", "/v1/embeddings", `{"input":"a","input_type":"clustering"}`); w.Code != 400 || !strings.Contains(w.Body.String(), "body.input_type") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func unpack(raw json.RawMessage) ([]float32, error) {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, err
	}
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v, nil
}

func TestEveryDimensionGivesVectorsOfLengthOne(t *testing.T) {
	t.Parallel()
	h := serveEmbed(new(embed.Hash))
	for _, dimensions := range []int{1, 2, 128, 383, 384} {
		w := call(h, "POST", "/v1/embeddings", fmt.Sprintf(`{"input":["x","a longer text of several words"],"dimensions":%d}`, dimensions))
		var got answer
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		for _, item := range got.Data {
			var v []float32
			if err := json.Unmarshal(item.Embedding, &v); err != nil {
				t.Fatal(err)
			}
			var sum float64
			for _, x := range v {
				sum += float64(x) * float64(x)
			}
			if len(v) != dimensions || math.Abs(sum-1) > 1e-5 {
				t.Errorf("dimensions %d: got %d values, length² %f", dimensions, len(v), sum)
			}
		}
	}
}

func TestLimitsAreTakenAndOneMoreIsRefused(t *testing.T) {
	t.Parallel()
	h := serveEmbed(new(embed.Hash))
	array := func(item string, n int) string {
		return `{"dimensions":1,"input":[` + strings.Repeat(item+",", n-1) + item + `]}`
	}
	long := func(n int) string { return `"` + strings.Repeat("a", n) + `"` }
	for _, c := range []struct {
		name, body string
		status     int
		param      string
	}{
		{"2048 texts", array(`"a"`, 2048), 200, ""},
		{"2049 texts", array(`"a"`, 2049), 400, "input"},
		{"a text of 1 MiB", array(long(1<<20), 1), 200, ""},
		{"a text of 1 MiB and a byte", array(long(1<<20+1), 1), 413, "input[0]"},
		{"8192 tokens", array("7", 8192), 200, ""},
		{"8193 tokens", array("7", 8193), 413, "input"},
		{"2 MiB in all", array(long(1<<20), 2), 200, ""},
		{"2 MiB and a byte in all", `{"input":[` + long(1<<20) + `,` + long(1<<20) + `,"a"]}`, 413, "input"},
		{"a body over 8 MiB", array(long(8<<20), 1), 413, "body"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := call(h, "POST", "/v1/embeddings", c.body)
			if w.Code != c.status {
				t.Fatalf("status %d, want %d: %.300s", w.Code, c.status, w.Body)
			}
			if c.status == 200 {
				return
			}
			var problem struct {
				Error struct{ Param, Message string } `json:"error"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || problem.Error.Param != c.param || problem.Error.Message == "" {
				t.Errorf("error %+v (%v), want param %q", problem.Error, err, c.param)
			}
		})
	}
}

// broken is an embedder with a fault of its own.
type broken struct {
	embed.Hash
	answer func(context.Context) ([][]float32, error)
}

func (b *broken) EmbedDocuments(ctx context.Context, _ []string) ([][]float32, error) {
	return b.answer(ctx)
}

func TestAnEmbedderThatFailsIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer func(context.Context) ([][]float32, error)
		status int
		detail string
	}{
		{"away", func(context.Context) ([][]float32, error) {
			return nil, fault.New(fault.Unavailable, "the model is away")
		}, 503, "the model is away"},
		{"fewer vectors", func(context.Context) ([][]float32, error) { return [][]float32{}, nil },
			503, "embedding model hash-384-v1 returned 0 vectors for 1 texts"},
		{"another dimension", func(context.Context) ([][]float32, error) { return [][]float32{{1}}, nil },
			503, "embedding model hash-384-v1 returned a bad vector for text 0"},
		{"too slow", func(ctx context.Context) ([][]float32, error) { <-ctx.Done(); return nil, ctx.Err() },
			504, "the deadline passed before the work was done"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			function.New(&broken{answer: c.answer}, nil, 10*time.Millisecond, nil).Register(httpapi.New(mux, "test"))
			w := call(mux, "POST", "/v1/embeddings", `{"input":"a"}`)
			var problem struct{ Detail string }
			if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || w.Code != c.status || problem.Detail != c.detail {
				t.Errorf("got %d %q (%v), want %d %q", w.Code, problem.Detail, err, c.status, c.detail)
			}
		})
	}
}
