package serve

import (
	"context"
	"io"
	"net/http"
	"time"
)

const (
	maxHeaderBytes = 64 << 10
	maxBodyBytes   = 64 << 20        // the host's last word; routes set their own, much lower
	writeGrace     = 5 * time.Second // to send an answer that was ready at the deadline
)

// isStream says which routes carry as much as the caller likes: they may take any time, as long as something moves.
func isStream(route string) bool {
	switch route {
	case "POST /v1/memories/import", "GET /v1/memories/export":
		return true
	}
	return false
}

// limit bounds how long a request may take. An ordinary one has a deadline for everything: reading its body, the work,
// writing its answer. A stream has a deadline for each read and write, renewed by the next.
func (s *Server) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connection := http.NewResponseController(w)
		if isStream(routeOf(r.Context())) {
			if r.ContentLength != 0 { // a body that is refused before its first read is still read by net/http
				_ = connection.SetReadDeadline(time.Now().Add(s.cfg.StreamTimeout))
			}
			body := &rollingBody{ReadCloser: r.Body, connection: connection, timeout: s.cfg.StreamTimeout}
			streamed := *r
			streamed.Body = body
			next.ServeHTTP(&rollingWriter{ResponseWriter: w, connection: connection, timeout: s.cfg.StreamTimeout}, &streamed)
			// A short answer leaves only now, after what is left of the body.
			_ = connection.SetWriteDeadline(time.Now().Add(s.cfg.StreamTimeout + writeGrace))
			return
		}
		deadline := time.Now().Add(s.cfg.RequestTimeout)
		ctx, cancel := context.WithDeadline(r.Context(), deadline)
		defer cancel()
		// A writer without a connection, as in tests, has no deadlines to set; the context still holds.
		_ = connection.SetWriteDeadline(deadline.Add(writeGrace))
		r = r.WithContext(ctx)
		if r.ContentLength != 0 {
			_ = connection.SetReadDeadline(deadline)
			r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
		}
		next.ServeHTTP(w, r)
	})
}

// rollingBody renews the read deadline before each read, so that a stream may be long but not silent.
type rollingBody struct {
	io.ReadCloser
	connection *http.ResponseController
	timeout    time.Duration
}

func (b *rollingBody) Read(p []byte) (int, error) {
	_ = b.connection.SetReadDeadline(time.Now().Add(b.timeout))
	return b.ReadCloser.Read(p)
}

// rollingWriter renews the write deadline before each write.
type rollingWriter struct {
	http.ResponseWriter
	connection *http.ResponseController
	timeout    time.Duration
}

func (w *rollingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *rollingWriter) Write(p []byte) (int, error) {
	_ = w.connection.SetWriteDeadline(time.Now().Add(w.timeout))
	return w.ResponseWriter.Write(p)
}

func (w *rollingWriter) Flush() {
	_ = w.connection.SetWriteDeadline(time.Now().Add(w.timeout))
	_ = w.connection.Flush()
}
