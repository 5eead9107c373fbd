package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/rae-memory/rae/pkg/eval"
	"github.com/rae-memory/rae/pkg/fault"
)

// measured is what --json prints of one set: the figures of the first way of finding and, where several were measured,
// those of all beside them.
type measured struct {
	Set  string `json:"set"`
	Mode string `json:"mode"`
	eval.Figures
	Modes     map[string]eval.Figures             `json:"modes,omitempty"`
	Intervals map[string]map[string]eval.Interval `json:"intervals,omitempty"` // by mode, 95 %
	Gain      map[string]eval.Difference          `json:"gain_over_floor,omitempty"`
	HeldOut   map[string]eval.Figures             `json:"even_half,omitempty"` // by mode
	Context   *eval.ContextFigures                `json:"context,omitempty"`
}

func measurement(dir string, r *eval.Result) measured {
	m := measured{Set: dir, Mode: r.Ways[0].Mode, Figures: r.Ways[0].Figures}
	if len(r.Ways) == 1 {
		return m
	}
	m.Modes, m.Intervals = map[string]eval.Figures{}, map[string]map[string]eval.Interval{}
	for _, way := range r.Ways {
		m.Modes[way.Mode], m.Intervals[way.Mode] = way.Figures, way.Intervals
	}
	if r.HeldOut != nil {
		m.HeldOut = map[string]eval.Figures{}
		for _, way := range r.HeldOut.Ways {
			m.HeldOut[way.Mode] = way.Figures
		}
	}
	m.Gain, m.Context = r.Gain, r.Context
	return m
}

// tell prints what was measured of one set.
func (p *program) tell(dir string, r *eval.Result) error {
	if p.json {
		return p.printJSON(measurement(dir, r))
	}
	fmt.Fprintf(p.stdout, "%s: %s, %s, %s\n", p.bold(printable(dir)), counted(r.Documents, "document", "documents"),
		counted(r.Questions, "question", "questions"), counted(r.Scopes, "haystack", "haystacks"))
	tables := []eval.Table{r.Figures()}
	if len(r.Ways[0].Figures.ByCategory) > 1 {
		tables = append(tables, r.Categories())
	}
	if r.Context != nil {
		tables = append(tables, eval.Contexts([]eval.Result{*r}))
	}
	for _, t := range tables {
		if err := p.tellTable(&t); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) tellTable(t *eval.Table) error {
	table := p.table()
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		row[0] = printable(row[0])
		_, _ = io.WriteString(table, strings.Join(row, "\t")+"\n")
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.stdout)
	return err
}

// comparison holds what is measured to figures that were committed.
type comparison struct {
	file     string
	baseline eval.Baseline
	falls    []eval.Fall
	compared int
}

func newComparison(file string) (*comparison, error) {
	baseline, err := eval.ReadBaseline(file)
	return &comparison{file: file, baseline: baseline}, err
}

func (c *comparison) with(r *eval.Result) error {
	falls, known, err := c.baseline.Falls(r)
	if known {
		c.compared++
	}
	c.falls = append(c.falls, falls...)
	return err
}

// verdict is an error where a figure fell, or where nothing could be compared.
func (c *comparison) verdict() error {
	if c.compared == 0 {
		return fault.New(fault.NotFound, "%s has figures of none of these sets", c.file)
	}
	if len(c.falls) > 0 {
		return &fellError{c.file, c.falls}
	}
	return nil
}

// fellError says which figures are worse than committed.
type fellError struct {
	file  string
	falls []eval.Fall
}

func (e *fellError) Error() string {
	lines := make([]string, len(e.falls))
	for i, fall := range e.falls {
		lines[i] = fall.String()
	}
	return fmt.Sprintf("%s worse than in %s by more than %v: %s", counted(len(e.falls), "figure is", "figures are"), e.file, eval.Tolerance, strings.Join(lines, "; "))
}
