package providertest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Server answers requests, and keeps what it was asked last.
type Server struct {
	URL string

	mu     sync.Mutex
	asked  string
	header http.Header
}

// Serve starts a server that answers with what answer makes of a request, as media ("" = application/json), until the test
// ends.
func Serve(t *testing.T, media string, answer func(r *http.Request, body []byte) string) *Server {
	t.Helper()
	s := &Server{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.asked, s.header = r.URL.String()+" "+string(body), r.Header
		s.mu.Unlock()
		answers(200, (&Subject{Media: media}).media(), answer(r, body))(w, r)
	}))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Says is an answer to every request.
func Says(text string) func(*http.Request, []byte) string {
	return func(*http.Request, []byte) string { return text }
}

// Asked is the last request: path and query, a space, and the body.
func (s *Server) Asked() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// Header is a header of the last request.
func (s *Server) Header(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.header.Get(name)
}
