package httpapi

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const description = `Memory for AI agents: store what was seen, done and learned; get back the few memories that matter.

Every request names its tenant in ` + "`X-Tenant-ID`" + ` and may name a project in ` + "`X-Project-ID`" + ` (` + "`default`" + ` otherwise).
Bodies are JSON, keys are snake_case, times are RFC 3339 in UTC, ids are UUIDv7. Errors are problem documents (RFC 9457).`

// New returns the API on mux. It serves the OpenAPI 3.1 document at /openapi.json and /openapi.yaml and a page that
// renders it at /docs; operations are added with Register. The documents are written once, when first asked for, so
// every operation must be registered before the server starts.
func New(mux *http.ServeMux, version string) huma.API {
	registry := newRegistry()
	api := humago.New(mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "RAE", Version: version, Description: description},
			Tags:    tags(),
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT"},
					"apiKey": {Type: "apiKey", In: "header", Name: "X-API-Key"},
				},
			},
			Security: []map[string][]string{{"bearer": {}}, {"apiKey": {}}},
		},
		Formats:       map[string]huma.Format{"application/json": format(), "json": format()},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{finish},
	})
	api.UseMiddleware(gate{registry}.admit)
	document := api.OpenAPI()
	serveDocument(mux, "GET /openapi.json", "application/json", func() ([]byte, error) { return json.Marshal(document) })
	serveDocument(mux, "GET /openapi.yaml", "application/yaml", document.YAML)
	serveDocs(mux)
	return api
}

// tags puts what a newcomer needs first at the top of the document.
func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: "store", Description: "Keep what was seen, done and learned, and change, list, export or erase it."},
		{Name: "search", Description: "Find the few memories that matter, packed for a prompt or as a graph."},
		{Name: "reflect", Description: "Derive insights from memories, with citations."},
		{Name: "budget", Description: "Limits on what may be spent, reservations before a paid call, costs after it."},
		{Name: "embed", Description: "Vectors for texts. Any OpenAI client works against it."},
		{Name: "rerank", Description: "A second ordering of documents. Cohere and Jina clients work against it."},
	}
}

func serveDocument(mux *http.ServeMux, pattern, media string, write func() ([]byte, error)) {
	once := sync.OnceValues(write)
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		text, err := once()
		if err != nil {
			WriteProblem(w, r, err)
			return
		}
		w.Header().Set("Content-Type", media)
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(text) // a client that has gone needs no answer
	})
}
