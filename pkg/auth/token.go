package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rae-memory/rae/pkg/telemetry"
)

// clockSkew is how far another machine's clock may be ahead in nbf and iat. A token past its exp is past it.
const clockSkew = 60 * time.Second

// claims are what a token says; what else it says is ignored.
type claims struct {
	jwt.RegisteredClaims
	Tenant  string   `json:"tenant_id"`
	Project string   `json:"project_id"`
	Roles   []string `json:"roles"`
}

// tokens verifies JWTs with one algorithm and one key: nothing in a token's header chooses either.
type tokens struct {
	key    []byte
	now    func() time.Time
	parser *jwt.Parser
}

func newTokens(secret telemetry.Secret, now func() time.Time) *tokens {
	if now == nil {
		now = time.Now
	}
	return &tokens{
		key: []byte(secret.Reveal()),
		now: now,
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(),
			jwt.WithLeeway(clockSkew),
			jwt.WithTimeFunc(now),
			jwt.WithStrictDecoding(),
		),
	}
}

// verify returns the claims of a token that holds. Every error means the same to the caller; the text is for the log.
func (t *tokens) verify(raw string) (claims, error) {
	var c claims
	token, err := t.parser.ParseWithClaims(raw, &c, func(*jwt.Token) (any, error) { return t.key, nil })
	if err != nil {
		return claims{}, reason(err)
	}
	if _, critical := token.Header["crit"]; critical { // RFC 7515, section 4.1.11: not understood, so refused
		return claims{}, errors.New("token has critical extensions")
	}
	if kind, present := token.Header["typ"]; present && !tokenType(kind) {
		return claims{}, errors.New("token is of another type")
	}
	if !t.now().Before(c.ExpiresAt.Time) { // the parser's leeway is for nbf and iat only
		return claims{}, jwt.ErrTokenExpired
	}
	return c, nil
}

func tokenType(kind any) bool {
	name, _ := kind.(string)
	return strings.EqualFold(name, "JWT") || strings.EqualFold(name, "at+jwt")
}

// reason keeps of a parser's error only what is known not to quote the token.
func reason(err error) error {
	for _, known := range []error{
		jwt.ErrTokenMalformed, jwt.ErrTokenUnverifiable, jwt.ErrTokenSignatureInvalid, jwt.ErrTokenRequiredClaimMissing,
		jwt.ErrTokenExpired, jwt.ErrTokenNotValidYet, jwt.ErrTokenUsedBeforeIssued, jwt.ErrTokenInvalidClaims,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errors.New("token is invalid")
}

func (g *guard) tokenPrincipal(c credential) (Principal, error) {
	if !c.bearer {
		return Principal{}, errors.New("key is unknown")
	}
	if g.tokens == nil {
		return Principal{}, errors.New("no tokens are taken: no secret is set")
	}
	said, err := g.tokens.verify(c.value)
	if err != nil {
		return Principal{}, fmt.Errorf("verify token: %w", err)
	}
	if !validName(said.Tenant) {
		return Principal{}, errors.New("verify token: tenant_id is missing or malformed")
	}
	if said.Project != "" && !validName(said.Project) {
		return Principal{}, errors.New("verify token: project_id is malformed")
	}
	return Principal{Subject: said.Subject, Tenant: said.Tenant, Project: said.Project, Roles: said.Roles}, nil
}
