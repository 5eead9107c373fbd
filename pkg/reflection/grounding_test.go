package reflection_test

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/reflection"
)

//go:embed testdata/grounding.jsonl
var labelled []byte

// TestGroundingTellsSupportedSentencesFromOthers measures the rule on sentences written and labelled by hand, the ones it
// cannot get right among them: paraphrases in other words, and true words about the wrong one.
func TestGroundingTellsSupportedSentencesFromOthers(t *testing.T) {
	t.Parallel()
	var right, kept, supported, all int
	lines := bufio.NewScanner(bytes.NewReader(labelled))
	for lines.Scan() {
		var c struct {
			Sentence  string
			Sources   []string
			Supported bool
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		got := reflection.Grounded(c.Sentence, c.Sources)
		all++
		if c.Supported {
			supported++
		}
		if got {
			kept++
		}
		if got && c.Supported {
			right++
		}
		if got != c.Supported {
			t.Logf("kept %t: %s", got, c.Sentence)
		}
	}
	precision, recall := float64(right)/float64(kept), float64(right)/float64(supported)
	t.Logf("of %d sentences %d are supported; kept %d, of which %d are: precision %.3f, recall %.3f", all, supported, kept, right, precision, recall)
	if all < 70 || precision < 0.88 || recall < 0.78 {
		t.Errorf("precision %.3f, recall %.3f of %d", precision, recall, all)
	}
}

func TestWhatIsNoPlainSentenceIsNotGrounded(t *testing.T) {
	t.Parallel()
	source := []string{"Ann: I like <b>bold</b> words, https://x.example and [links]. " + strings.Repeat("words ", 200)}
	for _, sentence := range []string{
		"", "Ann likes <b>bold</b> words.", "Ann likes https://x.example words.", "Ann likes\nbold words.", "Ann likes [links].",
		"Ann likes \"bold\" words.", strings.Repeat("words ", 100), "\xff likes words.",
	} {
		if reflection.Grounded(sentence, source) {
			t.Errorf("%q is grounded", sentence)
		}
	}
	if !reflection.Grounded("Ann likes bold words.", source) || reflection.Grounded("Ann likes bold words.", nil) {
		t.Error("a plain sentence is grounded by its sources, and by nothing else")
	}
}
