package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
)

func TestLenientOperationsFailAsTheirClientsExpect(t *testing.T) {
	t.Parallel()
	type input struct {
		Body struct {
			Model string `json:"model"`
			Size  int    `json:"size,omitempty" maximum:"3"`
		}
	}
	mux := http.NewServeMux()
	httpapi.Register(httpapi.New(mux, "test"), httpapi.Lenient(huma.Operation{
		OperationID: "post-vendor", Method: http.MethodPost, Path: "/v1/vendor",
	}), func(_ context.Context, in *input) (*struct{}, error) {
		switch in.Body.Model {
		case "absent":
			return nil, httpapi.Coded(&fault.Error{
				Kind: fault.NotFound, Message: "no such model",
				Fields: []fault.Field{{Location: "body.model", Message: "is unknown"}},
			}, "model_not_found")
		case "wrong":
			return nil, fault.BadField("body.model", "is wrong")
		}
		return nil, nil
	})
	for _, c := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"the code is the one the error was given", `{"model":"absent"}`, 404,
			`{"detail":"no such model","error":{"message":"no such model","type":"invalid_request_error","param":"model","code":"model_not_found"},"errors":[{"location":"body.model","message":"is unknown"}],"status":404,"title":"Not Found","type":"urn:rae:problem:not_found"}`},
		{"a value the handler refuses is a bad request", `{"model":"wrong"}`, 400,
			`{"detail":"body.model is wrong","error":{"message":"body.model is wrong","type":"invalid_request_error","param":"model","code":"invalid"},"errors":[{"location":"body.model","message":"is wrong"}],"status":400,"title":"Bad Request","type":"urn:rae:problem:invalid"}`},
		{"a value the schema refuses is a bad request", `{"model":"x","size":4}`, 400,
			`{"detail":"body.size expected number \u003c= 3","error":{"message":"body.size expected number \u003c= 3","type":"invalid_request_error","param":"size","code":"invalid"},"errors":[{"location":"body.size","message":"expected number \u003c= 3"}],"status":400,"title":"Bad Request","type":"urn:rae:problem:invalid"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/v1/vendor", strings.NewReader(c.body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			if got := strings.TrimSpace(w.Body.String()); w.Code != c.status || got != c.want {
				t.Errorf("got %d %s\nwant %d %s", w.Code, got, c.status, c.want)
			}
		})
	}
}
