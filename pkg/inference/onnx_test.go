//go:build onnx && cgo

package inference_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/inference"
)

const minilm, bge = "all-minilm-l6-v2-q", "bge-small-en-v1.5-q"

// models are the folders that make test-onnx has fetched.
func models(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("RAE_TEST_ONNX_MODELS")
	if dir == "" || os.Getenv("RAE_ONNX_LIBRARY") == "" {
		t.Fatal("RAE_TEST_ONNX_MODELS or RAE_ONNX_LIBRARY is not set: run make test-onnx")
	}
	return dir
}

func TestFoldersThatCannotBeMeantAreRefusedInOneLine(t *testing.T) {
	dir, empty := models(t), t.TempDir()
	for _, c := range []struct {
		settings []string
		want     string
	}{
		{nil, "RAE_EMBED_MODEL is not set: it must be the folder of an ONNX model"},
		{[]string{"RAE_EMBED_MODEL", filepath.Join(dir, minilm)}, ""},
		{[]string{"RAE_EMBED_MODEL", empty}, "RAE_EMBED_MODEL=" + empty + " is not allowed: it must be a folder with a model that can be used (ONNX model " + empty +
			": model.onnx, onnx/model.onnx, model_quantized.onnx, onnx/model_quantized.onnx is not there, none of them)"},
		{[]string{"RAE_EMBED_MODEL", filepath.Join(dir, minilm), "RAE_EMBED_DIMENSIONS", "256"}, "RAE_EMBED_DIMENSIONS=256 is not allowed: it must be unset or 384 for model " + minilm},
		{[]string{"RAE_EMBED_MODEL", filepath.Join(dir, minilm), "RAE_ONNX_LIBRARY", filepath.Join(empty, "lib.so")}, "RAE_ONNX_LIBRARY=" + filepath.Join(empty, "lib.so") + " is not allowed: it must be unset or the file of ONNX Runtime's shared library"},
	} {
		t.Run(strings.Join(c.settings, " "), func(t *testing.T) {
			wantLine(t, load(t, new(inference.Embedding), append([]string{"RAE_EMBED_PROVIDER", "onnx"}, c.settings...)...), c.want)
		})
	}
	wantLine(t, load(t, new(inference.Reranking), "RAE_RERANK_PROVIDER", "onnx"), "RAE_RERANK_MODEL is not set: it must be the folder of an ONNX model")
}

func TestFoldersAreOpenedWithoutAMeterAndFoundByTheIdsOfTheirVectors(t *testing.T) {
	dir := models(t)
	var cfg inference.Embedding
	if err := load(t, &cfg, "RAE_EMBED_PROVIDER", "onnx", "RAE_EMBED_MODEL", filepath.Join(dir, minilm), "RAE_EMBED_QUERY_PREFIX", "Q: "); err != nil {
		t.Fatal(err)
	}
	open := cfg.Open(inference.Deps{})
	set, err := open("")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := set.EmbedQuery(t.Context(), "who?"); err != nil || len(v) != set.Dimensions() || embed.Free(set) {
		t.Errorf("got %d dimensions, %v", len(v), err)
	}
	id, dimensions, err := cfg.Vectors()
	if again, _ := open(id); again != set || id != set.Model() || dimensions != 384 || err != nil {
		t.Errorf("called %s of %d dimensions beforehand, then %s, %v", id, dimensions, set.Model(), err)
	}

	beside := cfg
	beside.EmbedModel = filepath.Join(dir, bge)
	other, _, err := beside.Vectors()
	if err != nil {
		t.Fatal(err)
	}
	if e, err := open(other); err != nil || e.Model() != other {
		t.Errorf("the folder beside is not found: %v", err)
	}
	for _, unknown := range []string{minilm + "-00000000", bge + "-00000000", "../" + other, other + "@100", "none-00000000", "static-256-v1"} {
		if e, err := open(unknown); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), set.Model()) || strings.Contains(err.Error(), dir) {
			t.Errorf("%s: got %v, %v", unknown, e, err)
		}
	}
}

func TestARerankerIsOpenedFromAFolder(t *testing.T) {
	graph, err := os.ReadFile("../onnx/testdata/overlap/model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	words, err := os.ReadFile("../onnx/testdata/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	models(t)
	dir := t.TempDir()
	for name, text := range map[string][]byte{"model.onnx": graph, "tokenizer.json": words} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var cfg inference.Reranking
	if err := load(t, &cfg, "RAE_RERANK_PROVIDER", "onnx", "RAE_RERANK_MODEL", dir); err != nil {
		t.Fatal(err)
	}
	r, err := cfg.Open(inference.Deps{})
	if err != nil || cfg.BuiltIn() {
		t.Fatal(err)
	}
	if got, err := r.Rerank(t.Context(), "fox", []string{"dog", "fox"}); err != nil || got[0] >= got[1] {
		t.Errorf("got %v, %v", got, err)
	}
}
