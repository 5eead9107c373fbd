// Package auth decides who a request acts for. It is the only place that reads a credential: behind it the headers
// X-Tenant-ID and X-Project-ID hold verified values, the credential itself is gone, and the context carries a
// [Principal].
package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/telemetry"
)

// Mode says whether a credential is needed.
type Mode string

const (
	None     Mode = "none"     // the headers are believed; for a program on the same machine
	Required Mode = "required" // the tenant comes from a credential
)

const (
	tenantHeader   = "X-Tenant-ID"
	projectHeader  = "X-Project-ID"
	keyHeader      = "X-API-Key"
	defaultProject = "default"
	defaultTenant  = "default" // of plain OpenAI and Cohere clients, which know no tenants
)

// Config says how callers prove who they are. In mode Required a request without a credential is refused, and with
// neither JWTSecret nor MasterKey set every request is.
type Config struct {
	Mode       Mode
	EventsMode Mode             // for CloudEvents posted to "/"; empty means as Mode
	JWTSecret  telemetry.Secret // HS256 key; empty: no tokens are taken
	MasterKey  telemetry.Secret // the administrator's key; empty: there is no administrator
	Now        func() time.Time // nil means time.Now
	Log        *slog.Logger     // why credentials were refused, at debug; nil says nothing
}

// Principal is who a request acts for.
type Principal struct {
	Subject string // sub of the token, "master" for the master key, "anonymous" in mode None
	Tenant  string // empty only on administrative routes called without a tenant
	Project string
	Admin   bool // may act on any tenant and on what belongs to none
	Roles   []string
}

type principalKey struct{}

// PrincipalOf returns who the request acts for; the zero Principal outside a guarded request.
func PrincipalOf(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

// RequireAdmin fails with Denied unless the caller is an administrator: the holder of the master key or, in mode
// None, a caller on this machine.
func RequireAdmin(ctx context.Context) error {
	if PrincipalOf(ctx).Admin {
		return nil
	}
	return fault.New(fault.Denied, "this operation is for administrators")
}

// Middleware guards every path under /v1 and events posted to "/", and passes everything else on untouched.
//
// A request is refused with 400 when it is contradictory or oversized (two credentials, a credential in the query
// string, Authorization or key over 8 KiB, a malformed or missing tenant), with 401 when its credential is missing or
// does not hold, and with 403 when a header contradicts the credential.
func Middleware(cfg Config) func(http.Handler) http.Handler {
	g := newGuard(cfg)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !guarded(r) {
				next.ServeHTTP(w, r)
				return
			}
			p, err := g.principal(r)
			if err != nil {
				if fault.KindOf(err) == fault.Unauthenticated {
					w.Header().Set("WWW-Authenticate", `Bearer realm="rae"`)
				}
				httpapi.WriteProblem(w, r, err)
				return
			}
			telemetry.CallOf(r.Context()).SetScope(p.Tenant, p.Project)
			next.ServeHTTP(w, verified(r, p))
		})
	}
}

// verified returns the request as handlers may see it: scope headers that are true, and no credential.
func verified(r *http.Request, p Principal) *http.Request {
	r = r.WithContext(context.WithValue(r.Context(), principalKey{}, p))
	r.Header = r.Header.Clone()
	for _, name := range []string{tenantHeader, projectHeader, keyHeader, "Authorization"} {
		r.Header.Del(name)
	}
	if p.Tenant != "" {
		r.Header.Set(tenantHeader, p.Tenant)
		r.Header.Set(projectHeader, p.Project)
	}
	return r
}

func isEvent(r *http.Request) bool { return r.URL.Path == "/" && r.Method == http.MethodPost }

func guarded(r *http.Request) bool {
	return r.URL.Path == "/v1" || strings.HasPrefix(r.URL.Path, "/v1/") || isEvent(r)
}

// need says what a route does with a tenant nobody named.
type need int

const (
	mustName   need = iota // 400
	mayDefault             // the tenant is "default"
	mayOmit                // the route acts on all tenants, or names one in its path
)

func tenantNeed(r *http.Request) need {
	path := r.URL.Path
	switch {
	case path == "/v1/embeddings", path == "/v1/rerank", path == "/v1/models", strings.HasPrefix(path, "/v1/models/"):
		return mayDefault
	case isEvent(r), path == "/v1/costs/overview", path == "/v1/prices", strings.HasPrefix(path, "/v1/prices/"), strings.HasPrefix(path, "/v1/tenants/"):
		return mayOmit
	}
	return mustName
}

// guard is a Config made ready: keys hashed once, the token parser built once.
type guard struct {
	mode, eventsMode Mode
	master           [sha256.Size]byte
	hasMaster        bool
	tokens           *tokens // nil: none are taken
	log              *slog.Logger
}

func newGuard(cfg Config) *guard {
	g := &guard{mode: cfg.Mode, eventsMode: cfg.EventsMode, log: cfg.Log}
	if g.mode != None {
		g.mode = Required // an unknown mode must not open a door
	}
	if g.eventsMode == "" {
		g.eventsMode = g.mode
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if !cfg.MasterKey.Empty() {
		g.hasMaster, g.master = true, sha256.Sum256([]byte(cfg.MasterKey.Reveal()))
	}
	if !cfg.JWTSecret.Empty() {
		g.tokens = newTokens(cfg.JWTSecret, cfg.Now)
	}
	return g
}

func (g *guard) principal(r *http.Request) (Principal, error) {
	cred, err := credentialOf(r)
	if err != nil {
		return Principal{}, err
	}
	asked, err := askedScope(r)
	if err != nil {
		return Principal{}, err
	}
	mode := g.mode
	if isEvent(r) {
		mode = g.eventsMode
	}
	if mode == None {
		admin := g.mode == None && fromThisMachine(r) // open events open nothing else
		return settle(r, Principal{Subject: "anonymous", Admin: admin}, asked)
	}
	if err := cred.single(); err != nil {
		return Principal{}, err
	}
	if cred.value == "" {
		return Principal{}, fault.New(fault.Unauthenticated,
			"a credential is required: Authorization: Bearer <token>, or X-API-Key")
	}
	if g.isMaster(cred.value) {
		return settle(r, Principal{Subject: "master", Admin: true}, asked)
	}
	p, err := g.tokenPrincipal(cred)
	if err != nil {
		g.log.DebugContext(r.Context(), "credential refused", "err", err)
		return Principal{}, fault.Wrap(fault.Unauthenticated, err, "the credential does not hold")
	}
	if isEvent(r) { // an event names its own tenant, so a tenant's token may not send one
		return Principal{}, fault.New(fault.Denied, "events are taken from the broker only")
	}
	return settle(r, p, asked)
}

// isMaster compares in constant time, length included.
func (g *guard) isMaster(value string) bool {
	sum := sha256.Sum256([]byte(value))
	return subtle.ConstantTimeCompare(sum[:], g.master[:]) == 1 && g.hasMaster
}

// scope is a tenant and project as asked for; empty strings where nothing was.
type scope struct{ tenant, project string }

const maxName = 64 // characters

// nameShape is what tenants and projects are called; no folding, no trimming.
var nameShape = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

func validName(name string) bool { return len(name) <= maxName && nameShape.MatchString(name) }

func askedScope(r *http.Request) (scope, error) {
	tenant, err := nameHeader(r, tenantHeader)
	if err != nil {
		return scope{}, err
	}
	project, err := nameHeader(r, projectHeader)
	return scope{tenant, project}, err
}

func nameHeader(r *http.Request, name string) (string, error) {
	values := r.Header.Values(name)
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", badHeader(name, "must be given once")
	case !validName(values[0]):
		return "", badHeader(name, "must be 1 to 64 letters, digits, '_', '.' or '-', beginning with a letter or digit")
	}
	return values[0], nil
}

// badHeader is a 400: a header is part of the request's form, not of its content.
func badHeader(name, message string) error {
	err := fault.BadField("header."+name, "%s", message)
	err.Kind = fault.Malformed
	return err
}

// settle joins what the credential says with what the headers ask. The credential wins, and a header that disagrees
// is refused: a caller who believes to be elsewhere must hear it.
func settle(r *http.Request, p Principal, asked scope) (Principal, error) {
	if p.Tenant != "" && asked.tenant != "" && asked.tenant != p.Tenant {
		return Principal{}, contradiction(tenantHeader)
	}
	if p.Project != "" && asked.project != "" && asked.project != p.Project {
		return Principal{}, contradiction(projectHeader)
	}
	if p.Tenant == "" {
		p.Tenant = asked.tenant
	}
	if p.Tenant == "" {
		switch tenantNeed(r) {
		case mayDefault:
			p.Tenant = defaultTenant
		case mustName:
			return Principal{}, badHeader(tenantHeader, "is required: it names the tenant the request acts for")
		}
	}
	if p.Project == "" {
		p.Project = asked.project
	}
	if p.Project == "" && p.Tenant != "" {
		p.Project = defaultProject
	}
	return p, nil
}

func contradiction(header string) error {
	err := fault.New(fault.Denied, "header.%s contradicts the credential", header)
	err.Fields = []fault.Field{{Location: "header." + header, Message: "contradicts the credential"}}
	return err
}

// fromThisMachine reports whether the caller itself is on this machine. A proxy on this machine speaks for others, and
// says so in a header.
func fromThisMachine(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip"} {
		if len(r.Header.Values(name)) > 0 {
			return false
		}
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}
