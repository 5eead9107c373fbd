// Package httpapi is the edge between HTTP and the domain: strict JSON, problem documents, scopes and the one table
// from fault kinds to status codes. Handlers speak in domain errors and never name a status.
package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/memory"
)

// Register adds an operation whose handler returns domain errors; they leave as problem documents (RFC 9457).
func Register[I, O any](api huma.API, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, ProblemOf(err)
		}
		return out, nil
	})
}

// Scoped is embedded in the input of every route that touches a tenant's data. The auth middleware has already made
// the two headers agree with the credential.
type Scoped struct {
	Tenant  string `header:"X-Tenant-ID" required:"true" minLength:"1" maxLength:"64" pattern:"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$" doc:"Tenant the request acts for."`
	Project string `header:"X-Project-ID" default:"default" minLength:"1" maxLength:"64" pattern:"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$" doc:"Project within the tenant."`
}

// Scope returns the partition the request acts on.
func (s *Scoped) Scope() memory.Scope { return memory.Scope{Tenant: s.Tenant, Project: s.Project} }

// Idempotent is embedded in the input of every write that may be repeated safely under a key.
type Idempotent struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"Repeating a request with the same key and body has one effect and the same answer; another body is a 409."`
}

// Key names the request: the caller's key on this route, with a fingerprint of the parsed body. The zero Key when the
// caller sent none.
func (i *Idempotent) Key(route string, body any) memory.Key {
	if i.IdempotencyKey == "" {
		return memory.Key{}
	}
	b, err := json.Marshal(body)
	if err != nil { // bodies came from JSON
		b = []byte(err.Error())
	}
	sum := sha256.Sum256(b)
	return memory.Key{Route: route, Key: i.IdempotencyKey, Fingerprint: hex.EncodeToString(sum[:])}
}
