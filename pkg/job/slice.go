package job

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/outbox"
)

// Handler does one step of a job: much less than a slice, so that little is lost when a worker dies. It reads where to
// go on from Cursor and writes there, and into Progress, how far it came; done says that nothing is left. A step that
// is not done must have moved one of them.
//
// What a step wants told goes through Tell: it is told exactly once, in the transaction that saves the step. Any other
// effect must be harmless when done again, by a worker that knows nothing of the first, because the first may have died
// before its step was saved. A step that returns an error has told nothing and moved nothing.
type Handler func(ctx context.Context, s *Slice) (done bool, err error)

// Slice is a claimed job in the hands of its handler.
type Slice struct {
	Job // Cursor and Progress are the handler's to move

	records []outbox.Record
}

// Read decodes the arguments.
func (s *Slice) Read(arguments any) error {
	if err := json.Unmarshal(s.Arguments, arguments); err != nil {
		return fault.Wrap(fault.Invalid, err, "the arguments of job %s do not fit %s", s.ID, s.Kind)
	}
	return nil
}

// At decodes the cursor; at the start of a job, where there is none, it leaves the zero value alone.
func (s *Slice) At(cursor any) error {
	if len(s.Cursor) == 0 {
		return nil
	}
	if err := json.Unmarshal(s.Cursor, cursor); err != nil {
		return fault.Wrap(fault.Internal, err, "the cursor of job %s cannot be read", s.ID)
	}
	return nil
}

// GoOn sets where the next step begins.
func (s *Slice) GoOn(cursor any) error {
	encoded, err := json.Marshal(cursor)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode the cursor of job %s", s.ID)
	}
	s.Cursor = encoded
	return nil
}

// Report sets what came of the job so far, for whoever reads it.
func (s *Slice) Report(result any) error {
	encoded, err := json.Marshal(result)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "encode the result of job %s", s.ID)
	}
	s.Result = encoded
	return nil
}

// Tell announces something together with the step.
func (s *Slice) Tell(r outbox.Record) { s.records = append(s.records, r) }

func (s *Slice) step() Step { return Step{Cursor: s.Cursor, Progress: s.Progress, Result: s.Result} }

// take returns what the step has told and begins the next.
func (s *Slice) take() []outbox.Record {
	told := s.records
	s.records = nil
	return told
}

// parking is the error by which a handler parks its job.
type parking struct {
	until time.Time
	why   string
}

func (p *parking) Error() string { return "parked: " + p.why }

// Park is returned by a handler whose job cannot go on before something outside has happened: it waits until then, or,
// with the zero time, until somebody unparks it. why is shown with the job.
func Park(until time.Time, why string) error { return &parking{until: until, why: why} }

func parked(err error) (*parking, bool) {
	var p *parking
	ok := errors.As(err, &p)
	return p, ok
}
