package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/memory"
)

const someID = "0197e4a2-5c1d-7c3e-9a5b-2f6d8e01b7c4"

func TestBadParametersAreRefusedByName(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, target, at string }{
		{"a limit of 0", someID + "?limit=0", "query.limit"},
		{"a limit over 1000", someID + "?limit=1001", "query.limit"},
		{"a limit that is no number", someID + "?limit=s3cr3t", "query.limit"},
		{"a limit beyond 64 bits", someID + "?limit=99999999999999999999", "query.limit"},
		{"two limits", someID + "?limit=1&limit=2", "query.limit"},
		{"a score that is NaN", someID + "?score=NaN", "query.score"},
		{"an infinite score", someID + "?score=-Inf", "query.score"},
		{"a score over its maximum", someID + "?score=1.5", "query.score"},
		{"an unknown parameter", someID + "?colour=s3cr3t", "query.colour"},
		{"a parameter in another case", someID + "?Limit=5", "query.Limit"},
		{"a layer that is none", someID + "?layer=s3cr3t", "query.layer"},
		{"a tag twice", someID + "?tag=a&tag=b", "query.tag"},
		{"a NUL in a tag", someID + "?tag=a%00b", "query.tag"},
		{"invalid UTF-8 in a tag", someID + "?tag=%ff", "query.tag"},
		{"a time that is none", someID + "?since=yesterday", "query.since"},
		{"a time with its plus unescaped", someID + "?since=2026-01-01T00:00:00+02:00", "query.since"},
		{"a time that leaves year 9999 in UTC", someID + "?since=9999-12-31T23:59:59-12:00", "query.since"},
		{"a boolean that is none", someID + "?detail=perhaps", "query.detail"},
		{"a broken escape", someID + "?limit=%zz", "query"},
		{"a semicolon", someID + "?limit=1;tag=a", "query"},
		{"a cursor of 2000 bytes", someID + "?cursor=" + strings.Repeat("x", 2000), "query.cursor"},
		{"two wrong parameters", someID + "?score=NaN&tag=%ff", "query.score query.tag"},
		{"a NUL in the path", "a%00b", "path.id"},
		{"invalid UTF-8 in the path", "%ff", "path.id"},
		{"an id that is none", "s3cr3t", "path.id path.id"},
		{"an id in braces", "%7B" + someID + "%7D", "path.id"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p, text := readProblem(t, newWorld(t).get("/v1/parcels/"+row.target), http.StatusUnprocessableEntity)
			got := strings.Fields(locations(p))
			want := strings.Fields(row.at)
			for _, at := range want {
				if !strings.Contains(" "+strings.Join(got, " ")+" ", " "+at+" ") {
					t.Errorf("names %q, want %q: %s", got, want, text)
				}
			}
			if strings.Contains(text, "s3cr3t") {
				t.Errorf("the answer repeats what was sent: %s", text)
			}
		})
	}
}

func TestBadHeadersAreRefusedByName(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		header http.Header
		status int
		at     string
	}{
		{"no tenant", http.Header{}, 400, "header.X-Tenant-ID"},
		{"an empty tenant", http.Header{"X-Tenant-Id": {""}}, 400, "header.X-Tenant-ID"},
		{"a tenant with a slash", http.Header{"X-Tenant-Id": {"a/b"}}, 422, "header.X-Tenant-ID"},
		{"a tenant of 65 characters", http.Header{"X-Tenant-Id": {strings.Repeat("a", 65)}}, 422, "header.X-Tenant-ID"},
		{"two tenants", http.Header{"X-Tenant-Id": {"a", "b"}}, 422, "header.X-Tenant-ID"},
		{"a tenant with a line feed", http.Header{"X-Tenant-Id": {"a\n"}}, 422, "header.X-Tenant-ID"},
		{"a project that is not UTF-8", http.Header{"X-Tenant-Id": {"a"}, "X-Project-Id": {"\xff"}}, 422, "header.X-Project-ID"},
		{"a long token", http.Header{"X-Tenant-Id": {"a"}, "X-Rae-Consistency": {strings.Repeat("x", 200)}}, 422, "header.X-RAE-Consistency"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/v1/parcels/"+someID, nil)
			r.Header = row.header
			p, text := readProblem(t, newWorld(t).sendBare(r), row.status)
			if got, _, _ := strings.Cut(locations(p), " "); got != row.at {
				t.Errorf("names %q, want %q: %s", got, row.at, text)
			}
		})
	}
}

func TestGoodParametersArrive(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ query, want string }{
		{"", `{"id":"` + someID + `","tags":[],"since":"0001-01-01T00:00:00Z","detail":false,"limit":100}`},
		{"?limit=&tag=&cursor=", `{"id":"` + someID + `","tags":[],"since":"0001-01-01T00:00:00Z","detail":false,"limit":100}`},
		{"?detail&limit=7&tag=a,b%20c&since=2026-01-01T00:00:00%2B02:00",
			`{"id":"` + someID + `","tags":["a","b c"],"since":"2025-12-31T22:00:00Z","detail":true,"limit":7}`},
	} {
		if got := strings.TrimSpace(readBody(t, newWorld(t).get("/v1/parcels/"+someID+row.query))); got != row.want {
			t.Errorf("%s\ngot  %s\nwant %s", row.query, got, row.want)
		}
	}
}

func TestACursorHoldsForItsScopeAndRouteOnly(t *testing.T) {
	t.Parallel()
	scope := memory.Scope{Tenant: "acme", Project: "default"}
	const route = "GET /v1/memories"
	cursor := httpapi.EncodeCursor(scope, route, someID)
	page := httpapi.Paged{Cursor: cursor}
	if after, err := page.After(scope, route); err != nil || after != someID {
		t.Fatalf("%q, %v", after, err)
	}
	if first, err := httpapi.DecodeCursor(scope, route, ""); first != "" || err != nil {
		t.Errorf("the first page is %q, %v", first, err)
	}
	if last := httpapi.EncodeCursor(scope, route, ""); last != "" {
		t.Errorf("the last page has the cursor %q", last)
	}
	for _, row := range []struct {
		name   string
		scope  memory.Scope
		route  string
		cursor string
	}{
		{"another tenant", memory.Scope{Tenant: "acm", Project: "edefault"}, route, cursor},
		{"another project", memory.Scope{Tenant: "acme", Project: "other"}, route, cursor},
		{"another route", scope, "GET /v1/entities", cursor},
		{"a consistency token", scope, route, httpapi.EncodeConsistency(scope, 5)},
		{"cut", scope, route, cursor[:len(cursor)-4]},
		{"padded", scope, route, cursor + "="},
		{"a plain id", scope, route, someID},
		{"a character", scope, route, "A"},
	} {
		if _, err := httpapi.DecodeCursor(row.scope, row.route, row.cursor); !names(err, "query.cursor") {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	for i := range cursor {
		changed := []byte(cursor)
		changed[i] ^= 1
		if after, err := httpapi.DecodeCursor(scope, route, string(changed)); !names(err, "query.cursor") {
			t.Errorf("changed at %d: %q, %v", i, after, err)
		}
	}
}

func TestAConsistencyTokenHoldsForItsScopeOnly(t *testing.T) {
	t.Parallel()
	scope := memory.Scope{Tenant: "acme", Project: "default"}
	for _, seq := range []memory.Seq{1, 127, 128, 1 << 40, 1<<63 - 1} {
		in := httpapi.ConsistencyIn{Consistency: httpapi.EncodeConsistency(scope, seq)}
		if got, err := in.Seq(scope); got != seq || err != nil {
			t.Errorf("%d becomes %d, %v", seq, got, err)
		}
		if got, err := in.Seq(memory.Scope{Tenant: "acme", Project: "x"}); !names(err, "header.X-RAE-Consistency") {
			t.Errorf("another project reads %d, %v", got, err)
		}
	}
	if httpapi.EncodeConsistency(scope, 0) != "" {
		t.Error("no write has a token")
	}
	if got, err := httpapi.DecodeConsistency(scope, ""); got != 0 || err != nil {
		t.Errorf("no token is %d, %v", got, err)
	}
	if _, err := httpapi.DecodeConsistency(scope, "nonsense"); !names(err, "header.X-RAE-Consistency") {
		t.Errorf("nonsense is %v", err)
	}
	resp := newWorld(t).post("/v1/parcels", `{"name":"x"}`)
	if got, err := httpapi.DecodeConsistency(scope, resp.Header.Get("X-RAE-Consistency")); got != 7 || err != nil {
		t.Errorf("the write's token is %d, %v", got, err)
	}
}
