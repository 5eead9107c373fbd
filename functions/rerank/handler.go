package rerank

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/llm"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/rerank"
	"github.com/rae-memory/rae/pkg/telemetry"
	"github.com/rae-memory/rae/pkg/text"
)

const (
	defaultModel = "default" // another name for the model that is there
	apiVersion   = "1"       // of the API this speaks, as its clients read it in meta

	// Limits of one request. The body's limit leaves room for the escapes of ASCII-only clients.
	maxTotalBytes = 4 << 20
	maxBodyBytes  = 16 << 20
)

// Register adds POST /v1/rerank.
func (f *Function) Register(api huma.API) {
	httpapi.Register(api, httpapi.Lenient(huma.Operation{
		OperationID: "rerank", Method: http.MethodPost, Path: "/v1/rerank", Tags: []string{name},
		Summary: "Order documents by how well they answer a query",
		Description: "The rerank API of Cohere and Jina. Up to 1000 documents of up to 64 KiB each and 4 MiB in all; a query has " +
			"up to 8 KiB. Tokens are counted as words.",
		MaxBodyBytes:     maxBodyBytes,
		SkipValidateBody: true, // the handler says better what is wrong with a document of two forms
		Errors:           []int{http.StatusNotFound},
	}), f.rerank)
}

// document is a text, on the wire a string or an object with a text.
type document struct{ text *string }

// UnmarshalJSON reads either form. A missing text is for the handler to refuse, which knows the document's index.
func (d *document) UnmarshalJSON(b []byte) error {
	switch b = bytes.TrimSpace(b); b[0] {
	case '"':
		return json.Unmarshal(b, &d.text)
	case '{':
		var object struct {
			Text *string `json:"text"`
		}
		if err := json.Unmarshal(b, &object); err != nil {
			return fault.Wrap(fault.Invalid, err, "must have a text that is a string")
		}
		d.text = object.Text
		return nil
	}
	return fault.New(fault.Invalid, "must be a string or an object with a text")
}

// Schema describes the two forms.
func (document) Schema(huma.Registry) *huma.Schema {
	most := rerank.MaxDocumentBytes
	str := &huma.Schema{Type: huma.TypeString, MaxLength: &most}
	return &huma.Schema{OneOf: []*huma.Schema{
		str,
		{Type: huma.TypeObject, Required: []string{"text"}, Properties: map[string]*huma.Schema{"text": str}},
	}}
}

type rerankInput struct {
	httpapi.Priced
	Body struct {
		Model           string     `json:"model,omitempty" doc:"Id of the reranker, or default." example:"default"`
		Query           string     `json:"query" minLength:"1" maxLength:"8192"`
		Documents       []document `json:"documents" minItems:"1" maxItems:"1000"`
		TopN            *int       `json:"top_n,omitempty" minimum:"1" doc:"How many of the best to return; all of them by default."`
		ReturnDocuments bool       `json:"return_documents,omitempty" doc:"Repeat the texts in the answer."`
	}
}

type told struct {
	Text string `json:"text"`
}

type result struct {
	Index          int     `json:"index" doc:"Place of the document in the request."`
	RelevanceScore float64 `json:"relevance_score" minimum:"0" maximum:"1"`
	Document       *told   `json:"document,omitempty"`
}

type usage struct {
	TotalTokens int `json:"total_tokens"`
}

type version struct {
	Version string `json:"version"`
}

type meta struct {
	APIVersion version `json:"api_version"`
}

type ranking struct {
	ID      memory.ID `json:"id"`
	Model   string    `json:"model"`
	Results []result  `json:"results"`
	Usage   usage     `json:"usage"`
	Meta    meta      `json:"meta"`

	Degraded []string `json:"degraded,omitempty" doc:"Stages done without: rerank where the budget did not cover the model, and the built-in one answered, which model names. An extension of the API."`
}

type rerankOutput struct{ Body ranking }

func (f *Function) rerank(ctx context.Context, in *rerankInput) (*rerankOutput, error) {
	b := &in.Body
	if err := f.knows(b.Model); err != nil {
		return nil, err
	}
	texts, err := check(in)
	if err != nil {
		return nil, err
	}
	by := f.reranker
	var degraded []string
	scores, err := f.scores(ctx, by, b.Query, texts)
	if fault.KindOf(err) == fault.OverBudget && !llm.Rejected(err) {
		by, degraded = rerank.Lexical{}, []string{name}
		scores, err = f.scores(ctx, by, b.Query, texts)
	}
	if err != nil {
		return nil, err
	}
	results := make([]result, len(texts))
	tokens := len(text.Words(b.Query))
	for i, score := range scores {
		results[i] = result{Index: i, RelevanceScore: score}
		if b.ReturnDocuments {
			results[i].Document = &told{texts[i]}
		}
		tokens += len(text.Words(texts[i]))
	}
	slices.SortFunc(results, func(a, b result) int {
		return cmp.Or(cmp.Compare(b.RelevanceScore, a.RelevanceScore), cmp.Compare(a.Index, b.Index))
	})
	if b.TopN != nil {
		results = results[:min(*b.TopN, len(results))]
	}
	return &rerankOutput{ranking{
		ID: memory.NewID(), Model: by.Model(), Results: results,
		Usage: usage{tokens}, Meta: meta{version{apiVersion}}, Degraded: degraded,
	}}, nil
}

// scores asks a reranker within the timeout and makes sure of what came back.
func (f *Function) scores(ctx context.Context, by rerank.Reranker, query string, texts []string) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	tenant, project := telemetry.CallOf(ctx).Scope()
	scores, err := by.Rerank(llm.WithPayer(ctx, memory.Scope{Tenant: tenant, Project: project}), query, texts)
	if err != nil {
		return nil, err
	}
	if len(scores) != len(texts) {
		return nil, fault.New(fault.Unavailable, "rerank model %s returned %d scores for %d documents", by.Model(), len(scores), len(texts))
	}
	for i, score := range scores {
		if math.IsNaN(score) || score < 0 || score > 1 {
			return nil, fault.New(fault.Unavailable, "rerank model %s returned a bad score for document %d", by.Model(), i)
		}
	}
	return scores, nil
}

// check holds a request to the limits and returns the texts of its documents.
func check(in *rerankInput) ([]string, error) {
	b := &in.Body
	switch {
	case b.Query == "":
		return nil, fault.BadField("body.query", "is required")
	case len(b.Query) > rerank.MaxQueryBytes:
		return nil, tooLarge("body.query", "has more than %d bytes", rerank.MaxQueryBytes)
	case len(b.Documents) == 0 || len(b.Documents) > rerank.MaxDocuments:
		return nil, fault.BadField("body.documents", "must hold 1 to %d items", rerank.MaxDocuments)
	case b.TopN != nil && *b.TopN < 1:
		return nil, fault.BadField("body.top_n", "must be at least 1")
	}
	texts, total := make([]string, len(b.Documents)), 0
	for i, d := range b.Documents {
		at := fmt.Sprintf("body.documents[%d]", i)
		switch {
		case d.text == nil:
			return nil, fault.BadField(at, "must have a text")
		case len(*d.text) > rerank.MaxDocumentBytes:
			return nil, tooLarge(at, "has more than %d bytes", rerank.MaxDocumentBytes)
		}
		texts[i] = *d.text
		total += len(texts[i])
	}
	if total > maxTotalBytes {
		return nil, tooLarge("body.documents", "has more than %d bytes in all", maxTotalBytes)
	}
	return texts, nil
}

func tooLarge(location, format string, args ...any) error {
	e := fault.BadField(location, format, args...)
	e.Kind = fault.TooLarge
	return e
}

// knows refuses another model than the one that is there: scores of two models are not comparable.
func (f *Function) knows(id string) error {
	if id == "" || id == defaultModel || id == f.reranker.Model() {
		return nil
	}
	err := fault.BadField("body.model", "is no reranker of this server; it has %s", f.reranker.Model())
	err.Kind = fault.NotFound
	return httpapi.Coded(err, "model_not_found")
}
