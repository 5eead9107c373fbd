package eventing

import (
	"net/http"
	"time"

	"github.com/rae-memory/rae/pkg/fault"
)

// verdictOf is the one table from fault kinds to what a broker is told. Knative retries 404, 408, 409, 429 and 5xx,
// and takes every other answer as the last word: below 300 the event is done, else it goes to the dead letters. So
// what can never work must not be retried, and what may work later must not be final.
var verdictOf = map[fault.Kind]int{
	fault.Malformed:       http.StatusBadRequest,
	fault.Invalid:         http.StatusUnprocessableEntity,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Unsupported:     http.StatusUnsupportedMediaType,
	fault.Denied:          http.StatusForbidden,
	fault.Unauthenticated: http.StatusForbidden, // a broker has no other credential to come back with
	fault.NotFound:        http.StatusGone,      // 404 would be retried
	fault.Conflict:        http.StatusOK,        // it has been done already; 409 would be retried
	// A consumer parks work the budget refuses and says it is done. If a refusal gets here nobody has parked it, and
	// 402 would be final: the work would be lost. So it is to come back.
	fault.OverBudget:  http.StatusServiceUnavailable,
	fault.RateLimited: http.StatusTooManyRequests,
	fault.Unavailable: http.StatusServiceUnavailable,
	fault.Timeout:     http.StatusGatewayTimeout,
	fault.Cancelled:   http.StatusServiceUnavailable,
	fault.Internal:    http.StatusInternalServerError,
}

// overBudgetRetry is how long a broker that minds Retry-After should leave refused work alone.
const overBudgetRetry = time.Minute

// Verdict returns the status that tells a broker how an event ended, and how long it should wait before it sends the
// event again, or 0. No error is 204.
func Verdict(err error) (status int, retryAfter time.Duration) {
	if err == nil {
		return http.StatusNoContent, 0
	}
	kind := fault.KindOf(err)
	status, ok := verdictOf[kind]
	if !ok {
		status = http.StatusInternalServerError
	}
	if !Retried(status) {
		return status, 0
	}
	retryAfter = fault.RetryAfterOf(err)
	if kind == fault.OverBudget && retryAfter == 0 {
		retryAfter = overBudgetRetry
	}
	return status, retryAfter
}

// Retried reports whether a broker sends an event again after this answer, as Knative does; 0 is no answer at all.
func Retried(status int) bool {
	switch status {
	case 0, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// accepted reports whether the answer says that the event is done or safely kept.
func accepted(status int) bool { return status >= 200 && status < 300 }
