package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/rae-memory/rae/pkg/fault"
)

const (
	ndjsonMedia = "application/x-ndjson"
	streamIdle  = time.Minute // longest silence of the other side
)

// StreamIn is embedded in the input of an operation that reads NDJSON (application/x-ndjson) of any size: nothing is
// buffered and there is no limit but the reader's own. The other side may be silent for a minute.
type StreamIn struct {
	reader io.Reader
	media  string
}

// Resolve is called by huma before the handler.
func (s *StreamIn) Resolve(ctx huma.Context) []error {
	s.media = ctx.Header("Content-Type")
	s.reader = patientReader{ctx}
	return nil
}

// Reader returns the raw body, to be read while the handler runs.
func (s *StreamIn) Reader() io.Reader { return s.reader }

// ContentType returns the request's media type with its parameters.
func (s *StreamIn) ContentType() string { return s.media }

// patientReader gives every read a fresh deadline, so that a long stream is not cut off and a dead one is.
type patientReader struct{ ctx huma.Context }

func (p patientReader) Read(b []byte) (int, error) {
	_ = p.ctx.SetReadDeadline(time.Now().Add(streamIdle)) // not every server can
	n, err := p.ctx.BodyReader().Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fault.Wrap(fault.Malformed, err, "the body fell silent")
	}
	if errors.Is(err, io.EOF) { // a deadline that passed stands, as it does for readBody
		_ = p.ctx.SetReadDeadline(time.Time{}) // or the handler's own context would end with it
	}
	return n, err
}

// StreamOut answers with NDJSON that write produces as it goes. An error before the first byte becomes a problem
// document; after it, the connection is broken off, so that no client takes half an export for a whole one. ctx is
// the request's.
func StreamOut(write func(ctx context.Context, w io.Writer) error) *huma.StreamResponse {
	return streamOut(ndjsonMedia, write)
}

// streamOut is StreamOut of any media type.
func streamOut(media string, write func(ctx context.Context, w io.Writer) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		w := &streamWriter{ctx: ctx, media: media}
		_, raw := humago.Unwrap(ctx)
		w.deadline = http.NewResponseController(raw)
		err := write(ctx.Context(), w)
		if err == nil {
			w.begin()
			return
		}
		observe(ctx.Context(), err)
		if w.begun {
			panic(http.ErrAbortHandler) // the server closes the connection without a trace
		}
		respond(ctx, ProblemOf(err))
	}}
}

// streamWriter sends the headers with the first byte.
type streamWriter struct {
	ctx      huma.Context
	media    string
	deadline *http.ResponseController
	begun    bool
}

func (s *streamWriter) begin() {
	if s.begun {
		return
	}
	s.begun = true
	s.ctx.SetHeader("Content-Type", s.media)
	s.ctx.SetHeader("X-Content-Type-Options", "nosniff")
	s.ctx.SetStatus(http.StatusOK)
}

func (s *streamWriter) Write(b []byte) (int, error) {
	s.begin()
	_ = s.deadline.SetWriteDeadline(time.Now().Add(streamIdle)) // not every server can
	return s.ctx.BodyWriter().Write(b)
}

// Flush sends what was written so far.
func (s *streamWriter) Flush() { _ = s.deadline.Flush() }

// streamsIn reports whether inputs of the type embed StreamIn.
func streamsIn(input reflect.Type) bool {
	f, ok := input.FieldByName("StreamIn")
	return ok && f.Anonymous && f.Type == reflect.TypeFor[StreamIn]()
}

// ndjson is the content of both directions in the OpenAPI document. Not binary: huma would add octet-stream.
func ndjson() map[string]*huma.MediaType {
	return map[string]*huma.MediaType{
		ndjsonMedia: {Schema: &huma.Schema{Type: huma.TypeString, Description: "One JSON object per line."}},
	}
}
