package rae_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/rae-memory/rae"
)

// TestOneTenantNeverNoticesAnother runs a tenant's random script alone, and again among other tenants who do the same
// things, and worse, at the same moments, with the same texts, keys, sessions and ids: every answer must be the same, in
// contents, counts, totals, order, scores, errors and headers.
// No event is delivered meanwhile: when a reflection begins by itself is nobody's promise.
func TestOneTenantNeverNoticesAnother(t *testing.T) {
	t.Parallel()
	const steps = 200
	stores := map[string]func(*testing.T) func(*rae.Config){
		"sqlite":   func(*testing.T) func(*rae.Config) { return func(*rae.Config) {} },
		"postgres": admittedTo,
	}
	for name, on := range stores {
		for seed := range uint64(2) {
			t.Run(fmt.Sprint(name, " ", seed), func(t *testing.T) {
				t.Parallel()
				alone := newActor(open(t, on(t)), "acme", seed)
				for range steps {
					alone.step()
				}
				e := open(t, on(t))
				among := newActor(e, "acme", seed)
				others := []*actor{newActor(e, "Acme", seed), newActor(e, "acme.default", seed+1000)}
				for range steps {
					var running sync.WaitGroup
					for _, other := range others {
						other.victims = among.ids
						running.Go(func() { other.step(); other.trouble() })
					}
					among.step()
					running.Wait()
				}
				for i := range steps {
					if alone.answers[i] != among.answers[i] {
						t.Fatalf("step %d, %s\nalone: %s\namong: %s", i, alone.asked[i], alone.answers[i], among.answers[i])
					}
				}
				alone.worthIt()
			})
		}
	}
}

// actor is one tenant with a script drawn from its seed.
type actor struct {
	*running
	tenant  string
	draw    *rand.Rand
	ids     []string          // of what it stored, in the order it was told of them
	names   map[string]string // of every id it was told, in that order
	victims []string          // ids of another tenant
	asked   []string
	answers []string
}

func newActor(e *running, tenant string, seed uint64) *actor {
	return &actor{running: e, tenant: tenant, draw: rand.New(rand.NewPCG(seed, 26)), names: map[string]string{}}
}

var (
	identity  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	moment    = regexp.MustCompile(`202[4-9]-\d\d-\d\dT[0-9:.]+Z`) // the script's own times are of 2023
	ownTiming = regexp.MustCompile(`"(took_ms|projected_month_end)":[0-9.e-]+`)
	cursor    = regexp.MustCompile(`"next_cursor":"[^"]+"`) // holds ids
	fraction  = regexp.MustCompile(`(\.\d{6})\d+`)          // a score knows how old a memory is to the microsecond
	tiny      = regexp.MustCompile(`\d+(\.\d+)?e-\d+`)
)

// send asks as the actor and keeps what may be compared of the answer.
func (a *actor) send(method, path, body, key string) {
	r := httptest.NewRequestWithContext(a.t.Context(), method, path, strings.NewReader(body))
	r.RemoteAddr, r.Host = "127.0.0.1:4711", "127.0.0.1"
	r.Header.Set("X-Tenant-ID", a.tenant)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	answer := httptest.NewRecorder()
	a.handler.ServeHTTP(answer, r)
	raw := answer.Body.String()
	for _, id := range identity.FindAllString(raw, -1) {
		if _, known := a.names[id]; !known {
			a.names[id] = fmt.Sprint("id", len(a.names))
			a.ids = append(a.ids, id)
		}
	}
	said := identity.ReplaceAllStringFunc(raw, func(id string) string { return a.names[id] })
	for _, volatile := range []*regexp.Regexp{ownTiming, cursor, moment} {
		said = volatile.ReplaceAllString(said, "~")
	}
	said = fraction.ReplaceAllString(tiny.ReplaceAllString(said, "0"), "$1")
	headers := http.Header{}
	for name, values := range answer.Header() {
		if name != "X-Request-Id" && name != "Date" && name != "Traceparent" && name != "Etag" {
			headers[name] = values
		}
	}
	a.asked = append(a.asked, method+" "+path+" "+body)
	a.answers = append(a.answers, fmt.Sprint(answer.Code, " ", headers, " ", said))
}

var sayings = []string{
	"Mara adopted the greyhound Pixel from the shelter.", "Jonas repaired the boiler in the cellar.", "Pixel ran along the river with Mara.",
	"The dentist moved the appointment to Tuesday.", "Mara paints the garden fence green.", "Jonas forgot the key of the boat house.",
}

// step does the next thing of the script. What it draws depends on the seed and on nothing an answer says.
func (a *actor) step() {
	pick := func(of []string) string { return of[a.draw.IntN(len(of))] }
	saying, number := pick(sayings), a.draw.IntN(6)
	at := fmt.Sprintf("2023-05-%02dT10:00:00Z", 1+a.draw.IntN(3))
	mine := "00000000-0000-7000-8000-000000000000"
	if drawn := a.draw.IntN(1 << 20); len(a.ids) > 0 {
		mine = a.ids[drawn%len(a.ids)]
	}
	memory := fmt.Sprintf(`{"content":%q,"occurred_at":%q,"external_id":"e%d","session_id":"s%d","entities":[{"name":"Pixel"}],"tags":["t%d"]}`,
		saying, at, number, number%2, number%3)
	key := ""
	if a.draw.IntN(3) == 0 {
		key = fmt.Sprint("key", number)
	}
	switch a.draw.IntN(23) {
	case 0, 1, 2, 3:
		a.send("POST", "/v1/memories", memory, key)
	case 4:
		a.send("POST", "/v1/memories/batch", fmt.Sprintf(`{"memories":[%s,{"content":""}]}`, memory), key)
	case 5:
		a.send("POST", "/v1/conversations", fmt.Sprintf(
			`{"session_id":"s%d","messages":[{"role":"user","name":"Mara","content":%q,"at":%q}]}`, number, saying, at), key)
	case 6, 7, 8:
		a.send("POST", "/v1/search", fmt.Sprintf(`{"query":%q,"limit":5,"explain":true}`, saying), "")
	case 9:
		a.send("POST", "/v1/context", fmt.Sprintf(`{"query":%q,"max_tokens":200}`, saying), "")
	case 10:
		a.send("GET", fmt.Sprintf("/v1/memories?limit=3&tag=t%d", number%3), "", "")
	case 11:
		a.send("GET", "/v1/memories/"+mine, "", "")
	case 12:
		a.send("PATCH", "/v1/memories/"+mine, `{"importance":0.7}`, "")
	case 13:
		a.send("GET", "/v1/memories/"+mine+"/history", "", "")
	case 14:
		a.send("DELETE", "/v1/memories/"+mine, "", "")
	case 15:
		a.send("GET", "/v1/entities", "", "")
	case 16:
		a.send("POST", "/v1/graph/query", `{"query":"Pixel","depth":2}`, "")
	case 17:
		a.send("POST", "/v1/reservations", `{"operation":"chat","provider":"p","model":"m","max_cost":3}`, key)
	case 18:
		a.send("GET", "/v1/budgets/current", "", "")
	case 19:
		a.send("POST", "/v1/memories/delete", fmt.Sprintf(`{"filter":{"tags":["t%d"],"session_id":"s1"}}`, number%3), "")
	case 20:
		a.send("PUT", fmt.Sprintf("/v1/blocks/b%d", number%3), fmt.Sprintf(`{"content":%q}`, saying), key)
	case 21:
		a.send([]string{"DELETE", "GET"}[number%2], fmt.Sprintf("/v1/blocks/b%d", number%3), "", "")
	case 22:
		a.send("POST", fmt.Sprintf("/v1/blocks/b%d/undo", number%3), "", "")
	}
}

// trouble is what only another tenant does: it reaches for what is not its own, and spends, floods and erases.
func (a *actor) trouble() {
	if len(a.victims) == 0 {
		return
	}
	theirs := a.victims[a.draw.IntN(len(a.victims))]
	switch a.draw.IntN(9) {
	case 0:
		a.send("DELETE", "/v1/memories/"+theirs, "", "")
	case 1:
		a.send("PATCH", "/v1/memories/"+theirs, `{"content":"taken over"}`, "")
	case 2:
		a.send("POST", "/v1/reservations/"+theirs+"/settle", `{"cost":5}`, "")
	case 3:
		a.send("POST", "/v1/reservations/"+theirs+"/release", "", "")
	case 4:
		a.send("PUT", "/v1/budgets", `{"daily_limit":1,"monthly_limit":1}`, "")
	case 5:
		a.send("PUT", "/v1/prices/m", `{"input_per_million":999,"output_per_million":999}`, "")
	case 6:
		a.send("DELETE", "/v1/tenants/"+a.tenant+"/data", "", "")
	case 7:
		a.send("POST", "/v1/memories/delete", `{"filter":{"until":"2030-01-01T00:00:00Z"}}`, "")
	case 8:
		a.send("DELETE", "/v1/blocks/b1?erase=true", "", "")
	}
}

// worthIt fails a script that proved nothing: one whose searches found nothing, or that was never refused anything.
func (a *actor) worthIt() {
	a.t.Helper()
	all := strings.Join(a.answers, "\n")
	for _, sign := range []string{`"results":[{`, `"deduplicated":true`, `"entities":[{`, "404", "402", `"deleted":`, `"restored":`, `"text":"# b`} {
		if !strings.Contains(all, sign) {
			a.t.Errorf("the script never met %s: draw another", sign)
		}
	}
}
