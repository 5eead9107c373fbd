package httpapi

import (
	"cmp"
	"context"
	"encoding/csv"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const csvMedia = "text/csv; charset=utf-8; header=present"

// Tabular is embedded in the input of a list that can be had as CSV, too.
type Tabular struct {
	Format string `query:"format" enum:"json,csv" doc:"csv: the whole list as CSV (RFC 4180), however long, in place of one page of JSON. A header Accept: text/csv asks for the same."`

	accept string
}

// Resolve is called by huma before the handler.
func (t *Tabular) Resolve(ctx huma.Context) []error {
	r, _ := humago.Unwrap(ctx)
	t.accept = strings.Join(r.Header.Values("Accept"), ",")
	return nil
}

// CSV reports whether CSV was asked for: by the parameter or, where it says nothing, by an Accept header that names
// text/csv and doesn't like JSON better.
func (t *Tabular) CSV() bool {
	if t.Format != "" {
		return t.Format == "csv"
	}
	var table, object float64
	for part := range strings.SplitSeq(t.accept, ",") {
		media, parameters, err := mime.ParseMediaType(strings.TrimSpace(part))
		q, parsed := strconv.ParseFloat(cmp.Or(parameters["q"], "1"), 64)
		switch {
		case err != nil || parsed != nil:
		case media == "text/csv":
			table = q
		case media == "application/json":
			object = q
		}
	}
	return table > 0 && table >= object
}

// RegisterTable adds a list to which a caller may prefer CSV. page makes the body of the JSON answer; rows writes the whole
// list, its heading first, as it goes: nothing is buffered. An error of rows before the first byte becomes a problem
// document; after it, the connection is broken off.
func RegisterTable[I, B any, P interface {
	*I
	CSV() bool
}](api huma.API, op huma.Operation, page func(context.Context, P) (*B, error), rows func(context.Context, P, *Sheet) error) {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[B](), true, op.OperationID)
	op.Responses = map[string]*huma.Response{"200": {Description: http.StatusText(http.StatusOK), Content: map[string]*huma.MediaType{
		"application/json": {Schema: schema},
		"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString, Description: "Rows of comma-separated values, the first one being the heading."}},
	}}}
	Register(api, op, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		if P(in).CSV() {
			return streamOut(csvMedia, func(ctx context.Context, w io.Writer) error {
				sheet := NewSheet(w)
				if err := rows(ctx, in, sheet); err != nil {
					return err
				}
				return sheet.End()
			}), nil
		}
		body, err := page(ctx, in)
		if err != nil {
			return nil, err
		}
		text, err := encodeAnswer(body)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			ctx.SetHeader("Content-Type", "application/json")
			ctx.SetStatus(http.StatusOK)
			_, _ = ctx.BodyWriter().Write(text) // a client that has gone needs no answer
		}}, nil
	})
}

// Sheet writes CSV (RFC 4180) that a spreadsheet takes for text: a cell that it would take for a formula begins with an
// apostrophe.
type Sheet struct{ csv *csv.Writer }

// NewSheet returns an empty one.
func NewSheet(w io.Writer) *Sheet {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	return &Sheet{c}
}

// Row writes a row. The cells are the sheet's.
func (s *Sheet) Row(cells ...string) error {
	for i, cell := range cells {
		if formula(cell) {
			cells[i] = "'" + cell
		}
	}
	return s.csv.Write(cells)
}

// End writes what is left in the buffer. No row comes after it.
func (s *Sheet) End() error {
	s.csv.Flush()
	return s.csv.Error()
}

// formula reports whether a spreadsheet would compute the cell rather than show it. Money and counts are never negative,
// so no number of ours begins like one.
func formula(cell string) bool {
	for _, c := range cell {
		return strings.ContainsRune("=+-@\t\r\n＝＋－＠", c)
	}
	return false
}
