//go:build !(onnx && cgo)

package inference_test

import (
	"testing"

	"github.com/rae-memory/rae/pkg/inference"
)

func TestABuildWithoutONNXRuntimeSaysWhatItNeeds(t *testing.T) {
	const want = "_PROVIDER=onnx is not allowed: it must be a provider of this build, which was made without ONNX Runtime: build it with CGO_ENABLED=1 go build -tags onnx"
	wantLine(t, load(t, new(inference.Embedding), "RAE_EMBED_PROVIDER", "onnx", "RAE_EMBED_MODEL", t.TempDir()), "RAE_EMBED"+want)
	wantLine(t, load(t, new(inference.Reranking), "RAE_RERANK_PROVIDER", "onnx"), "RAE_RERANK"+want)
}
