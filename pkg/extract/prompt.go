package extract

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// Edition is the prompt's that Language asks by. A prompt that has been used is never edited: another one gets the next
// number, and what it read is told from what this one did.
const Edition = "extract/1"

//go:embed prompts/extract.1.md
var instructions string

// answerSchema is what the model has to answer by.
var answerSchema = json.RawMessage(`{"type":"object","additionalProperties":false,"required":["statements","names"],"properties":{
"statements":{"type":"array","items":{"type":"object","additionalProperties":false,
"required":["memory","kind","subject","subject_type","relation","object","object_type","literal","negated","from","to","confidence","quote"],"properties":{
"memory":{"type":"integer"},"kind":{"type":"string","enum":["fact","preference","instruction"]},
"subject":{"type":"string"},"subject_type":{"type":"string"},"relation":{"type":"string"},
"object":{"type":"string"},"object_type":{"type":"string"},"literal":{"type":"boolean"},"negated":{"type":"boolean"},
"from":{"type":["string","null"]},"to":{"type":["string","null"]},"confidence":{"type":"number"},"quote":{"type":"string"}}}},
"names":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["name","type","aliases"],"properties":{
"name":{"type":"string"},"type":{"type":"string"},"aliases":{"type":"array","items":{"type":"string"}}}}}}}`)

// answer is what it answers.
type answer struct {
	Statements []claim `json:"statements"`
	Names      []named `json:"names"`
}

// claim is a statement as a model makes it: nothing in it is believed.
type claim struct {
	Memory      int     `json:"memory"`
	Kind        string  `json:"kind"`
	Subject     string  `json:"subject"`
	SubjectType string  `json:"subject_type"`
	Relation    string  `json:"relation"`
	Object      string  `json:"object"`
	ObjectType  string  `json:"object_type"`
	Literal     bool    `json:"literal"`
	Negated     bool    `json:"negated"`
	From        *string `json:"from"`
	To          *string `json:"to"`
	Confidence  float64 `json:"confidence"`
	Quote       string  `json:"quote"`
}

// named is a thing with further names.
type named struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	Aliases []string `json:"aliases"`
}

// Bounds of one request.
const (
	maxTextBytes  = 8 << 10  // of one memory; what is longer is read to there
	maxBatchBytes = 32 << 10 // of all memories together: some ten thousand tokens
	mostPerText   = 3        // statements of a text that are asked for, on average
	mostTokens    = 4096
	tokensPerText = 160 // an answer may have, on average
	leastTokens   = 512
)

// sheet is the memories of one request as they are sent. Offsets in a sent text are offsets in the memory's content.
type sheet struct {
	memories []*memory.Memory
	texts    []string // what is sent of each, inert
}

// clip is what is read of a content.
func clip(content string) string {
	if len(content) <= maxTextBytes {
		return content
	}
	end := maxTextBytes
	for end > 0 && !utf8.RuneStart(content[end]) {
		end--
	}
	return content[:end]
}

// request asks for the statements of the sheet. Equal memories make equal requests.
func (s *sheet) request() llm.Request {
	most := mostPerText*len(s.memories) + 2
	fence := llm.NewFence(Edition, s.texts...)
	var texts strings.Builder
	fmt.Fprintf(&texts, "The texts, each between <<<%s and %s>>>:\n", fence.Mark(), fence.Mark())
	sessions := map[string]int{}
	for i, m := range s.memories {
		if sessions[m.SessionID] == 0 {
			sessions[m.SessionID] = len(sessions) + 1
		}
		label := "memory " + strconv.Itoa(i+1) + ", conversation " + strconv.Itoa(sessions[m.SessionID])
		if m.OccurredAt != nil {
			label += ", told on " + m.OccurredAt.UTC().Format("Monday, "+time.DateOnly)
		}
		label += ", said by " + strconv.Quote(llm.Inert(speakerOf(m)))
		texts.WriteString("\n" + fence.Around(label, s.texts[i]) + "\n")
	}
	texts.WriteString("\nWrite down the statements of these " + strconv.Itoa(len(s.memories)) + " texts.")
	return llm.Request{
		Operation: "reflection.extract", Schema: answerSchema,
		MaxTokens: min(mostTokens, max(leastTokens, tokensPerText*len(s.memories))),
		Messages: []llm.Message{
			{Role: "system", Content: strings.TrimSpace(strings.ReplaceAll(instructions, "{{most}}", strconv.Itoa(most)))},
			{Role: "user", Content: texts.String()},
		},
	}
}
