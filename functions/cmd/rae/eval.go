package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/eval"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search"
)

// evaluation is what is measured, and how, as flags say it.
type evaluation struct {
	dir   string
	mode  search.Mode
	store string
	limit int
}

func (p *program) eval() *cobra.Command {
	var e evaluation
	var mode string
	c := &cobra.Command{
		Use:   "eval --set DIR",
		Short: "Measure how well it finds, on a set with relevance labels",
		Long: `eval loads a set into a fresh engine, asks every question in its own haystack, and scores the answers. DIR holds
corpus.jsonl ({id, scope, text, ts?, meta?}), queries.jsonl ({id, scope, text, category}) and qrels.tsv (question,
document, grade), or folders of such sets. Nothing of it touches your own store, and nothing leaves this machine.

Times are those of a search in this process, without cached answers.

` + environment(),
		Example: `  rae eval --set functions/cmd/rae/testdata/conversation
  rae eval --set functions/cmd/rae/testdata/conversation --mode lexical --json
  rae eval --set functions/cmd/rae/testdata/conversation --limit-queries 5`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if e.dir == "" {
				return usagef("--set is required: a folder with corpus.jsonl, queries.jsonl and qrels.tsv, or of such folders")
			}
			if e.mode, err = readMode(mode, search.Hybrid, search.Lexical, search.Dense); err != nil {
				return err
			}
			switch e.store {
			case database.SQLite, database.InMem, database.Postgres:
			default:
				return usagef("--store %q must be sqlite, inmem or postgres", e.store)
			}
			if e.limit < 0 {
				return usagef("--limit-queries %d must not be negative", e.limit)
			}
			return p.doEval(c.Context(), &e)
		},
	}
	c.Flags().StringVar(&e.dir, "set", "", "folder of a set, or of sets")
	c.Flags().StringVar(&mode, "mode", "hybrid", "how to find: hybrid, lexical or dense")
	c.Flags().StringVar(&e.store, "store", "sqlite", "store to measure with: sqlite (in a temporary folder), inmem, or postgres (in RAE_POSTGRES_URL, as a tenant that is erased afterwards)")
	c.Flags().IntVar(&e.limit, "limit-queries", 0, "ask only the first N questions of each set (0: all)")
	return c
}

// measured is what --json prints of one set.
type measured struct {
	Set  string      `json:"set"`
	Mode search.Mode `json:"mode"`
	eval.Figures
}

func (p *program) doEval(ctx context.Context, e *evaluation) error {
	dirs, err := eval.Find(e.dir)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		set, err := eval.Load(dir)
		if err != nil {
			return err
		}
		if e.limit > 0 {
			set.Questions = set.Questions[:min(e.limit, len(set.Questions))]
		}
		figures, err := p.measure(ctx, e, set)
		if err != nil {
			return fmt.Errorf("evaluate %s: %w", dir, err)
		}
		m := measured{Set: dir, Mode: e.mode, Figures: figures}
		if p.json {
			err = p.printJSON(m)
		} else {
			err = p.tellFigures(&m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// measure runs one set through an engine of its own.
func (p *program) measure(ctx context.Context, e *evaluation, set *eval.Set) (figures eval.Figures, err error) {
	cfg, err := rae.Load()
	if err != nil {
		return eval.Figures{}, err
	}
	cfg.Store.Store = e.store
	if err := cfg.Store.Check(); err != nil {
		return eval.Figures{}, err
	}
	cfg.Search.CacheAnswers = 0 // an answer kept is not a search
	if cfg.Store.DataDir, err = os.MkdirTemp("", "rae-eval-*"); err != nil {
		return eval.Figures{}, fmt.Errorf("make a temporary store: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(cfg.Store.DataDir)) }()
	err = p.withConfig(ctx, cfg, func(engine *rae.Engine) (err error) {
		subject := &subject{engine: engine, mode: e.mode, tenant: "eval-" + string(memory.NewID()), projects: map[string]memory.Scope{}}
		defer func() { err = errors.Join(err, subject.forget(context.WithoutCancel(ctx))) }()
		show := stages{program: p, set: set.Dir}
		defer show.finish()
		figures, err = eval.Run(ctx, subject, set, show.progress)
		if subject.degraded > 0 {
			fmt.Fprintf(p.stderr, "rae: %s had a stage that failed\n", counted(subject.degraded, "answer", "answers"))
		}
		return err
	})
	return figures, err
}

// stages shows one meter after the other.
type stages struct {
	program *program
	set     string
	stage   string
	meter   *meter
}

func (s *stages) progress(stage string, done, total int) {
	if stage != s.stage {
		s.finish()
		unit := map[string]string{"load": "documents", "ask": "questions"}[stage]
		s.stage, s.meter = stage, s.program.byCount(stage+" "+s.set, unit, int64(total))
	}
	s.meter.add(int64(done) - s.meter.done)
}

func (s *stages) finish() {
	if s.meter != nil {
		s.meter.finish()
	}
}

// subject is the engine as package eval measures it: every haystack is a project of its own.
type subject struct {
	engine   *rae.Engine
	mode     search.Mode
	tenant   string
	projects map[string]memory.Scope // by haystack, whose names no project need take
	degraded int
}

func (s *subject) scope(haystack string) memory.Scope {
	scope, known := s.projects[haystack]
	if !known {
		scope = memory.Scope{Tenant: s.tenant, Project: fmt.Sprintf("haystack-%d", len(s.projects)+1)}
		s.projects[haystack] = scope
	}
	return scope
}

// forget erases what the run stored: the store may be one that stays.
func (s *subject) forget(ctx context.Context) error {
	_, err := s.engine.Memories.Erase(ctx, s.tenant)
	return err
}

// Remember stores the documents. A document that is refused would falsify every figure, so it ends the run.
func (s *subject) Remember(ctx context.Context, haystack string, documents []eval.Document) error {
	for some := range slices.Chunk(documents, ingest.MaxBatch) {
		items := make([]json.RawMessage, len(some))
		for i := range some {
			d := &some[i]
			item, err := json.Marshal(ingest.Draft{
				Content: d.Text, Metadata: d.Meta, ExternalID: d.ID, SessionID: d.Session(), OccurredAt: d.OccurredAt(),
			})
			if err != nil {
				return fmt.Errorf("document %s: %w", d.ID, err)
			}
			items[i] = item
		}
		results, _, err := s.engine.Memories.Batch(ctx, s.scope(haystack), items, memory.Key{}, memory.Why{Actor: "rae eval"})
		if err != nil {
			return err
		}
		for i, r := range results {
			if r.Status == ingest.Refused {
				return fault.New(fault.Invalid, "document %s was refused: %s", some[i].ID, r.Error.Detail)
			}
		}
	}
	return nil
}

// Ask searches the haystack.
func (s *subject) Ask(ctx context.Context, haystack, question string, limit int) ([]string, error) {
	found, err := s.engine.Search.Search(ctx, search.Request{Scope: s.scope(haystack), Query: question, Limit: limit, Mode: s.mode})
	if err != nil {
		return nil, err
	}
	if len(found.Degraded) > 0 {
		s.degraded++
	}
	ids := make([]string, len(found.Results))
	for i := range found.Results {
		ids[i] = found.Results[i].Memory.ExternalID
	}
	return ids, nil
}

// columns are the figures in the order they are told.
func columns() []string {
	return []string{
		"hit@1", "any@5", "recall@5", "recall@10", "mrr@10", "ndcg@10", "macro_ndcg@10", "zero_result_rate", "p50_ms", "p95_ms", "queries",
	}
}

func cells(f *eval.Figures) []string {
	var out []string
	for _, share := range []float64{f.HitAt1, f.AnyAt5, f.RecallAt5, f.RecallAt10, f.MRRAt10, f.NDCGAt10, f.MacroNDCG, f.ZeroResults} {
		out = append(out, fmt.Sprintf("%.4f", share))
	}
	return append(out, fmt.Sprintf("%.2f", f.P50), fmt.Sprintf("%.2f", f.P95), thousands(f.Questions))
}

// tellFigures prints one row for the whole set and one for each category.
func (p *program) tellFigures(m *measured) error {
	fmt.Fprintf(p.stdout, "%s (%s)\n", printable(m.Set), m.Mode)
	table := p.table()
	row := func(name string, cells []string) {
		_, _ = io.WriteString(table, printable(name)+"\t"+strings.Join(cells, "\t")+"\n")
	}
	row("category", columns())
	row("all", cells(&m.Figures))
	if len(m.ByCategory) > 1 {
		for _, category := range slices.Sorted(maps.Keys(m.ByCategory)) {
			f := m.ByCategory[category]
			row(category, cells(&f))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.stdout)
	return err
}
