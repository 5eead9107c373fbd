package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

// shownErrors is how many refused lines are told one by one on a screen.
const shownErrors = 20

func (p *program) importing() *cobra.Command {
	var strict bool
	c := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Store memories from JSON lines",
		Long: `import reads one memory per line (NDJSON), in the form the API takes and export writes, from a file or, with -,
from standard input. A line that is at fault is reported with its number and the others are stored; with --strict the
exit code is then 1. Repeating an import stores nothing twice. An interrupt ends it cleanly.

` + environment(),
		Example: `  rae import conversation.jsonl
  echo '{"content":"Alice prefers window seats."}' | rae import -
  rae import --project travel --strict --json memories.jsonl`,
		Args: needs("FILE", 1, 1),
		RunE: func(c *cobra.Command, args []string) error { return p.doImport(c.Context(), args[0], strict) },
	}
	c.Flags().BoolVar(&strict, "strict", false, "fail (exit code 1) when any line was refused")
	return c
}

// imported is what --json prints.
type imported struct {
	ingest.Summary
	Interrupted bool    `json:"interrupted"`
	TookMS      float64 `json:"took_ms"`
}

func (p *program) doImport(ctx context.Context, name string, strict bool) error {
	input, total, err := p.input(name)
	if err != nil {
		return err
	}
	defer input.Close()
	meter := p.byBytes("import", "lines", total)
	began := time.Now()
	var summary ingest.Summary
	err = p.with(ctx, func(engine *rae.Engine) (err error) {
		reader := &metered{ended: ctx.Done(), r: input, meter: meter}
		why := memory.Why{Actor: "rae import", Reason: "import"}
		summary, err = engine.Memories.Import(ctx, p.scope(), reader, why, func(s ingest.Summary) { meter.counts(s.Lines) })
		meter.finish()
		return err
	})
	took := time.Since(began)
	if told := p.tellImport(summary, err != nil, took); told != nil {
		return errors.Join(err, told)
	}
	if err == nil && strict && summary.Refused > 0 {
		return fmt.Errorf("%s refused", counted(summary.Refused, "line was", "lines were"))
	}
	return err
}

func (p *program) tellImport(s ingest.Summary, interrupted bool, took time.Duration) error {
	if p.json {
		if s.Errors == nil {
			s.Errors = []ingest.LineError{}
		}
		return p.printJSON(imported{Summary: s, Interrupted: interrupted, TookMS: float64(took.Microseconds()) / 1000})
	}
	for i, e := range s.Errors {
		if i == shownErrors {
			fmt.Fprintf(p.stderr, "rae: … and %s (all with --json)\n", counted(s.Refused-shownErrors, "more refused line", "more refused lines"))
			break
		}
		fmt.Fprintf(p.stderr, "rae: line %d refused: %s\n", e.Line, printable(e.Reason))
	}
	stored := s.Created + s.Updated + s.Deduplicated
	_, err := fmt.Fprintf(p.stdout, "%s read: %s created, %s updated, %s stood already, %s refused (%.1f s, %s)\n",
		counted(s.Lines, "line", "lines"), thousands(s.Created), thousands(s.Updated), thousands(s.Deduplicated), thousands(s.Refused),
		took.Seconds(), rate(int64(stored), took, "memories"))
	return err
}

// input opens the file, or standard input for "-". total is its size in bytes, 0 when nobody knows.
func (p *program) input(name string) (input io.ReadCloser, total int64, err error) {
	if name == "-" {
		return io.NopCloser(p.stdin), 0, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, fileFault(err, "read", name)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(fileFault(err, "read", name), file.Close())
	}
	if info.IsDir() {
		return nil, 0, errors.Join(usagef("cannot read %s: it is a folder", name), file.Close())
	}
	return file, info.Size(), nil
}

// fileFault classifies what the system says of a file; its own text names the file.
func fileFault(err error, verb, name string) error {
	if errors.Is(err, os.ErrNotExist) {
		return fault.New(fault.NotFound, "cannot %s %s: there is no such file", verb, name)
	}
	return fmt.Errorf("cannot %s: %w", verb, err)
}
