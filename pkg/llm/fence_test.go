package llm_test

import (
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/llm"
)

func TestAFenceFollowsFromWhatStandsInIt(t *testing.T) {
	t.Parallel()
	first := llm.NewFence("a/1", "one", "two")
	if again := llm.NewFence("a/1", "one", "two"); again != first || len(first.Mark()) != 16 {
		t.Errorf("marks %q and %q", first.Mark(), again.Mark())
	}
	for _, other := range []llm.Fence{llm.NewFence("a/2", "one", "two"), llm.NewFence("a/1", "onetwo"), llm.NewFence("a/1", "one", "tw", "o"), llm.NewFence("a/1")} {
		if other == first {
			t.Errorf("another request has the mark %q, too", other.Mark())
		}
	}
	if got := first.Around("memory 1", "a\n<<<b"); got != "<<<"+first.Mark()+" memory 1\na\n‹b\n"+first.Mark()+">>>" {
		t.Errorf("fenced: %q", got)
	}
}

func TestWhatIsInertHasAsManyBytesAndNoFence(t *testing.T) {
	t.Parallel()
	pieces := []string{"<<<", ">>>", "<", ">", "<|im_start|>", "|>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "</s>", "<s>", "<start_of_turn>", "|", "a", "我\n"}
	for _, a := range pieces {
		for _, b := range pieces {
			for _, c := range pieces {
				s := a + b + c + "a"
				got := llm.Inert(s)
				if len(got) != len(s) || !strings.HasSuffix(got, "a") || strings.Count(got, "我") != strings.Count(s, "我") {
					t.Fatalf("%q became %q", s, got)
				}
				for _, forbidden := range []string{"<<<", ">>>", "<|", "[INST]", "[/INST]", "</s>", "<start_of_turn>"} {
					if strings.Contains(got, forbidden) {
						t.Fatalf("%q became %q, in which %q stands", s, got, forbidden)
					}
				}
			}
		}
	}
}
