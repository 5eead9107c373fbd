package main

import (
	"bytes"
	"fmt"
	"os"
)

// Marks in a document between which a report is written.
const (
	beginMark = "<!-- make bench: begin -->\n"
	endMark   = "<!-- make bench: end -->\n"
)

// writeInto replaces what stands between the marks of the document by the report.
func (r *report) writeInto(path string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, begins := bytes.Cut(old, []byte(beginMark))
	_, tail, ends := bytes.Cut(rest, []byte(endMark))
	if !begins || !ends {
		return fmt.Errorf("%s has no line %q followed by %q to write between", path, beginMark[:len(beginMark)-1], endMark[:len(endMark)-1])
	}
	var table bytes.Buffer
	if err := r.markdown(&table); err != nil {
		return err
	}
	return os.WriteFile(path, bytes.Join([][]byte{head, []byte(beginMark + "\n"), table.Bytes(), []byte("\n" + endMark), tail}, nil), 0o644)
}
