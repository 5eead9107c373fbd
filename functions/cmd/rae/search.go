package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/search"
)

// question is what search and context ask, as flags say it.
type question struct {
	selection
	mode      string
	diversity float64
	noRerank  bool
	profile   string
	weights   map[string]string
}

func (q *question) register(c *cobra.Command) {
	q.flags(c.Flags())
	c.Flags().StringVar(&q.mode, "mode", "hybrid", "how to find: hybrid, lexical, dense or graph")
	c.Flags().Float64Var(&q.diversity, "diversity", 0, "0 orders by score alone, towards 1 near-copies are kept apart")
	c.Flags().BoolVar(&q.noRerank, "no-rerank", false, "leave out the second look at the best candidates")
	c.Flags().StringVar(&q.profile, "profile", "", "take the question for factual, conceptual, relational, keyword or temporal (default: what its words tell)")
	c.Flags().StringToStringVar(&q.weights, "weights", nil, "how much each leg counts, 0 to 1, such as lexical=1,dense=0.5")
}

func (q *question) request(p *program, text string) (search.Request, error) {
	mode, err := readMode(q.mode, search.Hybrid, search.Lexical, search.Dense, search.Graph)
	if err != nil {
		return search.Request{}, err
	}
	if strings.TrimSpace(text) == "" {
		return search.Request{}, usagef("QUERY must not be empty")
	}
	if !(q.diversity >= 0 && q.diversity <= 1) {
		return search.Request{}, usagef("--diversity %v must be 0 to 1", q.diversity)
	}
	weights, err := readWeights(q.weights)
	if err != nil {
		return search.Request{}, err
	}
	filter, view, err := q.read()
	return search.Request{
		Scope: p.scope(), Query: strings.ToValidUTF8(text, "\uFFFD"), Mode: mode, Filter: filter, View: view,
		NoRerank: q.noRerank, Diversity: q.diversity, Profile: q.profile, Weights: weights,
	}, err
}

func readWeights(said map[string]string) (search.Weights, error) {
	if len(said) == 0 {
		return nil, nil
	}
	weights := search.Weights{}
	for leg, value := range said {
		weight, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, usagef("--weights %s=%q must be a number from 0 to 1", leg, value)
		}
		weights[leg] = weight
	}
	return weights, nil
}

func readMode(text string, allowed ...search.Mode) (search.Mode, error) {
	if slices.Contains(allowed, search.Mode(text)) {
		return search.Mode(text), nil
	}
	var names []string
	for _, m := range allowed {
		names = append(names, string(m))
	}
	return "", usagef("--mode %q must be one of %s", text, strings.Join(names, ", "))
}

func (p *program) search() *cobra.Command {
	var q question
	var limit int
	var explain bool
	c := &cobra.Command{
		Use:   "search QUERY",
		Short: "Find the memories that matter",
		Long: `search finds memories by words, meaning and entities, and prints the best first, each with its score (0 to 1).
With --explain it says why each was found. Several words need no quotes.

` + environment(),
		Example: `  rae search "When did Caroline go to the support group?"
  rae search --limit 3 --explain --tag travel window seats
  rae search --as-of 2026-03-01 --json "Where does Alice live?"`,
		Args: needs("QUERY", 1, -1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := q.request(p, strings.Join(args, " "))
			if err != nil {
				return err
			}
			if limit < 1 || limit > 100 {
				return usagef("--limit %d must be 1 to 100", limit)
			}
			r.Limit = limit
			return p.doSearch(c.Context(), r, explain)
		},
	}
	q.register(c)
	c.Flags().IntVar(&limit, "limit", 10, "results, at most (1 to 100)")
	c.Flags().BoolVar(&explain, "explain", false, "say of every result why it was found")
	return c
}

// answer is what --json prints; it is the API's answer.
type answer struct {
	Results  []search.Result `json:"results"`
	TookMS   float64         `json:"took_ms"`
	Cached   bool            `json:"cached"`
	Degraded []string        `json:"degraded"`
}

func (p *program) doSearch(ctx context.Context, r search.Request, explain bool) error {
	return p.with(ctx, func(engine *rae.Engine) error {
		began := time.Now()
		found, err := engine.Search.Search(ctx, r)
		if err != nil {
			return err
		}
		took := time.Since(began)
		if !explain {
			for i := range found.Results {
				found.Results[i].Explain = nil
			}
		}
		if p.json {
			return p.printJSON(answer{
				Results: append([]search.Result{}, found.Results...), TookMS: float64(took.Microseconds()) / 1000,
				Cached: found.Cached, Degraded: append([]string{}, found.Degraded...),
			})
		}
		p.tellDegraded(found.Degraded)
		if len(found.Results) == 0 {
			_, err := fmt.Fprintf(p.stdout, "nothing found in project %s of tenant %s\n", p.project, p.tenant)
			return err
		}
		for i := range found.Results {
			if err := p.tellResult(i+1, &found.Results[i], explain); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *program) tellDegraded(stages []string) {
	if len(stages) > 0 {
		fmt.Fprintf(p.stderr, "rae: failed and left out: %s\n", strings.Join(stages, ", "))
	}
}

func (p *program) tellResult(rank int, r *search.Result, explain bool) error {
	m := &r.Memory
	about := []string{string(m.Layer)}
	if m.OccurredAt != nil {
		about = append(about, m.OccurredAt.Format("2006-01-02 15:04"))
	}
	for _, more := range []string{m.SessionID, m.ExternalID} {
		if more != "" {
			about = append(about, printable(more))
		}
	}
	about = append(about, string(m.ID))
	if _, err := fmt.Fprintf(p.stdout, "%2d  %s  %s\n", rank, p.bold(fmt.Sprintf("%.3f", r.Score)), p.faint(strings.Join(about, "  "))); err != nil {
		return err
	}
	const indent = "    "
	for _, line := range wrapped(m.Content, width(p.stdout)-len(indent), 3) {
		fmt.Fprintf(p.stdout, "%s%s\n", indent, line)
	}
	if explain {
		fmt.Fprintf(p.stdout, "%s%s\n", indent, p.faint(explained(r)))
	}
	return nil
}

// explained is one line of why a result stands where it stands.
func explained(r *search.Result) string {
	var parts []string
	for _, s := range []struct {
		name  string
		score *float64
	}{
		{"lexical", r.Scores.Lexical}, {"dense", r.Scores.Dense}, {"graph", r.Scores.Graph}, {"temporal", r.Scores.Temporal},
		{"rerank", r.Scores.Rerank}, {"recency", r.Scores.Recency}, {"importance", r.Scores.Importance},
	} {
		if s.score != nil {
			parts = append(parts, fmt.Sprintf("%s %.3f", s.name, *s.score))
		}
	}
	if r.Explain != nil {
		parts = append(parts, "profile "+r.Explain.Profile, fmt.Sprintf("fused %.3f", r.Explain.Fused))
		for _, leg := range slices.Sorted(maps.Keys(r.Explain.Weights)) {
			parts = append(parts, fmt.Sprintf("weight of %s %g", leg, r.Explain.Weights[leg]))
		}
		if len(r.Explain.MatchedTerms) > 0 {
			parts = append(parts, "matched "+printable(strings.Join(r.Explain.MatchedTerms, " ")))
		}
	}
	return strings.Join(parts, ", ")
}
