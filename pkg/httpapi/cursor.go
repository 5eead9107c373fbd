package httpapi

import (
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/memory"
)

// Paged is embedded in the input of every list.
type Paged struct {
	Cursor string `query:"cursor" maxLength:"1024" doc:"Where to go on: next_cursor of the page before, unchanged. Empty for the first page."`
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"Entries per page, at most."`
}

// After returns what EncodeCursor was given for the page before, or "" for the first page.
func (p *Paged) After(scope memory.Scope, route string) (string, error) {
	return DecodeCursor(scope, route, p.Cursor)
}

// EncodeCursor makes the opaque next_cursor of a page that ends at after. It holds only for the scope and the route
// (such as "GET /v1/memories"). The last page has no after, and its cursor is "".
func EncodeCursor(scope memory.Scope, route, after string) string {
	if after == "" {
		return ""
	}
	return seal(scope, "cursor "+route, []byte(after))
}

// DecodeCursor is EncodeCursor backwards; "" is the first page. A cursor that was altered, or made for another scope
// or route, is Invalid and names query.cursor.
func DecodeCursor(scope memory.Scope, route, cursor string) (after string, err error) {
	if cursor == "" {
		return "", nil
	}
	payload, ok := unseal(scope, "cursor "+route, cursor)
	if !ok {
		return "", fault.BadField("query.cursor", "is not a cursor of this list")
	}
	return string(payload), nil
}
