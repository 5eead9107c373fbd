// Package httpapi is the edge between HTTP and the domain: strict JSON, problem documents, scopes and the one table
// from fault kinds to status codes. Handlers speak in domain errors and never name a status.
package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
)

// Register adds an operation whose handler returns domain errors; they leave as problem documents (RFC 9457). It
// documents the errors every operation may answer with, and streams (StreamIn, StreamOut) as application/x-ndjson.
// MaxBodyBytes is the largest body taken, 1 MiB when 0.
//
// A stream each way needs no more than this:
//
//	type importInput struct {
//		httpapi.Scoped
//		httpapi.StreamIn
//	}
//
//	httpapi.Register(api, importOp, func(ctx context.Context, in *importInput) (*importOutput, error) {
//		return importLines(ctx, in.Scope(), in.Reader())
//	})
//	httpapi.Register(api, exportOp, func(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
//		return httpapi.StreamOut(func(ctx context.Context, w io.Writer) error {
//			return exportLines(ctx, in.Scope(), w)
//		}), nil
//	})
func Register[I, O any](api huma.API, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	prepare(&op, reflect.TypeFor[I](), reflect.TypeFor[O]())
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if run := llm.DryRunOf(ctx); run != nil {
			err = ran(run, err)
			if answer, ok := errors.AsType[estimated](err); ok {
				return nil, answer
			}
		}
		if err != nil {
			observe(ctx, err)
			return nil, ProblemOf(err)
		}
		return out, nil
	})
	complete(api, &op, reflect.TypeFor[O]())
}

// prepare completes an operation with what is the same for all of them.
func prepare(op *huma.Operation, input, output reflect.Type) {
	op.Metadata = maps.Clone(op.Metadata)
	if op.Metadata == nil {
		op.Metadata = map[string]any{}
	}
	errs := []fault.Kind{
		fault.Malformed, fault.Invalid, fault.Unauthenticated, fault.Denied, fault.RateLimited, fault.Unavailable, fault.Timeout,
	}
	if key, ok := input.FieldByName("IdempotencyKey"); ok && key.Tag.Get("header") != "" {
		errs = append(errs, fault.Conflict)
	}
	if dry, ok := input.FieldByName("DryRun"); ok && dry.Tag.Get("header") == dryRunHeader {
		op.Metadata[dryRunMark] = true
	}
	op.Errors = slices.Clone(op.Errors)
	if _, body := input.FieldByName("Body"); body {
		if op.RequestBody == nil {
			op.RequestBody = &huma.RequestBody{}
		}
		if op.MaxBodyBytes <= 0 {
			op.MaxBodyBytes = defaultBodyBytes
		}
		if op.BodyReadTimeout <= 0 {
			op.BodyReadTimeout = defaultBodyTimeout
		}
		op.Metadata[limitMark] = op.MaxBodyBytes
		op.MaxBodyBytes = -1 // the gate has measured the body; huma would refuse one of exactly the limit
		op.Errors = append(op.Errors, http.StatusRequestTimeout)
	}
	if streamsIn(input) && op.RequestBody == nil {
		op.RequestBody = &huma.RequestBody{Required: true, Content: ndjson()}
	}
	if op.RequestBody != nil {
		errs = append(errs, fault.TooLarge, fault.Unsupported)
	}
	if output == reflect.TypeFor[huma.StreamResponse]() && op.Responses == nil {
		op.Responses = map[string]*huma.Response{"200": {Description: "A stream of JSON lines.", Content: ndjson()}}
	}
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{} // shared with the operation huma documents, for complete
	}
	for _, kind := range errs {
		op.Errors = append(op.Errors, statusOf[kind])
	}
	slices.Sort(op.Errors)
	op.Errors = slices.Compact(op.Errors)
	op.RejectUnknownQueryParameters = !isLenient(op)
}

// complete corrects what huma documents of an operation: one that chooses its status may also answer 200, with what its
// usual answer holds; a lenient one never answers 422, and takes keys it does not know.
func complete(api huma.API, op *huma.Operation, output reflect.Type) {
	usual := op.Responses[strconv.Itoa(op.DefaultStatus)]
	if _, chooses := output.FieldByName("Status"); chooses && usual != nil {
		ok := op.Responses["200"]
		if ok == nil {
			ok = &huma.Response{Description: http.StatusText(http.StatusOK)}
			op.Responses["200"] = ok
		}
		if ok.Content == nil {
			ok.Content = usual.Content
		}
		if ok.Headers == nil {
			ok.Headers = usual.Headers
		}
	}
	if isPriced(op) {
		documentDryRun(api, op)
	}
	if !isLenient(op) {
		return
	}
	delete(op.Responses, strconv.Itoa(statusOf[fault.Invalid]))
	if op.RequestBody != nil {
		for _, content := range op.RequestBody.Content {
			admitMore(api.OpenAPI().Components.Schemas, content.Schema, map[*huma.Schema]bool{})
		}
	}
}

// admitMore documents that a lenient operation takes keys it does not know. The gate has removed them by the time
// huma validates.
func admitMore(registry huma.Registry, schema *huma.Schema, seen map[*huma.Schema]bool) {
	for _, leaf := range leaves(registry, []*huma.Schema{schema}, nil) {
		if seen[leaf] {
			continue
		}
		seen[leaf] = true
		if len(leaf.Properties) > 0 {
			leaf.AdditionalProperties = true
		}
		for _, property := range leaf.Properties {
			admitMore(registry, property, seen)
		}
		admitMore(registry, leaf.Items, seen)
	}
}

// Scoped is embedded in the input of every route that touches a tenant's data. The auth middleware has already made
// the two headers agree with the credential. The patterns leave counting to maxLength: every route compiles them, and a
// counted repeat is half a millisecond of each cold start.
type Scoped struct {
	Tenant  string `header:"X-Tenant-ID" required:"true" minLength:"1" maxLength:"64" pattern:"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$" doc:"Tenant the request acts for."`
	Project string `header:"X-Project-ID" default:"default" minLength:"1" maxLength:"64" pattern:"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$" doc:"Project within the tenant."`
}

// Scope returns the partition the request acts on.
func (s *Scoped) Scope() memory.Scope { return memory.Scope{Tenant: s.Tenant, Project: s.Project} }

// Idempotent is embedded in the input of every write that may be repeated safely under a key.
type Idempotent struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"Repeating a request with the same key and body has one effect and the same answer; another body is a 409."`
}

// Key names the request: the caller's key on this route, with a fingerprint of the parsed body. The zero Key when the
// caller sent none.
func (i *Idempotent) Key(route string, body any) memory.Key {
	if i.IdempotencyKey == "" {
		return memory.Key{}
	}
	b, err := json.Marshal(body)
	if err != nil { // bodies came from JSON
		b = []byte(err.Error())
	}
	sum := sha256.Sum256(b)
	return memory.Key{Route: route, Key: i.IdempotencyKey, Fingerprint: hex.EncodeToString(sum[:])}
}
