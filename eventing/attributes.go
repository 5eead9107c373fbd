package eventing

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"mime"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rae-memory/rae/pkg/memory"
)

// Limits of what travels. Brokers forward at least 64 KiB; derived memories may be larger.
const (
	MaxBody       = 1 << 20 // bytes of data, or of a whole structured event
	maxID         = 256     // bytes of id
	maxSource     = 512
	maxType       = 128
	maxSubject    = 512
	maxExtension  = 4096 // knativeerrordata may hold 1024, and is not the longest extension there is
	maxAttributes = 64
	maxName       = 64 // bytes of an attribute's name
)

// Extension attributes. The first two are in every event of a tenant's data.
const (
	tenantExtension  = "tenantid"
	projectExtension = "projectid"
	traceExtension   = "traceparent"
)

var (
	partition   = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$`)
	traceparent = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)
	attribute   = regexp.MustCompile(`^[a-z0-9]{1,64}$`)
)

// attributes are the context attributes of an event by name, as text.
type attributes map[string]string

// check holds the attributes against the specification and the limits, and names the first that breaks one.
func (a attributes) check() error {
	if len(a) > maxAttributes {
		return malformedAt("event", "has more than "+strconv.Itoa(maxAttributes)+" attributes")
	}
	for name, value := range a {
		if !attribute.MatchString(name) {
			return malformedAt("event", "has an attribute whose name is not 1 to "+strconv.Itoa(maxName)+" lower-case letters and digits")
		}
		if len(value) > maxExtension {
			return malformed(name, "is longer than "+strconv.Itoa(maxExtension)+" bytes")
		}
	}
	switch version, ok := a["specversion"]; {
	case !ok:
		return malformed("specversion", "is missing")
	case version != "1.0":
		return malformed("specversion", "is not 1.0")
	}
	for _, rule := range [...]struct {
		name     string
		limit    int
		required bool
	}{
		{"id", maxID, true}, {"source", maxSource, true}, {"type", maxType, true}, {"subject", maxSubject, false},
	} {
		value, ok := a[rule.name]
		switch {
		case !ok && rule.required:
			return malformed(rule.name, "is missing")
		case ok && strings.TrimSpace(value) == "":
			return malformed(rule.name, "is empty")
		case len(value) > rule.limit:
			return malformed(rule.name, "is longer than "+strconv.Itoa(rule.limit)+" bytes")
		case !printable(value):
			return malformed(rule.name, "holds characters that are not printable ASCII")
		}
	}
	for _, name := range [...]string{"source", "dataschema"} {
		if _, err := url.Parse(a[name]); err != nil {
			return malformed(name, "is no URI")
		}
	}
	if at, ok := a["time"]; ok {
		t, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			return malformed("time", "is not an RFC 3339 time")
		}
		if t.Year() < 1970 || t.Year() > 2200 {
			return malformed("time", "is not between 1970 and 2200")
		}
	}
	return a.checkContentType()
}

// checkContentType accepts JSON in UTF-8, which is also what an event that does not say is taken to hold.
func (a attributes) checkContentType() error {
	value, ok := a["datacontenttype"]
	if !ok {
		return nil
	}
	media, params, err := mime.ParseMediaType(value)
	if err != nil || media != "application/json" {
		return malformed("datacontenttype", "is not application/json")
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return malformed("datacontenttype", "has a charset other than utf-8")
	}
	return nil
}

// entry finds the type of the event. A ping becomes the clock event it stands for.
func (a attributes) entry() (Entry, error) {
	if a["type"] != Ping {
		entry, ok := entryOf(a["type"])
		if !ok {
			return Entry{}, malformed("type", "is not one of the catalogue")
		}
		if schema, ok := a["dataschema"]; ok && schema != entry.SchemaURI() {
			return Entry{}, malformed("dataschema", "is not that of the type")
		}
		return entry, nil
	}
	entry, ok := entryOfRecord(a[ClockExtension])
	if !ok || entry.Scope != Unscoped {
		return Entry{}, malformed(ClockExtension, "names no clock event")
	}
	return entry, nil
}

// scope reads tenant and project out of the extensions.
func (a attributes) scope() (memory.Scope, error) {
	scope := memory.Scope{Tenant: a[tenantExtension], Project: a[projectExtension]}
	for name, value := range map[string]string{tenantExtension: scope.Tenant, projectExtension: scope.Project} {
		if _, ok := a[name]; ok && !partition.MatchString(value) {
			return memory.Scope{}, malformed(name, "does not match "+partition.String())
		}
	}
	return scope, nil
}

// trace returns the trace context, or "" for one that is not of the W3C form: the standard says to go on without.
func trace(value string) string {
	if traceparent.MatchString(value) {
		return value
	}
	return ""
}

// printable reports whether a value can stand in a header as it is, in every CloudEvents library.
func printable(value string) bool {
	for i := range len(value) {
		if value[i] < 0x20 || value[i] > 0x7e {
			return false
		}
	}
	return true
}

// refused tells who refused the event and why, where a broker says so.
func (a attributes) refused() string {
	dest, code, data := a["knativeerrordest"], a["knativeerrorcode"], a["knativeerrordata"]
	if dest == "" && code == "" {
		return ""
	}
	answer, err := base64.StdEncoding.DecodeString(data)
	if err != nil || !utf8.Valid(answer) {
		answer = []byte(data)
	}
	return strings.TrimSuffix(fmt.Sprintf("%s answered %s: %s", cmp.Or(dest, "somebody"), cmp.Or(code, "nothing"), clip(printed(string(answer)), maxAnswer)), ": ")
}

// printed leaves out what would break a line.
func printed(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s))
}
