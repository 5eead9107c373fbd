package httpapi

import (
	"net/http"

	"github.com/rae-memory/rae/pkg/fault"
)

// Fallback serves mux and answers what no pattern matches with problem documents: 404, or 405 with Allow when the
// path exists under other methods. Patterns that match everything, such as "POST /", leave nothing to answer; mount
// the root as "POST /{$}".
func Fallback(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		unmatched, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := &probe{header: http.Header{}}
		unmatched.ServeHTTP(probe, r)
		if probe.status != http.StatusMethodNotAllowed {
			NotFound(w, r)
			return
		}
		allowed := probe.header.Get("Allow")
		p := newProblem(http.StatusMethodNotAllowed, "method_not_allowed", "this path takes "+allowed)
		p.headers.Set("Allow", allowed)
		p.cause = fault.New(fault.Invalid, "%s", p.Detail)
		WriteProblem(w, r, p)
	})
}

// NotFound answers with a 404 problem document.
func NotFound(w http.ResponseWriter, r *http.Request) {
	WriteProblem(w, r, fault.New(fault.NotFound, "there is nothing at this path"))
}

// probe takes the mux's own answer to an unmatched request, whose text is not ours.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
func (p *probe) WriteHeader(status int)      { p.status = status }
