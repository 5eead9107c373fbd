package backup

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
)

// Write writes an archive of the tenant that the header names, or of all, to the file at path, which only its owner may
// read: it holds everything the store knows. seen, unless nil, hears of every row.
//
// The file is written beside, as path.partial, read again, and given its name when it is whole; until then, what stood
// under the name stands. An interrupted backup leaves the partial file, and one with the same header goes on after the
// last tenant that is whole in it: so tenants may have been told at different times, each as of one moment. Conflict: the
// partial file is of another backup. NotFound: the store has nothing of the tenant.
func Write(ctx context.Context, s Source, path string, h Header, seen func()) (Summary, error) {
	if seen == nil {
		seen = func() {}
	}
	file, err := os.OpenFile(path+".partial", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return Summary{}, fault.Wrap(fault.Unavailable, err, "the backup cannot be written")
	}
	summary, err := writeFile(ctx, s, file, h, seen)
	if err := errors.Join(err, file.Close()); err != nil {
		return summary, err
	}
	if err := errors.Join(os.Rename(file.Name(), path), syncFolder(path)); err != nil {
		return summary, fault.Wrap(fault.Unavailable, err, "the backup cannot be given its name")
	}
	return summary, nil
}

func writeFile(ctx context.Context, s Source, file *os.File, h Header, seen func()) (Summary, error) {
	if err := file.Chmod(0o600); err != nil {
		return Summary{}, err
	}
	w, err := resume(ctx, file, h)
	if err != nil {
		return Summary{}, err
	}
	if err := w.tenants(ctx, s, h.Tenant, seen); err != nil {
		return w.summary, err
	}
	if err := errors.Join(w.end(), file.Sync()); err != nil {
		return w.summary, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return w.summary, err
	}
	summary, err := Read(&reading{ctx, file}, nil)
	if err != nil {
		return summary, fault.Wrap(fault.Unavailable, err, "what was written cannot be read again")
	}
	return summary, nil
}

// tenants writes those that are not written yet.
func (w *writer) tenants(ctx context.Context, s Source, only string, seen func()) error {
	last := ""
	if n := len(w.summary.Tenants); n > 0 {
		last = w.summary.Tenants[n-1].Name
	}
	for {
		tenant, err := only, error(nil)
		if only == "" {
			tenant, err = s.NextTenant(ctx, last)
		}
		if err != nil || tenant == "" || tenant == last {
			return err
		}
		if err := w.tenant(ctx, s, tenant, time.Now().UTC().Truncate(time.Second), seen); err != nil {
			return err
		}
		if w.summary.Tenants[len(w.summary.Tenants)-1].Count() == 0 && only != "" {
			return fault.New(fault.NotFound, "the store has nothing of tenant %q", tenant)
		}
		last = tenant
	}
}

// resume returns a writer that goes on at the end of what is whole in the file.
func resume(ctx context.Context, file *os.File, h Header) (*writer, error) {
	w := newWriter(file)
	found, err := scan(ctx, file)
	switch {
	case err != nil:
		return nil, err
	case found.end > 0 && !found.header.same(h):
		return nil, fault.New(fault.Conflict, "%s is what remains of another backup: finish that one, or remove it", file.Name())
	case found.end > 0:
		w.summary, w.all = found.summary, found.all
	}
	if err := file.Truncate(found.end); err != nil {
		return nil, err
	}
	if _, err := file.Seek(found.end, io.SeekStart); err != nil {
		return nil, err
	}
	if found.end == 0 {
		return w, w.header(h)
	}
	return w, nil
}

// found is what is whole of an interrupted backup.
type found struct {
	end     int64 // bytes; 0 when not even the header is whole
	header  Header
	summary Summary
	all     hash.Hash
}

// scan reads the members of the file up to the first that is not whole, or the end of the archive.
func scan(ctx context.Context, file *os.File) (found, error) {
	counted := &counting{r: &reading{ctx, file}}
	in := bufio.NewReader(counted)
	zip, err := gzip.NewReader(in)
	switch {
	case errors.Is(err, gzip.ErrHeader):
		return found{}, fault.New(fault.Conflict, "%s is no backup: it is left alone", file.Name())
	case err != nil:
		return found{}, ctx.Err()
	}
	r, whole := newReader(), found{}
	for {
		zip.Multistream(false)
		r.lines = bufio.NewReaderSize(zip, 64<<10)
		more := true
		if whole.end == 0 {
			err = r.header()
		} else {
			more, err = r.part(nil)
		}
		if err == nil {
			err = r.nothing()
		}
		if err != nil || !more {
			break
		}
		all, err := r.all.(hash.Cloner).Clone()
		if err != nil {
			return found{}, err
		}
		whole = found{end: counted.n - int64(in.Buffered()), header: r.summary.Header, summary: r.summary, all: all}
		if err := zip.Reset(in); err != nil {
			break
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return found{}, err
	}
	return whole, ctx.Err()
}

// counting counts what is read.
type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// reading reads until the context ends.
type reading struct {
	ctx context.Context
	r   io.Reader
}

func (r *reading) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

// syncFolder makes the file's name as durable as its contents.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
