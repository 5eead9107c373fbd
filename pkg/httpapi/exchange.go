package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/rae-memory/rae/pkg/fault"
)

const (
	defaultBodyBytes   = 1 << 20
	defaultBodyTimeout = 30 * time.Second

	limitMark = "rae.body_bytes"
)

// gate stands before every operation: it refuses what huma would misread, and hands on a request that can be
// trusted to be what it says.
type gate struct{ schemas huma.Registry }

func (g gate) admit(ctx huma.Context, next func(huma.Context)) {
	request, _ := humago.Unwrap(ctx)
	x := &exchange{humaContext: ctx}
	err := runDry(x, request)
	if err == nil {
		err = checkParameters(ctx.Operation(), request, x)
	}
	if err == nil {
		err = g.takeBody(x, request)
	}
	if err != nil {
		observe(ctx.Context(), err)
		respond(x, ProblemOf(err))
		return
	}
	next(x)
}

// takeBody checks the body's media type and, when it is JSON, reads and checks all of it.
func (g gate) takeBody(x *exchange, r *http.Request) error {
	op := x.Operation()
	if op.RequestBody == nil || len(op.RequestBody.Content) == 0 {
		return nil
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return badHeader(fault.Unsupported, "Content-Encoding", "must be identity")
	}
	schema, isJSON := jsonContent(op)
	typeErr := checkMedia(op, r, isJSON)
	if !isJSON {
		return typeErr // streams are checked by who reads them
	}
	if typeErr != nil && r.Header.Get("Content-Type") != "" {
		return typeErr
	}
	limit := bodyLimit(op)
	if r.ContentLength > limit {
		if r.Header.Get("Expect") == "" { // else the client waits for leave to send, and gets the refusal instead
			letFinish(x.humaContext)
		}
		return tooLarge(limit)
	}
	body, err := readBody(x.humaContext, op, limit)
	switch {
	case err != nil:
		return err
	case len(body) == 0 && !op.RequestBody.Required:
	case len(body) == 0:
		return badBody(fault.Malformed, "is empty")
	case typeErr != nil:
		return typeErr
	default:
		if body, err = g.checkJSON(op, body, schema); err != nil {
			return err
		}
	}
	x.body = bytes.NewReader(body)
	return nil
}

// checkJSON returns the body to hand on: the same, or for a lenient operation without the keys it does not know.
func (g gate) checkJSON(op *huma.Operation, body []byte, schema *huma.Schema) ([]byte, error) {
	scan := &strictScan{data: body, schemas: g.schemas}
	var known bytes.Buffer
	if isLenient(op) {
		scan.lenient = jsontext.NewEncoder(&known)
	}
	var roots []*huma.Schema
	if schema != nil {
		roots = []*huma.Schema{schema}
	}
	if err := scan.run(roots); err != nil {
		return nil, err
	}
	if isLenient(op) {
		return known.Bytes(), nil
	}
	return body, nil
}

// jsonContent returns the schema of the operation's JSON body, and whether it takes one.
func jsonContent(op *huma.Operation) (*huma.Schema, bool) {
	for media, content := range op.RequestBody.Content {
		if jsonMedia(media) {
			return content.Schema, true
		}
	}
	return nil, false
}

func jsonMedia(media string) bool {
	return media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}

func checkMedia(op *huma.Operation, r *http.Request, isJSON bool) error {
	wanted := slices.Sorted(maps.Keys(op.RequestBody.Content))
	if isJSON {
		wanted = []string{"application/json"}
	}
	refused := badHeader(fault.Unsupported, "Content-Type", "must be "+strings.Join(wanted, " or "))
	media, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || isJSON && !jsonMedia(media) || !isJSON && !slices.Contains(wanted, media) {
		return refused
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return badHeader(fault.Unsupported, "Content-Type", "must have no charset but utf-8")
	}
	return nil
}

// bodyLimit is what the operation takes at most, in bytes.
func bodyLimit(op *huma.Operation) int64 {
	if limit, ok := op.Metadata[limitMark].(int64); ok {
		return limit
	}
	if op.MaxBodyBytes > 0 {
		return op.MaxBodyBytes
	}
	return defaultBodyBytes
}

func tooLarge(limit int64) error {
	return badBody(fault.TooLarge, fmt.Sprintf("is over the limit of %d bytes", limit))
}

// How much of a body that is too large is still read, and for how long.
const (
	politeBytes = 64 << 20
	politeTime  = 5 * time.Second
)

// letFinish reads the rest of a body that is refused and keeps nothing of it. A client that is still sending when the
// connection closes never sees the answer: it gets a reset instead of the 413.
func letFinish(ctx huma.Context) {
	_ = ctx.SetReadDeadline(time.Now().Add(politeTime))
	_, _ = io.CopyN(io.Discard, ctx.BodyReader(), politeBytes)
}

// readBody reads all of the body within the operation's limit and the time of the operation and the request. The read
// deadline is lifted once the body is whole: left standing, it would end the request's context while the handler works.
// It stands when the body is refused: the server reads what is left of it before it answers, and must not wait for ever.
func readBody(ctx huma.Context, op *huma.Operation, limit int64) ([]byte, error) {
	wait := op.BodyReadTimeout
	if wait <= 0 {
		wait = defaultBodyTimeout
	}
	until := time.Now().Add(wait)
	if deadline, ok := ctx.Context().Deadline(); ok && deadline.Before(until) {
		until = deadline
	}
	_ = ctx.SetReadDeadline(until) // not every server can
	body, err := io.ReadAll(io.LimitReader(ctx.BodyReader(), limit+1))
	if int64(len(body)) > limit {
		letFinish(ctx)
		return nil, tooLarge(limit)
	}
	if err == nil {
		_ = ctx.SetReadDeadline(time.Time{})
		return body, nil
	}
	var over *http.MaxBytesError
	var netErr net.Error
	switch {
	case errors.As(err, &over):
		return nil, tooLarge(over.Limit)
	case errors.As(err, &netErr) && netErr.Timeout():
		return nil, slowBody()
	}
	return nil, &fault.Error{
		Kind:    fault.Malformed,
		Message: "body ended early",
		Fields:  []fault.Field{{Location: "body", Message: "ended early"}},
		Err:     err,
	}
}

type humaContext huma.Context

// exchange is huma's view of one request after the gate: a body that was read, parameters parsed as the URL standard
// says, one media type, and a status that can be corrected until it is sent.
type exchange struct {
	humaContext
	context context.Context   // nil: the one below
	body    io.Reader         // nil: not read by the gate
	query   map[string]string // first value of each parameter
	status  int               // sent instead of what huma says; 0: no correction
}

// Unwrap gives adapters and middleware the context below.
func (x *exchange) Unwrap() huma.Context { return x.humaContext }

// exchangeOf finds the exchange below whatever later middleware wrapped around it.
func exchangeOf(ctx huma.Context) *exchange {
	for {
		if x, ok := ctx.(*exchange); ok {
			return x
		}
		wrapped, ok := ctx.(interface{ Unwrap() huma.Context })
		if !ok {
			return nil
		}
		ctx = wrapped.Unwrap()
	}
}

// Context is that of the request, or of its dry run.
func (x *exchange) Context() context.Context {
	if x.context != nil {
		return x.context
	}
	return x.humaContext.Context()
}

func (x *exchange) BodyReader() io.Reader {
	if x.body != nil {
		return x.body
	}
	return x.humaContext.BodyReader()
}

// Header answers for the two headers the gate has already settled: what was admitted is JSON, and so is the answer.
func (x *exchange) Header(name string) string {
	switch {
	case strings.EqualFold(name, "Content-Type") && x.body != nil:
		return "application/json"
	case strings.EqualFold(name, "Accept"):
		return "application/json"
	}
	return x.humaContext.Header(name)
}

func (x *exchange) Query(name string) string { return x.query[name] }

// SetReadDeadline does nothing once the body has been read.
func (x *exchange) SetReadDeadline(at time.Time) error {
	if x.body != nil {
		return nil
	}
	return x.humaContext.SetReadDeadline(at)
}

func (x *exchange) SetStatus(code int) {
	if x.status != 0 {
		code = x.status
	}
	x.humaContext.SetStatus(code)
}
