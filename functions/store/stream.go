package store

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/ingest"
)

type importInput struct {
	Changing
	httpapi.StreamIn
}

type importOutput struct {
	httpapi.ConsistencyOut
	Body ingest.Summary
}

type exportInput struct {
	httpapi.Scoped
	Filtering
	Viewing
}

func (f *Function) registerStreams(api huma.API) {
	httpapi.Register(api, huma.Operation{
		OperationID: "import-memories", Method: http.MethodPost, Path: "/v1/memories/import", Tags: []string{tag},
		Summary: "Import memories from JSON lines",
		Description: "One memory per line, of any number, each at most 4 MiB: as POST /v1/memories takes it or as an export wrote it. Lines at fault " +
			"are refused with their number, and the rest goes on. Of an exported memory the id is kept unless it is taken; its versions and " +
			"times of storing are not. Repeating an import stores nothing twice.",
	}, f.importLines)
	httpapi.Register(api, huma.Operation{
		OperationID: "export-memories", Method: http.MethodGet, Path: "/v1/memories/export", Tags: []string{tag},
		Summary: "Export memories as JSON lines", Description: "Every memory that matches, newest first. An export that breaks off ends without its last chunk.",
	}, f.exportLines)
}

func (f *Function) importLines(ctx context.Context, in *importInput) (*importOutput, error) {
	summary, err := f.Memories.Import(ctx, in.Scope(), in.Reader(), in.why(ctx), nil)
	if err != nil {
		return nil, err
	}
	return &importOutput{ConsistencyOut: f.token(ctx, in.Scope()), Body: summary}, nil
}

func (f *Function) exportLines(_ context.Context, in *exportInput) (*huma.StreamResponse, error) {
	return httpapi.StreamOut(func(ctx context.Context, w io.Writer) error {
		_, err := f.Memories.Export(ctx, in.Scope(), in.filter(), in.view(), w)
		return err
	}), nil
}
