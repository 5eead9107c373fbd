package backup

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"time"

	"github.com/rae-memory/rae/pkg/memory"
)

// writer writes an archive, part by part.
type writer struct {
	file    io.Writer
	zip     *gzip.Writer
	all     hash.Hash
	encoder *encoder
	summary Summary
}

func newWriter(file io.Writer) *writer {
	return &writer{file: file, zip: gzip.NewWriter(file), all: sha256.New(), encoder: newEncoder()}
}

// part writes a member of gzip: what lines writes.
func (w *writer) part(lines func() error) error {
	w.zip.Reset(w.file)
	if err := lines(); err != nil {
		return err
	}
	return w.zip.Close()
}

func (w *writer) line(values any) error {
	line, err := w.encoder.encode(values)
	if err != nil {
		return err
	}
	return w.write(line)
}

func (w *writer) write(line []byte) error {
	w.all.Write(line)
	_, err := w.zip.Write(line)
	return err
}

func (w *writer) header(h Header) error {
	w.summary.Header = h
	return w.part(func() error { return w.line(h) })
}

// tenant writes all that the source keeps of the tenant. seen hears of every row.
func (w *writer) tenant(ctx context.Context, s Source, name string, at time.Time, seen func()) error {
	return w.part(func() error {
		if err := w.line(part{Begin: name, At: &at}); err != nil {
			return err
		}
		d := newDigest()
		erased, err := w.rows(ctx, s, name, d, seen)
		if err != nil {
			return err
		}
		t := d.tenant(name)
		w.summary.Tenants = append(w.summary.Tenants, t)
		return w.line(part{End: name, Rows: t.Rows, Erased: &erased, Hash: t.Hash})
	})
}

func (w *writer) rows(ctx context.Context, s Source, name string, d *digest, seen func()) (memory.Seq, error) {
	var table *Table
	return s.Dump(ctx, name, func(r Row) error {
		if table != r.Table {
			table = r.Table
			if err := w.line(part{Table: table.Name, Columns: names(table.Columns)}); err != nil {
				return err
			}
		}
		line, err := w.encoder.row(r)
		if err != nil {
			return err
		}
		if err := w.write(line); err != nil {
			return err
		}
		seen()
		return d.add(r)
	})
}

func (w *writer) end() error {
	sum := hex.EncodeToString(w.all.Sum(nil))
	tenants, total := len(w.summary.Tenants), w.summary.Count()
	return w.part(func() error { return w.line(part{Tenants: &tenants, Total: &total, Hash: sum}) })
}
