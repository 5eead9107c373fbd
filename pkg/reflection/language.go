package reflection

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// InsightEdition is that of the prompt by which insights are written. A prompt that has been used is never edited: another
// one gets the next number.
const InsightEdition = "insight/1"

//go:embed prompts/insight.1.md
var insightInstructions string

// insightSchema is what the model has to answer by.
var insightSchema = json.RawMessage(`{"type":"object","additionalProperties":false,"required":["groups"],"properties":{
"groups":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["group","sentences"],"properties":{
"group":{"type":"integer"},"sentences":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["text","lines"],"properties":{
"text":{"type":"string"},"lines":{"type":"array","items":{"type":"integer"}}}}}}}}}}`)

// insightAnswer is what it answers: nothing in it is believed.
type insightAnswer struct {
	Groups []struct {
		Group     int `json:"group"`
		Sentences []struct {
			Text  string `json:"text"`
			Lines []int  `json:"lines"`
		} `json:"sentences"`
	} `json:"groups"`
}

// Bounds of one request for insights.
const (
	maxShown       = 10  // lines of a group
	maxWritten     = 4   // sentences of an insight
	tokensPerGroup = 300 // an answer may have
	tokensOfFrame  = 200
)

// What had to be done without in a reflection, for Degraded.
const (
	withoutGrounding = "grounding" // sentences that no source bears out were dropped
	withoutModel     = "llm"       // the model did not answer; Error says why
	withoutBudget    = "budget"    // no budget covered asking it
)

// asking is the time of one piece of work that may go by with a language model; the rest is for doing without.
const asking = working - 5*time.Second

// modelAttempts is how often a model that does not answer is asked for one piece of work.
const modelAttempts = 3

// modelError is what kept a model from answering; it may be tried again.
type modelError struct{ error }

func (m *modelError) Unwrap() error { return m.error }

// speaks reports whether there is a language model.
func (s *Service) speaks() bool {
	_, none := s.Model.(llm.None)
	return s.Model != nil && !none
}

// commands reports whether a memory tries to command a model that reads it.
func (s *Service) commands(m *memory.Memory) bool {
	return s.Suspicious != nil && s.Suspicious(m.Content)
}

// write has the model say what drafts show, in sentences that their lines bear out. A draft that nothing holds of what was
// said about stays as it was: quoted. Its error is that of a model that may answer another time, of a budget that rejects, or
// llm.NotInDryRun.
func (s *Service) write(ctx context.Context, scope memory.Scope, r *Reflection, drafts []*draft) (degraded []string, err error) {
	var shown []*draft
	for _, d := range drafts {
		d.shown = slices.DeleteFunc(d.shown, func(q quote) bool { return s.commands(q.memory) })
		if len(d.shown) >= minSources {
			shown = append(shown, d)
		}
	}
	if len(shown) == 0 {
		return nil, nil
	}
	asked, stop := context.WithTimeout(llm.WithPayer(ctx, scope), asking)
	defer stop()
	answer, err := s.Model.Complete(asked, insightRequest(shown))
	if err != nil {
		return s.unanswered(ctx, r, err)
	}
	r.Edition = InsightEdition
	var said insightAnswer
	if err := json.Unmarshal([]byte(answer.Text), &said); err != nil {
		return s.unanswered(ctx, r, fault.Wrap(fault.Unavailable, err, "a language model's insights could not be read"))
	}
	for _, g := range said.Groups {
		if g.Group < 1 || g.Group > len(shown) || shown[g.Group-1].edition != "" {
			degraded = append(degraded, withoutGrounding)
			continue
		}
		d := shown[g.Group-1]
		var kept []string
		for i, sentence := range g.Sentences {
			cited, ok := d.lines(sentence.Lines)
			told := strings.Join(strings.Fields(sentence.Text), " ")
			if i >= maxWritten || !ok || slices.Contains(kept, told) || !Grounded(told, sources(cited)) {
				degraded = append(degraded, withoutGrounding)
				continue
			}
			kept = append(kept, told)
			d.cite(cited)
		}
		if len(kept) > 0 {
			d.say(kept)
		}
	}
	for _, d := range shown {
		if d.edition == "" { // nothing was said of it, or nothing that holds
			degraded = append(degraded, withoutGrounding)
		}
	}
	return union(degraded), nil
}

// unanswered decides what becomes of work whose model did not answer.
func (s *Service) unanswered(ctx context.Context, r *Reflection, err error) ([]string, error) {
	kind := fault.KindOf(err)
	switch {
	case ctx.Err() != nil, llm.IsDryRun(err), llm.Rejected(err):
		return nil, err
	case kind == fault.OverBudget:
		return []string{withoutBudget}, nil
	case r.Attempts < modelAttempts && (kind == fault.Timeout || kind == fault.Unavailable || kind == fault.RateLimited):
		return nil, &modelError{err}
	}
	s.log().WarnContext(ctx, "reflecting without the language model", "reflection", r.ID, "kind", r.Kind, "err", err)
	r.Error = fault.Public(err)
	return []string{withoutModel}, nil
}

// insightRequest asks what the drafts show. Equal drafts make equal requests.
func insightRequest(drafts []*draft) llm.Request {
	var texts []string
	for _, d := range drafts {
		for _, q := range d.shown {
			texts = append(texts, q.text())
		}
	}
	fence := llm.NewFence(InsightEdition, texts...)
	var b strings.Builder
	fmt.Fprintf(&b, "The lines, each between <<<%s and %s>>>:\n", fence.Mark(), fence.Mark())
	for i, d := range drafts {
		fmt.Fprintf(&b, "\nGroup %d:\n", i+1)
		for j, q := range d.shown {
			label := "line " + strconv.Itoa(j+1)
			if at := q.memory.OccurredAt; at != nil {
				label += ", told on " + at.UTC().Format(time.DateOnly)
			}
			if who := speaker(q.memory); who != "" {
				label += ", said by " + strconv.Quote(llm.Inert(who))
			}
			b.WriteString(fence.Around(label, q.text()) + "\n")
		}
	}
	b.WriteString("\nWrite down what each of these " + plural(len(drafts), "group") + " shows.")
	return llm.Request{
		Operation: "reflection.insight", Schema: insightSchema, MaxTokens: tokensOfFrame + tokensPerGroup*len(drafts),
		Messages: []llm.Message{{Role: "system", Content: strings.TrimSpace(insightInstructions)}, {Role: "user", Content: b.String()}},
	}
}

// speaker is who says a memory, as far as somebody said.
func speaker(m *memory.Memory) string {
	for _, key := range []string{"name", "role"} {
		if who, ok := m.Metadata[key].(string); ok && who != "" {
			return prefix(who, maxFilterBytes)
		}
	}
	return ""
}

// lines are those of the numbers, each once; false where one is no line of the draft, or there are none or too many.
func (d *draft) lines(numbers []int) (cited []quote, ok bool) {
	for _, n := range numbers {
		if n < 1 || n > len(d.shown) {
			return nil, false
		}
		if q := d.shown[n-1]; !slices.Contains(cited, q) {
			cited = append(cited, q)
		}
	}
	return cited, len(cited) > 0 && len(cited) <= maxCited
}

// sources are quotes as Grounded takes them.
func sources(quotes []quote) []string {
	all := make([]string, len(quotes))
	for i, q := range quotes {
		head := speaker(q.memory)
		if at := q.memory.OccurredAt; at != nil {
			head += ", " + at.UTC().Format(time.DateOnly)
		}
		all[i] = head + ": " + q.text()
	}
	return all
}

// cite adds quotes to those the draft stands on.
func (d *draft) cite(cited []quote) {
	for _, q := range cited {
		if !slices.Contains(d.quotes, q) {
			d.quotes = append(d.quotes, q)
		}
	}
	slices.SortStableFunc(d.quotes, func(a, b quote) int {
		return cmp.Or(a.memory.When().Compare(b.memory.When()), cmp.Compare(a.memory.ID, b.memory.ID), cmp.Compare(a.start, b.start))
	})
}

// say makes the sentences what the draft says, with the lines it stands on behind them.
func (d *draft) say(sentences []string) {
	d.edition = InsightEdition
	d.content = d.head + "\n" + strings.Join(sentences, " ")
	for _, q := range d.quotes {
		d.content += line(q)
	}
}
