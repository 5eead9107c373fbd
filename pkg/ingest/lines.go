package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// errLongLine says that a line was over its limit; it has been skipped to its end.
var errLongLine = errors.New("line over its limit")

// lines reads a stream line by line in constant memory.
type lines struct {
	from   *bufio.Reader
	limit  int
	number int    // of the line last returned, from 1
	kept   []byte // a line that spans several reads
}

func newLines(r io.Reader, limit int) *lines {
	return &lines{from: bufio.NewReaderSize(r, 64<<10), limit: limit}
}

// next returns the next line that is not blank, without its end; it is valid until the next call. errLongLine skips
// a line that is over the limit; io.EOF ends the stream. Any other error is the stream's own, and what had been read
// of the line by then is not returned: it may be half of one.
func (l *lines) next() ([]byte, error) {
	for {
		line, err := l.read()
		if err == errLongLine || err != nil && (err != io.EOF || len(line) == 0) {
			return nil, err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
		if err == io.EOF {
			return nil, io.EOF
		}
	}
}

// read returns one line, or what is left of the stream with io.EOF. Its end does not count towards the limit.
func (l *lines) read() ([]byte, error) {
	l.number++
	part, err := l.from.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return l.within(part, err)
	}
	l.kept = l.kept[:0]
	for {
		if len(l.kept) <= l.limit+1 { // once it is over, the rest is only read past
			l.kept = append(l.kept, part...)
		}
		if err != bufio.ErrBufferFull {
			return l.within(l.kept, err)
		}
		part, err = l.from.ReadSlice('\n')
	}
}

func (l *lines) within(line []byte, err error) ([]byte, error) {
	if (err == nil || err == io.EOF) && len(bytes.TrimSuffix(line, []byte("\n"))) > l.limit {
		return nil, errLongLine
	}
	return line, err
}
