package search_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rae-memory/rae/eventing"
	searchfn "github.com/rae-memory/rae/functions/search"
	"github.com/rae-memory/rae/pkg/block"
	"github.com/rae-memory/rae/pkg/database"
	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/httpapi"
	"github.com/rae-memory/rae/pkg/knowledge"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/serve"
	counter "github.com/rae-memory/rae/pkg/tokens"
)

var here = memory.Scope{Tenant: "acme", Project: "default"}

// world is the function over a store in memory, behind HTTP.
type world struct {
	t       *testing.T
	db      *database.DB
	handler http.Handler
}

func newWorld(t *testing.T, configure ...func(*searchfn.Config)) *world {
	t.Helper()
	cfg := searchfn.Config{StageTimeout: time.Second, IndexMegabyte: 64, CacheAnswers: 16}
	for _, change := range configure {
		change(&cfg)
	}
	cfg.Store = database.InMem
	db, err := database.Open(&cfg.Config, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := searchfn.New(cfg, db, &embed.Spaces{Store: db.Memories, Resolve: embed.One(new(embed.Hash))}, serve.Runtime{Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	f.Register(httpapi.New(mux, "test"))
	return &world{t: t, db: db, handler: mux}
}

func (w *world) put(scope memory.Scope, m memory.Memory) memory.Memory {
	w.t.Helper()
	m.Layer = memory.Episodic
	vectors, err := new(embed.Hash).EmbedDocuments(w.t.Context(), []string{m.Content})
	if err != nil {
		w.t.Fatal(err)
	}
	var stored memory.Memory
	err = w.db.Memories.Write(w.t.Context(), scope, func(tx memory.Tx) (err error) {
		stored, _, err = tx.Put(w.t.Context(), m, memory.Why{}, memory.Vector{Model: new(embed.Hash).Model(), Values: vectors[0]})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return stored
}

// call sends JSON and returns the status and the parsed answer.
func (w *world) call(method, path, body string, headers ...string) (int, map[string]any) {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("X-Tenant-ID", here.Tenant)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	var parsed map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &parsed); err != nil {
		w.t.Fatalf("%s %s: %d %q", method, path, answer.Code, answer.Body)
	}
	return answer.Code, parsed
}

// conversation stores three turns of a session and one stranger.
func (w *world) conversation() []memory.Memory {
	var turns []memory.Memory
	for i, content := range []string{
		"Mara: I adopted a greyhound from the shelter last week.",
		"Jonas: How lovely, what is its name?",
		"Mara: She is called Biscuit and she sleeps all day.",
	} {
		at := time.Date(2026, 3, 4, 9, i, 0, 0, time.UTC)
		turns = append(turns, w.put(here, memory.Memory{Content: content, SessionID: "s1", OccurredAt: &at, Entities: []memory.Entity{{Name: "Mara", Type: "person"}, {Name: "Biscuit"}}}))
	}
	w.put(here, memory.Memory{Content: "The boiler was serviced in October."})
	return turns
}

func contents(answer map[string]any) []string {
	found := []string{}
	for _, r := range answer["results"].([]any) {
		found = append(found, r.(map[string]any)["memory"].(map[string]any)["content"].(string))
	}
	return found
}

func TestSearch(t *testing.T) {
	t.Parallel()
	t.Run("the turn that answers comes first, with its parts and the reason", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		turns := w.conversation()
		status, answer := w.call("POST", "/v1/search", `{"query":"Which animal did Mara adopt from the shelter?","explain":true,"profile":"relational"}`)
		if status != 200 {
			t.Fatalf("%d %v", status, answer)
		}
		first := answer["results"].([]any)[0].(map[string]any)
		if got := first["memory"].(map[string]any)["id"]; got != string(turns[0].ID) {
			t.Errorf("first is %v", contents(answer))
		}
		scores := first["scores"].(map[string]any)
		for _, part := range []string{"lexical", "dense", "graph", "recency", "importance", "rerank"} {
			if v, ok := scores[part].(float64); !ok || v < 0 || v > 1 {
				t.Errorf("scores.%s is %v", part, scores[part])
			}
		}
		terms := first["explain"].(map[string]any)["matched_terms"].([]any)
		if !slices.Contains(terms, any("shelter")) {
			t.Errorf("matched terms %v", terms)
		}
		if score := first["score"].(float64); score <= 0 || score > 1 {
			t.Errorf("score %v", score)
		}
		if degraded := answer["degraded"]; !reflect.DeepEqual(degraded, []any{}) {
			t.Errorf("degraded %v", degraded)
		}
	})
	t.Run("a turn without a word of the question is found beside the one that has them", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.conversation()
		_, answer := w.call("POST", "/v1/search", `{"query":"adopted shelter","mode":"lexical"}`)
		if found := contents(answer); len(found) < 2 || !slices.Contains(found[1:], "Jonas: How lovely, what is its name?") {
			t.Errorf("found %q", found)
		}
	})
	t.Run("a request may say how the legs count, and is told how they did", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.conversation()
		explained := func(more string) map[string]any {
			status, answer := w.call("POST", "/v1/search", `{"query":"Which animal did Mara adopt?","explain":true`+more+`}`)
			if status != 200 {
				t.Fatalf("%d %v", status, answer)
			}
			return answer["results"].([]any)[0].(map[string]any)["explain"].(map[string]any)
		}
		if e := explained(""); e["profile"] != "factual" || e["features"].(map[string]any)["own"] == nil {
			t.Errorf("explained as %v", e)
		}
		if e := explained(`,"profile":"relational"`); e["profile"] != "relational" {
			t.Errorf("explained as %v", e)
		}
		if e := explained(`,"weights":{"graph":0.7,"lexical":0.3}`); !reflect.DeepEqual(e["weights"], map[string]any{"graph": .7, "lexical": .3, "dense": -.3}) {
			t.Errorf("weights %v", e["weights"])
		}
		for _, bad := range []string{`"profile":"poetic"`, `"weights":{"smell":1}`, `"weights":{"dense":2}`, `"weights":{"dense":-0.1}`} {
			if status, answer := w.call("POST", "/v1/search", `{"query":"x",`+bad+`}`); status != 422 && status != 400 {
				t.Errorf("%s: %d %v", bad, status, answer)
			}
		}
	})
	t.Run("without explain there is no explanation", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.conversation()
		_, answer := w.call("POST", "/v1/search", `{"query":"shelter"}`)
		if _, ok := answer["results"].([]any)[0].(map[string]any)["explain"]; ok {
			t.Error("explained")
		}
	})
	t.Run("the second equal search is cached, a write ends that", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.conversation()
		for i, want := range []bool{false, true} {
			if _, answer := w.call("POST", "/v1/search", `{"query":"greyhound"}`); answer["cached"] != want {
				t.Errorf("search %d: cached %v", i+1, answer["cached"])
			}
		}
		w.put(here, memory.Memory{Content: "Another greyhound walked by."})
		_, answer := w.call("POST", "/v1/search", `{"query":"greyhound"}`)
		if answer["cached"] != false || len(contents(answer)) < 2 {
			t.Errorf("after the write: cached %v, %q", answer["cached"], contents(answer))
		}
	})
	t.Run("filters restrict", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.conversation()
		_, answer := w.call("POST", "/v1/search", `{"query":"Mara shelter boiler","filters":{"session_id":"s1","until":"2026-03-04T09:01:00Z"}}`)
		if found := contents(answer); !reflect.DeepEqual(found, []string{"Mara: I adopted a greyhound from the shelter last week."}) {
			t.Errorf("found %q", found)
		}
	})
	t.Run("each mode asks its own leg", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.conversation()
		for mode, query := range map[string]string{"lexical": "greyhounds", "dense": "greyhound adoption", "graph": "what about Biscuit"} {
			_, answer := w.call("POST", "/v1/search", fmt.Sprintf(`{"query":%q,"mode":%q}`, query, mode))
			if len(contents(answer)) == 0 {
				t.Errorf("%s found nothing", mode)
				continue
			}
			scores := answer["results"].([]any)[0].(map[string]any)["scores"].(map[string]any)
			if _, ok := scores[mode]; !ok {
				t.Errorf("%s: scores %v", mode, scores)
			}
		}
	})
	t.Run("a token of the future is refused, a token of now is served", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.conversation()
		head, err := w.db.Memories.Head(t.Context(), here)
		if err != nil {
			t.Fatal(err)
		}
		if status, _ := w.call("POST", "/v1/search", `{"query":"x"}`, "X-RAE-Consistency", httpapi.EncodeConsistency(here, head)); status != 200 {
			t.Errorf("now: %d", status)
		}
		if status, _ := w.call("POST", "/v1/search", `{"query":"x"}`, "X-RAE-Consistency", httpapi.EncodeConsistency(here, head+1)); status != 422 {
			t.Errorf("future: %d", status)
		}
	})
	t.Run("another tenant and project find nothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.conversation()
		for _, header := range []string{"X-Tenant-ID", "X-Project-ID"} {
			_, answer := w.call("POST", "/v1/search", `{"query":"greyhound shelter Mara"}`, header, "other")
			if found := contents(answer); len(found) != 0 {
				t.Errorf("%s other finds %q", header, found)
			}
		}
	})
}

func TestBadInputIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		name, path, body string
		status           int
		location         string
	}{
		{"no query", "/v1/search", `{}`, 422, "body.query"},
		{"empty query", "/v1/search", `{"query":""}`, 422, "body.query"},
		{"query of the wrong type", "/v1/search", `{"query":7}`, 422, "body.query"},
		{"unknown key", "/v1/search", `{"query":"x","limits":1}`, 400, "body.limits"},
		{"unknown filter", "/v1/search", `{"query":"x","filters":{"layer":"episodic"}}`, 400, "body.filters.layer"},
		{"unknown layer", "/v1/search", `{"query":"x","filters":{"layers":["dream"]}}`, 422, "body.filters.layers[0]"},
		{"importance out of range", "/v1/search", `{"query":"x","filters":{"min_importance":7}}`, 422, "body.filters.min_importance"},
		{"since after until", "/v1/context", `{"query":"x","filters":{"since":"2026-02-01T00:00:00Z","until":"2026-01-01T00:00:00Z"}}`, 422, "body.filters.until"},
		{"a user nobody can be", "/v1/search", `{"query":"x","filters":{"user_id":"` + strings.Repeat("u", 300) + `"}}`, 422, "body.filters.user_id"},
		{"more tags than a memory has", "/v1/search", `{"query":"x","filters":{"tags":["a"` + strings.Repeat(`,"a"`, 70) + `]}}`, 422, "body.filters.tags"},
		{"a year nobody means", "/v1/search", `{"query":"x","as_of":"0001-01-01T00:00:00Z"}`, 422, "body.as_of"},
		{"known in the far future", "/v1/context", `{"query":"x","known_at":"9999-01-01T00:00:00Z"}`, 422, "body.known_at"},
		{"limit too large", "/v1/search", `{"query":"x","limit":101}`, 422, "body.limit"},
		{"limit zero", "/v1/search", `{"query":"x","limit":0}`, 422, "body.limit"},
		{"unknown mode", "/v1/search", `{"query":"x","mode":"psychic"}`, 422, "body.mode"},
		{"diversity out of range", "/v1/search", `{"query":"x","diversity":2}`, 422, "body.diversity"},
		{"time that is none", "/v1/search", `{"query":"x","as_of":"yesterday"}`, 422, "body.as_of"},
		{"no room for context", "/v1/context", `{"query":"x","max_tokens":0}`, 422, "body.max_tokens"},
		{"neither entity nor query", "/v1/graph/query", `{}`, 422, "body.entity"},
		{"too deep", "/v1/graph/query", `{"entity":"x","depth":6}`, 422, "body.depth"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			status, answer := w.call("POST", c.path, c.body)
			if status != c.status {
				t.Fatalf("status %d, want %d: %v", status, c.status, answer)
			}
			first := answer["errors"].([]any)[0].(map[string]any)
			if first["location"] != c.location {
				t.Errorf("location %v, want %s", first["location"], c.location)
			}
		})
	}
	t.Run("odd queries are answered", func(t *testing.T) {
		t.Parallel()
		for _, q := range []string{" ", "🎉🎉", strings.Repeat("word ", 2000), "今天天气", "SELECT * FROM memories; --", `" OR 1=1`, "مرحبا", "a*b^c:(d)"} {
			body, err := json.Marshal(map[string]any{"query": q})
			if err != nil {
				t.Fatal(err)
			}
			if status, answer := w.call("POST", "/v1/search", string(body)); status != 200 {
				t.Errorf("%.20q: %d %v", q, status, answer)
			}
		}
	})
}

func TestContextCitesBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	turns := w.conversation()
	status, answer := w.call("POST", "/v1/context", `{"query":"What did Mara adopt from the shelter?","max_tokens":100,"filters":{"session_id":"s1"}}`)
	if status != 200 {
		t.Fatalf("%d %v", status, answer)
	}
	text, tokens := answer["text"].(string), int(answer["tokens"].(float64))
	if counted := new(counter.Counter).Count(text); tokens > 100 || tokens != counted || !strings.HasPrefix(text, "2026-03-04 Wed 09:00\n- Mara: I adopted") {
		t.Errorf("%d tokens, %d counted: %s", tokens, counted, text)
	}
	byID := map[string]string{}
	for _, m := range turns {
		byID[string(m.ID)] = m.Content
	}
	citations := answer["citations"].([]any)
	if len(citations) == 0 {
		t.Fatal("no citations")
	}
	for _, c := range citations {
		c := c.(map[string]any)
		at := func(key string) int { return int(c[key].(float64)) }
		content := byID[c["memory_id"].(string)]
		if got, want := text[at("text_start"):at("text_end")], content[at("start"):at("end")]; got != want {
			t.Errorf("text has %q where the memory has %q", got, want)
		}
	}
}

func TestEntities(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.conversation()
	_, list := w.call("GET", "/v1/entities?limit=1", "")
	first := list["entities"].([]any)[0].(map[string]any)
	if first["name"] != "Biscuit" || first["mentions"] != 3.0 {
		t.Errorf("first entity %v", first)
	}
	_, rest := w.call("GET", "/v1/entities?cursor="+list["next_cursor"].(string), "")
	if names := rest["entities"].([]any); len(names) != 1 || names[0].(map[string]any)["name"] != "Mara" {
		t.Errorf("next page %v", names)
	}
	status, page := w.call("GET", "/v1/entities/"+first["id"].(string), "")
	if status != 200 || page["name"] != "Biscuit" || len(page["nodes"].([]any)) != 2 || len(page["edges"].([]any)) != 1 || len(page["memories"].([]any)) != 3 {
		t.Errorf("%d %v", status, page)
	}
	if status, _ := w.call("GET", "/v1/entities/"+first["id"].(string), "", "X-Tenant-ID", "other"); status != 404 {
		t.Errorf("another tenant reads the entity: %d", status)
	}
	if status, walked := w.call("POST", "/v1/graph/query", `{"query":"Who is Mara?","depth":1}`); status != 200 || len(walked["nodes"].([]any)) != 2 {
		t.Errorf("%d %v", status, walked)
	}
	if status, _ := w.call("POST", "/v1/graph/query", `{"entity":"nobody"}`); status != 404 {
		t.Errorf("unknown entity: %d", status)
	}
}

// tell keeps a fact with its evidence.
func (w *world) tell(scope memory.Scope, subject, relation, object string, from, to *time.Time, evidence memory.Memory) knowledge.Fact {
	w.t.Helper()
	thing := func(name string) knowledge.Thing {
		return knowledge.Thing{ID: knowledge.ThingID(scope, name), Name: name}
	}
	f := knowledge.Fact{
		TenantID: scope.Tenant, ProjectID: scope.Project, Kind: knowledge.Told, Subject: thing(subject), Relation: relation, Object: thing(object),
		ValidFrom: from, ValidTo: to, Confidence: .9, Observed: evidence.CreatedAt, Method: "rules", Edition: "rules/1", Version: 1,
	}
	f.ID = knowledge.FactID(scope, "", f.Subject.ID, relation, f.Object.ID, false, 0)
	f.Operation = knowledge.OperationID(scope, evidence.ID, 1, f.Method, f.Edition)
	err := w.db.Facts.Change(w.t.Context(), scope, func(tx knowledge.FactTx) error {
		f.RecordedFrom = tx.Now()
		e := knowledge.Evidence{
			Citation: memory.Citation{MemoryID: evidence.ID, Start: 1, End: 5}, Version: 1, Told: evidence.CreatedAt, Confidence: .9,
			Method: f.Method, Edition: f.Edition, Operation: f.Operation, RecordedAt: tx.Now(),
		}
		return tx.Save(w.t.Context(), knowledge.Record{}, knowledge.Record{Versions: []knowledge.Fact{f}, Evidence: []knowledge.Evidence{e}})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

// names are those of nodes, in order.
func names(nodes any) (list []string) {
	for _, n := range nodes.([]any) {
		list = append(list, n.(map[string]any)["name"].(string))
	}
	return list
}

func TestTheGraphTellsFactsWithTheirEvidence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	turns := w.conversation()
	moved := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	w.tell(here, "Mara", "works_at", "Helio", nil, &moved, turns[0])
	w.tell(here, "Mara", "works_at", "Tarn", &moved, nil, turns[2])
	w.tell(here, "Tarn", "based_in", "Oslo", nil, nil, turns[1])
	elsewhere := memory.Scope{Tenant: "other", Project: "default"}
	w.tell(elsewhere, "Mara", "owns", "Canary", nil, nil, w.put(elsewhere, memory.Memory{Content: "canary", Entities: []memory.Entity{{Name: "Mara"}, {Name: "Canary"}}}))

	mara := "/v1/entities/" + knowledge.ThingID(here, "Mara")
	objects := func(page map[string]any, key string) (list []string) {
		for _, f := range page[key].([]any) {
			list = append(list, f.(map[string]any)["object"].(map[string]any)["name"].(string))
		}
		return list
	}
	status, page := w.call("GET", mara, "")
	if status != 200 || !slices.Equal(objects(page, "facts"), []string{"Tarn"}) || !slices.Equal(objects(page, "former"), []string{"Helio"}) {
		t.Errorf("now: %d %v", status, page)
	}
	if got := names(page["nodes"]); len(got) != 3 || got[0] != "Mara" || len(page["memories"].([]any)) != 3 || page["truncated"] != false {
		t.Errorf("%v", page)
	}
	if status, page = w.call("GET", mara+"?as_of=2026-03-01T00:00:00Z", ""); status != 200 || !slices.Equal(objects(page, "facts"), []string{"Helio"}) || len(page["former"].([]any)) != 0 {
		t.Errorf("then: %d %v", status, page)
	}
	if status, page = w.call("GET", mara+"?known_at=2020-01-01T00:00:00Z", ""); status != 404 {
		t.Errorf("before it was known: %d %v", status, page)
	}

	status, found := w.call("POST", "/v1/graph/path", `{"from":"Biscuit","to":"Oslo"}`)
	paths := found["paths"].([]any)
	if status != 200 || len(paths) != 1 {
		t.Fatalf("%d %v", status, found)
	}
	hops := paths[0].(map[string]any)["hops"].([]any)
	var relations []string
	for _, hop := range hops {
		e := hop.([]any)[0].(map[string]any)
		relations = append(relations, e["relation"].(string))
		if len(e["memories"].([]any)) == 0 {
			t.Errorf("a hop without evidence: %v", e)
		}
	}
	if !slices.Equal(relations, []string{"mentioned_with", "works_at", "based_in"}) {
		t.Errorf("relations %v", relations)
	}
	if span := hops[1].([]any)[0].(map[string]any)["evidence"].([]any)[0].(map[string]any); span["start"] != 1.0 || span["end"] != 5.0 {
		t.Errorf("span %v", span)
	}
	for body, want := range map[string]int{
		`{"from":"Biscuit","to":"Oslo","max_depth":2}`:                       0,
		`{"from":"Biscuit","to":"Oslo","relations":["works_at","based_in"]}`: 0,
		`{"from":"Mara","to":"Oslo","relations":["works_at","based_in"]}`:    1,
		`{"from":"Mara","to":"Oslo","as_of":"2026-03-01T00:00:00Z"}`:         0,
		`{"from":"Mara","to":"mara"}`:                                        1,
	} {
		if status, found := w.call("POST", "/v1/graph/path", body); status != 200 || len(found["paths"].([]any)) != want {
			t.Errorf("%s: %d %v, want %d paths", body, status, found, want)
		}
	}
	status, sub := w.call("POST", "/v1/graph/subgraph", `{"entities":["Mara","Oslo"],"depth":1}`)
	if got := names(sub["nodes"]); status != 200 || !slices.Equal(got, []string{"Mara", "Oslo", "Biscuit", "Tarn"}) || len(sub["edges"].([]any)) != 3 {
		t.Errorf("%d %v", status, sub)
	}
	if status, sub = w.call("POST", "/v1/graph/subgraph", `{"entities":["Mara","Oslo"],"depth":0}`); status != 200 || len(sub["nodes"].([]any)) != 2 || len(sub["edges"].([]any)) != 0 {
		t.Errorf("%d %v", status, sub)
	}
	if status, sub = w.call("POST", "/v1/graph/query", `{"entity":"Mara","depth":2,"relations":["works_at"]}`); status != 200 || !slices.Equal(names(sub["nodes"]), []string{"Mara", "Tarn"}) {
		t.Errorf("%d %v", status, sub)
	}
	if status, sub = w.call("POST", "/v1/graph/query", `{"entity":"Mara","limit":2}`); status != 200 || sub["truncated"] != true || len(sub["nodes"].([]any)) != 2 {
		t.Errorf("%d %v", status, sub)
	}
	for _, c := range []struct {
		name, path, body string
		status           int
	}{
		{"an unknown end", "/v1/graph/path", `{"from":"Mara","to":"Canary"}`, 404},
		{"an unknown entity of several", "/v1/graph/subgraph", `{"entities":["Mara","Canary"]}`, 404},
		{"another tenant's", "/v1/graph/query", `{"entity":"Canary"}`, 404},
		{"too far", "/v1/graph/path", `{"from":"Mara","to":"Oslo","max_depth":7}`, 422},
		{"nothing to begin with", "/v1/graph/subgraph", `{"entities":[]}`, 422},
		{"an empty relation", "/v1/graph/query", `{"entity":"Mara","relations":[""]}`, 422},
		{"a name that is none", "/v1/graph/subgraph", `{"entities":[""]}`, 422},
	} {
		if status, answer := w.call("POST", c.path, c.body); status != c.status || strings.Contains(fmt.Sprint(answer), "owns") {
			t.Errorf("%s: %d %v", c.name, status, answer)
		}
	}
	if status, page := w.call("GET", mara, "", "X-Project-ID", "side"); status != 404 {
		t.Errorf("another project's: %d %v", status, page)
	}
}

func TestEventsKeepTheIndexWarm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, err := searchfn.New(searchfn.Config{IndexMegabyte: 64}, w.db, &embed.Spaces{Store: w.db.Memories, Resolve: embed.One(new(embed.Hash))}, serve.Runtime{Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for eventType, consume := range f.Consumers() {
		types = append(types, eventType)
		if err := consume(context.Background(), eventing.Event{Scope: here}); err != nil {
			t.Errorf("%s: %v", eventType, err)
		}
	}
	slices.Sort(types)
	if want := eventing.Subscribed("search"); !reflect.DeepEqual(types, want) {
		t.Errorf("takes %v, the catalogue says %v", types, want)
	}
}

func TestAContextHasTheBlocksOfWhomItIsFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.conversation()
	blocks := block.Service{Store: w.db.Blocks}
	put := func(agent, user, name, content string) {
		t.Helper()
		if _, err := blocks.Put(t.Context(), here, block.Ref{Owner: block.Owner{AgentID: agent, UserID: user}, Name: name}, block.Settings{Content: &content}, block.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	begins := func(filters, want string, more ...string) map[string]any {
		t.Helper()
		status, answer := w.call("POST", "/v1/context", `{"query":"Which animal did Mara adopt?"`+filters+`}`, more...)
		if text, _ := answer["text"].(string); status != 200 || !strings.HasPrefix(text, want) || want == "" && strings.Contains(text, "#") {
			t.Errorf("%s: %d\n%s\nwant it to begin with\n%s", filters, status, text, want)
		}
		return answer
	}
	put("", "", "rules", "Be brief.")
	put("desk", "", "persona", "You are the desk.")
	put("", "u", "facts", "Vegan.")
	put("", "another", "facts", "Somebody else's.")
	const rules, memories = "# rules\n  Be brief.\n", "---\n2026-03-04 Wed 09:00\n- Mara: I adopted a greyhound"
	for range 2 { // the second answer of the search is a remembered one
		begins("", rules+memories)
	}
	put("", "", "rules", "Be very brief.")
	const now = "# rules\n  Be very brief.\n"
	answer := begins("", now+memories)
	placed := []any{map[string]any{"name": "rules", "version": 2.0, "text_start": 0.0, "text_end": float64(len(now))}}
	if !reflect.DeepEqual(answer["blocks"], placed) || !reflect.DeepEqual(answer["blocks_omitted"], []any{}) {
		t.Errorf("blocks %v, omitted %v", answer["blocks"], answer["blocks_omitted"])
	}
	begins(`,"filters":{"agent_id":"desk","user_id":"u"}`, now+"# persona (agent)\n  You are the desk.\n# facts (user)\n  Vegan.\n")
	begins(`,"filters":{"user_id":"u"}`, now+"# facts (user)\n  Vegan.\n")
	begins(`,"blocks":true`, now)
	if without := begins(`,"blocks":false`, ""); fmt.Sprint(without["blocks"]) != "[]" {
		t.Errorf("left out and told: %v", without["blocks"])
	}
	begins("", "", "X-Tenant-ID", "rival")
	begins("", "", "X-Project-ID", "other")
	tight := begins(`,"max_tokens":4`, "")
	omitted := []any{map[string]any{"name": "rules", "version": 2.0, "reason": "room"}}
	if !reflect.DeepEqual(tight["blocks_omitted"], omitted) || tight["truncated"] != true {
		t.Errorf("omitted %v, truncated %v", tight["blocks_omitted"], tight["truncated"])
	}
	before := begins(`,"known_at":"2026-03-05T00:00:00Z"`, "")
	if omitted[0].(map[string]any)["reason"] = "known_at"; !reflect.DeepEqual(before["blocks_omitted"], omitted) {
		t.Errorf("omitted %v", before["blocks_omitted"])
	}
	if _, err := blocks.Delete(t.Context(), here, block.Ref{Name: "rules"}, block.Request{}); err != nil {
		t.Fatal(err)
	}
	begins("", "2026-03-04 Wed 09:00\n")
}
