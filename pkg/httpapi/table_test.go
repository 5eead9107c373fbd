package httpapi_test

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
)

type listInput struct {
	httpapi.Scoped
	httpapi.Paged
	httpapi.Tabular
}

type listBody struct {
	Numbers []int `json:"numbers"`
}

// listing serves a list of so many rows, or fails after that many.
func listing(t *testing.T, rows int, failure error) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	httpapi.RegisterTable(httpapi.New(mux, "test"), huma.Operation{OperationID: "list", Method: http.MethodGet, Path: "/v1/list"},
		func(context.Context, *listInput) (*listBody, error) { return &listBody{}, failure },
		func(_ context.Context, in *listInput, sheet *httpapi.Sheet) error {
			for n := range rows {
				if err := sheet.Row(in.Tenant, strconv.Itoa(n)); err != nil {
					return err
				}
			}
			return failure
		})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func ask(t *testing.T, server *httptest.Server, query string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/list"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Tenant-ID", "acme")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestATableThatFailsIsAProblemOrIsBrokenOff(t *testing.T) {
	t.Parallel()
	away := fault.New(fault.Unavailable, "away")
	for _, query := range []string{"", "?format=csv"} {
		resp := ask(t, listing(t, 0, away), query)
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%q: %d %s", query, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
	}
	resp := ask(t, listing(t, 100_000, away), "?format=csv")
	if _, err := io.Copy(io.Discard, resp.Body); resp.StatusCode != http.StatusOK || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a table looks whole: %d %v", resp.StatusCode, err)
	}
	if resp := ask(t, listing(t, 1, nil), "?format=pdf"); resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an unknown format: %d", resp.StatusCode)
	}
	body, err := io.ReadAll(ask(t, listing(t, 1, nil), "").Body)
	if err != nil || string(body) != "{\"numbers\":[]}\n" {
		t.Errorf("as JSON: %s %v", body, err)
	}
}

func TestASheetHoldsAnyTextAndNoFormula(t *testing.T) {
	t.Parallel()
	row := []string{"plain", `a "quote", a comma`, "two\r\nlines", "", "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1", "a=1", "'", "ünï"}
	var text strings.Builder
	sheet := httpapi.NewSheet(&text)
	if err := errors.Join(sheet.Row(append([]string(nil), row...)...), sheet.Row("x"), sheet.End()); err != nil {
		t.Fatal(err)
	}
	reader := csv.NewReader(strings.NewReader(text.String()))
	reader.FieldsPerRecord = -1
	got, err := reader.ReadAll()
	want := [][]string{{"plain", `a "quote", a comma`, "two\nlines", "", "'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t=1", "'＝1", "a=1", "'", "ünï"}, {"x"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q %v\nwant %q", got, err, want)
	}
	if !strings.HasSuffix(text.String(), "\r\nx\r\n") {
		t.Errorf("rows do not end as RFC 4180 says: %q", text.String())
	}
}
