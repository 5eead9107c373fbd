//go:build onnx && cgo

package onnx_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/embed/embedtest"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/onnx"
	"github.com/rae-memory/rae/pkg/rerank"
	"github.com/rae-memory/rae/pkg/rerank/reranktest"
)

// setting is where make test-onnx has put something.
func setting(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run make test-onnx", name)
	}
	return value
}

func options(t *testing.T) onnx.Options {
	t.Helper()
	return onnx.Options{Library: setting(t, "RAE_ONNX_LIBRARY"), Threads: 2}
}

func real(t *testing.T, name string) *onnx.Embedder {
	t.Helper()
	e, err := onnx.NewEmbedder(read(t, filepath.Join(setting(t, "RAE_TEST_ONNX_MODELS"), name)), 0, options(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestRealModelsKeepTheContract(t *testing.T) {
	for _, name := range []string{"all-minilm-l6-v2-q", "bge-small-en-v1.5-q"} {
		shared := real(t, name)
		embedtest.Run(t, "onnx "+name, func(*testing.T) embed.Embedder { return shared })
	}
}

// cross is the cross-encoder of testdata, with the tokenizer beside it.
func cross(t *testing.T) *onnx.Reranker {
	t.Helper()
	graph, err := os.ReadFile("testdata/overlap/model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	r, err := onnx.NewReranker(read(t, folder(t, "overlap", map[string]string{"model.onnx": string(graph)})), options(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestARealCrossEncoderKeepsTheContract(t *testing.T) {
	shared := cross(t)
	reranktest.Run(t, "onnx overlap", func(*testing.T) rerank.Reranker { return shared })
	got, err := shared.Rerank(t.Context(), "quick fox", []string{"the quick brown fox", "lazy fox", "dog"})
	if err != nil {
		t.Fatal(err)
	}
	for i, share := range []float64{2. / 3, 1. / 3, 0} {
		if want := 1 / (1 + math.Exp(4-8*share)); math.Abs(got[i]-want) > 1e-6 {
			t.Errorf("document %d scores %v, want %v", i, got[i], want)
		}
	}
}

// TestVectorsAreThoseOfTheModel holds tokenizer, pooling and length to what Python's tokenizers and onnxruntime made of the
// same files (testdata/vectors.py).
func TestVectorsAreThoseOfTheModel(t *testing.T) {
	for name, want := range map[string][4]float32{
		"all-minilm-l6-v2-q":  {0.07172, -0.01360, 0.06317, -0.05043},
		"bge-small-en-v1.5-q": {-0.03329, -0.00971, 0.08101, 0.01577},
		"e5-small-v2-q":       {-0.01856, 0.08377, 0.04542, 0.02870},
	} {
		v, err := real(t, name).EmbedQuery(t.Context(), "Where did Zoë move to, 東京?")
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if math.Abs(float64(v[i]-want[i])) > 2e-3 { // quantised on another processor
				t.Errorf("%s: got %v, want %v", name, v[:4], want)
				break
			}
		}
	}
}

func TestWhatCannotBeOpenedIsUnavailable(t *testing.T) {
	o := options(t)
	open := func(graph string) error {
		e, err := onnx.NewEmbedder(read(t, folder(t, "acme", map[string]string{"config.json": `{"hidden_size":2}`, "model.onnx": graph})), 0, o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.EmbedQuery(t.Context(), "fox")
		return err
	}
	overlap, err := os.ReadFile("testdata/overlap/model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	for name, graph := range map[string]string{
		"no graph":           "version https://git-lfs.github.com/spec/v1",
		"half a graph":       string(overlap[:len(overlap)/2]),
		"an input too many":  strings.ReplaceAll(string(overlap), "token_type_ids", "token_type_idz"),
		"scores, no vectors": string(overlap),
	} {
		if err := open(graph); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestARunEndsWithItsCaller(t *testing.T) {
	e := real(t, "bge-small-en-v1.5-q")
	if _, err := e.EmbedQuery(t.Context(), "open it"); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("the quick brown fox ", 1000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := e.EmbedDocuments(ctx, []string{long, long + "1", long + "2", long + "3"})
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := e.EmbedQuery(t.Context(), "and it goes on"); err != nil {
		t.Error(err)
	}
}
