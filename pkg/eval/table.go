package eval

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Table is figures for people, on a terminal or in Markdown.
type Table struct {
	Head []string
	Rows [][]string
}

// Figures is one row for each way of finding and, below them, how far the main figures of the first may be chance and
// what it gains over the last.
func (r *Result) Figures() Table {
	t := Table{Head: append([]string{"mode"}, Columns()...)}
	for i := range r.Ways {
		t.Rows = append(t.Rows, append([]string{r.Ways[i].Mode}, Cells(&r.Ways[i].Figures)...))
	}
	if len(r.Ways) == 0 {
		return t
	}
	first, last := &r.Ways[0], &r.Ways[len(r.Ways)-1]
	t.Rows = append(t.Rows, t.inColumns(first.Mode+", 95 %", func(name string) string {
		interval, ok := first.Intervals[name]
		return when(ok, fmt.Sprintf("%.3f to %.3f", interval.Low, interval.High))
	}))
	if r.Gain != nil {
		t.Rows = append(t.Rows, t.inColumns(first.Mode+" − "+last.Mode, func(name string) string {
			gain, ok := r.Gain[name]
			return when(ok, fmt.Sprintf("%+.4f", gain.Mean))
		}), t.inColumns("… 95 %", func(name string) string {
			gain, ok := r.Gain[name]
			return when(ok, fmt.Sprintf("%+.3f to %+.3f", gain.Low, gain.High))
		}))
	}
	return t
}

func (t *Table) inColumns(title string, cell func(figure string) string) []string {
	row := []string{title}
	for _, name := range t.Head[1:] {
		row = append(row, cell(name))
	}
	return row
}

func when(ok bool, text string) string {
	if ok {
		return text
	}
	return ""
}

// Categories is one row for each category and way of finding.
func (r *Result) Categories() Table {
	t := Table{Head: append([]string{"category", "mode"}, Columns()...)}
	if len(r.Ways) == 0 {
		return t
	}
	for _, category := range slices.Sorted(maps.Keys(r.Ways[0].Figures.ByCategory)) {
		for i := range r.Ways {
			f := r.Ways[i].Figures.ByCategory[category]
			t.Rows = append(t.Rows, append([]string{category, r.Ways[i].Mode}, Cells(&f)...))
		}
	}
	return t
}

// Contexts is one row for each result whose packing was measured.
func Contexts(results []Result) Table {
	var t Table
	for i := range results {
		c := results[i].Context
		if c == nil {
			continue
		}
		if t.Head == nil {
			t.Head = []string{"set", fmt.Sprintf("evidence_coverage@%d", c.MaxTokens), "evidence_complete", "tokens", "p50_ms", "p95_ms"}
		}
		t.Rows = append(t.Rows, []string{results[i].Name, share(c.Coverage), share(c.Whole), fmt.Sprintf("%.0f", c.Tokens), duration(c.P50), duration(c.P95)})
	}
	return t
}

// Columns name the figures in the order they are told.
func Columns() []string {
	var names []string
	for _, f := range new(Figures).Shares() {
		names = append(names, f.Name)
	}
	return append(names, "p50_ms", "p95_ms", "queries")
}

// Cells are the figures of Columns.
func Cells(f *Figures) []string {
	var cells []string
	for _, figure := range f.Shares() {
		cells = append(cells, share(figure.Value))
	}
	return append(cells, duration(f.P50), duration(f.P95), strconv.Itoa(f.Questions))
}

func share(v float64) string    { return fmt.Sprintf("%.4f", v) }
func duration(v float64) string { return fmt.Sprintf("%.2f", v) }
