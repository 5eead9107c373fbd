package store_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

const alice = `{"content":"Alice prefers window seats.","layer":"semantic","tags":["travel","travel"],"metadata":{"n":9007199254740993},
"importance":0.8,"source":"chat","user_id":"u","session_id":"s","entities":["Alice",{"name":"seat","type":"thing"}],
"occurred_at":"2026-03-01T11:30:00+02:00","ttl_seconds":3600}`

func TestEveryAnswerIsAsDocumented(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.golden("create", w.do("POST", "/v1/memories", alice))
	w.golden("create_again", w.do("POST", "/v1/memories", alice))
	first := w.put(`{"content":"one","external_id":"e","user_id":"v"}`, "X-RAE-Reason", "first told")
	w.golden("upsert", w.do("POST", "/v1/memories", `{"content":"one, corrected","external_id":"e","user_id":"v"}`))
	w.golden("get", w.do("GET", "/v1/memories/"+first, ""))
	w.golden("patch", w.do("PATCH", "/v1/memories/"+first, `{"tags":["a"],"metadata":{"k":"v"},"external_id":null}`, "If-Match", `"2"`, "X-RAE-Reason", "tagged"))
	w.golden("history", w.do("GET", "/v1/memories/"+first+"/history", ""))
	w.golden("list", w.do("GET", "/v1/memories?tag=travel&layer=semantic&layer=working&user_id=u&since=2026-01-01T00:00:00Z&min_importance=0.8", ""))
	w.golden("batch", w.do("POST", "/v1/memories/batch", `{"memories":[{"content":"two"},{"content":"three","importance":7},{"content":"two"},{"kontent":"x"}]}`))
	w.golden("conversation", w.do("POST", "/v1/conversations", `{"session_id":"call","messages":[{"role":"user","name":"Alice","content":"hi"},{"role":"assistant","content":"hello"}]}`))
	w.golden("conversation_again", w.do("POST", "/v1/conversations", `{"session_id":"call","messages":[{"role":"user","name":"Alice","content":"hi"},{"role":"assistant","content":"hello"}]}`))
	w.golden("session", w.do("GET", "/v1/memories?session_id=call", ""))
	w.golden("import", w.do("POST", "/v1/memories/import", "{\"content\":\"four\"}\n\n{\"content\":4}\n", "Content-Type", "application/x-ndjson"))
	w.golden("export", w.do("GET", "/v1/memories/export?tag=travel", ""))
	w.golden("delete_many", w.do("POST", "/v1/memories/delete", `{"filter":{"session_id":"call"}}`))
	w.golden("delete", w.do("DELETE", "/v1/memories/"+first, ""))
	w.golden("get_deleted", w.do("GET", "/v1/memories/"+first, ""))
	w.golden("erase", w.do("DELETE", "/v1/tenants/acme/data", ""))
	w.golden("list_erased", w.do("GET", "/v1/memories", ""))
}

func TestARepeatedRequestGetsTheFirstAnswerByteForByte(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.put(`{"content":"standing"}`)
	requests := [][3]string{
		{"POST", "/v1/memories", alice},
		{"POST", "/v1/memories/batch", `{"memories":[{"content":"a"},{"content":"b","importance":3}]}`},
		{"POST", "/v1/conversations", `{"session_id":"s","messages":[{"role":"user","content":"yes"}]}`},
		{"PATCH", "/v1/memories/" + id, `{"content":"changed"}`},
		{"POST", "/v1/memories/delete", `{"filter":{"user_id":"u"}}`},
		{"DELETE", "/v1/memories/" + id, ""},
	}
	for _, r := range requests {
		first := w.do(r[0], r[1], r[2], "Idempotency-Key", "k")
		again := w.do(r[0], r[1], r[2], "Idempotency-Key", "k")
		if first.Code >= 300 || first.Code != again.Code || first.Body.String() != again.Body.String() {
			t.Errorf("%s %s: first %d %s, then %d %s", r[0], r[1], first.Code, first.Body, again.Code, again.Body)
		}
		other := w.do("POST", "/v1/memories", `{"content":"other"}`, "Idempotency-Key", "k")
		if other.Code != http.StatusConflict {
			t.Errorf("the key with another body: %d %s", other.Code, other.Body)
		}
	}
	elsewhere := w.do("POST", "/v1/memories", `{"content":"other"}`, "Idempotency-Key", "k", "X-Tenant-ID", "globex")
	if elsewhere.Code != http.StatusCreated {
		t.Errorf("the same key of another tenant: %d %s", elsewhere.Code, elsewhere.Body)
	}
}

func TestPagesCoverTheListOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want []string
	for i := range 25 {
		want = append([]string{w.put(fmt.Sprintf(`{"content":"m %d","tags":["t"]}`, i))}, want...)
	}
	w.put(`{"content":"untagged"}`)
	var got []string
	cursor := ""
	for pages := 0; pages < 4; pages++ {
		answer := w.must(http.StatusOK, "GET", "/v1/memories?tag=t&limit=10&cursor="+cursor, "")
		for _, m := range answer["memories"].([]any) {
			got = append(got, m.(map[string]any)["id"].(string))
		}
		if cursor = answer["next_cursor"].(string); cursor == "" {
			break
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %d memories %v\nwant %d %v", len(got), got, len(want), want)
	}
}

func TestAReadLooksBackInBothTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.put(`{"content":"in Berlin","valid_from":"2020-01-01T00:00:00Z","valid_to":"2024-01-01T00:00:00Z"}`)
	for query, status := range map[string]int{
		"": 200, "?as_of=2022-06-01T00:00:00Z": 200, "?as_of=2024-06-01T00:00:00Z": 404,
		"?known_at=2026-11-21T00:00:00Z": 200, "?known_at=2020-01-01T00:00:00Z": 404,
	} {
		if rec := w.do("GET", "/v1/memories/"+id+query, ""); rec.Code != status {
			t.Errorf("%q answered %d, want %d: %s", query, rec.Code, status, rec.Body)
		}
	}
}

func TestAnotherTenantOrProjectSeesAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.put(`{"content":"secret","session_id":"s","user_id":"u"}`)
	w.put(`{"content":"another secret"}`)
	cursor, _ := w.must(http.StatusOK, "GET", "/v1/memories?limit=1", "")["next_cursor"].(string)
	for _, who := range [][]string{{"X-Tenant-ID", "globex"}, {"X-Project-ID", "other"}} {
		for _, r := range [][3]string{
			{"GET", "/v1/memories/" + id, ""}, {"GET", "/v1/memories/" + id + "/history", ""},
			{"PATCH", "/v1/memories/" + id, `{"content":"mine"}`}, {"DELETE", "/v1/memories/" + id, ""},
		} {
			rec := w.do(r[0], r[1], r[2], who...)
			missing := w.do(r[0], strings.Replace(r[1], id, "0197e4a2-5c1d-7c3e-9a5b-2f6d8e01b7c4", 1), r[2], who...)
			if rec.Code != http.StatusNotFound || detail(rec.Body.Bytes()) != detail(missing.Body.Bytes()) {
				t.Errorf("%s %s as %v: %d %s", r[0], r[1], who, rec.Code, rec.Body)
			}
		}
		if got := w.must(200, "GET", "/v1/memories", "", who...); len(got["memories"].([]any)) != 0 {
			t.Errorf("%v lists %v", who, got)
		}
		if rec := w.do("GET", "/v1/memories?cursor="+cursor, "", who...); cursor == "" || rec.Code != http.StatusUnprocessableEntity {
			t.Errorf("the cursor %q as %v: %d %s", cursor, who, rec.Code, rec.Body)
		}
		if rec := w.do("GET", "/v1/memories/export", "", who...); rec.Body.Len() != 0 {
			t.Errorf("%v exports %s", who, rec.Body)
		}
		if got := w.must(200, "POST", "/v1/memories/delete", `{"filter":{"user_id":"u"}}`, who...); got["deleted"] != 0.0 {
			t.Errorf("%v deletes %v", who, got)
		}
	}
	w.must(http.StatusOK, "GET", "/v1/memories/"+id, "")
}

func detail(problem []byte) string {
	var p struct{ Detail string }
	_ = json.Unmarshal(problem, &p)
	return p.Detail
}

func TestOnlyAnAdministratorErasesATenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.put(`{"content":"x"}`)
	if rec := w.do("DELETE", "/v1/tenants/acme/data", "", "X-Forwarded-For", "203.0.113.7"); rec.Code != http.StatusForbidden {
		t.Fatalf("a caller from elsewhere got %d %s", rec.Code, rec.Body)
	}
	w.must(http.StatusOK, "GET", "/v1/memories/"+id, "")
	w.must(http.StatusOK, "DELETE", "/v1/tenants/acme/data", "")
	w.must(http.StatusNotFound, "GET", "/v1/memories/"+id, "")
}

func TestAWritesTokenIsTheHeadOfItsScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.do("POST", "/v1/memories", `{"content":"a"}`).Header().Get("X-RAE-Consistency")
	second := w.do("POST", "/v1/memories", `{"content":"b"}`).Header().Get("X-RAE-Consistency")
	same := w.do("POST", "/v1/memories", `{"content":"b"}`).Header().Get("X-RAE-Consistency")
	if first == "" || first == second || second != same {
		t.Errorf("tokens are %q, %q, %q", first, second, same)
	}
}

func TestAStaleVersionIsNotOverwritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.put(`{"content":"x"}`)
	w.must(http.StatusOK, "PATCH", "/v1/memories/"+id, `{"importance":1}`, "If-Match", "1")
	if rec := w.do("PATCH", "/v1/memories/"+id, `{"importance":0}`, "If-Match", `"1"`); rec.Code != http.StatusConflict {
		t.Errorf("answered %d %s, want 409", rec.Code, rec.Body)
	}
}
