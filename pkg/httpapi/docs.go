package httpapi

import (
	"embed"
	"net/http"
)

// page is the API's documentation: it renders /openapi.json in the browser and needs nothing from anywhere else.
//
//go:embed docs
var page embed.FS

const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func serveDocs(mux *http.ServeMux) {
	for pattern, file := range map[string]struct{ name, media string }{
		"GET /docs":          {"docs/index.html", "text/html; charset=utf-8"},
		"GET /docs/docs.css": {"docs/docs.css", "text/css; charset=utf-8"},
		"GET /docs/docs.js":  {"docs/docs.js", "text/javascript; charset=utf-8"},
		"GET /docs/icon.svg": {"docs/icon.svg", "image/svg+xml"},
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			text, err := page.ReadFile(file.name)
			if err != nil {
				WriteProblem(w, r, err)
				return
			}
			w.Header().Set("Content-Type", file.media)
			w.Header().Set("Content-Security-Policy", docsPolicy)
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Referrer-Policy", "no-referrer")
			w.Header().Set("Cache-Control", "no-cache")
			_, _ = w.Write(text) // a client that has gone needs no answer
		})
	}
}
