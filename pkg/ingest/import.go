package ingest

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Summary tells what became of an import. Lines, and the numbers in Errors, count from 1; blank lines have numbers
// but are not counted.
type Summary struct {
	Lines        int         `json:"lines" doc:"Lines read that were not blank."`
	Created      int         `json:"created"`
	Deduplicated int         `json:"deduplicated"`
	Updated      int         `json:"updated"`
	Refused      int         `json:"refused" doc:"Lines that were not stored."`
	Errors       []LineError `json:"errors" doc:"The first 1000 refused lines."`
}

// LineError says why one line was refused.
type LineError struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
	Field  string `json:"field,omitempty"`
}

// Interrupted is an import that ended before its input did. What Summary counts is stored; repeating the import
// recognises it. The kind is that of the cause.
type Interrupted struct {
	Summary Summary
	Err     error
}

func (e *Interrupted) Error() string {
	return "import interrupted after " + strconv.Itoa(e.Summary.Lines) + " lines: " + e.Err.Error()
}

func (e *Interrupted) Unwrap() error         { return e.Err }
func (e *Interrupted) FaultKind() fault.Kind { return fault.KindOf(e.Err) }

// PublicMessage tells how far the import came.
func (e *Interrupted) PublicMessage() string {
	return "the import ended after " + strconv.Itoa(e.Summary.Lines) + " lines (" + fault.Public(e.Err) + "); repeating it recognises what is stored"
}

// ProblemMembers adds the summary so far to the problem document.
func (e *Interrupted) ProblemMembers() map[string]any { return map[string]any{"summary": e.Summary} }

// record is one line: a draft, or a memory as an export wrote it.
//
// Of an export's own members, id is kept unless another memory has it, and derived_from as it is; tenant_id,
// project_id, embedding, embedding_models, archived_at, archived_by, version, created_at and updated_at are read over: the memory goes to the scope of the
// import, and RAE knows it there from now on.
type record struct {
	Draft
	ID          *string           `json:"id"`
	TenantID    string            `json:"tenant_id"`
	ProjectID   string            `json:"project_id"`
	DerivedFrom []memory.Citation `json:"derived_from"`
	Embedding   string            `json:"embedding"`
	Models      []string          `json:"embedding_models"`
	ArchivedAt  *time.Time        `json:"archived_at"`
	ArchivedBy  string            `json:"archived_by"`
	Version     int               `json:"version"`
	CreatedAt   *time.Time        `json:"created_at"`
	UpdatedAt   *time.Time        `json:"updated_at"`
}

// parse reads one line into the memory it describes.
func (s *Service) parse(scope memory.Scope, line []byte) (memory.Memory, error) {
	var r record
	if err := decode(line, &r, ""); err != nil {
		return memory.Memory{}, err
	}
	m, err := r.memory(scope, s.now(), "")
	if err != nil {
		return memory.Memory{}, err
	}
	var c complaints
	if r.ID != nil {
		id, ok := memory.ParseID(*r.ID)
		if !ok {
			c.add("id", "must be a UUID")
		}
		m.ID = id
	}
	m.DerivedFrom = c.citations("derived_from", r.DerivedFrom)
	return m, c.err()
}

// The bounds of one slice of an import, so that memory stays constant whatever the lines hold.
const importBytes = 8 << 20

// Import stores the memories of a stream of JSON lines (NDJSON) of any length in constant memory: slices of up to
// 500 lines go through one call of the embedder and one transaction each. A line that cannot be read, is over 4 MiB
// or holds a field at fault is refused with its number, and the rest goes on. progress, which may be nil, hears the
// counts after every slice. When the stream or the store fails, the error is an *Interrupted.
func (s *Service) Import(ctx context.Context, scope memory.Scope, r io.Reader, why memory.Why, progress func(Summary)) (Summary, error) {
	im := importing{service: s, scope: scope, why: why, summary: Summary{Errors: []LineError{}}}
	input := newLines(r, MaxLine)
	for {
		line, err := input.next()
		switch {
		case err == io.EOF:
			err = im.flush(ctx, progress)
			return im.end(err)
		case err == errLongLine:
			im.summary.Lines++
			im.refuse(input.number, fault.New(fault.TooLarge, "the line is over %d bytes", MaxLine))
			continue
		case err != nil && fault.KindOf(err) != fault.Internal: // who reads knows better than the context it may have ended
			return im.end(err)
		case err != nil && ctx.Err() != nil:
			return im.end(ctx.Err())
		case err != nil:
			return im.end(fault.Wrap(fault.Malformed, err, "the stream broke off near line %d", input.number))
		}
		im.summary.Lines++
		m, err := s.parse(scope, line)
		if err != nil {
			im.refuse(input.number, err)
			continue
		}
		im.memories, im.numbers = append(im.memories, m), append(im.numbers, input.number)
		im.bytes += len(line)
		if len(im.memories) == slice || im.bytes >= importBytes {
			if err := im.flush(ctx, progress); err != nil {
				return im.end(err)
			}
		}
	}
}

// importing is one import under way.
type importing struct {
	service  *Service
	scope    memory.Scope
	why      memory.Why
	summary  Summary
	memories []memory.Memory // the slice being gathered
	numbers  []int           // their lines
	bytes    int
}

func (im *importing) end(err error) (Summary, error) {
	if err != nil {
		return im.summary, &Interrupted{Summary: im.summary, Err: err}
	}
	return im.summary, nil
}

func (im *importing) refuse(line int, err error) {
	im.summary.Refused++
	if len(im.summary.Errors) >= MaxLineErrors {
		return
	}
	refused := LineError{Line: line, Reason: fault.Public(err)}
	if fields := fault.FieldsOf(err); len(fields) > 0 {
		refused.Field = fields[0].Location
	}
	im.summary.Errors = append(im.summary.Errors, refused)
}

// flush stores the slice gathered so far.
func (im *importing) flush(ctx context.Context, progress func(Summary)) error {
	if len(im.memories) > 0 {
		vectors, err := im.service.embed(ctx, im.scope, contents(im.memories))
		if err != nil {
			return err
		}
		all := entries(im.memories, vectors)
		for i := range all {
			all[i].Anew = true
		}
		written, err := im.service.putAll(ctx, im.scope, all, im.why, nothingBefore, nothingAfter)
		if err != nil {
			return err
		}
		for i, w := range written {
			im.count(im.numbers[i], w)
		}
	}
	im.memories, im.numbers, im.bytes = im.memories[:0], im.numbers[:0], 0
	if progress != nil {
		progress(im.summary)
	}
	return nil
}

func (im *importing) count(line int, w memory.Written) {
	switch {
	case w.Err != nil:
		im.refuse(line, w.Err)
	case w.Outcome == memory.Created:
		im.summary.Created++
	case w.Outcome == memory.Updated:
		im.summary.Updated++
	default:
		im.summary.Deduplicated++
	}
}
