package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/rae-memory/rae/pkg/memory"
)

const (
	sealVersion = 1
	sumBytes    = 16
)

// seal makes an opaque token of a payload, bound to its purpose and scope by a checksum. It guards against mistakes
// (another list's cursor, another project's token), not against forgery: a token grants nothing its bearer's
// credential does not.
func seal(scope memory.Scope, purpose string, payload []byte) string {
	sum := sealSum(scope, purpose, payload)
	token := append([]byte{sealVersion}, sum...)
	return base64.RawURLEncoding.EncodeToString(append(token, payload...))
}

// unseal returns the payload and whether the token was made by seal for the same scope and purpose.
func unseal(scope memory.Scope, purpose, token string) ([]byte, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 1+sumBytes || raw[0] != sealVersion {
		return nil, false
	}
	payload := raw[1+sumBytes:]
	return payload, string(raw[1:1+sumBytes]) == string(sealSum(scope, purpose, payload))
}

// sealSum length-prefixes every part, so no two lists of parts collide by concatenation.
func sealSum(scope memory.Scope, purpose string, payload []byte) []byte {
	sum := sha256.New()
	for _, part := range []string{scope.Tenant, scope.Project, purpose, string(payload)} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return sum.Sum(nil)[:sumBytes]
}
