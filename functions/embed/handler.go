package embed

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/telemetry"
)

const (
	defaultModel = "default" // another name for the model that is there

	formatFloat  = "float"
	formatBase64 = "base64"

	inputDocument = "document"
	inputQuery    = "query"

	// modelsSince is when this API first listed its models, 2026-11-23; vendors say when a model was made.
	modelsSince = 1795392000
	modelsOwner = "rae"
)

// Register adds POST /v1/embeddings and GET /v1/models.
func (f *Function) Register(api huma.API) {
	httpapi.Register(api, httpapi.Lenient(huma.Operation{
		OperationID: "create-embeddings", Method: http.MethodPost, Path: "/v1/embeddings", Tags: []string{name},
		Summary: "Embed texts",
		Description: "The OpenAI embeddings API. Up to 2048 inputs of up to 1 MiB (or 8192 tokens) each and 2 MiB in all. " +
			"Tokens of texts are counted as words.",
		MaxBodyBytes:     maxBodyBytes,
		SkipValidateBody: true, // the handler says better what is wrong with an input of four forms
		Errors:           []int{http.StatusNotFound},
	}), f.create)
	httpapi.Register(api, httpapi.Lenient(huma.Operation{
		OperationID: "list-models", Method: http.MethodGet, Path: "/v1/models", Tags: []string{name},
		Summary: "List the embedding models",
	}), f.list)
	httpapi.Register(api, httpapi.Lenient(huma.Operation{
		OperationID: "get-model", Method: http.MethodGet, Path: "/v1/models/{model}", Tags: []string{name},
		Summary: "Describe an embedding model", Errors: []int{http.StatusNotFound},
	}), f.get)
}

type createInput struct {
	httpapi.Priced
	Body struct {
		Input          input  `json:"input"`
		Model          string `json:"model,omitempty" doc:"Id of a model of GET /v1/models, or default." example:"default"`
		Dimensions     *int   `json:"dimensions,omitempty" minimum:"1" doc:"Shorten the vectors to this many values; they keep length 1."`
		InputType      string `json:"input_type,omitempty" enum:"document,query" default:"document" doc:"What the texts are: some models embed a question otherwise than what answers it. An extension of OpenAI's API."`
		EncodingFormat string `json:"encoding_format,omitempty" enum:"float,base64" default:"float" doc:"base64 holds little-endian 32-bit floats."`
	}
}

type embedding struct {
	Object    string `json:"object" enum:"embedding"`
	Index     int    `json:"index" doc:"Place of the input."`
	Embedding vector `json:"embedding"`
}

type usage struct {
	PromptTokens int `json:"prompt_tokens"`
	TotalTokens  int `json:"total_tokens"`
}

type embeddings struct {
	Object string      `json:"object" enum:"list"`
	Data   []embedding `json:"data"`
	Model  string      `json:"model"`
	Usage  usage       `json:"usage"`
}

type createOutput struct{ Body embeddings }

func (f *Function) create(ctx context.Context, in *createInput) (*createOutput, error) {
	b := &in.Body
	if err := f.knows("body.model", b.Model); err != nil {
		return nil, err
	}
	if err := b.Input.check(); err != nil {
		return nil, err
	}
	if b.Dimensions != nil && (*b.Dimensions < 1 || *b.Dimensions > f.embedder.Dimensions()) {
		return nil, fault.BadField("body.dimensions", "must be 1 to %d for model %s", f.embedder.Dimensions(), f.embedder.Model())
	}
	switch b.InputType {
	case "", inputDocument, inputQuery:
	default:
		return nil, fault.BadField("body.input_type", "must be %s or %s", inputDocument, inputQuery)
	}
	switch b.EncodingFormat {
	case "", formatFloat, formatBase64:
	default:
		return nil, fault.BadField("body.encoding_format", "must be %s or %s", formatFloat, formatBase64)
	}
	ask := embed.Documents
	if b.InputType == inputQuery {
		ask = embed.Queries
	}
	tenant, project := telemetry.CallOf(ctx).Scope()
	vectors, err := ask(llm.WithPayer(ctx, memory.Scope{Tenant: tenant, Project: project}), f.embedder, f.timeout, b.Input.texts)
	if err != nil {
		return nil, err
	}
	out := embeddings{Object: "list", Data: make([]embedding, len(vectors)), Model: f.embedder.Model()}
	for i, v := range vectors {
		if b.Dimensions != nil {
			v = embed.Shorten(v, *b.Dimensions)
		}
		out.Data[i] = embedding{Object: "embedding", Index: i, Embedding: vector{v, b.EncodingFormat == formatBase64}}
	}
	out.Usage.PromptTokens = b.Input.count()
	out.Usage.TotalTokens = out.Usage.PromptTokens
	return &createOutput{out}, nil
}

type model struct {
	ID      string `json:"id"`
	Object  string `json:"object" enum:"model"`
	Created int64  `json:"created" doc:"Unix time."`
	OwnedBy string `json:"owned_by"`
}

type modelList struct {
	Object string  `json:"object" enum:"list"`
	Data   []model `json:"data"`
}

type listOutput struct{ Body modelList }

func (f *Function) list(context.Context, *struct{}) (*listOutput, error) {
	return &listOutput{modelList{Object: "list", Data: []model{f.describe()}}}, nil
}

type getInput struct {
	Model string `path:"model" doc:"Id of the model, or default."`
}

type getOutput struct{ Body model }

func (f *Function) get(_ context.Context, in *getInput) (*getOutput, error) {
	if err := f.knows("path.model", in.Model); err != nil {
		return nil, err
	}
	return &getOutput{f.describe()}, nil
}

func (f *Function) describe() model {
	return model{ID: f.embedder.Model(), Object: "model", Created: modelsSince, OwnedBy: modelsOwner}
}

// knows refuses another model than the one that is there. Nobody must get vectors of another model than he asked for.
func (f *Function) knows(location, id string) error {
	if id == "" || id == defaultModel || id == f.embedder.Model() {
		return nil
	}
	err := fault.BadField(location, "is no model of this server; GET /v1/models lists what is")
	err.Kind = fault.NotFound
	return httpapi.Coded(err, "model_not_found")
}
