package eventing

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rae-memory/rae/pkg/fault"
)

type brokerMetrics struct {
	published, delivered, retried, dead *prometheus.CounterVec
}

func newBrokerMetrics(to prometheus.Registerer) (*brokerMetrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &brokerMetrics{
		published: counter("rae_events_published_total", "Events the local broker accepted.", "type"),
		delivered: counter("rae_events_delivered_total", "Events a subscription took.", "type", "subscriber"),
		retried:   counter("rae_events_retried_total", "Deliveries that failed and were tried again.", "type", "subscriber"),
		dead:      counter("rae_events_dead_total", "Events a subscription will never get.", "type", "subscriber"),
	}
	for _, vec := range []**prometheus.CounterVec{&m.published, &m.delivered, &m.retried, &m.dead} {
		if err := register(to, vec); err != nil {
			return nil, err
		}
	}
	return m, nil
}

type relayMetrics struct {
	waiting, oldest prometheus.Gauge
	sent, dead      prometheus.Counter
}

func newRelayMetrics(to prometheus.Registerer) (*relayMetrics, error) {
	m := &relayMetrics{
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "rae_outbox_waiting", Help: "Outbox records not yet sent."}),
		oldest:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "rae_outbox_oldest_seconds", Help: "Age of the oldest outbox record not yet sent."}),
		sent:    prometheus.NewCounter(prometheus.CounterOpts{Name: "rae_outbox_sent_total", Help: "Outbox records sent."}),
		dead:    prometheus.NewCounter(prometheus.CounterOpts{Name: "rae_outbox_dead_total", Help: "Outbox records given up."}),
	}
	return m, errors.Join(register(to, &m.waiting), register(to, &m.oldest), register(to, &m.sent), register(to, &m.dead))
}

// register adds a collector, or puts the one in its place that stands there already: two relays of one process tell
// the same story.
func register[C prometheus.Collector](to prometheus.Registerer, c *C) error {
	if to == nil {
		return nil
	}
	err := to.Register(*c)
	var there prometheus.AlreadyRegisteredError
	if errors.As(err, &there) {
		if standing, ok := there.ExistingCollector.(C); ok {
			*c = standing
			return nil
		}
	}
	if err != nil {
		return fault.Wrap(fault.Internal, err, "register event metrics")
	}
	return nil
}
