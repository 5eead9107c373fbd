package httpapi

import (
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rae-memory/rae/pkg/fault"
)

const tenantHeader = "X-Tenant-ID"

// checkParameters refuses what huma would take silently: parameters given twice, text no database stores, numbers
// that are none, times no answer can carry, a query that cannot be parsed. What is well-formed but wrong (too long, not one of
// the values) is left to validation. It leaves the parsed query in x.
func checkParameters(op *huma.Operation, r *http.Request, x *exchange) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fault.BadField("query", "is not valid: percent-encode %%, ; and everything that is not ASCII")
	}
	x.query = firstValues(values, r.URL.RawQuery)
	var wrong []fault.Field
	for _, p := range op.Parameters {
		var given []string
		switch p.In {
		case "query":
			given = values[p.Name]
		case "header":
			given = r.Header.Values(p.Name)
			if p.Name == tenantHeader && p.Required && (len(given) == 0 || given[0] == "") {
				return badHeader(fault.Malformed, tenantHeader, "is required")
			}
		case "path":
			given = []string{r.PathValue(p.Name)}
		}
		if message := checkParameter(p, given); message != "" {
			wrong = append(wrong, fault.Field{Location: p.In + "." + p.Name, Message: message})
			continue
		}
		if p.In == "query" && p.Schema != nil && p.Schema.Format == "date-time" && x.query[p.Name] != "" {
			if at, err := parseTime(x.query[p.Name]); err == nil {
				x.query[p.Name] = at.Format(time.RFC3339Nano) // handlers see UTC only
			}
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Invalid, Message: wrong[0].Location + " " + wrong[0].Message, Fields: wrong}
}

// firstValues picks the value huma will read. A bare name stands for "true", as in ?explain.
func firstValues(values url.Values, raw string) map[string]string {
	if len(values) == 0 {
		return nil
	}
	first := make(map[string]string, len(values))
	for name, all := range values {
		first[name] = all[0]
	}
	for pair := range strings.SplitSeq(raw, "&") {
		if name, err := url.QueryUnescape(pair); err == nil && pair != "" && !strings.Contains(pair, "=") {
			first[name] = "true"
		}
	}
	return first
}

// checkParameter returns what is wrong with the values given for p, or "".
func checkParameter(p *huma.Param, given []string) string {
	repeats := p.Explode != nil && *p.Explode
	if len(given) > 1 && !repeats {
		return "must be given once"
	}
	for _, value := range given {
		if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return "must be UTF-8 text without NUL"
		}
		if value == "" || p.Schema == nil {
			continue
		}
		parts := []string{value}
		schema := p.Schema
		if schema.Type == huma.TypeArray && schema.Items != nil {
			schema = schema.Items
			if !repeats {
				parts = strings.Split(value, ",")
			}
		}
		for _, part := range parts {
			if message := checkScalar(schema, part); message != "" {
				return message
			}
		}
	}
	return ""
}

func checkScalar(schema *huma.Schema, text string) string {
	switch {
	case schema.Type == huma.TypeNumber:
		if f, err := strconv.ParseFloat(text, 64); err == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return "must be a finite number"
		}
	case schema.Format == "date-time":
		if _, err := parseTime(text); err != nil {
			return "must be an RFC 3339 time, with + written as %2B" // huma would name a Go layout
		}
	}
	return ""
}
