package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/eval"
	"github.com/rae-memory/rae/pkg/search"
)

// evaluation is what is measured, and how, as flags say it.
type evaluation struct {
	dir      string
	modes    []string
	store    string
	limit    int
	half     eval.Half
	report   string
	notes    string
	baseline string
}

// floorMode is the way of finding that is not the engine's.
const floorMode = "floor"

// contextTokens is the size of prompt whose evidence is measured.
const contextTokens = 2000

func (p *program) eval() *cobra.Command {
	var e evaluation
	var mode, half string
	c := &cobra.Command{
		Use:   "eval --set DIR",
		Short: "Measure how well it finds, on a set with relevance labels",
		Long: `eval loads a set into a fresh engine, asks every question in its own haystack, and scores the answers. DIR holds
corpus.jsonl ({id, scope, text, ts?, meta?}), queries.jsonl ({id, scope, text, category}) and qrels.tsv (question,
document, grade), or folders of such sets. Nothing of it touches your own store, and nothing leaves this machine.

It shows hybrid search, the lexical and the dense leg alone and a plain BM25 (the floor) side by side, by category,
with 95 % confidence intervals, and how much of the evidence a context of 2,000 tokens holds. With --mode it measures
one of them; --json alone measures hybrid. Times are those of a search in this process, without cached answers.

--report writes what was measured as a page (FILE.md) and its figures beside it (FILE.json), or, where FILE ends in
.json, the figures alone. --baseline compares with figures so written.

Exit codes: 0 measured, 1 failed, 2 wrong usage or a set that cannot be read, 3 no such set or file, 5 a figure is worse
than in --baseline by more than .01 (each is named, and no report is written), 130 interrupted.

` + environment(),
		Example: `  rae eval --set functions/cmd/rae/testdata/conversation
  rae eval --set functions/cmd/rae/testdata/conversation --mode lexical --json
  rae eval --set functions/cmd/rae/testdata/conversation --limit-queries 5 --split odd`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if e.dir == "" {
				return usagef("--set is required: a folder with corpus.jsonl, queries.jsonl and qrels.tsv, or of such folders")
			}
			if e.modes, err = p.readModes(mode, &e); err != nil {
				return err
			}
			if e.half, err = readHalf(half); err != nil {
				return err
			}
			if err := e.check(); err != nil {
				return err
			}
			return p.doEval(c.Context(), &e)
		},
	}
	c.Flags().StringVar(&e.dir, "set", "", "folder of a set, or of sets")
	c.Flags().StringVar(&mode, "mode", "", "how to find: hybrid, lexical, dense, floor, or all side by side (default: all; with --json hybrid)")
	c.Flags().StringVar(&e.store, "store", "sqlite", "store to measure with: sqlite (in a temporary folder), inmem, or postgres (in RAE_POSTGRES_URL, as a tenant that is erased afterwards)")
	c.Flags().IntVar(&e.limit, "limit-queries", 0, "ask only the first N questions of each set (0: all)")
	c.Flags().StringVar(&half, "split", "", "ask in every other haystack, by the order of their names: odd (the first, third …) or even")
	c.Flags().StringVar(&e.report, "report", "", "write the page FILE.md and the figures FILE.json")
	c.Flags().StringVar(&e.notes, "notes", "", "put this Markdown file into the page: what was fitted on what, where the sets come from")
	c.Flags().StringVar(&e.baseline, "baseline", "", "fail with exit code 5 where a figure is worse than in this FILE.json by more than .01")
	return c
}

// readModes returns the ways of finding that are measured. A page shows them all.
func (p *program) readModes(mode string, e *evaluation) ([]string, error) {
	all := []search.Mode{search.Hybrid, search.Lexical, search.Dense, floorMode}
	if mode == "" {
		mode = "all"
		if p.json && e.report == "" && e.baseline == "" {
			mode = string(search.Hybrid)
		}
	}
	if _, err := readMode(mode, append(all, "all")...); err != nil {
		return nil, err
	}
	if mode != "all" {
		return []string{mode}, nil
	}
	var modes []string
	for _, m := range all {
		modes = append(modes, string(m))
	}
	return modes, nil
}

func readHalf(half string) (eval.Half, error) {
	switch h := eval.Half(half); h {
	case "", eval.Odd, eval.Even:
		return h, nil
	}
	return "", usagef("--split %q must be odd or even", half)
}

func (e *evaluation) check() error {
	switch e.store {
	case database.SQLite, database.InMem, database.Postgres:
	default:
		return usagef("--store %q must be sqlite, inmem or postgres", e.store)
	}
	if e.limit < 0 {
		return usagef("--limit-queries %d must not be negative", e.limit)
	}
	if e.report == "" {
		if e.notes != "" {
			return usagef("--notes is for the page that --report writes")
		}
		return nil
	}
	if ext := filepath.Ext(e.report); ext != ".md" && ext != ".json" {
		return usagef("--report %q must end in .md or .json", e.report)
	}
	if e.limit > 0 || e.half != "" || len(e.modes) == 1 {
		return usagef("--report is of whole sets, measured in every way: leave out --mode, --limit-queries and --split")
	}
	return nil
}

func (p *program) doEval(ctx context.Context, e *evaluation) error {
	dirs, err := eval.Find(e.dir)
	if err != nil {
		return err
	}
	var held *comparison
	if e.baseline != "" {
		if held, err = newComparison(e.baseline); err != nil {
			return err
		}
	}
	var results []eval.Result
	for _, dir := range dirs {
		set, err := e.load(dir)
		if err != nil {
			return err
		}
		result, err := p.measure(ctx, e, set)
		if err != nil {
			return fmt.Errorf("evaluate %s: %w", dir, err)
		}
		if err := p.tell(dir, &result); err != nil {
			return err
		}
		if held != nil {
			if err := held.with(&result); err != nil {
				return err
			}
		}
		results = append(results, result)
	}
	if held != nil {
		if err := held.verdict(); err != nil {
			return err
		}
	}
	if e.report == "" {
		return nil
	}
	return p.writeReport(e, results)
}

func (e *evaluation) load(dir string) (*eval.Set, error) {
	set, err := eval.Load(dir)
	if err == nil && e.half != "" {
		set, err = set.HalfOf(e.half)
	}
	if err == nil && e.limit > 0 {
		set.Questions = set.Questions[:min(e.limit, len(set.Questions))]
	}
	return set, err
}

// measure runs one set through an engine of its own.
func (p *program) measure(ctx context.Context, e *evaluation, set *eval.Set) (result eval.Result, err error) {
	cfg, err := rae.Load()
	if err != nil {
		return eval.Result{}, err
	}
	cfg.Store.Store = e.store
	if err := cfg.Store.Check(); err != nil {
		return eval.Result{}, err
	}
	cfg.Search.CacheAnswers = 0 // an answer kept is not a search
	if cfg.Store.DataDir, err = os.MkdirTemp("", "rae-eval-*"); err != nil {
		return eval.Result{}, fmt.Errorf("make a temporary store: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(cfg.Store.DataDir)) }()
	err = p.withConfig(ctx, cfg, func(engine *rae.Engine) (err error) {
		s := newSubject(engine)
		defer func() { err = errors.Join(err, s.forget(context.WithoutCancel(ctx))) }()
		result, err = p.examine(ctx, e, set, s)
		if s.degraded > 0 {
			fmt.Fprintf(p.stderr, "rae: %s had a stage that failed\n", counted(s.degraded, "answer", "answers"))
		}
		return err
	})
	return result, err
}

// examine loads the set once and asks its questions in every way.
func (p *program) examine(ctx context.Context, e *evaluation, set *eval.Set, s *subject) (eval.Result, error) {
	floor := eval.NewFloor()
	keepers := map[eval.Keeper]bool{}
	var runs []eval.Run
	for _, mode := range e.modes {
		var keeper eval.Keeper = s
		var finder eval.Finder = way{s, search.Mode(mode)}
		if mode == floorMode {
			keeper, finder = floor, floor
		}
		if !keepers[keeper] {
			keepers[keeper] = true
			if err := p.shown("load "+set.Dir, "documents", len(set.Documents), func(progress eval.Progress) error {
				return eval.Fill(ctx, keeper, set, progress)
			}); err != nil {
				return eval.Result{}, err
			}
		}
		run := eval.Run{Mode: mode}
		if err := p.shown("ask "+set.Dir+" "+mode, "questions", len(set.Questions), func(progress eval.Progress) (err error) {
			run.Answers, err = eval.Ask(ctx, finder, set, progress)
			return err
		}); err != nil {
			return eval.Result{}, err
		}
		runs = append(runs, run)
	}
	result := eval.Judge(set, runs)
	if len(e.modes) == 1 {
		return result, nil
	}
	err := p.shown("pack "+set.Dir, "questions", len(set.Questions), func(progress eval.Progress) error {
		figures, err := eval.Cover(ctx, s, set, contextTokens, progress)
		result.Context = &figures
		return err
	})
	return result, err
}

// shown does something of which a meter shows how far it has come.
func (p *program) shown(what, unit string, total int, do func(eval.Progress) error) error {
	m := p.byCount(printable(what), unit, int64(total))
	defer m.finish()
	return do(func(done, _ int) { m.add(int64(done) - m.done) })
}

// writeReport writes the page and its figures, or the figures alone.
func (p *program) writeReport(e *evaluation, results []eval.Result) error {
	base := strings.TrimSuffix(e.report, filepath.Ext(e.report))
	if err := os.WriteFile(base+".json", eval.Commit(results).JSON(), 0o644); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	if filepath.Ext(e.report) == ".json" {
		return nil
	}
	page := eval.Report{Command: e.command(), Machine: machine(), Date: today(), Version: thisBuild().Version}
	if e.notes != "" {
		notes, err := os.ReadFile(e.notes)
		if err != nil {
			return fmt.Errorf("read the notes: %w", err)
		}
		page.Notes = string(notes)
	}
	if err := os.WriteFile(e.report, []byte(page.Markdown(results)), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// command is what wrote a page, without where things lie on this machine.
func (e *evaluation) command() string {
	words := []string{"rae eval --set", portable(e.dir), "--report", portable(e.report)}
	if e.notes != "" {
		words = append(words, "--notes", portable(e.notes))
	}
	if e.store != database.SQLite {
		words = append(words, "--store", e.store)
	}
	return strings.Join(words, " ")
}

func portable(path string) string {
	if filepath.IsLocal(path) {
		return path
	}
	return filepath.Base(path)
}
