package search

import (
	"crypto/sha256"
	"encoding/json"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/rae-memory/rae/pkg/memory"
)

// Cache keeps whole answers. Its keys carry the scope and the number of the scope's last change, so a write makes every
// older answer of the scope unreachable at once and nothing has to be forgotten by event.
type Cache struct{ answers *lru.Cache[[32]byte, cached] }

// cached is an answer with the time its scores were made for: recency moves slowly, so it may be served for a while.
type cached struct {
	response Response
	tenant   string
	until    time.Time
}

// cacheFor bounds how long recency scores may stand still.
const cacheFor = 5 * time.Minute

// NewCache returns a cache of at most size answers (size >= 1).
func NewCache(size int) *Cache {
	answers, err := lru.New[[32]byte, cached](max(1, size))
	if err != nil { // only for a size below 1
		panic(err)
	}
	return &Cache{answers: answers}
}

func cacheKey(r Request, seq memory.Seq) [32]byte {
	r.AtLeast = 0 // the answer at seq is the same whatever the caller insisted on
	b, err := json.Marshal(struct {
		Request Request
		Seq     memory.Seq
	}{r, seq})
	if err != nil { // requests came from JSON
		b = []byte(err.Error())
	}
	return sha256.Sum256(b)
}

// get returns a standing answer. One that would show an expired memory is no answer.
func (c *Cache) get(r Request, seq memory.Seq, now time.Time) (Response, bool) {
	entry, ok := c.answers.Get(cacheKey(r, seq))
	if !ok || now.After(entry.until) {
		return Response{}, false
	}
	for i := range entry.response.Results {
		if entry.response.Results[i].Memory.Expired(now) {
			return Response{}, false
		}
	}
	response := entry.response
	response.Cached = true
	return response, true
}

func (c *Cache) put(r Request, response Response, now time.Time) {
	c.answers.Add(cacheKey(r, response.Seq), cached{response: response, tenant: r.Scope.Tenant, until: now.Add(cacheFor)})
}

// ForgetTenant removes the tenant's answers and returns how many there were.
func (c *Cache) ForgetTenant(tenant string) int {
	removed := 0
	for _, key := range c.answers.Keys() {
		if entry, ok := c.answers.Peek(key); ok && entry.tenant == tenant {
			c.answers.Remove(key)
			removed++
		}
	}
	return removed
}
