package e2e_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// together sends n requests at once and returns their answers.
func (w *world) together(n int, send func(i int) (*answer, error)) []*answer {
	w.Helper()
	answers, failures := make([]*answer, n), make([]error, n)
	begin := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-begin
			answers[i], failures[i] = send(i)
		})
	}
	close(begin)
	all.Wait()
	for _, err := range failures {
		if err != nil {
			w.Fatal(err)
		}
	}
	return answers
}

// tally counts statuses and distinct ids.
func tally(answers []*answer) (statuses map[int]int, ids map[string]bool) {
	statuses, ids = map[int]int{}, map[string]bool{}
	for _, a := range answers {
		statuses[a.status]++
		ids[text(a.body, "id")] = true
	}
	return statuses, ids
}

func TestTheSameThingToldAtOnceIsOneMemory(t *testing.T) {
	t.Parallel()
	w := serve(t, "")
	const n = 64
	t.Run("the same content", func(t *testing.T) {
		statuses, ids := tally(w.together(n, func(int) (*answer, error) {
			return w.try("POST", "/v1/memories", object{"content": "The tide turns at four."})
		}))
		if statuses[http.StatusCreated] != 1 || statuses[http.StatusOK] != n-1 || len(ids) != 1 {
			t.Errorf("%v, %d ids, want one 201 and one id", statuses, len(ids))
		}
	})
	t.Run("the same key", func(t *testing.T) {
		answers := w.together(n, func(int) (*answer, error) {
			return w.try("POST", "/v1/memories", object{"content": "The tide turns at five."}, "Idempotency-Key", "tide")
		})
		statuses, ids := tally(answers)
		if statuses[http.StatusCreated] != n || len(ids) != 1 {
			t.Errorf("%v, %d ids, want the same 201 for all", statuses, len(ids))
		}
		for _, a := range answers {
			if string(a.raw) != string(answers[0].raw) {
				t.Errorf("answers differ: %v and %v", a, answers[0])
			}
		}
	})
	t.Run("the same external id with other words", func(t *testing.T) {
		statuses, ids := tally(w.together(n, func(i int) (*answer, error) {
			return w.try("POST", "/v1/memories", object{"content": fmt.Sprintf("The tide turns at minute %d.", i), "external_id": "tide"})
		}))
		if statuses[http.StatusCreated] != 1 || statuses[http.StatusOK] != n-1 || len(ids) != 1 {
			t.Errorf("%v, %d ids, want one 201 and one id", statuses, len(ids))
		}
		for id := range ids {
			if versions := w.want(http.StatusOK, "GET", "/v1/memories/"+id+"/history", nil).list("versions"); len(versions) != n {
				t.Errorf("%d versions, want %d", len(versions), n)
			}
		}
	})
	t.Run("the turns of one session", func(t *testing.T) {
		statuses, _ := tally(w.together(16, func(i int) (*answer, error) {
			return w.try("POST", "/v1/conversations", object{"session_id": "tide", "messages": []object{{"id": fmt.Sprint(i), "role": "user", "content": fmt.Sprintf("Turn %d.", i)}}})
		}))
		if statuses[http.StatusCreated] != 16 {
			t.Errorf("%v, want 16 of 201", statuses)
		}
		turns := map[string]bool{}
		for _, m := range w.want(http.StatusOK, "GET", "/v1/memories?session_id=tide", nil).list("memories") {
			turns[fmt.Sprint(m["metadata"].(object)["turn"])] = true
		}
		if len(turns) != 16 {
			t.Errorf("turns %v, want 16 different numbers", turns)
		}
	})
}

func TestAReflectionIsFinishedByTheNextProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := serve(t, dir)
	w.converseFor("default", 60)
	var paths []string
	for i := range 8 {
		queued := w.want(http.StatusAccepted, "POST", "/v1/reflections", object{"kind": []string{"insight", "consolidate", "extract", "decay"}[i%4]})
		paths = append(paths, "/v1/reflections/"+text(queued.body, "id"))
	}
	w.process.Kill()
	w = serve(t, dir)
	for _, path := range paths {
		w.soon(60*time.Second, "the reflection ends", func() bool {
			return text(w.want(http.StatusOK, "GET", path, nil).body, "status") == "succeeded"
		})
	}
}
