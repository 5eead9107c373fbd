package redis_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/rae-memory/rae/pkg/embed"
	"github.com/rae-memory/rae/pkg/embed/embedtest"
	"github.com/rae-memory/rae/pkg/memory"
	"github.com/rae-memory/rae/pkg/search/cachetest"
)

func TestAValueThatIsNotWhatWasPutIsNotThere(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	client := open(t, redis.Addr(), patient)
	answer, foreign := cachetest.Answer(here, "question"), cachetest.Answer(memory.Scope{Tenant: "other", Project: "default"}, "question")
	client.Answers().Put(t.Context(), answer)
	client.Answers().Put(t.Context(), foreign)
	client.Vectors().Put(t.Context(), []embed.CacheKey{embedtest.Key("a"), embedtest.Key("b")}, [][]float32{{1, 0}, {0, 1}})
	kept := map[string]string{}
	for _, key := range redis.Keys() {
		value, err := redis.Get(key)
		if err != nil {
			t.Fatal(err)
		}
		kept[key] = value
	}
	noise := rand.NewChaCha8([32]byte{1})
	for name, lie := range map[string]func(key, value string) string{
		"another key's value": func(key, _ string) string {
			for other, value := range kept {
				if kind, _, _ := strings.Cut(key, ":v1:"); other != key && strings.HasPrefix(other, kind) {
					return value
				}
			}
			panic("no other")
		},
		"one bit flipped in the value": func(_, value string) string { return flip(value, len(value)-1) },
		"one bit flipped in the seal":  func(_, value string) string { return flip(value, 0) },
		"the end cut off":              func(_, value string) string { return value[:len(value)-1] },
		"something behind it":          func(_, value string) string { return value + " " },
		"the seal alone":               func(_, value string) string { return value[:32] },
		"random bytes": func(_, value string) string {
			random := make([]byte, len(value))
			_, _ = noise.Read(random)
			return string(random)
		},
		"far too much": func(_, value string) string { return value + strings.Repeat("x", 8<<20) },
	} {
		for key, value := range kept {
			if err := redis.Set(key, lie(key, value)); err != nil {
				t.Fatal(err)
			}
		}
		if got, ok := client.Answers().Get(t.Context(), answer.Key); ok {
			t.Errorf("%s: the answer is %+v", name, got)
		}
		if got := client.Vectors().Get(t.Context(), []embed.CacheKey{embedtest.Key("a"), embedtest.Key("b")}); got[0] != nil || got[1] != nil {
			t.Errorf("%s: the vectors are %v", name, got)
		}
	}
	for key, value := range kept { // the test would pass, too, if nothing ever came back
		if err := redis.Set(key, value); err != nil {
			t.Fatal(err)
		}
	}
	if got, ok := client.Answers().Get(t.Context(), answer.Key); !ok || !reflect.DeepEqual(got, answer) {
		t.Errorf("the truth is not believed: %+v", got)
	}
}

// flip turns the lowest bit of a byte over.
func flip(value string, at int) string {
	b := []byte(value)
	b[at] ^= 1
	return string(b)
}

func TestAValueOfAnotherTypeIsNotThere(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	client := open(t, redis.Addr(), patient)
	answer := cachetest.Answer(here, "question")
	client.Answers().Put(t.Context(), answer)
	for _, key := range redis.Keys() {
		redis.Del(key)
		if _, err := redis.Push(key, "a", "list"); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := client.Answers().Get(t.Context(), answer.Key); ok {
		t.Error("a list is taken for an answer")
	}
	client.Answers().Put(t.Context(), answer)
	if _, ok := client.Answers().Get(t.Context(), answer.Key); !ok {
		t.Error("a list is in the way for ever")
	}
}

// TestAConnectionOneAnswerOutOfStepMixesNothingUp answers every question with the value of the question before.
func TestAConnectionOneAnswerOutOfStepMixesNothingUp(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	client := open(t, redis.Addr(), patient)
	var keys []embed.CacheKey
	for i := range 50 {
		keys = append(keys, embedtest.Key(fmt.Sprint(i)))
		client.Vectors().Put(t.Context(), keys[i:], [][]float32{{float32(i), 1}})
	}
	var mu sync.Mutex
	before := redis.Keys()[0]
	redis.Server().SetPreHook(func(c *server.Peer, command string, args ...string) bool {
		if command != "GETRANGE" {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		value, _ := redis.Get(before)
		before = args[0]
		c.WriteBulk(value)
		return true
	})
	for i, v := range client.Vectors().Get(t.Context(), keys) {
		if v != nil && v[0] != float32(i) {
			t.Errorf("%d got the vector of %v", i, v[0])
		}
	}
}

// TestCancelledRequestsMixNothingUp leaves ten thousand questions at random points. Each that is answered must have
// its own answer, and none may have needed the seal to notice.
func TestCancelledRequestsMixNothingUp(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewRegistry()
			o := patient
			o.Metrics = registry
			client := open(t, start(t), o)
			vectors := client.Vectors()
			const workers, each, known = 10, 1000, 200
			own := func(i int) []float32 { return []float32{float32(i), 1, float32(-i)} }
			for i := range known {
				vectors.Put(t.Context(), []embed.CacheKey{embedtest.Key(fmt.Sprint(i))}, [][]float32{own(i)})
			}
			var answered, left int
			var mu sync.Mutex
			var running sync.WaitGroup
			for worker := range workers {
				running.Go(func() {
					random := rand.New(rand.NewPCG(1, uint64(worker)))
					for range each {
						i := random.IntN(known)
						// From long before the question is written to long after its answer was read; every other one by a
						// deadline, which cuts a read in the middle.
						after := time.Duration(random.ExpFloat64() * float64(200*time.Microsecond))
						ctx, cancel := context.WithCancel(t.Context())
						stop := time.AfterFunc(after, cancel).Stop
						if random.IntN(2) == 0 {
							stop()
							ctx, cancel = context.WithTimeout(t.Context(), after)
						}
						got := vectors.Get(ctx, []embed.CacheKey{embedtest.Key(fmt.Sprint(i))})[0]
						stop()
						cancel()
						if got != nil && !slices.Equal(got, own(i)) {
							t.Errorf("asked for %d and got %v", i, got)
							return
						}
						mu.Lock()
						if got != nil {
							answered++
						} else {
							left++
						}
						mu.Unlock()
					}
				})
			}
			running.Wait()
			counts := counted(t, registry)
			if counts["vector_get lie"] != 0 {
				t.Errorf("%v answers were somebody else's", counts["vector_get lie"])
			}
			t.Logf("%d answered, %d left", answered, left)
			if answered < 100 || left < 100 {
				t.Errorf("%d answered and %d left: this shows nothing", answered, left)
			}
			for i := range known {
				if got := vectors.Get(t.Context(), []embed.CacheKey{embedtest.Key(fmt.Sprint(i))})[0]; !slices.Equal(got, own(i)) {
					t.Fatalf("afterwards %d is %v", i, got)
				}
			}
		})
	}
}

func TestClosingLeavesNothingRunning(t *testing.T) {
	redis := miniredis.RunT(t)
	ignore := goleak.IgnoreCurrent()
	for range 3 {
		client := open(t, redis.Addr(), patient)
		for range 10 {
			client.Answers().Put(t.Context(), cachetest.Answer(here, "question"))
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if _, ok := client.Answers().Get(t.Context(), cachetest.Answer(here, "question").Key); ok {
			t.Error("a closed client answers")
		}
	}
	redis.Close()
	goleak.VerifyNone(t, ignore)
}
