package auth_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rae-memory/rae/pkg/auth"
)

func TestHostileTokensAreRefusedAlike(t *testing.T) {
	t.Parallel()
	key := []byte(secret)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := sign(t, jwt.SigningMethodHS256, key, nil, valid())
	parts := strings.Split(good, ".")
	raw := func(header, payload string) string {
		e := base64.RawURLEncoding
		return e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(payload)) + "." + parts[2]
	}
	hs := func(c jwt.MapClaims) string { return sign(t, jwt.SigningMethodHS256, key, nil, c) }

	var first string
	for _, c := range []struct{ name, token string }{
		{"alg none", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, valid())},
		{"alg none without signature part", strings.TrimSuffix(raw(`{"alg":"none"}`, `{"tenant_id":"acme","exp":9999999999}`), parts[2])},
		{"alg nOnE", raw(`{"alg":"nOnE"}`, `{"tenant_id":"acme","exp":9999999999}`)},
		{"another secret", sign(t, jwt.SigningMethodHS256, []byte("another secret of thirty-two bytes"), nil, valid())},
		{"no secret", sign(t, jwt.SigningMethodHS256, []byte{}, nil, valid())},
		{"HS384", sign(t, jwt.SigningMethodHS384, key, nil, valid())},
		{"HS512", sign(t, jwt.SigningMethodHS512, key, nil, valid())},
		{"RS256", sign(t, jwt.SigningMethodRS256, private, nil, valid())},
		{"expired", hs(with(jwt.MapClaims{"exp": now.Add(-time.Hour).Unix()}))},
		{"expired a second ago", hs(with(jwt.MapClaims{"exp": now.Add(-time.Second).Unix()}))},
		{"expires now", hs(with(jwt.MapClaims{"exp": now.Unix()}))},
		{"no exp", hs(with(jwt.MapClaims{"exp": nil}))},
		{"exp is text", hs(with(jwt.MapClaims{"exp": "tomorrow"}))},
		{"exp is beyond time", hs(with(jwt.MapClaims{"exp": -1e300}))},
		{"nbf ahead", hs(with(jwt.MapClaims{"nbf": now.Add(2 * time.Minute).Unix()}))},
		{"iat ahead", hs(with(jwt.MapClaims{"iat": now.Add(2 * time.Minute).Unix()}))},
		{"no tenant", hs(with(jwt.MapClaims{"tenant_id": nil}))},
		{"empty tenant", hs(with(jwt.MapClaims{"tenant_id": ""}))},
		{"a path as tenant", hs(with(jwt.MapClaims{"tenant_id": "../x"}))},
		{"a list as tenant", hs(with(jwt.MapClaims{"tenant_id": []string{"a", "b"}}))},
		{"a bad project", hs(with(jwt.MapClaims{"project_id": "a b"}))},
		{"a critical extension", sign(t, jwt.SigningMethodHS256, key, map[string]any{"crit": []string{"x"}, "x": 1}, valid())},
		{"another type", sign(t, jwt.SigningMethodHS256, key, map[string]any{"typ": "dpop+jwt"}, valid())},
		{"a type that is no text", sign(t, jwt.SigningMethodHS256, key, map[string]any{"typ": 1}, valid())},
		{"a changed payload", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"tenant_id":"x","exp":9999999999}`)) + "." + parts[2]},
		{"a cut signature", good[:len(good)-4]},
		{"no signature", parts[0] + "." + parts[1] + "."},
		{"a token twice", good + "." + good},
		{"five parts, as encrypted tokens have", strings.Repeat(parts[0]+".", 4) + parts[2]},
		{"two parts", parts[0] + "." + parts[1]},
		{"dots", strings.Repeat(".", 8000)},
		{"two dots", ".."},
		{"junk", "\x01\x02{}"},
		{"deep JSON", raw(strings.Repeat("[", 2000), "{}")},
		{"a kid that is a path", sign(t, jwt.SigningMethodHS256, []byte{}, map[string]any{"kid": "../../dev/null"}, valid())},
		{"a key in the header", sign(t, jwt.SigningMethodHS256, []byte("theirs"), map[string]any{"jwk": map[string]string{"kty": "oct", "k": "dGhlaXJz"}}, valid())},
	} {
		w := httptest.NewRecorder()
		auth.Middleware(required())(http.NotFoundHandler()).ServeHTTP(w, request("GET", "/v1/memories", "Authorization: Bearer "+c.token))
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%s: status %d, want 401", c.name, w.Code)
		}
		if first == "" {
			first = w.Body.String()
		}
		if w.Body.String() != first {
			t.Errorf("%s: the answer tells it from other refusals: %s", c.name, w.Body)
		}
	}
}

func TestTokensWithinTheLeewayHold(t *testing.T) {
	t.Parallel()
	for name, claims := range map[string]jwt.MapClaims{
		"nbf 30 s ahead":       {"nbf": now.Add(30 * time.Second).Unix()},
		"iat 30 s ahead":       {"iat": now.Add(30 * time.Second).Unix()},
		"exp a second ahead":   {"exp": now.Add(time.Second).Unix()},
		"unknown claims":       {"aud": "someone", "scope": "x"},
		"exp in half a minute": {"exp": float64(now.Unix()) + 30.5},
	} {
		if got := send(t, required(), request("GET", "/v1/memories", bearer(t, with(claims)))); got.Status != http.StatusNoContent {
			t.Errorf("%s: status %d", name, got.Status)
		}
	}
}

func TestTheLogSaysWhyButNeverWhat(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cfg := required()
	cfg.Log = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	token := sign(t, jwt.SigningMethodHS256, []byte("x"), nil, valid())
	send(t, cfg, request("GET", "/v1/memories", "Authorization: Bearer "+token))
	send(t, cfg, request("GET", "/v1/memories", "Authorization: Bearer "+master[1:]))
	send(t, cfg, request("GET", "/v1/memories", "X-API-Key: "+master[1:]))
	for _, leak := range []string{token[:10], master[1:], secret} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the log holds %q:\n%s", leak, &out)
		}
	}
	if n := strings.Count(out.String(), "credential refused"); n != 3 {
		t.Errorf("%d of 3 refusals logged:\n%s", n, &out)
	}
}
