package eval

import (
	"fmt"
	"strings"
)

// Report is what a page about quality says besides the figures.
type Report struct {
	Command string // that wrote it
	Machine string // processor, cores, operating system, Go
	Date    string // YYYY-MM-DD
	Version string // of the engine
	Notes   string // in Markdown: what was fitted on what, where the sets come from
}

// Markdown is the page.
func (r *Report) Markdown(results []Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# How well it finds\n\nWritten by `%s` on %s, revision %s, on %s. Do not edit it; run it again.\n\n", r.Command, r.Date, r.Version, r.Machine)
	b.WriteString(legend)
	if notes := strings.TrimSpace(r.Notes); notes != "" {
		b.WriteString(notes + "\n\n")
	}
	b.WriteString("## Sets\n\n")
	sets := Table{Head: []string{"set", "documents", "questions", "haystacks"}}
	for i := range results {
		sets.Rows = append(sets.Rows, []string{
			results[i].Name, fmt.Sprint(results[i].Documents), fmt.Sprint(results[i].Questions), fmt.Sprint(results[i].Scopes),
		})
	}
	b.WriteString(sets.Markdown())
	if contexts := Contexts(results); len(contexts.Rows) > 0 {
		b.WriteString("## Evidence in a prompt\n\n" + contexts.Markdown())
	}
	for i := range results {
		section(&b, &results[i])
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

const legend = "`hybrid` is the default way of finding, `lexical` and `dense` one leg of it alone, `floor` plain BM25 (k1 .9, b .4) over\n" +
	"the stems of text and metadata values, which shares no ranking code with the engine. Figures are means over questions, `macro_`\n" +
	"over categories; intervals are 95 % of 1,000 bootstrap samples of the questions, differences paired by question. Times\n" +
	"are milliseconds of one search in process, nothing cached. `evidence_coverage` is the share of the relevant documents'\n" +
	"bytes that a context of so many tokens holds, `evidence_complete` the share of questions whose evidence it holds whole.\n\n"

func section(b *strings.Builder, r *Result) {
	fmt.Fprintf(b, "## %s\n\n", r.Name)
	figures := r.Figures()
	b.WriteString(figures.Markdown())
	if r.HeldOut != nil {
		figures := r.HeldOut.Figures()
		fmt.Fprintf(b, "The even half of its haystacks alone, in the order of their names:\n\n%s", figures.Markdown())
	}
	if categories := r.Categories(); len(r.Ways) > 0 && len(r.Ways[0].Figures.ByCategory) > 1 {
		b.WriteString("By category:\n\n" + categories.Markdown())
	}
}

// Markdown is the table between pipes, ended by an empty line.
func (t *Table) Markdown() string {
	var b strings.Builder
	line := func(cells []string) {
		b.WriteString("|")
		for _, cell := range cells {
			b.WriteString(" " + strings.NewReplacer("|", "\\|", "\n", " ").Replace(cell) + " |")
		}
		b.WriteString("\n")
	}
	line(t.Head)
	line(strings.Split(strings.Repeat("---,", len(t.Head)-1)+"---", ","))
	for _, row := range t.Rows {
		line(row)
	}
	b.WriteString("\n")
	return b.String()
}
