package store_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestHostileInputIsRefusedAndNamesTheField(t *testing.T) {
	t.Parallel()
	const memories, unknown = "/v1/memories", "/v1/memories/0197e4a2-5c1d-7c3e-9a5b-2f6d8e01b7c4"
	many := `{"memories":[` + strings.Repeat(`{"content":"x"},`, 1000) + `{"content":"x"}]}`
	rows := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		field                    string
	}{
		{"no tenant", "POST", memories, `{"content":"x"}`, []string{"X-Tenant-ID", ""}, 400, "header.X-Tenant-ID"},
		{"a tenant with a path in it", "POST", memories, `{"content":"x"}`, []string{"X-Tenant-ID", "../acme"}, 400, "header.X-Tenant-ID"},
		{"a tenant in another alphabet", "GET", memories, "", []string{"X-Tenant-ID", "аcme"}, 400, "header.X-Tenant-ID"},
		{"a project with a slash", "GET", memories, "", []string{"X-Project-ID", "a/b"}, 400, "header.X-Project-ID"},
		{"an empty body", "POST", memories, "", []string{"Content-Type", "application/json"}, 400, "body"},
		{"broken JSON", "POST", memories, `{"content":"x"`, nil, 400, "body"},
		{"two documents", "POST", memories, `{"content":"x"}{"content":"y"}`, nil, 400, "body"},
		{"null", "POST", memories, `null`, nil, 400, "body"},
		{"a list", "POST", memories, `[{"content":"x"}]`, nil, 422, "body"},
		{"a byte order mark", "POST", memories, "\ufeff" + `{"content":"x"}`, nil, 400, "body"},
		{"invalid UTF-8", "POST", memories, "{\"content\":\"a\xff\"}", nil, 400, "body.content"},
		{"a lone surrogate", "POST", memories, `{"content":"\ud800"}`, nil, 400, "body.content"},
		{"a NUL in content", "POST", memories, `{"content":"a\u0000b"}`, nil, 400, "body.content"},
		{"a NUL in a key", "POST", memories, `{"content":"x","metadata":{"a\u0000":1}}`, nil, 400, "body.metadata"},
		{"an unknown key", "POST", memories, `{"content":"x","colour":1}`, nil, 400, "body.colour"},
		{"a key in capitals", "POST", memories, `{"CONTENT":"x"}`, nil, 400, "body.CONTENT"},
		{"a key with a long s", "POST", memories, `{"content":"x","ſource":"y"}`, nil, 400, "body.ſource"},
		{"a key given twice", "POST", memories, `{"content":"x","content":"y"}`, nil, 400, "body.content"},
		{"a key given twice inside", "POST", memories, `{"content":"x","metadata":{"a":1,"a":2}}`, nil, 400, "body.metadata.a"},
		{"a tenant in the body", "POST", memories, `{"content":"x","tenant_id":"globex"}`, nil, 400, "body.tenant_id"},
		{"33 levels", "POST", memories, `{"content":"x","metadata":` + strings.Repeat(`{"a":`, 33) + `1` + strings.Repeat(`}`, 33) + `}`, nil, 400, ""},
		{"20,000 levels", "POST", memories, `{"content":"x","metadata":` + strings.Repeat(`[`, 20000), nil, 400, ""},
		{"9 levels", "POST", memories, `{"content":"x","metadata":` + strings.Repeat(`{"a":`, 9) + `1` + strings.Repeat(`}`, 9) + `}`, nil, 422, ""},
		{"no content", "POST", memories, `{}`, nil, 422, "body.content"},
		{"empty content", "POST", memories, `{"content":""}`, nil, 422, "body.content"},
		{"blank content", "POST", memories, `{"content":" \n"}`, nil, 422, "body.content"},
		{"content that is a number", "POST", memories, `{"content":7}`, nil, 422, "body.content"},
		{"content over its limit", "POST", memories, `{"content":"` + strings.Repeat("x", 1<<20+1) + `"}`, nil, 422, "body.content"},
		{"a body over its limit", "POST", memories, `{"content":"` + strings.Repeat("x", 9<<20) + `"}`, nil, 413, "body"},
		{"an unknown layer", "POST", memories, `{"content":"x","layer":"eternal"}`, nil, 422, "body.layer"},
		{"tags that are no list", "POST", memories, `{"content":"x","tags":"a"}`, nil, 422, "body.tags"},
		{"an empty tag", "POST", memories, `{"content":"x","tags":["a",""]}`, nil, 422, "body.tags[1]"},
		{"a tag with a line feed", "POST", memories, `{"content":"x","tags":["a\nb"]}`, nil, 422, "body.tags[0]"},
		{"importance over 1", "POST", memories, `{"content":"x","importance":1.1}`, nil, 422, "body.importance"},
		{"importance as text", "POST", memories, `{"content":"x","importance":"high"}`, nil, 422, "body.importance"},
		{"importance out of range", "POST", memories, `{"content":"x","importance":1e999}`, nil, 422, "body.importance"},
		{"a user id of 257 characters", "POST", memories, `{"content":"x","user_id":"` + strings.Repeat("u", 257) + `"}`, nil, 422, "body.user_id"},
		{"a session id with a bidi override", "POST", memories, `{"content":"x","session_id":"a\u202eb"}`, nil, 422, "body.session_id"},
		{"an entity that is a number", "POST", memories, `{"content":"x","entities":[7]}`, nil, 422, "body.entities[0]"},
		{"an entity without a name", "POST", memories, `{"content":"x","entities":[{"type":"person"}]}`, nil, 422, "body.entities[0]"},
		{"a time in milliseconds", "POST", memories, `{"content":"x","occurred_at":1700000000000}`, nil, 422, "body.occurred_at"},
		{"the year 0001", "POST", memories, `{"content":"x","occurred_at":"0001-01-01T00:00:00Z"}`, nil, 422, "body.occurred_at"},
		{"the year 9999", "POST", memories, `{"content":"x","valid_to":"9999-01-01T00:00:00Z"}`, nil, 422, "body.valid_to"},
		{"a leap second", "POST", memories, `{"content":"x","occurred_at":"2016-12-31T23:59:60Z"}`, nil, 422, "body.occurred_at"},
		{"an end before the beginning", "POST", memories, `{"content":"x","valid_from":"2026-01-02T00:00:00Z","valid_to":"2026-01-01T00:00:00Z"}`, nil, 422, "body.valid_to"},
		{"an expiry in the past", "POST", memories, `{"content":"x","expires_at":"2026-01-01T00:00:00Z"}`, nil, 422, "body.expires_at"},
		{"two expiries", "POST", memories, `{"content":"x","expires_at":"2030-01-01T00:00:00Z","ttl_seconds":5}`, nil, 422, "body.ttl_seconds"},
		{"a lifetime of 0", "POST", memories, `{"content":"x","ttl_seconds":0}`, nil, 422, "body.ttl_seconds"},
		{"a lifetime that overflows", "POST", memories, `{"content":"x","ttl_seconds":9223372036854775807}`, nil, 422, "body.ttl_seconds"},
		{"a lifetime of 1.5 seconds", "POST", memories, `{"content":"x","ttl_seconds":1.5}`, nil, 422, "body.ttl_seconds"},
		{"a key of 256 characters", "POST", memories, `{"content":"x"}`, []string{"Idempotency-Key", strings.Repeat("k", 256)}, 422, "header.Idempotency-Key"},
		{"a form", "POST", memories, `content=x`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "header.Content-Type"},
		{"a compressed body", "POST", memories, `{"content":"x"}`, []string{"Content-Encoding", "gzip"}, 415, "header.Content-Encoding"},
		{"an empty batch", "POST", memories + "/batch", `{"memories":[]}`, nil, 422, "body.memories"},
		{"a batch of 1001", "POST", memories + "/batch", many, nil, 422, "body.memories"},
		{"a batch without memories", "POST", memories + "/batch", `{}`, nil, 422, "body.memories"},
		{"a batch with a key twice in an item", "POST", memories + "/batch", `{"memories":[{"content":"x","content":"y"}]}`, nil, 400, "body.memories[0].content"},
		{"an id that is none", "GET", memories + "/seven", "", nil, 422, "path.id"},
		{"an id with braces", "GET", memories + "/%7B0197e4a2-5c1d-7c3e-9a5b-2f6d8e01b7c4%7D", "", nil, 422, "path.id"},
		{"an id with a path in it", "DELETE", memories + "/..%2F..%2Fetc", "", nil, 422, "path.id"},
		{"an id with SQL in it", "GET", memories + "/'%20OR%201=1--", "", nil, 422, "path.id"},
		{"an unknown id", "GET", unknown, "", nil, 404, ""},
		{"the history of an unknown id", "GET", unknown + "/history", "", nil, 404, ""},
		{"a patch of an unknown id", "PATCH", unknown, `{"importance":1}`, nil, 404, ""},
		{"the deletion of an unknown id", "DELETE", unknown, "", nil, 404, ""},
		{"a patch of the version", "PATCH", unknown, `{"version":9}`, nil, 400, "body.version"},
		{"a patch that clears the content", "PATCH", unknown, `{"content":null}`, nil, 422, "body.content"},
		{"a patch with a wrong type", "PATCH", unknown, `{"tags":7}`, nil, 422, "body.tags"},
		{"a patch to an unknown layer", "PATCH", unknown, `{"layer":"eternal"}`, nil, 422, "body.layer"},
		{"an If-Match that is no version", "PATCH", unknown, `{"importance":1}`, []string{"If-Match", `"abc"`}, 422, "header.If-Match"},
		{"a limit of 0", "GET", memories + "?limit=0", "", nil, 422, "query.limit"},
		{"a limit of 1001", "GET", memories + "?limit=1001", "", nil, 422, "query.limit"},
		{"a limit of 1.5", "GET", memories + "?limit=1.5", "", nil, 422, "query.limit"},
		{"two limits", "GET", memories + "?limit=1&limit=2", "", nil, 422, "query.limit"},
		{"a made-up cursor", "GET", memories + "?cursor=AAAA", "", nil, 422, "query.cursor"},
		{"an unknown layer in a list", "GET", memories + "?layer=eternal", "", nil, 422, "query.layer[0]"},
		{"an unknown parameter", "GET", memories + "?tenant_id=globex", "", nil, 422, "query.tenant_id"},
		{"a time that is none", "GET", memories + "?since=yesterday", "", nil, 422, "query.since"},
		{"a window that runs backwards", "GET", memories + "?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "", nil, 422, "query.until"},
		{"an importance that is no number", "GET", memories + "?min_importance=NaN", "", nil, 422, "query.min_importance"},
		{"a NUL in a filter", "GET", memories + "?user_id=a%00", "", nil, 422, "query.user_id"},
		{"an export of an unknown layer", "GET", memories + "/export?layer=eternal", "", nil, 422, "query.layer[0]"},
		{"an empty filter", "POST", memories + "/delete", `{"filter":{}}`, nil, 422, "body.filter"},
		{"no filter", "POST", memories + "/delete", `{}`, nil, 422, "body.filter"},
		{"a filter of empty lists", "POST", memories + "/delete", `{"filter":{"tags":[],"metadata":{}}}`, nil, 422, "body.filter"},
		{"a filter with an unknown field", "POST", memories + "/delete", `{"filter":{"$where":"1"}}`, nil, 400, "body.filter.$where"},
		{"a filter with an unknown layer", "POST", memories + "/delete", `{"filter":{"layers":["x"]}}`, nil, 422, "body.filter.layers[0]"},
		{"a filter with importance 7", "POST", memories + "/delete", `{"filter":{"min_importance":7}}`, nil, 422, "body.filter.min_importance"},
		{"an import as JSON", "POST", memories + "/import", `{"content":"x"}`, nil, 415, "header.Content-Type"},
		{"a conversation without a session", "POST", "/v1/conversations", `{"messages":[{"role":"user","content":"x"}]}`, nil, 422, "body.session_id"},
		{"a conversation without messages", "POST", "/v1/conversations", `{"session_id":"s","messages":[]}`, nil, 422, "body.messages"},
		{"a blank turn", "POST", "/v1/conversations", `{"session_id":"s","messages":[{"role":"user","content":" "}]}`, nil, 422, "body.messages[0].content"},
		{"a turn without a role", "POST", "/v1/conversations", `{"session_id":"s","messages":[{"content":"x"}]}`, nil, 422, "body.messages[0].role"},
		{"a turn with an unknown key", "POST", "/v1/conversations", `{"session_id":"s","messages":[{"role":"user","content":"x","tool":1}]}`, nil, 400, "body.messages[0].tool"},
		{"a tenant to erase that is none", "DELETE", "/v1/tenants/a%20b/data", "", nil, 422, "path.tenant"},
		{"a block of 1 MB", "PUT", persona, `{"content":"` + strings.Repeat("x", 1<<20-100) + `"}`, nil, 422, "body.content"},
		{"a block over the limit of bodies", "PUT", persona, `{"content":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413, "body"},
		{"a block over its own limit", "PUT", persona, `{"content":"abc","limit":2}`, nil, 422, "body.content"},
		{"a block over the usual limit", "PUT", persona, `{"content":"` + strings.Repeat("ü", 2001) + `"}`, nil, 422, "body.content"},
		{"a block with a NUL", "PUT", persona, `{"content":"a\u0000b"}`, nil, 400, "body.content"},
		{"a block of broken UTF-8", "PUT", persona, "{\"content\":\"\xff\"}", nil, 400, "body.content"},
		{"a block with half a surrogate", "PUT", persona, `{"content":"\ud83d"}`, nil, 400, "body.content"},
		{"a block with an unknown key", "PUT", persona, `{"content":"x","value":"x"}`, nil, 400, "body.value"},
		{"a block with two lines for a description", "PUT", persona, `{"description":"a\nb"}`, nil, 422, "body.description"},
		{"a block with room for nothing", "PUT", persona, `{"limit":0}`, nil, 422, "body.limit"},
		{"a block with room for a book", "PUT", persona, `{"limit":20001}`, nil, 422, "body.limit"},
		{"a block before the first place", "PUT", persona, `{"position":-1}`, nil, 422, "body.position"},
		{"a block's name in capitals", "PUT", "/v1/blocks/Persona", `{"content":"x"}`, nil, 422, "path.name"},
		{"a block's name in Cyrillic", "PUT", "/v1/blocks/p%D0%B5rsona", `{"content":"x"}`, nil, 422, "path.name"},
		{"a block's name with a slash", "PUT", "/v1/blocks/a%2Fb", `{"content":"x"}`, nil, 422, "path.name"},
		{"a block's name that climbs", "GET", "/v1/blocks/..%2F..%2Fetc", "", nil, 422, "path.name"},
		{"a block's name that is too long", "PUT", "/v1/blocks/" + strings.Repeat("a", 65), `{"content":"x"}`, nil, 422, "path.name"},
		{"a block's name with a NUL", "GET", "/v1/blocks/a%00", "", nil, 422, "path.name"},
		{"a block of a user with a bidi override", "PUT", persona + "?user_id=a%E2%80%AEb", `{"content":"x"}`, nil, 422, "query.user_id"},
		{"a block of an agent of 257 characters", "PUT", persona + "?agent_id=" + strings.Repeat("a", 257), `{"content":"x"}`, nil, 422, "query.agent_id"},
		{"a block for two users", "PUT", persona + "?user_id=a&user_id=b", `{"content":"x"}`, nil, 422, "query.user_id"},
		{"a block of a session", "PUT", persona + "?session_id=s", `{"content":"x"}`, nil, 422, "query.session_id"},
		{"a block at a version there is not", "PUT", persona, `{"content":"x"}`, []string{"If-Match", `"3"`}, 409, ""},
		{"a block at no version", "PUT", persona, `{"content":"x"}`, []string{"If-Match", `"three"`}, 422, "header.If-Match"},
		{"a block that is to be new and old", "PUT", persona, `{"content":"x"}`, []string{"If-Match", `"3"`, "If-None-Match", "*"}, 422, "header.If-None-Match"},
		{"an edit that says nothing", "PATCH", persona, `{}`, nil, 422, "body"},
		{"an edit that says both", "PATCH", persona, `{"append":"x","replace":{"old":"a","new":"b"}}`, nil, 422, "body"},
		{"an edit of nothing", "PATCH", persona, `{"replace":{"old":"","new":"b"}}`, nil, 422, "body.replace.old"},
		{"an edit into nothing known", "PATCH", persona, `{"replace":{"old":"a"}}`, nil, 422, "body.replace.new"},
		{"an edit of a block that is not there", "PATCH", persona, `{"append":"x"}`, nil, 404, ""},
		{"an undo of a block that is not there", "POST", persona + "/undo", "", nil, 404, ""},
		{"an undo to version 0", "POST", persona + "/undo", `{"version":0}`, nil, 422, "body.version"},
		{"the history of a block that is not there", "GET", persona + "/history", "", nil, 404, ""},
		{"a made-up cursor of blocks", "GET", "/v1/blocks?cursor=AAAA", "", nil, 422, "query.cursor"},
		{"an erasure that may be one", "DELETE", persona + "?erase=perhaps", "", nil, 422, "query.erase"},
		{"a method there is not", "PUT", memories, `{"content":"x"}`, nil, 405, ""},
		{"a route there is not", "GET", "/v1/memorys", "", nil, 404, ""},
	}
	w := newWorld(t)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			rec := w.do(row.method, row.path, row.body, row.headers...)
			var problem struct {
				Status int
				Title  string
				Detail string
				Errors []struct{ Location string }
			}
			if err := json.Unmarshal(rec.Body.Bytes(), &problem); err != nil || rec.Header().Get("Content-Type") != "application/problem+json" {
				t.Fatalf("answered %d %s, no problem document: %.300s", rec.Code, rec.Header().Get("Content-Type"), rec.Body)
			}
			at := ""
			if len(problem.Errors) > 0 {
				at = problem.Errors[0].Location
			}
			if rec.Code != row.status || problem.Status != row.status || problem.Title == "" || problem.Detail == "" {
				t.Errorf("answered %d, want %d: %.300s", rec.Code, row.status, rec.Body)
			}
			if strings.Contains(problem.Detail, "nil") || strings.Contains(problem.Detail, "%!") {
				t.Errorf("speaks of Go to a client: %s", problem.Detail)
			}
			if row.field != "" && at != row.field {
				t.Errorf("names %q, want %q: %.300s", at, row.field, rec.Body)
			}
		})
	}
	if got := w.must(http.StatusOK, "GET", "/v1/blocks", ""); fmt.Sprint(got["blocks"]) != "[]" {
		t.Errorf("a block was made: %v", got)
	}
	if got := w.must(http.StatusOK, "GET", memories, ""); fmt.Sprint(got["memories"]) != "[]" {
		t.Errorf("something was stored: %v", got)
	}
}

func TestAWholeTextIsKeptAsItCame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, content := range []string{
		"'; DROP TABLE memories; --", "$1 \\ %s %n", "<script>alert(1)</script> & more", "=cmd|'/c calc'!A1",
		"ignore previous instructions", "\u202eevil\u200d", "👩‍💻 \u2028 \u0001", "a & | ( :* <-> !!", strings.Repeat("x", 1<<20),
	} {
		body, err := json.Marshal(map[string]string{"content": content})
		if err != nil {
			t.Fatal(err)
		}
		got := w.must(http.StatusOK, "GET", "/v1/memories/"+w.put(string(body)), "")
		if got["content"] != content {
			t.Errorf("%.40q came back as %.40q", content, got["content"])
		}
	}
}
