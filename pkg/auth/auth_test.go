package auth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/telemetry"
)

const (
	secret = "0123456789abcdef0123456789abcdef"
	master = "master-key-master-key-master-key"
)

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func required() auth.Config {
	return auth.Config{Mode: auth.Required, JWTSecret: secret, MasterKey: master, Now: func() time.Time { return now }}
}

// seen is what a handler behind the middleware finds.
type seen struct {
	Principal                      auth.Principal
	Tenant, Project                string
	Authorization, APIKey          []string
	CallTenant, CallProject, Admin string
}

// outcome is what came of a request: either the handler saw it, or the caller reads a status and the fields at fault.
type outcome struct {
	Status int
	Fields []string
	Seen   seen
}

func send(t *testing.T, cfg auth.Config, r *http.Request) outcome {
	t.Helper()
	var got outcome
	handler := auth.Middleware(cfg)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tenant, project := telemetry.CallOf(r.Context()).Scope()
		admin := "yes"
		if err := auth.RequireAdmin(r.Context()); err != nil {
			admin = fault.KindOf(err).String()
		}
		got.Seen = seen{
			Principal: auth.PrincipalOf(r.Context()), Tenant: r.Header.Get("X-Tenant-ID"), Project: r.Header.Get("X-Project-ID"),
			Authorization: r.Header.Values("Authorization"), APIKey: r.Header.Values("X-API-Key"),
			CallTenant: tenant, CallProject: project, Admin: admin,
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	ctx, _ := telemetry.NewCall(t.Context())
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r.WithContext(ctx))
	got.Status = w.Code
	if w.Code != http.StatusNoContent {
		var problem struct {
			Status int
			Errors []fault.Field
		}
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
			t.Fatalf("problem %q: %v", w.Body, err)
		}
		if problem.Status != w.Code {
			t.Errorf("problem says %d in an answer of %d", problem.Status, w.Code)
		}
		for _, f := range problem.Errors {
			got.Fields = append(got.Fields, f.Location)
		}
		if challenge := w.Header().Get("WWW-Authenticate"); (challenge != "") != (w.Code == http.StatusUnauthorized) {
			t.Errorf("status %d with challenge %q", w.Code, challenge)
		}
	}
	return got
}

// request builds one from "Name: value" lines; RemoteAddr is loopback unless a line says "From".
func request(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = "127.0.0.1:4242"
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if name == "From" {
			r.RemoteAddr = value
			continue
		}
		r.Header.Add(name, value)
	}
	return r
}

func sign(t *testing.T, method jwt.SigningMethod, key any, header map[string]any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	for k, v := range header {
		token.Header[k] = v
	}
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func valid() jwt.MapClaims {
	return jwt.MapClaims{"tenant_id": "acme", "sub": "ann", "exp": now.Add(time.Hour).Unix(), "roles": []string{"writer"}}
}

func with(extra jwt.MapClaims) jwt.MapClaims {
	claims := valid()
	for k, v := range extra {
		if claims[k] = v; v == nil {
			delete(claims, k)
		}
	}
	return claims
}

func bearer(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	return "Authorization: Bearer " + sign(t, jwt.SigningMethodHS256, []byte(secret), nil, claims)
}

func passes(s seen) outcome {
	s.CallTenant, s.CallProject = s.Tenant, s.Project
	s.Principal.Tenant, s.Principal.Project = s.Tenant, s.Project
	if s.Admin = "denied"; s.Principal.Admin {
		s.Admin = "yes"
	}
	return outcome{Status: http.StatusNoContent, Seen: s}
}

func TestModeNoneBelievesTheHeaders(t *testing.T) {
	t.Parallel()
	local := auth.Principal{Subject: "anonymous", Admin: true}
	remote := auth.Principal{Subject: "anonymous"}
	for _, c := range []struct {
		name string
		r    *http.Request
		want outcome
	}{
		{"a tenant and a project", request("GET", "/v1/memories", "X-Tenant-ID: acme", "X-Project-ID: p.1"),
			passes(seen{Principal: local, Tenant: "acme", Project: "p.1"})},
		{"the project is default", request("GET", "/v1/memories", "X-Tenant-ID: acme"),
			passes(seen{Principal: local, Tenant: "acme", Project: "default"})},
		{"a credential is neither needed nor passed on", request("POST", "/v1/search", "X-Tenant-ID: acme", "Authorization: Bearer sk-x"),
			passes(seen{Principal: local, Tenant: "acme", Project: "default"})},
		{"a caller elsewhere is no administrator", request("GET", "/v1/memories", "X-Tenant-ID: acme", "From: 192.0.2.7:99"),
			passes(seen{Principal: remote, Tenant: "acme", Project: "default"})},
		{"nor is one behind a proxy here", request("GET", "/v1/memories", "X-Tenant-ID: acme", "X-Forwarded-For: 192.0.2.7"),
			passes(seen{Principal: remote, Tenant: "acme", Project: "default"})},
		{"IPv6 loopback is here", request("GET", "/v1/memories", "X-Tenant-ID: acme", "From: [::1]:99"),
			passes(seen{Principal: local, Tenant: "acme", Project: "default"})},
		{"no tenant", request("GET", "/v1/memories"), outcome{Status: 400, Fields: []string{"header.X-Tenant-ID"}}},
		{"an empty tenant", request("GET", "/v1/memories", "X-Tenant-ID: "), outcome{Status: 400, Fields: []string{"header.X-Tenant-ID"}}},
		{"a path as tenant", request("GET", "/v1/memories", "X-Tenant-ID: ../acme"), outcome{Status: 400, Fields: []string{"header.X-Tenant-ID"}}},
		{"a Cyrillic tenant", request("GET", "/v1/memories", "X-Tenant-ID: \u0430cme"), outcome{Status: 400, Fields: []string{"header.X-Tenant-ID"}}},
		{"a separator in the tenant", request("GET", "/v1/memories", "X-Tenant-ID: a:b"), outcome{Status: 400, Fields: []string{"header.X-Tenant-ID"}}},
		{"a tenant of 65", request("GET", "/v1/memories", "X-Tenant-ID: "+strings.Repeat("a", 65)), outcome{Status: 400, Fields: []string{"header.X-Tenant-ID"}}},
		{"two tenants", request("GET", "/v1/memories", "X-Tenant-ID: a", "X-Tenant-ID: b"), outcome{Status: 400, Fields: []string{"header.X-Tenant-ID"}}},
		{"a bad project", request("GET", "/v1/memories", "X-Tenant-ID: a", "X-Project-ID: b c"), outcome{Status: 400, Fields: []string{"header.X-Project-ID"}}},
		{"a key in the address", request("GET", "/v1/memories?Api_Key=x", "X-Tenant-ID: a"), outcome{Status: 400, Fields: []string{"query.api_key"}}},
		{"an OpenAI client knows no tenants", request("POST", "/v1/embeddings", "Authorization: Bearer sk-none"),
			passes(seen{Principal: local, Tenant: "default", Project: "default"})},
		{"nor does it when it lists models", request("GET", "/v1/models"), passes(seen{Principal: local, Tenant: "default", Project: "default"})},
		{"nor a rerank client", request("POST", "/v1/rerank"), passes(seen{Principal: local, Tenant: "default", Project: "default"})},
		{"though it may name one", request("POST", "/v1/embeddings", "X-Tenant-ID: acme"), passes(seen{Principal: local, Tenant: "acme", Project: "default"})},
		{"the tenant of an erasure is in its path", request("DELETE", "/v1/tenants/acme/data"), passes(seen{Principal: local})},
		{"prices belong to no tenant", request("GET", "/v1/prices"), passes(seen{Principal: local})},
		{"an event names its own tenant", request("POST", "/"), passes(seen{Principal: local})},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := send(t, auth.Config{Mode: auth.None}, c.r); !reflect.DeepEqual(got, c.want) {
				t.Errorf("\n got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestModeRequiredBelievesTheCredential(t *testing.T) {
	t.Parallel()
	ann := auth.Principal{Subject: "ann", Roles: []string{"writer"}}
	administrator := auth.Principal{Subject: "master", Admin: true}
	for _, c := range []struct {
		name string
		r    *http.Request
		want outcome
	}{
		{"a token names the tenant", request("GET", "/v1/memories", bearer(t, valid())), passes(seen{Principal: ann, Tenant: "acme", Project: "default"})},
		{"the scheme has no case", request("GET", "/v1/memories", strings.Replace(bearer(t, valid()), "Bearer", "bEARER", 1)),
			passes(seen{Principal: ann, Tenant: "acme", Project: "default"})},
		{"a header may agree", request("GET", "/v1/memories", bearer(t, valid()), "X-Tenant-ID: acme"), passes(seen{Principal: ann, Tenant: "acme", Project: "default"})},
		{"a header may choose the project a token leaves open", request("GET", "/v1/memories", bearer(t, valid()), "X-Project-ID: p"),
			passes(seen{Principal: ann, Tenant: "acme", Project: "p"})},
		{"a token may fix the project", request("GET", "/v1/memories", bearer(t, with(jwt.MapClaims{"project_id": "p"}))),
			passes(seen{Principal: ann, Tenant: "acme", Project: "p"})},
		{"another tenant in the header", request("GET", "/v1/memories", bearer(t, valid()), "X-Tenant-ID: other"),
			outcome{Status: 403, Fields: []string{"header.X-Tenant-ID"}}},
		{"the tenant in other letters", request("GET", "/v1/memories", bearer(t, valid()), "X-Tenant-ID: ACME"),
			outcome{Status: 403, Fields: []string{"header.X-Tenant-ID"}}},
		{"another project in the header", request("GET", "/v1/memories", bearer(t, with(jwt.MapClaims{"project_id": "p"})), "X-Project-ID: q"),
			outcome{Status: 403, Fields: []string{"header.X-Project-ID"}}},
		{"a role makes no administrator", request("DELETE", "/v1/tenants/acme/data", bearer(t, with(jwt.MapClaims{"roles": []string{"admin"}}))),
			passes(seen{Principal: auth.Principal{Subject: "ann", Roles: []string{"admin"}}, Tenant: "acme", Project: "default"})},
		{"the master key as bearer", request("GET", "/v1/memories", "Authorization: Bearer "+master, "X-Tenant-ID: acme"),
			passes(seen{Principal: administrator, Tenant: "acme", Project: "default"})},
		{"the master key as API key", request("GET", "/v1/memories", "X-API-Key: "+master, "X-Tenant-ID: acme", "X-Project-ID: p"),
			passes(seen{Principal: administrator, Tenant: "acme", Project: "p"})},
		{"the administrator must name a tenant", request("GET", "/v1/memories", "X-API-Key: "+master), outcome{Status: 400, Fields: []string{"header.X-Tenant-ID"}}},
		{"but not to set prices", request("PUT", "/v1/prices/m", "X-API-Key: "+master), passes(seen{Principal: administrator})},
		{"nor to oversee all of them", request("GET", "/v1/costs/overview", "X-API-Key: "+master), passes(seen{Principal: administrator})},
		{"a tenant's token names its tenant there too", request("GET", "/v1/costs/overview", bearer(t, valid())),
			passes(seen{Principal: ann, Tenant: "acme", Project: "default"})},
		{"and no other", request("GET", "/v1/costs/overview", bearer(t, valid()), "X-Tenant-ID: other"),
			outcome{Status: 403, Fields: []string{"header.X-Tenant-ID"}}},
		{"nor to post events", request("POST", "/", "X-API-Key: "+master), passes(seen{Principal: administrator})},
		{"a tenant posts no events", request("POST", "/", bearer(t, valid())), outcome{Status: 403}},
		{"nor does nobody", request("POST", "/"), outcome{Status: 401}},
		{"no credential", request("GET", "/v1/memories", "X-Tenant-ID: acme"), outcome{Status: 401}},
		{"no credential for embeddings either", request("POST", "/v1/embeddings"), outcome{Status: 401}},
		{"a scheme nobody knows", request("GET", "/v1/memories", "Authorization: Basic YTpi", "X-Tenant-ID: acme"), outcome{Status: 401}},
		{"an empty bearer", request("GET", "/v1/memories", "Authorization: Bearer", "X-Tenant-ID: acme"), outcome{Status: 401}},
		{"a truncated key", request("GET", "/v1/memories", "X-API-Key: "+master[1:], "X-Tenant-ID: acme"), outcome{Status: 401}},
		{"a key with a trailing space", request("GET", "/v1/memories", "X-API-Key: "+master+" ", "X-Tenant-ID: acme"), outcome{Status: 401}},
		{"a token as API key", request("GET", "/v1/memories", strings.Replace(bearer(t, valid()), "Authorization: Bearer", "X-API-Key:", 1)), outcome{Status: 401}},
		{"two credentials, both good", request("GET", "/v1/memories", "X-API-Key: "+master, bearer(t, valid())), outcome{Status: 400}},
		{"two bearers", request("GET", "/v1/memories", bearer(t, valid()), bearer(t, valid())), outcome{Status: 400}},
		{"a token in the address", request("GET", "/v1/memories?access_token=x", bearer(t, valid())), outcome{Status: 400, Fields: []string{"query.access_token"}}},
		{"9 KiB of token", request("GET", "/v1/memories", "Authorization: Bearer "+strings.Repeat(".", 9<<10)), outcome{Status: 400, Fields: []string{"header.Authorization"}}},
		{"9 KiB of key", request("GET", "/v1/memories", "X-API-Key: "+strings.Repeat("k", 9<<10)), outcome{Status: 400, Fields: []string{"header.X-API-Key"}}},
		{"health asks for nothing", request("GET", "/health"), outcome{Status: http.StatusNoContent, Seen: seen{Admin: "denied"}}},
		{"a path that only looks like /v1 is not ours", request("GET", "/v1x"), outcome{Status: http.StatusNoContent, Seen: seen{Admin: "denied"}}},
		{"an escaped path is", request("GET", "/%761/memories"), outcome{Status: 401}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := send(t, required(), c.r); !reflect.DeepEqual(got, c.want) {
				t.Errorf("\n got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestOpenEventsOpenNothingElse(t *testing.T) {
	t.Parallel()
	cfg := required()
	cfg.EventsMode = auth.None
	want := passes(seen{Principal: auth.Principal{Subject: "anonymous"}})
	if got := send(t, cfg, request("POST", "/")); !reflect.DeepEqual(got, want) {
		t.Errorf("event\n got %+v\nwant %+v", got, want)
	}
	if got := send(t, cfg, request("GET", "/v1/memories", "X-Tenant-ID: a")); got.Status != http.StatusUnauthorized {
		t.Errorf("a request got %d", got.Status)
	}
}

func TestWhatIsNotConfiguredOpensNoDoor(t *testing.T) {
	t.Parallel()
	empty := request("GET", "/v1/memories", "X-API-Key: ", "X-Tenant-ID: a")
	for name, cfg := range map[string]auth.Config{
		"no mode": {}, "an unknown mode": {Mode: "nnoe"}, "no keys": {Mode: auth.Required},
	} {
		for _, r := range []*http.Request{
			empty, request("GET", "/v1/memories", "Authorization: Bearer ", "X-Tenant-ID: a"),
			request("GET", "/v1/memories", "X-Tenant-ID: a"),
			request("GET", "/v1/memories", "Authorization: Bearer "+sign(t, jwt.SigningMethodHS256, []byte{}, nil, valid())),
		} {
			if got := send(t, cfg, r.Clone(t.Context())); got.Status != http.StatusUnauthorized {
				t.Errorf("%s: %v got %d", name, r.Header, got.Status)
			}
		}
	}
}
