package serve

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
)

// ownName refuses requests meant for another host, where nothing but the address to listen on keeps strangers out. A web
// page can let its own name resolve to 127.0.0.1 (DNS rebinding); the browser on this machine would then carry every
// memory to it, and has no way to send another Host than the page's.
func (s *Server) ownName(next http.Handler) http.Handler {
	if s.cfg.Auth != auth.None || s.cfg.reachable() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.cfg.isOwn(r.Host) && !isProbe(routeOf(r.Context())) { // probes hold no memories, and platforms name them as they like
			err := fault.New(fault.Denied, "header.Host names another machine; use 127.0.0.1 or localhost, or set RAE_HOST or RAE_AUTH=required")
			err.Fields = []fault.Field{{Location: "header.Host", Message: "names another machine"}}
			httpapi.WriteProblem(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isOwn reports whether a Host header means this machine. An address does: no name was resolved to come here.
func (c *Config) isOwn(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.EqualFold(host, c.Host)
}

// reachable reports whether others than this machine can connect.
func (c *Config) reachable() bool {
	if c.Host == "" {
		return c.Auth != auth.None
	}
	ip, err := netip.ParseAddr(c.Host)
	return c.Host != "localhost" && (err != nil || !ip.Unmap().IsLoopback())
}
