package eventing

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rae-memory/rae/pkg/fault"
	"github.com/rae-memory/rae/pkg/outbox"
)

// RelayConfig is how a Relay works. The zero value of every field works.
type RelayConfig struct {
	Parallel int           // subjects sent at a time, and so the most records claimed; 0 means 32
	Lease    time.Duration // of a claimed record; a send gets nine tenths of it; 0 means 1 minute
	Attempts int           // before a record is buried; 0 means 30, some two hours
	Backoff  time.Duration // before the second attempt, doubled before each next; 0 means 1 s
	MaxWait  time.Duration // between two attempts; 0 means 5 minutes
	Slice    time.Duration // after which Drain claims nothing more; 0 means that it goes on until nothing is due
	Tick     time.Duration // after which Run looks by itself; 0 means 30 s
	// Pace is the least time between two claims, so that what is written meanwhile is claimed, sent and marked together.
	// The first that comes after a rest waits for nobody; and where a claim found as many records as it may take, the next
	// waits only until half of Parallel can be sent. 0 means none.
	Pace time.Duration

	Metrics prometheus.Registerer // nil means none
	Log     *slog.Logger          // nil means slog.Default()
}

// Relay sends what waits in an outbox, each record at least once and under the id it was written with. A record is
// done only when its sender has let go of it, so a crash at any point sends it again. A record that cannot be sent
// now waits, longer each time; one that never can, or not in so many attempts, is buried, and blocks nothing.
type Relay struct {
	queue   outbox.Queue
	sender  Sender
	config  RelayConfig
	metrics *relayMetrics
	turn    chan struct{} // held by the one Drain that is running
	rested  time.Time     // when it may claim again, see Pace; whoever has the turn may use it and what follows
	behind  bool          // the last claim found as many as it might take
	wake    chan struct{}
}

// NewRelay returns a relay from queue to sender.
func NewRelay(queue outbox.Queue, sender Sender, config RelayConfig) (*Relay, error) {
	config.Parallel = cmp.Or(max(config.Parallel, 0), 32)
	config.Lease = cmp.Or(max(config.Lease, 0), time.Minute)
	config.Attempts = cmp.Or(max(config.Attempts, 0), 30)
	config.Backoff = cmp.Or(max(config.Backoff, 0), time.Second)
	config.MaxWait = cmp.Or(max(config.MaxWait, 0), 5*time.Minute)
	config.Tick = cmp.Or(max(config.Tick, 0), 30*time.Second)
	config.Log = cmp.Or(config.Log, slog.Default())
	metrics, err := newRelayMetrics(config.Metrics)
	if err != nil {
		return nil, err
	}
	return &Relay{
		queue: queue, sender: sender, config: config, metrics: metrics,
		turn: make(chan struct{}, 1), wake: make(chan struct{}, 1),
	}, nil
}

// Wake tells Run that something was written. It never blocks, and calls that come while Run is busy count as one.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// clockSlack is how much later than its own clock says Run looks for a record that is due again: a queue has a clock
// of its own, and may count in coarser steps.
const clockSlack = 20 * time.Millisecond

// Run drains whenever it is woken, whenever a failed record is due again, and every Tick, until ctx ends. What fails
// is logged, since there is nobody to tell.
func (r *Relay) Run(ctx context.Context) {
	for ctx.Err() == nil {
		_, next, err := r.drainInTurn(ctx)
		if err != nil && ctx.Err() == nil {
			r.config.Log.WarnContext(ctx, "outbox not drained", "err", err)
		}
		timer := time.NewTimer(min(next+clockSlack, r.config.Tick))
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Drain sends until nothing is due, Slice is over or ctx ends, and returns how many records were sent. A record that
// could not be sent is no error: it waits in the queue or lies among the dead. Calls of one relay take turns; any
// number of relays may share a queue.
func (r *Relay) Drain(ctx context.Context) (sent int, err error) {
	sent, _, err = r.drainInTurn(ctx)
	return sent, err
}

func (r *Relay) drainInTurn(ctx context.Context) (sent int, next time.Duration, err error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return 0, r.config.Tick, ctx.Err()
	}
	d := drain{Relay: r, ended: make(chan outcome, r.config.Parallel), flying: map[string]struct{}{}, next: r.config.Tick}
	err = d.run(ctx)
	return d.sent, d.next, errors.Join(err, r.measure(ctx))
}

// measure brings the gauges up to date.
func (r *Relay) measure(ctx context.Context) error {
	ctx, stop := parting(ctx)
	defer stop()
	lag, err := r.queue.Lag(ctx)
	if err != nil {
		return fault.Wrap(fault.KindOf(err), err, "measure the outbox")
	}
	r.metrics.waiting.Set(float64(lag.Waiting))
	r.metrics.oldest.Set(lag.Oldest.Seconds())
	return nil
}

// wait is how long a record should wait that has been tried so many times.
func (r *Relay) wait(attempts int, cause error) time.Duration {
	wait := r.config.MaxWait
	if doubled := r.config.Backoff << min(attempts, 30); doubled > 0 && doubled>>min(attempts, 30) == r.config.Backoff {
		wait = min(wait, doubled)
	}
	jittered := wait/2 + rand.N(wait/2+1) // so that records which failed together do not come back together
	return max(jittered, min(fault.RetryAfterOf(cause), r.config.MaxWait))
}

// parting gives the bookkeeping after a send a little time of its own: what was sent must be noted even if ctx has
// just ended, or it would be sent again.
func parting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}
