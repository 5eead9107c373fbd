package serve

import (
	"context"
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/rae-memory/rae/pkg/auth"
	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/httpapi"
)

// Limiter counts requests of tenants, each for itself.
type Limiter interface {
	// Take counts one request of the tenant against perSecond of them a second, and burst at once, both 1 or more. It
	// returns 0 when the request may pass, else how long to wait before another try. It must honour ctx; an error
	// says that nothing was counted.
	Take(ctx context.Context, tenant string, perSecond, burst int) (wait time.Duration, err error)
}

// LocalLimiter counts the requests of this process. It knows the tenants that called last, at most size of them; who
// was forgotten has a whole burst again.
type LocalLimiter struct {
	buckets *lru.Cache[bucket, *rate.Limiter]
}

var _ Limiter = (*LocalLimiter)(nil)

// bucket is what is counted together.
type bucket struct {
	tenant           string
	perSecond, burst int
}

// NewLocalLimiter returns a limiter of at most size tenants (size >= 1).
func NewLocalLimiter(size int) *LocalLimiter {
	buckets, err := lru.New[bucket, *rate.Limiter](max(1, size))
	if err != nil { // only for a size below 1
		panic(err)
	}
	return &LocalLimiter{buckets: buckets}
}

// Take implements Limiter and never fails.
func (l *LocalLimiter) Take(_ context.Context, tenant string, perSecond, burst int) (time.Duration, error) {
	key := bucket{tenant, perSecond, burst}
	counted, ok := l.buckets.Get(key)
	if !ok {
		fresh := rate.NewLimiter(rate.Limit(perSecond), burst)
		if counted, ok, _ = l.buckets.PeekOrAdd(key, fresh); !ok {
			counted = fresh
		}
	}
	now := time.Now()
	reserved := counted.ReserveN(now, 1)
	wait := reserved.DelayFrom(now)
	if wait > 0 {
		reserved.CancelAt(now) // who is sent away has taken nothing
	}
	return wait, nil
}

// limitedTenants is how many tenants a process counts for.
const limitedTenants = 10_000

// throttle answers 429 to a tenant that asks more often than RAE_RATE_LIMIT allows. The tenant is the verified one;
// what acts for none passes: health, metrics, documents, events from the broker, administration.
//
// The process counts by itself first, so that a flood reaches nobody else, and then asks the limiter that instances
// share. Where there is none, or it is away, its own count holds: per instance, which for one instance is the same.
func (s *Server) throttle(next http.Handler) http.Handler {
	perSecond, burst := s.cfg.RateLimit, s.cfg.RateBurst
	if perSecond == 0 {
		return next
	}
	if burst == 0 {
		burst = perSecond
	}
	local := NewLocalLimiter(limitedTenants)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tenant := auth.PrincipalOf(r.Context()).Tenant
		if tenant == "" {
			next.ServeHTTP(w, r)
			return
		}
		wait, err := local.Take(r.Context(), tenant, perSecond, burst)
		if err == nil && wait == 0 && s.Limiter != nil {
			wait, err = s.Limiter.Take(r.Context(), tenant, perSecond, burst)
		}
		if err == nil && wait > 0 {
			limited := fault.New(fault.RateLimited, "this tenant has asked more than %d times a second", perSecond)
			limited.RetryAfter = wait
			httpapi.WriteProblem(w, r, limited)
			return
		}
		next.ServeHTTP(w, r)
	})
}
