package extract

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// Turns is how many memories are read by one call where nobody says otherwise.
const Turns = 25

// Language reads memories by a language model: it asks for statements with the words that say them, looks for these words in
// the memories by itself, and keeps nothing that is not found there. A model that a text has talked into something can
// therefore say no more than the texts do: scope, memory and place of a statement are never its to choose.
//
// What needs no model is not sent: texts without prose. Without a model, or where the budget does without one, everything is
// the Fallback's, whose extractions say so.
type Language struct {
	Model    llm.Model           // nil or llm.None: none
	Fallback knowledge.Extractor // required
	Turns    int                 // per call; 0 = Turns
	Log      *slog.Logger        // nil: discarded
}

var _ knowledge.Extractor = (*Language)(nil)

// Extract implements knowledge.Extractor. Memories of different users or agents are never in one request. In a dry run its
// error is llm.NotInDryRun when every request has been priced.
func (l *Language) Extract(ctx context.Context, scope memory.Scope, told []memory.Memory) ([]knowledge.Extraction, error) {
	if _, without := l.Model.(llm.None); without || l.Model == nil {
		return l.Fallback.Extract(ctx, scope, told)
	}
	ctx = llm.WithPayer(ctx, scope)
	all := make([]knowledge.Extraction, len(told))
	dropped := drops{}
	var dry error
	for _, batch := range l.batches(told, all) {
		err := l.read(ctx, scope, told, batch, all, dropped)
		switch {
		case llm.IsDryRun(err):
			dry = err
		case err != nil:
			return nil, err
		}
	}
	if len(dropped) > 0 {
		l.log().InfoContext(ctx, "a model said what memories don't: dropped", "tenant", scope.Tenant, "project", scope.Project, "dropped", map[string]int(dropped))
	}
	return all, dry
}

// batches are indexes of what is read together, in order: of one owner, and no more than fits. What is not read at all has its
// extraction already.
func (l *Language) batches(told []memory.Memory, all []knowledge.Extraction) [][]int {
	type owner struct{ user, agent string }
	turns := l.Turns
	if turns < 1 {
		turns = Turns
	}
	open := map[owner]int{} // the batch that takes more, + 1
	var batches [][]int
	size := map[int]int{}
	for i := range told {
		m := &told[i]
		all[i] = knowledge.Extraction{MemoryID: m.ID, Version: m.Version, Method: "llm", Edition: Edition, Flags: flagsOf(m)}
		if slices.Contains(all[i].Flags, flagNoProse) {
			continue
		}
		whose := owner{m.UserID, m.AgentID}
		bytes := min(len(m.Content), maxTextBytes)
		at := open[whose] - 1
		if at < 0 || len(batches[at]) == turns || size[at]+bytes > maxBatchBytes {
			at = len(batches)
			batches = append(batches, nil)
			open[whose] = at + 1
		}
		batches[at] = append(batches[at], i)
		size[at] += bytes
	}
	return batches
}

// read has a batch read, and puts what comes of it where it belongs. What a model had no room to answer is asked for in two
// halves, once; what it had none for even so, or will not read, the fallback reads.
func (l *Language) read(ctx context.Context, scope memory.Scope, told []memory.Memory, batch []int, all []knowledge.Extraction, dropped drops) error {
	err := l.ask(ctx, told, batch, all, dropped)
	if llm.WasTruncated(err) && len(batch) > 1 {
		half := len(batch) / 2
		for _, part := range [][]int{batch[:half], batch[half:]} {
			err = l.ask(ctx, told, part, all, dropped)
			if llm.WasTruncated(err) {
				err = l.without(ctx, scope, told, part, all, flagTruncated)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	switch {
	case llm.WasTruncated(err):
		return l.without(ctx, scope, told, batch, all, flagTruncated)
	case llm.WasRefused(err):
		return l.without(ctx, scope, told, batch, all, flagRefused)
	case fault.KindOf(err) == fault.OverBudget && !llm.Rejected(err):
		return l.without(ctx, scope, told, batch, all, flagBudget)
	}
	return err
}

// without has the batch read by the fallback; each extraction is flagged with why.
func (l *Language) without(ctx context.Context, scope memory.Scope, told []memory.Memory, batch []int, all []knowledge.Extraction, why string) error {
	memories := make([]memory.Memory, len(batch))
	for i, at := range batch {
		memories[i] = told[at]
	}
	read, err := l.Fallback.Extract(ctx, scope, memories)
	if err != nil {
		return err
	}
	if len(read) != len(batch) {
		return fault.New(fault.Internal, "%d memories were read into %d extractions", len(batch), len(read))
	}
	for i, at := range batch {
		all[at] = read[i]
		if !slices.Contains(read[i].Flags, why) {
			all[at].Flags = append(slices.Clone(read[i].Flags), why)
		}
	}
	l.log().WarnContext(ctx, "memories are read without the language model", "tenant", scope.Tenant, "project", scope.Project, "memories", len(batch), "why", why)
	return nil
}

// ask has the model read a batch, and checks what it says.
func (l *Language) ask(ctx context.Context, told []memory.Memory, batch []int, all []knowledge.Extraction, dropped drops) error {
	s := sheet{}
	for _, at := range batch {
		s.memories, s.texts = append(s.memories, &told[at]), append(s.texts, llm.Inert(clip(told[at].Content)))
	}
	response, err := l.Model.Complete(ctx, s.request())
	if err != nil {
		return fmt.Errorf("read %d memories: %w", len(batch), err)
	}
	var said answer
	if err := json.Unmarshal([]byte(response.Text), &said); err != nil {
		return fault.Wrap(fault.Unavailable, err, "a language model's statements could not be read")
	}
	found := s.verify(&said, dropped)
	for i, at := range batch {
		all[at].Mentions, all[at].Statements, all[at].Language = found[i].Mentions, found[i].Statements, identify(told[at].Content)
		slices.SortStableFunc(all[at].Statements, func(a, b knowledge.Statement) int { return a.Start - b.Start })
	}
	return nil
}

// drops counts what was dropped, by why.
type drops map[string]int

func (l *Language) log() *slog.Logger {
	if l.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l.Log
}
