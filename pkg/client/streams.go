package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

const ndjsonMedia = "application/x-ndjson"

// maxSummaryBytes bounds the answer to an import: a thousand refused lines with their reasons.
const maxSummaryBytes = 8 << 20

// Imported answers an import.
type Imported struct {
	ingest.Summary
	Consistency string `json:"-"`
}

// Import streams memories, one JSON object per line, in constant memory. It is not repeated: r can be read once. When
// the service ends it before the stream does, the error says why and the summary counts what is stored.
func (c *Client) Import(ctx context.Context, r io.Reader) (Imported, error) {
	call := c.read(http.MethodPost, "/v1/memories/import", nil)
	resp, err := c.open(ctx, call, io.NopCloser(r), ndjsonMedia) // the caller's reader is not ours to close
	if err != nil {
		return Imported{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end, or given up
	if err := httpapi.ReadProblem(resp); err != nil {
		return Imported{Summary: summaryOf(err)}, err
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxSummaryBytes))
	if err != nil {
		return Imported{}, c.unreachable(ctx, call, err)
	}
	imported := Imported{Consistency: resp.Header.Get(consistencyHeader)}
	if err := json.Unmarshal(raw, &imported); err != nil {
		return Imported{}, fault.Wrap(fault.Internal, err, "import: the answer is not what this client knows")
	}
	return imported, nil
}

// summaryOf reads how far an import came from the problem that ended it.
func summaryOf(err error) ingest.Summary {
	var summary ingest.Summary
	var detailed fault.Detailed
	if !errors.As(err, &detailed) {
		return summary
	}
	raw, failed := json.Marshal(detailed.ProblemMembers()["summary"])
	if failed == nil {
		failed = json.Unmarshal(raw, &summary)
	}
	if failed != nil {
		return ingest.Summary{}
	}
	return summary
}

// Export streams the memories that match to w, one JSON object per line, newest first, and returns the bytes written.
// Filter.Metadata cannot be asked of an export. An export that broke off is Unavailable, and w holds a part of it.
func (c *Client) Export(ctx context.Context, f memory.Filter, at memory.View, w io.Writer) (int64, error) {
	query, err := filterQuery(f, at)
	if err != nil {
		return 0, err
	}
	call := c.read(http.MethodGet, "/v1/memories/export", nil)
	call.query = query
	resp, err := c.open(ctx, call, nil, "")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end, or given up
	if err := httpapi.ReadProblem(resp); err != nil {
		return 0, err
	}
	sink := &sink{to: w}
	n, err := io.Copy(sink, resp.Body)
	switch {
	case sink.err != nil:
		return n, sink.err
	case err != nil:
		return n, c.unreachable(ctx, call, err)
	}
	return n, nil
}

// sink remembers that it was the caller's writer that failed, not the service.
type sink struct {
	to  io.Writer
	err error
}

func (s *sink) Write(b []byte) (int, error) {
	n, err := s.to.Write(b)
	if err != nil {
		s.err = err
	}
	return n, err
}
