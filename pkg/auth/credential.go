package auth

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/rae-memory/rae/pkg/fault"
)

// maxCredential bounds a credential before anything looks into it.
const maxCredential = 8 << 10

// credential is what a request showed, before anybody believed it.
type credential struct {
	value  string // the token or key; empty when none was shown, or none of a known scheme
	bearer bool   // value came as a bearer token, and so may be a JWT
	count  int    // credentials shown
}

// single fails when more than one credential was shown: which one counts must not depend on who reads them.
func (c credential) single() error {
	if c.count > 1 {
		return fault.New(fault.Malformed, "the request carries %d credentials; send one", c.count)
	}
	return nil
}

func credentialOf(r *http.Request) (credential, error) {
	if err := queryCredential(r.URL); err != nil {
		return credential{}, err
	}
	var c credential
	for _, value := range r.Header.Values("Authorization") {
		if len(value) > maxCredential {
			return credential{}, badHeader("Authorization", "is over 8 KiB")
		}
		c.count++
		if scheme, rest, _ := strings.Cut(value, " "); strings.EqualFold(scheme, "Bearer") {
			c.value, c.bearer = strings.TrimLeft(rest, " "), true
		}
	}
	for _, value := range r.Header.Values(keyHeader) {
		if len(value) > maxCredential {
			return credential{}, badHeader(keyHeader, "is over 8 KiB")
		}
		c.count++
		c.value, c.bearer = value, false
	}
	return c, nil
}

// queryCredential refuses a credential in the address, where every proxy on the way would log it. The value is not
// looked at, so the answer does not tell whether it would have held.
func queryCredential(u *url.URL) error {
	if u.RawQuery == "" {
		return nil
	}
	for name := range u.Query() {
		switch strings.ToLower(name) {
		case "api_key", "access_token":
			return &fault.Error{
				Kind:    fault.Malformed,
				Message: "a credential does not belong in the address; send it as a header, and replace it: it may have been logged",
				Fields:  []fault.Field{{Location: "query." + strings.ToLower(name), Message: "is not taken"}},
			}
		}
	}
	return nil
}
