package store_test

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/block"
)

const persona = "/v1/blocks/persona"

func TestABlockIsMadeChangedAndBroughtBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := start.Format(time.RFC3339)
	want := map[string]any{
		"id": string(block.Ref{Name: "persona"}.ID(shop)), "tenant_id": "acme", "project_id": "default", "name": "persona", "description": "Who it is.",
		"content": "You are Ada.", "limit": 2000.0, "position": 1.0, "read_only": false, "version": 1.0, "created_at": at, "updated_at": at,
	}
	if got := w.must(http.StatusCreated, "PUT", persona, `{"content":"You are Ada.","description":"Who it is.","position":1}`); !reflect.DeepEqual(got, want) {
		t.Errorf("made\n got %v\nwant %v", got, want)
	}
	answer := w.do("PATCH", persona, `{"append":"Be brief."}`, "If-Match", `"1"`, "X-RAE-Reason", "it talks too much")
	want["content"], want["version"] = "You are Ada.\nBe brief.", 2.0
	if got := w.must(http.StatusOK, "GET", persona, ""); answer.Code != http.StatusOK || answer.Header().Get("ETag") != `"2"` || !reflect.DeepEqual(got, want) {
		t.Errorf("%d, ETag %s\n got %v\nwant %v", answer.Code, answer.Header().Get("ETag"), got, want)
	}
	w.must(http.StatusConflict, "PATCH", persona, `{"append":"x"}`, "If-Match", `"1"`)
	w.must(http.StatusConflict, "PUT", persona, `{"content":"x"}`, "If-None-Match", "*")
	w.must(http.StatusOK, "PATCH", persona, `{"replace":{"old":"Ada","new":"Bea"}}`)
	undone := w.must(http.StatusOK, "POST", persona+"/undo", "", "X-RAE-Reason", "wrong name")
	if undone["restored"] != 2.0 || undone["version"] != 4.0 || undone["content"] != want["content"] || undone["change"] != "restored" {
		t.Errorf("undone as %v", undone)
	}
	if again := w.must(http.StatusOK, "POST", persona+"/undo", `{"version":3}`); again["restored"] != 3.0 || again["content"] != "You are Bea.\nBe brief." {
		t.Errorf("done again as %v", again)
	}
	w.must(http.StatusNoContent, "DELETE", persona, "")
	w.must(http.StatusNotFound, "GET", persona, "")
	w.must(http.StatusNotFound, "DELETE", persona, "")
	var told []string
	for cursor, more := "", true; more; more = cursor != "" {
		page := w.must(http.StatusOK, "GET", persona+"/history?limit=4&cursor="+cursor, "")
		for _, v := range page["versions"].([]any) {
			v := v.(map[string]any)
			told = append(told, fmt.Sprint(v["version"], " ", v["change"], " ", v["reason"]))
		}
		if cursor = page["next_cursor"].(string); cursor != "" {
			w.must(http.StatusUnprocessableEntity, "GET", "/v1/blocks/other/history?cursor="+cursor, "")
			w.must(http.StatusUnprocessableEntity, "GET", persona+"/history?user_id=u&cursor="+cursor, "")
		}
	}
	if want := []string{"6 deleted <nil>", "5 restored <nil>", "4 restored wrong name", "3 updated <nil>", "2 updated it talks too much", "1 created <nil>"}; !reflect.DeepEqual(told, want) {
		t.Errorf("history %q, want %q", told, want)
	}
	w.must(http.StatusOK, "POST", persona+"/undo", "")
	w.must(http.StatusNoContent, "DELETE", persona+"?erase=true", "")
	w.must(http.StatusNotFound, "GET", persona+"/history", "")
	w.must(http.StatusNotFound, "POST", persona+"/undo", "")
	if anew := w.must(http.StatusCreated, "PUT", persona, `{"content":"new"}`); anew["version"] != 1.0 {
		t.Errorf("anew: %v", anew)
	}
}

func TestBlocksOfAProjectAnAgentAndAUserAreOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := url.QueryEscape(strings.Repeat("\U0001F9E0", 256))
	owners := []string{"", "?user_id=" + long, "?user_id=u%2Fv%3F", "?agent_id=a", "?agent_id=a&user_id=" + long, "?agent_id=" + long + "&user_id=" + long}
	for i, owner := range owners {
		w.must(http.StatusCreated, "PUT", persona+owner, fmt.Sprintf(`{"content":"%d"}`, i))
	}
	for i, owner := range owners {
		if got := w.must(http.StatusOK, "GET", persona+owner, "")["content"]; got != fmt.Sprint(i) {
			t.Errorf("%s reads %v", owner, got)
		}
	}
	for query, want := range map[string]int{"": 6, "user_id=" + long: 3, "agent_id=a": 2, "agent_id=a&user_id=" + long: 1, "agent_id=b": 0} {
		got := 0
		for cursor, more := "", true; more; more = cursor != "" {
			page := w.must(http.StatusOK, "GET", "/v1/blocks?limit=1&"+query+"&cursor="+cursor, "")
			got, cursor = got+len(page["blocks"].([]any)), page["next_cursor"].(string)
			if cursor != "" {
				w.must(http.StatusUnprocessableEntity, "GET", "/v1/blocks?cursor="+cursor, "", "X-Tenant-ID", "rival")
			}
		}
		if got != want {
			t.Errorf("%q lists %d, want %d", query, got, want)
		}
	}
}

func TestABlockOfAnotherIsNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(http.StatusCreated, "PUT", persona, `{"content":"a secret"}`)
	for _, stranger := range [][]string{{"X-Tenant-ID", "rival"}, {"X-Project-ID", "other"}} {
		w.must(http.StatusNotFound, "GET", persona, "", stranger...)
		w.must(http.StatusNotFound, "PATCH", persona, `{"append":"x"}`, stranger...)
		w.must(http.StatusNotFound, "DELETE", persona, "", stranger...)
		w.must(http.StatusNotFound, "DELETE", persona+"?erase=true", "", stranger...)
		w.must(http.StatusNotFound, "GET", persona+"/history", "", stranger...)
		w.must(http.StatusNotFound, "POST", persona+"/undo", "", stranger...)
		if page := w.must(http.StatusOK, "GET", "/v1/blocks", "", stranger...); len(page["blocks"].([]any)) != 0 {
			t.Errorf("%v lists %v", stranger, page)
		}
	}
	if got := w.must(http.StatusOK, "GET", persona, ""); got["content"] != "a secret" || got["version"] != 1.0 {
		t.Errorf("it is %v", got)
	}
}

func TestARepeatedChangeOfABlockIsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := []string{"Idempotency-Key", "k"}
	for _, change := range []struct {
		status             int
		method, path, body string
	}{
		{201, "PUT", persona, `{"content":"a"}`}, {200, "PATCH", persona, `{"append":"b"}`}, {200, "POST", persona + "/undo", ""},
		{204, "DELETE", persona, ""}, {204, "DELETE", "/v1/blocks/other?erase=true", ""},
	} {
		if strings.Contains(change.path, "other") {
			w.must(http.StatusCreated, "PUT", "/v1/blocks/other", `{}`)
		}
		key := append([]string{}, key...)
		key[1] += change.path // a deletion and an erasure are two requests
		first, again := w.do(change.method, change.path, change.body, key...), w.do(change.method, change.path, change.body, key...)
		if first.Code != change.status || again.Code != first.Code || again.Body.String() != first.Body.String() || again.Header().Get("ETag") != first.Header().Get("ETag") {
			t.Errorf("%s %s answered %d %s, and again %d %s", change.method, change.path, first.Code, first.Body, again.Code, again.Body)
		}
	}
	if versions := w.must(http.StatusOK, "GET", persona+"/history", "")["versions"].([]any); len(versions) != 4 {
		t.Errorf("%d versions of four changes", len(versions))
	}
	w.must(http.StatusConflict, "PUT", persona, `{"content":"another"}`, "Idempotency-Key", "k"+persona)
}

func TestTheDocumentTellsTheLimitsOfBlocks(t *testing.T) {
	t.Parallel()
	document := newWorld(t).do("GET", "/openapi.json", "").Body.String()
	for _, limit := range []string{
		fmt.Sprintf(`"pattern":%q`, block.NamePattern), fmt.Sprintf(`"maxLength":%d`, block.MaxLimit), fmt.Sprintf(`"maxLength":%d`, block.MaxDescription),
		fmt.Sprintf(`"maximum":%d`, block.MaxLimit), fmt.Sprintf(`"maximum":%d`, block.MaxPosition),
	} {
		if !strings.Contains(document, limit) {
			t.Errorf("the document lacks %s", limit)
		}
	}
	schema, err := eventing.Schema(eventing.BlockUpdated)
	if pattern := fmt.Sprintf(`"pattern": %q`, block.NamePattern); err != nil || !strings.Contains(string(schema), pattern) {
		t.Errorf("the event's schema lacks %s: %v", pattern, err)
	}
}
