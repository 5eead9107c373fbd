package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// acknowledged is what writers were told is stored: content by id.
type acknowledged struct {
	mu       sync.Mutex
	contents map[string]string
}

func (a *acknowledged) add(id, content string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.contents[id] = content
	return len(a.contents)
}

// writing lets n writers store memories, each with a word of its own, until the program is gone. reached is closed
// after so many were acknowledged.
func (w *world) writing(n, round, enough int, told *acknowledged) (reached chan struct{}, done *sync.WaitGroup) {
	reached, done = make(chan struct{}), &sync.WaitGroup{}
	before := len(told.contents)
	var once sync.Once
	for writer := range n {
		done.Go(func() {
			for i := 0; ; i++ {
				content := fmt.Sprintf("The beacon %s was lit in the year %d by writer %d.", word(round, writer, i), 1000+i, writer)
				a, err := w.try("POST", "/v1/memories", object{"content": content, "metadata": object{"round": round}})
				if err != nil {
					return // the program was killed; whether this one stands nobody was told
				}
				if a.status != http.StatusCreated {
					w.Errorf("a write was refused: %v", a)
					return
				}
				if told.add(text(a.body, "id"), content) >= before+enough {
					once.Do(func() { close(reached) })
				}
			}
		})
	}
	return reached, done
}

// word is a word nobody else uses and no stemmer touches.
func word(numbers ...int) string {
	var b strings.Builder
	b.WriteString("qz")
	for _, n := range numbers {
		for _, digit := range fmt.Sprint(n) {
			b.WriteByte("bdfghjkmpt"[digit-'0'])
		}
		b.WriteByte('v')
	}
	return b.String() + "q"
}

func TestNoAcknowledgedMemoryIsLostByKilling(t *testing.T) {
	t.Parallel()
	const kills, writers = 20, 16
	seed := uint64(20261123)
	random := rand.New(rand.NewPCG(seed, seed))
	dir := t.TempDir()
	told := &acknowledged{contents: map[string]string{}}
	for round := range kills {
		w := serve(t, dir)
		reached, done := w.writing(writers, round, 1+random.IntN(150), told)
		select {
		case <-reached: // killed wherever the writers are by then
		case <-time.After(20 * time.Second):
			t.Fatal("too few writes were acknowledged")
		}
		w.process.Kill()
		done.Wait()
	}
	w := serve(t, dir)
	all := map[string]string{}
	cursor := ""
	for {
		page := w.want(http.StatusOK, "GET", "/v1/memories?limit=1000&cursor="+cursor, nil)
		for _, m := range page.list("memories") {
			all[text(m, "id")] = text(m, "content")
			if text(m, "embedding") != "ready" || m["metadata"].(object)["round"] == nil {
				t.Errorf("half of a memory: %v", m)
			}
		}
		if cursor = text(page.body, "next_cursor"); cursor == "" {
			break
		}
	}
	for id, content := range told.contents {
		if all[id] != content {
			t.Errorf("memory %s was acknowledged and is %q, want %q", id, all[id], content)
		}
	}
	t.Logf("%d memories acknowledged, %d stand", len(told.contents), len(all))
	ids := slices.Sorted(maps.Keys(told.contents))
	random.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	for _, id := range ids[:min(len(ids), 400)] {
		got := w.want(http.StatusOK, "GET", "/v1/memories/"+id, nil)
		unique := strings.Fields(got.body["content"].(string))[2]
		history := w.want(http.StatusOK, "GET", "/v1/memories/"+id+"/history", nil).list("versions")
		found := w.want(http.StatusOK, "POST", "/v1/search", object{"query": unique, "limit": 1, "mode": "lexical"}).list("results")
		if len(history) != 1 || len(found) != 1 || text(found[0], "memory", "id") != id {
			t.Errorf("%s (%s): history %v, found %v", id, unique, history, found)
		}
	}
}

func TestAKeyIsAnsweredTheSameAfterACrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := serve(t, dir)
	type request struct {
		method, path string
		body         any
	}
	requests := map[string]request{
		"k-one":          {"POST", "/v1/memories", object{"content": "The bridge opens at nine."}},
		"k-batch":        {"POST", "/v1/memories/batch", object{"memories": []object{{"content": "a heron"}, {"content": ""}}}},
		"k-conversation": {"POST", "/v1/conversations", object{"session_id": "s", "messages": []object{{"role": "user", "content": "hello"}}}},
		"k-hold":         {"POST", "/v1/reservations", object{"operation": "chat", "model": "gpt-4o", "max_cost": 1}},
		"k-reflect":      {"POST", "/v1/reflections", object{"kind": "insight"}},
		"k-delete":       {"POST", "/v1/memories/delete", object{"filter": object{"tags": []string{"none"}}}},
	}
	first := map[string]*answer{}
	for key, r := range requests {
		if first[key] = w.do(r.method, r.path, r.body, "Idempotency-Key", key); first[key].status >= 300 {
			t.Fatalf("%s: %v", key, first[key])
		}
	}
	w.process.Kill()
	w = serve(t, dir)
	for key, r := range requests {
		again := w.do(r.method, r.path, r.body, "Idempotency-Key", key)
		if again.status != first[key].status || string(again.raw) != string(first[key].raw) {
			t.Errorf("%s %s\nfirst %v\nagain %v", r.method, r.path, first[key], again)
		}
		if other := w.do(r.method, r.path, different(r.body), "Idempotency-Key", key); other.status != http.StatusConflict {
			t.Errorf("%s with another body: got %v, want 409", r.path, other)
		}
	}
	if n := len(w.want(http.StatusOK, "GET", "/v1/memories", nil).list("memories")); n != 3 {
		t.Errorf("%d memories stand, want 3", n)
	}
}

// different is the same request about something else.
func different(body any) any {
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	for _, change := range [][2]string{{"nine", "ten"}, {"heron", "crane"}, {"hello", "goodbye"}, {`"max_cost":1`, `"max_cost":2`}, {"insight", "consolidate"}, {"none", "some"}} {
		if changed := strings.Replace(string(raw), change[0], change[1], 1); changed != string(raw) {
			return changed
		}
	}
	panic("no change: " + string(raw))
}

func TestTerminationLetsAnImportEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := serve(t, dir)
	reader, writer := io.Pipe()
	type result struct {
		answer *answer
		err    error
	}
	ended := make(chan result, 1)
	go func() {
		a, err := w.try("POST", "/v1/memories/import", reader, "Content-Type", "application/x-ndjson")
		ended <- result{a, err}
	}()
	line := func(i int) { fmt.Fprintf(writer, "{\"content\":\"Crate %d holds %s.\"}\n", i, word(i)) }
	for i := range 600 { // more than one slice, so that the import is in the middle of its work
		line(i)
	}
	w.soon(5*time.Second, "the first slice stands", func() bool {
		return len(w.want(http.StatusOK, "GET", "/v1/memories?limit=1", nil).list("memories")) == 1
	})
	if err := w.process.Terminate(); err != nil {
		t.Fatal(err)
	}
	w.soon(5*time.Second, "nobody new is let in", func() bool {
		fresh := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := fresh.Get(w.process.URL + "/health/ready")
		if err != nil {
			return true
		}
		response.Body.Close() //nolint:errcheck // nothing is read
		return response.StatusCode != http.StatusOK
	})
	for i := 600; i < 1200; i++ {
		line(i)
	}
	writer.Close() //nolint:errcheck // never fails
	got := <-ended
	if got.err != nil || got.answer.status != http.StatusOK || got.answer.number("created") != 1200 {
		t.Fatalf("the import under way: %v, %v, want 1200 created", got.answer, got.err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if err := w.process.Wait(ctx); err != nil {
		t.Errorf("exit: %v, want 0", err)
	}
	if log := w.process.Log(); strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("a clean end logs no errors:\n%s", last(log, 2000))
	}
	w = serve(t, dir)
	if lines := w.want(http.StatusOK, "GET", "/v1/memories/export", nil); strings.Count(string(lines.raw), "\n") != 1200 {
		t.Errorf("%d memories stand, want 1200", strings.Count(string(lines.raw), "\n"))
	}
}
