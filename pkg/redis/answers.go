package redis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/search"
)

// Answers is a cache of answers that instances share. Its keys are "rae:answers:v1:", a digest of the tenant, ":", a
// digest of the whole key: of one length, without a character that means something to SCAN, and without names.
type Answers struct{ client *Client }

var _ search.Cache = (*Answers)(nil)

// Answers returns the cache of answers in this Redis, nil without one.
func (c *Client) Answers() search.Cache {
	if c == nil {
		return nil
	}
	return &Answers{client: c}
}

const (
	answersPrefix = "rae:answers:v1:" // v1 is the form of the value: another form, another number
	maxAnswer     = 256 << 10         // bytes of a value; what is longer is not kept and not read
	longestAnswer = time.Hour         // whatever its Until says
)

func tenantPrefix(tenant string) string {
	digest := sha256.Sum256([]byte(tenant))
	return answersPrefix + hex.EncodeToString(digest[:16]) + ":"
}

func answerKey(key search.CacheKey) string {
	digest := key.Digest()
	return tenantPrefix(key.Scope.Tenant) + hex.EncodeToString(digest[:])
}

// Get implements search.Cache.
func (a *Answers) Get(ctx context.Context, key search.CacheKey) (search.CachedAnswer, bool) {
	name, g := answerKey(key), a.client.guard
	var sealed string
	err := g.do(ctx, "answer_get", func(ctx context.Context) (err error) {
		sealed, err = a.client.redis.GetRange(ctx, name, 0, maxAnswer-1).Result() // not GET: whatever lies there, so much is read
		return err
	})
	if err != nil {
		return search.CachedAnswer{}, false
	}
	var answer search.CachedAnswer
	value, ok := unseal(name, sealed)
	ok = ok && json.Unmarshal(value, &answer) == nil && answer.Key == key
	g.count("answer_get", resultOf(sealed, ok), 1)
	return answer, ok
}

// Put implements search.Cache.
func (a *Answers) Put(ctx context.Context, answer search.CachedAnswer) {
	left := min(time.Until(answer.Until), longestAnswer)
	value, err := json.Marshal(answer)
	if err != nil || left < time.Millisecond || len(value) > maxAnswer-sealBytes {
		return // an answer that cannot be kept is an answer all the same
	}
	name, g := answerKey(answer.Key), a.client.guard
	err = g.do(ctx, "answer_put", func(ctx context.Context) error {
		return a.client.redis.Set(ctx, name, seal(name, value), left).Err()
	})
	if err == nil {
		g.count("answer_put", "ok", 1)
	}
}

// ForgetTenant implements search.Cache: what was put before the call is removed. A search that is under way may still
// put an answer, which names memories nobody is shown any more.
func (a *Answers) ForgetTenant(ctx context.Context, tenant string) (int, error) {
	removed, err := a.client.forget(ctx, tenantPrefix(tenant))
	if err != nil {
		return removed, fault.Wrap(fault.Unavailable, err,
			"redis may still hold answers of the tenant, for %s at most; repeat this to be sure", longestAnswer)
	}
	return removed, nil
}
