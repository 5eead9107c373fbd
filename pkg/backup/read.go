package backup

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"iter"
	"maps"
	"slices"

	"github.com/rae-memory/rae/pkg/fault"
)

// Read reads an archive to its end and checks every line, count and hash. visit, when it is not nil, is called with the
// rows of each tenant, which it need not read; they end with an error where the archive is damaged. The error, Malformed
// or Unsupported, names the line and the tenant; that of visit is returned unchanged.
func Read(archive io.Reader, visit func(tenant string, rows iter.Seq2[Row, error]) error) (Summary, error) {
	r := newReader()
	zip, err := gzip.NewReader(bufio.NewReader(archive))
	if err != nil {
		return Summary{}, r.torn(err)
	}
	r.lines = bufio.NewReaderSize(zip, 64<<10)
	if err := r.header(); err != nil {
		return Summary{}, err
	}
	for {
		more, err := r.part(visit)
		if err != nil {
			return r.summary, err
		}
		if !more {
			return r.summary, r.nothing()
		}
	}
}

// reader reads the lines of an archive.
type reader struct {
	lines   *bufio.Reader
	number  int    // of the last line
	tenant  string // whose rows are being read
	all     hash.Hash
	summary Summary
	tables  []*Table
	long    []byte // a line that is longer than the buffer of lines
}

func newReader() *reader { return &reader{all: sha256.New(), tables: Tables()} }

// next reads a line. It is the reader's until the next call.
func (r *reader) next() ([]byte, error) {
	r.number++
	line, err := r.lines.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		r.long = append(r.long[:0], line...)
		for errors.Is(err, bufio.ErrBufferFull) && len(r.long) <= maxLine {
			line, err = r.lines.ReadSlice('\n')
			r.long = append(r.long, line...)
		}
		line = r.long
	}
	switch {
	case len(line) > maxLine:
		return nil, r.bad("it is longer than %d MiB", maxLine>>20)
	case err != nil:
		return nil, r.torn(err)
	}
	r.all.Write(line)
	return line, nil
}

// bad is an error that says where the archive is not as it was written.
func (r *reader) bad(format string, args ...any) error {
	return r.wrap(fault.New(fault.Malformed, format, args...))
}

func (r *reader) wrap(f *fault.Error) error {
	of := ""
	if r.tenant != "" {
		of = " (tenant " + r.tenant + ")"
	}
	where := fault.New(f.Kind, "line %d of the archive%s: %s", r.number, of, f.Message)
	where.Err = f.Err
	return where
}

// torn gives an error of reading its kind.
func (r *reader) torn(err error) error {
	corrupt := new(flate.CorruptInputError)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return r.bad("the archive ends early")
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, corrupt):
		return r.wrap(fault.Wrap(fault.Malformed, err, "cannot be unpacked"))
	}
	return r.wrap(fault.Wrap(fault.Unavailable, err, "cannot be read"))
}

// read reads the next line into a header or a part. What another version would say there is refused.
func (r *reader) read(into any) error {
	line, err := r.next()
	if err != nil {
		return err
	}
	return r.parse(line, into)
}

func (r *reader) parse(line []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return r.wrap(fault.Wrap(fault.Malformed, err, "is not what an archive says there"))
	}
	return nil
}

func (r *reader) header() error {
	line, err := r.next()
	if err != nil {
		return err
	}
	var version struct {
		Format int `json:"rae_backup"`
	}
	switch err := json.Unmarshal(line, &version); {
	case err != nil || version.Format < 1:
		return r.bad("this is no backup of RAE")
	case version.Format > Format:
		return fault.New(fault.Unsupported, "the archive has format %d, this program reads up to %d: a newer version wrote it", version.Format, Format)
	}
	return r.parse(line, &r.summary.Header)
}

// part reads a tenant, or the end: then there is no more.
func (r *reader) part(visit func(string, iter.Seq2[Row, error]) error) (more bool, err error) {
	sum := hex.EncodeToString(r.all.Sum(nil))
	var p part
	if err := r.read(&p); err != nil {
		return false, err
	}
	switch {
	case p.Begin != "":
		return true, r.begin(p.Begin, visit)
	case p.Tenants == nil || p.Total == nil:
		return false, r.bad("a tenant or the end is expected here")
	case *p.Tenants != len(r.summary.Tenants) || *p.Total != r.summary.Count():
		return false, r.bad("%d tenants and %d rows were written, %d and %d are there", *p.Tenants, *p.Total, len(r.summary.Tenants), r.summary.Count())
	case p.Hash != sum:
		return false, r.bad("what is written before is not what was written: its SHA-256 is %s, not %s", sum, p.Hash)
	}
	return false, nil
}

func (r *reader) begin(tenant string, visit func(string, iter.Seq2[Row, error]) error) error {
	r.tenant = tenant
	defer func() { r.tenant = "" }()
	if n := len(r.summary.Tenants); n > 0 && r.summary.Tenants[n-1].Name >= tenant {
		return r.bad("the tenant is out of order")
	}
	rows := &rows{reader: r, digest: newDigest()}
	if visit != nil {
		if err := visit(tenant, rows.each); err != nil {
			return err
		}
	}
	for !rows.ended && rows.err == nil { // what visit left
		rows.each(func(Row, error) bool { return true })
	}
	return rows.err
}

// nothing makes sure that the archive has ended.
func (r *reader) nothing() error {
	r.number++
	_, err := r.lines.ReadByte()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return r.bad("something follows the end")
	}
	return r.torn(err)
}

// rows reads the rows of one tenant and checks them against its end.
type rows struct {
	*reader
	digest *digest
	table  *Table
	told   int     // columns of the table that the archive tells: the first ones
	now    *digest // of the rows as they are told today; nil while that is how they were written
	ended  bool
	err    error
}

// each is an iter.Seq2: the rows that were not read yet. A row is the caller's.
func (r *rows) each(yield func(Row, error) bool) {
	for !r.ended && r.err == nil {
		row, err := r.row()
		switch {
		case err != nil:
			r.err = err
			yield(Row{}, err)
		case r.ended:
		case !yield(row, nil):
			return
		}
	}
}

func (r *rows) row() (Row, error) {
	for {
		line, err := r.next()
		if err != nil {
			return Row{}, err
		}
		if line[0] == '[' {
			return r.decoded(line)
		}
		var p part
		if err := r.parse(line, &p); err != nil {
			return Row{}, err
		}
		switch {
		case p.Table != "":
			if err := r.begins(&p); err != nil {
				return Row{}, err
			}
		case p.End != r.tenant || p.Erased == nil:
			return Row{}, r.bad("a row, a table or the end of the tenant is expected here")
		default:
			return Row{}, r.end(&p)
		}
	}
}

func (r *rows) decoded(line []byte) (Row, error) {
	if r.table == nil {
		return Row{}, r.bad("a row of no table")
	}
	row, err := decode(r.table, r.told, line)
	if err == nil {
		err = r.digest.add(row) // of what was written
	}
	if err != nil {
		return Row{}, r.bad("%v", err)
	}
	for _, c := range r.table.Columns[r.told:] {
		row.Values = append(row.Values, c.Default)
	}
	if r.now != nil {
		if err := r.now.add(row); err != nil {
			return Row{}, r.bad("%v", err)
		}
	}
	return row, nil
}

func (r *rows) begins(p *part) error {
	at := slices.IndexFunc(r.tables, func(t *Table) bool { return t.Name == p.Table })
	switch {
	case at < 0:
		return r.wrap(fault.New(fault.Unsupported, "this program knows no table %q", p.Table))
	case r.table != nil && slices.Index(r.tables, r.table) >= at:
		return r.bad("table %s is out of order", p.Table)
	case !r.tables[at].tells(p.Columns):
		return r.wrap(fault.New(fault.Unsupported, "table %s has columns that this program does not read", p.Table))
	}
	r.table, r.told = r.tables[at], len(p.Columns)
	if r.now == nil && r.told < len(r.table.Columns) {
		var err error
		if r.now, err = r.digest.clone(); err != nil {
			return r.bad("%v", err)
		}
	}
	return nil
}

func (r *rows) end(p *part) error {
	t := r.digest.tenant(r.tenant)
	switch {
	case !maps.Equal(t.Rows, p.Rows):
		return r.bad("%v rows were written, %v are there", p.Rows, t.Rows)
	case t.Hash != p.Hash:
		return r.bad("the rows of the tenant are not what was written: their SHA-256 is %s, not %s", t.Hash, p.Hash)
	}
	if r.now != nil {
		t = r.now.tenant(r.tenant)
	}
	r.ended = true
	r.summary.Tenants = append(r.summary.Tenants, t)
	r.summary.Erased = max(r.summary.Erased, *p.Erased)
	return nil
}
