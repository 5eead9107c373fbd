package llm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Fence keeps what is data in a prompt apart from what is asked. Its mark follows from the data: equal requests are equal
// byte for byte, and whoever writes a text cannot know the mark it will stand behind, for the mark depends on that text.
type Fence struct{ mark string }

// NewFence returns the fence for the texts that are to stand in one prompt. edition is the prompt's.
func NewFence(edition string, texts ...string) Fence {
	sum := sha256.New()
	for _, part := range append([]string{edition}, texts...) {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return Fence{hex.EncodeToString(sum.Sum(nil)[:8])}
}

// Mark is what every fenced text stands between: 16 hexadecimal digits.
func (f Fence) Mark() string { return f.mark }

// Around is the text within the fence, under a label that the caller chose and no text did.
func (f Fence) Around(label, text string) string {
	return "<<<" + f.mark + " " + label + "\n" + Inert(text) + "\n" + f.mark + ">>>"
}

// inert is what in a text could be taken for a fence, or for the turns that models are trained on, each with what stands for
// it: as many bytes.
var inert = strings.NewReplacer(
	"<<<", "‹", ">>>", "›", "<|", "«", "|>", "»",
	"[INST]", "(INST)", "[/INST]", "(/INST)", "<<SYS>>", "(.SYS.)", "<</SYS>>", "(./SYS.)", "</s>", "(/s)", "<s>", "(s)",
	"<start_of_turn>", "(start_of_turn)", "<end_of_turn>", "(end_of_turn)",
)

// Inert is the text with nothing in it that could be taken for a fence or for somebody else's turn. It has as many bytes, and
// what was not touched stands where it stood.
func Inert(text string) string { return inert.Replace(text) }
