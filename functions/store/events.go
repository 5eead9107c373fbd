package store

import (
	"context"
	"errors"
	"time"

	"github.com/rae-memory/rae/eventing"
	"github.com/rae-memory/rae/pkg/ingest"
	"github.com/rae-memory/rae/pkg/memory"
)

// How long one drain.due deletes what has expired, and how long it sends what waits. Together they are shorter than a
// request may take; what is left is for the next one.
const (
	sweepTime = 8 * time.Second
	drainTime = 15 * time.Second
)

// derived keeps a memory that a reflection derived.
func (f *Function) derived(ctx context.Context, e eventing.Event) error {
	data, err := eventing.Data[eventing.Derivation](e)
	if err != nil {
		return err
	}
	_, _, err = f.Memories.Derive(ctx, e.Scope, ingest.Derivation{
		Event:  ingest.Event{Source: e.Source, ID: e.ID},
		Memory: data.Memory,
		Reason: "reflection " + string(data.ReflectionID),
	})
	return err
}

// embedded attaches a vector that was still to come.
func (f *Function) embedded(ctx context.Context, e eventing.Event) error {
	data, err := eventing.Data[eventing.Embedding](e)
	if err != nil {
		return err
	}
	_, err = f.Memories.Attach(ctx, e.Scope, ingest.Vector{
		Event:    ingest.Event{Source: e.Source, ID: e.ID},
		MemoryID: data.MemoryID,
		Version:  data.Version,
		Vector:   memory.Vector{Model: data.Model, Values: data.Vector},
	})
	return err
}

// drain deletes what has expired and sends what waits in the outbox. Neither keeps the other from its turn, and both
// may leave work for the next tick.
func (f *Function) drain(ctx context.Context, _ eventing.Event) error {
	within, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	_, err := f.Memories.Sweep(within)
	if f.Drain != nil {
		err = errors.Join(err, f.Drain(ctx))
	}
	return err
}
