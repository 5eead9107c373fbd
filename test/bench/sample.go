package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

// sample is a number of measurements of the same thing.
type sample []time.Duration

// at returns the quantile q (0..1) of the sample by nearest rank.
func (s sample) at(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func (s sample) p50() time.Duration { return s.at(0.5) }
func (s sample) p95() time.Duration { return s.at(0.95) }

// measure times do n times.
func measure(n int, do func(i int) error) (sample, error) {
	s := make(sample, 0, n)
	for i := range n {
		began := time.Now()
		if err := do(i); err != nil {
			return s, err
		}
		s = append(s, time.Since(began))
	}
	return s, nil
}

// crowd times do, each times by each of so many clients at once, and tells how long all of it took.
func crowd(clients, each int, do func(client, i int) error) (sample, time.Duration, error) {
	samples, failures := make([]sample, clients), make([]error, clients)
	var all sync.WaitGroup
	began := time.Now()
	for client := range clients {
		all.Go(func() {
			samples[client], failures[client] = measure(each, func(i int) error { return do(client, i) })
		})
	}
	all.Wait()
	took := time.Since(began)
	for _, err := range failures {
		if err != nil {
			return nil, took, err
		}
	}
	return slices.Concat(samples...), took, nil
}

// side is one of the two things that are compared. It measures a block and returns its value.
type side func(block int) (float64, error)

// turns are the values of a subject and of its baseline, block by block. They were measured in turns, so that what else
// goes on on the machine meets both.
type turns struct{ subject, baseline []float64 }

// inTurns measures so many blocks of each side. Who goes first changes: the second finds caches warm.
func inTurns(ctx context.Context, blocks int, subject, baseline side) (turns, error) {
	var t turns
	measure := func(s side, into *[]float64, block int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		value, err := s(block)
		*into = append(*into, value)
		return err
	}
	for block := range blocks {
		first, second := func() error { return measure(subject, &t.subject, block) }, func() error { return measure(baseline, &t.baseline, block) }
		if block%2 == 1 {
			first, second = second, first
		}
		if err := first(); err != nil {
			return t, err
		}
		if err := second(); err != nil {
			return t, err
		}
	}
	return t, nil
}

// p50s is a side whose value is the median of n calls, in milliseconds. do is told which call it is of all blocks'.
func p50s(n int, do func(i int) error) side {
	return func(block int) (float64, error) {
		s, err := measure(n, func(i int) error { return do(block*n + i) })
		return milliseconds(s.p50()), err
	}
}

// p95s is the same of the slowest twentieth.
func p95s(n int, do func(i int) error) side {
	return func(block int) (float64, error) {
		s, err := measure(n, func(i int) error { return do(block*n + i) })
		return milliseconds(s.p95()), err
	}
}

// crowds is a side whose value is the rate of so many clients at once, per second.
func crowds(clients, each int, do func(client, i int) error) side {
	return func(block int) (float64, error) {
		s, took, err := crowd(clients, each, func(client, i int) error { return do(client, block*each+i) })
		return float64(len(s)) / took.Seconds(), err
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quantile returns the quantile q (0..1) of the values by nearest rank, NaN-free: 0 of none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
