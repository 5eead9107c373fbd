// Package eval measures how well an engine finds: it loads a set of documents with relevance labels, asks every
// question inside its scope, and scores the answers.
package eval

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Document is one line of corpus.jsonl.
type Document struct {
	ID    string          `json:"id"`
	Scope string          `json:"scope"` // the haystack: one project per scope
	Text  string          `json:"text"`
	Time  string          `json:"ts"`
	Meta  memory.Metadata `json:"meta"`
}

// Session returns the conversation the document says it belongs to, "" when it says none.
func (d *Document) Session() string {
	for _, key := range []string{"session_id", "session"} {
		switch v := d.Meta[key].(type) {
		case string:
			return v
		case json.Number:
			return v.String()
		}
	}
	return ""
}

// timeLayouts are the forms of "ts" that sets use.
var timeLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02",
	"3:04 pm on 2 January, 2006", "3:04 PM on 2 January, 2006", "2006/01/02 (Mon) 15:04",
}

// OccurredAt returns the document's time, nil when there is none that can be read.
func (d *Document) OccurredAt() *time.Time {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, strings.TrimSpace(d.Time)); err == nil {
			t = t.UTC()
			return &t
		}
	}
	return nil
}

// Question is one line of queries.jsonl. The answer some sets carry is for people and is not even read.
type Question struct {
	ID       string `json:"id"`
	Scope    string `json:"scope"`
	Text     string `json:"text"`
	Category string `json:"category"`
}

// Set is a folder with corpus.jsonl, queries.jsonl and qrels.tsv.
type Set struct {
	Dir       string
	Documents []Document
	Questions []Question                 // only those with labels
	Relevant  map[string]map[string]bool // question id to document ids with grade > 0
}

// Scopes returns the haystacks in the order of their first document.
func (s *Set) Scopes() []string {
	var scopes []string
	for i := range s.Documents {
		if scope := s.Documents[i].Scope; !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// Name is what reports and committed figures call the set: the last two elements of its folder's path, wherever the
// folder was reached from.
func (s *Set) Name() string {
	dir, err := filepath.Abs(s.Dir)
	if err != nil {
		dir = s.Dir
	}
	return filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir)
}

// Half names every other haystack of a set, in the order of their names.
type Half string

// The halves. What is fitted to the odd ones is reported on the even ones.
const (
	Odd  Half = "odd"  // the first, third, fifth …
	Even Half = "even" // the second, fourth, sixth …
)

// HalfOf returns the part of the set that lies in a half of its haystacks. Invalid when no question does.
func (s *Set) HalfOf(half Half) (*Set, error) {
	scopes := s.Scopes()
	slices.Sort(scopes)
	taken := map[string]bool{}
	for i, scope := range scopes {
		taken[scope] = (half == Odd) == (i%2 == 0)
	}
	part := &Set{Dir: s.Dir, Relevant: s.Relevant}
	for _, d := range s.Documents {
		if taken[d.Scope] {
			part.Documents = append(part.Documents, d)
		}
	}
	for _, q := range s.Questions {
		if taken[q.Scope] {
			part.Questions = append(part.Questions, q)
		}
	}
	if len(part.Questions) == 0 {
		return nil, fault.New(fault.Invalid, "%s has no question in an %s scope", s.Dir, half)
	}
	return part, nil
}

// Find returns the folders at or below dir that hold a set, in name order. NotFound when there is none.
func Find(dir string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && entry.Name() == "corpus.jsonl" {
			found = append(found, filepath.Dir(path))
		}
		return err
	})
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "cannot read %s", dir)
	}
	if len(found) == 0 {
		return nil, fault.New(fault.NotFound, "no corpus.jsonl at or below %s", dir)
	}
	slices.Sort(found)
	return found, nil
}

// Load reads a set. A line that cannot be read is an error naming file and line.
func Load(dir string) (*Set, error) {
	s := &Set{Dir: dir, Relevant: map[string]map[string]bool{}}
	err := eachLine(filepath.Join(dir, "qrels.tsv"), func(line string) error {
		fields := strings.Split(line, "\t")
		if len(fields) != 3 {
			return fmt.Errorf("want question, document and grade between tabs")
		}
		if fields[2] == "0" {
			return nil
		}
		if s.Relevant[fields[0]] == nil {
			s.Relevant[fields[0]] = map[string]bool{}
		}
		s.Relevant[fields[0]][fields[1]] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = eachLine(filepath.Join(dir, "corpus.jsonl"), func(line string) error {
		var d Document
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			return err
		}
		s.Documents = append(s.Documents, d)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = eachLine(filepath.Join(dir, "queries.jsonl"), func(line string) error {
		var q Question
		if err := json.Unmarshal([]byte(line), &q); err != nil {
			return err
		}
		if len(s.Relevant[q.ID]) > 0 {
			s.Questions = append(s.Questions, q)
		}
		return nil
	})
	return s, err
}

func eachLine(path string, do func(line string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fault.Wrap(fault.NotFound, err, "cannot read %s", path)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		if err := do(lines.Text()); err != nil {
			return fault.Wrap(fault.Invalid, err, "%s:%d: %v", path, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot read %s: %v", path, err)
	}
	return nil
}
