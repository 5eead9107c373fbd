package store

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

// Bodies that hold contents may be larger than others: a memory of 1 MiB can take six bytes per character as JSON.
const (
	oneBody  = 8 << 20
	manyBody = 32 << 20
)

// tag groups the routes in the API document.
const tag = "store"

// Changing is the input of everything that changes memories. Like the other parts of inputs it is exported because
// huma reads no fields of an embedded type that is not, and a route that lost its scope would be everybody's.
type Changing struct {
	httpapi.Scoped
	Reason string `header:"X-RAE-Reason" maxLength:"256" doc:"Why the change is made; history shows it."`
}

// why is who changes it and for what reason.
func (c *Changing) why(ctx context.Context) memory.Why {
	return memory.Why{Actor: auth.PrincipalOf(ctx).Subject, Reason: c.Reason}
}

// Writing is the input of changes that can be repeated under a key.
type Writing struct {
	Changing
	httpapi.Idempotent
}

// Viewing is the input of reads that can look back.
type Viewing struct {
	AsOf    time.Time `query:"as_of" doc:"Only what was true in the world at this time."`
	KnownAt time.Time `query:"known_at" doc:"What RAE knew at this time."`
}

func (v *Viewing) view() memory.View {
	return memory.View{AsOf: given(v.AsOf), KnownAt: given(v.KnownAt)}
}

// given is nil for a time that was left out.
func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// One is the path of a single memory.
type One struct {
	ID memory.ID `path:"id" doc:"Id of the memory."`
}

// id is the id as the store spells it.
func (o *One) id() (memory.ID, error) {
	id, ok := memory.ParseID(string(o.ID))
	if !ok {
		return "", fault.BadField("path.id", "must be a UUID")
	}
	return id, nil
}

// token makes the consistency token of a write that has just been committed: the head of its scope is at least it.
// The write stands whether or not its token could be had, so failing to read the head is not the write's failure.
func (f *Function) token(ctx context.Context, scope memory.Scope) httpapi.ConsistencyOut {
	head, err := f.Memories.Head(ctx, scope)
	if err != nil {
		f.log().WarnContext(ctx, "no consistency token for a write", "err", err)
		return httpapi.ConsistencyOut{}
	}
	return httpapi.ConsistencyOut{Consistency: httpapi.EncodeConsistency(scope, head)}
}

// tokenOf is token where the write may have told the head.
func (f *Function) tokenOf(ctx context.Context, scope memory.Scope, head memory.Seq) httpapi.ConsistencyOut {
	if head == 0 {
		return f.token(ctx, scope)
	}
	return httpapi.ConsistencyOut{Consistency: httpapi.EncodeConsistency(scope, head)}
}

// etag is the version of a memory as HTTP spells it.
func etag(m *memory.Memory) string { return `"` + strconv.Itoa(m.Version) + `"` }

// version reads If-Match: "3" or 3; 0 when any version will do.
func version(ifMatch string) (int, error) {
	if ifMatch == "" || ifMatch == "*" {
		return 0, nil
	}
	n, err := strconv.Atoi(strings.Trim(ifMatch, `"`))
	if err != nil || n < 1 {
		return 0, fault.BadField("header.If-Match", `must be a version, such as "3"`)
	}
	return n, nil
}

// storedMemory is the answer to a new memory.
type storedMemory struct {
	memory.Memory
	Deduplicated bool `json:"deduplicated" doc:"True when the same content stood already in the same scope."`
}

type createInput struct {
	Writing
	httpapi.Priced
	Body ingest.Draft
}

type createOutput struct {
	httpapi.ConsistencyOut
	Status int
	ETag   string `header:"ETag" doc:"The version, for If-Match."`
	Body   storedMemory
}

// changed is the answer to a change of one memory.
type changed struct {
	httpapi.ConsistencyOut
	ETag string `header:"ETag" doc:"The version, for If-Match."`
	Body memory.Memory
}

type read struct {
	ETag string `header:"ETag" doc:"The version, for If-Match."`
	Body memory.Memory
}

func (f *Function) registerMemories(api huma.API) {
	stands := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[storedMemory](), true, "")
	httpapi.Register(api, huma.Operation{
		OperationID: "create-memory", Method: http.MethodPost, Path: "/v1/memories", Tags: []string{tag},
		Summary: "Store a memory",
		Description: "Answers 201 with the new memory, or 200 with the one that stands: with `deduplicated` true when the same content stood " +
			"already in the same scope (tenant, project, user, agent, session), and false when `external_id` was known and its content was " +
			"new, which writes a new version. A memory is stored even when it cannot be embedded now; `embedding` is then `pending`.",
		DefaultStatus: http.StatusCreated, MaxBodyBytes: oneBody,
		Responses: map[string]*huma.Response{"200": {
			Description: "It stood already, or has a new version.",
			Content:     map[string]*huma.MediaType{"application/json": {Schema: stands}},
		}},
	}, f.create)
	httpapi.Register(api, huma.Operation{
		OperationID: "get-memory", Method: http.MethodGet, Path: "/v1/memories/{id}", Tags: []string{tag},
		Summary: "Read a memory", Description: "The current version, or the one the times ask for.",
		Errors: []int{http.StatusNotFound},
	}, f.get)
	httpapi.Register(api, huma.Operation{
		OperationID: "patch-memory", Method: http.MethodPatch, Path: "/v1/memories/{id}", Tags: []string{tag},
		Summary: "Change a memory",
		Description: "A merge patch (RFC 7396). A change writes a new version; a patch that changes nothing writes none. With `If-Match` " +
			"the change is made only to the version given, else it is a 409.",
		MaxBodyBytes: oneBody, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, f.patch)
	httpapi.Register(api, huma.Operation{
		OperationID: "delete-memory", Method: http.MethodDelete, Path: "/v1/memories/{id}", Tags: []string{tag},
		Summary: "Delete a memory", Description: "Removes the memory with its versions and vectors.",
		DefaultStatus: http.StatusNoContent, Errors: []int{http.StatusNotFound},
	}, f.delete)
	httpapi.Register(api, huma.Operation{
		OperationID: "get-memory-history", Method: http.MethodGet, Path: "/v1/memories/{id}/history", Tags: []string{tag},
		Summary: "Read every version of a memory", Description: "Newest first: what it said, who changed it, when and why.",
		Errors: []int{http.StatusNotFound},
	}, f.history)
	httpapi.Register(api, huma.Operation{
		OperationID: "create-memories", Method: http.MethodPost, Path: "/v1/memories/batch", Tags: []string{tag},
		Summary: "Store up to 1000 memories",
		Description: "Results come in the order of the items, and one bad item never sinks the rest. With an `Idempotency-Key` the batch is " +
			"one transaction.",
		MaxBodyBytes: manyBody,
	}, f.createMany)
}

func (f *Function) create(ctx context.Context, in *createInput) (*createOutput, error) {
	stored, _, err := f.Memories.Put(ctx, in.Scope(), in.Body, in.Key("POST /v1/memories", in.Body), in.why(ctx))
	if err != nil {
		return nil, err
	}
	out := &createOutput{
		ConsistencyOut: f.tokenOf(ctx, in.Scope(), stored.Head),
		Status:         http.StatusOK,
		ETag:           etag(&stored.Memory),
		Body:           storedMemory{Memory: stored.Memory, Deduplicated: stored.Outcome == memory.Deduplicated},
	}
	if stored.Outcome == memory.Created {
		out.Status = http.StatusCreated
	}
	return out, nil
}

type getInput struct {
	httpapi.Scoped
	One
	Viewing
}

func (f *Function) get(ctx context.Context, in *getInput) (*read, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	m, err := f.Memories.Get(ctx, in.Scope(), id, in.view())
	if err != nil {
		return nil, err
	}
	return &read{ETag: etag(&m), Body: m}, nil
}

type patchInput struct {
	Writing
	One
	IfMatch string `header:"If-Match" maxLength:"32" doc:"Change only this version, such as \"3\"."`
	Body    patchBody
}

func (f *Function) patch(ctx context.Context, in *patchInput) (*changed, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	expected, err := version(in.IfMatch)
	if err != nil {
		return nil, err
	}
	patch, err := ingest.ParsePatch(in.Body.RawMessage, "body.")
	if err != nil {
		return nil, err
	}
	key := in.Key("PATCH /v1/memories/{id}", []any{id, expected, patch})
	m, _, err := f.Memories.Patch(ctx, in.Scope(), id, patch, expected, key, in.why(ctx))
	if err != nil {
		return nil, err
	}
	return &changed{ConsistencyOut: f.token(ctx, in.Scope()), ETag: etag(&m), Body: m}, nil
}

type deleteInput struct {
	Writing
	One
}

func (f *Function) delete(ctx context.Context, in *deleteInput) (*httpapi.ConsistencyOut, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	if err := f.Memories.Delete(ctx, in.Scope(), id, in.Key("DELETE /v1/memories/{id}", id)); err != nil {
		return nil, err
	}
	out := f.token(ctx, in.Scope())
	return &out, nil
}

type historyInput struct {
	httpapi.Scoped
	One
}

type historyOutput struct {
	Body struct {
		Versions []memory.Version `json:"versions" doc:"Every version, newest first."`
	}
}

func (f *Function) history(ctx context.Context, in *historyInput) (*historyOutput, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	out := &historyOutput{}
	out.Body.Versions, err = f.Memories.History(ctx, in.Scope(), id)
	if err != nil {
		return nil, err
	}
	return out, nil
}

type batchInput struct {
	Writing
	httpapi.Priced
	Body struct {
		Memories []batchItem `json:"memories" minItems:"1" maxItems:"1000" doc:"The memories, each as POST /v1/memories takes one."`
	}
}

type batchOutput struct {
	httpapi.ConsistencyOut
	Body struct {
		Results []ingest.Result `json:"results" doc:"What became of each item, in their order."`
	}
}

func (f *Function) createMany(ctx context.Context, in *batchInput) (*batchOutput, error) {
	items := make([]json.RawMessage, len(in.Body.Memories))
	for i := range in.Body.Memories {
		items[i] = in.Body.Memories[i].RawMessage
	}
	results, _, err := f.Memories.Batch(ctx, in.Scope(), items, in.Key("POST /v1/memories/batch", items), in.why(ctx))
	if err != nil {
		return nil, err
	}
	out := &batchOutput{ConsistencyOut: f.token(ctx, in.Scope())}
	out.Body.Results = results
	return out, nil
}
