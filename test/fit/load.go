package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/eval"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
	"github.com/rae-memory/rae/pkg/serve"
)

// answerDepth is how many results of a question are kept: those the last look reads.
const answerDepth = 50

// question is one with what was found for it.
type question struct {
	eval.Question
	found    []string // ids, best first
	features []map[string]float64
	odd      bool // of a haystack that is learned from
}

// collection is a set with its questions asked.
type collection struct {
	set       *eval.Set
	questions []question
}

// read loads the set at dir into an engine of its own, in this process, and asks every question.
func read(ctx context.Context, dir string) (c *collection, err error) {
	set, err := eval.Load(dir)
	if err != nil {
		return nil, err
	}
	engine, err := openEngine()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close(ctx)) }()
	c = &collection{set: set}
	scopes := set.Scopes()
	projects := make(map[string]memory.Scope, len(scopes))
	for i, name := range scopes {
		projects[name] = memory.Scope{Tenant: "fit", Project: fmt.Sprintf("haystack-%d", i+1)}
		if err := store(ctx, engine, projects[name], set, name); err != nil {
			return nil, err
		}
	}
	for _, asked := range set.Questions {
		place := slices.Index(scopes, asked.Scope)
		q := question{Question: asked, odd: len(scopes) > 1 && place%2 == 0}
		answer, err := engine.Search.Search(ctx, search.Request{Scope: projects[asked.Scope], Query: asked.Text, Limit: answerDepth})
		if err != nil {
			return nil, err
		}
		for _, r := range answer.Results {
			q.found, q.features = append(q.found, r.Memory.ExternalID), append(q.features, r.Explain.Features)
		}
		c.questions = append(c.questions, q)
	}
	return c, nil
}

func openEngine() (*rae.Engine, error) {
	cfg, err := rae.Load()
	if err != nil {
		return nil, err
	}
	cfg.Store.Store, cfg.Search.CacheAnswers = "inmem", 0
	host := serve.LocalDefaults()
	if err := serve.Load(&host); err != nil {
		return nil, err
	}
	host.LogLevel = "warn"
	rt, err := serve.NewRuntime(&host, os.Stderr, slog.String("service", "fit"))
	if err != nil {
		return nil, err
	}
	return rae.Open(cfg, rt)
}

// store puts the documents of one haystack into a project.
func store(ctx context.Context, engine *rae.Engine, project memory.Scope, set *eval.Set, haystack string) error {
	var items []json.RawMessage
	for i := range set.Documents {
		d := &set.Documents[i]
		if d.Scope != haystack {
			continue
		}
		item, err := json.Marshal(ingest.Draft{
			Content: d.Text, Metadata: d.Meta, ExternalID: d.ID, SessionID: d.Session(), OccurredAt: d.OccurredAt(),
		})
		if err != nil {
			return err
		}
		items = append(items, item)
	}
	for some := range slices.Chunk(items, ingest.MaxBatch) {
		if _, _, err := engine.Memories.Batch(ctx, project, some, memory.Key{}, memory.Why{Actor: "fit"}); err != nil {
			return err
		}
	}
	return nil
}

// lessons are the questions to learn from for which something relevant was found.
func (c *collection) lessons() []lesson {
	var all []lesson
	for i := range c.questions {
		q := &c.questions[i]
		if !q.odd {
			continue
		}
		l := lesson{features: q.features, relevant: make([]bool, len(q.found))}
		for j, id := range q.found {
			l.relevant[j] = c.set.Relevant[q.ID][id]
		}
		if slices.Contains(l.relevant, true) {
			all = append(all, l)
		}
	}
	return all
}

// report prints the figures of the questions that were learned from and of the others, ordered by weights, or as they
// were found when there are none.
func (c *collection) report(how string, w weights) {
	for _, odd := range []bool{true, false} {
		var answers []eval.Answer
		for i := range c.questions {
			if q := &c.questions[i]; q.odd == odd {
				answers = append(answers, eval.Answer{Question: q.Question, Found: w.order(q)})
			}
		}
		if len(answers) == 0 {
			continue
		}
		f := eval.Measure(c.set, answers)
		part := map[bool]string{true: "learned from", false: "held out"}[odd]
		fmt.Printf("%-60s %-20s %-12s hit@1 %.4f  recall@5 %.4f  mrr@10 %.4f  ndcg@10 %.4f  macro %.4f  (%d)\n",
			c.set.Dir, how, part, f.HitAt1, f.RecallAt5, f.MRRAt10, f.NDCGAt10, f.MacroNDCG, f.Questions)
	}
}
