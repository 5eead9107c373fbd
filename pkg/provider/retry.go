package provider

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	firstWait   = 200 * time.Millisecond // at most, before the second attempt
	longestWait = 8 * time.Second        // at most, before any, where the provider asks for nothing
)

// retry says whether a call is tried again and how long to wait before. A wait that the deadline does not leave is not
// begun: the caller learns at once what it would learn later.
func (c *Client) retry(ctx context.Context, err error, attempt int) (time.Duration, bool) {
	var passes *passing
	if attempt >= c.options.Retries || !errors.As(err, &passes) {
		return 0, false
	}
	wait := jitter(attempt)
	if asked := passes.fault.RetryAfter; asked > 0 {
		wait = asked
	}
	left := longestUnbidden
	if deadline, bounded := ctx.Deadline(); bounded {
		left = time.Until(deadline)
	}
	return wait, wait < left
}

// jitter is a random wait below a bound that doubles with each attempt ("full jitter": Brooker, "Exponential Backoff And
// Jitter", AWS Architecture Blog, 2015), so that callers refused together don't come back together.
func jitter(attempt int) time.Duration {
	bound := min(firstWait<<min(attempt, 16), longestWait)
	return rand.N(bound) //nolint:gosec // spreading load needs no secrecy
}

// pause waits, or returns how the context ended.
func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
