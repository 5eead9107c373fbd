package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/rae-memory/rae"
)

func (p *program) exporting() *cobra.Command {
	var which selection
	c := &cobra.Command{
		Use:   "export [FILE|-]",
		Short: "Write memories as JSON lines",
		Long: `export writes the memories that match, newest first and one per line (NDJSON), to a file or, without one or with -,
to standard output. Every line can be imported again. A file appears under its name only when it is whole.

` + environment(),
		Example: `  rae export memories.jsonl
  rae export --layer semantic --tag travel --since 2026-01-01 > facts.jsonl
  rae export --known-at 2026-03-01T00:00:00Z before.jsonl`,
		Args: needs("FILE", 0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			name := "-"
			if len(args) > 0 {
				name = args[0]
			}
			return p.doExport(c.Context(), name, &which)
		},
	}
	which.flags(c.Flags())
	return c
}

// exported is what --json prints, where standard output is not the export itself.
type exported struct {
	File   string  `json:"file"`
	Count  int     `json:"memories"`
	Bytes  int64   `json:"bytes"`
	TookMS float64 `json:"took_ms"`
}

func (p *program) doExport(ctx context.Context, name string, which *selection) error {
	filter, view, err := which.read()
	if err != nil {
		return err
	}
	meter := p.byBytes("export", "memories", 0)
	began := time.Now()
	count := 0
	err = p.with(ctx, func(engine *rae.Engine) error {
		return p.writing(name, func(w io.Writer) (err error) {
			counting := &meteredWriter{w: w, meter: meter}
			count, err = engine.Memories.Export(ctx, p.scope(), filter, view, counting)
			return err
		})
	})
	meter.finish()
	took := time.Since(began)
	switch {
	case err != nil:
		return err
	case name == "-" && p.quiet:
		return nil
	case name == "-":
		_, err = fmt.Fprintf(p.stderr, "rae: %s, %s\n", counted(count, "memory", "memories"), size(meter.done))
	case p.json:
		err = p.printJSON(exported{File: name, Count: count, Bytes: meter.done, TookMS: float64(took.Microseconds()) / 1000})
	default:
		_, err = fmt.Fprintf(p.stdout, "%s written to %s (%s, %.1f s)\n", counted(count, "memory", "memories"), name, size(meter.done), took.Seconds())
	}
	return err
}

// writing lends a writer to the file, or to standard output for "-". The file takes its name when do has written it
// whole; before that, what stood under the name stands.
func (p *program) writing(name string, do func(io.Writer) error) error {
	if name == "-" {
		return do(p.stdout)
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() { // a device or a pipe cannot be replaced
		file, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return fileFault(err, "write", name)
		}
		return errors.Join(do(file), file.Close())
	}
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*") // 0600: memories are private
	if err != nil {
		return fileFault(err, "write", name)
	}
	if err := errors.Join(do(file), file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	if err := os.Rename(file.Name(), name); err != nil {
		return errors.Join(fileFault(err, "write", name), os.Remove(file.Name()))
	}
	return nil
}
