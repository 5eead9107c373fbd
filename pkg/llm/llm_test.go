package llm_test

import (
	"testing"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
)

func TestWithoutAModelCompletingIsUnavailable(t *testing.T) {
	t.Parallel()
	var model llm.Model = llm.None{}
	if _, err := model.Complete(t.Context(), llm.Request{}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
}
